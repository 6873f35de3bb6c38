"""Extend or send again: any number of lines in one step, each with its own result (R38)."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.coming_up.queries import DELEGATION, MOST, REQUEST
from portal.core.access import Actor
from portal.core.db import attempt, db, find
from portal.core.errors import NotFound, Refused
from portal.customers import queries as customers
from portal.customers.models import RelationshipState
from portal.relationships import queries, service
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestPurpose, SendingWay
from portal.relationships.service import LineResult, RequestEntry


def chosen(keys: Iterable[str]) -> list[str]:
    """The lines ticked, each once, as Line.key has them."""
    found = list(dict.fromkeys(keys))
    if not found:
        raise Refused(_("Tick at least one line first."))
    if len(found) > MOST:
        raise Refused(_("At most %(number)s lines at once. Take the first ones, then the rest.", number=MOST))
    return found


def extend(lines: Iterable[str], *, by: Actor, at: datetime) -> list[LineResult]:
    """A new request for each delegation, and each request sent again."""
    return [_result(key, by=by, at=at) for key in lines]


def _result(key: str, *, by: Actor, at: datetime) -> LineResult:
    kind, _colon, public_id = key.partition(":")
    step = {DELEGATION: _extend_delegation, REQUEST: _send_again}.get(kind)
    try:
        with attempt():
            if step is None:
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
