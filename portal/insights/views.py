"""Home: what waits for the person who signed in."""

from flask import g
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from portal.core import audit, clock
from portal.core.access import Permission, Side
from portal.core.i18n import show_number
from portal.core.lists import COUNTED_UP_TO
from portal.core.pages import page, see_other
from portal.core.routing import Feature
from portal.insights import queries
from portal.onboarding import service as onboarding
from portal.relationships.models import RequestState

P = Permission
OUTCOMES = {
    RequestState.ACCEPTED: (_l("Accepted"), "good"),
    RequestState.DECLINED: (_l("Declined"), "bad"),
    RequestState.EXPIRED: (_l("Expired"), "warn"),
}
feature = Feature("insights", __name__)


@feature.get("/", permission=P.SIGNED_IN)
def index() -> ResponseReturnValue:
    """A partner's people see what waits; a customer's people have a front page of their own."""
    actor, at = g.actor, clock.now()
    if actor.side is Side.CUSTOMER:
        return see_other("/my")
    counts = queries.counts(actor)
    answered = queries.answered(at) if actor.may(P.REQUEST_READ) else []
    drafts = onboarding.my_drafts(actor) if actor.may(P.CUSTOMER_ADD) else []
    return page(
        "insights/index.html",
        counts=counts,
        number=_number,
        answered=answered,
        outcomes=OUTCOMES,
        lapsing=queries.lapsing(at) if actor.may(P.REQUEST_READ) else [],
        drafts=drafts,
        fresh=counts.customers == 0 and not (counts.waiting or answered or drafts),
        entries=audit.recent(actor.organization_id, limit=8) if actor.may(P.ACTIVITY_READ) else [],
    )


def _number(count: int) -> str:
    """A count that stops at COUNTED_UP_TO."""
    return f"{show_number(COUNTED_UP_TO)}+" if count > COUNTED_UP_TO else show_number(count)
