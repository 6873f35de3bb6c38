"""Ending a relationship: what stands in the way, clearing it, and what ending takes along (R35, R36)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.accounts.service import OrganizationChanged
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.events import ask, emit, on
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.states import RELATIONSHIP
from portal.relationships import delegation, queries
from portal.relationships.events import Obstacle, RelationshipClearing, RelationshipEnded, RelationshipEnding
from portal.relationships.models import RelationshipRequest, RequestState
from portal.relationships.service import revoke_request


def obstacles(customer: Customer) -> list[Obstacle]:
    """What must be suspended or cancelled before the relationship may end (R35)."""
    return ask(RelationshipEnding(customer))


def seal_of(listed: Iterable[Obstacle]) -> str:
    """What a page lists of them, with the refunds that it names: comes back with the confirmation."""
    return hashlib.sha256("\n".join(f"{obstacle.url} {obstacle.text}" for obstacle in listed).encode()).hexdigest()


def clear_obstacles(customer: Customer, *, reviewed: str, by: Actor, at: datetime) -> None:
    """The one confirmed step that suspends them all (R35). Stale when they are not those that were `reviewed`, with the same refunds."""
    present = obstacles(customer)
    if present and reviewed != seal_of(present):
        raise Stale(_("What is in the way has changed meanwhile, so nothing was done. Look at it as it is now, then confirm again."))
    emit(RelationshipClearing(customer, by, at))


def end_relationship(customer: Customer, *, typed_name: str, reason: str, by: Actor, at: datetime) -> None:
    """The customer leaves the list, delegated administration ends; history and log stay (R36)."""
    if " ".join(typed_name.split()).casefold() != " ".join(customer.name.split()).casefold():
        raise Refused(_("Type the company name exactly as it stands above: %(name)s", name=customer.name), field="typed_name")
    if obstacles(customer):
        raise Refused(_("Something is still in the way. Suspend or cancel what is listed, then end the relationship."))
    assert customer.customer_id is not None
    RELATIONSHIP.apply(customer, "end", by=by, at=at, customer=customer.logged, seen_by=(customer.partner_id, customer.customer_id), details={"reason": reason})
    customer.ended_at, customer.ended_by, customer.ending_reason = at, by.name, reason
    granted = queries.delegation_of(customer.customer_id, lock=True)
    if granted is not None:
        delegation.end(granted, customer, by=by, at=at)
    for request in db.session.scalars(
        sa.select(RelationshipRequest).where(RelationshipRequest.customer_id == customer.customer_id, RelationshipRequest.state == RequestState.SENT)
    ):
        revoke_request(request, by=by, at=at)
    db.session.flush()
    emit(RelationshipEnded(customer, by, at))


@on(OrganizationChanged)
def _same_market(event: OrganizationChanged) -> None:
    """A customer stays in the market of its partners (R27)."""
    with scoped(EVERYTHING):
        partners = sa.select(Organization.country).join(Customer, Customer.partner_id == Organization.id)
        present = partners.where(Customer.customer_id == event.organization.id, Customer.state == RelationshipState.ACTIVE)
        if any(market(country) != market(event.organization.country) for country in db.session.scalars(present)):
            raise Refused(_("This country is in another market than your partner's. End that relationship first."), field="country")
