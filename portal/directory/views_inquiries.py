"""Asking a partner: the form, the link that proves the mailbox, and the confirmation that makes the lead (R50, R55, R61)."""

import logging
from uuid import UUID

from flask import g, request, session, url_for
from flask.typing import ResponseReturnValue

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.directory import inquiries, queries
from portal.directory.forms_inquiry import InquiryForm
from portal.directory.models import Inquiry
from portal.directory.views import for_the_public_cloud
from portal.leads.texts import SIZE_NAMES

P = Permission
MOST_HELD = 20
log = logging.getLogger(__name__)
feature = Feature("inquiries", __name__, url_prefix="/directory")


@feature.get("/<uuid:profile_id>/inquiry", permission=P.ANYONE)
def new(profile_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    row = queries.entry(profile_id)
    typed = {"country": row.country, "proof": inquiries.proof(profile_id, at=clock.now())}
    if g.actor:
        first, _space, last = g.actor.name.partition(" ")
        typed |= {"company": g.actor.organization_name, "email": g.actor.email, "first_name": first, "last_name": last, "country": g.actor.country}
    return page("directory/inquiry.html", row=row, form=InquiryForm(data=typed))


@feature.post("/<uuid:profile_id>/inquiry", permission=P.ANYONE)
def create(profile_id: UUID) -> ResponseReturnValue:
    """The answer is the same for a person and for a bot; only the log knows the difference."""
    for_the_public_cloud()
    form = InquiryForm()
    good = form.validate_on_submit() and form.prove(profile_id, at=clock.now())
    is_wanted = good and not form.is_of_a_bot()
    if is_wanted:
        throttle.hit(throttle.INQUIRY_ADDRESS, throttle.visitor())
        throttle.hit(throttle.INQUIRY, form.email.data.casefold())
    row = queries.entry(profile_id)
    if not good:
        return invalid("directory/inquiry.html", row=row, form=form)
    if not (is_wanted and inquiries.ask(row, form.entry(), inquiries.number(form.proof.data), language=language(), at=clock.now())):
        log.warning("an inquiry from %s was taken for a bot's, or came twice: nothing more is kept", request.remote_addr)
    return see_other(url_for(".show_sent", profile_id=profile_id))


@feature.get("/<uuid:profile_id>/inquiry/sent", permission=P.ANYONE)
def show_sent(profile_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    return page("directory/inquiry_sent.html", row=queries.entry(profile_id))


@feature.get("/inquiries/links/<string:token>", permission=P.ANYONE, limit=throttle.LINK_ADDRESS)
def index(token: str) -> ResponseReturnValue:
    """Opening changes nothing: it keeps in the visitor's cookie that the link was opened, and leads on without the token (S23)."""
    for_the_public_cloud()
    inquiry = inquiries.by_token(token)
    if inquiry is None:
        return page("directory/inquiry_unknown.html", status=404)
    key = str(inquiry.public_id)
    session["inquiries"] = [*(other for other in _held() if other != key), key][-MOST_HELD:]
    return see_other(url_for(".show", inquiry_id=key))


@feature.get("/inquiries/<uuid:inquiry_id>", permission=P.ANYONE)
def show(inquiry_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    inquiry = inquiries.held(inquiry_id) if str(inquiry_id) in _held() else None
    if inquiry is None:
        return page("directory/inquiry_unknown.html", status=404)
    return _shown(inquiry)


@feature.post("/inquiries/<uuid:inquiry_id>/confirmation", permission=P.ANYONE)
def create_confirmation(inquiry_id: UUID) -> ResponseReturnValue:
    """Whatever comes of it, the inquiry's page says it."""
    for_the_public_cloud()
    inquiry = inquiries.held(inquiry_id, lock=True) if str(inquiry_id) in _held() else None
    if inquiry is None:
        return page("directory/inquiry_unknown.html", status=404)
    inquiries.confirm(inquiry, at=clock.now())
    return see_other(url_for(".show", inquiry_id=inquiry_id))


def _shown(inquiry: Inquiry) -> ResponseReturnValue:
    row = queries.published(inquiry.entry_public_id)
    if inquiry.confirmed_at is not None:
        return page("directory/inquiry_done.html", inquiry=inquiry, row=row)
    if row is None:
        return page("directory/inquiry_gone.html", status=410)
    if not inquiry.link.usable(clock.now()):
        return page("directory/inquiry_late.html", status=410, row=row)
    return page("directory/inquiry_confirm.html", inquiry=inquiry, row=row, typed=inquiry.typed, sizes=SIZE_NAMES)


def _held() -> list[str]:
    held: list[str] = session.get("inquiries", [])
    return held
