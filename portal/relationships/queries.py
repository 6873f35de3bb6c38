"""Reads of relationship requests, delegated administration and partnerships, on every side."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization
from portal.core import tokens
from portal.core.access import Actor, PartnerType, Permission, Side
from portal.core.db import Key, db, find, limited
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort, counting, fetch
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships.models import (
    AdminRole,
    DelegatedAdministration,
    DelegationState,
    Partnership,
    PartnershipState,
    RelationshipRequest,
    RequestState,
)

NEWEST = Sort(RelationshipRequest.id, RelationshipRequest.id, descending=True)
FILTERS = {"state": list(RequestState)}


def requests(query: ListQuery) -> Page:
    R = RelationshipRequest
    statement: Any = sa.select(
        R.id,
        R.public_id,
        R.email,
        R.organization,
        R.state,
        R.state_at,
        R.sent_at,
        R.expires_at,
        R.created_at,
        R.delegated_administration,
        R.author_name,
        R.provider_id,
    )
    if "state" in query.filters:
        statement = statement.where(R.state == RequestState(query.filters["state"]))
    statement = statement.where(*_mention(query.words, R.email, R.organization))
    return fetch(statement, query, NEWEST, lambda row: (row.id, row.id))


def _mention(words: str, *columns: Any) -> list[sa.ColumnElement[bool]]:
    """Each word stands in one of these columns."""
    patterns = ["%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for word in words.split()]
    return [sa.or_(*(column.ilike(pattern, escape="\\") for column in columns)) for pattern in patterns]


def request_of(public_id: UUID, *, lock: bool = False) -> RelationshipRequest:
    return find(RelationshipRequest, public_id, lock=lock)


def held_and_asked(customer: Customer, *, limit: int) -> tuple[DelegatedAdministration | None, list[Any]]:
    """The delegated administration in force at this customer, and the latest requests that concern it: one statement for its page."""
    rows = db.session.execute(_held_and_asked(limit), {"customer": customer.id}).all()
    return (rows[0][0] if rows else None), [row for row in rows if row.public_id is not None]


@functools.cache
def _held_and_asked(most: int) -> sa.Select:
    D, R = DelegatedAdministration, RelationshipRequest
    return limited(
        sa.select(D, R.public_id, R.email, R.state, R.state_at, R.purpose)
        .select_from(Customer)
        .outerjoin(D, sa.and_(D.customer_id == Customer.customer_id, D.state == DelegationState.ACTIVE))
        .outerjoin(R, R.customer_id == Customer.customer_id)
        .where(Customer.id == sa.bindparam("customer", type_=Key))
        .order_by(R.id.desc()),
        most,
    )


def open_request_to(organization_id: int) -> RelationshipRequest | None:
    """A sent request that names this customer and still waits."""
    R = RelationshipRequest
    return db.session.scalar(sa.select(R).where(R.customer_id == organization_id, R.state == RequestState.SENT).order_by(R.id.desc()).limit(1))


def delegation_of(organization_id: int, *, partner_id: int | None = None, lock: bool = False) -> DelegatedAdministration | None:
    """The active delegated administration of a customer, for the partner in scope (or this partner, on the customer's side)."""
    D = DelegatedAdministration
    statement = sa.select(D).where(D.customer_id == organization_id, D.state == DelegationState.ACTIVE)
    if partner_id is not None:
        statement = statement.where(D.partner_id == partner_id)
    if lock:
        statement = statement.with_for_update()
    return db.session.scalar(statement.limit(1))


def last_delegation(organization_id: int) -> DelegatedAdministration | None:
    """What this customer granted most recently: proposed again when a relationship is reinstated (R37)."""
    D = DelegatedAdministration
    return db.session.scalar(sa.select(D).where(D.customer_id == organization_id).order_by(D.id.desc()).limit(1))


def delegations_to(organization_id: int) -> dict[int, DelegatedAdministration]:
    """On the customer's side: active delegations by partner."""
    D = DelegatedAdministration
    found = db.session.scalars(sa.select(D).where(D.customer_id == organization_id, D.state == DelegationState.ACTIVE))
    return {row.partner_id: row for row in found}


def effective_roles(roles: Iterable[str]) -> frozenset[AdminRole]:
    """Global administrator means all of them (R30)."""
    chosen = frozenset(map(AdminRole, roles))
    return frozenset(AdminRole) if AdminRole.GLOBAL_ADMINISTRATOR in chosen else chosen


# --- the customer's way in: whoever holds the link, or is an admin of the customer it names


def request_by_token(token: str) -> RelationshipRequest | None:
    """The request that this link belongs to, whatever its state; None for links never issued or replaced since."""
    return _by_token(RelationshipRequest, "connect", token)


def _by_token(model: Any, purpose: str, token: str) -> Any:
    link = tokens.look_up(purpose, token)
    if link is None:
        return None
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(model).where(model.link_id == link.id))


class NotHeld(NotFound):
    """Nobody is signed in, and this browser has not opened the link."""


class Replaced(NotFound):
    """The link that was opened has been replaced by a newer one."""


def request_held(public_id: UUID, held: dict[str, int], actor: Actor | None, *, lock: bool = False) -> RelationshipRequest:
    """The request, for whoever holds its present link, or is a customer admin of the customer that it names (R22).

    `held` maps request ids to the generation of the link that was opened; a link sent again replaces the old one.
    """
    with scoped(EVERYTHING):
        request = _behind_link(RelationshipRequest, public_id, RelationshipRequest.provider, lock=lock)
        if request is None or request.state is RequestState.DRAFT:
            raise _missing(public_id, {}, actor)
        named = actor is not None and actor.may(Permission.MY_CONSENT) and request.named and request.customer_id == actor.organization_id
        answered = actor is not None and actor.side is Side.CUSTOMER and request.customer_id == actor.organization_id
        if not (_holds(request, held) or named or answered):
            raise _missing(public_id, held, actor)
        return request  # type: ignore[no-any-return]


def _behind_link(model: Any, public_id: UUID, other: Any, *, lock: bool) -> Any:
    """A row that a link leads to, with the companies that it names; None when there is none."""
    statement = sa.select(model).where(model.public_id == public_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    else:
        statement = statement.options(sa.orm.joinedload(model.link), sa.orm.joinedload(model.partner), sa.orm.joinedload(other))
    row = db.session.scalar(statement)
    return row if row is not None and row.link is not None else None


def _holds(row: Any, held: dict[str, int]) -> bool:
    return bool(held.get(str(row.public_id)) == row.link.generation)


def _missing(public_id: UUID, held: dict[str, int], actor: Actor | None) -> NotFound:
    """What somebody is told who may not look: the same for every address, but that an opened link was replaced."""
    if str(public_id) in held:
        return Replaced(public_id)
    return NotHeld(public_id) if actor is None else NotFound(public_id)


def waiting_for(organization_id: int, at: datetime) -> list[Any]:
    """Requests that name this customer and wait for its answer."""
    R = RelationshipRequest
    with scoped(EVERYTHING):
        return list(
            db.session.execute(
                sa.select(R.public_id, R.sent_at, R.expires_at, R.purpose, R.delegated_administration, Organization.name)
                .join(Organization, Organization.id == R.partner_id)
                .where(R.customer_id == organization_id, R.named, R.state == RequestState.SENT, R.expires_at > at)
                .order_by(R.id.desc())
                .limit(20)
            )
        )


def partner_of(organization_id: int, public_id: UUID) -> Any:
    """On the customer's side: one of its partners, active or former, else NotFound (R2)."""
    row = db.session.execute(
        sa.select(Organization, Customer.state, Customer.started_at, Customer.ended_at, Customer.public_id.label("customer_public_id"))
        .join(Customer, Customer.partner_id == Organization.id)
        .where(Organization.public_id == public_id, Customer.customer_id == organization_id, Customer.state != RelationshipState.PENDING)
    ).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def delegation_history(organization_id: int, partner_id: int) -> list[DelegatedAdministration]:
    D = DelegatedAdministration
    return list(db.session.scalars(sa.select(D).where(D.customer_id == organization_id, D.partner_id == partner_id).order_by(D.id.desc()).limit(10)))


def granted_by(request: RelationshipRequest) -> DelegatedAdministration | None:
    """The delegated administration that this request led to."""
    D = DelegatedAdministration
    return db.session.scalar(sa.select(D).where(D.request_id == request.id))


def accepted_request(organization_id: int, public_id: UUID) -> RelationshipRequest:
    """On the customer's side: a request that it accepted, for the receipt."""
    R = RelationshipRequest
    request = db.session.scalar(sa.select(R).where(R.public_id == public_id, R.customer_id == organization_id, R.state == RequestState.ACCEPTED))
    if request is None:
        raise NotFound(public_id)
    return request


def accepted_requests(organization_id: int, partner_id: int) -> list[RelationshipRequest]:
    """On the customer's side: what it accepted from this partner, alone or along with its reseller (R28), the latest first."""
    R = RelationshipRequest
    ours = sa.or_(R.partner_id == partner_id, R.provider_id == partner_id)
    statement = sa.select(R).where(R.customer_id == organization_id, ours, R.state == RequestState.ACCEPTED)
    return list(db.session.scalars(statement.order_by(R.id.desc()).limit(20)))


# --- partnerships: the provider's rows, which the reseller that accepted reads in a scope of its own

PARTNERSHIP_FILTERS = {"state": list(PartnershipState)}
ACCEPTED = (PartnershipState.ACTIVE, PartnershipState.ENDED)
MOST_PARTNERS = 1000  # of a list to choose from


def side_of(by: Actor) -> Scope:
    """Whose partnerships: those of the provider, or those that name the reseller."""
    if by.partner_type is PartnerType.INDIRECT_RESELLER:
        return Scope(reseller_id=by.organization_id)
    return Scope(partner_id=by.organization_id)


def partnerships(query: ListQuery, *, by: Actor) -> Page:
    """A provider's resellers and its requests to some, or a reseller's providers, present ones first; `name` and `domain` are the other side's (R40)."""
    P = Partnership
    provider = by.partner_type is PartnerType.INDIRECT_PROVIDER
    statement: Any = sa.select(
        P.id,
        P.public_id,
        P.state,
        P.standing,
        P.sent_at,
        P.expires_at,
        P.answered_at,
        P.ended_at,
        P.email,
        P.organization,
        Organization.name,
        Organization.domain,
    ).outerjoin(Organization, Organization.id == (P.reseller_id if provider else P.partner_id))
    if "state" in query.filters:
        statement = statement.where(P.state == PartnershipState(query.filters["state"]))
    typed = (P.email, P.organization) if provider else ()
    statement = statement.where(*_mention(query.words, Organization.name, Organization.domain, *typed))
    with scoped(side_of(by)):
        return fetch(statement, query, Sort(P.standing, P.id, descending=True), lambda row: (row.standing, row.id))


def partnership_of(public_id: UUID, *, by: Actor, lock: bool = False) -> Partnership:
    """A partnership of one's own organization, on either side; a request that nobody accepted is the provider's alone."""
    with scoped(side_of(by)):
        if lock:
            return find(Partnership, public_id, lock=True)
        row = _partnership(public_id)
    if row is None:
        raise NotFound(public_id)
    return row


def _partnership(public_id: UUID) -> Partnership | None:
    P = Partnership
    loaded = (sa.orm.joinedload(P.partner), sa.orm.joinedload(P.reseller), sa.orm.joinedload(P.link))
    return db.session.scalar(sa.select(P).where(P.public_id == public_id).options(*loaded))


def resellers(*, by: Actor) -> list[Any]:
    """The provider's resellers, active ones first, then former ones: id, public_id, name, state, by name."""
    return _other_side(Partnership.reseller_id, by)


def active_resellers(*, by: Actor) -> list[Any]:
    """Whom a provider may name on a record and refer a lead to (R41)."""
    return [row for row in resellers(by=by) if row.active]


def active_providers(*, by: Actor) -> list[Any]:
    """For whom a reseller may invite along with itself (R28)."""
    return [row for row in _other_side(Partnership.partner_id, by) if row.active]


def _other_side(column: Any, by: Actor) -> list[Any]:
    """The organizations in this column of one's partnerships, each once; `active` says whether one is in force."""
    P = Partnership
    active = sa.func.max(sa.case((P.state == PartnershipState.ACTIVE, 1), else_=0)).label("active")
    statement = (
        sa.select(Organization.id, Organization.public_id, Organization.name, active)
        .join(P, column == Organization.id)
        .where(P.state.in_(ACCEPTED))
        .group_by(Organization.id, Organization.public_id, Organization.name)
        .order_by(active.desc(), Organization.name)
        .limit(MOST_PARTNERS)
    )
    with scoped(side_of(by)):
        return list(db.session.execute(statement))


def in_force(provider_id: int | None, reseller_id: int | None, *, lock: bool = False) -> Partnership | None:
    """The active partnership of these two."""
    P = Partnership
    statement = sa.select(P).where(P.partner_id == provider_id, P.reseller_id == reseller_id, P.state == PartnershipState.ACTIVE)
    if lock:
        statement = statement.with_for_update()
    with scoped(EVERYTHING):
        return db.session.scalar(statement)


def partnership_by_token(token: str) -> Partnership | None:
    found: Partnership | None = _by_token(Partnership, "partnership", token)
    return found


def partnership_held(public_id: UUID, held: dict[str, int], actor: Actor | None, *, lock: bool = False) -> Partnership:
    """The request for a partnership, for whoever holds its present link, or is of the reseller that accepted it."""
    with scoped(EVERYTHING):
        row: Partnership | None = _behind_link(Partnership, public_id, Partnership.reseller, lock=lock)
        if row is None:
            raise _missing(public_id, {}, actor)
        answered = actor is not None and row.reseller_id == actor.organization_id
        if not (_holds(row, held) or answered):
            raise _missing(public_id, held, actor)
        return row


def sees(reseller_id: int | None, provider_id: int, customer_id: int | None) -> bool:
    """Whether a reseller may see what of this provider's rows of this customer names it: both relations are active (R2, R41, R42)."""
    if reseller_id is None:
        return False
    P = Partnership
    partners = sa.select(P.id).where(P.partner_id == provider_id, P.reseller_id == reseller_id, P.state == PartnershipState.ACTIVE)
    served = sa.exists().where(Customer.partner_id == reseller_id, Customer.customer_id == customer_id, Customer.state == RelationshipState.ACTIVE)
    with scoped(EVERYTHING):
        return db.session.scalar(partners.where(served).limit(1)) is not None


# --- shared customers (R41)


def shared_customers(query: ListQuery, row: Partnership, *, by: Actor) -> Page:
    """Customers that both sides of this partnership serve, as the reader's own records name them, by that name."""
    own, statement = _shared(row, by.organization_id)
    statement = statement.with_only_columns(own.id, own.public_id, own.name, own.name_key, own.domain, maintain_column_froms=True)
    with scoped(EVERYTHING):
        return fetch(statement, query, Sort(own.name_key, own.id), lambda found: (found.name_key, found.id))


def _shared(row: Partnership, reader_id: int | None) -> tuple[Any, sa.Select]:
    """The reader's own active records of the customers shared: both relationships are active and the provider's record names the reseller.

    Of the other side's records only the condition is used, none of their columns. A partnership that is over shares nothing. In `scoped(EVERYTHING)`.
    """
    own, other = aliased(Customer), aliased(Customer)
    named = own if reader_id == row.partner_id else other
    other_id = row.reseller_id if reader_id == row.partner_id else row.partner_id
    both = sa.and_(other.customer_id == own.customer_id, other.partner_id == other_id, other.state == RelationshipState.ACTIVE)
    statement = (
        sa.select(own.id)
        .join(other, both)
        .where(own.partner_id == reader_id, own.state == RelationshipState.ACTIVE, named.reseller_id == row.reseller_id)
        .where(sa.true() if row.state is PartnershipState.ACTIVE else sa.false())
    )
    return own, statement


@dataclass(frozen=True)
class Staying:
    """What one side keeps when a partnership ends (R42); each count stops at one past COUNTED_UP_TO."""

    shared: int
    delegated: int
    naming: int


def staying(row: Partnership, organization_id: int) -> Staying:
    """Of this side: customers shared, those of them where it has delegated administration, and its records that name the reseller."""
    D = DelegatedAdministration
    own, shared = _shared(row, organization_id)
    granted = sa.exists().where(D.partner_id == organization_id, D.customer_id == own.customer_id, D.state == DelegationState.ACTIVE)
    naming = sa.select(Customer.id).where(Customer.partner_id == organization_id, Customer.reseller_id == row.reseller_id, Customer.ended == 0)
    counts = [counting(statement).scalar_subquery() for statement in (shared, shared.where(granted), naming)]
    with scoped(EVERYTHING):
        return Staying(*db.session.execute(sa.select(*counts)).one())


def providers_sharing(customer: Customer) -> list[Any]:
    """For a reseller: its providers whose record of this customer names it, and where their agreement with it stands; nothing else of those records."""
    with scoped(EVERYTHING):
        return sharing(db.session.execute(with_sharing(sa.select(Customer.id).where(Customer.id == customer.id))))


def with_sharing(statement: sa.Select) -> sa.Select:
    """A statement on a reseller's own record of a customer, with what `sharing` reads of its rows."""
    P, other, provider = aliased(Partnership), aliased(Customer), aliased(Organization)
    named = sa.and_(
        other.partner_id == P.partner_id,
        other.customer_id == Customer.customer_id,
        other.reseller_id == Customer.partner_id,
        other.state == RelationshipState.ACTIVE,
    )
    told = (P.public_id.label("partnership_id"), P.partner_id.label("provider_id"), provider.name.label("provider"), provider.public_id.label("provider_key"))
    return (
        statement.add_columns(*told, other.agreement.label("provider_agreement"))
        .outerjoin(P, sa.and_(P.reseller_id == Customer.partner_id, P.state == PartnershipState.ACTIVE))
        .outerjoin(other, named)
        .outerjoin(provider, provider.id == other.partner_id)
        .order_by(provider.name)
        .limit(MOST_PARTNERS)
    )


def sharing(rows: Iterable[Any]) -> list[Any]:
    """Of the reseller's providers those that share the customer."""
    return [row for row in rows if row.provider_key is not None]
