"""Who waits for the partner: customers, with what they ask about reservations and want to buy (R74, R76), and resellers, with orders to be placed (R41)."""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core.access import Actor, PartnerType, Permission
from portal.core.db import db, limited
from portal.customers.models import Customer, RelationshipState
from portal.permissions.models import Purchase, PurchaseState
from portal.subscriptions.models import AskedState, Offer, Order, OrderState, RequestKind, Reservation, ReservationRequest
from portal.subscriptions.texts_orders import number_of

MOST = 10  # lines of each kind


@dataclass(frozen=True, slots=True)
class Waiting:
    """`wish` is what is asked about a reservation; `reseller` is who asked for an order; a purchase has neither."""

    public_id: UUID
    name: str
    customer_id: UUID
    customer: str
    wish: RequestKind | None
    reseller: str
    since: datetime

    @property
    def url(self) -> str:
        if self.wish:
            return f"/customers/{self.customer_id}/reservations/{self.public_id}"
        return f"/customers/{self.customer_id}/orders/{self.public_id}" if self.reseller else f"/purchases/{self.public_id}"


def waiting(actor: Actor) -> list[Waiting]:
    """The longest first, of each kind at most one more than MOST, in one statement; each kind for those who see it."""
    kinds = tuple(kind for kind, needed in _NEEDED.items() if actor.may(needed) and (kind != "order" or actor.partner_type is PartnerType.INDIRECT_PROVIDER))
    rows = db.session.execute(_statement(kinds)).all() if kinds else []
    return sorted(map(_line, rows), key=lambda line: line.since)


def _line(row: Any) -> Waiting:
    wish = RequestKind(row.wish) if row.wish else None
    name = row.name or number_of(row.since, row.public_id)
    return Waiting(row.public_id, name, row.customer_id, row.customer, wish, row.reseller or "", row.since)


def _requests() -> sa.Select:
    A = ReservationRequest
    statement = sa.select(
        Reservation.public_id, Reservation.name, *_customer(), sa.cast(A.kind, sa.Unicode(32)).label("wish"), _no("reseller", 200), A.asked_at.label("since")
    )
    statement = statement.select_from(A).join(Reservation, Reservation.id == A.reservation_id).join(Customer, _of(A))
    return limited(statement.where(A.state == AskedState.OPEN).order_by(A.id), MOST + 1)


def _purchases() -> sa.Select:
    B = Purchase
    statement = sa.select(B.public_id, Offer.name, *_customer(), _no("wish", 32), _no("reseller", 200), B.asked_at.label("since"))
    statement = statement.select_from(B).join(Offer, Offer.id == B.offer_id).join(Customer, _of(B))
    return limited(statement.where(B.state == PurchaseState.WAITING).order_by(B.id), MOST + 1)


def _orders() -> sa.Select:
    """What resellers ask their provider to place; it has a number for a name."""
    C = Order
    statement = sa.select(C.public_id, _no("name", 200), *_customer(), _no("wish", 32), Organization.name.label("reseller"), C.ordered_at.label("since"))
    statement = statement.select_from(C).join(Organization, Organization.id == C.reseller_id).join(Customer, _of(C))
    return limited(statement.where(C.state == OrderState.REQUESTED).order_by(C.id), MOST + 1)


_KINDS: dict[str, Any] = {"request": _requests, "purchase": _purchases, "order": _orders}
_NEEDED = {"request": Permission.SUBSCRIPTION_READ, "purchase": Permission.BUYING_READ, "order": Permission.SUBSCRIPTION_READ}


@functools.cache
def _statement(kinds: tuple[str, ...]) -> sa.CompoundSelect:
    """Built once for each set of permissions."""
    return sa.union_all(*(sa.select(_KINDS[kind]().subquery()) for kind in kinds))


def _no(label: str, length: int) -> Any:
    return sa.cast(sa.null(), sa.Unicode(length)).label(label)


def _customer() -> tuple[Any, Any]:
    return Customer.public_id.label("customer_id"), Customer.name.label("customer")


def _of(model: Any) -> Any:
    """The partner's record of the customer, which has consented: of others nothing is open (R19)."""
    return sa.and_(Customer.customer_id == model.customer_id, Customer.partner_id == model.partner_id, Customer.state != RelationshipState.PENDING)
