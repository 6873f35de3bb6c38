"""Reads of customer records: the list with its search, one record, former customers, export."""

import functools
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.agreements.models import AgreementState
from portal.core import lists, search
from portal.core.db import db
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort
from portal.core.scope import current_scope
from portal.customers.models import Customer, CustomerTag, RelationshipState

WINDOW = 8000  # rows looked through in list order before the trigram index is asked
SORTS = {
    "name": Sort(Customer.name_key, Customer.id),
    "domain": Sort(Customer.domain, Customer.id),
    "newest": Sort(Customer.id, Customer.id, descending=True),
}
COLUMNS = (
    Customer.id,
    Customer.public_id,
    Customer.name,
    Customer.name_key,
    Customer.domain,
    Customer.state,
    Customer.agreement,
)
LISTED: dict[str, list[str] | None] = {
    "state": [RelationshipState.PENDING, RelationshipState.ACTIVE],
    "agreement": list(AgreementState),
    "tag": None,
}


def position(sort: str) -> Any:
    """A row's place in this order."""
    if sort == "newest":
        return lambda row: (row.id, row.id)
    return lambda row: (row.domain if sort == "domain" else row.name_key, row.id)


def page(query: ListQuery) -> Page:
    """One page of the customer list (R14).

    A common word fills the page from the next rows in list order; only a rare one needs the trigram index, which then has little
    to sort. So neither costs a scan of the whole list, and neither does the count.
    """
    sort = SORTS[query.sort]
    values = {**_filter_values(query), **search.parameters(query.words), **lists.place(query, sort)}
    shape = (query.sort, tuple(sorted(query.filters)), query.way)
    number = len(search.patterns(query.words))
    if not number:
        rows = db.session.execute(_plain(*shape), values).all()
        total = lists.whole(rows, query)
        if total is None:
            total = db.session.scalar(_counting(shape[1], 0, ""), values)
        return lists.paged(rows, query, position(query.sort), total)
    rows = db.session.execute(_window(*shape, number), values).all()
    if len(rows) > lists.PAGE_SIZE:
        return lists.paged(rows, query, position(query.sort), None)
    dialect = db.engine.dialect.name
    rows = db.session.execute(_indexed(*shape, number, dialect), values).all()
    total = lists.whole(rows, query)
    if total is None:
        total = db.session.scalar(_counting(shape[1], number, dialect), values)
    return lists.paged(rows, query, position(query.sort), total)


def export(query: ListQuery) -> tuple[sa.Select, dict[str, Any]]:
    """All present customers, or those of the query's words and filters, with its parameters (R15)."""
    sort = SORTS[query.sort]
    statement = _filtered(sa.select(Customer.public_id, Customer.name, Customer.domain, Customer.state), tuple(sorted(query.filters)))
    number = len(search.patterns(query.words))
    if number:
        statement = statement.where(*search.indexed(Customer, Customer.search_text, number, db.engine.dialect.name))
    statement = statement.order_by(*((sort.column.desc(),) if sort.descending else (sort.column, sort.key)))
    return statement, {**_filter_values(query), **search.parameters(query.words)}


def record(public_id: UUID, *, lock: bool = False) -> Customer:
    """The partner's record of this customer; NotFound where there is none in the scope."""
    statement = sa.select(Customer).where(Customer.public_id == public_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    customer = db.session.scalar(statement)
    if customer is None:
        raise NotFound(public_id)
    return customer


def present(public_id: UUID, *, lock: bool = False) -> Customer:
    """A record that has not ended; ended ones are only in the list of former customers (R36)."""
    customer = record(public_id, lock=lock)
    if customer.state is RelationshipState.ENDED:
        raise NotFound(public_id)
    return customer


def opened(public_id: UUID, *, lock: bool = False) -> Customer:
    """A record of an active relationship: only then is anything of the organization open (R19)."""
    customer = present(public_id, lock=lock)
    if customer.state is not RelationshipState.ACTIVE:
        raise NotFound(public_id)
    return customer


def record_of(organization_id: int, *, lock: bool = False) -> Customer | None:
    statement = sa.select(Customer).where(Customer.customer_id == organization_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return db.session.scalar(statement)


def by_domain(domain: str) -> Customer | None:
    """This partner's present customer of this domain."""
    return db.session.scalar(sa.select(Customer).where(Customer.domain == domain, Customer.ended == 0).limit(1))


def former(query: ListQuery) -> Page:
    """Ended relationships (R37), by name."""
    statement = sa.select(*COLUMNS, Customer.ended_at, Customer.ending_reason, Customer.ended_by).where(Customer.ended == 1)
    statement = statement.where(*search.contains(Customer.search_text, query.words))
    return lists.fetch(statement, query, SORTS["name"], position("name"))


def tags() -> list[str]:
    """The partner's tags, for the filter: hops from one to the next in the index, however many customers carry them."""
    return list(db.session.scalars(_TAGS, {"mine": current_scope().partner_id}))


def _hops() -> sa.Select:
    mine = CustomerTag.partner_id == sa.bindparam("mine")
    hop = sa.select(sa.func.min(CustomerTag.tag).label("tag")).where(mine).cte("hop", recursive=True)
    following = sa.select(sa.func.min(CustomerTag.tag)).where(mine, CustomerTag.tag > hop.c.tag).scalar_subquery()
    hop = hop.union_all(sa.select(following).where(hop.c.tag.is_not(None)))
    return sa.select(hop.c.tag).where(hop.c.tag.is_not(None)).limit(100)


_TAGS = _hops()


def tags_of(customer: Customer) -> list[str]:
    return list(db.session.scalars(sa.select(CustomerTag.tag).where(CustomerTag.record_id == customer.id).order_by(CustomerTag.tag)))


def partners_of(organization_id: int) -> list[Any]:
    """For the customer's side: its records with all partners and the partners' names."""
    return list(
        db.session.execute(
            sa.select(
                Customer.partner_id, Customer.state, Customer.started_at, Customer.ended_at, Organization.name, Organization.public_id, Organization.domain
            )
            .join(Organization, Organization.id == Customer.partner_id)
            .where(Customer.customer_id == organization_id, Customer.state != RelationshipState.PENDING)
            .order_by(Customer.ended, Organization.name)
        )
    )


# Statements are built once for each shape of a query, and get its values as parameters.


@functools.cache
def _plain(sort: str, filters: tuple[str, ...], way: str) -> sa.Select:
    return lists.keyset(_filtered(sa.select(*COLUMNS), filters), way, SORTS[sort])


@functools.cache
def _window(sort: str, filters: tuple[str, ...], way: str, words: int) -> sa.Select:
    """The words looked for in the next rows in list order only."""
    near = lists.keyset(_filtered(sa.select(Customer.id, Customer.search_text), filters), way, SORTS[sort], limit=WINDOW).subquery()
    hits = sa.select(near.c.id).where(*search.containing(near.c.search_text, words)).limit(lists.PAGE_SIZE + 1)
    return lists.keyset(sa.select(*COLUMNS).where(Customer.id.in_(hits)), {"after": "first", "before": "last"}.get(way, way), SORTS[sort])


@functools.cache
def _indexed(sort: str, filters: tuple[str, ...], way: str, words: int, dialect: str) -> sa.Select:
    statement = _filtered(sa.select(*COLUMNS), filters)
    return lists.keyset(statement.where(*search.indexed(Customer, Customer.search_text, words, dialect)), way, SORTS[sort])


@functools.cache
def _counting(filters: tuple[str, ...], words: int, dialect: str) -> sa.Select:
    statement = _filtered(sa.select(Customer.id), filters)
    return lists.counting(statement.where(*search.indexed(Customer, Customer.search_text, words, dialect)) if words else statement)


def _filtered(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    statement = statement.where(Customer.state == sa.bindparam("state", type_=Customer.state.type) if "state" in filters else Customer.ended == 0)
    if "agreement" in filters:
        statement = statement.where(Customer.ended == 0, Customer.agreement == sa.bindparam("agreement", type_=Customer.agreement.type))
    if "tag" in filters:
        statement = statement.where(Customer.id.in_(sa.select(CustomerTag.record_id).where(CustomerTag.tag == sa.bindparam("tag"))))
    return statement


def _filter_values(query: ListQuery) -> dict[str, Any]:
    kinds = {"state": RelationshipState, "agreement": AgreementState, "tag": str}
    return {name: kinds[name](value) for name, value in query.filters.items()}
