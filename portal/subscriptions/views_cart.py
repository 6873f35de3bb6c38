"""The cart: what somebody of the partner puts together for a customer, and the review before it is ordered (R81)."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import g, request, url_for
from flask.typing import ResponseReturnValue

from portal.agreements import queries as agreements
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, query_string, saved, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer
from portal.customers.texts import SEGMENT_NAMES
from portal.relationships import queries as partnerships
from portal.subscriptions import catalog_queries, ordering, reselling, reservation_queries, texts_catalog, texts_orders, texts_reservations
from portal.subscriptions import order_queries as queries
from portal.subscriptions.models import Cart
from portal.subscriptions.reselling import Seller

P = Permission
feature = Feature("cart", __name__, url_prefix="/customers/<uuid:customer_id>/cart")


@feature.get("", permission=P.SUBSCRIPTION_ORDER)
def show(customer_id: UUID) -> ResponseReturnValue:
    customer, cart, found = reselling.customer_with_cart(customer_id, by=g.actor)
    if request.args.get("q"):
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    try:
        seller = reselling.seller_for(customer, cart, found, by=g.actor)
    except reselling.Undecided as undecided:
        return page("cart/provider.html", **_providers(customer, undecided.found, cart))
    return page("cart/show.html", swaps=("shop",), **_shown(customer, cart, seller))


@feature.get("/provider", permission=P.SUBSCRIPTION_ORDER)
def edit_provider(customer_id: UUID) -> ResponseReturnValue:
    """For a reseller that shares the customer with several: through which one it orders."""
    customer, cart, found = reselling.customer_with_cart(customer_id, by=g.actor)
    if found is None:
        raise NotFound(customer_id)
    ordering.check_relationship(customer)
    return page("cart/provider.html", **_providers(customer, found, cart))


@feature.post("/provider", permission=P.SUBSCRIPTION_ORDER)
def update_provider(customer_id: UUID) -> ResponseReturnValue:
    customer = customers.record(customer_id, lock=True)
    ordering.check_relationship(customer)
    reselling.choose(customer, request.form.get("provider", ""), by=g.actor, at=clock.now())
    return see_other(url_for(".show", customer_id=customer_id))


@feature.post("/lines/<uuid:offer_id>", permission=P.SUBSCRIPTION_ORDER)
def update_line(customer_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """As many of an offer as the form says; none takes it out."""
    customer = customers.record(customer_id, lock=True)
    try:
        cart, seller = reselling.cart_for(customer, by=g.actor, at=clock.now())
    except reselling.Undecided:
        return see_other(url_for(".show", customer_id=customer_id))
    typed, standing = ordering.typed_quantity(request.form), reselling.standing(customer, seller, by=g.actor)
    with seller.at_work():
        offer = ordering.offer_of(offer_id)
        try:
            lines = ordering.changed(cart.lines, offer, typed, request.form.get("was", ""), standing, today=clock.today())
        except Refused as refusal:
            mistake = queries.Mistake(offer.id, typed, str(refusal.message), isinstance(refusal, Stale))
            return invalid("cart/show.html", swaps=("shop",), **_shown(customer, cart, seller, mistake)), 409 if mistake.stale else 422
    ordering.fill(cart, lines, at=clock.now())
    return saved(
        f"{url_for('.show', customer_id=customer_id)}{query_string()}",
        "cart/show.html",
        swaps=("shop",),
        **_shown(customer, cart, seller, focus=queries.part_changed(offer.public_id, request.form.get("was", ""), typed)),
    )


@feature.get("/review", permission=P.SUBSCRIPTION_ORDER)
def show_review(customer_id: UUID) -> ResponseReturnValue:
    customer, cart, found = reselling.customer_with_cart(customer_id, by=g.actor)
    try:
        return page("cart/review.html", **reviewed(customer, cart, found=found))
    except reselling.Undecided:
        return see_other(url_for(".show", customer_id=customer_id))


def reviewed(
    customer: Customer,
    cart: Cart | None,
    refusal: Refused | None = None,
    former: Iterable[str] = (),
    *,
    found: Sequence[Any] | None = None,
    users: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the review shows: everything as it would be ordered now, and what is not as it was in a `former` one, with the `users` chosen there."""
    seller = reselling.seller_for(customer, cart, found, by=g.actor)
    standing = reselling.standing(customer, seller, by=g.actor)
    with seller.at_work():
        lines = ordering.quotes_for(cart.lines if cart else {}, standing, today=clock.today())
        agreement = agreements.standing(seller.id, customer.customer_id or 0, customer.country)
        reserves = any(line.offer.is_reservation for line in lines)
        usable = reservation_queries.subscriptions_for(customer, reseller_id=g.actor.organization_id if seller.is_provider else None) if reserves else []
    return {
        "customer": customer,
        "cart": cart,
        "seller": seller,
        "lines": lines,
        "totals": ordering.totals(lines, standing.currency),
        "agreement": agreement,
        "refusal": refusal,
        "differences": texts_orders.differences(former, lines) if isinstance(refusal, ordering.Overtaken) else [],
        "reserves": reserves,
        "scopes": texts_reservations.scope_choices(usable),
        "users": users or {},
        "texts": texts_orders,
        "term_names": texts_catalog.TERM_NAMES,
    }


def chosen_users(chosen: Iterable[str]) -> dict[str, str]:
    """The review's choices of who uses a reservation: by the offer's key that of the subscription, none for a shared one."""
    return {offer: subscription for offer, _space, subscription in (choice.partition(" ") for choice in chosen)}


def _shown(customer: Customer, cart: Cart | None, seller: Seller, mistake: queries.Mistake | None = None, *, focus: str = "") -> dict[str, Any]:
    base = f"/customers/{customer.public_id}/cart"
    query = ListQuery.parse(base, request.args, sorts=["name"], filters=queries.OFFERED)
    standing = reselling.standing(customer, seller, by=g.actor)
    with seller.at_work():
        shop = queries.shop(query, cart.lines if cart else {}, standing, today=clock.today())
    return {
        "customer": customer,
        "seller": seller,
        "shop": shop,
        "base": base,
        "here": query_string(),
        "mistake": mistake,
        "focus": focus,
        "choices": functools.partial(_choices, seller),
        "texts": texts_orders,
        "catalog_texts": texts_catalog,
        "segment_names": SEGMENT_NAMES,
    }


def _choices(seller: Seller) -> dict[str, list[str]]:
    """For the filters, which only a whole page shows."""
    with seller.at_work():
        return catalog_queries.choices()


def _providers(customer: Customer, found: Sequence[Any], cart: Cart | None) -> dict[str, Any]:
    """Those that can be chosen; where none can, the reseller's partnerships say what is missing."""
    return {
        "customer": customer,
        "found": found,
        "chosen": cart.provider_id if cart else None,
        "has_lines": bool(cart and cart.lines),
        "known": [] if found else partnerships.active_providers(by=g.actor),
    }
