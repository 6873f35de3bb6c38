"""What a reseller reads of its providers' orders and subscriptions: those that name it, of customers of its own (R2, R41).

A record of the provider is nothing of it: the customer has the reseller's own name here. No scope shows both sides, so each statement states its conditions.
"""

import functools
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization
from portal.core import lists, search
from portal.core.access import Actor
from portal.core.db import Key, db
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships.models import Partnership, PartnershipState
from portal.subscriptions import order_queries, queries
from portal.subscriptions.models import Offer, Order, OrderState, Subscription

ROWS = EVERYTHING  # the scope in which these statements run
S = Subscription
_ME = sa.bindparam("me", type_=Key)
_CUSTOMER = sa.bindparam("customer", type_=Key)
_Base = aliased(Subscription)
_base_name = sa.select(sa.func.coalesce(sa.func.nullif(_Base.nickname, ""), _Base.name)).where(_Base.id == S.base_id, _Base.reseller_id == _ME)
_partnership = sa.select(Partnership.public_id).where(
    Partnership.partner_id == S.partner_id, Partnership.reseller_id == _ME, Partnership.state == PartnershipState.ACTIVE
)


def _open(row: Any) -> sa.ColumnElement[bool]:
    """What a row must be: it names the reseller, whose partnership with the provider and whose own relationship with the customer are active."""
    served = sa.exists().where(Customer.customer_id == row.customer_id, Customer.partner_id == _ME, Customer.state == RelationshipState.ACTIVE)
    partners = sa.exists().where(Partnership.partner_id == row.partner_id, Partnership.reseller_id == _ME, Partnership.state == PartnershipState.ACTIVE)
    return sa.and_(row.reseller_id == _ME, served.correlate(row), partners.correlate(row))


def _own(row: Any, column: Any) -> Any:
    """Something of the reseller's own record of the customer, row by row."""
    record = sa.select(column).where(Customer.customer_id == row.customer_id, Customer.partner_id == _ME)
    return record.correlate(row).scalar_subquery().label(f"customer_{column.key}")


def _provider(row: Any) -> Any:
    return sa.select(Organization.name).where(Organization.id == row.partner_id).correlate(row).scalar_subquery().label("partner")


SUBSCRIPTION_COLUMNS = (
    *queries.COLUMNS[:-1],
    _base_name.correlate(S).scalar_subquery().label("base_name"),
    _provider(S),
    _own(S, Customer.public_id),
    _own(S, Customer.name),
    _own(S, Customer.state),
)
ORDER_COLUMNS = (*order_queries.COLUMNS, _provider(Order), _own(Order, Customer.public_id), _own(Order, Customer.name), _own(Order, Customer.state))
# Names as search.containing() looks through them: two spaces before each word.
_names = sa.literal("  ") + sa.func.replace(S.name_key, " ", "  ")
NEWEST = Sort(S.id, S.id, descending=True)
FILTERS = {"state": queries.STATES}


# --- lists


def subscriptions(query: ListQuery, *, by: Actor) -> Page:
    """One page of the subscriptions of all customers, the newest first."""
    return _page(_subscriptions, query, NEWEST, lambda row: (row.id, row.id), _values(query, S, by))


def subscriptions_of(customer: Customer, query: ListQuery, *, by: Actor) -> Page:
    values = _values(query, S, by) | {"customer": customer.customer_id}
    return _page(_subscriptions_of_one, query, queries.SORTS[query.sort], queries.POSITIONS[query.sort], values)


def export(query: ListQuery, *, by: Actor, customer: Customer | None = None) -> tuple[sa.Select, dict[str, Any]]:
    """As a partner's own export has them (R15), with its parameters; with the customer's key and name when it is of all customers."""
    exported = (S.public_id, S.name, S.quantity, S.state, sa.select(Organization.name).where(Organization.id == S.reseller_id).correlate(S).scalar_subquery())
    shape = tuple(sorted(query.filters)), len(search.patterns(query.words))
    if customer is None:
        statement = _subscriptions(*shape).with_only_columns(_own(S, Customer.public_id), _own(S, Customer.name), *exported)
        return statement.order_by(S.id.desc()), _values(query, S, by)
    statement = _subscriptions_of_one(*shape).with_only_columns(*exported)
    return statement.order_by(queries.SORTS["family"].column, S.id), _values(query, S, by) | {"customer": customer.customer_id}


def orders(query: ListQuery, *, by: Actor) -> Page:
    """One page of the orders of all customers, the newest first."""
    return _page(_orders, query, order_queries.NEWEST, lambda row: (row.id, row.id), _values(query, Order, by))


def orders_of(customer: Customer, query: ListQuery, *, by: Actor) -> Page:
    values = _values(query, Order, by) | {"customer": customer.customer_id}
    return _page(_orders_of_one, query, order_queries.NEWEST, lambda row: (row.id, row.id), values)


def _page(built: Any, query: ListQuery, sort: Sort, positions: Any, values: dict[str, Any]) -> Page:
    statement = built(tuple(sorted(query.filters)), len(search.patterns(query.words)))
    with scoped(ROWS):
        rows = db.session.execute(lists.keyset(statement, query.way, sort), values | lists.place(query, sort)).all()
        total = lists.whole(rows, query)
        if total is None:
            total = db.session.scalar(lists.counting(statement), values)
    return lists.paged(rows, query, positions, total)


@functools.cache
def _subscriptions(filters: tuple[str, ...], words: int) -> sa.Select:
    """Built once for each shape of a query, as the following ones."""
    return _narrowed(sa.select(*SUBSCRIPTION_COLUMNS).where(_open(S), *_mentions(S, words, _names)), S, filters)


@functools.cache
def _subscriptions_of_one(filters: tuple[str, ...], words: int) -> sa.Select:
    of_one = sa.select(*SUBSCRIPTION_COLUMNS).where(_open(S), S.customer_id == _CUSTOMER, *search.containing(_names, words))
    return _narrowed(of_one, S, filters)


@functools.cache
def _orders(filters: tuple[str, ...], words: int) -> sa.Select:
    return _narrowed(sa.select(*ORDER_COLUMNS).where(_open(Order), *_mentions(Order, words)), Order, filters)


@functools.cache
def _orders_of_one(filters: tuple[str, ...], words: int) -> sa.Select:
    return _narrowed(sa.select(*ORDER_COLUMNS).where(_open(Order), Order.customer_id == _CUSTOMER), Order, filters)


def _mentions(row: Any, words: int, *columns: Any) -> list[sa.ColumnElement[bool]]:
    """Each word stands in one of these columns, or in what the reseller's own record of the customer is found by."""
    record = aliased(Customer)
    theirs = (record.customer_id == row.customer_id, record.partner_id == _ME)
    named = search.containing(record.search_text, words)
    beside = [search.containing(column, words) for column in columns]
    return [sa.or_(sa.exists().where(*theirs, condition).correlate(row), *(other[number] for other in beside)) for number, condition in enumerate(named)]


def _narrowed(statement: sa.Select, row: Any, filters: tuple[str, ...]) -> sa.Select:
    for name in filters:
        column = getattr(row, name)
        statement = statement.where(column == sa.bindparam(name, type_=column.type))
    return statement


def _values(query: ListQuery, row: Any, by: Actor) -> dict[str, Any]:
    given = {name: getattr(row, name).type.enum_class(value) for name, value in query.filters.items()}
    return {"me": by.organization_id, **search.parameters(query.words), **given}


# --- one


def subscription(customer_id: UUID, public_id: UUID, *, by: Actor) -> Any:
    """As queries.shown() has one's own: what the page asks for; NotFound unless it names the reseller."""
    Base, Reseller, Contact, Provider = aliased(Subscription), aliased(Organization), aliased(Organization), aliased(Organization)
    statement = (
        sa.select(
            S,
            Customer,
            Base.public_id.label("base_public_id"),
            sa.func.coalesce(sa.func.nullif(Base.nickname, ""), Base.name).label("base_name"),
            Base.state.label("base_state"),
            queries.ENDS_WITH_BASE.label("ends_with_base"),
            Offer.sku,
            Order.public_id.label("order_public_id"),
            Order.author_name,
            Reseller.name.label("reseller"),
            Contact.name.label("support_contact"),
            Provider.name.label("provider"),
            _partnership.correlate(S).scalar_subquery().label("partnership"),
        )
        .join(Customer, sa.and_(Customer.customer_id == S.customer_id, Customer.partner_id == _ME))
        .join(Offer, Offer.id == S.offer_id)
        .join(Reseller, Reseller.id == S.reseller_id)
        .join(Provider, Provider.id == S.partner_id)
        .outerjoin(Order, sa.and_(Order.id == S.order_id, Order.reseller_id == _ME))
        .outerjoin(Base, sa.and_(Base.id == S.base_id, Base.reseller_id == _ME))
        .outerjoin(Contact, Contact.id == S.support_contact_id)
        .where(S.public_id == public_id, Customer.public_id == customer_id, _open(S))
    )
    return _one(statement, public_id, by)


def add_ons(found: Subscription, *, by: Actor) -> list[Any]:
    with scoped(Scope(reseller_id=by.organization_id)):
        return queries.add_ons(found)


def order(customer_id: UUID, public_id: UUID, *, by: Actor) -> Any:
    """An order that names the reseller, with its own record of the customer and the provider's name."""
    Provider, Reseller = aliased(Organization), aliased(Organization)
    statement = (
        sa.select(Order, Customer, Provider.name.label("provider"), Reseller.name.label("reseller"))
        .join(Customer, sa.and_(Customer.customer_id == Order.customer_id, Customer.partner_id == _ME))
        .join(Provider, Provider.id == Order.partner_id)
        .join(Reseller, Reseller.id == Order.reseller_id)
        .where(Order.public_id == public_id, Customer.public_id == customer_id, _open(Order))
    )
    return _one(statement, public_id, by)


def lines(found: Order, *, by: Actor) -> list[Any]:
    """Those of such an order. What came of them is linked as far as it names the reseller still."""
    if found.state is OrderState.PLACED:
        with scoped(Scope(reseller_id=by.organization_id)):
            return order_queries.lines(found)
    with scoped(Scope(partner_id=found.partner_id)):
        return order_queries.asked_lines(found)


def _one(statement: sa.Select, public_id: UUID, by: Actor) -> Any:
    with scoped(ROWS):
        row = db.session.execute(statement, {"me": by.organization_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row
