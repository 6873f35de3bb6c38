"""What is written by mail about reservations: a customer asks its partner, the partner answers (R74)."""

from datetime import datetime

from portal.accounts.models import Organization, User, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.customers.models import Customer
from portal.subscriptions.mails import admins, orderers
from portal.subscriptions.models import Reservation, ReservationRequest


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
