"""The token that every changing request carries: bound to the session, masked anew in each response (S30)."""

import base64
import hmac
import os

from flask import request, session

_LENGTH = 32
HEADER = "X-CSRF-Token"
FIELD = "csrf_token"


def csrf_token() -> str:
    """The session's token under a one-time pad, so that compression tells nothing about it."""
    if "csrf" not in session:
        session["csrf"] = base64.urlsafe_b64encode(os.urandom(_LENGTH)).decode()
    secret = base64.urlsafe_b64decode(session["csrf"])
    pad = os.urandom(_LENGTH)
    return base64.urlsafe_b64encode(pad + _mixed(pad, secret)).decode()


def carries_token() -> bool:
    """Whether this request comes from a page of ours in this session."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    try:
        masked = base64.urlsafe_b64decode((request.form.get(FIELD) or request.headers.get(HEADER) or "").encode())
        secret = base64.urlsafe_b64decode(session.get("csrf", ""))
    except ValueError:
        return False
    if len(masked) != 2 * _LENGTH or len(secret) != _LENGTH:
        return False
    return hmac.compare_digest(_mixed(masked[:_LENGTH], masked[_LENGTH:]), secret)


def _mixed(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(_LENGTH)
