"""Orders: placing what a cart holds, and reading them; on both sides (R81)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import order_queries as queries
from portal.subscriptions import ordering, texts, texts_orders
from portal.subscriptions.models import Order
from portal.subscriptions.views_cart import reviewed

P = Permission
feature = Feature("orders", __name__)
my_feature = Feature("my_orders", __name__, url_prefix="/my/orders")


@feature.get("/orders", permission=P.SUBSCRIPTION_READ)
def index() -> ResponseReturnValue:
    """Over all customers."""
    query = ListQuery.parse("/orders", request.args, sorts=["newest"], filters=queries.FILTERS)
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    return page("orders/index.html", swaps=("results",), query=query, found=queries.everywhere(query), **_words())


@feature.get("/customers/<uuid:customer_id>/orders", permission=P.SUBSCRIPTION_READ)
def index_of_customer(customer_id: UUID) -> ResponseReturnValue:
    customer = _known(customer_id)
    query = ListQuery.parse(f"/customers/{customer_id}/orders", request.args, sorts=["newest"], filters=queries.FILTERS)
    return page("orders/customer.html", swaps=("results",), customer=customer, query=query, found=queries.of_customer(customer, query), **_words())


@feature.post("/customers/<uuid:customer_id>/orders", permission=P.SUBSCRIPTION_ORDER)
def create(customer_id: UUID) -> ResponseReturnValue:
    """Order the cart as it was reviewed; again and again is once (R81)."""
    customer = customers.record(customer_id, lock=True)
    cart = ordering.my_cart(_key(request.form), customer, by=g.actor)
    seals = request.form.getlist("line")
    try:
        order = ordering.order(cart, customer, cloud=g.actor.cloud, reviewed=seals, by=g.actor, at=clock.now())
    except ordering.CannotBeOrdered as refusal:
        return invalid("cart/review.html", **reviewed(customer, cart, refusal, seals)), 409
    flash(_("Order %(number)s is placed.", number=texts_orders.number(order)), "success")
    return see_other(url_for(".show", customer_id=customer_id, order_id=order.public_id))


@feature.get("/customers/<uuid:customer_id>/orders/<uuid:order_id>", permission=P.SUBSCRIPTION_READ)
def show(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    row = queries.shown(customer_id, order_id)
    return page("orders/show.html", customer=row.Customer, **_one(row.Order))


@my_feature.get("", permission=P.MY_ORDERS, endpoint="index")
def index_of_mine() -> ResponseReturnValue:
    query = ListQuery.parse("/my/orders", request.args, sorts=["newest"], filters=queries.FILTERS)
    return page("orders/my.html", swaps=("results",), query=query, found=queries.of_my_partners(query), **_words())


@my_feature.get("/<uuid:order_id>", permission=P.MY_ORDERS, endpoint="show")
def show_mine(order_id: UUID) -> ResponseReturnValue:
    row = queries.of_mine(order_id)
    return page("orders/my_order.html", partner=row.partner, **_one(row.Order))


def _one(order: Order) -> dict[str, Any]:
    return {"order": order, "lines": queries.lines(order), **_words()}


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
