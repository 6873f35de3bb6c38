"""Reads of agreement texts, attestations and acceptances."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.agreements.models import Acceptance, AgreementState, AgreementText, Attestation
from portal.core.db import Key, db, limited


@dataclass(frozen=True)
class Standing:
    """Where a customer stands with the agreement, for one partner."""

    state: AgreementState
    by: str = ""
    on: date | None = None
    version: int | None = None
    current_version: int | None = None


def current_text(country: str, language: str) -> AgreementText:
    """The newest text for this country, in this language when that version has one (else English)."""
    statement = (
        sa.select(AgreementText)
        .where(AgreementText.country.in_((country, "")), AgreementText.language.in_((language, "en")))
        .order_by(AgreementText.country.desc(), AgreementText.version.desc(), (AgreementText.language == language).desc())
        .limit(1)
    )
    return db.session.scalars(statement).one()


def current_version(country: str) -> int:
    """The version that orders need (R17): the country's own, else the general one."""
    return db.session.scalar(_CURRENT_VERSION, {"country": country}) or 0


_CURRENT_VERSION = limited(
    sa.select(AgreementText.version)
    .where(AgreementText.country.in_((sa.bindparam("country", type_=AgreementText.country.type), "")))
    .order_by(AgreementText.country.desc(), AgreementText.version.desc()),
    1,
)


def latest_acceptance(organization_id: int, country: str) -> tuple[Acceptance | None, int]:
    """The company's own, and the version that orders need now."""
    accepted, version = db.session.execute(_ACCEPTED, {"organization": organization_id, "country": country}).one()
    return accepted, version or 0


_ACCEPTED = limited(
    sa.select(Acceptance, _CURRENT_VERSION.scalar_subquery().label("version"))
    .select_from(Organization)
    .outerjoin(Acceptance, Acceptance.organization_id == Organization.id)
    .where(Organization.id == sa.bindparam("organization", type_=Key))
    .order_by(Acceptance.id.desc()),
    1,
)
_ATTESTED = (
    _ACCEPTED.add_columns(Attestation)
    .outerjoin(Attestation, (Attestation.customer_id == Organization.id) & (Attestation.partner_id == sa.bindparam("partner", type_=Key)))
    .order_by(Attestation.id.desc())
)


def standing(partner_id: int, organization_id: int, country: str) -> Standing:
    """Direct acceptance first; an attestation counts for its partner only; an older version is outdated."""
    whose = {"partner": partner_id, "organization": organization_id, "country": country}
    accepted, version, attested = db.session.execute(_ATTESTED, whose).one_or_none() or (None, current_version(country), None)
    current = version or 0
    if accepted is not None and accepted.version >= current:
        return Standing(AgreementState.ACCEPTED, accepted.accepted_by_name, accepted.accepted_at.date(), accepted.version, current)
    if attested is not None:
        state = AgreementState.ATTESTED if attested.version >= current else AgreementState.OUTDATED
        name = f"{attested.first_name} {attested.last_name}"
        return Standing(state, name, attested.accepted_on, attested.version, current)
    if accepted is not None:
        return Standing(AgreementState.OUTDATED, accepted.accepted_by_name, accepted.accepted_at.date(), accepted.version, current)
    return Standing(AgreementState.MISSING, current_version=current)
