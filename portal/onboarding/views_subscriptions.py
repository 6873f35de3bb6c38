"""The subscriptions step of adding a customer: offers chosen before the customer exists (R16)."""

from typing import Any
from uuid import UUID

from flask import g, request, url_for
from flask.typing import ResponseReturnValue

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, query_string, saved
from portal.core.routing import Feature
from portal.customers.texts import SEGMENT_NAMES
from portal.onboarding import service
from portal.onboarding.forms import AccountForm
from portal.onboarding.models import CustomerDraft
from portal.onboarding.views import confirmation, filled, incomplete
from portal.relationships import queries as partnerships
from portal.subscriptions import catalog_queries, ordering, texts_catalog, texts_orders
from portal.subscriptions import order_queries as orders

P = Permission
feature = Feature("onboarding_subscriptions", __name__, url_prefix="/customers/new/<uuid:draft_id>/subscriptions")


@feature.get("", permission=P.SUBSCRIPTION_ORDER)
def show(draft_id: UUID) -> ResponseReturnValue:
    draft = service.my_draft(draft_id, g.actor)
    form = filled(draft)
    if draft.customer_public_id:
        return confirmation(draft)
    if not form.validate():
        return incomplete(draft)
    if not service.sells(g.actor):
        return page("onboarding/reseller.html", draft=draft, entry=form.entry(), providers=partnerships.active_providers(by=g.actor))
    if request.args.get("q"):
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    return page("onboarding/subscriptions.html", swaps=("shop",), **_shown(draft, form))


@feature.post("/lines/<uuid:offer_id>", permission=P.SUBSCRIPTION_ORDER)
def update_line(draft_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """As many of an offer as the form says; none takes it out."""
    if not service.sells(g.actor):
        raise NotFound(offer_id)
    draft, offer = service.my_draft(draft_id, g.actor, lock=True), ordering.offer_of(offer_id)
    form = filled(draft)
    if draft.customer_public_id:
        return confirmation(draft)
    if not form.validate():
        return incomplete(draft)
    typed = ordering.typed_quantity(request.form)
    try:
        lines = ordering.changed(draft.lines, offer, typed, request.form.get("was", ""), service.newcomer(form.entry(), g.actor), today=clock.today())
    except Refused as refusal:
        mistake = orders.Mistake(offer.id, typed, str(refusal.message), isinstance(refusal, Stale))
        return invalid("onboarding/subscriptions.html", swaps=("shop",), **_shown(draft, form, mistake)), 409 if mistake.stale else 422
    service.choose(draft, lines, at=clock.now())
    url = url_for(".show", draft_id=draft_id) + query_string()
    return saved(
        url,
        "onboarding/subscriptions.html",
        swaps=("shop",),
        **_shown(draft, form, focus=orders.part_changed(offer.public_id, request.form.get("was", ""), typed)),
    )


def _shown(draft: CustomerDraft, form: AccountForm, mistake: orders.Mistake | None = None, *, focus: str = "") -> dict[str, Any]:
    entry = form.entry()
    base = f"/customers/new/{draft.public_id}/subscriptions"
    query = ListQuery.parse(base, request.args, sorts=["name"], filters=orders.OFFERED)
    return {
        "draft": draft,
        "entry": entry,
        "shop": orders.shop(query, draft.lines, service.newcomer(entry, g.actor), today=clock.today()),
        "base": base,
        "here": query_string(),
        "mistake": mistake,
        "focus": focus,
        "choices": catalog_queries.choices,
        "texts": texts_orders,
        "catalog_texts": texts_catalog,
        "segment_names": SEGMENT_NAMES,
    }
