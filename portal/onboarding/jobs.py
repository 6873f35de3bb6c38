"""Jobs of adding customers: forget drafts that nobody came back to."""

from datetime import timedelta

from portal.core import clock, jobs
from portal.onboarding import service

KEPT = timedelta(days=90)


@jobs.every(minutes=60)
def forget_drafts() -> None:
    """Drafts untouched for 90 days."""
    service.forget_drafts(before=clock.now() - KEPT)
