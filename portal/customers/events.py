"""What customer records tell and ask the floors above."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from portal.core.access import Actor
from portal.customers.models import Customer


@dataclass(frozen=True)
class CustomerShown:
    """Which panels do other features add to a customer's page? Subscribers answer with Panels."""

    customer: Customer
    actor: Actor


@dataclass(frozen=True)
class Panel:
    """A template to include, with what it needs besides `customer`."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CustomerRenamed:
    """The record stands under other words in this partner's lists (R13)."""

    customer: Customer


@dataclass(frozen=True)
class CustomerMoved:
    """The record is one of another organization from now on, which proved the domain (R11). Everybody's rows are in scope."""

    customer: Customer
    former_id: int
    at: datetime


@dataclass(frozen=True)
class ResellersAsked:
    """Which resellers does this provider work with, or did it (R41)? Subscribers answer with Resellers, in the order to show them."""

    by: Actor


@dataclass(frozen=True)
class Reseller:
    """`active`: may be named on a record now; a former one only stays where it stands (R42)."""

    organization_id: int
    public_id: UUID
    name: str
    active: bool
