"""The words of relationships: names of states, what each delegated role means, and the template of a request."""

from urllib.parse import quote, urlencode

from flask import current_app, render_template
from flask_babel import lazy_gettext as _l

from portal.core.i18n import speaking
from portal.relationships.models import AdminRole, DelegationState, RelationshipRequest, RequestPurpose, RequestState

LINK = "{link}"

STATE_NAMES = {
    RequestState.DRAFT: _l("Draft"),
    RequestState.SENT: _l("Sent"),
    RequestState.ACCEPTED: _l("Accepted"),
    RequestState.DECLINED: _l("Declined"),
    RequestState.EXPIRED: _l("Expired"),
    RequestState.REVOKED: _l("Revoked"),
}
STATE_TONES = {RequestState.SENT: "info", RequestState.ACCEPTED: "good", RequestState.DECLINED: "bad", RequestState.EXPIRED: "warn"}
PURPOSE_NAMES = {
    RequestPurpose.CONNECT: _l("Start a relationship"),
    RequestPurpose.REINSTATE: _l("Reinstate a relationship that ended"),
    RequestPurpose.EXTEND: _l("Extend delegated administration"),
}
OFFERS = {
    RequestPurpose.CONNECT: _l("%(partner)s asks to be your partner"),
    RequestPurpose.REINSTATE: _l("%(partner)s asks to be your partner again"),
    RequestPurpose.EXTEND: _l("%(partner)s asks you to extend delegated administration"),
}
DELEGATION_NAMES = {
    DelegationState.REQUESTED: _l("Requested"),
    DelegationState.ACTIVE: _l("Active"),
    DelegationState.ENDED: _l("Ended"),
}
ROLE_NAMES = {
    AdminRole.DIRECTORY_READER: _l("Directory reader"),
    AdminRole.HELPDESK_ADMINISTRATOR: _l("Helpdesk administrator"),
    AdminRole.USER_ADMINISTRATOR: _l("User administrator"),
    AdminRole.SERVICE_SUPPORT_ADMINISTRATOR: _l("Service support administrator"),
    AdminRole.LICENCE_ADMINISTRATOR: _l("Licence administrator"),
    AdminRole.GLOBAL_ADMINISTRATOR: _l("Global administrator"),
}
ROLE_MEANINGS = {
    AdminRole.DIRECTORY_READER: _l("Sees who uses the portal at the customer."),
    AdminRole.HELPDESK_ADMINISTRATOR: _l("Sends activation and reset links and ends sessions of people who are no admins."),
    AdminRole.USER_ADMINISTRATOR: _l("Invites and deactivates people and gives them roles other than customer admin."),
    AdminRole.SERVICE_SUPPORT_ADMINISTRATOR: _l("Opens service requests in the customer's name."),
    AdminRole.LICENCE_ADMINISTRATOR: _l("Assigns licences to people."),
    AdminRole.GLOBAL_ADMINISTRATOR: _l("Everything that the customer's own admins can do, without exception."),
}


def draft(*, language: str, purpose: RequestPurpose, partner: str, author: str, organization: str, delegated: bool, days: int | None) -> tuple[str, str]:
    """Subject and text of a request from the template in this language (R20); the text holds `{link}` once."""
    context = {
        "purpose": purpose.value,
        "partner": partner.replace(LINK, ""),
        "author": author.replace(LINK, ""),
        "organization": organization.replace(LINK, ""),
        "delegated": delegated,
        "days": days,
        "link": LINK,
    }
    with speaking(language):
        subject = render_template("mail/relationships/request/subject.txt", **context)
        body = render_template("mail/relationships/request/body.txt", **context)
    return " ".join(subject.split()), body.strip() + "\n"


def link_of(request: RelationshipRequest) -> str:
    """The customer's personal link, in full."""
    assert request.link is not None
    return f"{current_app.config['MAIL_BASE_URL']}/connect/{request.link.token}"


def finished(request: RelationshipRequest) -> str:
    """The text with the real link in it, for one's own mail program."""
    return request.body.replace(LINK, link_of(request))


def mailto(address: str, subject: str, body: str = "") -> str:
    """The address of a new message in the reader's own mail program (RFC 6068)."""
    fields = {"subject": subject, "body": "\r\n".join(body.splitlines())}
    return f"mailto:{quote(address, safe='@')}?{urlencode({name: value for name, value in fields.items() if value}, quote_via=quote)}"
