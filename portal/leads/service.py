"""What people and time do with leads: receive, answer, edit, close, expire; notes, people, favorites (R50-R55)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.accounts.service import stale
from portal.core import audit, jobs
from portal.core.access import PORTAL, Actor, Cloud
from portal.core.db import db, uuid7
from portal.core.errors import NotFound, Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.service import name_key, searchable
from portal.leads import mails, sharing
from portal.leads.models import (
    ANSWER_WITHIN,
    CompanySize,
    DeclineReason,
    Lead,
    LeadEntry,
    LeadFavorite,
    LeadPerson,
    LeadSource,
    LeadState,
    LossReason,
    PersonKind,
)
from portal.leads.states import LEAD

MOST_PEOPLE = 50
MOST_FAVORITES = 500


@dataclass(frozen=True)
class NewLead:
    """Who asks, and what for."""

    company: str
    country: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    domain: str = ""
    city: str = ""
    size: str | None = None
    language: str = "en"
    message: str = ""
    wants_contact: bool = False


@dataclass(frozen=True)
class PersonEntry:
    name: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True)
class DealEntry:
    """What accepting asks for (R52); the contacts come on top of those already there."""

    deal_name: str
    value: Money
    purchase_on: date
    wishes: str
    crm_id: str = ""
    campaign_id: str = ""
    contacts: tuple[PersonEntry, ...] = ()


@dataclass(frozen=True)
class DeclineEntry:
    """`tell` is whether the customer is asked to choose another partner (R53); only somebody who did not inquire is spared that."""

    reason: str
    notes: str
    tell: bool = True


@dataclass(frozen=True)
class WinEntry:
    """The value that the deal had in the end; None when it is as estimated."""

    value: Money | None = None


@dataclass(frozen=True)
class LossEntry:
    reason: str
    notes: str


def receive_lead(
    entry: NewLead,
    *,
    partner_id: int,
    source: LeadSource,
    by: Actor,
    at: datetime,
    referrer_id: int | None = None,
    profile_id: int | None = None,
    public_id: UUID | None = None,
) -> Lead:
    """A new lead of this partner, whoever sends it: an inquiry (by PORTAL), its own people, or another partner that refers it (R50).

    The owner's people are told of what comes from outside. Refused where there are no leads (R62).
    """
    partner = db.session.get_one(Organization, partner_id)
    if partner.cloud is Cloud.US_GOVERNMENT:
        raise Refused(_("There are no leads in this cloud."))
    with scoped(Scope(partner_id=partner_id)):
        lead = Lead(
            partner_id=partner_id, public_id=public_id or uuid7(), referrer_id=referrer_id, profile_id=profile_id, **row_of(entry, source=source, by=by, at=at)
        )
        db.session.add(lead)
        db.session.flush()
        note_history(lead, "lead.received", by, at, details={"source": source.value})
    audit.record("lead.received", by=by, at=at, seen_by=told(lead), after={"company": lead.company, "source": source.value, "country": lead.country})
    if source is LeadSource.INQUIRY or referrer_id is not None:
        mails.received(lead, at=at)
    return lead


def row_of(entry: NewLead, *, source: LeadSource, by: Actor, at: datetime) -> dict[str, Any]:
    """The columns of a new lead, but for whose it is; many at once go in with `scope.insert_many()`."""
    columns = {name: getattr(entry, name) for name in NewLead.__dataclass_fields__}
    return columns | {
        "state": LeadState.RECEIVED,
        "state_at": at,
        "source": source,
        "size": CompanySize(entry.size) if entry.size else None,
        "received_at": at,
        "due_at": at + ANSWER_WITHIN,
        "entered_by_id": by.user_id,
        "company_key": name_key(entry.company),
        "search_text": searchable(entry.company, entry.first_name, entry.last_name, entry.email, entry.domain),
    }


def note_history(lead: Lead, action: str | None, by: Actor, at: datetime, text: str = "", details: dict[str, Any] | None = None) -> LeadEntry:
    """One line more in the lead's history; `action` is the log's word, None for a note. `details` as the log takes them."""
    entry = LeadEntry(
        partner_id=lead.partner_id,
        lead_id=lead.id,
        at=at,
        author_id=by.user_id,
        author_name=by.name[:120],
        action=action,
        text=text,
        details=details or {},
    )
    db.session.add(entry)
    return entry


def told(lead: Lead) -> tuple[int | None, ...]:
    """Whose logs tell what becomes of it: the owner's, and the partner's that referred it."""
    return (lead.partner_id, lead.referrer_id)


# --- answering


def answerable(lead: Lead, *, at: datetime) -> bool:
    """Whether accepting and declining are open: received, and within the deadline (R54)."""
    return LEAD.may(lead.state, "accept") and at < lead.due_at


def accept_lead(lead: Lead, entry: DealEntry, *, by: Actor, at: datetime) -> None:
    """R52."""
    _check_answer(lead, at)
    _check_day(lead, entry, at)
    _check_number_of_people(lead, len(entry.contacts))
    _move(lead, "accept", by=by, at=at)
    lead.answered_at = at
    _write_deal(lead, entry, by=by, at=at)
    for contact in entry.contacts:
        _enter_person(lead, PersonKind.CONTACT, contact, by=by, at=at)


def decline_lead(lead: Lead, entry: DeclineEntry, *, by: Actor, at: datetime) -> None:
    """The customer is asked to choose another partner, and whoever referred the lead is told (R53)."""
    _check_answer(lead, at)
    _move(lead, "decline", by=by, at=at, text=entry.notes, decline_reason=entry.reason)
    lead.answered_at = at
    lead.decline_reason, lead.closing_notes = DeclineReason(entry.reason), entry.notes
    mails.declined(lead, tell=entry.tell, at=at)


def _check_answer(lead: Lead, at: datetime) -> None:
    if LEAD.may(lead.state, "accept") and not answerable(lead, at=at):
        raise Refused(_("The time to answer is over, so this lead expires. Its sender is told."))


# --- the deal


def deal_of(lead: Lead) -> dict[str, Any]:
    """What R52 asks for, as plain values."""
    return {
        "deal_name": lead.deal_name,
        "value": _plain(lead.value),
        "purchase_on": lead.purchase_on.isoformat() if lead.purchase_on else "",
        "wishes": lead.wishes,
        "crm_id": lead.crm_id,
        "campaign_id": lead.campaign_id,
    }


def update_deal(lead: Lead, entry: DealEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """Everything that accepting asked for, while the lead is accepted (R52); Stale after somebody else's change (R104)."""
    _check_working(lead)
    if version is not None and version != lead.version:
        present, typed = deal_of(lead), _typed(entry)
        raise stale({key: (value, typed[key]) for key, value in present.items() if value != typed[key]})
    _check_day(lead, entry, at)
    _write_deal(lead, entry, by=by, at=at, noted=True)


def _write_deal(lead: Lead, entry: DealEntry, *, by: Actor, at: datetime, noted: bool = False) -> None:
    before, after = audit.changes(deal_of(lead), _typed(entry))
    if not after:
        return
    lead.deal_name, lead.purchase_on, lead.wishes = entry.deal_name, entry.purchase_on, entry.wishes
    lead.value_minor, lead.currency = entry.value.minor, entry.value.currency
    lead.crm_id, lead.campaign_id = entry.crm_id, entry.campaign_id
    _log_update(lead, before, after, by=by, at=at, noted=noted)


def _typed(entry: DealEntry) -> dict[str, Any]:
    return {
        "deal_name": entry.deal_name,
        "value": _plain(entry.value),
        "purchase_on": entry.purchase_on.isoformat(),
        "wishes": entry.wishes,
        "crm_id": entry.crm_id,
        "campaign_id": entry.campaign_id,
    }


def _log_update(lead: Lead, before: dict[str, Any], after: dict[str, Any], *, by: Actor, at: datetime, noted: bool = True) -> None:
    """The owner's log only: what a deal is worth is nobody else's business."""
    before = {key: value for key, value in before.items() if value}
    audit.record("lead.updated", by=by, at=at, seen_by=(lead.partner_id,), before=before, after={"company": lead.company, **after})
    if noted:
        note_history(lead, "lead.updated", by, at, details={"before": before, "after": after})


def _plain(value: Money | None) -> str:
    return f"{value.amount} {value.currency}" if value is not None else ""


def _check_day(lead: Lead, entry: DealEntry, at: datetime) -> None:
    """A purchase lies ahead when it is first written down; yesterday may still be today in the person's own zone."""
    if entry.purchase_on != lead.purchase_on and entry.purchase_on < at.date() - timedelta(days=1):
        raise Refused(_("This day is over. Give the day on which the customer will probably buy."), field="purchase_on")


def _check_working(lead: Lead) -> None:
    if lead.state is not LeadState.ACCEPTED:
        raise Refused(_("This lead is not being worked on now, so its details stay as they are."))


# --- closing


def win_lead(lead: Lead, entry: WinEntry, *, by: Actor, at: datetime) -> None:
    _move(lead, "win", by=by, at=at)
    if entry.value is not None and entry.value != lead.value:
        before = {"value": _plain(lead.value)}
        lead.value_minor, lead.currency = entry.value.minor, entry.value.currency
        _log_update(lead, before, {"value": _plain(lead.value)}, by=by, at=at)
    mails.closed_referral(lead, at=at)


def lose_lead(lead: Lead, entry: LossEntry, *, by: Actor, at: datetime) -> None:
    _move(lead, "lose", by=by, at=at, text=entry.notes, loss_reason=entry.reason)
    lead.loss_reason, lead.closing_notes = LossReason(entry.reason), entry.notes
    mails.closed_referral(lead, at=at)


def _move(lead: Lead, action: str, *, by: Actor, at: datetime, text: str = "", **details: Any) -> None:
    LEAD.apply(lead, action, by=by, at=at, seen_by=(lead.partner_id,), details={"company": lead.company, **details})
    if (referrer_id := sharing.referrer_of(lead)) is not None:  # who referred it learns the state, not who did it nor why (R2)
        partner = db.session.get_one(Organization, lead.partner_id)
        after = {"company": lead.company, "state": lead.state.value}
        audit.record(f"lead.{lead.state.value}", by=Actor(user_id=None, name=partner.name), at=at, seen_by=(referrer_id,), after=after)
    note_history(lead, f"lead.{lead.state.value}", by, at, text=text, details=details)


def expire_leads(*, at: datetime) -> int:
    """Leads without an answer within 14 days of receipt; whoever sent them is told (R54)."""

    def lapse(lead: Lead) -> None:
        _move(lead, "expire", by=PORTAL, at=at)
        if lead.source is LeadSource.INQUIRY:
            mails.expired_inquiry(lead, at=at)

    with scoped(EVERYTHING):
        due = sa.select(Lead).where(Lead.state == LeadState.RECEIVED, Lead.due_at <= at).order_by(Lead.due_at, Lead.id)
        leads = jobs.each(due, lapse)
        sent: dict[tuple[int, int | None, int | None], list[Lead]] = defaultdict(list)
        for lead in leads:
            if lead.source is not LeadSource.INQUIRY and lead.referrer_id == sharing.referrer_of(lead):
                sent[lead.partner_id, lead.referrer_id, lead.entered_by_id].append(lead)
        for theirs in sent.values():
            with jobs.alone(f"The message on {len(theirs)} expired leads, Lead {theirs[0].public_id} the first"):
                mails.expired_entered(theirs, at=at)
        return len(leads)


# --- notes, people, favorites


def add_note(lead: Lead, text: str, *, by: Actor, at: datetime) -> LeadEntry:
    """Notes may be added at any time; archived is final for everything else (R51)."""
    audit.record("lead.noted", by=by, at=at, seen_by=(lead.partner_id,), after={"company": lead.company, "notes": text})
    return note_history(lead, None, by, at, text=text)


def add_person(lead: Lead, kind: PersonKind, entry: PersonEntry, *, by: Actor, at: datetime) -> LeadPerson:
    """A further contact or a member of the team, while the lead is accepted (R52)."""
    _check_working(lead)
    _check_number_of_people(lead, 1)
    return _enter_person(lead, kind, entry, by=by, at=at)


def remove_person(lead: Lead, person: LeadPerson, *, by: Actor, at: datetime) -> None:
    _check_working(lead)
    if person.lead_id != lead.id:
        raise NotFound(person.public_id)
    db.session.delete(person)
    _log_person(lead, "lead.person_removed", person, by=by, at=at)


def _enter_person(lead: Lead, kind: PersonKind, entry: PersonEntry, *, by: Actor, at: datetime) -> LeadPerson:
    person = LeadPerson(partner_id=lead.partner_id, lead_id=lead.id, kind=kind, name=entry.name, phone=entry.phone, email=entry.email)
    db.session.add(person)
    _log_person(lead, "lead.person_added", person, by=by, at=at)
    return person


def _log_person(lead: Lead, action: str, person: LeadPerson, *, by: Actor, at: datetime) -> None:
    details = {"person": person.name, "email": person.email, "phone": person.phone, "kind": person.kind.value}
    details = {key: value for key, value in details.items() if value}
    audit.record(action, by=by, at=at, seen_by=(lead.partner_id,), after={"company": lead.company, **details})
    note_history(lead, action, by, at, details={"after": details})


def _check_number_of_people(lead: Lead, more: int) -> None:
    if more and _count(sa.select(sa.func.count(LeadPerson.id)).where(LeadPerson.lead_id == lead.id)) + more > MOST_PEOPLE:
        raise Refused(_("A lead holds at most %(number)s people. Remove somebody first.", number=MOST_PEOPLE))


def set_favorite(lead: Lead, wanted: bool, *, by: Actor) -> None:
    """A user's heart on a lead that is locked: twice the same has one effect."""
    assert by.user_id is not None
    mine = sa.select(LeadFavorite).where(LeadFavorite.user_id == by.user_id)
    favorite = db.session.scalar(mine.where(LeadFavorite.lead_id == lead.id))
    if wanted and favorite is None:
        if _count(sa.select(sa.func.count(LeadFavorite.id)).where(LeadFavorite.user_id == by.user_id)) >= MOST_FAVORITES:
            raise Refused(_("You have %(number)s favorites, and more would be hard to find again. Take a heart off another lead first.", number=MOST_FAVORITES))
        db.session.add(LeadFavorite(partner_id=lead.partner_id, user_id=by.user_id, lead_id=lead.id))
    elif favorite is not None and not wanted:
        db.session.delete(favorite)


def _count(statement: sa.Select) -> int:
    return int(db.session.scalar(statement) or 0)
