"""What the log's keys and codes are called where people read them."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.accounts import queries as accounts
from portal.core import money
from portal.core.audit import ACTIONS
from portal.core.i18n import language, languages, show_datetime, show_day, show_money, show_number, speaking
from portal.core.places import country_names
from portal.customers.texts import AGREEMENT_NAMES, RELATIONSHIP_NAMES, SEGMENT_NAMES
from portal.directory import taxonomy
from portal.directory import texts as directory
from portal.leads import texts as leads
from portal.permissions import texts as permissions
from portal.relationships import texts as relationships
from portal.subscriptions import texts as subscriptions
from portal.subscriptions import texts_catalog as catalog
from portal.subscriptions import texts_reservations as reservations

FIELDS = {
    "accepted_by": _l("Accepted by"),
    "accepted_on": _l("Accepted on"),
    "action": _l("Action"),
    "add_on_of": _l("Add-on of"),
    "address": _l("Network address"),
    "asked": _l("Request"),
    "agreement": _l("Agreement"),
    "approval_above": _l("Approval above"),
    "auto_extend": _l("Extends itself"),
    "auto_renew": _l("Auto-renewal"),
    "billing": _l("Billing"),
    "billing_city": _l("Billing city"),
    "billing_contact": _l("Billing contact"),
    "billing_district": _l("Billing district"),
    "billing_email": _l("Billing e-mail"),
    "billing_postal_code": _l("Billing postal code"),
    "billing_region": _l("Billing region"),
    "billing_street": _l("Billing street"),
    "body": _l("Text"),
    "brought_in": _l("Brought in"),
    "campaign_id": _l("Campaign ID"),
    "category": _l("Category"),
    "changed": lazy_pgettext("line", "Changed"),
    "city": _l("City"),
    "clouds": _l("Clouds"),
    "company": _l("Company name"),
    "cost_changed": _l("Cost changed"),
    "country": _l("Country"),
    "crm_id": _l("CRM ID"),
    "currency": _l("Currency"),
    "customer": _l("Customer ID"),
    "cycle": _l("Billing cycle"),
    "deal_name": _l("Deal name"),
    "decline_reason": _l("Reason"),
    "delegated_administration": _l("Delegated administration"),
    "description": _l("Description"),
    "district": _l("District"),
    "domain": _l("Domain"),
    "duration_days": _l("Duration in days"),
    "email": _l("E-mail"),
    "ending": _l("Ending soon"),
    "ends_at": _l("Ends"),
    "ends_on": _l("Ends"),
    "first_name": _l("First name"),
    "from": _l("From"),
    "instance_type": _l("Instance type"),
    "kind": _l("Kind"),
    "known_already": _l("Here already"),
    "language": _l("Language"),
    "last_name": _l("Last name"),
    "latitude": _l("Latitude"),
    "lines": _l("Lines"),
    "linkedin": _l("LinkedIn page"),
    "location": _l("Location"),
    "longitude": _l("Longitude"),
    "loss_reason": _l("Reason"),
    "markets": _l("Markets"),
    "maximum": _l("Maximum quantity"),
    "message": _l("Message"),
    "method": _l("Kind of request"),
    "minimum": _l("Minimum quantity"),
    "monthly_limit": _l("Monthly limit"),
    "name": _l("Name"),
    "new": lazy_pgettext("line", "New"),
    "next_quantity": _l("Quantity after the renewal"),
    "nickname": _l("Nickname"),
    "notes": _l("Notes"),
    "notice": _l("Who is told of each purchase"),
    "offers": _l("Offers"),
    "on": lazy_pgettext("permission", "On"),
    "one_per_customer": _l("Each customer can have it only once"),
    "organization": _l("Organization"),
    "owner": _l("Owner"),
    "partner": _l("Partner"),
    "path": _l("Page"),
    "permission": _l("Permission"),
    "person": _l("Person"),
    "phone": _l("Phone"),
    "postal_code": _l("Postal code"),
    "price": _l("Price"),
    "profile_tags": _l("Tags"),
    "provider": _l("Provider"),
    "publisher": _l("Publisher"),
    "purchase_on": _l("Estimated purchase date"),
    "quantity": _l("Quantity"),
    "reason": _l("Reason"),
    "recipient": _l("Recipient"),
    "region": _l("Region"),
    "removed": _l("Removed"),
    "renewing": _l("Renewing soon"),
    "replaced": _l("Replaced by a new one"),
    "reseller": _l("Reseller"),
    "roles": _l("Roles"),
    "same": lazy_pgettext("line", "Same"),
    "scope": _l("Scope"),
    "segment": _l("Segment"),
    "sessions": _l("Sessions ended"),
    "sizes": _l("Target customers"),
    "skills": _l("Skills"),
    "sku": _l("SKU"),
    "source": _l("Source"),
    "state": _l("State"),
    "street": _l("Street"),
    "subject": _l("Subject"),
    "subscription": _l("Subscription"),
    "subscriptions": _l("Subscriptions"),
    "support_contact": _l("Support contact"),
    "tab": _l("Tab"),
    "tag": _l("Tag"),
    "tags": _l("Tags"),
    "tax_id": _l("Tax ID"),
    "term_months": _l("Term in months"),
    "time_zone": _l("Time zone"),
    "to": lazy_pgettext("period", "To"),
    "total": _l("Total"),
    "trial_days": _l("Trial days"),
    "trial_ends_on": _l("Trial ends"),
    "trials": _l("Trials"),
    "urgent": _l("Urgent only"),
    "user": _l("Person's key"),
    "value": _l("Value"),
    "version": _l("Version"),
    "way": _l("Way of sending"),
    "website": _l("Website"),
    "wishes": _l("What the customer wants"),
    "words": _l("Words"),
    "wrong": _l("Left out"),
}
VALUES: dict[Any, Any] = {
    **subscriptions.ORDER_NAMES,
    **permissions.CATEGORY_NAMES,
    **permissions.NOTICE_NAMES,
    **permissions.PURCHASE_NAMES,
    **leads.CODES,
    **leads.STATE_NAMES,
    **accounts.ROLE_NAMES,
    **subscriptions.RESERVATION_NAMES,
    **subscriptions.SCOPE_NAMES,
    **reservations.KIND_NAMES,
    **reservations.ASKED_NAMES,
    **subscriptions.SUBSCRIPTION_NAMES,
    **relationships.ROLE_NAMES,
    **relationships.STATE_NAMES,
    **relationships.DELEGATION_NAMES,
    **SEGMENT_NAMES,
    **AGREEMENT_NAMES,
    **catalog.BILLING_NAMES,
    **catalog.CYCLE_NAMES,
    **catalog.CLOUD_NAMES,
    **catalog.KIND_NAMES,
    **leads.SIZE_NAMES,
    **directory.STATE_NAMES,
    **{f"{kind}/{code}": name for kind, names in taxonomy.LISTS.items() for code, name in names.items()},
    "copy": _l("Copied"),
    "favorites": _l("Favorites"),
    "mail_program": _l("Own mail program"),
    "pending": _l("Pending"),
    "portal": _l("Sent by the portal"),
    "qualified": _l("Qualified"),
    "1": _l("Yes"),  # filters of lists that are on or off
    "yes": _l("Yes"),
}
# How the states of what an action is about read, by the first part of its key: a language bends them to the word that they describe.
STATES: dict[str, Any] = {
    "catalog": {"withdrawn": _l("Withdrawn")},
    "customer": RELATIONSHIP_NAMES,
    "lead": leads.STATE_NAMES,
    "order": subscriptions.ORDER_NAMES,
    "profile": directory.STATE_NAMES,
    "purchase": permissions.PURCHASE_NAMES,
    "relationship_request": relationships.STATE_NAMES,
    "reservation": subscriptions.RESERVATION_NAMES,
    "reservation_request": reservations.ASKED_NAMES,
    "subscription": subscriptions.SUBSCRIPTION_NAMES,
}
MOMENTS = {"ends_at"}
DAYS = {"accepted_on", "ends_on", "from", "purchase_on", "to", "trial_ends_on"}
AMOUNTS = {"approval_above", "monthly_limit", "price", "total", "value"}  # "12.50 EUR", or "12.50" beside the key "currency"
CODED = {
    "agreement",
    "asked",
    "billing",
    "clouds",
    "country",
    "cycle",
    "decline_reason",
    "ending",
    "kind",
    "language",
    "loss_reason",
    "notice",
    "permission",
    "profile_tags",
    "renewing",
    "roles",
    "scope",
    "segment",
    "sizes",
    "source",
    "state",
    "tab",
    "trials",
    "urgent",
    "way",
}  # keys whose values are codes, never somebody's words

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(?: ([A-Z]{3}))?(?: \((\d{4}-\d\d-\d\d)\))?")  # as details hold it, also with the day from which it is asked


@dataclass(frozen=True)
class Vocabulary:
    """The log's words in one language: a feed needs them by the hundred, an export outside of any request."""

    actions: dict[str, str]
    fields: dict[str, str]
    values: dict[str, str]
    states: dict[str, dict[str, str]]
    yes: str
    no: str
    pair: str
    from_day: str

    def changes(self, action: str, details: dict[str, Any] | None) -> list[tuple[str, str, str]]:
        """Label, before and after of everything that an entry tells, with days, amounts and numbers as its reader writes them (R100)."""
        before, after = _both(details)
        about, currency = action.partition(".")[0], after.get("currency") or before.get("currency") or ""
        keys = {**before, **after}
        if AMOUNTS & keys.keys():
            keys.pop("currency", None)  # said with the amount
        shown = functools.partial(self.shown, about=about, currency=currency)
        return [(self.field(key), shown(key, before.get(key)), shown(key, after.get(key))) for key in keys]

    def sides(self, action: str, details: dict[str, Any] | None) -> tuple[str, str]:
        """Before and after in a line each, with days, amounts and numbers as the log holds them: for programs."""
        about = action.partition(".")[0]
        before, after = (self._line({key: self.written(key, value, about=about) for key, value in side.items()}) for side in _both(details))
        return before, after

    def _line(self, told: dict[str, str]) -> str:
        return "; ".join(self.pair % {"label": self.field(key), "text": text} for key, text in told.items() if text)

    def field(self, key: str) -> str:
        return self.fields.get(key) or key.replace("_", " ").capitalize()

    def shown(self, key: str, value: Any, *, about: str = "", currency: str = "") -> str:
        """One value as its reader writes it. `currency`: of an amount that does not name its own."""
        if isinstance(value, list):
            return ", ".join(self.shown(key, item, about=about, currency=currency) for item in value)
        if isinstance(value, int) and not isinstance(value, bool):
            return show_number(value)
        try:
            if key in MOMENTS and value:
                return show_datetime(datetime.fromisoformat(value))
            if key in DAYS and value:
                return show_day(date.fromisoformat(value))
            if key in AMOUNTS and value:
                return _amount(value, currency, language())
        except ValueError:  # what somebody typed into a filter is kept as it was typed
            return str(value)
        return self.written(key, value, about=about)

    def written(self, key: str, value: Any, *, about: str = "") -> str:
        """One value with its code in words; nothing for what is not there. `about`: what the entry is about, the first part of its action."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return self.yes if value else self.no
        if isinstance(value, list):
            return ", ".join(self.written(key, item, about=about) for item in value)
        if key in MOMENTS:
            return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
        if key == "state" and value in self.states.get(about, ()):
            return self.states[about][value]
        if key == "action":
            return self.actions.get(value, value)
        return self.values.get(value, str(value)) if key in CODED else str(value)


@functools.lru_cache(maxsize=4096)
def _amount(value: str, currency: str, spoken: str) -> str:
    found = _AMOUNT.fullmatch(value)
    if found is None or not (found[2] or currency):
        return value
    amount = show_money(money.parse(found[1], found[2] or currency, "en"))
    return vocabulary(spoken).from_day % {"number": amount, "day": show_day(date.fromisoformat(found[3]))} if found[3] else amount


def _both(details: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    return (details or {}).get("before", {}), (details or {}).get("after", {})


@functools.lru_cache(maxsize=8)
def vocabulary(spoken: str) -> Vocabulary:
    """The words in this language."""
    with speaking(spoken):
        values = _said(VALUES) | dict(languages()) | dict(country_names(spoken))
        states = {about: _said(names) for about, names in STATES.items()}
        return Vocabulary(_said(ACTIONS), _said(FIELDS), values, states, _("Yes"), _("No"), _("%(label)s: %(text)s"), _("%(number)s from %(day)s on"))


def _said(texts: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(text) for key, text in texts.items()}
