"""The customer's shop: from which partners somebody can buy, what, at which price, and what came of it (R70-R76).

A customer sees its partners' catalogs through these functions only. Each enters the scope of one partner, so that no two mix.
"""

import functools
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization
from portal.core import lists, search
from portal.core.access import Actor, Cloud
from portal.core.db import db, find, limited
from portal.core.errors import NotFound, Refused
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.core.money import Money, currency_of
from portal.core.scope import Scope, scoped
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.permissions import service
from portal.permissions.models import BuyingPermission, Category, Purchase, PurchaseState
from portal.permissions.texts_shop import TERMS, Obstacle, why_not
from portal.subscriptions import catalog, order_queries
from portal.subscriptions.models import (
    AskedState,
    Billing,
    Offer,
    Order,
    Reservation,
    ReservationRequest,
    ReservationScope,
    Subscription,
    SubscriptionOwner,
    SubscriptionState,
)
from portal.subscriptions.ordering import Quote
from portal.subscriptions.queries import of_a_partner

# `partner` chooses the counter; the others narrow its list.
LISTED: dict[str, Any] = {"partner": None, "region": None, "term": list(TERMS)}
PURCHASES: dict[str, Any] = {"state": list(PurchaseState)}
BY_NAME = Sort(Offer.name_key, Offer.id)
OFFERS_A_PAGE = 25
MOST_REGIONS = 200
MOST_COUNTERS = 500
MOST_ASKED = 10  # of each kind
_LIVE = (SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED)


@dataclass(frozen=True)
class Counter:
    """Where a person of the customer stands with one of the company's partners; `subscriptions` are those that the person owns."""

    partner: UUID
    name: str
    customer: Customer
    permission: BuyingPermission | None
    subscriptions: tuple[Any, ...]

    @property
    def scope(self) -> Scope:
        return Scope(partner_id=self.customer.partner_id)

    @property
    def obstacle(self) -> Obstacle | None:
        if self.customer.state is not RelationshipState.ACTIVE:
            return Obstacle.ENDED
        if self.permission is None or not self.permission.on:
            return Obstacle.NOT_PERMITTED
        if not self.subscriptions:
            return Obstacle.NOT_OWNER
        return None if any(row.state is SubscriptionState.ACTIVE for row in self.subscriptions) else Obstacle.NOT_ACTIVE


@dataclass(frozen=True)
class Choice:
    """What somebody wants: so many of an offer, for one of the person's subscriptions; `key` comes with the form."""

    key: UUID
    subscription: UUID
    quantity: int
    scope: ReservationScope


@dataclass(frozen=True)
class Deal:
    """What buying would mean now; `left` of the month's limit before it, None without a limit."""

    quote: Quote
    total: Money
    left: Money | None
    asks_first: bool

    @property
    def left_after(self) -> Money | None:
        return self.left - self.total if self.left is not None else None


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that a partner is still to answer; `wish` is what is asked about a reservation, none for a purchase."""

    public_id: UUID
    name: str
    quantity: int
    partner: str
    wish: str | None
    since: datetime

    @property
    def url(self) -> str:
        return f"/my/reservations/{self.public_id}" if self.wish else f"/my/shop/purchases/{self.public_id}"


# --- where to buy


def counters(*, by: Actor) -> list[Counter]:
    """All partners of this person's company, also those that nothing can be bought from; none that is suspended."""
    found: dict[int, Counter] = {}
    for row in db.session.execute(_counters_statement(), {"person": by.user_id}):
        owned = (row,) if row.subscription_id is not None else ()
        known = found.get(row.Customer.id)
        found[row.Customer.id] = Counter(row.partner, row.name, row.Customer, row.BuyingPermission, (known.subscriptions if known else ()) + owned)
    return list(found.values())


def counter(partner: UUID, *, by: Actor) -> Counter:
    """NotFound for a partner that the company never worked with."""
    known = next((item for item in counters(by=by) if item.partner == partner), None)
    if known is None:
        raise NotFound(partner)
    return known


def chosen(present: list[Counter], partner: str) -> Counter | None:
    """The counter that was asked for, or the only one that is open."""
    able = [item for item in present if item.obstacle is None]
    return next((item for item in able if str(item.partner) == partner), able[0] if len(able) == 1 else None)


@functools.cache
def _counters_statement() -> sa.Select:
    C, B, S, Owner = Customer, BuyingPermission, Subscription, SubscriptionOwner
    permitted = sa.and_(B.partner_id == C.partner_id, B.customer_id == C.customer_id, B.category == Category.RESERVATIONS)
    usable = sa.and_(S.id == Owner.subscription_id, S.billing == Billing.USAGE, S.state.in_(_LIVE))
    return (
        sa.select(
            C,
            B,
            Organization.public_id.label("partner"),
            Organization.name,
            S.public_id.label("subscription_id"),
            sa.func.coalesce(sa.func.nullif(S.nickname, ""), S.name).label("subscription"),
            S.state,
        )
        .join(Organization, Organization.id == C.partner_id)
        .outerjoin(B, permitted)
        .outerjoin(Owner, sa.and_(Owner.partner_id == C.partner_id, Owner.user_id == sa.bindparam("person")))
        .outerjoin(S, usable)
        .where(C.state != RelationshipState.PENDING, Organization.suspended_at.is_(None))
        .order_by(Organization.name, C.id, S.state, S.name_key, S.id)
        .limit(MOST_COUNTERS)
    )


# --- what to buy


def offers(here: Counter, query: ListQuery, *, cloud: Cloud, today: date) -> Page:
    """A page of the reservations that can be had here now, each with its price."""
    standing = catalog.newcomer(here.customer.country, here.customer.segment, cloud)
    shape = tuple(sorted({*query.filters} - {"partner"})), len(search.patterns(query.words)), query.way
    values = {"region": query.filters.get("region"), "term": int(query.filters.get("term", 0)), "currency": standing.currency, "day": today}
    values |= search.parameters(query.words) | lists.place(query, BY_NAME) | order_queries.open_values(standing)
    with scoped(here.scope):
        rows = db.session.execute(_offers_statement(*shape), values).all()
    whole = len(rows) if len(rows) <= OFFERS_A_PAGE and query.way == "first" else None
    return lists.paged(rows, query, lambda row: (row.name_key, row.id), whole, OFFERS_A_PAGE)


@functools.cache
def _offers_statement(filters: tuple[str, ...], words: int, way: str) -> sa.Select:
    """Built once for each shape of a query. A reservation that adds to something else is the partner's to order."""
    O = Offer  # noqa: E741
    price = catalog.price_then(sa.bindparam("currency", type_=sa.Unicode()), sa.bindparam("day", type_=sa.Date()))
    statement = sa.select(O.id, O.public_id, O.name, O.name_key, O.instance_type, O.region, O.term_months, price.label("price_minor")).where(
        O.withdrawn.is_(False), O.instance_type.is_not(None), O.add_on_of_id.is_(None), price.is_not(None), order_queries.open_to_them()
    )
    statement = statement.where(*search.containing(O.search_text, words))
    if "region" in filters:
        statement = statement.where(O.region == sa.bindparam("region", type_=sa.Unicode()))
    if "term" in filters:
        statement = statement.where(O.term_months == sa.bindparam("term", type_=sa.Integer()))
    return lists.keyset(statement, way, BY_NAME, limit=OFFERS_A_PAGE + 1)


def regions(here: Counter) -> list[str]:
    """Where this partner has reservations, for the filter."""
    with scoped(here.scope):
        return list(db.session.scalars(_regions_statement(), {"mine": here.customer.partner_id}))


@functools.cache
def _regions_statement() -> sa.Select:
    """From one region to the next in the index, however many offers have it."""
    mine = sa.and_(Offer.partner_id == sa.bindparam("mine"), Offer.withdrawn.is_(False), Offer.instance_type.is_not(None))
    hop = sa.select(sa.func.min(Offer.region).label("region")).where(mine).cte("hop", recursive=True)
    following = sa.select(sa.func.min(Offer.region)).where(mine, Offer.region > hop.c.region).scalar_subquery()
    hop = hop.union_all(sa.select(following).where(hop.c.region.is_not(None)))
    return limited(sa.select(hop.c.region).where(hop.c.region.is_not(None)), MOST_REGIONS)


def offered(here: Counter, offer_id: UUID, *, today: date) -> tuple[Offer, Money | None]:
    """A reservation of this partner's catalog with its price of today; NotFound for everything else that it sells."""
    currency = currency_of(here.customer.country)
    statement = sa.select(Offer, catalog.price_then(currency, today)).where(Offer.public_id == offer_id, Offer.instance_type.is_not(None))
    with scoped(here.scope):
        row = db.session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(offer_id)
    return row[0], Money(row[1], currency) if row[1] is not None else None


def left(here: Counter, *, at: datetime) -> Money | None:
    """What can still be spent this month; None without a limit."""
    assert here.permission is not None
    with scoped(here.scope):
        return service.left_of(here.permission, at=at)


def weigh(here: Counter, offer: Offer, unit: Money | None, quantity: int, *, cloud: Cloud, at: datetime) -> Deal:
    """What buying so many would mean now, with no change yet; Refused says why it cannot be."""
    if here.obstacle is not None or here.permission is None:
        raise Refused(why_not(here))
    with scoped(here.scope):
        quote = service.quoted(here.customer, offer, quantity, cloud=cloud, at=at, unit=unit)
        assert quote.today is not None
        return Deal(quote, quote.today, service.check_limit(here.permission, quote.today, at=at), service.asks_first(here.permission, quote.today))


def buy(here: Counter, offer: Offer, choice: Choice, *, reviewed: str, by: Actor, at: datetime) -> Purchase:
    """In the partner's scope, with its record of the company locked; see service.buy."""
    if here.obstacle is Obstacle.ENDED:
        raise Refused(why_not(here))
    assert by.organization_id is not None
    with scoped(here.scope):
        customer = customers.record_of(by.organization_id, lock=True)
        mine = sa.select(Subscription).where(Subscription.public_id == choice.subscription, Subscription.customer_id == by.organization_id)
        subscription = db.session.scalar(mine)
        if customer is None or subscription is None:
            raise NotFound(choice.subscription)
        wish = service.Wish(choice.key, offer, subscription, choice.quantity, choice.scope)
        return service.buy(customer, wish, cloud=by.cloud, by=by, at=at, reviewed=reviewed)


# --- what came of it


def purchases(query: ListQuery) -> Page:
    """The company's own, whoever sold, the newest first."""
    return _bought().page(query)


@functools.cache
def _bought() -> Finder:
    B = Purchase
    partner = sa.select(Organization.name).where(Organization.id == B.partner_id).scalar_subquery().label("partner")

    def mine(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
        statement = statement.where(of_a_partner(B))
        return statement.where(B.state == sa.bindparam("state", type_=B.state.type)) if "state" in filters else statement

    def values(query: ListQuery) -> dict[str, Any]:
        return {"state": PurchaseState(query.filters["state"])} if "state" in query.filters else {}

    columns = (B.id, B.public_id, B.state, B.wanted, B.quantity, B.total_minor, B.currency, B.asked_at, B.author_name, partner)
    return Finder(B, columns, {"newest": Sort(B.id, B.id, descending=True)}, mine, values)


def purchase(public_id: UUID) -> Any:
    """One of the company's own, with what stands around it."""
    partner = aliased(Organization)
    statement = (
        sa.select(
            Purchase,
            partner.name.label("partner"),
            Subscription.public_id.label("subscription_id"),
            sa.func.coalesce(sa.func.nullif(Subscription.nickname, ""), Subscription.name).label("subscription"),
            Order.public_id.label("order_id"),
            Reservation.public_id.label("reservation_id"),
        )
        .join(partner, partner.id == Purchase.partner_id)
        .join(Subscription, Subscription.id == Purchase.subscription_id)
        .outerjoin(Order, Order.id == Purchase.order_id)
        .outerjoin(Reservation, Reservation.order_id == Purchase.order_id)
        .where(Purchase.public_id == public_id, of_a_partner(Purchase))
    )
    row = db.session.execute(statement).first()
    if row is None:
        raise NotFound(public_id)
    return row


def asked() -> list[Asked]:
    """What waits for a partner's answer, purchases and requests about reservations, the longest first; at most one more than MOST_ASKED of each kind."""
    lines = [Asked(*row) for row in db.session.execute(_asked_statement())]
    return sorted(lines, key=lambda line: line.since)


@functools.cache
def _asked_statement() -> sa.CompoundSelect:
    B, A = Purchase, ReservationRequest
    nothing = sa.cast(sa.null(), sa.Unicode(32))
    bought = sa.select(
        B.public_id,
        B.wanted["name"].as_string().label("name"),
        B.quantity,
        Organization.name.label("partner"),
        nothing.label("wish"),
        B.asked_at.label("since"),
    )
    bought = bought.select_from(B).join(Organization, Organization.id == B.partner_id)
    about = sa.select(
        Reservation.public_id,
        Reservation.name,
        Reservation.quantity,
        Organization.name.label("partner"),
        sa.cast(A.kind, sa.Unicode(32)).label("wish"),
        A.asked_at.label("since"),
    )
    about = about.select_from(Reservation).join(A, sa.and_(A.reservation_id == Reservation.id, A.state == AskedState.OPEN))
    kinds = (
        bought.where(B.state == PurchaseState.WAITING).order_by(B.id),
        about.join(Organization, Organization.id == Reservation.partner_id).order_by(Reservation.id),
    )
    return sa.union_all(*(sa.select(limited(kind, MOST_ASKED + 1).subquery()) for kind in kinds))


def bought_with(key: UUID) -> Purchase | None:
    """What this form has bought already."""
    return db.session.scalar(sa.select(Purchase).where(Purchase.key == key, of_a_partner(Purchase)))


def withdraw(public_id: UUID, *, by: Actor, at: datetime) -> None:
    purchase(public_id)  # NotFound where the company has none such
    service.withdraw(find(Purchase, public_id, lock=True), by=by, at=at)
