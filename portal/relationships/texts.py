"""The templates that a relationship request is drafted from, and what each delegated role means."""

from flask import render_template
from flask_babel import lazy_gettext as _l

from portal.core.i18n import speaking
from portal.relationships.models import AdminRole, RequestPurpose

LINK = "{link}"

ROLE_NAMES = {
    AdminRole.DIRECTORY_READER: _l("Directory reader"),
    AdminRole.HELPDESK_ADMINISTRATOR: _l("Helpdesk administrator"),
    AdminRole.USER_ADMINISTRATOR: _l("User administrator"),
    AdminRole.SERVICE_SUPPORT_ADMINISTRATOR: _l("Service support administrator"),
    AdminRole.LICENCE_ADMINISTRATOR: _l("Licence administrator"),
    AdminRole.GLOBAL_ADMINISTRATOR: _l("Global administrator"),
}
ROLE_MEANINGS = {
    AdminRole.DIRECTORY_READER: _l("Sees the people of your organization who use the portal."),
    AdminRole.HELPDESK_ADMINISTRATOR: _l("Sends activation and reset links and ends sessions of people who are no admins."),
    AdminRole.USER_ADMINISTRATOR: _l("Invites and deactivates people and gives them roles other than customer admin."),
    AdminRole.SERVICE_SUPPORT_ADMINISTRATOR: _l("Opens service requests in your organization's name."),
    AdminRole.LICENCE_ADMINISTRATOR: _l("Assigns licences to people."),
    AdminRole.GLOBAL_ADMINISTRATOR: _l("All of the above, without exception."),
}


def draft(*, language: str, purpose: RequestPurpose, partner: str, author: str, organization: str, delegated: bool, days: int | None) -> tuple[str, str]:
    """Subject and text of a request from the template in this language (R20); the text holds `{link}` once."""
    context = {
        "purpose": purpose.value, "partner": partner.replace(LINK, ""), "author": author.replace(LINK, ""),
        "organization": organization.replace(LINK, ""), "delegated": delegated, "days": days, "link": LINK,
    }
    with speaking(language):
        subject = render_template("mail/relationships/request/subject.txt", **context)
        body = render_template("mail/relationships/request/body.txt", **context)
    return " ".join(subject.split()), body.strip() + "\n"
