"""Which links this browser has opened: kept in the signed cookie, so that addresses go on without their tokens (S23)."""

from uuid import UUID

from flask import session

from portal.core.tokens import OneTimeLink

MOST_LINKS = 20


def held() -> dict[str, int]:
    """The generation of each link that was opened, by the public key of what it leads to."""
    found: dict[str, int] = session.get("links", {})
    return found


def keep(public_id: UUID, link: OneTimeLink) -> None:
    key = str(public_id)
    kept = sorted(item for item in held().items() if item[0] != key)[1 - MOST_LINKS :]
    session["links"] = dict([*kept, (key, link.generation)])
