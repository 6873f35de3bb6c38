"""What orders write by mail: a customer's admins hear what their partner ordered for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from portal.accounts.models import Organization
from portal.core import outbox
from portal.core.access import Role
from portal.core.db import db
from portal.subscriptions import texts_orders
from portal.subscriptions.mails import admins
from portal.subscriptions.models import Order

if TYPE_CHECKING:
    from portal.subscriptions.ordering import Quote, Totals


def placed(order: Order, lines: Sequence["Quote"], totals: "Totals", *, at: datetime) -> None:
    partner = db.session.get_one(Organization, order.partner_id).name
    for user in admins(order.customer_id or 0, Role.CUSTOMER_ADMIN):
        outbox.post(
            "orders/placed",
            to=user.email,
            organization_id=user.organization_id,
            at=at,
            in_language=user.language,
            name=user.name,
            partner=partner,
            order_id=order.public_id,
            number=texts_orders.number(order),
            lines=lines,
            totals=totals,
        )
