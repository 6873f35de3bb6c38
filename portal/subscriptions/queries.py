"""Reads of subscriptions: of one customer, over all customers of a partner, and of a customer over all its partners."""

import functools
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased, lazyload

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import clock, lists, search
from portal.core.access import Role
from portal.core.db import Key, db, written
from portal.core.errors import NotFound
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions.models import Charge, Offer, Order, Subscription, SubscriptionOwner, SubscriptionState

OWNERS = (Role.CUSTOMER_ADMIN, Role.PURCHASER)
SOON = timedelta(days=30)
CHARGES = 24  # shown of one subscription
PEOPLE = 100

S = Subscription
_Base = aliased(Subscription)
_base_name = sa.select(sa.func.coalesce(sa.func.nullif(_Base.nickname, ""), _Base.name)).where(_Base.id == S.base_id)
# An add-on ends together with its base, whatever its own renewal says (R80).
# Asked by the base's key, row by row: PostgreSQL makes an EXISTS into a look at all subscriptions that do not renew.
_base_renews = sa.select(_Base.auto_renew).where(_Base.id == S.base_id).correlate(S).scalar_subquery()
ENDS_WITH_BASE = sa.and_(S.base_id.is_not(None), sa.not_(_base_renews))
_ends_with_base = ENDS_WITH_BASE.label("ends_with_base")
COLUMNS = (
    S.id,
    S.public_id,
    S.base_id,
    S.name,
    S.nickname,
    S.name_key,
    S.quantity,
    S.next_quantity,
    S.state,
    S.auto_renew,
    S.cancels,
    S.trial_ends_on,
    S.turns_on,
    S.billing,
    S.cycle,
    S.unit_minor,
    S.currency,
    _ends_with_base,
    _base_name.correlate(S).scalar_subquery().label("base_name"),
)
STATES = list(SubscriptionState)
# A base with its add-ons below it, in the order in which they were bought; by name; by the day on which something happens.
SORTS = {
    "family": Sort(sa.func.coalesce(S.base_id, S.id, type_=Key), S.id),
    "name": Sort(S.name_key, S.id),
    "day": Sort(S.turns_on, S.id),
}
POSITIONS: dict[str, Any] = {
    "family": lambda row: (row.base_id or row.id, row.id),
    "name": lambda row: (row.name_key, row.id),
    "day": lambda row: (row.turns_on, row.id),
}
# The list over all customers: each view has the one order that its index serves.
VIEWS = {"renewing": "day", "ending": "day", "trials": "trial"}
EVERYWHERE: dict[str, Any] = {"state": STATES, **{view: ["1"] for view in VIEWS}}


def of_a_partner(row: Any) -> sa.ColumnElement[bool]:
    """Unless the customer has not consented to the relationship with that partner yet: then it is open to neither side (R2, R19)."""
    record = sa.exists().where(Customer.partner_id == row.partner_id, Customer.customer_id == row.customer_id, Customer.state != RelationshipState.PENDING)
    return record.correlate(row)


# --- lists


def of_customer(customer: Customer, query: ListQuery) -> Page:
    """One page of a customer's subscriptions."""
    shape = tuple(sorted(query.filters)), len(search.patterns(query.words))
    values = _values(query) | {"customer": customer.customer_id}
    rows = db.session.execute(_of_customer(query.sort, query.way, *shape), values | lists.place(query, SORTS[query.sort])).all()
    total = lists.whole(rows, query)
    if total is None:
        total = db.session.scalar(lists.counting(_narrowed(sa.select(S.id), *shape)), values)
    return lists.paged(rows, query, POSITIONS[query.sort], total)


def everywhere(query: ListQuery) -> Page:
    """One page of the subscriptions of all customers of the partner."""
    return _finder.page(query)


def of_my_partners(query: ListQuery) -> Page:
    """One page of a customer's own, whoever sold them."""
    statement = sa.select(*COLUMNS, Organization.name.label("partner")).join(Organization, Organization.id == S.partner_id).where(of_a_partner(S))
    if "state" in query.filters:
        statement = statement.where(S.state == SubscriptionState(query.filters["state"]))
    return lists.fetch(statement, query, Sort(S.id, S.id, descending=True), lambda row: (row.id, row.id))


def export(query: ListQuery, customer: Customer) -> tuple[sa.Select, dict[str, Any]]:
    """A customer's subscriptions, or those of the query's words and filters, with the query's parameters (R15)."""
    statement = _narrowed(_with_reseller(sa.select(*_EXPORTED)), tuple(sorted(query.filters)), len(search.patterns(query.words)))
    return statement.order_by(SORTS["family"].column, S.id), _values(query) | {"customer": customer.customer_id}


def export_everywhere(query: ListQuery) -> tuple[sa.Select, dict[str, Any]]:
    statement, values = _finder.everything(query, of_record(S, written(Customer.public_id)), of_record(S, Customer.name), *_EXPORTED)
    return _with_reseller(statement), values


_EXPORTED = (written(S.public_id), S.name, S.quantity, S.state, Organization.name)


def _with_reseller(statement: sa.Select) -> sa.Select:
    return statement.select_from(S).outerjoin(Organization, Organization.id == S.reseller_id)


@functools.cache
def _of_customer(sort: str, way: str, filters: tuple[str, ...], words: int) -> sa.Select:
    """Built once for each shape of a query."""
    return lists.keyset(_narrowed(sa.select(*COLUMNS), filters, words), way, SORTS[sort])


def _narrowed(statement: sa.Select, filters: tuple[str, ...], words: int) -> sa.Select:
    statement = statement.where(S.customer_id == sa.bindparam("customer", type_=Key), *search.containing(S.search_text, words))
    return statement.where(S.state == sa.bindparam("state", type_=S.state.type)) if "state" in filters else statement


def _values(query: ListQuery) -> dict[str, Any]:
    given = {"state": SubscriptionState(query.filters["state"])} if "state" in query.filters else {}
    return {**search.parameters(query.words), **given}


def of_record(row: Any, column: Any) -> Any:
    """Something of the partner's record of the customer, row by row."""
    record = sa.select(column).where(Customer.customer_id == row.customer_id, Customer.partner_id == row.partner_id)
    return record.correlate(row).scalar_subquery().label(f"customer_{column.key}")


def customer_named(row: Any) -> tuple[Any, ...]:
    """What a list says of each row's customer; it has no page of its sales while the record is pending (R19)."""
    return tuple(of_record(row, column) for column in (Customer.public_id, Customer.name, Customer.state))


def _view(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    if "state" in filters:
        statement = statement.where(S.state == sa.bindparam("state", type_=S.state.type))
    if "trials" in filters:
        statement = statement.where(S.state == SubscriptionState.ACTIVE, S.trial_ends_on.is_not(None))
    for name, renews in (("renewing", True), ("ending", False)):
        if name in filters:
            soon = S.turns_on <= sa.bindparam("soon", type_=S.turns_on.type)
            statement = statement.where(S.state == SubscriptionState.ACTIVE, S.auto_renew.is_(renews), soon)
    if "renewing" in filters:
        statement = statement.where(~ENDS_WITH_BASE)
    return statement


def _view_values(query: ListQuery) -> dict[str, Any]:
    given = {"state": SubscriptionState(query.filters["state"])} if "state" in query.filters else {}
    return {**given, "soon": clock.today() + SOON}


_finder = Finder(
    S,
    (*COLUMNS, *customer_named(S)),
    {"newest": Sort(S.id, S.id, descending=True), "day": Sort(S.turns_on, S.id), "trial": Sort(S.trial_ends_on, S.id)},
    _view,
    _view_values,
    window=2000,
)


# --- one


def _shown_statement() -> sa.Select:
    Base = _Base
    return (
        sa.select(
            S,
            Customer,
            Base.public_id.label("base_public_id"),
            sa.func.coalesce(sa.func.nullif(Base.nickname, ""), Base.name).label("base_name"),
            Base.state.label("base_state"),
            _ends_with_base,
            Offer.minimum,
            Offer.maximum,
            Offer.sku,
            Offer.public_id.label("offer_public_id"),
            Order.public_id.label("order_public_id"),
            Order.author_name,
            _named(S.reseller_id).label("reseller"),
            _named(S.support_contact_id).label("support_contact"),
        )
        .join(Customer, sa.and_(Customer.customer_id == S.customer_id, Customer.partner_id == S.partner_id))
        .join(Offer, Offer.id == S.offer_id)
        .join(Order, Order.id == S.order_id)
        .outerjoin(Base, Base.id == S.base_id)
        .where(
            S.public_id == sa.bindparam("subscription", type_=sa.Uuid()),
            Customer.public_id == sa.bindparam("customer", type_=sa.Uuid()),
            Customer.state != RelationshipState.PENDING,
        )
        .options(lazyload(Customer.organization))
    )


def _named(organization_id: Any) -> Any:
    """An organization's name; apart from the joins, whose order costs a planner more than their rows."""
    return sa.select(Organization.name).where(Organization.id == organization_id).correlate(S).scalar_subquery()


def _people_statement() -> sa.Select:
    Owner = SubscriptionOwner
    may_buy = sa.exists().where(UserRole.user_id == User.id, UserRole.role.in_(OWNERS))
    return (
        sa.select(User.public_id, User.name, Owner.id.is_not(None).label("owner"))
        .outerjoin(Owner, sa.and_(Owner.user_id == User.id, Owner.subscription_id == sa.bindparam("subscription", type_=Key)))
        .where(User.organization_id == sa.bindparam("organization", type_=Key), sa.or_(Owner.id.is_not(None), sa.and_(User.state == UserState.ACTIVE, may_buy)))
        .order_by(User.name_key, User.id)
        .limit(PEOPLE)
    )


def _charges_statement() -> sa.Select:
    C = Charge
    total = sa.func.sum(C.amount_minor).over().label("total")
    statement = sa.select(C.kind, C.at, C.quantity, C.amount_minor, C.currency, C.from_on, C.to_on, total)
    return statement.where(C.subscription_id == sa.bindparam("subscription", type_=Key)).order_by(C.id.desc()).limit(CHARGES + 1)


def _add_ons_statement() -> sa.Select:
    live_first = S.state.in_([SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED]).desc()
    return sa.select(*COLUMNS).where(S.base_id == sa.bindparam("base", type_=Key)).order_by(live_first, S.id.desc()).limit(50)


# Built once: the page of one subscription asks all of them.
_SHOWN, _PEOPLE, _CHARGES, _ADD_ONS = _shown_statement(), _people_statement(), _charges_statement(), _add_ons_statement()


def shown(customer_id: UUID, public_id: UUID) -> Any:
    """A subscription with what stands around it, in one statement; NotFound where the customer has none such, or waits for its consent (R19)."""
    row = db.session.execute(_SHOWN, {"subscription": public_id, "customer": customer_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def of_mine(public_id: UUID) -> Any:
    """One of a customer's own, with its partner's name."""
    row = db.session.execute(
        sa.select(S, Organization.name.label("partner"), *COLUMNS[-2:])
        .join(Organization, Organization.id == S.partner_id)
        .where(S.public_id == public_id, of_a_partner(S))
    ).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def add_ons(subscription: Subscription) -> list[Any]:
    """Those of a base, the live ones first."""
    return list(db.session.execute(_ADD_ONS, {"base": subscription.id}))


def charges(subscription: Subscription) -> list[Any]:
    """The latest, one more than a page shows; each row also has the `total` of all."""
    return list(db.session.execute(_CHARGES, {"subscription": subscription.id}))


def people(subscription: Subscription) -> list[Any]:
    """The customer's owners of it, and whoever could be named one: name, public key, whether `owner` (R71)."""
    return list(db.session.execute(_PEOPLE, {"subscription": subscription.id, "organization": subscription.customer_id}))


def family(base_id: int) -> list[Subscription]:
    """A base with its add-ons, locked, in the order in which everybody locks them."""
    members = sa.select(S).where(sa.or_(S.id == base_id, S.base_id == base_id))
    return list(db.session.scalars(members.order_by(S.id).with_for_update().execution_options(populate_existing=True)))


def offer_of(subscription: Subscription) -> Offer:
    return db.session.scalars(sa.select(Offer).where(Offer.id == subscription.offer_id)).one()


def base_of(subscription: Subscription) -> Subscription | None:
    return db.session.scalar(sa.select(Subscription).where(Subscription.id == subscription.base_id)) if subscription.base_id else None


def below(subscription: Subscription) -> list[Subscription]:
    """Its add-ons, to change them."""
    return list(db.session.scalars(sa.select(Subscription).where(Subscription.base_id == subscription.id).order_by(Subscription.id)))


def locked(customer: Customer, public_id: UUID) -> Subscription:
    """One of this customer's, held with its base and add-ons until the change is committed."""
    row = db.session.execute(sa.select(S.id, S.base_id).where(S.public_id == public_id, S.customer_id == customer.customer_id)).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return next(member for member in family(row.base_id or row.id) if member.id == row.id)


def some(customer: Customer, public_ids: Iterable[UUID]) -> list[Any]:
    """These of a customer, a base before its add-ons: the order in which several are locked."""
    statement = sa.select(*COLUMNS).where(S.customer_id == customer.customer_id, S.public_id.in_(list(public_ids)))
    return list(db.session.execute(statement.order_by(SORTS["family"].column, S.id)))


def in_the_way(customer: Customer, most: int) -> list[Any]:
    """Active subscriptions, at most so many; each row also has the `number` of all (R35)."""
    number = sa.func.count().over().label("number")
    statement = sa.select(S.public_id, S.name, S.nickname, S.quantity, number).where(S.customer_id == customer.customer_id, S.state == SubscriptionState.ACTIVE)
    return list(db.session.execute(statement.order_by(S.id).limit(most)))
