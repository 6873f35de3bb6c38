"""Reads of relationship requests and delegated administration, on both sides."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core import tokens
from portal.core.access import Actor, Permission, Side
from portal.core.db import db, find
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort, fetch
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships.models import AdminRole, DelegatedAdministration, DelegationState, RelationshipRequest, RequestState

NEWEST = Sort(RelationshipRequest.id, RelationshipRequest.id, descending=True)
FILTERS = {"state": list(RequestState)}


def requests(query: ListQuery) -> Page:
    R = RelationshipRequest
    statement: Any = sa.select(
        R.id, R.public_id, R.email, R.organization, R.state, R.state_at, R.sent_at, R.expires_at, R.created_at, R.delegated_administration, R.author_name
    )
    if "state" in query.filters:
        statement = statement.where(R.state == RequestState(query.filters["state"]))
    for word in query.words.split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        statement = statement.where(sa.or_(R.email.ilike(pattern, escape="\\"), R.organization.ilike(pattern, escape="\\")))
    return fetch(statement, query, NEWEST, lambda row: (row.id, row.id))


def request_of(public_id: UUID, *, lock: bool = False) -> RelationshipRequest:
    return find(RelationshipRequest, public_id, lock=lock)


def requests_to(customer: Customer, limit: int = 10) -> list[Any]:
    """The latest requests that concern this customer."""
    R = RelationshipRequest
    return list(
        db.session.execute(
            sa.select(R.public_id, R.email, R.state, R.state_at, R.purpose).where(R.customer_id == customer.customer_id).order_by(R.id.desc()).limit(limit)
        )
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
    link = tokens.look_up("connect", token)
    if link is None:
        return None
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(RelationshipRequest).where(RelationshipRequest.link_id == link.id))


class NotHeld(NotFound):
    """Nobody is signed in, and this browser has not opened the link."""


class Replaced(NotFound):
    """The link that was opened has been replaced by a newer one."""


def request_held(public_id: UUID, held: dict[str, int], actor: Actor | None, *, lock: bool = False) -> RelationshipRequest:
    """The request, for whoever holds its present link, or is a customer admin of the customer that it names (R22).

    `held` maps request ids to the generation of the link that was opened; a link sent again replaces the old one.
    """
    with scoped(EVERYTHING):
        statement = sa.select(RelationshipRequest).where(RelationshipRequest.public_id == public_id)
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        else:
            statement = statement.options(sa.orm.joinedload(RelationshipRequest.link), sa.orm.joinedload(RelationshipRequest.partner))
        request = db.session.scalar(statement)
        missing = NotHeld if actor is None else NotFound
        if request is None or request.link is None or request.state is RequestState.DRAFT:
            raise missing(public_id)
        holds = held.get(str(public_id)) == request.link.generation
        named = actor is not None and actor.may(Permission.MY_CONSENT) and request.named and request.customer_id == actor.organization_id
        answered = actor is not None and actor.side is Side.CUSTOMER and request.customer_id == actor.organization_id
        if not (holds or named or answered):
            raise Replaced(public_id) if str(public_id) in held else missing(public_id)
        return request


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
    """On the customer's side: what it accepted from this partner, the latest first."""
    R = RelationshipRequest
    statement = sa.select(R).where(R.customer_id == organization_id, R.partner_id == partner_id, R.state == RequestState.ACCEPTED)
    return list(db.session.scalars(statement.order_by(R.id.desc()).limit(20)))
