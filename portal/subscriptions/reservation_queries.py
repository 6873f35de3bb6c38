"""Reads of reservations: of one customer, over all customers of a partner, and of a customer over all its partners."""

import functools
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization
from portal.core import clock, lists, search
from portal.core.access import Cloud
from portal.core.db import Key, db, limited, written
from portal.core.errors import NotFound
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.core.money import Money
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import catalog
from portal.subscriptions import queries as subscriptions
from portal.subscriptions.models import (
    AskedState,
    Billing,
    Offer,
    Order,
    Reservation,
    ReservationRequest,
    ReservationState,
    Subscription,
    SubscriptionState,
)

SOON = timedelta(days=90)
OFFERED = 200  # offers to exchange for, at once
FOR = 100  # subscriptions that a reservation can be for
ASKED = 10  # requests shown of one reservation

R, Asked = Reservation, ReservationRequest
_open = sa.and_(Asked.reservation_id == R.id, Asked.state == AskedState.OPEN)
_asked = sa.select(Asked.kind).where(_open).correlate(R).scalar_subquery().label("asked")
COLUMNS = (
    R.id,
    R.public_id,
    R.name,
    R.instance_type,
    R.region,
    R.term_months,
    R.quantity,
    R.state,
    R.state_at,
    R.starts_on,
    R.ends_on,
    R.renewed,
    R.paid_minor,
    R.currency,
    R.bought_side,
    R.bought_by,
    _asked,
)
STATES = list(ReservationState)
NEWEST = Sort(R.id, R.id, descending=True)
# The list over all customers: each view has the one order that its index serves.
VIEWS = {"ending": "day", "asked": "newest"}
OF_CUSTOMER: dict[str, Any] = {"state": STATES, "asked": ["1"]}
EVERYWHERE: dict[str, Any] = {"state": STATES, **{view: ["1"] for view in VIEWS}}
EXPORTED = (
    written(R.public_id), R.name, R.instance_type, R.region, R.term_months, R.scope, R.quantity, R.state, R.starts_on, R.ends_on, R.paid_minor, R.refund_minor, R.currency,
    R.bought_side, R.bought_by,
)  # fmt: skip


# --- lists


def of_customer(customer: Customer, query: ListQuery) -> Page:
    """One page of a customer's reservations, the newest first."""
    shape = tuple(sorted(query.filters)), len(search.patterns(query.words))
    values = _values(query) | {"customer": customer.customer_id}
    rows = db.session.execute(_of_customer(query.way, *shape), values | lists.place(query, NEWEST)).all()
    total = lists.whole(rows, query)
    if total is None:
        total = db.session.scalar(lists.counting(_narrowed(sa.select(R.id), *shape)), values)
    return lists.paged(rows, query, lambda row: (row.id, row.id), total)


def everywhere(query: ListQuery) -> Page:
    """One page of the reservations of all customers of the partner."""
    return _finder.page(query)


def of_my_partners(query: ListQuery) -> Page:
    """One page of a customer's own, whoever sold them."""
    statement = _view(sa.select(*COLUMNS, Organization.name.label("partner")).join(Organization, Organization.id == R.partner_id), tuple(query.filters))
    statement = statement.where(subscriptions.of_a_partner(R))
    return lists.fetch(statement.params(_values(query)), query, NEWEST, lambda row: (row.id, row.id))


def export(query: ListQuery, customer: Customer) -> tuple[sa.Select, dict[str, Any]]:
    """A customer's reservations, or those of the query's words and filters, with the query's parameters."""
    statement = _narrowed(sa.select(*EXPORTED), tuple(sorted(query.filters)), len(search.patterns(query.words)))
    return statement.order_by(R.id.desc()), _values(query) | {"customer": customer.customer_id}


def export_everywhere(query: ListQuery) -> tuple[sa.Select, dict[str, Any]]:
    return _finder.everything(query, subscriptions.of_record(R, written(Customer.public_id)), subscriptions.of_record(R, Customer.name), *EXPORTED)


@functools.cache
def _of_customer(way: str, filters: tuple[str, ...], words: int) -> sa.Select:
    """Built once for each shape of a query."""
    return lists.keyset(_narrowed(sa.select(*COLUMNS), filters, words), way, NEWEST)


def _narrowed(statement: sa.Select, filters: tuple[str, ...], words: int) -> sa.Select:
    return _view(statement, filters).where(R.customer_id == sa.bindparam("customer", type_=Key), *search.containing(R.search_text, words))


def _view(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    if "state" in filters:
        statement = statement.where(R.state == sa.bindparam("state", type_=R.state.type))
    if "asked" in filters:
        statement = statement.where(R.id.in_(sa.select(Asked.reservation_id).where(Asked.state == AskedState.OPEN)))
    if "ending" in filters:
        soon = R.ends_on <= sa.bindparam("soon", type_=R.ends_on.type)
        statement = statement.where(R.state == ReservationState.ACTIVE, R.renewed.is_(False), soon)
    return statement


def _values(query: ListQuery) -> dict[str, Any]:
    given = {"state": ReservationState(query.filters["state"])} if "state" in query.filters else {}
    soon = {"soon": clock.today() + SOON} if "ending" in query.filters else {}
    return {**search.parameters(query.words), **given, **soon}


_finder = Finder(
    R,
    (*COLUMNS, *subscriptions.customer_named(R)),
    {"newest": NEWEST, "day": Sort(R.ends_on, R.id)},
    _view,
    _values,
    window=2000,
)


# --- one


def shown(customer_id: UUID, public_id: UUID) -> Any:
    """A reservation with what stands around it; NotFound where the customer has none such, or waits for its consent (R19)."""
    row = db.session.execute(_shown(), {"key": public_id, "whose": customer_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


@functools.cache
def _shown() -> sa.Select:
    statement = _one(Customer).join(Customer, sa.and_(Customer.customer_id == R.customer_id, Customer.partner_id == R.partner_id))
    return statement.where(Customer.public_id == sa.bindparam("whose", type_=sa.Uuid()), Customer.state != RelationshipState.PENDING)


def of_mine(public_id: UUID) -> Any:
    """One of a customer's own, with its partner's name and the state of that relationship."""
    row = db.session.execute(_of_mine(), {"key": public_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


@functools.cache
def _of_mine() -> sa.Select:
    statement = _one(Organization.name.label("partner"), Customer.state.label("relationship")).join(Organization, Organization.id == R.partner_id)
    record = sa.and_(Customer.customer_id == R.customer_id, Customer.partner_id == R.partner_id, Customer.state != RelationshipState.PENDING)
    return statement.join(Customer, record)


def _one(*around: Any) -> sa.Select:
    Former = aliased(R)
    former = Former.public_id.label("former_id"), Former.name.label("former_name"), Former.state.label("former_state")
    shared = Subscription.public_id.label("subscription_public_id"), sa.func.coalesce(sa.func.nullif(Subscription.nickname, ""), Subscription.name)
    statement = sa.select(R, *around, Order.public_id.label("order_public_id"), Order.ordered_at, *former, shared[0], shared[1].label("subscription_name"))
    statement = statement.select_from(R).join(Order, Order.id == R.order_id).outerjoin(Former, Former.id == R.replaces_id)
    return statement.outerjoin(Subscription, Subscription.id == R.subscription_id).where(R.public_id == sa.bindparam("key", type_=sa.Uuid()))


def followers(reservation: Reservation) -> list[Any]:
    """What it was exchanged for, and what renews it; the newest first."""
    return list(db.session.execute(_FOLLOWERS, {"reservation": reservation.id}))


def requests(reservation: Reservation) -> list[ReservationRequest]:
    """What the customer has asked about it, the newest first."""
    return list(db.session.scalars(_ASKED, {"reservation": reservation.id}))


_THIS = sa.bindparam("reservation", type_=Key)
_FOLLOWERS = limited(sa.select(R.public_id, R.name, R.state, R.starts_on).where(R.replaces_id == _THIS).order_by(R.id.desc()), ASKED)
_ASKED = limited(sa.select(Asked).where(Asked.reservation_id == _THIS).order_by(Asked.id.desc()), ASKED)


def locked(customer: Customer, public_id: UUID) -> Reservation:
    """One of this customer's, held until the change is committed."""
    statement = sa.select(R).where(R.public_id == public_id, R.customer_id == customer.customer_id)
    row = db.session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NotFound(public_id)
    return row


# --- what can be chosen


def subscriptions_for(customer: Customer, *, reseller_id: int | None = None) -> list[Subscription]:
    """Those of the customer that a reservation can be for: active, billed by use; for a reseller, that name it."""
    S = Subscription
    usable = [S.customer_id == customer.customer_id, S.state == SubscriptionState.ACTIVE, S.billing == Billing.USAGE]
    if reseller_id is not None:
        usable.append(S.reseller_id == reseller_id)
    return list(db.session.scalars(sa.select(S).where(*usable).order_by(S.name_key, S.id).limit(FOR)))


def offers_for(customer: Customer, words: str, *, cloud: Cloud, today: date) -> tuple[list[tuple[Offer, Money]], bool]:
    """Reservation offers that the customer can have, with their prices, by name; and whether there are more, to be searched."""
    standing = catalog.standing(customer, cloud)
    statement = sa.select(Offer, catalog.price_then(standing.currency, today)).where(Offer.instance_type.is_not(None), Offer.withdrawn.is_(False))
    rows = db.session.execute(statement.where(*search.contains(Offer.search_text, words)).order_by(Offer.name_key, Offer.id).limit(OFFERED + 1)).all()
    priced = [(offer, Money(price, standing.currency)) for offer, price in rows[:OFFERED] if price is not None]
    return [(offer, price) for offer, price in priced if catalog.unavailable(offer, price, standing) is None], len(rows) > OFFERED
