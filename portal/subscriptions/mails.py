"""What subscriptions write by mail: before they renew, end or expire, and when they are over."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import outbox
from portal.core.access import PARTNER_ROLES, POLICY, Actor, Permission, Role
from portal.core.db import Key, db, limited
from portal.core.scope import Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions.models import Order, Subscription, SubscriptionState

MOST = 20  # people told


def turning(row: Subscription, *, at: datetime) -> None:
    """It renews, ends, becomes paid or expires soon; of an expiry the customer's admins are told too."""
    customer = _customer(row)
    if customer is None:
        return
    suspended = row.state is SubscriptionState.SUSPENDED
    context = {"suspended": suspended, "trial": row.trial_ends_on is not None, "renews": row.auto_renew, "day": row.turns_on}
    for user in _sellers(row):
        _post(row, "turning", user, at, customer=customer.name, customer_id=customer.public_id, **context)
    if suspended and customer.state is not RelationshipState.PENDING:
        for user in _customer_admins(row):
            _post(row, "expiring_customer", user, at, partner=_partner(row), day=row.turns_on)


def ended(row: Subscription, add_ons: Iterable[Subscription], *, at: datetime) -> None:
    """Its time was up: it expired, or was cancelled at its renewal."""
    customer = _customer(row)
    if customer is None:
        return
    context = {"expired": row.state is SubscriptionState.EXPIRED, "add_ons": [add_on.shown_name for add_on in add_ons]}
    for user in _sellers(row):
        _post(row, "ended", user, at, customer=customer.name, customer_id=customer.public_id, **context)
    for user in _customer_admins(row) if customer.state is not RelationshipState.PENDING else ():
        _post(row, "ended_customer", user, at, partner=_partner(row), **context)


def named(as_what: str, row: Subscription, reseller: Organization, *, by: Actor, at: datetime) -> None:
    """To the reseller's global admins: it is the "reseller" or the "support_contact" now, or the reseller no more ("no_reseller").

    The customer and what it has are named only if the reseller serves it too (R2).
    """
    with scoped(Scope(partner_id=reseller.id)):
        statement = sa.select(Customer).where(Customer.customer_id == row.customer_id, Customer.state == RelationshipState.ACTIVE)
        own = db.session.scalar(statement)
    for user in admins(reseller.id, Role.GLOBAL_ADMIN):
        outbox.post(
            "subscriptions/named",
            to=user.email,
            organization_id=user.organization_id,
            at=at,
            in_language=user.language,
            reply_to=(by.name, by.email),
            name=user.name,
            as_what=as_what,
            person=by.name,
            provider=by.organization_name,
            customer=own.name if own else "",
            subscription=row.shown_name if own else "",
            url=f"/customers/{own.public_id}/subscriptions/{row.public_id}" if own and as_what == "reseller" else "",
        )


def _post(row: Subscription, kind: str, user: User, at: datetime, **context: Any) -> None:
    outbox.post(
        f"subscriptions/{kind}",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        name=user.name,
        subscription=row.shown_name,
        subscription_id=row.public_id,
        quantity=row.quantity,
        **context,
    )


def _sellers(row: Subscription) -> list[User]:
    """Whoever ordered it, while that person is active; else the partner's global admins."""
    author = sa.select(User).join(Order, Order.author_id == User.id).where(Order.id == row.order_id)
    ordered = db.session.scalar(author.where(User.organization_id == row.partner_id, User.state == UserState.ACTIVE))
    return [ordered] if ordered is not None else admins(row.partner_id, Role.GLOBAL_ADMIN)


def _customer_admins(row: Subscription) -> list[User]:
    assert row.customer_id is not None
    return admins(row.customer_id, Role.CUSTOMER_ADMIN)


def orderers(partner_id: int, *conditions: sa.ColumnElement[bool]) -> list[User]:
    """Everybody of a partner who may order, or those of them whom the conditions leave."""
    may = sa.select(UserRole.user_id).where(UserRole.role.in_([role for role in PARTNER_ROLES if Permission.SUBSCRIPTION_ORDER in POLICY[role]]))
    active = sa.select(User).where(User.organization_id == partner_id, User.state == UserState.ACTIVE, User.id.in_(may), *conditions)
    return list(db.session.scalars(active.order_by(User.id).limit(MOST)))


def admins(organization_id: int, role: Role) -> list[User]:
    return list(db.session.scalars(_ADMINS, {"organization": organization_id, "role": role}))


_active = sa.select(User).where(User.organization_id == sa.bindparam("organization", type_=Key), User.state == UserState.ACTIVE)
_with_role = _active.join(UserRole, UserRole.user_id == User.id).where(UserRole.role == sa.bindparam("role", type_=UserRole.role.type))
_ADMINS = limited(_with_role.order_by(User.id), MOST)


def _customer(row: Subscription) -> Customer | None:
    return db.session.scalar(sa.select(Customer).where(Customer.partner_id == row.partner_id, Customer.customer_id == row.customer_id))


def _partner(row: Subscription) -> str:
    return db.session.get_one(Organization, row.partner_id).name
