"""What customers' purchases write by mail: to the partner's people who may approve them, and to the buyer."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import outbox
from portal.core.access import PARTNER_ROLES, POLICY, Actor, Permission, Role
from portal.core.db import db
from portal.customers.models import Customer
from portal.permissions.models import BuyingPermission, Notice, Purchase
from portal.subscriptions.models import Order
from portal.subscriptions.texts import SCOPE_NAMES
from portal.subscriptions.texts_catalog import TERM_NAMES

MOST = 100  # people told
APPROVERS = tuple(role for role in PARTNER_ROLES if Permission.PURCHASE_APPROVE in POLICY[role])


def waiting(purchase: Purchase, permission: BuyingPermission, customer: Customer, *, at: datetime) -> None:
    """To everybody who may approve it: the page behind the link asks before it does anything, so what opens links in mail changes nothing."""
    for user in _people(purchase.partner_id, APPROVERS):
        _post("waiting", user, purchase, at, customer=customer.name, above=permission.approval_above)


def placed(purchase: Purchase, permission: BuyingPermission, customer: Customer, *, at: datetime) -> None:
    """The immediate notice of a purchase, to whom the partner wants told (R76)."""
    for user in _noticed(permission):
        _post("placed", user, purchase, at, customer=customer.name, limit=permission.monthly_limit, customer_id=customer.public_id)


def approved(purchase: Purchase, order: Order, *, by: Actor, at: datetime) -> None:
    _to_buyer("approved", purchase, at, person=by.name, order_id=order.public_id)


def declined(purchase: Purchase, *, by: Actor, at: datetime) -> None:
    _to_buyer("declined", purchase, at, person=by.name, reason=" ".join(purchase.declined_reason.split()))


def _to_buyer(kind: str, purchase: Purchase, at: datetime, **context: Any) -> None:
    user = db.session.get_one(User, purchase.author_id)
    if user.state is UserState.ACTIVE:
        _post(kind, user, purchase, at, partner=db.session.get_one(Organization, purchase.partner_id).name, **context)


def _post(kind: str, user: User, purchase: Purchase, at: datetime, **context: Any) -> None:
    outbox.post(
        f"permissions/{kind}",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        name=user.name,
        purchase=purchase,
        term=TERM_NAMES[purchase.wanted["term_months"]],
        scope=SCOPE_NAMES[purchase.wanted["scope"]],
        **context,
    )


def _noticed(permission: BuyingPermission) -> list[User]:
    """Whoever turned it on, while that person is active; else the global admins."""
    if permission.notice is Notice.ALL_AGENTS:
        return _people(permission.partner_id, APPROVERS)
    if permission.notice is Notice.NOBODY:
        return []
    author = db.session.get(User, permission.changed_by_id) if permission.changed_by_id else None
    return [author] if author is not None and author.state is UserState.ACTIVE else _people(permission.partner_id, (Role.GLOBAL_ADMIN,))


def _people(organization_id: int, roles: tuple[Role, ...]) -> list[User]:
    named = sa.exists().where(UserRole.user_id == User.id, UserRole.role.in_(roles))
    active = sa.select(User).where(User.organization_id == organization_id, User.state == UserState.ACTIVE, named)
    return list(db.session.scalars(active.order_by(User.id).limit(MOST)).unique())
