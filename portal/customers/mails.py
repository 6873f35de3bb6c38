"""What customer records write by mail."""

from datetime import datetime

import sqlalchemy as sa

from portal.accounts.models import User, UserRole, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.customers.models import Customer


def first_admin(customer: Customer, admin: User, *, at: datetime) -> None:
    """To the partner's global admins: the customer's first admin is in."""
    statement = (
        sa.select(User)
        .join(UserRole, UserRole.user_id == User.id)
        .where(User.organization_id == customer.partner_id, User.state == UserState.ACTIVE, UserRole.role == Role.GLOBAL_ADMIN)
        .limit(20)
    )
    for user in db.session.scalars(statement).unique():
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
