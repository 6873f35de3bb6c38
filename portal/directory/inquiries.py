"""What a visitor writes to a partner: kept until the mailbox is proven, then a lead (R50, R55, R61); and what keeps bots out."""

import hmac
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from portal.core import outbox, tokens
from portal.core.access import PORTAL
from portal.core.crypto import derived_key
from portal.core.db import attempt, db, uuid7
from portal.core.scope import Scope, scoped
from portal.directory import queries
from portal.directory.models import BusinessProfile, DirectoryEntry, Inquiry
from portal.leads import service as leads
from portal.leads.models import LeadSource
from portal.leads.service import NewLead

LINK_LASTS = timedelta(hours=48)
KEPT_UNCONFIRMED = timedelta(days=7)
KEPT_CONFIRMED = timedelta(days=30)  # without words: so that the link still tells that it has done its work
SHORTEST_MESSAGE, LONGEST_MESSAGE = 20, 5000
MOST_LINKS = 2
SOONEST, LATEST = 3, 24 * 3600  # seconds between a form's making and its sending
PURPOSE = "inquiry"


@dataclass(frozen=True)
class InquiryEntry:
    """What the form asks for."""

    company: str
    first_name: str
    last_name: str
    email: str
    phone: str
    country: str
    city: str
    size: str
    message: str
    wants_contact: bool


# --- the proof that a person filled in a form of ours


def proof(profile_id: UUID, *, at: datetime) -> str:
    """For a form made now: when and for which profile, with a seal of ours."""
    made = f"{int(at.timestamp())}.{uuid7().hex}"
    return f"{made}.{_seal(made, profile_id)}"


def age(typed: str, profile_id: UUID, *, at: datetime) -> float | None:
    """How many seconds ago the form with this proof was made; None for a proof that is not ours, or of another profile."""
    made, _dot, seal = typed.rpartition(".")
    if not re.fullmatch(r"\d{10}\.[0-9a-f]{32}", made) or not hmac.compare_digest(_seal(made, profile_id).encode(), seal.encode()):
        return None
    return at.timestamp() - int(made[:10])


def number(typed: str) -> UUID:
    """The number of this form: each is taken once."""
    return UUID(typed.split(".")[1])


def _seal(made: str, profile_id: UUID) -> str:
    return hmac.digest(derived_key("inquiry-proof"), f"{made}/{profile_id}".encode(), "sha256").hex()


def links_in(message: str) -> int:
    """How many web addresses a message holds."""
    return len(re.findall(r"https?:|www\.|\[url|<a\s", message, re.IGNORECASE))


# --- asking and confirming


def ask(row: DirectoryEntry, entry: InquiryEntry, number: UUID, *, language: str, at: datetime) -> bool:
    """Keep what was typed and mail a link to the address; the partner learns of it once the link was followed. False when this form was sent before."""
    link = tokens.issue(PURPOSE, at=at, lifetime=LINK_LASTS)
    inquiry = Inquiry(
        public_id=number, entry_public_id=row.public_id, partner_id=row.partner_id, typed=asdict(entry), language=language, asked_at=at, link=link
    )
    try:
        with attempt():
            db.session.add(inquiry)
    except sa.exc.IntegrityError:
        db.session.delete(link)
        return False
    outbox.post(
        "directory/confirm",
        to=entry.email,
        organization_id=None,
        at=at,
        in_language=language,
        link=link,
        path="/directory/inquiries/links/",
        partner=row.name,  # and nothing that was typed: whoever reads it may never have written to us
    )
    return True


def by_token(token: str) -> Inquiry | None:
    """The inquiry that this link was mailed for, whatever has become of it."""
    link = tokens.look_up(PURPOSE, token)
    return db.session.scalar(sa.select(Inquiry).where(Inquiry.link_id == link.id)) if link else None


def held(public_id: UUID, *, lock: bool = False) -> Inquiry | None:
    """An inquiry whose link the visitor has opened: the caller has seen to that."""
    statement = sa.select(Inquiry).where(Inquiry.public_id == public_id)
    if lock:
        statement = statement.with_for_update(of=Inquiry).execution_options(populate_existing=True)
    return db.session.scalar(statement)


def confirm(inquiry: Inquiry, *, at: datetime) -> bool:
    """Make the lead; False when there is nothing to make it of any more: confirmed before, out of time, or the profile was taken back."""
    row = queries.published(inquiry.entry_public_id)
    if inquiry.confirmed_at is not None or row is None or not tokens.use(inquiry.link, at=at):
        return False
    with scoped(Scope(partner_id=row.partner_id)):
        profile_id = db.session.scalar(sa.select(BusinessProfile.id).where(BusinessProfile.public_id == row.public_id))
    entry = NewLead(**inquiry.typed, language=inquiry.language)
    leads.receive_lead(entry, partner_id=row.partner_id, source=LeadSource.INQUIRY, by=PORTAL, at=at, profile_id=profile_id)
    inquiry.confirmed_at, inquiry.typed = at, {}
    return True


def forget(at: datetime) -> None:
    """What nobody confirmed, and what has long been a lead."""
    unconfirmed = sa.and_(Inquiry.confirmed_at.is_(None), Inquiry.asked_at < at - KEPT_UNCONFIRMED)
    db.session.execute(sa.delete(Inquiry).where(sa.or_(unconfirmed, Inquiry.asked_at < at - KEPT_CONFIRMED)).execution_options(synchronize_session=False))
