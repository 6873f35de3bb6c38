"""Partnerships between an indirect provider and an indirect reseller: asked for, answered, ended (R40-R42)."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.core import audit, jobs, tokens
from portal.core.access import PORTAL, Actor, PartnerType, Permission, Side
from portal.core.db import db
from portal.core.errors import Forbidden, Refused
from portal.core.events import emit
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.relationships import mails, queries
from portal.relationships.events import PartnershipEnded
from portal.relationships.models import Partnership, PartnershipState
from portal.relationships.service import LINK_LASTS, REMIND_BEFORE, check_body
from portal.relationships.states import PARTNERSHIP


@dataclass(frozen=True)
class PartnershipEntry:
    """What the request form holds."""

    email: str
    organization: str
    language: str
    subject: str
    body: str


def check_provider(by: Actor) -> None:
    """Only a provider asks (R40)."""
    if by.partner_type is not PartnerType.INDIRECT_PROVIDER:
        raise Forbidden("a reseller is asked", message=_("An indirect provider asks for a partnership: ask yours to send you a request."))


# --- asking


def request_partnership(entry: PartnershipEntry, *, by: Actor, at: datetime) -> Partnership:
    """Sent at once, to one address; a second request there waits until the first is answered (R40)."""
    check_provider(by)
    check_body(entry.body)
    assert by.organization_id is not None
    # Two clicks at the same moment come one after the other.
    db.session.execute(sa.select(Organization.id).where(Organization.id == by.organization_id).with_for_update(key_share=True))
    P = Partnership
    waiting = sa.select(P.id).where(P.state == PartnershipState.SENT, sa.func.lower(P.email) == entry.email.lower()).limit(1)
    if db.session.scalar(waiting) is not None:
        raise Refused(_("A request to this address is already waiting for its answer."), field="email")
    link = tokens.issue("partnership", at=at, lifetime=LINK_LASTS)
    row = Partnership(
        partner_id=by.organization_id,
        state=PartnershipState.SENT,
        state_at=at,
        email=entry.email,
        organization=entry.organization,
        language=entry.language,
        subject=entry.subject,
        body=entry.body,
        sent_at=at,
        expires_at=link.expires_at,
        author_id=by.user_id,
        author_name=by.name,
        author_email=by.email,
        link=link,
    )
    db.session.add(row)
    db.session.flush()
    audit.record("partnership.sent", by=by, at=at, after={"email": row.email, "organization": row.organization})
    mails.partnership_request(row, by=by, at=at)
    return row


def send_again(row: Partnership, *, by: Actor, at: datetime) -> None:
    """A new link for 30 days more; the old one stops."""
    check_provider(by)
    if row.state is not PartnershipState.SENT or row.link is None:
        raise Refused(_("Only a request that waits for its answer can be sent again."))
    tokens.renew(row.link, at=at, lifetime=LINK_LASTS)
    row.expires_at, row.reminded_at = row.link.expires_at, None
    audit.record("partnership.sent_again", by=by, at=at, after={"email": row.email})
    mails.partnership_request(row, by=by, at=at)


def revoke(row: Partnership, *, by: Actor, at: datetime) -> None:
    check_provider(by)
    PARTNERSHIP.apply(row, "revoke", by=by, at=at)
    if row.link is not None:
        row.link.revoked_at = at


# --- answering


def why_not(row: Partnership, *, by: Actor | None, at: datetime) -> str | None:
    """What stands between this person and accepting, as a word the page has a text for; None when nothing does."""
    if row.state is not PartnershipState.SENT:
        return row.state.value
    if row.link is None or not row.link.usable(at):
        return PartnershipState.EXPIRED.value
    if by is None:
        return None
    if by.organization_id == row.partner_id:
        return "own_provider"
    if by.side is not Side.PARTNER:
        return "customer"
    if by.cloud is not row.partner.cloud:
        return "cloud"
    if by.partner_type is not PartnerType.INDIRECT_RESELLER:
        return "type"
    if market(by.country) != market(row.partner.country):
        return "market"
    if queries.in_force(row.partner_id, by.organization_id) is not None:
        return "already"
    return None if by.may(Permission.PARTNERSHIP_CHANGE) else "role"


def accept(row: Partnership, *, confirmed: bool, by: Actor, at: datetime) -> None:
    """The reseller's global admin ticks the confirmation and accepts (R40)."""
    with scoped(EVERYTHING):
        if why_not(row, by=by, at=at) is not None:
            raise Refused(_("Your organization cannot accept this request."))
        if not confirmed:
            raise Refused(_("Tick that your organization wants this partnership."), field="confirmed")
        if row.link is None or not tokens.use(row.link, at=at):
            raise Refused(_("This request was answered a moment ago."))
        row.reseller_id, row.answered_at, row.answered_by = by.organization_id, at, f"{by.name} <{by.email}>"
        details = {"provider": row.partner.name, "reseller": by.organization_name, "accepted_by": by.email}
        PARTNERSHIP.apply(row, "accept", by=by, at=at, seen_by=(row.partner_id, by.organization_id), details=details)
        db.session.flush()
        mails.partnership_accepted(row, by=by, at=at)


def decline(row: Partnership, *, reason: str, by: Actor, at: datetime) -> None:
    """By the reseller's global admin, or by whoever was written to."""
    with scoped(EVERYTHING):
        if row.state is not PartnershipState.SENT or row.link is None or not row.link.usable(at):
            raise Refused(_("This request is no longer open."))
        row.decline_reason, row.answered_at = reason or None, at
        row.answered_by = f"{by.name} <{by.email}>" if by.user_id else row.email
        PARTNERSHIP.apply(row, "decline", by=by, at=at, seen_by=(row.partner_id,), details={"email": row.email, "reason": reason})
        row.link.revoked_at = at
        db.session.flush()
        mails.partnership_declined(row, at=at)


# --- ending


def end(row: Partnership, *, reason: str, by: Actor, at: datetime) -> None:
    """By either side. Customers, relationships and delegated administration stay, and both are told so (R42)."""
    with scoped(EVERYTHING):
        sides = [side for side in (row.partner_id, row.reseller_id) if side is not None]
        staying = {side: queries.staying(row, side) for side in sides}
        row.ended_at, row.ended_by, row.ending_reason = at, f"{by.name} <{by.email}>", reason or None
        details = {"reason": reason} if reason else {}
        PARTNERSHIP.apply(row, "end", by=by, at=at, seen_by=tuple(sides), details=details)
        db.session.flush()
        mails.partnership_ended(row, staying, by=by, at=at)
        emit(PartnershipEnded(row, by, at))


# --- what time brings


def expire(*, at: datetime) -> int:
    """Requests whose link ran out."""
    P = Partnership

    def lapse(row: Partnership) -> None:
        PARTNERSHIP.apply(row, "expire", by=PORTAL, at=at, seen_by=(row.partner_id,), details={"email": row.email})
        mails.partnership_expired(row, at=at)

    with scoped(EVERYTHING):
        return len(jobs.each(sa.select(P).where(P.state == PartnershipState.SENT, P.expires_at <= at).order_by(P.id), lapse))


def remind(*, at: datetime) -> int:
    """Tell the author some days before an unanswered request lapses, once."""
    P = Partnership

    def tell(row: Partnership) -> None:
        row.reminded_at = at
        mails.partnership_lapsing(row, at=at)

    with scoped(EVERYTHING):
        due = sa.select(P).where(P.state == PartnershipState.SENT, P.reminded_at.is_(None), P.expires_at <= at + REMIND_BEFORE, P.expires_at > at)
        return len(jobs.each(due.order_by(P.id), tell))
