"""Changes to agreements: publish a text, attest, accept."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.agreements import queries
from portal.agreements.models import Acceptance, AgreementText, Attestation
from portal.core import audit
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.events import emit
from portal.core.i18n import zone

_TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class AgreementChanged:
    """The standing of a customer changed: for one partner, or (None) for all of them."""

    organization: Organization
    partner_id: int | None


@dataclass(frozen=True)
class TextPublished:
    """A new version: what was accepted before is outdated where it applies."""

    country: str


@dataclass(frozen=True)
class AttestationEntry:
    first_name: str
    last_name: str
    email: str
    phone: str
    accepted_on: date


def publish(*, country: str, language: str, body: str, at: datetime, version: int | None = None) -> AgreementText:
    """A new version for this country ('' for the rest) and language."""
    newest = db.session.scalar(sa.select(sa.func.max(AgreementText.version)).where(AgreementText.country == country, AgreementText.language == language))
    text = AgreementText(country=country, language=language, version=version or (newest or 0) + 1, body=body.strip() + "\n", published_at=at)
    db.session.add(text)
    db.session.flush()
    emit(TextPublished(country))
    return text


def publish_first_texts(*, at: datetime) -> None:
    """The texts that come with the portal, when there are none yet."""
    if db.session.scalar(sa.select(AgreementText.id).limit(1)) is None:
        for path in sorted(_TEXTS.glob("*.txt")):
            publish(country="", language=path.stem, body=path.read_text(encoding="utf-8"), at=at, version=1)


def attest(organization: Organization, entry: AttestationEntry, *, by: Actor, at: datetime) -> Attestation:
    """The partner's word that this person of the customer accepted the current text (R17)."""
    if entry.accepted_on > at.astimezone(zone(by.time_zone)).date():
        raise Refused(_("This date is in the future. Give the day on which the customer accepted."), field="accepted_on")
    assert by.organization_id is not None
    row = Attestation(
        partner_id=by.organization_id,
        customer_id=organization.id,
        version=queries.current_version(organization.country),
        attested_at=at,
        attested_by_id=by.user_id,
        **entry.__dict__,
    )
    db.session.add(row)
    db.session.flush()
    after = {"name": f"{entry.first_name} {entry.last_name}", "email": entry.email, "accepted_on": entry.accepted_on, "version": row.version}
    audit.record("agreement.attested", by=by, at=at, customer=audit.Customer(organization.id, organization.name), seen_by=(organization.id,), after=after)
    emit(AgreementChanged(organization, by.organization_id))
    return row


def accept(organization: Organization, *, language: str, by: Actor, at: datetime, partners: tuple[int, ...] = ()) -> Acceptance:
    """A customer admin accepts the current text; counts for every partner. `partners` are told in their logs."""
    assert by.user_id is not None
    text = queries.current_text(organization.country, language)
    row = Acceptance(
        organization_id=organization.id, text_id=text.id, version=text.version, accepted_at=at, accepted_by_id=by.user_id, accepted_by_name=by.name
    )
    db.session.add(row)
    db.session.flush()
    customer = audit.Customer(organization.id, organization.name)
    audit.record(
        "agreement.accepted", by=by, at=at, customer=customer, seen_by=(organization.id, *partners), after={"version": text.version, "language": text.language}
    )
    emit(AgreementChanged(organization, None))
    return row
