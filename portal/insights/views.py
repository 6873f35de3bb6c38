"""Home: what waits for the person who signed in."""

from flask import g
from flask.typing import ResponseReturnValue

from portal.core import audit, clock
from portal.core.access import Permission, Side
from portal.core.i18n import show_number
from portal.core.lists import COUNTED_UP_TO
from portal.core.pages import page, see_other
from portal.core.routing import Feature
from portal.insights import queries
from portal.onboarding import service as onboarding
from portal.relationships.texts import STATE_NAMES, STATE_TONES

P = Permission
feature = Feature("insights", __name__)


@feature.get("/", permission=P.SIGNED_IN)
def index() -> ResponseReturnValue:
    """A partner's people see what waits; a customer's people have a front page of their own."""
    actor, at = g.actor, clock.now()
    if actor.side is Side.CUSTOMER:
        return see_other("/my")
    counts = queries.counts(actor, at)
    answered = queries.answered(at) if actor.may(P.REQUEST_READ) else []
    drafts = onboarding.my_drafts(actor) if actor.may(P.CUSTOMER_ADD) else []
    latest = audit.recent(actor.organization_id, limit=50) if actor.may(P.ACTIVITY_READ) else []
    return page(
        "insights/index.html",
        counts=counts,
        number=_number,
        answered=answered,
        names=STATE_NAMES,
        tones=STATE_TONES,
        lapsing=queries.lapsing(at) if actor.may(P.REQUEST_READ) else [],
        drafts=drafts,
        fresh=counts.customers == 0 and not (counts.waiting or answered or drafts),
        entries=[entry for entry in latest if not entry.action.startswith("session.")][:8],
    )


def _number(count: int) -> str:
    """A count that stops at COUNTED_UP_TO."""
    return f"{show_number(COUNTED_UP_TO)}+" if count > COUNTED_UP_TO else show_number(count)
