"""Typed functions for further rows of the world; each commits."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal import demo
from portal.accounts import service as accounts
from portal.accounts.models import Organization
from portal.core import clock
from portal.core.access import PORTAL, Actor, PartnerType, Role, Side
from portal.core.db import db, uuid7, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import edition, enter_record
from portal.directory import logos
from portal.directory import service as profiles
from portal.directory.models import BusinessProfile
from portal.directory.service import AboutEntry, LocationEntry
from portal.leads import service as leads
from portal.leads.models import Lead, LeadSource
from portal.leads.service import DealEntry, NewLead, PersonEntry, WinEntry
from portal.relationships import partnerships
from portal.relationships import service as relationships
from portal.relationships.models import Partnership, RelationshipRequest, RequestPurpose, SendingWay
from portal.relationships.partnerships import PartnershipEntry
from portal.relationships.service import RequestEntry
from portal.relationships.texts import draft_partnership


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
    provider: str | None = None,
) -> RelationshipRequest:  # fmt: skip
    """A relationship request by this person; sent unless `draft`."""
    at = at or clock.now()
    who = actor(by)
    db.session.rollback()
    also = str(organization(provider).public_id) if provider else ""
    entry = RequestEntry(email, "", language, bool(roles), list(roles), days or (90 if roles else None), auto_extend, provider=also)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = relationships.draft_request(entry, by=who, at=at, named=organization(named) if named else None, purpose=RequestPurpose(purpose))
        if not draft:
            relationships.send_request(made, way=SendingWay(way), by=who, at=at)
        db.session.commit()
    return _fresh(made)


def lead(
    company: str = "Tissages Morel", *, owner: str = "atelier-nuage.example", source: str = "inquiry", by: str | None = None, referrer: str | None = None, at: datetime | None = None,
    **details: Any,
) -> Lead:  # fmt: skip
    """A lead of this partner, readable whenever; an inquiry unless told otherwise."""
    who = actor(by) if by else PORTAL
    entry = NewLead(**{"company": company, "country": "FR", "first_name": "Aline", "last_name": "Morel", "email": "aline@tissages-morel.example", **details})
    partner_id, referrer_id = organization(owner).id, organization(referrer).id if referrer else None
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=partner_id)):
        made = leads.receive_lead(entry, partner_id=partner_id, source=LeadSource(source), by=who, at=at or clock.now(), referrer_id=referrer_id)
        db.session.commit()
    return _loose(made)


def accepted_lead(company: str = "Faïences Kerjean", *, by: str = "sales@atelier-nuage.example", win: bool = False, **details: Any) -> Lead:
    """A lead of this person's partner that was accepted, with a further contact."""
    who, at = actor(by), clock.now()
    made = lead(company, **details)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        row = db.session.scalars(sa.select(Lead).where(Lead.id == made.id)).one()
        deal = DealEntry(company, Money(120_000, "EUR"), at.date(), "Mail for 25 people.", contacts=(PersonEntry("Paul Kerjean", "", "paul@kerjean.example"),))
        leads.accept_lead(row, deal, by=who, at=at)
        if win:
            leads.win_lead(row, WinEntry(), by=who, at=at)
        db.session.commit()
    return _loose(row)


def won_lead(company: str = "Tissages Morel", **details: Any) -> Lead:
    """A lead that was accepted and won."""
    return accepted_lead(company, win=True, **details)


def partner(name: str, domain: str, kind: str, *, country: str = "FR", people: tuple[tuple[str, str], ...] = (("admin", "global_admin"),)) -> Organization:
    """A further partner with people (address before the @, role), who sign in without a password."""
    at = clock.now()
    db.session.rollback()
    with writing():
        made = accounts.create_organization(name=name, domain=domain, side=Side.PARTNER, partner_type=PartnerType(kind), country=country, by=PORTAL, at=at)
        for local, role in people:
            demo._user(made, f"{local}@{domain}", f"{local.title()} {name}", Role(role), "", at=at)
        db.session.commit()
    return _fresh(made)


def partnership(
    email: str = "admin@relais-breton.example", *, by: str = "admin@grossiste-azur.example", organization: str = "Relais", accepted_by: str | None = None, at: datetime | None = None
) -> Partnership:  # fmt: skip
    """A request for a partnership; an active one when somebody accepted."""
    at = at or clock.now()
    who = actor(by)
    subject, body = draft_partnership(language="en", provider=who.organization_name, author=who.name)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = partnerships.request_partnership(PartnershipEntry(email, organization, "en", subject, body), by=who, at=at)
        if accepted_by:
            partnerships.accept(made, confirmed=True, by=actor(accepted_by), at=at)
        db.session.commit()
    return _fresh(made)


def partnership_link(made: Partnership) -> str:
    assert made.link is not None
    return f"/partnerships/links/{made.link.token}"


def profile(
    country: str = "FR", *, by: str = "referrals@atelier-nuage.example", name: str = "", state: str = "published", locations: int = 1, logo: bytes = b"", at: datetime | None = None,
    **about: Any,
) -> BusinessProfile:  # fmt: skip
    """A business profile that lacks nothing: published, taken back or a draft."""
    at, who = at or clock.now(), actor(by)
    told = {"description": "We move mail and files.", "website": "", "linkedin": "", "industries": ["retail"], "products": [], "services": [], "skills": []}
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = profiles.create(country, name or who.organization_name, by=who, at=at)
        entry = AboutEntry(made.name, **{**told, "sizes": ["1-9"], **about})
        profiles.change(made, entry, version=edition(profiles.about(made)), by=who, at=at)
        for number in range(locations):
            place = LocationEntry(f"Place {number + 1}", "1 rue Basse", "", "Nantes", "", "44000", "", 47.2 + number, -1.5)
            profiles.add_location(made, place, key=uuid7(), by=who, at=at)
        if logo:
            profiles.set_logo(made, logos.read(logo), by=who, at=at)
        if state != "draft":
            profiles.publish(made, by=who, at=at)
        if state == "taken_back":
            profiles.take_back(made, by=who, at=at)
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


def _loose(made: Any) -> Any:
    """The row as it stands, readable whenever."""
    db.session.expunge(_fresh(made))
    return made
