"""Delegated administration: granted by the customer, for roles and a time; extended, reminded of, ended (R30, R31)."""

import functools
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.core import audit, jobs
from portal.core.access import PORTAL, Actor
from portal.core.db import db
from portal.core.errors import NotFound, Refused
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships import mails
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest
from portal.relationships.states import DELEGATION

PROPOSED_DAYS = 90
LONGEST_DAYS = 730
EXTENSION_DAYS = 180
REMINDERS = (30, 7, 1)  # days before the end


def grant(request: RelationshipRequest, organization: Organization, *, by: Actor, at: datetime) -> DelegatedAdministration:
    """The customer accepted a request that asks for it; what it granted to this partner before is replaced."""
    former = _active(request.partner_id, organization.id)
    customer = audit.Customer(organization.id, organization.name)
    seen_by = (request.partner_id, organization.id)
    if former is not None:
        DELEGATION.apply(former, "end", by=by, at=at, customer=customer, seen_by=seen_by, details={"replaced": True})
        former.ended_by = by.name
        db.session.flush()
    assert request.duration_days is not None
    row = DelegatedAdministration(
        partner_id=request.partner_id,
        customer_id=organization.id,
        request_id=request.id,
        state=DelegationState.REQUESTED,
        state_at=at,
        roles=list(request.roles),
        duration_days=request.duration_days,
        auto_extend=request.auto_extend,
    )
    db.session.add(row)
    DELEGATION.apply(row, "grant", by=by, at=at, customer=customer, seen_by=seen_by, details={"roles": request.roles, "duration_days": request.duration_days})
    row.starts_at, row.ends_at = at, at + timedelta(days=request.duration_days)
    return row


def end(row: DelegatedAdministration, customer: Customer, *, by: Actor, at: datetime) -> None:
    """Given up by the partner, or ended with the relationship."""
    DELEGATION.apply(row, "end", by=by, at=at, customer=customer.logged, seen_by=(row.partner_id, row.customer_id))
    row.ended_by = by.name


def give_up(row: DelegatedAdministration, customer: Customer, *, by: Actor, at: datetime) -> None:
    """The partner gives back what it was granted; the customer is told."""
    end(row, customer, by=by, at=at)
    db.session.flush()
    mails.delegation_given_up(row, by=by, at=at)


def remove(row: DelegatedAdministration, *, by: Actor, at: datetime) -> None:
    """The customer takes it back, with no effect on the reseller relationship (R31)."""
    if row.customer_id is None or row.customer_id != by.organization_id:
        raise NotFound(row.public_id)
    if row.state is not DelegationState.ACTIVE:
        raise Refused(_("This delegated administration has ended already."))
    DELEGATION.apply(row, "end", by=by, at=at, customer=audit.Customer(row.customer_id, by.organization_name), seen_by=(row.partner_id, row.customer_id))
    row.ended_by = by.name
    db.session.flush()
    mails.delegation_removed(row, by=by, at=at)


def run_out(*, at: datetime) -> int:
    """What reached its end: extends itself where the customer agreed to that, else ends."""
    D = DelegatedAdministration

    def come_to_its_end(row: DelegatedAdministration) -> None:
        customer = _record(row)
        logged = customer.logged if customer else None
        seen_by = (row.partner_id, row.customer_id)
        assert row.ends_at is not None
        if row.auto_extend and customer is not None and customer.state is RelationshipState.ACTIVE:
            before = row.ends_at
            while row.ends_at <= at:
                row.ends_at += timedelta(days=EXTENSION_DAYS)
            row.reminded_days = None
            audit.record(
                "delegated_administration.extended",
                by=PORTAL,
                at=at,
                customer=logged,
                seen_by=seen_by,
                before={"ends_at": before},
                after={"ends_at": row.ends_at},
            )
            mails.delegation_extended(row, customer, at=at)
        else:
            DELEGATION.apply(row, "end", by=PORTAL, at=at, customer=logged, seen_by=seen_by)
            mails.delegation_lapsed(row, customer, at=at)

    with scoped(EVERYTHING):
        return len(jobs.each(sa.select(D).where(D.state == DelegationState.ACTIVE, D.ends_at <= at).order_by(D.id), come_to_its_end))


def remind(*, at: datetime) -> int:
    """30, 7 and 1 day before the end, each once; what extends itself is said so."""
    D = DelegatedAdministration
    sent = 0
    with scoped(EVERYTHING):
        for days in sorted(REMINDERS):
            due = sa.select(D).where(
                D.state == DelegationState.ACTIVE,
                D.ends_at > at,
                D.ends_at <= at + timedelta(days=days),
                sa.or_(D.reminded_days.is_(None), D.reminded_days > days),
            )
            sent += len(jobs.each(due.order_by(D.id), functools.partial(_tell_of_end, days=days, at=at)))
    return sent


def _tell_of_end(row: DelegatedAdministration, *, days: int, at: datetime) -> None:
    customer = _record(row)
    row.reminded_days = days
    if customer is not None:
        mails.delegation_lapsing(row, customer, at=at)


def _active(partner_id: int, organization_id: int) -> DelegatedAdministration | None:
    D = DelegatedAdministration
    return db.session.scalar(
        sa.select(D).where(D.partner_id == partner_id, D.customer_id == organization_id, D.state == DelegationState.ACTIVE).with_for_update()
    )


def _record(row: DelegatedAdministration) -> Customer | None:
    return db.session.scalar(sa.select(Customer).where(Customer.partner_id == row.partner_id, Customer.customer_id == row.customer_id))
