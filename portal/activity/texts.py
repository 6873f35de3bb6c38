"""What the log's keys and codes are called where people read them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.accounts import queries as accounts
from portal.core.audit import ACTIONS
from portal.core.i18n import languages, speaking
from portal.core.places import country_names
from portal.customers.texts import SEGMENT_NAMES
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
    "ends_at": _l("Ends"),
    "ends_on": _l("Ends"),
    "first_name": _l("First name"),
    "from": _l("From"),
    "instance_type": _l("Instance type"),
    "kind": _l("Who this is"),
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
    "tag": _l("Tag"),
    "tags": _l("Tags"),
    "tax_id": _l("Tax ID"),
    "term_months": _l("Term in months"),
    "time_zone": _l("Time zone"),
    "to": lazy_pgettext("period", "To"),
    "total": _l("Total"),
    "trial_days": _l("Trial days"),
    "trial_ends_on": _l("Trial ends"),
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
    **catalog.BILLING_NAMES,
    **catalog.CYCLE_NAMES,
    **catalog.CLOUD_NAMES,
    **leads.SIZE_NAMES,
    **directory.STATE_NAMES,
    **{f"{kind}/{code}": name for kind, names in taxonomy.LISTS.items() for code, name in names.items()},
    "copy": _l("Copied"),
    "mail_program": _l("Own mail program"),
    "pending": _l("Pending"),
    "portal": _l("Sent by the portal"),
}
# How the states of what an action is about read, by the first part of its key: a language bends them to the word that they describe.
STATES: dict[str, Any] = {
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
CODED = {
    "asked",
    "billing",
    "clouds",
    "country",
    "cycle",
    "decline_reason",
    "kind",
    "language",
    "loss_reason",
    "notice",
    "permission",
    "profile_tags",
    "roles",
    "scope",
    "segment",
    "sizes",
    "source",
    "state",
    "way",
}  # keys whose values are codes, never somebody's words

Moment = Callable[[datetime], str]


def in_utc(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"


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

    def changes(self, action: str, details: dict[str, Any] | None, moment: Moment = in_utc) -> list[tuple[str, str, str]]:
        """Label, before and after of everything that an entry tells, in words; `moment` writes a point in time."""
        before, after = (details or {}).get("before", {}), (details or {}).get("after", {})
        about = action.partition(".")[0]
        return [
            (self.field(key), self.shown(key, before.get(key), moment, about), self.shown(key, after.get(key), moment, about)) for key in {**before, **after}
        ]

    def sides(self, action: str, details: dict[str, Any] | None) -> tuple[str, str]:
        """Before and after in a line each."""
        changes = self.changes(action, details)
        before = "; ".join(self.pair % {"label": label, "text": value} for label, value, _after in changes if value)
        return before, "; ".join(self.pair % {"label": label, "text": value} for label, _before, value in changes if value)

    def field(self, key: str) -> str:
        return self.fields.get(key) or key.replace("_", " ").capitalize()

    def shown(self, key: str, value: Any, moment: Moment = in_utc, about: str = "") -> str:
        """One value as people read it; nothing for what is not there. `about`: what the entry is about, the first part of its action."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return self.yes if value else self.no
        if isinstance(value, list):
            return ", ".join(self.shown(key, item) for item in value)
        if key in MOMENTS:
            return moment(datetime.fromisoformat(value))
        if key == "state" and value in self.states.get(about, ()):
            return self.states[about][value]
        return self.values.get(value, str(value)) if key in CODED else str(value)


@functools.lru_cache(maxsize=8)
def vocabulary(spoken: str) -> Vocabulary:
    """The words in this language."""
    with speaking(spoken):
        values = _said(VALUES) | dict(languages()) | dict(country_names(spoken))
        states = {about: _said(names) for about, names in STATES.items()}
        return Vocabulary(_said(ACTIONS), _said(FIELDS), values, states, _("Yes"), _("No"), _("%(label)s: %(text)s"))


def _said(texts: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(text) for key, text in texts.items()}
