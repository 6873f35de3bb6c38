"""Leads referred to other partners, and their state in the eyes of the one who referred them (R2, R41, R50)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.core import audit, events
from portal.core.access import Actor, Cloud, PartnerType, Side
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.lists import ListQuery, Page, Sort, fetch
from portal.core.places import market
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads import mails, sharing
from portal.leads.entering import check_entry, wait_for_others
from portal.leads.events import PartnersToRefer
from portal.leads.models import OPEN, DeclineReason, Lead, LeadSource, LeadState, LossReason
from portal.leads.service import DeclineEntry, LossEntry, NewLead, decline_lead, lose_lead, note_history, receive_lead
from portal.relationships import queries as relationships

FILTERS = {"state": list(LeadState)}
NEWEST = Sort(Lead.id, Lead.id, descending=True)
# What travels: who asks and what for. The deal, its notes, people and history stay.
_TRAVELS = ("company", "country", "first_name", "last_name", "email", "phone", "domain", "city", "language", "message", "wants_contact")


@dataclass(frozen=True)
class ReferralEntry:
    """`partner` is the public key of the one who is to answer; `note` is for its people."""

    partner: str
    source: str
    note: str = ""


def candidates(words: str = "", *, by: Actor) -> list[Any]:
    """To whom this person may refer a lead: id, public_id and name, by name.

    Partners with an active partnership, and those with a published profile whose name has these words; same cloud and market.
    """
    return _receivers([*_with_partnership(by), *_with_profile(PartnersToRefer(by, words))], by)


def receiver(public_id: str, *, by: Actor) -> Any:
    """One candidate, whatever was searched for; Refused for any other organization, also where there is none (R2)."""
    try:
        key = UUID(public_id)
    except ValueError:
        key = None
    named = db.session.scalar(sa.select(Organization.id).where(Organization.public_id == key)) if key else None
    if named is not None:
        found = [*_with_partnership(by), *_with_profile(PartnersToRefer(by, organization_id=named))]
        for row in _receivers([named] if named in found else [], by):
            return row
    raise Refused(_("Leads cannot be referred to this partner. Choose one of the list."), field="partner")


def refer_lead(lead: Lead, entry: ReferralEntry, *, by: Actor, at: datetime) -> Lead:
    """Another partner answers from now on; ours is declined, or lost when it was accepted. The customer is told who will answer."""
    if lead.state not in OPEN:
        raise Refused(_("This lead is closed, so it cannot be referred any more."))
    partner = receiver(entry.partner, by=by)
    if lead.state is LeadState.RECEIVED:
        decline_lead(lead, DeclineEntry(DeclineReason.REFERRED.value, "", tell=False), by=by, at=at)
    else:
        lose_lead(lead, LossEntry(LossReason.REFERRED.value, ""), by=by, at=at)
    known = {name: getattr(lead, name) for name in _TRAVELS}
    made = _send(NewLead(**known, size=lead.size.value if lead.size else None), partner, entry, None, by=by, at=at)
    lead.referred_to_id = made.id
    note_history(lead, "lead.referred", by, at, details={"after": {"partner": partner.name}})
    return made


def refer_new(new: NewLead, entry: ReferralEntry, key: UUID, *, by: Actor, at: datetime) -> Lead:
    """A lead entered by hand for another partner; sending the form twice, even at once, refers one."""
    wait_for_others(by)
    with scoped(EVERYTHING):
        made = db.session.scalar(sa.select(Lead).where(Lead.referrer_id == by.organization_id, Lead.public_id == key))
    if made is not None:
        return made
    check_entry(new, LeadSource(entry.source), by=by)
    return _send(new, receiver(entry.partner, by=by), entry, key, by=by, at=at)


def referred(query: ListQuery, *, by: Actor) -> Page:
    """What this partner referred, the newest first."""
    statement = _referred_by(by)
    if "state" in query.filters:
        statement = statement.where(Lead.state == LeadState(query.filters["state"]), sharing.shared())
    with scoped(EVERYTHING):
        return fetch(statement, query, NEWEST, lambda row: (row.id, row.id))


def shown(lead: Lead, by: Actor) -> dict[str, Any]:
    """For `_referral.html` on a lead's page: to whom we referred it and what became of it there, or whether we may."""
    onward = None
    if lead.referred_to_id is not None:
        with scoped(EVERYTHING):
            onward = db.session.execute(_referred_by(by).where(Lead.id == lead.referred_to_id)).one_or_none()
    return {"referral": {"onward": onward, "open": lead.state in OPEN}}


def _referred_by(by: Actor) -> Any:
    """All that a referrer may know of a lead that is another partner's now (R2). To be run in scoped(EVERYTHING).

    `state` and `state_at` are None where the state is shared no longer.
    """
    state, state_at = (sa.case((sharing.shared(), column)).label(column.key) for column in (Lead.state, Lead.state_at))
    columns = (Lead.id, Lead.company, state, Lead.received_at, Lead.due_at, state_at, Organization.name.label("partner"))
    return sa.select(*columns).join(Organization, Organization.id == Lead.partner_id).where(Lead.referrer_id == by.organization_id)


def _send(new: NewLead, partner: Any, entry: ReferralEntry, key: UUID | None, *, by: Actor, at: datetime) -> Lead:
    made = receive_lead(new, partner_id=partner.id, source=LeadSource(entry.source), by=by, at=at, referrer_id=by.organization_id, public_id=key)
    if entry.note:
        with scoped(Scope(partner_id=partner.id)):
            note_history(made, None, by, at, text=entry.note)
    audit.record("lead.referred", by=by, at=at, after={"company": new.company, "partner": partner.name})
    mails.referred(made, referrer=by.organization_name, partner=partner.name, owner_id=by.organization_id, at=at)
    return made


def _with_partnership(by: Actor) -> list[int]:
    """R41: a provider's resellers; and a reseller's providers, for what is too large for it."""
    if by.partner_type is PartnerType.INDIRECT_PROVIDER:
        return [row.id for row in relationships.active_resellers(by=by)]
    if by.partner_type is PartnerType.INDIRECT_RESELLER:
        return [row.id for row in relationships.active_providers(by=by)]
    return []


def _with_profile(question: PartnersToRefer) -> list[int]:
    return [organization_id for organization_id, _name in events.ask(question)]


def _receivers(organization_ids: list[int], by: Actor) -> list[Any]:
    """Those of them that can be sent a lead; never in the government cloud (R62)."""
    if not organization_ids or by.cloud is not Cloud.PUBLIC:
        return []
    O = Organization  # noqa: E741
    statement = sa.select(O.id, O.public_id, O.name, O.country).where(
        O.id.in_(set(organization_ids) - {by.organization_id}), O.side == Side.PARTNER, O.cloud == Cloud.PUBLIC, O.suspended_at.is_(None)
    )
    mine = market(by.country)
    return [row for row in db.session.execute(statement.order_by(O.name, O.id)) if market(row.country) == mine]
