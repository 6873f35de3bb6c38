"""Feature blueprint and the envelope: permission, scope, transaction and what happens after it, once for every view."""

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, flash, g, make_response, render_template, request
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from portal.core import audit, clock, throttle
from portal.core.access import WITHHELD_IN_CLOUD, Actor, Permission, Side
from portal.core.csrf import carries_token, csrf_token
from portal.core.db import db, read_and_write, read_only, writing
from portal.core.errors import Forbidden, NotFound, Refused, TooMany
from portal.core.pages import into_flash, is_htmx, shell
from portal.core.scope import Scope, scoped

log = logging.getLogger(__name__)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SEEN_EVERY = timedelta(minutes=5)
ViewT = TypeVar("ViewT", bound=Callable[..., Any])


class Feature(Blueprint):
    """A blueprint whose routes each name their permission: a route without one does not exist."""

    def get(self, rule: str, *, permission: Permission | tuple[Permission, ...], **options: Any) -> Callable[[ViewT], ViewT]:  # type: ignore[override]
        return self._route(rule, "GET", permission, options)

    def post(self, rule: str, *, permission: Permission | tuple[Permission, ...], **options: Any) -> Callable[[ViewT], ViewT]:  # type: ignore[override]
        return self._route(rule, "POST", permission, options)

    def _route(self, rule: str, method: str, permission: Permission | tuple[Permission, ...], options: dict[str, Any]) -> Callable[[ViewT], ViewT]:
        limit: throttle.Limit | None = options.pop("limit", None)

        def register(view: ViewT) -> ViewT:
            endpoint = options.pop("endpoint", view.__name__)
            any_of = permission if isinstance(permission, tuple) else (permission,)
            self.add_url_rule(rule, endpoint, enveloped(view, any_of, limit), methods=[method], **options)
            return view

        return register


def enveloped(view: Callable[..., Any], any_of: tuple[Permission, ...], limit: throttle.Limit | None = None) -> Callable[..., Response]:
    """The view inside the envelope; always in the order that the docstrings of its steps tell."""

    @wraps(view)
    def run(**arguments: Any) -> Response:
        try:
            return once(arguments)
        except sa.exc.OperationalError as lost:
            # The database restarted and the pool's connections are gone. What has only read so far is simply begun again;
            # a change is not: nobody knows how far it came.
            if not lost.connection_invalidated or g.get("changing"):
                raise
            db.session.remove()
            return once(arguments)

    def once(arguments: dict[str, Any]) -> Response:
        read_only()
        actor = admit(*any_of)
        if isinstance(actor, Response):
            return actor
        safe = request.method in SAFE
        if not safe:
            read_and_write()
        if limit is not None:
            throttle.hit(limit, f"{actor.organization_id}/{actor.user_id}" if actor else throttle.visitor())
        if safe:
            return _transact(view, arguments, actor)
        if not carries_token():
            return _out_of_date()
        g.changing = True
        with writing():
            response = _transact(view, arguments, actor)
        for work in g.pop("after_commit", []):
            work()
        return response

    run.permission = any_of[0]  # type: ignore[attr-defined]
    return run


def admit(*any_of: Permission) -> Actor | Response | None:
    """The person, when signed in and permitted one of these; else the answer that says so."""
    actor = g.actor = current_user._get_current_object() if current_user.is_authenticated else None
    if Permission.ANYONE in any_of:
        return actor
    if actor is None:
        return sign_in_first()
    if not any(map(actor.may, any_of)):
        if all(permission in WITHHELD_IN_CLOUD[actor.cloud] for permission in any_of):
            raise NotFound(any_of)
        raise Forbidden(any_of)
    return actor


def _transact(view: Callable[..., Any], arguments: dict[str, Any], actor: Actor | None) -> Response:
    """Run the view in its scope; commit once, or roll back after a safe method or a refusal."""
    try:
        with scoped(scope_of(actor)) if actor else scoped(NOBODY):
            response = make_response(view(**arguments))
            keep = request.method not in SAFE and (response.status_code < 400 or g.get("keep_changes"))
            db.session.commit() if keep else db.session.rollback()
    except BaseException:
        db.session.rollback()
        raise
    return response


def scope_of(actor: Actor) -> Scope:
    if actor.side is Side.PARTNER:
        return Scope(partner_id=actor.organization_id)
    return Scope(customer_id=actor.organization_id)


NOBODY = Scope(partner_id=-1)


def later(action: str, /, **details: Any) -> None:
    """Log something after this request in a transaction of its own: for exports and refusals, which change nothing else."""
    g.setdefault("later", []).append((action, details))


def after_commit(work: Callable[[], None]) -> None:
    """Do this once the view's own transaction is over, as counts of throttles ask for on SQLite, which has one writer at a time."""
    g.setdefault("after_commit", []).append(work)


def sign_in_first() -> Response:
    """Nobody is signed in: go and sign in, and come back; what was typed comes along."""
    return current_app.extensions["sign_in_first"]()  # type: ignore[no-any-return]


def _out_of_date() -> Response:
    message = _("This page is out of date, so nothing was done. Load it again, then repeat what you did.")
    return error_response(400, _("This page is out of date"), message)


def error_response(status: int, title: str, message: str, *, reference: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """An error as a page, or for htmx as a message in the flash region: the page stays."""
    if is_htmx():
        flash(message + (f" ({reference})" if reference else ""), "error")
        response = into_flash(make_response(render_template("layouts/_flash.html", **shell()), status))
    else:
        layout = "layouts/app.html" if g.get("actor") else "layouts/plain.html"
        context = shell() | {"title": title, "message": message, "reference": reference, "layout": layout, "status": status, "back": _came_from()}
        response = make_response(render_template("errors/error.html", **context), status)
    response.headers.update(headers or {})
    return response


def _came_from() -> str | None:
    """The portal's own page that led to this one."""
    try:
        came = urlsplit(request.referrer or "")
    except ValueError:
        return None
    here = request.method in SAFE and came.path == request.path
    if (came.scheme, came.netloc) != (request.scheme, request.host) or came.path.startswith("//") or here:
        return None
    return came.path + (f"?{came.query}" if came.query else "")


def init_app(app: Flask) -> None:
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.before_request(_only_enveloped)
    app.after_request(_for_htmx)
    app.after_request(_afterwards)
    app.register_error_handler(NotFound, lambda error: _not_found())
    app.register_error_handler(404, lambda error: _not_found())
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(Refused, lambda error: error_response(409, _("That was not done"), str(error.message)))
    app.register_error_handler(StaleDataError, _overtaken)
    app.register_error_handler(TooMany, _too_many)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(sa.exc.OperationalError, _unavailable)
    app.register_error_handler(sa.exc.IntegrityError, _overtaken)
    app.register_error_handler(HTTPException, _other)
    app.register_error_handler(Exception, _broken)


def _only_enveloped() -> Response | None:
    """A route that states no permission is closed, whoever asks."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is not None and getattr(view, "permission", None) is None:
        raise Forbidden(f"{request.endpoint} states no permission")
    return None


def _for_htmx(response: Response) -> Response:
    """For htmx a redirect becomes 200 with HX-Location: it fetches the page and shows it in place."""
    if is_htmx() and 300 <= response.status_code < 400 and response.location:
        location = response.location
        response = Response(status=200, headers=[(key, value) for key, value in response.headers if key.lower() not in ("location", "content-length")])
        response.headers["HX-Redirect" if g.get("leave_shell") else "HX-Location"] = location
    return response


def _afterwards(response: Response) -> Response:
    """The only writes of a safe request, in a short transaction after it: last seen, refusals, exports."""
    actor: Actor | None = g.get("actor")
    entries = g.pop("later", [])
    at = clock.now()
    seen = actor is not None and actor.last_seen_at is not None and at - actor.last_seen_at > SEEN_EVERY and response.status_code < 500
    if actor is None or not (entries or seen):
        return response
    try:
        with writing():
            read_and_write()
            for action, details in entries:
                audit.record(action, by=actor, at=at, after=details)
            if seen:
                current_app.extensions["seen"](actor, at)
            db.session.commit()
    except sa.exc.SQLAlchemyError:
        db.session.rollback()
        log.exception("the note after the request was not written")
    return response


def _not_found() -> Response:
    g.setdefault("actor", None)
    _know_actor()
    return error_response(404, _("Not found"), _("There is nothing here. It may have been removed, or the address may be mistyped."))


def _forbidden(error: Forbidden) -> Response:
    _know_actor()
    if g.actor is None:
        return error_response(403, _("Not permitted"), _("This is not open to you."))
    later("permission.refused", path=request.path[:200], method=request.method)
    message = error.message or _("Your roles do not include this. A global admin of your organization can change them.")
    return error_response(403, _("Not permitted"), str(message))


def _overtaken(error: Exception) -> Response:
    log.warning("overtaken: %s", error.__class__.__name__)
    message = _("Somebody else changed this at the same moment, so nothing was done. Load the page again and repeat what you did.")
    return error_response(409, _("That was not done"), message)


def _too_many(error: TooMany) -> Response:
    minutes = max(1, round(error.retry_after / 60))
    message = _("That was tried too often. Wait %(minutes)s minutes, then try again.", minutes=minutes)
    return error_response(429, _("Too many tries"), message, headers={"Retry-After": str(error.retry_after)})


def _too_large(error: Exception) -> Response:
    _drain()
    return error_response(413, _("Too large"), _("What you sent is too large, so nothing was saved. Send less at once, or a smaller file."))


def _drain(most: int = 64 * 1024 * 1024) -> None:
    """Read the rest of the request, so that the browser listens to the answer."""
    stream = request.environ["wsgi.input"]
    while most > 0 and (chunk := stream.read(65536)):
        most -= len(chunk)


def _unavailable(error: Exception) -> Response:
    log.error("database: %s", str(getattr(error, "orig", error))[:300])
    db.session.rollback()
    message = _("The database does not answer at the moment. Nothing was saved; try again in a few seconds.")
    return error_response(503, _("Not available"), message, headers={"Retry-After": "5"})


def _other(error: HTTPException) -> Response:
    return error_response(error.code or 500, _("Not possible"), _("This address does not take that kind of request. Go back and try again."))


def _broken(error: Exception) -> Response:
    """A plain page with a reference that the log has too; never a trace (S40)."""
    if isinstance(error, HTTPException):
        return _other(error)
    reference = secrets.token_hex(4)
    log.exception("error %s at %s", reference, request.endpoint)
    db.session.rollback()
    if current_app.testing:
        raise error
    return error_response(
        500,
        _("Something went wrong"),
        _("The portal made a mistake and saved nothing. Try again; if it stays, tell your administrator this reference."),
        reference=reference,
    )


def _know_actor() -> None:
    if g.get("actor") is None:
        try:
            g.actor = current_user._get_current_object() if current_user.is_authenticated else None
        except sa.exc.SQLAlchemyError:
            g.actor = None
