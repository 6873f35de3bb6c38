"""The outbox: mail of one's own organization, its state, and sending again what failed."""

from email.header import decode_header, make_header
from uuid import UUID

from flask import current_app, flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.accounts import queries, service
from portal.core import clock, outbox
from portal.core.access import Permission
from portal.core.lists import ListQuery
from portal.core.outbox import MailState
from portal.core.pages import page, see_other
from portal.core.routing import Feature

feature = Feature("outbox", __name__, url_prefix="/outbox")

STATES = {
    MailState.QUEUED: (_l("Queued"), "info"),
    MailState.SENDING: (_l("Sending"), "info"),
    MailState.SENT: (lazy_pgettext("message", "Sent"), "good"),
    MailState.FAILED: (_l("Failed"), "bad"),
    MailState.SUPERSEDED: (_l("Replaced"), "neutral"),
}


@feature.get("", permission=Permission.OUTBOX_READ)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/outbox", request.args, sorts=["newest"], filters={"state": list(MailState)})
    found = queries.outbox(g.actor.organization_id, query)
    options = [(state.value, name) for state, (name, _tone) in STATES.items()]
    return page("accounts/outbox.html", swaps=("results",), query=query, page=found, states=STATES, state_options=options, waits=_waits(), hidden=_hidden())


@feature.get("/<uuid:mail_id>", permission=Permission.OUTBOX_READ)
def show(mail_id: UUID) -> ResponseReturnValue:
    mail = queries.outbox_mail(g.actor.organization_id, mail_id)
    text = outbox.personal(mail, mail.text, hidden=_hidden())
    paragraphs = [block.split("\n") for block in text.strip().split("\n\n")]
    reply_to = str(make_header(decode_header(mail.reply_to or "")))
    return page(
        "accounts/mail.html", mail=mail, reply_to=reply_to, paragraphs=paragraphs, states=STATES, waits=_waits(), hidden=_hidden() and mail.link is not None
    )


@feature.post("/<uuid:mail_id>/sending", permission=Permission.OUTBOX_READ)
def create_sending(mail_id: UUID) -> ResponseReturnValue:
    mail = queries.outbox_mail(g.actor.organization_id, mail_id)
    service.send_again(mail, by=g.actor, at=clock.now())
    flash(_("The message to %(email)s is in the queue again.", email=mail.recipient), "success")
    return see_other(url_for(".show", mail_id=mail_id))


def _waits() -> bool:
    """No mail server is set: mail waits here."""
    return not current_app.config["MAIL_SERVER"]


def _hidden() -> bool:
    """Personal links and codes are read by their recipients only; outside production also here."""
    return bool(current_app.config["SETTINGS"].production)
