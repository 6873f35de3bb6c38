"""The browser's side of a session: what its signed cookie holds before, during and after a sign-in."""

import re
from typing import Any

from flask import g, request, session
from flask_login import login_user

from portal.accounts import queries, signing_in
from portal.accounts.models import User
from portal.core import clock
from portal.core.access import Actor, Side
from portal.core.crypto import keyed_digest

KEPT = ("links", "language", "known")  # the visitor's own, whoever is signed in
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS": "macOS", "Linux": "Linux"}


def start(user: User) -> Actor:
    """Sign this person in: a new session with nothing of the old one but what belongs to the visitor (S1)."""
    if g.actor:
        signing_in.sign_out(by=g.actor, at=clock.now())
    token = signing_in.open_session(user, at=clock.now(), device=_device(request.user_agent.string), address=request.remote_addr or "")
    forget()
    remember(user)
    actor = queries.actor_of_session(token)
    assert actor is not None
    session["user"] = user.id
    login_user(actor)
    g.actor = actor
    return actor


def forget() -> None:
    """Leave nothing in the cookie that the next person at this browser must not have."""
    kept = {key: session[key] for key in KEPT if key in session}
    session.clear()
    session.update(kept)


def ended() -> bool:
    """Whether this browser was signed in, and its session is over."""
    return "_user_id" in session and g.actor is None


def remember(user: User) -> None:
    """This browser is this person's: guesses made elsewhere do not lock it out (S11)."""
    session["known"] = _known(user.email_key)


def is_known(email: str) -> bool:
    return bool(session.get("known") == _known(email.strip().casefold()))


def hold(purpose: str, **link: Any) -> None:
    """Keep that this link was opened: the address goes on without its token (S23)."""
    session[purpose] = link


def held(purpose: str) -> dict[str, Any]:
    found: dict[str, Any] = session.get(purpose, {})
    return found


def home(actor: Actor) -> str:
    return "/" if actor.side is Side.PARTNER else "/my"


def _known(email_key: str) -> str:
    return keyed_digest("known", email_key)[:32]


def _device(agent: str) -> str:
    """'Firefox, Linux': enough to tell one's own sessions by."""
    browser = next((name for sign, name in _BROWSERS.items() if re.search(rf"\b{sign}\w*/", agent)), "")
    system = next((name for sign, name in _SYSTEMS.items() if sign in agent), "")
    return ", ".join(part for part in (browser, system) if part)
