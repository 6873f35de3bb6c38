"""Reads of the catalog: the list with its search, an offer's page, and everything for the export."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.core.db import db, limited
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.core.money import Money, currencies
from portal.core.scope import current_scope
from portal.customers.models import Segment
from portal.subscriptions import catalog
from portal.subscriptions.models import Billing, Offer, OfferPrice

SORTS = {"name": Sort(Offer.name_key, Offer.id)}
COLUMNS = (
    Offer.id,
    Offer.public_id,
    Offer.sku,
    Offer.publisher,
    Offer.name,
    Offer.name_key,
    Offer.description,
    Offer.category,
    Offer.segment,
    Offer.billing,
    Offer.cycle,
    Offer.term_months,
    Offer.minimum,
    Offer.maximum,
    Offer.one_per_customer,
    Offer.trial_days,
    Offer.add_on_of_id,
    Offer.instance_type,
    Offer.region,
    Offer.withdrawn,
    Offer.withdrawn_reason,
)
KINDS = ("subscription", "add_on", "reservation")
# `currency` narrows nothing: it says which prices are shown.
LISTED: dict[str, Any] = {
    "publisher": None,
    "category": None,
    "billing": list(Billing),
    "segment": list(Segment),
    "kind": KINDS,
    "state": ["withdrawn"],
    "currency": currencies(),
}


@dataclass(frozen=True)
class Priced:
    """A price, what the partner pays for it, and from which day on it holds."""

    price: Money
    cost: Money | None
    from_on: date

    @property
    def margin(self) -> Decimal | None:
        """The share of the price that is not cost, in percent; None where either is not known."""
        if self.cost is None or not self.price.minor:
            return None
        return (Decimal(self.price.minor - self.cost.minor) * 100 / self.price.minor).quantize(Decimal("0.1"), ROUND_HALF_UP)


def page(query: ListQuery) -> Page:
    """One page of the catalog; withdrawn offers only when asked for."""
    return _finder.page(query)


def prices(rows: Sequence[Any], currency: str, day: date) -> dict[int, Priced]:
    """What each of these offers costs on this day, in this currency."""
    return {row.offer_id: _priced(row, currency) for row in catalog.in_force([row.id for row in rows], currency, day)} if rows else {}


def choices() -> dict[str, list[str]]:
    """The catalog's publishers and categories, for the filters."""
    found: dict[str, list[str]] = {"publisher": [], "category": []}
    for column, value in db.session.execute(_CHOICES, {"mine": current_scope().partner_id}):
        found[column].append(value)
    return found


def price_table(offer: Offer, day: date) -> list[tuple[Priced, str]]:
    """All prices of an offer by currency, the latest first, each with how it stands on this day: "future", "present" or "past"."""
    statement = (
        sa.select(OfferPrice.currency, OfferPrice.price_minor, OfferPrice.cost_minor, OfferPrice.from_on)
        .where(OfferPrice.offer_id == offer.id)
        .order_by(OfferPrice.currency, OfferPrice.from_on.desc())
    )
    found: list[tuple[Priced, str]] = []
    held: set[str] = set()
    for row in db.session.execute(statement):
        standing = "future" if row.from_on > day else "past" if row.currency in held else "present"
        if standing == "present":
            held.add(row.currency)
        found.append((_priced(row, row.currency), standing))
    return found


def related(offer: Offer) -> list[Any]:
    """The base of an add-on, or the add-ons of a base."""
    statement = sa.select(Offer.public_id, Offer.sku, Offer.name, Offer.withdrawn).order_by(Offer.name_key, Offer.id).limit(100)
    return list(db.session.execute(statement.where(Offer.id == offer.add_on_of_id if offer.add_on_of_id else Offer.add_on_of_id == offer.id)))


def export(query: ListQuery) -> tuple[sa.Select, dict[str, Any]]:
    """A row for each offer and price, with the SKU of its base; withdrawn offers too, unless only those are asked for."""
    base = aliased(Offer)
    if "state" not in query.filters:
        query = replace(query, filters={**query.filters, "everything": "yes"})
    statement, values = _finder.everything(query, *EXPORTED, base.sku.label("base_sku"))
    statement = statement.outerjoin(OfferPrice, OfferPrice.offer_id == Offer.id).outerjoin(base, base.id == Offer.add_on_of_id)
    return statement.order_by(OfferPrice.currency, OfferPrice.from_on), values


def counted(statement: sa.Select, values: dict[str, Any]) -> dict[str, int]:
    """How many offers and lines an export has; it reads them all anyway."""
    inner = statement.with_only_columns(Offer.id).order_by(None).subquery()
    row = db.session.execute(sa.select(sa.func.count(sa.distinct(inner.c.id)), sa.func.count()).select_from(inner), values).one()
    return {"offers": row[0], "lines": row[1]}


EXPORTED = (
    *(column for column in COLUMNS if column.key not in ("id", "public_id", "name_key", "add_on_of_id")),
    sa.cast(Offer.clouds, sa.Unicode).label("clouds"),  # as written: most are alike, and read once
    sa.cast(Offer.markets, sa.Unicode).label("markets"),
    OfferPrice.currency,
    OfferPrice.price_minor,
    OfferPrice.cost_minor,
    OfferPrice.from_on,
)


def _priced(row: Any, currency: str) -> Priced:
    return Priced(Money(row.price_minor, currency), Money(row.cost_minor, currency) if row.cost_minor is not None else None, row.from_on)


def _hops() -> sa.CompoundSelect:
    """From one publisher or category to the next in the index, however many offers have it."""
    parts = []
    for column in (Offer.publisher, Offer.category):
        mine = sa.and_(Offer.partner_id == sa.bindparam("mine"), Offer.withdrawn.is_(False))
        hop = sa.select(sa.func.min(column).label("value")).where(mine).cte(f"hop_{column.key}", recursive=True)
        following = sa.select(sa.func.min(column)).where(mine, column > hop.c.value).scalar_subquery()
        hop = hop.union_all(sa.select(following).where(hop.c.value.is_not(None)))
        values = sa.select(sa.literal(column.key).label("column"), hop.c.value).where(hop.c.value.is_not(None))
        parts.append(limited(values, 200).subquery().select())
    return sa.union_all(*parts)


_CHOICES = _hops()


def _filtered(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    if "everything" not in filters:
        statement = statement.where(Offer.withdrawn.is_("state" in filters))
    for name in ("publisher", "category", "billing", "segment"):
        if name in filters:
            column = getattr(Offer, name)
            statement = statement.where(column == sa.bindparam(name, type_=column.type))
    if "kind" in filters:
        kind = sa.case((Offer.instance_type.is_not(None), "reservation"), (Offer.add_on_of_id.is_not(None), "add_on"), else_="subscription")
        statement = statement.where(kind == sa.bindparam("kind"))
    return statement


def _filter_values(query: ListQuery) -> dict[str, Any]:
    kinds = {"billing": Billing, "segment": Segment}
    return {name: kinds.get(name, str)(value) for name, value in query.filters.items() if name not in ("state", "currency", "everything")}


_finder = Finder(Offer, COLUMNS, SORTS, _filtered, _filter_values)
