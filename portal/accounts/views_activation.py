"""Activation by a one-time link: the mailbox is proven by a code, then the person chooses a password (R18, R23)."""

from typing import Any

from flask import current_app, flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries, service, sessions
from portal.accounts.forms import ActivationForm
from portal.accounts.models import User
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature

feature = Feature("activation", __name__, url_prefix="/activation")


@feature.get("/<token>", permission=Permission.ANYONE, limit=throttle.LINK_ADDRESS)
def open_link(token: str) -> ResponseReturnValue:
    """Opening changes nothing: it leads on to an address without the token."""
    user = queries.user_by_link("activation", token, at=clock.now())
    if user is None or user.activation_link is None:
        return page("accounts/dead_link.html", status=410, about="activation")
    sessions.hold("activation", link=user.activation_link.id, generation=user.activation_link.generation, email=user.email_key)
    return see_other(url_for(".show"))


@feature.get("", permission=Permission.ANYONE)
def show() -> ResponseReturnValue:
    user = _user()
    return _gone() if user is None else page("accounts/activation.html", **_shown(user, ActivationForm()))


@feature.post("/code", permission=Permission.ANYONE)
def create_code() -> ResponseReturnValue:
    throttle.hit(throttle.CODE_ADDRESS, throttle.visitor())
    throttle.hit(throttle.CODE, sessions.held("activation").get("email", throttle.visitor()))
    user = _user(lock=True)
    if user is None:
        return _gone()
    service.mail_code(user, language=language(), at=clock.now())
    flash(_("We have sent a code to %(email)s. It is good for 20 minutes.", email=user.email), "success")
    return see_other(url_for(".show"))


@feature.post("", permission=Permission.ANYONE)
def create() -> ResponseReturnValue:
    user = _user(lock=True)
    if user is None:
        return _gone()
    form = ActivationForm()
    if not form.validate_on_submit():
        return invalid("accounts/activation.html", **_shown(user, form))
    try:
        zone = form.time_zone.data or "UTC"
        service.activate(user, code=form.code.data, password=form.password.data, time_zone=zone, language=language(), at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/activation.html", keep=True, **_shown(user, form))
    actor = sessions.start(user)
    flash(_("Welcome, %(name)s. Your account is open.", name=user.name), "success")
    return see_other(sessions.home(actor))


def _user(*, lock: bool = False) -> User | None:
    held = sessions.held("activation")
    return queries.user_holding("activation", held["link"], held["generation"], at=clock.now(), lock=lock) if held else None


def _gone() -> ResponseReturnValue:
    return page("accounts/dead_link.html", status=410, about="activation")


def _shown(user: User, form: ActivationForm) -> dict[str, Any]:
    code_sent = user.code_link is not None and user.code_link.usable(clock.now())
    readable = not current_app.config["MAIL_SERVER"] and not current_app.config["SETTINGS"].production
    return {"user": user, "form": form, "code_sent": code_sent, "readable": readable, "signed_in": g.actor}
