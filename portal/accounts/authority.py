"""Who may do what with whose account (R1, R3, R30), and how the log tells of it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import queries
from portal.accounts.models import Organization, User, UserState
from portal.core import audit
from portal.core.access import CUSTOMER_ROLES, PARTNER_ROLES, Actor, Role, Side, grantable_roles
from portal.core.db import db
from portal.core.errors import Forbidden, NotFound, Refused

DELEGABLE_ROLES = tuple(role for role in CUSTOMER_ROLES if role is not Role.CUSTOMER_ADMIN)  # what a partner may grant at a customer (R30)


def check_grant(by: Actor, roles: frozenset[Role], organization: Organization) -> None:
    """Only roles that this person may grant, and only of the organization's own side (R3)."""
    side_roles = PARTNER_ROLES if organization.side is Side.PARTNER else CUSTOMER_ROLES
    if not roles <= set(side_roles):
        raise NotFound("role of the other side")
    if by.user_id is not None and not roles <= set(_grantable(by, organization)):  # the portal itself grants what it is told
        raise Forbidden("roles beyond this person's to grant")


def _grantable(by: Actor, organization: Organization) -> tuple[Role, ...]:
    if by.organization_id == organization.id:
        return grantable_roles(by)
    if by.side is not Side.PARTNER or organization.side is not Side.CUSTOMER:
        return ()
    return CUSTOMER_ROLES if _sets_up(by, organization) else DELEGABLE_ROLES


def may_touch(user: User, by: Actor) -> bool:
    """A user management admin touches no global admin's account (R3), a partner no customer admin's (R30)."""
    if by.user_id is not None and by.organization_id != user.organization_id:
        return Role.CUSTOMER_ADMIN not in user.roles or _sets_up(by, user.organization)
    return Role.GLOBAL_ADMIN not in user.roles or Role.GLOBAL_ADMIN in by.roles


def protect_admins(user: User, by: Actor) -> None:
    if not may_touch(user, by):
        raise Forbidden("this account is not this person's to touch (R3, R30)")


def _sets_up(by: Actor, organization: Organization) -> bool:
    """Whether this partner added the customer and still brings in its first admin (R16, R18)."""
    return organization.added_by_id == by.organization_id and not queries.active_admins(organization.id, organization.side)


def keep_last_admin(user: User, roles: frozenset[Role]) -> None:
    """R1; the organization's row is locked, so that two admins cannot take each other out at the same moment."""
    side = user.organization.side
    role = Role.GLOBAL_ADMIN if side is Side.PARTNER else Role.CUSTOMER_ADMIN
    if role not in user.roles or role in roles or user.state is not UserState.ACTIVE:
        return
    db.session.execute(sa.select(Organization.id).where(Organization.id == user.organization_id).with_for_update(key_share=True))
    if queries.active_admins(user.organization_id, side) == [user.id]:
        raise Refused(_("%(name)s is the last admin of the organization. Make somebody else an admin first.", name=user.name))


def record(action: str, user: User, *, by: Actor, at: datetime, before: dict[str, Any] | None = None, **after: Any) -> None:
    """Log what was done to this person, in their organization's chain too; of a partner's people it tells which partner's (R30)."""
    if by.user_id is not None and by.organization_id != user.organization_id:
        after["partner"] = by.organization_name
    audit.record(action, by=by, at=at, customer=as_customer(user.organization), seen_by=(user.organization_id,), before=before, after=after)


def as_actor(user: User) -> Actor:
    return Actor(
        user_id=user.id,
        name=user.name,
        email=user.email,
        organization_id=user.organization_id,
        organization_name=user.organization.name,
        side=user.organization.side,
    )


def as_customer(organization: Organization) -> audit.Customer | None:
    return audit.Customer(organization.id, organization.name) if organization.side is Side.CUSTOMER else None
