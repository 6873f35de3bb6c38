"""Signing in with a password, and what ends it: sessions, and passwords changed or set anew."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import authority, mails, passwords, queries
from portal.accounts.models import ResetWish, User, UserSession, UserState
from portal.core import audit, jobs, tokens
from portal.core.access import PORTAL, Actor
from portal.core.db import db
from portal.core.errors import NotFound, Refused

RESET = timedelta(hours=1)


def sign_in(email: str, password: str, *, at: datetime) -> User | None:
    """The person, when address and password fit and the account is open; the same work and answer otherwise (S12)."""
    user = queries.user_by_email(email)
    fits = passwords.matches(user.password_hash if user else None, password)
    if user is None:
        _work_as_for_a_known_address(at)
        return None
    if not fits or user.state is not UserState.ACTIVE or user.organization.suspended_at is not None:
        audit.record("session.refused", by=PORTAL, at=at, seen_by=(user.organization_id,), after={"person": user.email})
        return None
    if user.password_hash and passwords.needs_rehash(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    return user


def _work_as_for_a_known_address(at: datetime) -> None:
    """Nobody's log tells of this refusal, yet it takes a write and a commit like the others (S12)."""
    wish = ResetWish(email_key="", asked_at=at)
    db.session.add(wish)
    db.session.flush()
    db.session.delete(wish)
    db.session.flush()


def open_session(user: User, *, at: datetime, device: str, address: str) -> str:
    """A new session; returns the token for the cookie (S21: 256 bits), of which only the hash is kept."""
    token = secrets.token_urlsafe(32)
    db.session.add(
        UserSession(
            user_id=user.id, token_hash=hashlib.sha256(token.encode()).hexdigest(), created_at=at, last_seen_at=at, device=device[:200], address=address[:64]
        )
    )
    audit.record("session.opened", by=authority.as_actor(user), at=at, seen_by=(user.organization_id,), after={"address": address})
    return token


def end_sessions(user_id: int, *, at: datetime, session: int | None = None, besides: int | None = None) -> int:
    """End one session, all, or all besides one; returns how many ended."""
    statement = sa.update(UserSession).where(UserSession.user_id == user_id, UserSession.ended_at.is_(None)).values(ended_at=at)
    if session is not None:
        statement = statement.where(UserSession.id == session)
    if besides is not None:
        statement = statement.where(UserSession.id != besides)
    return int(db.session.execute(statement.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]


def end_all_sessions(user: User, *, by: Actor, at: datetime) -> int:
    """Sign somebody else out everywhere; returns how many sessions ended."""
    authority.protect_admins(user, by)
    count = end_sessions(user.id, at=at)
    if count:
        authority.record("session.ended", user, by=by, at=at, person=user.email, sessions=count)
    return count


def sign_out(*, by: Actor, at: datetime) -> None:
    assert by.user_id is not None
    end_sessions(by.user_id, at=at, session=by.session_id)
    audit.record("session.ended", by=by, at=at)


def end_session(user: User, public_id: UUID | None, *, by: Actor, at: datetime) -> int:
    """End one of one's own sessions, or (None) all others than this one (S7)."""
    if public_id is None:
        count = end_sessions(user.id, at=at, besides=by.session_id)
    else:
        session = db.session.scalar(sa.select(UserSession).where(UserSession.public_id == public_id, UserSession.user_id == user.id))
        if session is None:
            raise NotFound(public_id)
        count = end_sessions(user.id, at=at, session=session.id)
    if count:
        audit.record("session.ended", by=by, at=at, after={"sessions": count})
    return count


# --- passwords


def wish_reset(email: str, *, at: datetime) -> None:
    """Somebody forgot a password. The answer comes by mail, if the address has an account."""
    db.session.add(ResetWish(email_key=email.strip().casefold()[:254], asked_at=at))
    db.session.info["wishes"] = True


def answer_reset_wishes(*, at: datetime) -> int:
    """Mail a reset link for every wish whose address has an open account."""
    answered: set[str] = set()

    def answer(wish: ResetWish) -> None:
        db.session.delete(wish)
        user = queries.user_by_email(wish.email_key)
        if wish.email_key in answered or user is None or user.state is not UserState.ACTIVE:
            return
        _renew_reset_link(user, at)
        audit.record("password.reset_requested", by=PORTAL, at=at, seen_by=(user.organization_id,), after={"person": user.email})
        mails.reset(user, at=at)
        answered.add(user.email_key)

    return len(jobs.each(sa.select(ResetWish).order_by(ResetWish.id), answer))


def send_reset(user: User, *, by: Actor, at: datetime) -> None:
    """Somebody who looks after this person has a reset link mailed, and never sees it (S19)."""
    authority.protect_admins(user, by)
    if user.state is not UserState.ACTIVE:
        raise Refused(_("%(name)s has no open account, so there is no password to set anew.", name=user.name))
    _renew_reset_link(user, at)
    authority.record("password.reset_requested", user, by=by, at=at, person=user.email)
    mails.reset(user, by=by, at=at)


def reset_password(user: User, *, password: str, at: datetime) -> None:
    """Set a new password by a mailed link: ends all sessions and the link (S4, S16)."""
    if user.state is not UserState.ACTIVE or user.reset_link is None or not user.reset_link.usable(at):
        raise Refused(_("This link was used or has expired. Ask for a new one."))
    passwords.check_strength(password, email=user.email)
    if not tokens.use(user.reset_link, at=at):
        raise Refused(_("This link was used a moment ago."))
    user.password_hash = passwords.hash_password(password)
    end_sessions(user.id, at=at)
    _password_changed(user, authority.as_actor(user), at)


def change_password(user: User, *, current: str, password: str, by: Actor, at: datetime) -> None:
    """Needs the current password (S7); ends all other sessions and outstanding reset links (S4)."""
    if not passwords.matches(user.password_hash, current):
        raise Refused(_("This is not your current password."), field="current")
    passwords.check_strength(password, email=user.email)
    user.password_hash = passwords.hash_password(password)
    if user.reset_link is not None:
        user.reset_link.revoked_at = at
    end_sessions(user.id, at=at, besides=by.session_id)
    _password_changed(user, by, at)


def _renew_reset_link(user: User, at: datetime) -> None:
    if user.reset_link is None:
        user.reset_link = tokens.issue("reset", at=at, lifetime=RESET)
    else:
        tokens.renew(user.reset_link, at=at, lifetime=RESET)


def _password_changed(user: User, by: Actor, at: datetime) -> None:
    audit.record("password.changed", by=by, at=at, seen_by=(user.organization_id,), after={"person": user.email})
    mails.password_changed(user, at=at)
