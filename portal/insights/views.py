"""Home: what waits for the person who signed in."""

from flask import g
from flask.typing import ResponseReturnValue

from portal.core import audit, clock, lists
from portal.core.access import Permission, Side
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
        number=lists.capped,
        answered=answered,
        names=STATE_NAMES,
        tones=STATE_TONES,
        lapsing=queries.lapsing(at) if actor.may(P.REQUEST_READ) else [],
        drafts=drafts,
        fresh=counts.customers == 0 and not (counts.waiting or answered or drafts or counts.leads),
        entries=[entry for entry in latest if not entry.action.startswith("session.")][:8],
    )
