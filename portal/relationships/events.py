"""What relationships tell the floors above, and what they ask them."""

from dataclasses import dataclass
from datetime import datetime

from portal.core.access import Actor
from portal.customers.models import Customer
from portal.relationships.models import Partnership, RelationshipRequest


@dataclass(frozen=True)
class RequestShown:
    """Which panels do other features add to a request's page? Subscribers answer with customers' Panels."""

    request: RelationshipRequest
    actor: Actor


@dataclass(frozen=True)
class HomeShown:
    """Which panels do other features add to the first page of a customer's people? Subscribers answer with customers' Panels."""

    actor: Actor


@dataclass(frozen=True)
class RelationshipEnding:
    """May this relationship end? Subscribers answer with the Obstacles that are still in the way (R35)."""

    customer: Customer


@dataclass(frozen=True)
class Obstacle:
    """Something that must be suspended or cancelled first: a translated line, and where to do it."""

    text: str
    url: str


@dataclass(frozen=True)
class RelationshipClearing:
    """Suspend and cancel whatever is in the way, in one confirmed step (R35)."""

    customer: Customer
    by: Actor
    at: datetime


@dataclass(frozen=True)
class RelationshipEnded:
    customer: Customer
    by: Actor
    at: datetime


@dataclass(frozen=True)
class PartnershipEnded:
    """A provider and a reseller no longer work together (R42). Everybody's rows are in scope."""

    partnership: Partnership
    by: Actor
    at: datetime


@dataclass(frozen=True)
class PartnershipStays:
    """What else does the end of a partnership leave, or take, on this side? Subscribers answer with sentences (R42)."""

    provider: bool
    other: str


@dataclass(frozen=True)
class RelationshipStarted:
    """A request was accepted; for a reinstated one, with all that was before. A joint one (R28) tells of each record."""

    customer: Customer
    request: RelationshipRequest
    at: datetime
