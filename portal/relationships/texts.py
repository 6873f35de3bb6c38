"""The words of relationships: names of states, what each delegated role means, and the template of a request."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import current_app, render_template
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, ngettext

from portal.core.events import ask
from portal.core.i18n import show_number, speaking
from portal.core.lists import COUNTED_UP_TO
from portal.relationships.events import PartnershipStays
from portal.relationships.models import AdminRole, DelegationState, Partnership, PartnershipState, RelationshipRequest, RequestPurpose, RequestState
from portal.relationships.queries import Staying

LINK = "{link}"
PARTNERSHIP_LINKS = "/partnerships/links/"

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
JOINT_OFFERS = {
    RequestPurpose.CONNECT: _l("%(partner)s and %(provider)s ask to be your partners"),
    RequestPurpose.REINSTATE: _l("%(partner)s and %(provider)s ask to be your partners again"),
    RequestPurpose.EXTEND: _l("%(partner)s asks you to extend delegated administration, and to accept %(provider)s as a partner"),
}
PARTNERSHIP_NAMES = {
    PartnershipState.SENT: _l("Sent"),
    PartnershipState.ACTIVE: lazy_pgettext("partnership", "Active"),
    PartnershipState.DECLINED: _l("Declined"),
    PartnershipState.EXPIRED: _l("Expired"),
    PartnershipState.REVOKED: _l("Revoked"),
    PartnershipState.ENDED: lazy_pgettext("partnership", "Ended"),
}
PARTNERSHIP_TONES = {PartnershipState.SENT: "info", PartnershipState.ACTIVE: "good", PartnershipState.DECLINED: "bad", PartnershipState.EXPIRED: "warn"}
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


def draft(
    *, language: str, purpose: RequestPurpose, partner: str, author: str, organization: str, delegated: bool, days: int | None, provider: str = ""
) -> tuple[str, str]:
    """Subject and text of a request from the template in this language (R20); the text holds `{link}` once."""
    names = {"partner": partner, "author": author, "organization": organization, "provider": provider}
    return _template("request", language, names, purpose=purpose.value, delegated=delegated, days=days)


def draft_partnership(*, language: str, provider: str, author: str) -> tuple[str, str]:
    """The same for a partnership (R40)."""
    return _template("partnership_request", language, {"provider": provider, "author": author})


def _template(kind: str, language: str, names: dict[str, str], **context: Any) -> tuple[str, str]:
    context |= {key: name.replace(LINK, "") for key, name in names.items()} | {"link": LINK}
    with speaking(language):
        subject = render_template(f"mail/relationships/{kind}/subject.txt", **context)
        body = render_template(f"mail/relationships/{kind}/body.txt", **context)
    return " ".join(subject.split()), body.strip() + "\n"


def link_of(request: RelationshipRequest) -> str:
    """The customer's personal link, in full."""
    assert request.link is not None
    return f"{current_app.config['MAIL_BASE_URL']}/connect/{request.link.token}"


def partnership_link(row: Partnership) -> str:
    """The reseller's personal link, in full."""
    assert row.link is not None
    return f"{current_app.config['MAIL_BASE_URL']}{PARTNERSHIP_LINKS}{row.link.token}"


def counted(number: int) -> str:
    """A count that stops at one past COUNTED_UP_TO."""
    return show_number(number) if number <= COUNTED_UP_TO else f"{show_number(COUNTED_UP_TO)}+"


def what_stays(staying: Staying, *, provider: bool, other: str) -> list[str]:
    """Sentences that tell one side what the end of a partnership leaves as it is (R42)."""
    shared, delegated, naming = (counted(number) for number in (staying.shared, staying.delegated, staying.naming))
    lines = [
        ngettext(
            "%(number)s shared customer stays with both of you: no relationship ends.",
            "%(number)s shared customers stay with both of you: no relationship ends.",
            staying.shared,
            number=shared,
        )
        if staying.shared
        else _("You share no customers, and no relationship ends.")
    ]
    if staying.delegated:
        lines.append(
            ngettext(
                "Your delegated administration at %(number)s of them stays.",
                "Your delegated administration at %(number)s of them stays.",
                staying.delegated,
                number=delegated,
            )
        )
    if provider and staying.naming:
        lines.append(
            ngettext(
                "%(number)s record of yours names %(other)s as reseller until you change it.",
                "%(number)s records of yours name %(other)s as reseller until you change them.",
                staying.naming,
                number=naming,
                other=other,
            )
        )
    return lines + ask(PartnershipStays(provider, other))


def finished(request: RelationshipRequest) -> str:
    """The text with the real link in it, for one's own mail program."""
    return request.body.replace(LINK, link_of(request))


def mailto(address: str, subject: str, body: str = "") -> str:
    """The address of a new message in the reader's own mail program (RFC 6068)."""
    fields = {"subject": subject, "body": "\r\n".join(body.splitlines())}
    return f"mailto:{quote(address, safe='@')}?{urlencode({name: value for name, value in fields.items() if value}, quote_via=quote)}"
