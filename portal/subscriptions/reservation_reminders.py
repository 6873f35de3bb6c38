"""Before a reservation ends, its partner is told by mail: nothing renews it by itself (R73)."""

import functools
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.core import jobs
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import mails_reservations
from portal.subscriptions.models import Reservation, ReservationState

REMINDERS = (30, 7)  # days before


def remind(*, at: datetime) -> int:
    """30 and 7 days before the end, each once; none of what is renewed, nor where the relationship is not active. Returns how many were told of."""
    R, sent = Reservation, 0
    served = sa.exists().where(Customer.partner_id == R.partner_id, Customer.customer_id == R.customer_id, Customer.state == RelationshipState.ACTIVE)
    ends = sa.select(R).where(R.state == ReservationState.ACTIVE, R.renewed.is_(False), R.ends_on > at.date(), served)
    with scoped(EVERYTHING):
        for days in sorted(REMINDERS):
            due = ends.where(R.ends_on <= at.date() + timedelta(days=days), sa.or_(R.reminded_days.is_(None), R.reminded_days > days))
            sent += len(jobs.each(due.order_by(R.id), functools.partial(_tell_of_end, days=days, at=at)))
    return sent


def _tell_of_end(reservation: Reservation, *, days: int, at: datetime) -> None:
    reservation.reminded_days = days
    mails_reservations.ending(reservation, at=at)
