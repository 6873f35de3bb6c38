"""One-time links and mailed codes: purpose-bound, expiring, single use.

The token is HMAC(key, nonce ‖ generation): it can be shown, copied and put into mail again, while the database holds only
nonce, generation and hash (S22). Sending again raises the generation and kills the old link.
"""

import base64
import hashlib
import hmac
import os
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.crypto import derived_key
from portal.core.db import Base, db

GUESSES = 6


class OneTimeLink(Base):
    """A link (or a code) that works once, for one purpose, until it expires."""

    __tablename__ = "one_time_link"

    purpose: Mapped[str] = mapped_column(sa.Unicode(32))
    nonce: Mapped[bytes]
    generation: Mapped[int] = mapped_column(default=1)
    token_hash: Mapped[str] = mapped_column(sa.Unicode(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    guesses: Mapped[int] = mapped_column(default=0)

    @property
    def token(self) -> str:
        """The secret part of the address: 160 bits, derived, never stored."""
        return base64.urlsafe_b64encode(self._mac("token")[:20]).decode().rstrip("=")

    @property
    def code(self) -> str:
        """Six digits for typing; good only together with the page that asked for them."""
        return f"{int.from_bytes(self._mac('code')[:8]) % 1_000_000:06d}"

    def usable(self, at: datetime) -> bool:
        return self.used_at is None and self.revoked_at is None and self.expires_at > at

    def _mac(self, part: str) -> bytes:
        return hmac.digest(derived_key(f"link/{self.purpose}/{part}"), self.nonce + self.generation.to_bytes(4, "big"), "sha256")


def issue(purpose: str, *, at: datetime, lifetime: timedelta) -> OneTimeLink:
    link = OneTimeLink(purpose=purpose, nonce=os.urandom(16), generation=1, expires_at=at + lifetime)
    link.token_hash = _hash(link.token)
    db.session.add(link)
    db.session.flush()
    return link


def renew(link: OneTimeLink, *, at: datetime, lifetime: timedelta) -> None:
    """A new token for the same purpose; the old one stops working."""
    link.generation += 1
    link.expires_at = at + lifetime
    link.used_at = link.revoked_at = None
    link.guesses = 0
    link.token_hash = _hash(link.token)


def look_up(purpose: str, token: str) -> OneTimeLink | None:
    """The link this token opens, usable or not; None for what was never issued or was replaced since."""
    if not 20 <= len(token) <= 64 or not token.isascii():
        return None
    return db.session.scalar(sa.select(OneTimeLink).where(OneTimeLink.token_hash == _hash(token), OneTimeLink.purpose == purpose))


def use(link: OneTimeLink, *, at: datetime) -> bool:
    """Take the link; False when somebody else did so a moment ago, or it is no longer good."""
    taken = db.session.execute(
        sa.update(OneTimeLink)
        .where(
            OneTimeLink.id == link.id,
            OneTimeLink.generation == link.generation,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.revoked_at.is_(None),
            OneTimeLink.expires_at > at,
        )
        .values(used_at=at)
        .execution_options(synchronize_session="evaluate")
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def code_matches(link: OneTimeLink, typed: str, *, at: datetime) -> bool:
    """Whether the typed code is the link's; every wrong guess counts, and after a few the code is dead (S18)."""
    if not link.usable(at) or link.guesses >= GUESSES:
        return False
    if hmac.compare_digest(link.code.encode(), "".join(typed.split()).encode()):
        return use(link, at=at)
    link.guesses += 1
    return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
