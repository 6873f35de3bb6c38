"""Several subscriptions of a customer at once: suspend, or set their renewal, each line with its own result."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import gettext as _

from portal.core.access import Actor
from portal.core.db import attempt
from portal.core.errors import NotFound, Refused
from portal.core.i18n import show_day
from portal.customers.models import Customer
from portal.relationships.service import LineResult
from portal.subscriptions import queries, service
from portal.subscriptions.models import Subscription, SubscriptionState

MOST = 200
CHANGES = ("suspend", "renewal_on", "renewal_off")


def chosen(change: str, keys: Iterable[str]) -> tuple[str, list[UUID]]:
    """What to do, and the lines ticked, each once."""
    ids = [UUID(key) for key in dict.fromkeys(keys) if _is_key(key)]
    if not ids:
        raise Refused(_("Tick at least one line first."))
    if len(ids) > MOST:
        raise Refused(_("At most %(number)s lines at once. Take the first ones, then the rest.", number=MOST))
    if change not in CHANGES:
        raise Refused(_("Choose what to do with the lines."))
    return change, ids


def lines(ids: list[UUID], customer: Customer) -> list[Any]:
    """What was ticked, as it stands now."""
    return queries.some(customer, ids)


def apply(change: str, ids: list[UUID], customer: Customer, *, by: Actor, at: datetime) -> list[LineResult]:
    """`customer` is locked by the caller."""
    found = lines(ids, customer)
    gone = len(ids) - len(found)
    results = [_one(change, row.public_id, row.nickname or row.name, customer, by=by, at=at) for row in found]
    return results + [LineResult(_("A line that is no longer there"), False, _("Nothing was done: load the page again."))] * gone


def _one(change: str, public_id: UUID, name: str, customer: Customer, *, by: Actor, at: datetime) -> LineResult:
    url = f"/customers/{customer.public_id}/subscriptions/{public_id}"
    try:
        with attempt():
            subscription = service.locked(customer, public_id, at=at)
            if change == "suspend":
                service.suspend(subscription, by=by, at=at)
            else:
                service.set_renewal(subscription, auto_renew=change == "renewal_on", by=by, at=at)
            return LineResult(name, True, _outcome(subscription), url=url)
    except NotFound:
        return LineResult(name, False, _("Nothing was done: load the page again."))
    except Refused as refusal:
        return LineResult(name, False, str(refusal.message), url=url)


def _outcome(subscription: Subscription) -> str:
    day = show_day(subscription.turns_on)
    if subscription.state is SubscriptionState.SUSPENDED:
        return _("Suspended. It expires on %(day)s unless it is reactivated.", day=day)
    return _("Renews itself on %(day)s.", day=day) if subscription.auto_renew else _("Ends on %(day)s.", day=day)


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
