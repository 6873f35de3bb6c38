"""Extend, renew or send again: any number of lines in one step, each with its own result (R38)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.coming_up.queries import DELEGATION, REQUEST, SUBSCRIPTION
from portal.core.access import Actor, Permission
from portal.core.db import attempt, db, find
from portal.core.errors import NotFound, Refused
from portal.core.i18n import show_day
from portal.customers import queries as customers
from portal.customers.models import RelationshipState
from portal.relationships import queries, service
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestPurpose, SendingWay
from portal.relationships.service import LineResult, RequestEntry
from portal.subscriptions import service as subscriptions
from portal.subscriptions.models import Subscription

MOST = 200  # lines of one step


def chosen(keys: Iterable[str]) -> list[str]:
    """The lines ticked, each once, as Line.key has them."""
    found = list(dict.fromkeys(keys))
    if not found:
        raise Refused(_("Tick at least one line first."))
    if len(found) > MOST:
        raise Refused(_("At most %(number)s lines at once. Take the first ones, then the rest.", number=MOST))
    return found


def may_extend(kind: str, *, by: Actor) -> bool:
    """Whether the one step does anything for this person with such lines; others want a decision of their own."""
    _step, needed = _STEPS.get(kind, (None, None))
    return needed is not None and by.may(needed)


def writes(key: str) -> bool:
    """Whether the step with this line sends a message."""
    return not key.startswith(f"{SUBSCRIPTION}:")


def extend(lines: Iterable[str], *, by: Actor, at: datetime) -> list[LineResult]:
    """A new request for each delegation, each request sent again, auto-renewal on for each subscription."""
    wanted = list(lines)
    results = {key: _result(key, by=by, at=at) for key in sorted(wanted)}  # two people lock them in one order
    return [results[key] for key in wanted]


def _result(key: str, *, by: Actor, at: datetime) -> LineResult:
    kind, _colon, public_id = key.partition(":")
    step, needed = _STEPS.get(kind, (None, None))
    try:
        with attempt():
            if step is None or not by.may(needed):
                raise NotFound(key)
            return step(UUID(public_id), by=by, at=at)
    except (NotFound, ValueError):
        return LineResult(_("A line that is no longer there"), False, _("Nothing was done: load the page again."))
    except _LineRefused as refusal:
        return LineResult(refusal.line, False, str(refusal.message))


class _LineRefused(Refused):
    """Why one line was not done, with the name that people know it by."""

    def __init__(self, line: str, message: str) -> None:
        super().__init__(message)
        self.line = line


def _extend_delegation(public_id: UUID, *, by: Actor, at: datetime) -> LineResult:
    """A new request to the customer, for the same roles and days: only the customer extends (R30)."""
    granted = find(DelegatedAdministration, public_id, lock=True)
    customer = customers.record_of(granted.customer_id or 0)
    if customer is None:
        raise NotFound(public_id)
    if granted.state is not DelegationState.ACTIVE or customer.state is not RelationshipState.ACTIVE:
        raise _LineRefused(customer.name, _("The delegated administration has ended meanwhile."))
    waiting = queries.open_request_to(granted.customer_id or 0)
    if waiting is not None and waiting.purpose is RequestPurpose.EXTEND:
        raise _LineRefused(customer.name, _("A request to extend it is already waiting for its answer."))
    email = customer.email or db.session.scalar(sa.select(RelationshipRequest.email).where(RelationshipRequest.id == granted.request_id))
    if not email:
        raise _LineRefused(customer.name, _("The customer has no contact address. Give one on its account page, then try again."))
    entry = RequestEntry(email, customer.name, customer.language, True, list(granted.roles), granted.duration_days, granted.auto_extend)
    try:
        request = service.draft_request(entry, by=by, at=at, named=service.named_organization(customer), purpose=RequestPurpose.EXTEND)
        service.send_request(request, way=SendingWay.PORTAL, by=by, at=at)
    except Refused as refusal:
        raise _LineRefused(customer.name, str(refusal.message)) from None
    return LineResult(customer.name, True, _("A request to extend it was sent to %(email)s.", email=email), request)


def _send_again(public_id: UUID, *, by: Actor, at: datetime) -> LineResult:
    request = queries.request_of(public_id, lock=True)
    line = request.organization or request.email
    try:
        service.send_again(request, way=SendingWay.PORTAL, by=by, at=at)
    except Refused as refusal:
        raise _LineRefused(line, str(refusal.message)) from None
    return LineResult(line, True, _("Sent again to %(email)s.", email=request.email), request)


def _renew(public_id: UUID, *, by: Actor, at: datetime) -> LineResult:
    """Its auto-renewal on, which takes back a cancellation at renewal (R84)."""
    found = find(Subscription, public_id)
    customer = customers.record_of(found.customer_id or 0, lock=True)
    if customer is None:
        raise NotFound(public_id)
    line = f"{found.shown_name}, {customer.name}"
    if customer.state is not RelationshipState.ACTIVE:
        raise _LineRefused(line, _("The relationship with this customer is not active."))
    subscription = subscriptions.locked(customer, public_id, at=at)
    try:
        subscriptions.set_renewal(subscription, auto_renew=True, by=by, at=at)
    except Refused as refusal:
        raise _LineRefused(line, str(refusal.message)) from None
    url = f"/customers/{customer.public_id}/subscriptions/{public_id}"
    return LineResult(line, True, _("Renews itself on %(day)s.", day=show_day(subscription.turns_on)), url=url)


_STEPS: dict[str, Any] = {
    DELEGATION: (_extend_delegation, Permission.REQUEST_SEND),
    REQUEST: (_send_again, Permission.REQUEST_SEND),
    SUBSCRIPTION: (_renew, Permission.SUBSCRIPTION_ORDER),
}
