"""Which passwords are good enough, and how they are kept (S13, S14)."""

import functools

import argon2
from flask import current_app
from flask_babel import gettext as _

from portal.core.errors import Refused

SHORTEST = 12
LONGEST = 256


def check_strength(password: str, *, email: str) -> None:
    """Raise Refused for what is too short, too long, too common, or the address itself."""
    if len(password) < SHORTEST:
        raise Refused(_("Use at least %(number)s characters. A few unrelated words are easy to remember.", number=SHORTEST), field="password")
    if len(password) > LONGEST:
        raise Refused(_("Use at most %(number)s characters.", number=LONGEST), field="password")
    if password.casefold() in (email.casefold(), email.partition("@")[0].casefold()) or _common(password):
        raise Refused(_("This password is among the first that an attacker tries. Choose another one."), field="password")


def hash_password(password: str) -> str:
    return _hasher().hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Compare in the same time whether there is a hash or not (S12)."""
    try:
        return _hasher().verify(password_hash or _dummy(), password[:LONGEST]) and password_hash is not None
    except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError, argon2.exceptions.VerificationError):
        return False


def needs_rehash(password_hash: str) -> bool:
    return _hasher().check_needs_rehash(password_hash)


def _common(password: str) -> bool:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    folded = password.casefold()
    plain = "".join(folded.split())
    if len(set(plain)) < 4:
        return True
    common = FREQUENCY_LISTS["passwords"]
    return folded in common or plain in common or plain.rstrip("0123456789!?.") in common


def _hasher() -> argon2.PasswordHasher:
    return _hasher_for(current_app.config["PASSWORD_COST"])


@functools.cache
def _hasher_for(cost: str) -> argon2.PasswordHasher:
    return (
        argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        if cost == "test"
        else argon2.PasswordHasher(time_cost=2, memory_cost=47104, parallelism=1)
    )


@functools.cache
def _dummy_for(cost: str) -> str:
    return _hasher_for(cost).hash("nobody has this password")


def _dummy() -> str:
    return _dummy_for(current_app.config["PASSWORD_COST"])
