"""What leads write by mail, and to whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import outbox
from portal.core.access import Role
from portal.core.db import db
from portal.leads import sharing
from portal.leads.models import Lead, LeadSource, LeadState

MOST = 20  # people or leads that one message goes to or names


def received(lead: Lead, *, at: datetime) -> None:
    """To the owner's people who look after referrals."""
    referrer = db.session.get(Organization, lead.referrer_id) if lead.referrer_id else None
    for user in in_charge(lead.partner_id):
        _post("received", user, lead.partner_id, at, lead=lead, referrer=referrer.name if referrer else "")


def declined(lead: Lead, *, tell: bool, at: datetime) -> None:
    """To the customer, that it choose another partner, and to whoever referred the lead (R53)."""
    partner = db.session.get_one(Organization, lead.partner_id)
    if tell and lead.email:
        _to_customer("declined", lead, partner, at)
    if referrer_id := sharing.referrer_of(lead):
        for user in _senders(referrer_id, lead.entered_by_id):
            _post("declined_referral", user, referrer_id, at, lead=lead, partner=partner.name)


def referred(lead: Lead, *, referrer: str, partner: str, owner_id: int | None, at: datetime) -> None:
    """To the customer: who will answer now. It stands in the outbox of the one who referred (`owner_id`)."""
    if lead.email:
        outbox.post(
            "leads/referred",
            to=lead.email,
            organization_id=owner_id,
            at=at,
            in_language=lead.language,
            name=lead.contact or lead.company,
            referrer=referrer,
            partner=partner,
            company=lead.company,
        )


def closed_referral(lead: Lead, *, at: datetime) -> None:
    """To whoever referred the lead: it is won or lost, and no more than that (R2)."""
    if referrer_id := sharing.referrer_of(lead):
        partner = db.session.get_one(Organization, lead.partner_id)
        for user in _senders(referrer_id, lead.entered_by_id):
            _post("referred_closed", user, referrer_id, at, company=lead.company, won=lead.state is LeadState.WON, partner=partner.name)


def expired_inquiry(lead: Lead, *, at: datetime) -> None:
    """To the customer who inquired (R54)."""
    if lead.email:
        _to_customer("expired", lead, db.session.get_one(Organization, lead.partner_id), at)


def expired_entered(leads: Sequence[Lead], *, at: datetime) -> None:
    """To whoever entered these leads of one partner, or referred them to it; many at once make one message (R54)."""
    partner = db.session.get_one(Organization, leads[0].partner_id)
    organization_id = leads[0].referrer_id or partner.id
    context = {"leads": leads[:MOST], "more": max(0, len(leads) - MOST), "partner": partner.name if leads[0].referrer_id else ""}
    for user in _senders(organization_id, leads[0].entered_by_id):
        _post("expired_entered", user, organization_id, at, **context)


def _to_customer(kind: str, lead: Lead, partner: Organization, at: datetime) -> None:
    outbox.post(
        f"leads/{kind}",
        to=lead.email,
        organization_id=lead.partner_id,
        at=at,
        in_language=lead.language,
        name=lead.contact or lead.company,
        partner=partner.name,
        inquired=lead.source is LeadSource.INQUIRY,
    )


def _post(kind: str, user: User, organization_id: int, at: datetime, **context: Any) -> None:
    known: dict[str, Any] = {"name": user.name, "zone": user.time_zone}
    outbox.post(f"leads/{kind}", to=user.email, organization_id=organization_id, at=at, in_language=user.language, **known, **context)


def _senders(organization_id: int, user_id: int | None) -> list[User]:
    """The person who sent a lead, as long as there is one; else those in charge."""
    known = db.session.get(User, user_id) if user_id else None
    if known is not None and known.state is UserState.ACTIVE and known.organization_id == organization_id:
        return [known]
    return in_charge(organization_id)


def in_charge(organization_id: int) -> list[User]:
    """A partner's referrals admins, or where there are none its global admins."""
    return _with_role(organization_id, Role.REFERRALS_ADMIN) or _with_role(organization_id, Role.GLOBAL_ADMIN)


def _with_role(organization_id: int, role: Role) -> list[User]:
    statement = sa.select(User).join(UserRole, UserRole.user_id == User.id).where(UserRole.role == role)
    statement = statement.where(User.organization_id == organization_id, User.state == UserState.ACTIVE)
    return list(db.session.scalars(statement.order_by(User.id).limit(MOST)).unique())
