"""What orders write by mail: to a customer's admins what was ordered for them, and between a reseller and its provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.core.scope import Scope, scoped
from portal.customers.models import Customer
from portal.subscriptions import texts_orders
from portal.subscriptions.mails import admins, orderers
from portal.subscriptions.models import Order, OrderState

if TYPE_CHECKING:
    from portal.subscriptions.ordering import Quote, Totals


def placed(order: Order, lines: Sequence["Quote"], totals: "Totals", *, at: datetime) -> None:
    partner = db.session.get_one(Organization, order.partner_id).name
    for user in admins(order.customer_id or 0, Role.CUSTOMER_ADMIN):
        _post("placed", user, order, at, partner=partner, order_id=order.public_id, lines=lines, totals=totals)


def requested(order: Order, record: Customer, lines: Sequence["Quote"], *, by: Actor, at: datetime) -> None:
    """To everybody of the provider who may place it; answers go to the person who asked."""
    for user in orderers(order.partner_id):
        _post("requested", user, order, at, reply_to=(by.name, by.email), reseller=by.organization_name, person=by.name, lines=lines, **_of(record, order))


def withdrawn(order: Order, record: Customer, *, by: Actor, at: datetime) -> None:
    for user in orderers(order.partner_id):
        _post("withdrawn", user, order, at, reseller=by.organization_name, person=by.name, **_of(record, order))


def answered(order: Order, *, by: Actor, at: datetime) -> None:
    """To whoever asked for it, or when that person has left, to the reseller's global admins. The customer has the reseller's own name for it (R13)."""
    assert order.reseller_id is not None
    with scoped(Scope(partner_id=order.reseller_id)):
        record = db.session.scalar(sa.select(Customer).where(Customer.customer_id == order.customer_id))
    author = db.session.get(User, order.author_id) if order.author_id else None
    present = author is not None and author.state is UserState.ACTIVE
    context: dict[str, Any] = {
        "is_placed": order.state is OrderState.PLACED,
        "reason": order.declined_reason,
        "provider": db.session.get_one(Organization, order.partner_id).name,
    }
    for user in [author] if author is not None and present else admins(order.reseller_id, Role.GLOBAL_ADMIN):
        _post("answered", user, order, at, **context, **_of(record, order))


def _of(record: Customer | None, order: Order) -> dict[str, Any]:
    """The customer as this side names it, and where this side reads the order."""
    if record is None:
        return {"customer": "", "url": "/orders"}
    return {"customer": record.name, "url": f"/customers/{record.public_id}/orders/{order.public_id}"}


def _post(kind: str, user: User, order: Order, at: datetime, *, reply_to: tuple[str, str] | None = None, **context: Any) -> None:
    outbox.post(
        f"orders/{kind}",
        to=user.email,
        organization_id=user.organization_id,
        at=at,
        in_language=user.language,
        reply_to=reply_to,
        name=user.name,
        number=texts_orders.number(order),
        **context,
    )
