"""The catalog: offers, their prices from a day on, and why an offer cannot be ordered for a customer (R80, R81)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import aliased

from portal.core import audit
from portal.core.access import Actor, Cloud
from portal.core.db import Key, db
from portal.core.errors import Refused, Stale
from portal.core.money import MOST, Money, currency_of
from portal.core.places import COUNTRIES, market
from portal.customers.models import Customer, Segment
from portal.customers.service import name_key, searchable
from portal.subscriptions.models import Billing, Cycle, Offer, OfferPrice, Subscription, SubscriptionState

TERMS = (1, 12, 36)
RESERVED_TERMS = (12, 36)
MOST_PIECES = 100_000
LONGEST_TRIAL = 365
MARKET_CODES = frozenset(map(market, COUNTRIES))
LENGTHS = {column.name: column.type.length or 0 for column in Offer.__table__.columns if isinstance(column.type, sa.Unicode)}


class Unavailable(StrEnum):
    """Why an offer cannot be ordered now (R81); texts_catalog.UNAVAILABLE says it in words."""

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


PLAIN_FIELDS = tuple(item.name for item in fields(OfferEntry) if item.name != "add_on_of")  # those that columns hold as they are


@dataclass(frozen=True)
class Standing:
    """What of a customer decides which offers it can have: loaded once for a whole page of offers."""

    cloud: Cloud
    market: str
    segment: Segment
    currency: str
    has: frozenset[int] = frozenset()  # offers of its live subscriptions
    bases: Mapping[int, Any] = field(default_factory=dict)  # by offer, the latest of its active subscriptions past their trial


def add_offer(entry: OfferEntry, *, by: Actor, at: datetime) -> Offer:
    base = offer_by_sku(entry.add_on_of)
    check(entry, base)
    if offer_by_sku(entry.sku) is not None:
        raise Refused(_("An offer with this SKU stands in the catalog already."), field="sku")
    offer = Offer(partner_id=by.organization_id, created_at=at, **columns_of(entry, base.id if base else None))
    db.session.add(offer)
    db.session.flush()
    log_addition(offer.public_id, entry, by=by, at=at)
    return offer


def change_offer(offer: Offer, entry: OfferEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """Subscriptions that exist keep what was agreed until they renew."""
    present = entry_of(offer)
    if version is not None and version != offer.version:
        before, after = audit.changes(vars(present), vars(entry))
        changed = {name: (_said(before[name]), _said(after[name])) for name in after}
        raise Stale(_("Somebody else changed this offer while you had it open. Compare, then save again."), changed)
    same = offer_by_sku(entry.sku)
    if same is not None and same.id != offer.id:
        raise Refused(_("An offer with this SKU stands in the catalog already."), field="sku")
    base = offer_by_sku(entry.add_on_of)
    check(entry, base, offer_id=offer.id)
    if entry.add_on_of and with_add_ons([offer.id]):
        raise Refused(_("This offer has add-ons, so it cannot be one itself."), field="add_on_of")
    write(offer, present, entry, base_id=base.id if base else None, by=by, at=at)


def write(offer: Offer, present: OfferEntry, entry: OfferEntry, *, base_id: int | None, by: Actor, at: datetime) -> None:
    """Put what was checked into the offer, and log what differs from the `present` entry."""
    for name, value in columns_of(entry, base_id).items():
        if getattr(offer, name) != value:
            setattr(offer, name, value)
    before, after = audit.changes(vars(present), vars(entry))
    if after:
        audit.record("offer.updated", by=by, at=at, before={"sku": present.sku, **before}, after={"sku": entry.sku, **after}, subject=offer.public_id)


def withdraw(offer: Offer, *, reason: str, by: Actor, at: datetime) -> None:
    """No new orders; what customers have goes on."""
    if (offer.withdrawn, offer.withdrawn_reason) != (True, reason):
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
    row = price_row(offer, price.currency, from_on, lock=True)
    before = (row.price, row.cost) if row else None
    if before == (price, cost):
        return
    if row is None:
        row = OfferPrice(partner_id=offer.partner_id, offer_id=offer.id, currency=price.currency, from_on=from_on)
        db.session.add(row)
    row.price_minor, row.cost_minor = price.minor, cost.minor if cost else None
    db.session.flush()
    log_price(offer.public_id, offer.sku, before, (price, cost), from_on, by=by, at=at)


def remove_price(row: OfferPrice, offer: Offer, *, by: Actor, at: datetime) -> None:
    """Only before its day has come: what held once stays in the history."""
    if row.from_on <= at.date():
        raise Refused(_("This price holds already, so it stays. Set a new one that holds from today on."))
    db.session.delete(row)
    gone = {"price": str(row.price.amount), "currency": row.currency, "from": row.from_on}
    audit.record("offer.price_removed", by=by, at=at, before={"sku": offer.sku, **gone}, subject=offer.public_id)


def price_row(offer: Offer, currency: str, from_on: date, *, lock: bool = False) -> OfferPrice | None:
    statement = sa.select(OfferPrice).where(OfferPrice.offer_id == offer.id, OfferPrice.currency == currency, OfferPrice.from_on == from_on)
    return db.session.scalar(statement.with_for_update() if lock else statement)


def log_addition(public_id: UUID, entry: OfferEntry, prices: Sequence[tuple[Money, date]] = (), *, by: Actor, at: datetime) -> None:
    """`prices` are those that came along, each with the day from which it holds."""
    told: dict[str, Any] = {"sku": entry.sku, "name": entry.name}
    if prices:
        told["price"] = [f"{price.amount} {price.currency} ({day.isoformat()})" for price, day in prices]
    audit.record("offer.added", by=by, at=at, after=told, subject=public_id)


def log_price(
    public_id: UUID, sku: str, before: tuple[Money, Money | None] | None, after: tuple[Money, Money | None], from_on: date, *, by: Actor, at: datetime
) -> None:
    """`before` and `after`: a price with its cost. More people read the log than may see what the partner pays, so it tells only that this changed."""
    price, cost = after
    told: dict[str, Any] = {"sku": sku, "price": str(price.amount), "currency": price.currency, "from": from_on}
    if cost != (before[1] if before else None):
        told["cost_changed"] = True
    audit.record("offer.priced", by=by, at=at, before={"price": str(before[0].amount)} if before else {}, after=told, subject=public_id)


def price_on(offer_id: int, currency: str, day: date) -> Money | None:
    """What one piece costs on this day; None when there is no price in this currency yet."""
    return prices_on([offer_id], currency, day).get(offer_id)


def prices_on(offer_ids: Iterable[int], currency: str, day: date) -> dict[int, Money]:
    """The same for several offers, in one statement."""
    return {row.offer_id: Money(row.price_minor, currency) for row in in_force(offer_ids, currency, day)}


def in_force(offer_ids: Iterable[int], currency: str, day: date) -> Sequence[Any]:
    """offer_id, price_minor, cost_minor and from_on of what holds on this day."""
    return db.session.execute(_IN_FORCE, {"offers": list(offer_ids), "currency": currency, "day": day}).all()


def _in_force() -> sa.Select:
    currency = OfferPrice.currency == sa.bindparam("currency", type_=sa.Unicode())
    holds = (
        sa.select(OfferPrice.offer_id, sa.func.max(OfferPrice.from_on).label("from_on"))
        .where(OfferPrice.offer_id.in_(sa.bindparam("offers", expanding=True)), currency, OfferPrice.from_on <= sa.bindparam("day", type_=sa.Date()))
        .group_by(OfferPrice.offer_id)
        .subquery()
    )
    same = sa.and_(holds.c.offer_id == OfferPrice.offer_id, holds.c.from_on == OfferPrice.from_on, currency)
    return sa.select(OfferPrice.offer_id, OfferPrice.price_minor, OfferPrice.cost_minor, OfferPrice.from_on).join(holds, same)


_IN_FORCE = _in_force()  # built once: every page with prices asks it


def price_then(currency: Any, day: Any) -> sa.ScalarSelect[int]:
    """Beside an offer, in the same statement: what one piece costs on this day, in minor units."""
    P = aliased(OfferPrice)
    holds = sa.select(P.price_minor).where(P.offer_id == Offer.id, P.currency == currency, P.from_on <= day)
    return holds.order_by(P.from_on.desc()).limit(1).correlate(Offer).scalar_subquery()


_LIVE = sa.select(Subscription.id, Subscription.offer_id, Subscription.state, Subscription.trial_ends_on, Subscription.anchor_on, Subscription.ends_on).where(
    Subscription.customer_id == sa.bindparam("customer", type_=Key), Subscription.state.in_([SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED])
)


_LIVE_NAMING = _LIVE.where(Subscription.reseller_id == sa.bindparam("reseller", type_=Key))


def standing(customer: Customer, cloud: Cloud, *, reseller_id: int | None = None) -> Standing:
    """Where it stands with the partner in scope; for a reseller as far as subscriptions name that one: of others it knows nothing (R41)."""
    known = {"customer": customer.customer_id} | ({} if reseller_id is None else {"reseller": reseller_id})
    live = db.session.execute(_LIVE if reseller_id is None else _LIVE_NAMING, known).all()
    live = sorted(live, key=lambda row: row.id)  # here, since in SQL it would lure the planner to an index of all customers
    return replace(
        newcomer(customer.country, customer.segment, cloud),
        has=frozenset(row.offer_id for row in live),
        bases={row.offer_id: row for row in live if row.state is SubscriptionState.ACTIVE and row.trial_ends_on is None},
    )


def newcomer(country: str, segment: Segment, cloud: Cloud) -> Standing:
    """A customer that has nothing yet."""
    return Standing(cloud, market(country), segment, currency_of(country))


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


def quantities(offer: Offer, unit: Money | None) -> tuple[int, int]:
    """The least and the most that can be ordered at once, at this price; the most is below the least where even that many cost more than can be kept."""
    most = 1 if offer.one_per_customer and offer.billing is Billing.USAGE else offer.maximum
    return offer.minimum, min(most, MOST // unit.minor) if unit is not None and unit.minor else most


def entry_of(offer: Any, base_sku: str | None = None) -> OfferEntry:
    """An offer, or a row with its columns and the SKU of its base, as the editor shows it."""
    if base_sku is None and offer.add_on_of_id:
        base_sku = db.session.scalar(sa.select(Offer.sku).where(Offer.id == offer.add_on_of_id))
    values = {name: getattr(offer, name) for name in PLAIN_FIELDS}
    plain: dict[str, Any] = {name: (value.value if isinstance(value, StrEnum) else "" if value is None else value) for name, value in values.items()}
    return OfferEntry(**plain, add_on_of=base_sku or "")


def blank(sku: str = "") -> OfferEntry:
    """What a new offer begins with."""
    return OfferEntry(sku, "", "", "", Billing.LICENCE.value, Cycle.MONTHLY.value, 12)


def check(entry: OfferEntry, base: Any, *, offer_id: int | None = None) -> None:
    """Refused where parts of an offer contradict each other; `base` is the offer that `add_on_of` names, when there is one."""
    if not 1 <= entry.minimum <= entry.maximum <= MOST_PIECES:
        raise Refused(_("The least number must not be above the most."), field="maximum")
    if entry.term_months not in TERMS or (entry.cycle == Cycle.ANNUAL and entry.term_months < 12):
        raise Refused(_("A term of one month is billed monthly."), field="term_months")
    if bool(entry.instance_type) != bool(entry.region):
        raise Refused(_("A reservation has both an instance type and a region."), field="region" if entry.instance_type else "instance_type")
    if entry.instance_type and entry.term_months not in RESERVED_TERMS:
        raise Refused(_("A reservation is for 1 or 3 years."), field="term_months")
    if entry.instance_type and entry.one_per_customer:
        message = _("Customers buy a reservation as often as they need one. Take this away, and limit how many they buy at once by the maximum quantity.")
        raise Refused(message, field="one_per_customer")
    if entry.add_on_of and (base is None or base.add_on_of_id is not None or (offer_id is not None and base.id == offer_id)):
        raise Refused(_("Give the SKU of an offer in your catalog that is no add-on itself."), field="add_on_of")
    if entry.trial_days and (entry.add_on_of or entry.instance_type):
        raise Refused(_("Add-ons and reservations have no trial."), field="trial_days")
    unknown = next((code for code in entry.markets if code not in MARKET_CODES), None)
    if unknown is not None:
        raise Refused(_("“%(code)s” is no market. Write codes such as EU, US or JP, with commas between them.", code=unknown), field="markets")


def columns_of(entry: OfferEntry, base_id: int | None) -> dict[str, Any]:
    """The columns of an offer."""
    return {
        "sku": entry.sku,
        "publisher": entry.publisher,
        "name": entry.name,
        "name_key": name_key(entry.name),
        "search_text": searchable(entry.name, entry.publisher, entry.sku, entry.category, entry.instance_type, entry.region),
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
        "add_on_of_id": base_id,
        "clouds": sorted(entry.clouds),
        "markets": sorted(entry.markets),
        "instance_type": entry.instance_type or None,
        "region": entry.region or None,
    }


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return ", ".join(value) if isinstance(value, list) else str(value)


def offer_by_sku(sku: str) -> Offer | None:
    return db.session.scalar(sa.select(Offer).where(Offer.sku == sku)) if sku else None


def with_add_ons(offer_ids: Iterable[int]) -> set[int]:
    """Those of these offers that others are add-ons of."""
    return {base_id for base_id in db.session.scalars(sa.select(Offer.add_on_of_id).where(Offer.add_on_of_id.in_(list(offer_ids)))) if base_id is not None}
