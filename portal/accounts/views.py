"""Signing in and out, coming back after a session has ended, and the language of the pages before sign-in."""

import json
import logging
from typing import Any

from flask import Response, current_app, flash, g, make_response, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries, service, sessions, signing_in
from portal.accounts.forms import SignInForm
from portal.core import clock, throttle
from portal.core.access import Actor, Permission
from portal.core.crypto import seal, unseal
from portal.core.csrf import FIELD, carries_token, csrf_token
from portal.core.pages import invalid, is_htmx, on_this_host, page, see_other
from portal.core.routing import SAFE, Feature, after_commit

feature = Feature("accounts", __name__)
log = logging.getLogger(__name__)

TYPED_LASTS = 12 * 3600  # seconds
MOST_TYPED = 1024 * 1024
NOT_CARRIED = {FIELD, "password", "current", "code"}


@feature.get("/sign-in", permission=Permission.ANYONE)
def new() -> ResponseReturnValue:
    if g.actor:
        return see_other(_destination(g.actor, request.args.get("next")))
    return _page(SignInForm(data={"next": request.args.get("next", "")}))


@feature.post("/sign-in", permission=Permission.ANYONE)
def create() -> ResponseReturnValue:
    form = SignInForm()
    if not form.validate_on_submit():
        return invalid(_template(), form=_apart(form), session_ended=sessions.ended())
    account = f"known/{form.email.data.casefold()}" if sessions.is_known(form.email.data) else form.email.data.casefold()
    address = throttle.visitor()
    throttle.hit(throttle.SIGN_IN_ADDRESS, address)
    throttle.hit(throttle.SIGN_IN_ACCOUNT, account)
    user = signing_in.sign_in(form.email.data, form.password.data, at=clock.now())
    if user is None:
        log.warning("sign-in refused from %s", address)
        form.form_errors.append(_("E-mail address and password do not fit together. Check both, or set a new password."))
        return invalid(_template(), keep=True, form=_apart(form), session_ended=sessions.ended())
    after_commit(lambda: throttle.forgive(throttle.SIGN_IN_ACCOUNT, account))
    after_commit(lambda: throttle.give_back(throttle.SIGN_IN_ADDRESS, address))
    same_person = session.get("user") == user.id
    actor = sessions.start(user)
    if is_htmx():
        return _go_on_with_the_page() if same_person else _leave_for(sessions.home(actor))
    typed = _opened(form.typed.data, actor)
    return page("accounts/resume.html", typed=typed) if typed else see_other(_destination(actor, form.next.data))


@feature.get("/sign-out", permission=Permission.ANYONE)
def show() -> ResponseReturnValue:
    return page("accounts/sign_out.html") if g.actor else see_other(url_for(".new"))


@feature.post("/sign-out", permission=Permission.ANYONE)
def delete() -> ResponseReturnValue:
    if g.actor:
        signing_in.sign_out(by=g.actor, at=clock.now())
    g.actor = None
    sessions.forget()
    flash(_("You are signed out."), "success")
    return _leave_for(url_for(".new"))


@feature.post("/language", permission=Permission.ANYONE)
def update() -> ResponseReturnValue:
    wanted = request.form.get("language", "")
    if wanted in current_app.config["LANGUAGES"]:
        session["language"] = wanted
        if g.actor:
            service.choose_language(queries.user(g.actor.user_id), wanted, by=g.actor, at=clock.now())
    return see_other(on_this_host(request.form.get("next"), "/"))


def sign_in_first() -> Response:
    """For somebody who is not signed in, or no longer: the way to sign in, and back, with what was typed."""
    if request.method in SAFE:
        here = request.full_path.rstrip("?")
        return _leave_for(url_for("accounts.new", next=here if here != "/" else None))
    if is_htmx():
        response = _page(SignInForm(formdata=None), status=401)
        response.headers.update({"HX-Retarget": "#dialog", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"})
        return response
    if not carries_token() or (request.content_length or 0) > MOST_TYPED:
        return see_other(url_for("accounts.new"))
    return _page(SignInForm(formdata=None, data={"typed": _sealed()}), status=401)


def _page(form: SignInForm, status: int = 200) -> Response:
    return page(_template(), status=status, form=_apart(form), session_ended=sessions.ended())


def _template() -> str:
    return "accounts/_sign_in_dialog.html" if is_htmx() else "accounts/sign_in.html"


def _apart(form: SignInForm) -> SignInForm:
    """In the dialog: ids that the page below does not have."""
    for field in form if is_htmx() else ():
        field.id = f"again-{field.name}"
    return form


def _sealed() -> str:
    """What the interrupted form held, for the browser to carry; only its author gets it back."""
    fields = [(name, value) for name, values in request.form.lists() if name not in NOT_CARRIED for value in values]
    return seal("typed", json.dumps({"user": session.get("user"), "path": request.full_path.rstrip("?"), "fields": fields, "files": bool(request.files)}))


def _opened(sealed: str | None, actor: Actor) -> dict[str, Any] | None:
    text = unseal("typed", sealed, max_age=TYPED_LASTS) if sealed else None
    if text is None:
        return None
    typed: dict[str, Any] = json.loads(text)
    if typed["user"] == actor.user_id:
        return typed
    flash(_("What was typed here before belongs to somebody else's session, so it was not kept."), "warning")
    return None


def _destination(actor: Actor, wanted: str | None) -> str:
    home = sessions.home(actor)
    url = on_this_host(wanted, home)
    return home if url.startswith(("/sign-in", "/sign-out")) else url


def _go_on_with_the_page() -> Response:
    """Signed in again in the dialog: the page stays, and takes over the new session's token."""
    response = make_response("", 204)
    response.headers["HX-Trigger"] = json.dumps({"portal:signed-in": {"csrf": csrf_token()}})
    return response


def _leave_for(url: str) -> Response:
    g.leave_shell = True
    return see_other(url)
