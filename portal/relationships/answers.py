"""Answers to relationship requests: accepting with everything that it brings, and declining (R23-R25)."""

from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.agreements import queries as agreements
from portal.agreements import service as agreement_service
from portal.agreements.models import AgreementState
from portal.core import tokens
from portal.core.access import Actor, Permission, Side
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.events import emit
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import enter_record
from portal.customers.states import RELATIONSHIP
from portal.relationships import delegation, mails
from portal.relationships.events import RelationshipStarted
from portal.relationships.models import RelationshipRequest, RequestState
from portal.relationships.service import logged, told
from portal.relationships.states import REQUEST


def hindrance(request: RelationshipRequest, organization: Organization) -> str | None:
    """Why this organization cannot accept this request; None when it can. A word the page shows a text for."""
    partner = request.partner
    if organization.side is not Side.CUSTOMER:
        return "partner"
    if request.named and request.customer_id != organization.id:
        return "other_customer"
    if organization.cloud is not partner.cloud:
        return "cloud"
    if market(organization.country) != market(partner.country):
        return "market"
    return None


def why_not(request: RelationshipRequest, *, by: Actor | None, at: datetime) -> str | None:
    """What stands between this person and accepting, as a word the page has a text for; None when nothing does."""
    if request.state is not RequestState.SENT:
        return request.state.value
    if request.link is None or not request.link.usable(at):
        return RequestState.EXPIRED.value
    if by is None:
        return None
    if by.organization_id == request.partner_id:
        return "own_partner"
    organization = db.session.get_one(Organization, by.organization_id)
    return hindrance(request, organization) or (None if by.may(Permission.MY_CONSENT) else "role")


def accept_request(request: RelationshipRequest, *, agreement: bool, language: str, by: Actor, at: datetime) -> Customer:
    """A customer admin says yes: relationship, agreement and delegated administration in one transaction (R23, R25).

    `agreement` says that the current customer agreement was accepted on the same page.
    """
    assert by.organization_id is not None
    with scoped(EVERYTHING):
        organization = db.session.get_one(Organization, by.organization_id)
        if hindrance(request, organization) is not None:
            raise Refused(_("Your organization cannot accept this request."))
        _check_open(request, at)
        partner_id = request.partner_id
        standing = agreements.standing(partner_id, organization.id, organization.country)
        missing = standing.state not in (AgreementState.ACCEPTED, AgreementState.ATTESTED)
        if missing and not agreement:
            raise Refused(_("Read the customer agreement and tick that you accept it."), field="agreement")
        if request.link is None or not tokens.use(request.link, at=at):
            raise Refused(_("This request was answered a moment ago."))
        existing = customers_record(partner_id, organization.id)
        was_ended = existing is not None and existing.state is RelationshipState.ENDED
        customer = _start_relationship(request, existing, organization, by=by, at=at)
        if missing:
            agreement_service.accept(organization, language=language, by=by, at=at, partners=(partner_id,))
        request.customer_id = organization.id
        request.answered_by = f"{by.name} <{by.email}>"
        details = {"company": customer.name, "accepted_by": by.email}
        REQUEST.apply(request, "accept", by=by, at=at, customer=customer.logged, seen_by=(partner_id, organization.id), details=details)
        if request.delegated_administration:
            delegation.grant(request, organization, by=by, at=at)
        db.session.flush()
        emit(RelationshipStarted(customer, request, at))
        mails.accepted(request, customer, by=by, at=at, reinstated=was_ended)
        return customer


def decline_request(request: RelationshipRequest, *, reason: str, by: Actor, at: datetime) -> None:
    """No, thank you: by a customer admin, or by whoever was written to."""
    with scoped(EVERYTHING):
        _check_open(request, at)
        request.decline_reason = reason or None
        request.answered_by = f"{by.name} <{by.email}>" if by.user_id else request.email
        REQUEST.apply(request, "decline", by=by, at=at, customer=logged(request), seen_by=told(request), details={"reason": reason})
        if request.link is not None:
            request.link.revoked_at = at
        db.session.flush()
        mails.declined(request, at=at)


def customers_record(partner_id: int, organization_id: int) -> Customer | None:
    statement = sa.select(Customer).where(Customer.partner_id == partner_id, Customer.customer_id == organization_id).with_for_update()
    return db.session.scalar(statement)


def _check_open(request: RelationshipRequest, at: datetime) -> None:
    if request.state is not RequestState.SENT or request.link is None or not request.link.usable(at):
        raise Refused(_("This request is no longer open."))


def _start_relationship(request: RelationshipRequest, existing: Customer | None, organization: Organization, *, by: Actor, at: datetime) -> Customer:
    first_name, _space, last_name = by.name.partition(" ")
    contact = {"first_name": first_name, "last_name": last_name, "email": by.email, "language": by.language or request.language}
    if existing is None:
        return enter_record(organization, partner_id=request.partner_id, state=RelationshipState.ACTIVE, by=by, at=at, **contact)
    if existing.state is RelationshipState.ACTIVE:
        return existing
    action = "reinstate" if existing.state is RelationshipState.ENDED else "accept"
    RELATIONSHIP.apply(existing, action, by=by, at=at, customer=existing.logged, seen_by=(existing.partner_id, organization.id))
    existing.started_at = existing.started_at or at
    existing.ended_at = existing.ended_by = existing.ending_reason = None
    if not existing.email:
        for key, value in contact.items():
            setattr(existing, key, value)
    return existing
