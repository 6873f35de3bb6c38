"""What is written by mail about reservations: one ends soon, a customer asks its partner, the partner answers (R74)."""

from datetime import datetime

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.customers.models import Customer
from portal.subscriptions.mails import admins, orderers
from portal.subscriptions.models import Order, Reservation, ReservationRequest


def ending(reservation: Reservation, *, at: datetime) -> None:
    """To whoever of the partner ordered it and may still do so, else to everybody who may. A reseller sees no reservations, so its provider is told (R41)."""
    record = sa.select(Customer).where(Customer.partner_id == reservation.partner_id, Customer.customer_id == reservation.customer_id)
    customer = db.session.scalars(record).one()
    author = sa.select(Order.author_id).where(Order.id == reservation.order_id).scalar_subquery()
    for user in orderers(reservation.partner_id, User.id == author) or orderers(reservation.partner_id):
        outbox.post(
            "reservations/ending",
            to=user.email,
            organization_id=user.organization_id,
            at=at,
            in_language=user.language,
            name=user.name,
            reservation=reservation.name,
            quantity=reservation.quantity,
            customer=customer.name,
            day=reservation.ends_on,
            url=f"/customers/{customer.public_id}/reservations/{reservation.public_id}",
        )


def asked(row: ReservationRequest, reservation: Reservation, customer: Customer, *, by: Actor, at: datetime) -> None:
    """To everybody of the partner who can do it; answers go to the person who asked."""
    for user in orderers(row.partner_id):
        outbox.post(
            "reservations/asked",
            to=user.email,
            organization_id=user.organization_id,
            at=at,
            in_language=user.language,
            reply_to=(by.name, by.email),
            name=user.name,
            kind=row.kind,
            person=by.name,
            message=row.message,
            reservation=reservation.name,
            customer=customer.name,
            url=f"/customers/{customer.public_id}/reservations/{reservation.public_id}",
        )


def answered(row: ReservationRequest, reservation: Reservation, *, at: datetime) -> None:
    """To whoever asked, or when that person has left, to the customer's admins."""
    author = db.session.get(User, row.author_id) if row.author_id else None
    present = author is not None and author.state is UserState.ACTIVE
    for user in [author] if author is not None and present else admins(row.customer_id or 0, Role.CUSTOMER_ADMIN):
        outbox.post(
            "reservations/answered",
            to=user.email,
            organization_id=user.organization_id,
            at=at,
            in_language=user.language,
            name=user.name,
            kind=row.kind,
            state=row.state,
            answer=row.answer,
            reservation=reservation.name,
            partner=db.session.get_one(Organization, row.partner_id).name,
            url=f"/my/reservations/{reservation.public_id}",
        )
