"""The words of leads: names of stages, sources and reasons, the time left, and the flame."""

import functools
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from babel import dates
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, ngettext

from portal.core import money
from portal.core.audit import ACTIONS
from portal.core.i18n import language, show_day, show_money, zone
from portal.leads.models import OPEN, URGENT_FOR, CompanySize, DeclineReason, LeadSource, LeadState, LossReason, PersonKind

SOURCE_NAMES = {
    LeadSource.INQUIRY: _l("Customer inquiry"),
    LeadSource.MARKETING_QUALIFIED: _l("Marketing-qualified"),
    LeadSource.SALES_QUALIFIED: _l("Sales-qualified"),
}
STATE_NAMES = {
    LeadState.RECEIVED: lazy_pgettext("lead", "Received"),
    LeadState.ACCEPTED: lazy_pgettext("lead", "Accepted"),
    LeadState.WON: lazy_pgettext("lead", "Won"),
    LeadState.LOST: lazy_pgettext("lead", "Lost"),
    LeadState.DECLINED: lazy_pgettext("lead", "Declined"),
    LeadState.EXPIRED: lazy_pgettext("lead", "Expired"),
}
STATE_TONES = {
    LeadState.RECEIVED: "info",
    LeadState.ACCEPTED: "neutral",
    LeadState.WON: "good",
    LeadState.LOST: "bad",
    LeadState.DECLINED: "bad",
    LeadState.EXPIRED: "warn",
}
DECLINE_REASONS = {
    DeclineReason.NO_CAPACITY: _l("We have no capacity"),
    DeclineReason.NOT_OUR_FIELD: _l("Not our field"),
    DeclineReason.NOT_OUR_REGION: _l("Not our region"),
    DeclineReason.TOO_SMALL: _l("Too small for us"),
    DeclineReason.CANNOT_REACH: _l("The customer cannot be reached"),
    DeclineReason.REFERRED: _l("Referred to another partner"),
    DeclineReason.NOT_A_LEAD: _l("Not a lead: advertising, a test or a mistake"),
    DeclineReason.OTHER: _l("Another reason"),
}
LOSS_REASONS = {
    LossReason.PRICE: _l("Price"),
    LossReason.COMPETITOR: _l("A competitor won"),
    LossReason.POSTPONED: _l("The project is postponed"),
    LossReason.NO_BUDGET: _l("No budget"),
    LossReason.NO_ANSWER: _l("The customer no longer answers"),
    LossReason.REFERRED: _l("Referred to another partner"),
    LossReason.OTHER: _l("Another reason"),
}
SIZE_NAMES = {
    CompanySize.UP_TO_9: _l("1 to 9 people"),
    CompanySize.UP_TO_49: _l("10 to 49 people"),
    CompanySize.UP_TO_249: _l("50 to 249 people"),
    CompanySize.UP_TO_999: _l("250 to 999 people"),
    CompanySize.MORE: _l("1,000 people or more"),
}
PERSON_NAMES = {PersonKind.CONTACT: _l("Contact at the customer"), PersonKind.TEAM: _l("Our team")}
# Keys of a history's details.
DETAILS = {
    "deal_name": _l("Deal name"),
    "value": _l("Value"),
    "purchase_on": _l("Estimated purchase date"),
    "wishes": _l("What the customer wants"),
    "crm_id": _l("CRM ID"),
    "campaign_id": _l("Campaign ID"),
    "source": _l("Source"),
    "decline_reason": _l("Reason"),
    "loss_reason": _l("Reason"),
    "person": _l("Name"),
    "email": _l("E-mail address"),
    "phone": _l("Telephone"),
    "kind": _l("Who this is"),
    "partner": _l("Partner"),
    "name": _l("Customer"),
}
CODED = {"source", "decline_reason", "loss_reason", "kind"}
CODES: dict[Any, Any] = {**SOURCE_NAMES, **DECLINE_REASONS, **LOSS_REASONS, **PERSON_NAMES}
EXPORT_HEADER = (
    "Lead ID",
    "Company name",
    "First name",
    "Last name",
    "E-mail",
    "Telephone",
    "Primary domain name",
    "Country",
    "Source",
    "Stage",
    "Received",
    "Answer by",
    "Deal name",
    "Value",
    "Currency",
    "Purchase date",
    "CRM ID",
    "Campaign ID",
)


_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Deadline:
    """How long is left to answer: in words, on which day it ends, and whether that is soon."""

    left: str
    day: str
    soon: bool
    at: str  # the day, for programs


@dataclass(frozen=True)
class Flame:
    """The customer asked to be contacted directly; `hours` are left of the first 72, 0 when they are over (R55)."""

    hours: int
    short: str


class Wording:
    """Words about time as one person reads them at one moment. They are made once for each day and hour, since a list shows many."""

    def __init__(self, at: datetime, time_zone: str) -> None:
        self.at, self.zone, self.language = at, zone(time_zone), language()

    def deadline(self, lead: Any) -> Deadline:
        """How long is left to answer this lead, or a row with its columns (R54)."""
        hours = max(0, (lead.due_at - self.at) // _HOUR)
        return _deadline(hours if hours < 48 else 0, hours // 24, hours < 72, lead.due_at.astimezone(self.zone).date(), self.language)

    def flame(self, lead: Any) -> Flame | None:
        """Whether it burns, as long as the lead is open."""
        if not lead.wants_contact or lead.state not in OPEN:
            return None
        hours = max(0, -((self.at - lead.received_at - URGENT_FOR) // _HOUR))
        return Flame(hours, _short(hours, self.language))


@functools.lru_cache(maxsize=1024)
def _deadline(hours: int, days: int, soon: bool, day: date, spoken: str) -> Deadline:
    if days > 1:
        left = ngettext("%(num)s day left", "%(num)s days left", days)
    else:
        left = ngettext("%(num)s hour left", "%(num)s hours left", hours) if hours else _("Less than an hour left")
    return Deadline(left, show_day(day), soon, day.isoformat())


@functools.lru_cache(maxsize=256)
def _short(hours: int, spoken: str) -> str:
    if hours:
        return ngettext("Contact directly within %(num)s hour", "Contact directly within %(num)s hours", hours)
    return _("Asked to be contacted directly; 72 hours are over")


def event(entry: Any) -> str:
    """What one line of the history tells, as the log says it."""
    return str(ACTIONS.get(entry.action, entry.action)) if entry.action else _("Note")


def told(entry: Any) -> list[str]:
    """The particulars of one line of the history, a line of text each."""
    before = entry.details.get("before", {})
    after = entry.details.get("after", {key: value for key, value in entry.details.items() if key != "before"})
    lines = []
    for key, value in after.items():
        label, shown = DETAILS.get(key, key), _shown(key, value)
        if before.get(key):
            lines.append(_("%(label)s: %(before)s, now %(after)s", label=label, before=_shown(key, before[key]), after=shown or "–"))
        else:
            lines.append(_("%(label)s: %(text)s", label=label, text=shown or "–"))
    return lines


def _shown(key: str, value: Any) -> str:
    """A value that the history holds, as its reader writes it."""
    if key in CODED:
        return str(CODES.get(value, value))
    if key == "value" and value:
        amount, currency = value.split()
        return show_money(money.parse(amount, currency, "en"))
    return show_day(date.fromisoformat(value)) if key == "purchase_on" and value else str(value)


FUNNEL = {**{state.value: name for state, name in STATE_NAMES.items()}, "converted": _l("Became a customer")}


def duration(value: timedelta | None) -> str:
    """'45 minutes', '30 hours', '6 days'."""
    return dates.format_timedelta(value, threshold=2, locale=language()) if value is not None else "–"


def month_name(value: datetime) -> str:
    """'Nov 2026'."""
    return str(dates.format_skeleton("yMMM", value, tzinfo=value.tzinfo, locale=language()))
