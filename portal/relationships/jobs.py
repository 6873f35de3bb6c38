"""Jobs of relationships: what time brings."""

from datetime import timedelta

from portal.core import clock, jobs
from portal.relationships import delegation, partnerships, registration, service

KEPT = timedelta(days=30)


@jobs.every(minutes=5)
def expire_requests() -> None:
    """Requests whose link ran out."""
    service.expire_requests(at=clock.now())


@jobs.every(minutes=60)
def remind_of_requests() -> None:
    """Authors of requests that lapse soon."""
    service.remind_of_requests(at=clock.now())


@jobs.every(minutes=5)
def run_out_delegations() -> None:
    """Delegated administration that reached its end."""
    delegation.run_out(at=clock.now())


@jobs.every(minutes=60)
def remind_of_delegations() -> None:
    """30, 7 and 1 day before delegated administration ends."""
    delegation.remind(at=clock.now())


@jobs.every(minutes=5)
def expire_partnership_requests() -> None:
    """Requests for a partnership whose link ran out."""
    partnerships.expire(at=clock.now())


@jobs.every(minutes=60)
def remind_of_partnership_requests() -> None:
    """Authors of those that lapse soon."""
    partnerships.remind(at=clock.now())


@jobs.every(minutes=60)
def forget_registrations() -> None:
    """Registrations that nobody confirmed."""
    registration.forget(before=clock.now() - KEPT)
