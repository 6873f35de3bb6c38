"""One's own account: name, language, time zone, password, open sessions."""

from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.accounts import queries, service, signing_in
from portal.accounts.forms import ChangePasswordForm, ProfileForm
from portal.accounts.models import User
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused, Stale
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature, after_commit

feature = Feature("account", __name__, url_prefix="/account")


@feature.get("", permission=Permission.SIGNED_IN)
def edit() -> ResponseReturnValue:
    user = _me()
    return page("accounts/account.html", form=ProfileForm(obj=user), user=user, roles=_roles())


@feature.post("", permission=Permission.SIGNED_IN)
def update() -> ResponseReturnValue:
    user, form = _me(), ProfileForm()
    if not form.validate_on_submit():
        return invalid("accounts/account.html", form=form, user=user, roles=_roles())
    try:
        service.update_profile(
            user,
            name=form.name.data,
            phone=form.phone.data,
            language=form.language.data or None,
            time_zone=form.time_zone.data,
            version=form.version.data,
            by=g.actor,
            at=clock.now(),
        )
    except Stale as refusal:
        form.stale(refusal, user.version)
        return page("accounts/account.html", swaps=("form",), status=409, form=form, user=user, roles=_roles())
    flash(_("Your account is saved."), "success")
    return see_other(url_for(".edit"))


@feature.get("/password", permission=Permission.SIGNED_IN)
def edit_password() -> ResponseReturnValue:
    return page("accounts/password.html", form=ChangePasswordForm())


@feature.post("/password", permission=Permission.SIGNED_IN)
def update_password() -> ResponseReturnValue:
    form, key = ChangePasswordForm(), f"current/{g.actor.user_id}"
    if not form.validate_on_submit():
        return invalid("accounts/password.html", form=form)
    throttle.hit(throttle.SIGN_IN_ACCOUNT, key)
    try:
        signing_in.change_password(_me(), current=form.current.data, password=form.password.data, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/password.html", form=form)
    after_commit(lambda: throttle.forgive(throttle.SIGN_IN_ACCOUNT, key))
    flash(_("Your password is changed. Your other sessions have ended."), "success")
    return see_other(url_for(".edit"))


@feature.get("/sessions", permission=Permission.SIGNED_IN)
def sessions() -> ResponseReturnValue:
    return page("accounts/sessions.html", sessions=queries.sessions_of(g.actor.user_id))


@feature.post("/sessions/<uuid:session_id>/ending", permission=Permission.SIGNED_IN)
def end_session(session_id: UUID) -> ResponseReturnValue:
    signing_in.end_session(_me(), session_id, by=g.actor, at=clock.now())
    flash(_("The session has ended."), "success")
    return see_other(url_for(".sessions"))


@feature.post("/sessions/ending", permission=Permission.SIGNED_IN)
def end_other_sessions() -> ResponseReturnValue:
    count = signing_in.end_session(_me(), None, by=g.actor, at=clock.now())
    flash(ngettext("%(num)s other session has ended.", "%(num)s other sessions have ended.", count), "success")
    return see_other(url_for(".sessions"))


def _me() -> User:
    return queries.user(g.actor.user_id)


def _roles() -> list[str]:
    return [str(name) for role, name in queries.ROLE_NAMES.items() if role in g.actor.roles]
