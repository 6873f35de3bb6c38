"""Purchases of customers on the partner's side: what waits, and the partner's say; mail leads here, and opening changes nothing (R76)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone
from flask_babel import gettext as _

from portal.core import audit, clock
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.i18n import show_money, show_number
from portal.core.lists import ListQuery
from portal.core.pages import page, see_other
from portal.core.routing import Feature
from portal.permissions import queries, service, texts
from portal.permissions.forms import DecliningForm
from portal.permissions.models import Purchase, PurchaseState
from portal.subscriptions.texts import SCOPE_NAMES, count, day, left, money
from portal.subscriptions.texts_catalog import TERM_NAMES

P = Permission
feature = Feature("purchases", __name__, url_prefix="/purchases")


@feature.get("", permission=P.BUYING_READ)
def index() -> ResponseReturnValue:
    query, zone = ListQuery.parse("/purchases", request.args, sorts=["place"], filters=queries.FILTERS), get_timezone()
    return page(
        "permissions/purchases.html",
        swaps=("results",),
        query=query,
        found=queries.purchases(query),
        states=texts.LISTED,
        money=money,
        count=count,
        day=day,
        left=left,
        today=clock.now().astimezone(zone).date(),
        asked_on=lambda row: row.asked_at.astimezone(zone).date(),
        names=texts.PURCHASE_NAMES,
        tones=texts.PURCHASE_TONES,
    )


@feature.get("/<uuid:purchase_id>", permission=P.BUYING_READ)
def show(purchase_id: UUID) -> ResponseReturnValue:
    return page("permissions/purchase.html", **_shown(purchase_id, DecliningForm()))


@feature.post("/<uuid:purchase_id>/approval", permission=P.PURCHASE_APPROVE)
def create_approval(purchase_id: UUID) -> ResponseReturnValue:
    """Once, however often it is sent: what is bought already is what was wanted."""
    purchase, customer = queries.locked(purchase_id)
    if purchase.state is PurchaseState.PLACED:
        flash(_("This is bought already."), "info")
        return _back(purchase_id)
    try:
        service.approve(purchase, customer, cloud=g.actor.cloud, by=g.actor, at=clock.now())
    except Refused as refusal:
        return _refused(purchase_id, refusal)
    name, amount = _("%(quantity)s × %(name)s", quantity=show_number(purchase.quantity), name=purchase.wanted["name"]), show_money(purchase.total)
    flash(_("Approved: %(name)s is bought for %(customer)s, at %(amount)s.", amount=amount, customer=customer.name, name=name), "success")
    return _back(purchase_id)


@feature.post("/<uuid:purchase_id>/declining", permission=P.PURCHASE_APPROVE)
def create_declining(purchase_id: UUID) -> ResponseReturnValue:
    purchase, customer = queries.locked(purchase_id)
    form = DecliningForm()
    if not form.validate_on_submit():
        return page("permissions/purchase.html", status=422, **_shown(purchase_id, form))
    try:
        service.decline(purchase, customer, reason=form.reason.data, by=g.actor, at=clock.now())
    except Refused as refusal:
        return _refused(purchase_id, refusal)
    flash(_("Declined. %(name)s is told by e-mail.", name=purchase.author_name), "success")
    return _back(purchase_id)


def _shown(purchase_id: UUID, form: DecliningForm) -> dict[str, Any]:
    row = queries.shown(purchase_id)
    purchase: Purchase = row.Purchase
    permission, _name, checklist = queries.switch(row.Customer, purchase.category)
    waits = purchase.state is PurchaseState.WAITING
    month = service.month_of(clock.now())
    spending = queries.spending(permission, month) if permission and waits else None
    obstacle = texts.obstacle(permission, checklist) if waits else None
    if permission and spending:
        obstacle = obstacle or texts.over_limit(permission, purchase, spending)
    return {
        "row": row,
        "purchase": purchase,
        "customer": row.Customer,
        "permission": permission,
        "spending": spending,
        "left": permission.monthly_limit - spending.counted if permission and permission.monthly_limit and spending else None,
        "obstacle": obstacle,
        "waits": waits,
        "may_answer": waits and g.actor.may(P.PURCHASE_APPROVE),
        "form": form,
        "refusal": None,
        "month": texts.month(month),
        "entries": audit.history(g.actor.organization_id, purchase.public_id) if g.actor.may(P.ACTIVITY_READ) else [],
        "names": texts.PURCHASE_NAMES,
        "tones": texts.PURCHASE_TONES,
        "scope_names": SCOPE_NAMES,
        "term_names": TERM_NAMES,
    }


def _refused(purchase_id: UUID, refusal: Refused) -> ResponseReturnValue:
    """The page as things stand, and why nothing was done."""
    return page("permissions/purchase.html", status=409, **_shown(purchase_id, DecliningForm()) | {"refusal": refusal.message})


def _back(purchase_id: UUID) -> ResponseReturnValue:
    return see_other(url_for(".show", purchase_id=purchase_id))
