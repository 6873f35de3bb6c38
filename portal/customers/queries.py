"""Reads of customer records: the list with its search, one record, former customers, export."""

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

WINDOW = 2500  # rows looked through in list order before the trigram index is asked
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
LISTED = {
    "state": [RelationshipState.PENDING, RelationshipState.ACTIVE],
    "agreement": list(AgreementState),
    "tag": None,
}


def position(sort: str) -> Any:
    """A row's place in this order."""
    if sort == "newest":
        return lambda row: (row.id, row.id)
    return lambda row: (row.domain if sort == "domain" else row.name_key, row.id)


def listed(query: ListQuery) -> sa.Select[Any]:
    """The statement of the list: present customers under the query's filters, without its words."""
    return _filtered(sa.select(*COLUMNS), query)


def page(query: ListQuery) -> Page:
    """One page of the customer list (R14)."""
    sort = SORTS[query.sort]
    statement = listed(query)
    if not search.patterns(query.words):
        return lists.fetch(statement, query, sort, position(query.sort))
    rows, dense = _found(query, statement, sort)
    alone = len(rows) <= lists.PAGE_SIZE and query.after is None and query.before is None and not query.last
    total = len(rows) if alone else lists.count(_narrowed(statement, query, indexed=not dense))
    return lists.paged(rows, query, position(query.sort), total)


def export(query: ListQuery | None) -> sa.Select[Any]:
    """All present customers, or those of the query; the columns of the contract (R15)."""
    statement = sa.select(Customer.public_id, Customer.name, Customer.domain, Customer.state)
    if query is None:
        return statement.where(Customer.ended == 0).order_by(Customer.name_key, Customer.id)
    sort = SORTS[query.sort]
    order = (sort.column.desc(),) if sort.descending else (sort.column, sort.key)
    statement = _filtered(statement, query)
    return (_narrowed(statement, query, indexed=True) if search.patterns(query.words) else statement).order_by(*order)


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
    scope = current_scope().partner_id
    mine = CustomerTag.partner_id == scope
    hop = sa.select(sa.func.min(CustomerTag.tag).label("tag")).where(mine).cte("hop", recursive=True)
    following = sa.select(sa.func.min(CustomerTag.tag)).where(mine, CustomerTag.tag > hop.c.tag).scalar_subquery()
    hop = hop.union_all(sa.select(following).where(hop.c.tag.is_not(None)))
    return list(db.session.scalars(sa.select(hop.c.tag).where(hop.c.tag.is_not(None)).limit(100)))


def tags_of(customer: Customer) -> list[str]:
    return list(db.session.scalars(sa.select(CustomerTag.tag).where(CustomerTag.record_id == customer.id).order_by(CustomerTag.tag)))


def partners_of(organization_id: int) -> list[Any]:
    """For the customer's side: its records with all partners and the partners' names."""
    return list(
        db.session.execute(
            sa.select(Customer.partner_id, Customer.state, Customer.started_at, Customer.ended_at, Organization.name, Organization.public_id, Organization.domain)
            .join(Organization, Organization.id == Customer.partner_id)
            .where(Customer.customer_id == organization_id, Customer.state != RelationshipState.PENDING)
            .order_by(Customer.ended, Organization.name)
        )
    )


def _filtered(statement: sa.Select[Any], query: ListQuery) -> sa.Select[Any]:
    filters = query.filters
    if "state" in filters:
        statement = statement.where(Customer.state == RelationshipState(filters["state"]))
    else:
        statement = statement.where(Customer.ended == 0)
    if "agreement" in filters:
        statement = statement.where(Customer.agreement == AgreementState(filters["agreement"]))
    if "tag" in filters:
        statement = statement.where(Customer.id.in_(sa.select(CustomerTag.record_id).where(CustomerTag.tag == filters["tag"])))
    return statement


def _narrowed(statement: sa.Select[Any], query: ListQuery, *, indexed: bool) -> sa.Select[Any]:
    if indexed:
        return statement.where(*search.indexed(Customer, Customer.search_text, query.words, db.engine.dialect.name))
    return statement.where(*search.contains(Customer.search_text, query.words))


def _found(query: ListQuery, statement: sa.Select[Any], sort: Sort) -> tuple[list[Any], bool]:
    """Rows of one page under the query's words, and whether matches are dense.

    A common word fills the page from the next rows in list order; only a rare one needs the trigram index, which then has little
    to sort. So neither costs a scan of the whole list.
    """
    window = lists.keyset(statement.add_columns(Customer.search_text), query, sort).limit(WINDOW).subquery()
    ordered = sa.select(*(column for column in window.c if column.name != "search_text")).where(*search.contains(window.c.search_text, query.words))
    descending = sort.descending != (query.last or query.before is not None)
    keys = [window.c[sort.column.key], window.c.id][: 1 if sort.column is sort.key else 2]
    rows = db.session.execute(ordered.order_by(*(key.desc() if descending else key for key in keys)).limit(lists.PAGE_SIZE + 1)).all()
    if len(rows) > lists.PAGE_SIZE:
        return list(rows), True
    return list(db.session.execute(lists.keyset(_narrowed(statement, query, indexed=True), query, sort)).all()), False
