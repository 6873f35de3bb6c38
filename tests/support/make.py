"""Typed functions for further rows of the world; each commits."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal import demo
from portal.accounts import service as accounts
from portal.accounts.models import Organization
from portal.core import clock
from portal.core.access import Actor, Side
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import enter_record
from portal.relationships import service as relationships
from portal.relationships.models import RelationshipRequest, RequestPurpose, SendingWay
from portal.relationships.service import RequestEntry


def actor(email: str) -> Actor:
    """Somebody of the world, for calling services."""
    return demo.actor(email)


def organization(domain: str) -> Organization:
    return db.session.scalars(sa.select(Organization).where(Organization.domain == domain).order_by(Organization.id).limit(1)).one()


def customer(
    name: str = "Fonderie Sarrault", domain: str = "fonderie-sarrault.example", *, by: str = "sales@atelier-nuage.example", state: str = "active", country: str = "FR",
    at: datetime | None = None, **details: object,
) -> Customer:  # fmt: skip
    """A customer that this person's partner added itself."""
    at = at or clock.now()
    who = actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        company = accounts.create_organization(
            name=name, domain=domain, side=Side.CUSTOMER, country=country, cloud=who.cloud, by=who, at=at, added_by_id=who.organization_id,
            street="3 rue Basse", postal_code="49000", city="Angers",
        )  # fmt: skip
        made = enter_record(
            company, partner_id=who.organization_id or 0, state=RelationshipState(state), by=who, at=at, **{"email": f"contact@{domain}", **details}
        )
        db.session.commit()
    return _fresh(made)


def request(
    email: str = "admin@verrerie-odile.example", *, by: str = "sales@atelier-nuage.example", roles: tuple[str, ...] = (), days: int | None = None, named: str | None = None,
    auto_extend: bool = False, language: str = "en", at: datetime | None = None, way: str = "portal", draft: bool = False, purpose: str = "connect",
) -> RelationshipRequest:  # fmt: skip
    """A relationship request by this person; sent unless `draft`."""
    at = at or clock.now()
    who = actor(by)
    db.session.rollback()
    entry = RequestEntry(email, "", language, bool(roles), list(roles), days or (90 if roles else None), auto_extend)
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = relationships.draft_request(entry, by=who, at=at, named=organization(named) if named else None, purpose=RequestPurpose(purpose))
        if not draft:
            relationships.send_request(made, way=SendingWay(way), by=who, at=at)
        db.session.commit()
    return _fresh(made)


def link_of(made: RelationshipRequest) -> str:
    """The address that the request's message carries."""
    assert made.link is not None
    return f"/connect/{made.link.token}"


def days(number: float) -> timedelta:
    return timedelta(days=number)


def _fresh(made: Any) -> Any:
    """The row as it stands, read in a transaction that locks nothing."""
    with scoped(EVERYTHING):
        db.session.refresh(made)
    return made
