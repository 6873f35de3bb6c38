"""The catalog: offers, their prices from a day on, and why an offer cannot be ordered for a customer (R80, R81)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core import audit
from portal.core.access import Actor, Cloud
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.money import Money
from portal.core.places import market
from portal.customers.models import Customer, Segment
from portal.customers.service import name_key, searchable
from portal.subscriptions.models import Billing, Cycle, Offer, OfferPrice, Subscription, SubscriptionState

TERMS = (1, 12, 36)
MOST_PIECES = 100_000


class Unavailable(StrEnum):
    """Why an offer cannot be ordered now (R81); texts.UNAVAILABLE says it in words."""

    WITHDRAWN = "withdrawn"
    CLOUD = "cloud"
    MARKET = "market"
    SEGMENT = "segment"
    NO_PRICE = "no_price"
    ALREADY_THERE = "already_there"
    NO_BASE = "no_base"


@dataclass(frozen=True)
class OfferEntry:
    """What the editor and the import hold of an offer; `add_on_of` is the base's SKU."""

    sku: str
    publisher: str
    name: str
    category: str
    billing: str
    cycle: str
    term_months: int
    description: str = ""
    segment: str = ""
    minimum: int = 1
    maximum: int = 10_000
    one_per_customer: bool = False
    trial_days: int = 0
    add_on_of: str = ""
    clouds: list[str] = field(default_factory=list)
    markets: list[str] = field(default_factory=list)
    instance_type: str = ""
    region: str = ""


@dataclass(frozen=True)
class Standing:
    """What of a customer decides which offers it can have: loaded once for a whole page of offers."""

    cloud: Cloud
    market: str
    segment: Segment
    has: frozenset[int]  # offers of its live subscriptions
    bases: frozenset[int]  # offers of its active subscriptions past their trial


def add_offer(entry: OfferEntry, *, by: Actor, at: datetime) -> Offer:
    values = _values(entry, None)
    if _offer_by_sku(entry.sku) is not None:
        raise Refused(_("An offer with this SKU stands in the catalog already."), field="sku")
    offer = Offer(partner_id=by.organization_id, created_at=at, **values)
    db.session.add(offer)
    db.session.flush()
    audit.record("offer.added", by=by, at=at, after={"sku": offer.sku, "name": offer.name}, subject=offer.public_id)
    return offer


def change_offer(offer: Offer, entry: OfferEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """Subscriptions that exist keep what was agreed until they renew."""
    if version is not None and version != offer.version:
        raise Stale(_("Somebody else changed this offer while you had it open. Compare, then save again."))
    same = _offer_by_sku(entry.sku)
    if same is not None and same.id != offer.id:
        raise Refused(_("An offer with this SKU stands in the catalog already."), field="sku")
    values = _values(entry, offer)
    before, after = audit.changes({name: getattr(offer, name) for name in values}, values)
    for name, value in after.items():
        setattr(offer, name, value)
    shown = {name for name in after if name not in ("name_key", "search_text")}
    if shown:
        log = {name: before[name] for name in shown}, {name: after[name] for name in shown}
        audit.record("offer.updated", by=by, at=at, before={"sku": offer.sku, **log[0]}, after={"sku": offer.sku, **log[1]}, subject=offer.public_id)


def withdraw(offer: Offer, *, reason: str, by: Actor, at: datetime) -> None:
    """No new orders; what customers have goes on."""
    if not offer.withdrawn:
        offer.withdrawn, offer.withdrawn_reason = True, reason
        audit.record("offer.withdrawn", by=by, at=at, after={"sku": offer.sku, "reason": reason}, subject=offer.public_id)


def restore(offer: Offer, *, by: Actor, at: datetime) -> None:
    if offer.withdrawn:
        offer.withdrawn, offer.withdrawn_reason = False, ""
        audit.record("offer.restored", by=by, at=at, after={"sku": offer.sku}, subject=offer.public_id)


def set_price(offer: Offer, price: Money, *, cost: Money | None, from_on: date, by: Actor, at: datetime) -> None:
    """Holds from that day on, for new orders and for renewals; a price for the same day and currency is replaced."""
    if cost is not None and cost.currency != price.currency:
        raise Refused(_("Price and cost are in one currency."), field="cost")
    if from_on < at.date():
        raise Refused(_("A price holds from today on, or from a later day."), field="from_on")
    row = db.session.scalar(
        sa.select(OfferPrice).where(OfferPrice.offer_id == offer.id, OfferPrice.currency == price.currency, OfferPrice.from_on == from_on).with_for_update()
    )
    before = {"price": str(row.price.amount)} if row else {}
    if row is None:
        row = OfferPrice(partner_id=offer.partner_id, offer_id=offer.id, currency=price.currency, from_on=from_on)
        db.session.add(row)
    row.price_minor, row.cost_minor = price.minor, cost.minor if cost else None
    db.session.flush()
    audit.record("offer.priced", by=by, at=at, before=before, after={"sku": offer.sku, "price": str(price.amount), "currency": price.currency, "from": from_on})


def price_on(offer_id: int, currency: str, day: date) -> Money | None:
    """What one piece costs on this day; None when there is no price in this currency yet."""
    return prices_on([offer_id], currency, day).get(offer_id)


def prices_on(offer_ids: Iterable[int], currency: str, day: date) -> dict[int, Money]:
    """The same for several offers, in one statement."""
    holds = (
        sa.select(OfferPrice.offer_id, sa.func.max(OfferPrice.from_on).label("from_on"))
        .where(OfferPrice.offer_id.in_(list(offer_ids)), OfferPrice.currency == currency, OfferPrice.from_on <= day)
        .group_by(OfferPrice.offer_id)
        .subquery()
    )
    rows = db.session.execute(
        sa.select(OfferPrice.offer_id, OfferPrice.price_minor).join(
            holds, sa.and_(holds.c.offer_id == OfferPrice.offer_id, holds.c.from_on == OfferPrice.from_on, OfferPrice.currency == currency)
        )
    )
    return {offer_id: Money(minor, currency) for offer_id, minor in rows}


def standing(customer: Customer, cloud: Cloud) -> Standing:
    live = db.session.execute(
        sa.select(Subscription.offer_id, Subscription.state, Subscription.trial_ends_on).where(
            Subscription.customer_id == customer.customer_id, Subscription.state.in_([SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED])
        )
    ).all()
    return Standing(
        cloud,
        market(customer.country),
        customer.segment,
        frozenset(row.offer_id for row in live),
        frozenset(row.offer_id for row in live if row.state is SubscriptionState.ACTIVE and row.trial_ends_on is None),
    )


def unavailable(offer: Any, price: Money | None, customer: Standing) -> Unavailable | None:
    """Why this customer cannot have this offer now; None when it can. `offer` is an Offer or a row with its columns."""
    reasons = {
        Unavailable.WITHDRAWN: offer.withdrawn,
        Unavailable.CLOUD: bool(offer.clouds) and customer.cloud.value not in offer.clouds,
        Unavailable.MARKET: bool(offer.markets) and customer.market not in offer.markets,
        Unavailable.SEGMENT: offer.segment is not None and offer.segment is not customer.segment,
        Unavailable.NO_PRICE: price is None,
        Unavailable.ALREADY_THERE: offer.one_per_customer and offer.id in customer.has,
        Unavailable.NO_BASE: offer.add_on_of_id is not None and offer.add_on_of_id not in customer.bases,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def entry_of(offer: Offer) -> OfferEntry:
    """An offer as the editor shows it."""
    base = db.session.scalar(sa.select(Offer.sku).where(Offer.id == offer.add_on_of_id)) if offer.add_on_of_id else None
    values = {item.name: getattr(offer, item.name) for item in fields(OfferEntry) if item.name != "add_on_of"}
    plain: dict[str, Any] = {name: (value.value if isinstance(value, StrEnum) else "" if value is None else value) for name, value in values.items()}
    return OfferEntry(**plain, add_on_of=base or "")


def _values(entry: OfferEntry, offer: Offer | None) -> dict[str, Any]:
    """The columns of an offer, checked against each other."""
    if not 1 <= entry.minimum <= entry.maximum <= MOST_PIECES:
        raise Refused(_("The least number must not be above the most."), field="maximum")
    if entry.term_months not in TERMS or (entry.cycle == Cycle.ANNUAL and entry.term_months < 12):
        raise Refused(_("A term of one month is billed monthly."), field="term_months")
    if bool(entry.instance_type) != bool(entry.region):
        raise Refused(_("A reservation has both an instance type and a region."), field="region" if entry.instance_type else "instance_type")
    base = _offer_by_sku(entry.add_on_of) if entry.add_on_of else None
    if entry.add_on_of and (base is None or base.add_on_of_id is not None or (offer is not None and base.id == offer.id)):
        raise Refused(_("Give the SKU of an offer in your catalog that is no add-on itself."), field="add_on_of")
    if entry.trial_days and (base is not None or entry.instance_type):
        raise Refused(_("Add-ons and reservations have no trial."), field="trial_days")
    return {
        "sku": entry.sku,
        "publisher": entry.publisher,
        "name": entry.name,
        "name_key": name_key(entry.name),
        "search_text": searchable(entry.name, entry.publisher, entry.sku, entry.category),
        "description": entry.description,
        "category": entry.category,
        "segment": Segment(entry.segment) if entry.segment else None,
        "billing": Billing(entry.billing),
        "cycle": Cycle(entry.cycle),
        "term_months": entry.term_months,
        "minimum": entry.minimum,
        "maximum": entry.maximum,
        "one_per_customer": entry.one_per_customer,
        "trial_days": entry.trial_days,
        "add_on_of_id": base.id if base else None,
        "clouds": sorted(entry.clouds),
        "markets": sorted(entry.markets),
        "instance_type": entry.instance_type or None,
        "region": entry.region or None,
    }


def _offer_by_sku(sku: str) -> Offer | None:
    return db.session.scalar(sa.select(Offer).where(Offer.sku == sku))
