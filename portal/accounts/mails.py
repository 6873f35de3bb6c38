"""What accounts write by mail, and to whom."""

from datetime import datetime

from portal.accounts import queries
from portal.accounts.models import User
from portal.core import outbox
from portal.core.access import Actor, Side
from portal.core.tokens import OneTimeLink


def invitation(user: User, *, by: Actor, at: datetime, about: str) -> None:
    """`about` is 'colleague', or 'first_admin' for the first customer admin of an added customer."""
    outbox.post(
        f"accounts/{about}",
        to=user.email,
        organization_id=by.organization_id or user.organization_id,
        at=at,
        in_language=user.language,
        reply_to=(by.name, by.email) if by.email else None,
        link=user.activation_link,
        path="/activation/",
        name=user.name,
        organization=user.organization.name,
        inviter=by.name,
        partner=by.organization_name if by.side is Side.PARTNER else "",
    )


def code(address: str, link: OneTimeLink, *, organization_id: int | None, language: str | None, at: datetime) -> None:
    outbox.post("accounts/code", to=address, organization_id=organization_id, at=at, in_language=language, link=link, path="")


def already_known(address: str, *, organization_id: int | None, language: str | None, at: datetime) -> None:
    outbox.post("accounts/already_known", to=address, organization_id=organization_id, at=at, in_language=language)


def reset(user: User, *, at: datetime, by: Actor | None = None) -> None:
    """`by` is somebody who looks after this person; without, it was wished for on the page."""
    outbox.post(
        "accounts/reset",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        link=user.reset_link,
        path="/forgotten-password/",
        reply_to=(by.name, by.email) if by else None,
        name=user.name,
        sender=by.name if by else "",
        organization=by.organization_name if by else "",
    )


def password_changed(user: User, *, at: datetime) -> None:
    outbox.post(
        "accounts/password_changed",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        name=user.name,
        at_moment=at,
        zone=user.time_zone,
    )


def roles_changed(user: User, *, by: Actor, at: datetime) -> None:
    outbox.post(
        "accounts/roles_changed",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        name=user.name,
        changer=by.name,
        partner=by.organization_name if by.organization_id != user.organization_id else "",
        roles=[queries.ROLE_NAMES[role] for role in queries.ROLE_NAMES if role in user.roles],
    )
