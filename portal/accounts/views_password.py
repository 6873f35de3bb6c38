"""Forgotten password: a link by mail, then a new password."""

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries, sessions, signing_in
from portal.accounts.forms import ForgottenForm, NewPasswordForm
from portal.accounts.models import User
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature, after_commit

feature = Feature("forgotten_password", __name__, url_prefix="/forgotten-password")


@feature.get("", permission=Permission.ANYONE)
def new() -> ResponseReturnValue:
    return page("accounts/forgotten.html", form=ForgottenForm())


@feature.post("", permission=Permission.ANYONE)
def create() -> ResponseReturnValue:
    """The same answer for every address; what becomes of it is a job's business (S12)."""
    form = ForgottenForm()
    if not form.validate_on_submit():
        return invalid("accounts/forgotten.html", form=form)
    throttle.hit(throttle.RESET_ADDRESS, throttle.visitor())
    throttle.hit(throttle.RESET, form.email.data.casefold())
    signing_in.wish_reset(form.email.data, at=clock.now())
    flash(
        _("If there is an account for %(email)s, a link to set a new password is on its way there. It is good for one hour.", email=form.email.data), "success"
    )
    return see_other(url_for("accounts.new"))


@feature.get("/<token>", permission=Permission.ANYONE, limit=throttle.LINK_ADDRESS)
def open_link(token: str) -> ResponseReturnValue:
    user = queries.user_by_link("reset", token, at=clock.now())
    if user is None or user.reset_link is None:
        return _gone()
    sessions.hold("reset", link=user.reset_link.id, generation=user.reset_link.generation)
    return see_other(url_for(".edit"))


@feature.get("/new", permission=Permission.ANYONE)
def edit() -> ResponseReturnValue:
    user = _user()
    return _gone() if user is None else page("accounts/new_password.html", form=NewPasswordForm(), user=user)


@feature.post("/new", permission=Permission.ANYONE)
def update() -> ResponseReturnValue:
    user = _user(lock=True)
    if user is None:
        return _gone()
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return invalid("accounts/new_password.html", form=form, user=user)
    try:
        signing_in.reset_password(user, password=form.password.data, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/new_password.html", form=form, user=user)
    email = user.email_key
    after_commit(lambda: throttle.forgive(throttle.SIGN_IN_ACCOUNT, email))
    sessions.forget()
    sessions.remember(user)
    flash(_("Your new password is set, and all your sessions have ended. Sign in with it."), "success")
    return see_other(url_for("accounts.new"))


def _user(*, lock: bool = False) -> User | None:
    held = sessions.held("reset")
    return queries.user_holding("reset", held["link"], held["generation"], at=clock.now(), lock=lock) if held else None


def _gone() -> ResponseReturnValue:
    return page("accounts/dead_link.html", status=410, about="reset")
