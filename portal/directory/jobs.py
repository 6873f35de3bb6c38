"""Jobs of the directory: what time brings."""

from portal.core import clock, jobs
from portal.directory import entries, inquiries, service
from portal.leads import figures


@jobs.every(minutes=60)
def remind_of_profiles() -> None:
    """Partners whose business profile may be out of date (R60)."""
    service.remind(at=clock.now())


@jobs.every(minutes=60)
def rank_directory() -> None:
    """Who answers promptly stands higher (R57)."""
    at = clock.now()
    entries.rank(figures.responsiveness_of_all(at), otherwise=figures.MIDDLE)


@jobs.every(minutes=60)
def forget_inquiries() -> None:
    """Inquiries that nobody confirmed."""
    inquiries.forget(clock.now())
