"""What customer records write by mail."""

from datetime import datetime

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.core.scope import Scope, scoped
from portal.customers.models import Customer, RelationshipState


def first_admin(customer: Customer, admin: User, *, at: datetime) -> None:
    """To the partner's global admins: the customer's first admin is in."""
    for user in _global_admins(customer.partner_id):
        outbox.post(
            "customers/first_admin",
            to=user.email,
            organization_id=customer.partner_id,
            at=at,
            in_language=user.language,
            customer=customer.name,
            person=admin.name,
            email=admin.email,
            customer_id=customer.public_id,
        )


def agreement_wanted(customer: Customer, admins: list[int], *, by: Actor, at: datetime) -> None:
    """To the customer's admins: please read and accept the agreement."""
    for user in db.session.scalars(sa.select(User).where(User.id.in_(admins)).limit(20)).unique():
        outbox.post(
            "customers/agreement_wanted",
            to=user.email,
            organization_id=customer.partner_id,
            at=at,
            in_language=user.language,
            reply_to=(by.name, by.email),
            name=user.name,
            partner=by.organization_name,
            person=by.name,
        )


def reseller_named(customer: Customer, reseller: Organization, *, by: Actor, at: datetime) -> None:
    """To the reseller's global admins: a provider's record names it. The customer has a name in it only if it is the reseller's own too (R2)."""
    with scoped(Scope(partner_id=reseller.id)):
        own = db.session.execute(
            sa.select(Customer.name, Customer.public_id).where(Customer.customer_id == customer.customer_id, Customer.state == RelationshipState.ACTIVE)
        ).one_or_none()
    for user in _global_admins(reseller.id):
        outbox.post(
            "customers/reseller_named",
            to=user.email,
            organization_id=reseller.id,
            at=at,
            in_language=user.language,
            reply_to=(by.name, by.email),
            name=user.name,
            provider=by.organization_name,
            person=by.name,
            customer=own.name if own else "",
            customer_id=own.public_id if own else "",
        )


def _global_admins(organization_id: int) -> list[User]:
    statement = (
        sa.select(User)
        .join(UserRole, UserRole.user_id == User.id)
        .where(User.organization_id == organization_id, User.state == UserState.ACTIVE, UserRole.role == Role.GLOBAL_ADMIN)
        .limit(20)
    )
    return list(db.session.scalars(statement).unique())
