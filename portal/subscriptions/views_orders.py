"""Orders: placing what a cart holds, and reading them; on both sides (R81)."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import audit, clock, throttle
from portal.core.access import PartnerType, Permission
from portal.core.errors import NotFound, Refused
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import order_queries as queries
from portal.subscriptions import ordering, reselling, resold, texts, texts_orders
from portal.subscriptions.models import OrderState
from portal.subscriptions.views_cart import chosen_users, reviewed

P = Permission
feature = Feature("orders", __name__)
my_feature = Feature("my_orders", __name__, url_prefix="/my/orders")


@feature.get("/orders", permission=P.SUBSCRIPTION_READ)
def index() -> ResponseReturnValue:
    """Over all customers."""
    query = ListQuery.parse("/orders", request.args, sorts=["newest"], filters=queries.FILTERS)
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    resells = reselling.resells(g.actor)
    found = resold.orders(query, by=g.actor) if resells else queries.everywhere(query)
    waiting = queries.waiting() if g.actor.partner_type is PartnerType.INDIRECT_PROVIDER and "state" not in query.filters else 0
    return page("orders/index.html", swaps=("results",), query=query, found=found, resells=resells, waiting=waiting, **_words())


@feature.get("/customers/<uuid:customer_id>/orders", permission=P.SUBSCRIPTION_READ)
def index_of_customer(customer_id: UUID) -> ResponseReturnValue:
    customer = _known(customer_id)
    query = ListQuery.parse(f"/customers/{customer_id}/orders", request.args, sorts=["newest"], filters=queries.FILTERS)
    resells = reselling.resells(g.actor)
    found = resold.orders_of(customer, query, by=g.actor) if resells else queries.of_customer(customer, query)
    return page("orders/customer.html", swaps=("results",), customer=customer, query=query, found=found, resells=resells, **_words())


@feature.post("/customers/<uuid:customer_id>/orders", permission=P.SUBSCRIPTION_ORDER)
def create(customer_id: UUID) -> ResponseReturnValue:
    """Order the cart as it was reviewed; again and again is once (R81). A reseller's order goes to its provider."""
    customer = customers.record(customer_id, lock=True)
    cart = ordering.my_cart(_key(request.form), customer, by=g.actor)
    seals, users = request.form.getlist("line"), chosen_users(request.form.getlist("used_by"))
    resells = reselling.resells(g.actor)
    try:
        if resells:
            order = reselling.send(cart, customer, reviewed=seals, users=users, by=g.actor, at=clock.now())
        else:
            order = ordering.order(cart, customer, cloud=g.actor.cloud, reviewed=seals, users=users, by=g.actor, at=clock.now())
    except ordering.CannotBeOrdered as refusal:
        return invalid("cart/review.html", **reviewed(customer, cart, refusal, seals, users=users)), 409
    except reselling.Undecided as undecided:
        flash(undecided.message, "warning")
        return see_other(url_for("cart.show", customer_id=customer_id))
    if resells:
        flash(_("Order %(number)s is sent. You are told by e-mail when your provider has answered.", number=texts_orders.number(order)), "success")
    else:
        flash(_("Order %(number)s is placed.", number=texts_orders.number(order)), "success")
    return see_other(url_for(".show", customer_id=customer_id, order_id=order.public_id))


@feature.get("/customers/<uuid:customer_id>/orders/<uuid:order_id>", permission=P.SUBSCRIPTION_READ)
def show(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    return page("orders/show.html", **shown(customer_id, order_id))


@my_feature.get("", permission=P.MY_ORDERS, endpoint="index")
def index_of_mine() -> ResponseReturnValue:
    query = ListQuery.parse("/my/orders", request.args, sorts=["newest"], filters=queries.MY_FILTERS)
    return page("orders/my.html", swaps=("results",), query=query, found=queries.of_my_partners(query), **_words())


@my_feature.get("/<uuid:order_id>", permission=P.MY_ORDERS, endpoint="show")
def show_mine(order_id: UUID) -> ResponseReturnValue:
    row = queries.of_mine(order_id)
    return page("orders/my_order.html", partner=row.partner, order=row.Order, lines=queries.lines(row.Order), **_words())


def shown(customer_id: UUID, order_id: UUID, refusal: Refused | None = None, former: Iterable[str] = ()) -> dict[str, Any]:
    """What the partner's page of an order needs. While a reseller's order waits, its provider sees what placing it would do now."""
    actor, resells = g.actor, reselling.resells(g.actor)
    row = resold.order(customer_id, order_id, by=actor) if resells else queries.shown(customer_id, order_id)
    order, customer = row.Order, row.Customer
    is_waiting = order.state is OrderState.REQUESTED
    context: dict[str, Any] = {
        "order": order,
        "customer": customer,
        "reseller": None if resells else row.reseller,
        "provider": row.provider if resells else None,
        "entries": audit.history(actor.organization_id, order.public_id) if actor.may(P.ACTIVITY_READ) and not is_waiting else [],
        "refusal": refusal,
        "decides": is_waiting and not resells and actor.may(P.SUBSCRIPTION_ORDER),
        "withdraws": is_waiting and resells and actor.may(P.SUBSCRIPTION_ORDER),
        **_words(),
    }
    if resells:
        context["lines"] = resold.lines(order, by=actor)
    elif is_waiting:
        quotes = reselling.requested(order, customer, cloud=actor.cloud, today=clock.today())
        context |= {
            "quotes": quotes,
            "totals": ordering.totals(quotes, order.currency),
            "reason": reselling.why_not(order, customer),
            "reasons": texts_orders.NOT_TO_BE_PLACED,
            "differences": texts_orders.differences(former, quotes) if isinstance(refusal, ordering.Overtaken) else [],
        }
    else:
        context["lines"] = queries.lines(order) if order.state is OrderState.PLACED else queries.asked_lines(order)
    return context


def _words() -> dict[str, Any]:
    return {"names": texts.ORDER_NAMES, "tones": texts.ORDER_TONES, "sides": texts_orders.SIDE_NAMES, "texts": texts_orders, "wording": texts_orders.Wording()}


def _known(customer_id: UUID) -> Customer:
    """A customer of an active relationship, or of one that ended: what was sold until then stays readable (R2, R36)."""
    customer = customers.record(customer_id)
    if customer.state is RelationshipState.PENDING:
        raise NotFound(customer_id)
    return customer


def _key(values: Mapping[str, str]) -> UUID:
    try:
        return UUID(values.get("cart", ""))
    except ValueError:
        raise ordering.CannotBeOrdered(_("There is nothing in the cart.")) from None
