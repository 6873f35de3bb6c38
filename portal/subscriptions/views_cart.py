"""The cart: what somebody of the partner puts together for a customer, and the review before it is ordered (R81)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import g, request, url_for
from flask.typing import ResponseReturnValue

from portal.agreements import queries as agreements
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused, Stale
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, query_string, saved
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer
from portal.customers.texts import SEGMENT_NAMES
from portal.subscriptions import catalog, catalog_queries, ordering, texts_catalog, texts_orders
from portal.subscriptions import order_queries as queries
from portal.subscriptions.models import Cart

P = Permission
feature = Feature("cart", __name__, url_prefix="/customers/<uuid:customer_id>/cart")


@feature.get("", permission=P.SUBSCRIPTION_ORDER)
def show(customer_id: UUID) -> ResponseReturnValue:
    customer, cart = queries.customer_with_cart(customer_id, by=g.actor)
    if request.args.get("q"):
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    return page("cart/show.html", swaps=("shop",), **_shown(customer, cart))


@feature.post("/lines/<uuid:offer_id>", permission=P.SUBSCRIPTION_ORDER)
def update_line(customer_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """As many of an offer as the form says; none takes it out."""
    customer, offer = customers.record(customer_id, lock=True), ordering.offer_of(offer_id)
    ordering.check_relationship(customer)
    cart = ordering.cart_of(customer, by=g.actor, at=clock.now())
    typed = ordering.typed_quantity(request.form)
    standing = catalog.standing(customer, g.actor.cloud)
    try:
        lines = ordering.changed(cart.lines, offer, typed, request.form.get("was", ""), standing, today=clock.today())
    except Refused as refusal:
        mistake = queries.Mistake(offer.id, typed, str(refusal.message), isinstance(refusal, Stale))
        return invalid("cart/show.html", swaps=("shop",), **_shown(customer, cart, mistake)), 409 if mistake.stale else 422
    ordering.fill(cart, lines, at=clock.now())
    return saved(
        f"{url_for('.show', customer_id=customer_id)}{query_string()}",
        "cart/show.html",
        swaps=("shop",),
        **_shown(customer, cart, focus=queries.part_changed(offer.public_id, request.form.get("was", ""), typed)),
    )


@feature.get("/review", permission=P.SUBSCRIPTION_ORDER)
def show_review(customer_id: UUID) -> ResponseReturnValue:
    customer, cart = queries.customer_with_cart(customer_id, by=g.actor)
    return page("cart/review.html", **reviewed(customer, cart))


def reviewed(customer: Customer, cart: Cart | None, refusal: Refused | None = None, former: Iterable[str] = ()) -> dict[str, Any]:
    """What the review shows: everything as it would be ordered now, and what is not as it was in a `former` one."""
    ordering.check_relationship(customer)
    standing = catalog.standing(customer, g.actor.cloud)
    lines = ordering.quotes_for(cart.lines if cart else {}, standing, today=clock.today())
    return {
        "customer": customer,
        "cart": cart,
        "lines": lines,
        "totals": ordering.totals(lines, standing.currency),
        "agreement": agreements.standing(customer.partner_id, customer.customer_id or 0, customer.country),
        "refusal": refusal,
        "differences": texts_orders.differences(former, lines) if isinstance(refusal, ordering.Overtaken) else [],
        "texts": texts_orders,
        "term_names": texts_catalog.TERM_NAMES,
    }


def _shown(customer: Customer, cart: Cart | None, mistake: queries.Mistake | None = None, *, focus: str = "") -> dict[str, Any]:
    ordering.check_relationship(customer)
    base = f"/customers/{customer.public_id}/cart"
    query = ListQuery.parse(base, request.args, sorts=["name"], filters=queries.OFFERED)
    shop = queries.shop(query, cart.lines if cart else {}, catalog.standing(customer, g.actor.cloud), today=clock.today())
    return {
        "customer": customer,
        "shop": shop,
        "base": base,
        "here": query_string(),
        "mistake": mistake,
        "focus": focus,
        "choices": catalog_queries.choices,
        "texts": texts_orders,
        "catalog_texts": texts_catalog,
        "segment_names": SEGMENT_NAMES,
    }
