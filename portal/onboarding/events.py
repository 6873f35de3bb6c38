"""What adding a customer tells the floors above."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal.core.access import Actor
from portal.customers.models import Customer


@dataclass(frozen=True)
class CustomerAdded:
    """Submit made this customer; `origin` is the lead that its draft came from, if any."""

    customer: Customer
    origin: UUID | None
    by: Actor
    at: datetime
