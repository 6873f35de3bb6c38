"""Reads of orders and of what can be chosen: of one customer, over all customers of a partner, and of a customer over all its partners."""

import functools
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core import lists, search
from portal.core.access import Actor, Side
from portal.core.db import Key, db
from portal.core.errors import NotFound
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.core.money import Money
from portal.customers.models import Customer, RelationshipState, Segment
from portal.subscriptions import ordering
from portal.subscriptions import queries as subscriptions
from portal.subscriptions.catalog import Standing, Unavailable, price_then
from portal.subscriptions.models import Billing, Cart, Offer, Order, OrderLine, OrderState, Reservation, Subscription
from portal.subscriptions.ordering import Quote, Totals

_first_line = sa.select(OrderLine.name).where(OrderLine.order_id == Order.id).order_by(OrderLine.id).limit(1).correlate(Order).scalar_subquery()
_lines = sa.select(sa.func.count()).select_from(OrderLine).where(OrderLine.order_id == Order.id).correlate(Order).scalar_subquery()
COLUMNS = (
    Order.id,
    Order.public_id,
    Order.ordered_at,
    Order.state,
    Order.side,
    Order.author_name,
    Order.currency,
    Order.total_minor,
    _first_line.label("first_line"),
    _lines.label("lines"),
    sa.select(Organization.name).where(Organization.id == Order.reseller_id).correlate(Order).scalar_subquery().label("reseller"),
)
NEWEST = Sort(Order.id, Order.id, descending=True)
# What a customer hears of: what is placed, by a partner that it has, or had, a relationship with (R2).
_MINE = (Order.state == OrderState.PLACED, subscriptions.of_a_partner(Order))
FILTERS: dict[str, Any] = {"state": list(OrderState), "side": list(Side)}
MY_FILTERS: dict[str, Any] = {"side": list(Side)}
_KINDS: dict[str, Any] = {"state": OrderState, "side": Side}

# What can be chosen. `show` says for whom: "others" are the offers that this customer can never have.
OFFERED: dict[str, Any] = {"publisher": None, "category": None, "billing": list(Billing), "segment": list(Segment), "show": ["others"]}
BY_NAME = Sort(Offer.name_key, Offer.id)
OFFERS_A_PAGE = 25  # each is a form
_BASE = sa.orm.aliased(Offer)
OFFER_COLUMNS = (
    Offer.id,
    Offer.public_id,
    Offer.name,
    Offer.name_key,
    Offer.publisher,
    Offer.category,
    Offer.description,
    Offer.billing,
    Offer.cycle,
    Offer.term_months,
    Offer.minimum,
    Offer.maximum,
    Offer.one_per_customer,
    Offer.trial_days,
    Offer.add_on_of_id,
    Offer.instance_type,
    Offer.withdrawn,
    Offer.withdrawn_reason,
    Offer.clouds,
    Offer.markets,
    Offer.segment,
    price_then(sa.bindparam("currency", type_=sa.Unicode()), sa.bindparam("day", type_=sa.Date())).label("price_minor"),
    sa.select(_BASE.name).where(_BASE.id == Offer.add_on_of_id).correlate(Offer).scalar_subquery().label("base_name"),
)


# --- what can be chosen


@dataclass(frozen=True)
class Shop:
    """Offers for somebody, and the lines chosen so far with what they cost."""

    query: ListQuery
    found: Page
    lines: list[Quote]
    standing: Standing

    @property
    def totals(self) -> Totals:
        return ordering.totals(self.lines, self.standing.currency)

    @functools.cached_property
    def _with_it(self) -> dict[int, Offer]:
        return ordering.bases_among(line.offer for line in self.lines)

    @functools.cached_property
    def chosen(self) -> dict[int, int]:
        """How many of which offer."""
        return {line.offer.id: line.quantity for line in self.lines}

    def price(self, row: Any) -> Money | None:
        return Money(row.price_minor, self.standing.currency) if row.price_minor is not None else None

    def reason(self, row: Any) -> Unavailable | None:
        """Why an offer of the list cannot be had now, with what is chosen."""
        return ordering.why_unavailable(row, self.price(row), self.standing, self._with_it)


@dataclass(frozen=True)
class Mistake:
    """What somebody `typed` as the quantity of an offer, and why that was not done."""

    offer_id: int
    typed: str
    message: str
    stale: bool

    def beside(self, line: Quote) -> bool:
        """Whether it stands at this line of the cart."""
        return not self.stale and line.offer.id == self.offer_id

    def apart(self, shop: Shop) -> bool:
        """Whether there is no field on the page to stand beside."""
        return self.stale or (self.offer_id not in shop.chosen and all(row.id != self.offer_id for row in shop.found.rows))


def part_changed(offer_id: UUID, was: str, typed: str) -> str:
    """The id of what the eye rests on after a line was changed: the offer in the list, its line, or the cart that it left."""
    if typed == "0":
        return "cart-title"
    return f"add-{offer_id}" if was == "0" else f"change-{offer_id}"


_mine = sa.and_(Cart.customer_id == Customer.customer_id, Cart.author_id == sa.bindparam("author", type_=Key), Cart.ordered_at.is_(None))
_WITH_CART = sa.select(Customer, Cart).outerjoin(Cart, _mine).where(Customer.public_id == sa.bindparam("customer", type_=sa.Uuid())).limit(1)


def customer_with_cart(customer_id: UUID, *, by: Actor) -> tuple[Customer, Cart | None]:
    """This person's open cart, if there is one; NotFound where the partner has no such customer."""
    row = db.session.execute(_WITH_CART, {"customer": customer_id, "author": by.user_id}).one_or_none()
    if row is None:
        raise NotFound(customer_id)
    return row[0], row[1]


def shop(query: ListQuery, lines: dict[str, int], standing: Standing, *, today: date) -> Shop:
    """A page of offers that this customer could ever have, by name, or of all the others; prices and reasons come along."""
    statement = _offers(tuple(sorted(query.filters)), len(search.patterns(query.words)), query.way)
    kinds: dict[str, Any] = {"billing": Billing, "segment": Segment}
    values = {name: kinds.get(name, str)(value) for name, value in query.filters.items() if name != "show"}
    values |= search.parameters(query.words) | lists.place(query, BY_NAME)
    values |= {"currency": standing.currency, "day": today} | open_values(standing)
    rows = db.session.execute(statement, values).all()
    whole = len(rows) if len(rows) <= OFFERS_A_PAGE and query.way == "first" else None
    page = lists.paged(rows, query, lambda row: (row.name_key, row.id), whole, OFFERS_A_PAGE)
    return Shop(query, page, ordering.quotes_for(lines, standing, today=today), standing)


@functools.cache
def _offers(filters: tuple[str, ...], words: int, way: str) -> sa.Select:
    """Built once for each shape of a query."""
    theirs = open_to_them()
    statement = sa.select(*OFFER_COLUMNS).where(*search.containing(Offer.search_text, words))
    if "show" in filters:
        statement = statement.where(sa.or_(Offer.withdrawn.is_(True), sa.not_(theirs)))
    else:
        statement = statement.where(Offer.withdrawn.is_(False), theirs)
    for name in ("publisher", "category", "billing", "segment"):
        if name in filters:
            column = getattr(Offer, name)
            statement = statement.where(column == sa.bindparam(name, type_=column.type))
    return lists.keyset(statement, way, BY_NAME, limit=OFFERS_A_PAGE + 1)


def open_to_them() -> sa.ColumnElement[bool]:
    """Offers that a customer of this standing could ever have; `open_values` gives the parameters."""
    clouds, markets = sa.cast(Offer.clouds, sa.Unicode), sa.cast(Offer.markets, sa.Unicode)
    return sa.and_(
        sa.or_(clouds == "[]", clouds.like(sa.bindparam("cloud"))),
        sa.or_(markets == "[]", markets.like(sa.bindparam("market"))),
        sa.or_(Offer.segment.is_(None), Offer.segment == sa.bindparam("theirs", type_=Offer.segment.type)),
    )


def open_values(standing: Standing) -> dict[str, Any]:
    return {"theirs": standing.segment, "cloud": f'%"{standing.cloud.value}"%', "market": f'%"{standing.market}"%'}


# --- orders


def latest_subscriptions(customer: Customer, most: int) -> list[Any]:
    """The newest ones of a customer, for its page."""
    return list(db.session.execute(_LATEST, {"customer": customer.customer_id, "most": most}))


_LATEST = (
    sa.select(*subscriptions.COLUMNS)
    .where(Subscription.customer_id == sa.bindparam("customer", type_=Key))
    .order_by((Subscription.id + 0).desc())  # by no index, else the planner walks that of all customers
    .limit(sa.bindparam("most", type_=sa.Integer()))
)


def everywhere(query: ListQuery) -> Page:
    """One page of the orders of all customers of the partner, the newest first."""
    return _finder.page(query)


def of_customer(customer: Customer, query: ListQuery) -> Page:
    statement = sa.select(*COLUMNS).where(Order.customer_id == customer.customer_id)
    return _listed(statement, query)


def of_my_partners(query: ListQuery) -> Page:
    """One page of a customer's own, whoever sold."""
    return _listed(sa.select(*COLUMNS, Organization.name.label("partner")).join(Organization, Organization.id == Order.partner_id).where(*_MINE), query)


def waiting() -> int:
    """How many orders of resellers wait for the provider in scope."""
    return int(db.session.scalar(lists.counting(sa.select(Order.id).where(Order.state == OrderState.REQUESTED))) or 0)


def shown(customer_id: UUID, public_id: UUID) -> Any:
    """An order with its customer; NotFound where the customer has none such, or waits for its consent (R19)."""
    record = sa.select(Order, Customer, Organization.name.label("reseller")).outerjoin(Organization, Organization.id == Order.reseller_id)
    record = record.join(Customer, sa.and_(Customer.customer_id == Order.customer_id, Customer.partner_id == Order.partner_id))
    row = db.session.execute(
        record.where(Order.public_id == public_id, Customer.public_id == customer_id, Customer.state != RelationshipState.PENDING)
    ).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def of_mine(public_id: UUID) -> Any:
    """One of a customer's own, with its partner's name."""
    partner = sa.select(Order, Organization.name.label("partner")).join(Organization, Organization.id == Order.partner_id)
    row = db.session.execute(partner.where(Order.public_id == public_id, *_MINE)).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def lines(order: Order) -> list[Any]:
    """What was ordered, with what came of it: a subscription, or a reservation with the subscription that alone uses it."""
    L, S, R = OrderLine, Subscription, Reservation
    statement = (
        sa.select(
            L.name,
            L.scope,
            _shown_name(S),
            L.quantity,
            L.unit_minor,
            L.today_minor,
            S.public_id.label("subscription_id"),
            S.billing,
            S.cycle,
            R.public_id.label("reservation_id"),
            R.instance_type,
        )
        .select_from(L)
        .outerjoin(R, R.id == L.reservation_id)
        .outerjoin(S, S.id == sa.func.coalesce(L.subscription_id, R.subscription_id))
        .where(L.order_id == order.id)
    )
    return list(db.session.execute(statement.order_by(L.id)))


def asked_lines(order: Order) -> list[Any]:
    """The same of an order that is not placed, read by the seller. A subscription is named while it names the reseller that asks (R41)."""
    L, Used = OrderLine, Subscription
    none = (sa.null().label("subscription_id"), sa.null().label("reservation_id"))
    statement = sa.select(L.name, L.scope, _shown_name(Used), L.quantity, L.unit_minor, L.today_minor, Offer.billing, Offer.cycle, Offer.instance_type, *none)
    statement = statement.join(Offer, Offer.id == L.offer_id).outerjoin(Used, sa.and_(Used.id == L.subscription_id, Used.reseller_id == L.reseller_id))
    return list(db.session.execute(statement.where(L.order_id == order.id).order_by(L.id)))


def _shown_name(subscription: Any) -> Any:
    return sa.func.coalesce(sa.func.nullif(subscription.nickname, ""), subscription.name).label("used_by")


def _listed(statement: sa.Select, query: ListQuery) -> Page:
    for name, value in query.filters.items():
        statement = statement.where(getattr(Order, name) == _KINDS[name](value))
    return lists.fetch(statement, query, NEWEST, lambda row: (row.id, row.id))


def _filtered(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    for name in filters:
        column = getattr(Order, name)
        statement = statement.where(column == sa.bindparam(name, type_=column.type))
    return statement


def _filter_values(query: ListQuery) -> dict[str, Any]:
    return {name: _KINDS[name](value) for name, value in query.filters.items()}


_finder = Finder(
    Order,
    (*COLUMNS, *subscriptions.customer_named(Order)),
    {"newest": NEWEST},
    _filtered,
    _filter_values,
    window=2000,  # each with a look at its customer
    through=(Customer, Customer.customer_id, Order.customer_id),
)
