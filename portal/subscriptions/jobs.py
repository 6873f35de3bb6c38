"""Jobs of subscriptions and reservations: what time brings (R82, R84, R90)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from portal.core import clock, jobs
from portal.core.db import db
from portal.subscriptions import advancing, reservation_reminders, reservations


@jobs.every(minutes=60)
def advance_subscriptions() -> None:
    """Renewals, trial ends, expiries and billing periods."""
    _all_of(advancing.advance_due)


@jobs.every(minutes=60)
def remind_of_subscriptions() -> None:
    """Before they renew, end or expire."""
    _all_of(advancing.remind)


@jobs.every(minutes=60)
def remind_of_reservations() -> None:
    """30 and 7 days before their term is over."""
    _all_of(reservation_reminders.remind)


@jobs.every(minutes=60)
def expire_reservations() -> None:
    """Those whose term is over."""
    _all_of(reservations.expire)


def _all_of(work: Callable[..., Any]) -> None:
    """Batch after batch, each committed on its own: others get their turn in between."""
    at: datetime = clock.now()
    while work(at=at) and not jobs.stopping.is_set():
        db.session.commit()
