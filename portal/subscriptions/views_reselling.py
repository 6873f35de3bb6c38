"""What becomes of an order that a reseller asked for: its provider places or declines it, the reseller takes it back."""

from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.errors import NotFound
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.subscriptions import order_queries as queries
from portal.subscriptions import ordering, reselling, resold, texts_orders
from portal.subscriptions.forms import DecliningForm
from portal.subscriptions.views_orders import shown

P = Permission
feature = Feature("order_requests", __name__, url_prefix="/customers/<uuid:customer_id>/orders/<uuid:order_id>")


@feature.post("/placement", permission=P.SUBSCRIPTION_ORDER)
def create_placement(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    """As it stood on the page: everything is checked again, and it begins at the prices that were asked for."""
    customer = customers.record(customer_id, lock=True)
    order = reselling.to_decide(customer, order_id)
    seals = request.form.getlist("line")
    try:
        reselling.place(order, customer, reviewed=seals, by=g.actor, at=clock.now())
    except ordering.CannotBeOrdered as refusal:
        return invalid("orders/show.html", **shown(customer_id, order_id, refusal, seals)), 409
    flash(_("Order %(number)s is placed. The reseller and the customer hear of it.", number=texts_orders.number(order)), "success")
    return _back(customer_id, order_id)


@feature.get("/declining", permission=P.SUBSCRIPTION_ORDER)
def new_declining(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    row = queries.shown(customer_id, order_id)
    if row.reseller is None:
        raise NotFound(order_id)
    reselling.check_waiting(row.Order)
    return page("orders/declining.html", order=row.Order, customer=row.Customer, reseller=row.reseller, form=DecliningForm(), texts=texts_orders)


@feature.post("/declining", permission=P.SUBSCRIPTION_ORDER)
def create_declining(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    customer = customers.record(customer_id, lock=True)
    order, form = reselling.to_decide(customer, order_id), DecliningForm()
    if not form.validate_on_submit():
        row = queries.shown(customer_id, order_id)
        return invalid("orders/declining.html", order=order, customer=customer, reseller=row.reseller, form=form, texts=texts_orders)
    reselling.decline(order, customer, reason=form.reason.data, by=g.actor, at=clock.now())
    flash(_("Order %(number)s is declined. The reseller is told why.", number=texts_orders.number(order)), "success")
    return _back(customer_id, order_id)


@feature.get("/withdrawal", permission=P.SUBSCRIPTION_ORDER)
def new_withdrawal(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    row = resold.order(customer_id, order_id, by=g.actor)
    reselling.check_waiting(row.Order)
    return page("orders/withdrawal.html", order=row.Order, customer=row.Customer, provider=row.provider, texts=texts_orders)


@feature.post("/withdrawal", permission=P.SUBSCRIPTION_ORDER)
def create_withdrawal(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    if not reselling.resells(g.actor):
        raise NotFound(order_id)
    order = reselling.withdraw(customer_id, order_id, by=g.actor, at=clock.now())
    flash(_("Order %(number)s is taken back.", number=texts_orders.number(order)), "success")
    return _back(customer_id, order_id)


def _back(customer_id: UUID, order_id: UUID) -> ResponseReturnValue:
    return see_other(url_for("orders.show", customer_id=customer_id, order_id=order_id))
