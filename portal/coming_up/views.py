"""Coming up: what lapses in 90, 30 and 7 days, and the one step that extends or sends it again (R38)."""

from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.coming_up import queries, service
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page
from portal.core.routing import Feature

P = Permission
feature = Feature("coming_up", __name__, url_prefix="/coming-up")


@feature.get("", permission=P.CUSTOMER_READ)
def index() -> ResponseReturnValue:
    return page("coming_up/index.html", swaps=("results",), **_shown())


@feature.post("/extension", permission=P.REQUEST_SEND)
def create() -> ResponseReturnValue:
    try:
        chosen = service.chosen(request.form.getlist("line"))
        throttle.hit(throttle.INVITATIONS, f"{g.actor.organization_id}/{g.actor.user_id}", times=len(chosen))
        results = service.extend(chosen, by=g.actor, at=clock.now())
    except Refused as refusal:
        return invalid("coming_up/index.html", swaps=("results",), refusal=str(refusal.message), **_shown())
    return page("coming_up/extension.html", results=results, done=sum(result.done for result in results))


def _shown() -> dict[str, Any]:
    """What the page needs; lines of requests and delegated administration only for those who see requests, of leads for those who work them."""
    query = ListQuery.parse("/coming-up", request.args, sorts=["soonest"], filters={"days": [str(days) for days in queries.WINDOWS[:-1]]})
    days, at = int(query.filters.get("days", queries.WINDOWS[-1])), clock.now()
    sees_requests = g.actor.may(P.REQUEST_READ)
    lines = queries.lapsing(query, at=at, days=days, requests=sees_requests, leads=g.actor.may(P.LEAD_WORK))
    first = query.after is None and query.before is None and not query.last
    return {
        "query": query,
        "days": days,
        "lines": lines,
        "groups": _groups(lines.rows),
        "extending": queries.extending_themselves(at=at, days=days) if sees_requests and first else [],
        "outdated": queries.outdated_agreements() if first else [],
        "most_aside": queries.ASIDE,
        "may_extend": g.actor.may(P.REQUEST_SEND) and any(line.extendable for line in lines.rows),
    }


def _groups(lines: Any) -> list[tuple[str, list[Any]]]:
    """The lines by the window that they fall into."""
    at = clock.now()
    titles = {7: _("In the next 7 days"), 30: _("In 8 to 30 days"), 90: _("In 31 to 90 days")}
    found: dict[int, list[Any]] = {}
    for line in lines:
        left = (line.due_at - at).total_seconds() / 86400
        found.setdefault(next((days for days in queries.WINDOWS if left <= days), queries.WINDOWS[-1]), []).append(line)
    return [(titles[days], found[days]) for days in queries.WINDOWS if days in found]
