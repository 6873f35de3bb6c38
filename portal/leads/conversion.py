"""A won lead becomes a customer: a new account, a relationship request, or one that is a customer already (R56)."""

import functools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core import audit
from portal.core.access import PORTAL, Actor, Permission
from portal.core.db import Key, db, find, limited
from portal.core.errors import Refused
from portal.core.events import on
from portal.core.scope import Scope, scoped
from portal.customers import queries as customers
from portal.customers.events import CustomerShown, Panel
from portal.customers.models import Customer, RelationshipState
from portal.leads.entering import own_domain
from portal.leads.models import Lead, LeadState
from portal.leads.service import note_history
from portal.onboarding import service as onboarding
from portal.onboarding.events import CustomerAdded
from portal.onboarding.models import CustomerDraft
from portal.relationships import service as relationships
from portal.relationships.events import RelationshipStarted, RequestShown
from portal.relationships.models import RelationshipRequest, RequestState, SendingWay
from portal.relationships.service import Addressee, RequestEntry

WAITING = (RequestState.DRAFT, RequestState.SENT)


@dataclass(frozen=True)
class Ways:
    """What a won lead can become. `customer` is our own with its domain, present or former; `proven` says that somebody proved it (R11).

    `addressee` is whom a request has to name, when anybody: the one that proved the domain, or that customer. Then no new account can be made.
    """

    domain: str
    customer: Customer | None = None
    addressee: Addressee = field(default_factory=Addressee)
    proven: bool = False

    @property
    def linkable(self) -> bool:
        return self.customer is not None and self.customer.state is RelationshipState.ACTIVE

    @property
    def named(self) -> bool:
        return self.addressee.organization is not None


def ways(lead: Lead, *, by: Actor) -> Ways:
    """By the company's domain. Whether somebody proved it is told of any domain: the caller counts the questions and logs such an answer (R2)."""
    domain = own_domain(lead.domain, lead.email)
    if not domain:
        return Ways("")
    # Present ones first; both values are named so that the index of domains answers.
    mine = sa.select(Customer).where(Customer.domain == domain, Customer.ended.in_((0, 1))).order_by(Customer.ended, Customer.id.desc())
    customer = db.session.scalar(mine.limit(1))
    owner = relationships.addressee_by_domain(domain, by=by)
    if owner.organization is not None:
        return Ways(domain, customer, owner, proven=True)
    return Ways(domain, customer, relationships.addressee(customer) if customer else Addressee())


def shown(lead: Lead, by: Actor) -> dict[str, Any]:
    """For `_conversion.html` on a lead's page: what it became, or that it can become something."""
    customer = customers.record_of(lead.customer_id) if lead.customer_id else None
    request = request_of(lead)
    return {"conversion": {"customer": customer, "request": request, "open": convertible(lead, request)}}


def request_of(lead: Lead) -> RelationshipRequest | None:
    """The relationship request that the lead led to, whatever became of it."""
    return db.session.scalar(sa.select(RelationshipRequest).where(RelationshipRequest.id == lead.request_id)) if lead.request_id else None


def convertible(lead: Lead, request: RelationshipRequest | None) -> bool:
    """Won, and no customer yet; a request that was declined, expired or revoked leaves it open again."""
    return lead.state is LeadState.WON and lead.converted_at is None and not (request and request.state in WAITING)


def start_account(lead: Lead, *, by: Actor, at: datetime) -> CustomerDraft:
    """The steps of adding a customer, with everything known filled in; beginning twice leads to the same draft."""
    _check(lead)
    known = {name: getattr(lead, name) for name in ("country", "city", "first_name", "last_name", "email", "phone", "language")}
    draft = known | {"name": lead.company, "domain": own_domain(lead.domain, lead.email), "segment": "commercial"}
    return onboarding.draft_from(lead.public_id, draft, by=by, at=at)


def link_customer(lead: Lead, *, by: Actor, at: datetime) -> Customer:
    """The company is a customer of ours already: lead and customer name each other."""
    _check(lead)
    found = ways(lead, by=by)
    if found.customer is None or not found.linkable:
        raise Refused(_("No active customer of yours has this domain now. Choose another way."))
    _convert(lead, found.customer, by=by, at=at)
    return found.customer


def request_relationship(lead: Lead, entry: RequestEntry, found: Ways, *, by: Actor, at: datetime) -> RelationshipRequest:
    """A relationship request to the lead's contact, drafted and sent by the portal in one step; its acceptance converts the lead."""
    _check(lead)
    if found.linkable:
        raise Refused(_("This company is your customer already. Link the lead to it."))
    addressee = found.addressee
    request = relationships.draft_request(entry, by=by, at=at, named=addressee.organization, purpose=addressee.purpose)
    relationships.send_request(request, way=SendingWay.PORTAL, by=by, at=at)
    lead.request_id = request.id
    note_history(lead, "relationship_request.sent", by, at, details={"after": {"email": request.email}})
    return request


def _check(lead: Lead) -> None:
    if lead.state is not LeadState.WON:
        raise Refused(_("Only a won lead becomes a customer."))
    if not convertible(lead, request_of(lead)):
        raise Refused(_("This lead was converted a moment ago."))


def _convert(lead: Lead, customer: Customer, *, by: Actor, at: datetime) -> None:
    lead.customer_id, lead.converted_at = customer.customer_id, at
    audit.record("lead.converted", by=by, at=at, customer=customer.logged, seen_by=(lead.partner_id,), after={"company": lead.company, "name": customer.name})
    note_history(lead, "lead.converted", by, at, details={"after": {"name": customer.name}})


@on(CustomerAdded)
def _account_made(event: CustomerAdded) -> None:
    """A draft that came from a lead was submitted. Whoever submits a second one is refused, with all that the submission would have made."""
    if event.origin is not None:
        lead = find(Lead, event.origin, lock=True)
        _check(lead)
        _convert(lead, event.customer, by=event.by, at=event.at)


@on(RelationshipStarted)
def _request_accepted(event: RelationshipStarted) -> None:
    if event.customer.partner_id != event.request.partner_id:  # of a joint request, the one who sent it has the lead (R28)
        return
    with scoped(Scope(partner_id=event.request.partner_id)):
        lead = db.session.scalar(sa.select(Lead).where(Lead.request_id == event.request.id, Lead.converted_at.is_(None)).with_for_update())
        if lead is not None:
            _convert(lead, event.customer, by=PORTAL, at=event.at)


@on(CustomerShown)
def _panel_of_customer(event: CustomerShown) -> list[Panel]:
    return _panel(event.actor, Lead.customer_id, event.customer.customer_id)


@on(RequestShown)
def _panel_of_request(event: RequestShown) -> list[Panel]:
    return _panel(event.actor, Lead.request_id, event.request.id)


def _panel(actor: Actor, column: Any, became: int | None) -> list[Panel]:
    """The leads that this customer or request came from, for whoever sees leads."""
    if not actor.may(Permission.LEAD_WORK):
        return []
    leads = list(db.session.execute(_origin(column), {"became": became}))
    return [Panel("leads/_origin.html", {"leads": leads})] if leads else []


@functools.cache
def _origin(column: Any) -> sa.Select:
    statement = sa.select(Lead.public_id, Lead.company, Lead.source, Lead.received_at).where(column == sa.bindparam("became", type_=Key))
    return limited(statement.order_by(Lead.id.desc()), 5)
