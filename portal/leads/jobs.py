"""Jobs of leads: what time brings."""

from portal.core import clock, jobs
from portal.leads import service


@jobs.every(minutes=5)
def expire_leads() -> None:
    """Leads that nobody answered within 14 days."""
    service.expire_leads(at=clock.now())
