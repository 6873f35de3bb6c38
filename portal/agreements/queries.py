"""Reads of agreement texts, attestations and acceptances."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.agreements.models import Acceptance, AgreementState, AgreementText, Attestation
from portal.core.db import db


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
    return db.session.scalar(_current_version(country)) or 0


def _current_version(country: str) -> sa.Select:
    statement = sa.select(AgreementText.version).where(AgreementText.country.in_((country, "")))
    return statement.order_by(AgreementText.country.desc(), AgreementText.version.desc()).limit(1)


def latest_acceptance(organization_id: int, country: str) -> tuple[Acceptance | None, int]:
    """The company's own, and the version that orders need now."""
    accepted, version = db.session.execute(
        sa.select(Acceptance, _current_version(country).scalar_subquery())
        .select_from(Organization)
        .outerjoin(Acceptance, Acceptance.organization_id == Organization.id)
        .where(Organization.id == organization_id)
        .order_by(Acceptance.id.desc())
        .limit(1)
    ).one()
    return accepted, version or 0


def standing(partner_id: int, organization_id: int, country: str) -> Standing:
    """Direct acceptance first; an attestation counts for its partner only; an older version is outdated."""
    version, accepted, attested = db.session.execute(
        sa.select(_current_version(country).scalar_subquery(), Acceptance, Attestation)
        .select_from(Organization)
        .outerjoin(Acceptance, Acceptance.organization_id == Organization.id)
        .outerjoin(Attestation, (Attestation.customer_id == Organization.id) & (Attestation.partner_id == partner_id))
        .where(Organization.id == organization_id)
        .order_by(Acceptance.id.desc(), Attestation.id.desc())
        .limit(1)
    ).one_or_none() or (current_version(country), None, None)
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
