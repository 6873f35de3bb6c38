"""Coming up: what lapses in 90, 30 and 7 days, and the one step that extends or sends it again (R38)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import escape

from portal.coming_up import queries, service, waiting
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page
from portal.core.routing import Feature
from portal.subscriptions import texts_reservations
from portal.subscriptions.texts import day, left

P = Permission
KIND_NAMES = {
    queries.DELEGATION: _l("Delegated administration"),
    queries.REQUEST: _l("Relationship request"),
    queries.LEAD: _l("Lead to answer"),
    queries.SUBSCRIPTION: _l("Subscription ends"),
    queries.SUSPENSION: _l("Suspended subscription expires"),
    queries.RESERVATION: _l("Reservation ends"),
}
feature = Feature("coming_up", __name__, url_prefix="/coming-up")


@feature.get("", permission=P.CUSTOMER_READ)
def index() -> ResponseReturnValue:
    return page("coming_up/index.html", swaps=("results",), **_shown())


@feature.post("/extension", permission=(P.REQUEST_SEND, P.SUBSCRIPTION_ORDER))
def create() -> ResponseReturnValue:
    try:
        chosen = service.chosen(request.form.getlist("line"))
        letters = sum(service.writes(line) for line in chosen)
        if letters:
            throttle.hit(throttle.INVITATIONS, f"{g.actor.organization_id}/{g.actor.user_id}", times=letters)
        results = service.extend(chosen, by=g.actor, at=clock.now())
    except Refused as refusal:
        return invalid("coming_up/index.html", swaps=("results",), refusal=str(refusal.message), **_shown())
    return page("coming_up/extension.html", results=results, done=sum(result.done for result in results))


def _shown() -> dict[str, Any]:
    """What the page needs; lines of requests and delegated administration only for those who see requests, of leads and subscriptions likewise."""
    query = ListQuery.parse("/coming-up", request.args, sorts=["soonest"], filters={"days": [str(days) for days in queries.WINDOWS[:-1]]})
    days, at = int(query.filters.get("days", queries.WINDOWS[-1])), clock.now()
    seen = {queries.OF_RELATIONSHIPS: P.REQUEST_READ, (queries.LEAD,): P.LEAD_WORK, queries.OF_SUBSCRIPTIONS: P.SUBSCRIPTION_READ}
    kinds = tuple(kind for of, permission in seen.items() if g.actor.may(permission) for kind in of)
    found = queries.coming_up(query, at=at, days=days, kinds=kinds)
    lines = found.lapsing
    extends = {kind for kind in kinds if service.may_extend(kind, by=g.actor)}
    spoken, today = language(), at.date()
    return {
        "query": query,
        "days": days,
        "lines": lines,
        "groups": _groups(lines.rows, at),
        "ticks": {line.key for line in lines.rows if line.kind in extends and line.waiting is None},
        "extending": [line for line in found.going_on if line.kind == queries.DELEGATION],
        "renewing": [line for line in found.going_on if line.kind == queries.SUBSCRIPTION],
        "waiting": waiting.waiting(g.actor) if query.way == "first" else [],
        "most_waiting": waiting.MOST,
        "wishes": texts_reservations.KIND_NAMES,
        "outdated": queries.outdated_agreements() if query.way == "first" else [],
        "most_aside": queries.ASIDE,
        "most_extending": queries.EXTENDING,
        "kind_names": {kind: escape(name) for kind, name in KIND_NAMES.items()},
        "day": lambda on: day(on, spoken),
        "left": lambda on: left(on, today, spoken),
    }


def _groups(lines: Iterable[queries.Line], at: datetime) -> list[tuple[str, list[queries.Line]]]:
    """The lines by the window that they fall into."""
    titles = {7: _("In the next 7 days"), 30: _("In 8 to 30 days"), 90: _("In 31 to 90 days")}
    ends = [(days, at + timedelta(days=days)) for days in queries.WINDOWS]
    found: dict[int, list[queries.Line]] = {}
    for line in lines:
        found.setdefault(next((days for days, end in ends if line.due_at <= end), queries.WINDOWS[-1]), []).append(line)
    return [(titles[days], found[days]) for days in queries.WINDOWS if days in found]
