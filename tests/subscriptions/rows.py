"""Offers and orders for the tests of subscriptions; each function commits nothing."""

from datetime import datetime

import sqlalchemy as sa

from portal.core.access import Actor, Cloud, Side
from portal.core.db import db, uuid7
from portal.core.money import Money
from portal.customers import queries as customers
from portal.customers.models import Customer
from portal.subscriptions import catalog, ordering
from portal.subscriptions.catalog import OfferEntry
from portal.subscriptions.models import Offer, Order, Subscription
from tests.support import make


def offer(sku: str, *, by: Actor, at: datetime, price: int | None = 1200, **details: object) -> Offer:
    """An offer with a price in EUR cents that holds from today on."""
    values = {
        "publisher": "Nordlicht",
        "name": f"Offer {sku}",
        "category": "Productivity",
        "billing": "licence",
        "cycle": "monthly",
        "term_months": 12,
        **details,
    }
    made = catalog.add_offer(OfferEntry(sku=sku, **values), by=by, at=at)  # type: ignore[arg-type]
    if price is not None:
        catalog.set_price(made, Money(price, "EUR"), cost=None, from_on=at.date(), by=by, at=at)
    return made


def tellier() -> Customer:
    """Maison Tellier's record with the partner in scope."""
    record = customers.record_of(make.organization("maison-tellier.example").id)
    assert record is not None
    return record


def place(lines: dict[Offer, int], *, by: Actor, at: datetime, key: object = None) -> Order:
    quoted = ordering.quotes({str(item.public_id): number for item, number in lines.items()}, tellier(), cloud=Cloud.PUBLIC, today=at.date())
    return ordering.place(key or uuid7(), quoted, tellier(), side=Side.PARTNER, by=by, at=at)  # type: ignore[arg-type]


def subscription_of(item: Offer) -> Subscription:
    return db.session.scalars(sa.select(Subscription).where(Subscription.offer_id == item.id).order_by(Subscription.id.desc()).limit(1)).one()
