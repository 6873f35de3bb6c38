"""What the log's keys and codes are called where people read them."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import queries as accounts
from portal.agreements.models import AgreementState
from portal.core.audit import ACTIONS
from portal.relationships import texts as relationships

FIELDS = {
    "accepted_by": _l("Accepted by"),
    "accepted_on": _l("Accepted on"),
    "address": _l("Network address"),
    "auto_extend": _l("Extends itself"),
    "billing_city": _l("Billing city"),
    "billing_contact": _l("Billing contact"),
    "billing_district": _l("Billing district"),
    "billing_email": _l("Billing e-mail"),
    "billing_postal_code": _l("Billing postal code"),
    "billing_region": _l("Billing region"),
    "billing_street": _l("Billing street"),
    "body": _l("Text"),
    "city": _l("City"),
    "company": _l("Company name"),
    "country": _l("Country"),
    "delegated_administration": _l("Delegated administration"),
    "district": _l("District"),
    "domain": _l("Domain"),
    "duration_days": _l("Duration in days"),
    "email": _l("E-mail"),
    "ends_at": _l("Ends"),
    "first_name": _l("First name"),
    "language": _l("Language"),
    "last_name": _l("Last name"),
    "method": _l("Kind of request"),
    "name": _l("Name"),
    "notes": _l("Notes"),
    "organization": _l("Organization"),
    "path": _l("Page"),
    "person": _l("Person"),
    "phone": _l("Phone"),
    "postal_code": _l("Postal code"),
    "query": _l("Search"),
    "reason": _l("Reason"),
    "recipient": _l("Recipient"),
    "region": _l("Region"),
    "replaced": _l("Replaced by a new one"),
    "roles": _l("Roles"),
    "segment": _l("Segment"),
    "state": _l("State"),
    "street": _l("Street"),
    "subject": _l("Subject"),
    "tags": _l("Tags"),
    "tax_id": _l("Tax ID"),
    "time_zone": _l("Time zone"),
    "version": _l("Version"),
    "way": _l("Way of sending"),
}
VALUES = {
    **{role.value: name for role, name in accounts.ROLE_NAMES.items()},
    **{role.value: name for role, name in relationships.ROLE_NAMES.items()},
    AgreementState.MISSING.value: _l("Missing"),
    AgreementState.ATTESTED.value: _l("Attested"),
    AgreementState.ACCEPTED.value: _l("Accepted"),
    AgreementState.OUTDATED.value: _l("Outdated"),
    "active": _l("Active"),
    "commercial": _l("Commercial"),
    "copy": _l("Copied"),
    "declined": _l("Declined"),
    "draft": _l("Draft"),
    "education": _l("Education"),
    "ended": _l("Ended"),
    "expired": _l("Expired"),
    "government": _l("Government"),
    "mail_program": _l("Own mail program"),
    "nonprofit": _l("Nonprofit"),
    "pending": _l("Pending"),
    "portal": _l("Sent by the portal"),
    "requested": _l("Requested"),
    "revoked": _l("Revoked"),
    "sent": _l("Sent"),
}
CODED = {"roles", "segment", "state", "way"}  # keys whose values are codes, never somebody's words


def action_name(action: str) -> str:
    return str(ACTIONS.get(action, action))


def changes(details: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Label, before and after of everything that an entry tells, in words."""
    before, after = (details or {}).get("before", {}), (details or {}).get("after", {})
    return [(field_name(key), shown(key, before.get(key)), shown(key, after.get(key))) for key in {**before, **after}]


def field_name(key: str) -> str:
    return str(FIELDS.get(key) or key.replace("_", " ").capitalize())


def shown(key: str, value: Any) -> str:
    """One value as people read it; nothing for what is not there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list):
        return ", ".join(shown(key, item) for item in value)
    if key in CODED:
        return str(VALUES.get(value, value))
    return str(value)
