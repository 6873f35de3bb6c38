"""Answers to relationship requests: accepting with everything that it brings, for two partners at once or one, and declining (R23-R25, R28)."""

from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.agreements import queries as agreements
from portal.agreements import service as agreement_service
from portal.agreements.models import AgreementState
from portal.core import audit, tokens
from portal.core.access import PORTAL, Actor, Permission, Side
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.events import emit
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import enter_record, name_reseller
from portal.customers.states import RELATIONSHIP
from portal.relationships import delegation, mails
from portal.relationships.events import RelationshipStarted
from portal.relationships.models import RelationshipRequest, RequestState
from portal.relationships.service import has_provider, logged, told
from portal.relationships.states import REQUEST


def hindrance(request: RelationshipRequest, by: Actor) -> str | None:
    """Why this person's organization cannot accept this request; None when it can. A word the page shows a text for."""
    asking = [partner for partner in (request.partner, request.provider) if partner is not None]
    if by.side is not Side.CUSTOMER:
        return "partner"
    if request.named and request.customer_id != by.organization_id:
        return "other_customer"
    if any(by.cloud is not partner.cloud for partner in asking):
        return "cloud"
    if any(market(by.country) != market(partner.country) for partner in asking):
        return "market"
    return None


def why_not(request: RelationshipRequest, *, by: Actor | None, at: datetime) -> str | None:
    """What stands between this person and accepting, as a word the page has a text for; None when nothing does."""
    if request.state is not RequestState.SENT:
        return request.state.value
    if request.link is None or not request.link.usable(at):
        return RequestState.EXPIRED.value
    if not has_provider(request):
        return "no_provider"
    if by is None:
        return None
    if by.organization_id == request.partner_id:
        return "own_partner"
    return hindrance(request, by) or (None if by.may(Permission.MY_CONSENT) else "role")


def accept_request(request: RelationshipRequest, *, agreement: bool, language: str, by: Actor, at: datetime) -> Customer:
    """A customer admin says yes: relationship, agreement and delegated administration in one transaction (R23, R25).

    `agreement` says that the current customer agreement was accepted on the same page. A joint request starts the relationship with the
    provider too, or neither (R28); delegated administration is the reseller's.
    """
    assert by.organization_id is not None
    with scoped(EVERYTHING):
        organization = db.session.get_one(Organization, by.organization_id)
        if hindrance(request, by) is not None or not has_provider(request, lock=True):
            raise Refused(_("Your organization cannot accept this request."))
        _check_open(request, at)
        partners = tuple(partner_id for partner_id in (request.partner_id, request.provider_id) if partner_id is not None)
        missing = agreement_missing(request, by)
        if missing and not agreement:
            raise Refused(_("Read the customer agreement and tick that you accept it."), field="agreement")
        if request.link is None or not tokens.use(request.link, at=at):
            raise Refused(_("This request was answered a moment ago."))
        before = {partner_id: customers_record(partner_id, organization.id) for partner_id in sorted(partners)}
        was_ended = {partner_id: record is not None and record.state is RelationshipState.ENDED for partner_id, record in before.items()}
        started = [_start_relationship(request, partner_id, before[partner_id], organization, by=by, at=at) for partner_id in partners]
        customer = started[0]
        for record in started[1:]:
            if record.reseller_id is None:
                name_reseller(record, request.partner, by=PORTAL, at=at)
        if missing:
            agreement_service.accept(organization, language=language, by=by, at=at, partners=partners)
        request.customer_id = organization.id
        request.answered_by = f"{by.name} <{by.email}>"
        # What several partners read names the company as it names itself: a billing name is its partner's own (R13).
        logged_as = customer.logged if len(partners) == 1 else audit.Customer(organization.id, organization.name)
        details = {"company": logged_as.name, "accepted_by": by.email}
        REQUEST.apply(request, "accept", by=by, at=at, customer=logged_as, seen_by=(*partners, organization.id), details=details)
        if request.delegated_administration:
            delegation.grant(request, organization, by=by, at=at)
        db.session.flush()
        for record in started:
            emit(RelationshipStarted(record, request, at))
        mails.accepted(request, customer, by=by, at=at, reinstated=was_ended[request.partner_id])
        for record in started[1:]:
            mails.accepted_for_provider(request, record, by=by, at=at, reinstated=was_ended[record.partner_id])
        return customer


def agreement_missing(request: RelationshipRequest, by: Actor) -> bool:
    """Whether one who asks still needs the agreement of this person's organization (R17); given on the page, it counts for all."""
    return any(
        agreements.standing(partner_id, by.organization_id or 0, by.country).state not in (AgreementState.ACCEPTED, AgreementState.ATTESTED)
        for partner_id in (request.partner_id, request.provider_id)
        if partner_id is not None
    )


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
    statement = sa.select(Customer).where(Customer.partner_id == partner_id, Customer.customer_id == organization_id).with_for_update(of=Customer)
    return db.session.scalar(statement)


def _check_open(request: RelationshipRequest, at: datetime) -> None:
    if request.state is not RequestState.SENT or request.link is None or not request.link.usable(at):
        raise Refused(_("This request is no longer open."))


def _start_relationship(
    request: RelationshipRequest, partner_id: int, existing: Customer | None, organization: Organization, *, by: Actor, at: datetime
) -> Customer:
    first_name, _space, last_name = by.name.partition(" ")
    contact = {"first_name": first_name[:100], "last_name": last_name[:100], "email": by.email, "language": by.language or request.language}
    if existing is None:
        return enter_record(organization, partner_id=partner_id, state=RelationshipState.ACTIVE, by=by, at=at, **contact)
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
