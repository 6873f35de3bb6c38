"""Reads of customer records: the list with its search, one record, former customers, export."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.agreements.models import AgreementState
from portal.core import lists, search
from portal.core.access import Actor, PartnerType
from portal.core.db import db, written
from portal.core.errors import NotFound
from portal.core.events import ask
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.core.scope import current_scope
from portal.customers.events import Reseller, ResellersAsked
from portal.customers.models import Customer, CustomerTag, RelationshipState

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
    sa.select(Organization.name).where(Organization.id == Customer.reseller_id).scalar_subquery().label("reseller"),
)
LISTED: dict[str, list[str] | None] = {
    "state": [RelationshipState.PENDING, RelationshipState.ACTIVE],
    "agreement": list(AgreementState),
    "tag": None,
}
PROVIDERS_LISTED = LISTED | {"reseller": None}  # an indirect provider's list is filtered by reseller too (R41)


def page(query: ListQuery) -> Page:
    """One page of the customer list (R14)."""
    return _finder.page(query)


def export(query: ListQuery) -> tuple[sa.Select, dict[str, Any]]:
    """All present customers, or those of the query's words and filters, with its parameters (R15)."""
    return _finder.everything(query, written(Customer.public_id), Customer.name, Customer.domain, Customer.state)


def record(public_id: UUID, *, lock: bool = False) -> Customer:
    """The partner's record of this customer; NotFound where there is none in the scope."""
    customer: Customer | None = db.session.scalar(_LOCKED if lock else _RECORD, {"key": public_id})
    if customer is None:
        raise NotFound(public_id)
    return customer


_BY_KEY = sa.select(Customer).where(Customer.public_id == sa.bindparam("key", type_=sa.Uuid()))
_LOCKED = _BY_KEY.with_for_update(of=Customer).execution_options(populate_existing=True)  # its organization is everybody's: the log of all refers to it
_RECORD = _BY_KEY.options(sa.orm.joinedload(Customer.reseller))
_RECORD_WITH_TAGS = _RECORD.add_columns(
    sa.select(sa.func.aggregate_strings(CustomerTag.tag, "\n")).where(CustomerTag.record_id == Customer.id).scalar_subquery()
)


def record_with_tags(public_id: UUID) -> tuple[Customer, list[str]]:
    """The record and its tags, for the customer's page: one statement."""
    row = db.session.execute(_RECORD_WITH_TAGS, {"key": public_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row[0], sorted(row[1].split("\n")) if row[1] else []


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
        statement = statement.with_for_update(of=Customer).execution_options(populate_existing=True)
    return db.session.scalar(statement)


def by_domain(domain: str) -> Customer | None:
    """This partner's present customer of this domain."""
    return db.session.scalar(sa.select(Customer).where(Customer.domain == domain, Customer.ended == 0).limit(1))


def former(query: ListQuery) -> Page:
    """Ended relationships (R37), by name."""
    statement = sa.select(*COLUMNS, Customer.ended_at, Customer.ending_reason, Customer.ended_by).where(Customer.ended == 1)
    statement = statement.where(*search.contains(Customer.search_text, query.words))
    return lists.fetch(statement, query, SORTS["name"], lambda row: (row.name_key, row.id))


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


def resellers(by: Actor) -> list[Reseller]:
    """The resellers of an indirect provider, former ones too; nobody else has any."""
    return ask(ResellersAsked(by)) if by.partner_type is PartnerType.INDIRECT_PROVIDER else []


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


def _filtered(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
    statement = statement.where(Customer.state == sa.bindparam("state", type_=Customer.state.type) if "state" in filters else Customer.ended == 0)
    if "agreement" in filters:
        statement = statement.where(Customer.ended == 0, Customer.agreement == sa.bindparam("agreement", type_=Customer.agreement.type))
    if "tag" in filters:
        statement = statement.where(Customer.id.in_(sa.select(CustomerTag.record_id).where(CustomerTag.tag == sa.bindparam("tag"))))
    if "reseller" in filters:
        named = sa.select(Organization.id).where(Organization.public_id == sa.bindparam("reseller", type_=sa.Uuid()))
        statement = statement.where(Customer.reseller_id == named.scalar_subquery())
    return statement


def _filter_values(query: ListQuery) -> dict[str, Any]:
    kinds: dict[str, Any] = {"state": RelationshipState, "agreement": AgreementState, "tag": str, "reseller": _key}
    return {name: kinds[name](value) for name, value in query.filters.items()}


def _key(value: str) -> UUID:
    """A public key; one that nobody has for what is none."""
    try:
        return UUID(value)
    except ValueError:
        return UUID(int=0)


_finder = Finder(Customer, COLUMNS, SORTS, _filtered, _filter_values)
