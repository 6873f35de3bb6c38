"""What a customer asks its partner to do with a reservation, and the partner's answer (R74)."""

from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core import audit
from portal.core.access import PORTAL, Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import mails_reservations
from portal.subscriptions.models import AskedState, RequestKind, Reservation, ReservationRequest, ReservationState
from portal.subscriptions.states import RESERVATION_REQUEST


def open_request(reservation: Reservation, *, lock: bool = False) -> ReservationRequest | None:
    """What waits for the partner's answer: one at a time."""
    statement = sa.select(ReservationRequest).where(ReservationRequest.reservation_id == reservation.id, ReservationRequest.state == AskedState.OPEN)
    return db.session.scalar(statement.with_for_update().execution_options(populate_existing=True) if lock else statement)


def ask(reservation: Reservation, kind: RequestKind, message: str, *, by: Actor, at: datetime) -> ReservationRequest:
    """By the customer, whose scope this runs in; its partner's agents are told by mail. `reservation` is locked by the caller."""
    known = open_request(reservation)
    if known is not None:
        if (known.kind, known.message, known.author_id) == (kind, message, by.user_id):  # the second click of two
            return known
        raise Refused(_("Your company has asked for something already. Wait for the answer, or take that back first."))
    record = _record(reservation)
    is_over = reservation.state is not ReservationState.ACTIVE or reservation.ends_on <= at.date()
    if is_over or record is None or record.state is not RelationshipState.ACTIVE:
        raise Refused(_("This reservation is no longer active, so nothing can be done with it."))
    if kind is RequestKind.RENEW and reservation.renewed:
        raise Refused(_("It is renewed already."), field="kind")
    asked = ReservationRequest(
        partner_id=reservation.partner_id,
        customer_id=reservation.customer_id,
        reservation_id=reservation.id,
        state=AskedState.OPEN,
        state_at=at,
        kind=kind,
        message=message,
        author_id=by.user_id,
        author_name=by.name,
        asked_at=at,
    )
    db.session.add(asked)
    db.session.flush()
    told = {"name": reservation.name, "asked": kind.value, "message": message}
    seen_by = (asked.partner_id, asked.customer_id)
    audit.record("reservation_request.open", by=by, at=at, customer=record.logged, seen_by=seen_by, after=told, subject=asked.public_id)
    mails_reservations.asked(asked, reservation, record, by=by, at=at)
    return asked


def withdraw(asked: ReservationRequest, reservation: Reservation, *, by: Actor, at: datetime) -> None:
    """The customer takes back what waits."""
    _move(asked, "withdraw", reservation, by=by, at=at)


def decline(asked: ReservationRequest, reservation: Reservation, *, reason: str, by: Actor, at: datetime) -> None:
    """The partner does not do it, and says why."""
    asked.answer = reason
    _answer(asked, "decline", reservation, by=by, at=at)


def settle(reservation: Reservation, done: RequestKind | None = None, *, by: Actor, at: datetime) -> None:
    """What was asked for has been done; or it cannot be done any more, since the reservation is over."""
    asked = open_request(reservation, lock=True)
    if asked is None:
        return
    if asked.kind is done:
        _answer(asked, "do", reservation, by=by, at=at)
    elif reservation.state is not ReservationState.ACTIVE:
        _answer(asked, "decline", reservation, by=by, at=at)


def _answer(asked: ReservationRequest, action: str, reservation: Reservation, *, by: Actor, at: datetime) -> None:
    asked.answered_by = "" if by is PORTAL else by.name
    _move(asked, action, reservation, by=by, at=at)
    mails_reservations.answered(asked, reservation, at=at)


def _move(asked: ReservationRequest, action: str, reservation: Reservation, *, by: Actor, at: datetime) -> None:
    record = _record(reservation)
    details = {"name": reservation.name, "asked": asked.kind.value} | ({"reason": asked.answer} if asked.answer else {})
    RESERVATION_REQUEST.apply(
        asked, action, by=by, at=at, customer=record.logged if record else None, seen_by=(asked.partner_id, asked.customer_id), details=details
    )


def _record(reservation: Reservation) -> Customer | None:
    """The partner's record of the customer, from either side."""
    return db.session.scalar(sa.select(Customer).where(Customer.partner_id == reservation.partner_id, Customer.customer_id == reservation.customer_id))
