"""Keys derived from the one secret, each for its own purpose."""

import base64
import hashlib
import hmac

from flask import current_app


def derived_key(purpose: str) -> bytes:
    """32 bytes that only this installation knows, different for every purpose."""
    secret: str = current_app.config["SECRET_KEY"]
    return hmac.digest(secret.encode(), f"portal/{purpose}".encode(), "sha256")


def keyed_digest(purpose: str, text: str) -> str:
    return hmac.new(derived_key(purpose), text.encode(), hashlib.sha256).hexdigest()


def seal(purpose: str, text: str) -> str:
    """Encrypt and authenticate: for what a browser carries for us and must neither read nor change."""
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(derived_key(purpose))).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str, *, max_age: int) -> str | None:
    """The text again, or None when it is not ours or older than `max_age` seconds."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        return Fernet(base64.urlsafe_b64encode(derived_key(purpose))).decrypt(sealed.encode(), ttl=max_age).decode()
    except (InvalidToken, ValueError):
        return None
