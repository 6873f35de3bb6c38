"""The customer's shop: what its people may buy by themselves, buying it, and their purchases (R73-R76)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements.models import AgreementState
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.lists import ListQuery
from portal.core.money import Money
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.permissions import shop, texts, texts_shop
from portal.permissions.forms_shop import ShopForm
from portal.permissions.models import Purchase, PurchaseState
from portal.permissions.service import Overtaken
from portal.permissions.shop import Counter, Deal
from portal.permissions.states import PURCHASE
from portal.permissions.texts_shop import Obstacle
from portal.subscriptions.models import Offer
from portal.subscriptions.texts import SCOPE_NAMES
from portal.subscriptions.texts_catalog import TERM_NAMES

P = Permission
feature = Feature("shop", __name__, url_prefix="/my/shop")


@feature.get("", permission=P.MY_BUY)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/my/shop", request.args, sorts=["name"], filters=shop.LISTED)
    present = shop.counters(by=g.actor)
    here = shop.chosen(present, query.filters.get("partner", ""))
    shown: dict[str, Any] = {"query": query, "here": here, "counters": present, "texts": texts_shop, "term_names": TERM_NAMES}
    if here is None:
        return page("shop/counters.html", **shown)
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    found = shop.offers(here, query, cloud=g.actor.cloud, today=clock.today())
    left = shop.left(here, at=clock.now())
    return page("shop/index.html", swaps=("results",), found=found, left=left, regions=shop.regions, agreed=_agreed(here), **shown)


@feature.get("/<uuid:partner_id>/<uuid:offer_id>", permission=P.MY_BUY)
def show(partner_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """What an offer costs; again and again while somebody chooses how many."""
    here = shop.counter(partner_id, by=g.actor)
    if here.obstacle is not None:
        return _closed(here)
    offer, unit = shop.offered(here, offer_id, today=clock.today())
    form = ShopForm.of(here, offer, request.args if "quantity" in request.args else None)
    return page("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))


@feature.get("/<uuid:partner_id>/<uuid:offer_id>/review", permission=P.MY_BUY)
def new(partner_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """The key stands in the address, so that the way back here from a purchase does not buy again."""
    here = shop.counter(partner_id, by=g.actor)
    if here.obstacle is not None:
        return _closed(here)
    offer, unit = shop.offered(here, offer_id, today=clock.today())
    form = ShopForm.of(here, offer, request.args)
    known = shop.bought_with(form.once)
    if known is not None:
        return _bought_already(known)
    if not form.validate():
        return invalid("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))
    try:
        return page("shop/review.html", **_reviewed(here, offer, unit, form))
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))


@feature.post("/<uuid:partner_id>/<uuid:offer_id>", permission=P.MY_BUY)
def create(partner_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """Everything is checked again; a double click, a retry or the way back finds the purchase that is there already."""
    here = shop.counter(partner_id, by=g.actor)
    if here.obstacle is Obstacle.ENDED:
        raise Refused(texts_shop.why_not(here))
    offer, unit = shop.offered(here, offer_id, today=clock.today())
    form = ShopForm.of(here, offer, request.form)
    known = shop.bought_with(form.once)
    if known is not None:
        return _bought_already(known)
    if here.obstacle is not None:
        form.refuse(Refused(texts_shop.why_not(here)))
        return invalid("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))
    if not form.validate():
        return invalid("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))
    try:
        made = shop.buy(here, offer, form.entry(), reviewed=request.form.get("seal", ""), by=g.actor, at=clock.now())
    except Overtaken as refusal:
        form.refuse(refusal)
        return invalid("shop/review.html", swaps=(), **_reviewed(here, offer, unit, form)), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("shop/offer.html", swaps=("preview",), **_shown(here, offer, unit, form))
    if made.state is PurchaseState.WAITING:
        flash(_("%(partner)s has been asked and decides. Nothing is charged before.", partner=here.name), "success")
    else:
        flash(_("You have bought it."), "success")
    return see_other(url_for(".show_purchase", purchase_id=made.public_id))


# --- purchases


@feature.get("/purchases", permission=P.MY_ORDERS)
def index_purchases() -> ResponseReturnValue:
    query = ListQuery.parse("/my/shop/purchases", request.args, sorts=["newest"], filters=shop.PURCHASES, searched=False)
    return page("shop/purchases.html", swaps=("results",), query=query, found=shop.purchases(query), **_words())


@feature.get("/purchases/<uuid:purchase_id>", permission=P.MY_ORDERS)
def show_purchase(purchase_id: UUID) -> ResponseReturnValue:
    row = shop.purchase(purchase_id)
    return page("shop/purchase.html", row=row, purchase=row.Purchase, may_withdraw=_may_withdraw(row.Purchase), **_words())


@feature.get("/purchases/<uuid:purchase_id>/withdrawal", permission=P.MY_BUY)
def new_withdrawal(purchase_id: UUID) -> ResponseReturnValue:
    row = shop.purchase(purchase_id)
    if not _may_withdraw(row.Purchase):
        return _decided(purchase_id)
    return page("shop/withdrawal.html", row=row, purchase=row.Purchase)


@feature.post("/purchases/<uuid:purchase_id>/withdrawal", permission=P.MY_BUY)
def create_withdrawal(purchase_id: UUID) -> ResponseReturnValue:
    try:
        shop.withdraw(purchase_id, by=g.actor, at=clock.now())
    except Refused:
        return _decided(purchase_id)
    flash(_("It is taken back. Nothing was bought."), "success")
    return see_other(url_for(".show_purchase", purchase_id=purchase_id))


def _may_withdraw(purchase: Purchase) -> bool:
    return PURCHASE.may(purchase.state, "withdraw")


def _decided(purchase_id: UUID) -> ResponseReturnValue:
    flash(_("This does not wait any more, so it cannot be taken back. See where it stands now."), "warning")
    return see_other(url_for(".show_purchase", purchase_id=purchase_id))


def _bought_already(purchase: Purchase) -> ResponseReturnValue:
    flash(_("You have sent this already; it was not done a second time. To buy more, choose it again in the shop."), "info")
    return see_other(url_for(".show_purchase", purchase_id=purchase.public_id))


def _closed(here: Counter) -> ResponseReturnValue:
    flash(texts_shop.why_not(here), "warning")
    return see_other(url_for(".index"))


def _shown(here: Counter, offer: Offer, unit: Money | None, form: ShopForm) -> dict[str, Any]:
    """The page of an offer, with what so many would cost, or why they cannot be had."""
    deal, refusal = None, ""
    if isinstance(form.quantity.data, int):
        try:
            deal = _weighed(here, offer, unit, form)
        except Refused as refused:
            refusal = str(refused.message)
    return {**_around(here, offer, unit, form), "deal": deal, "refusal": refusal}


def _reviewed(here: Counter, offer: Offer, unit: Money | None, form: ShopForm) -> dict[str, Any]:
    deal = _weighed(here, offer, unit, form)
    subscription = next(row.subscription for row in here.subscriptions if str(row.subscription_id) == form.subscription.data)
    typed: Mapping[str, Any] = {name: form[name].data for name in ("subscription", "scope", "quantity", "key")}
    change = url_for(".show", partner_id=here.partner, offer_id=offer.public_id, **typed)
    return {**_around(here, offer, unit, form), "deal": deal, "subscription": subscription, "change": change}


def _weighed(here: Counter, offer: Offer, unit: Money | None, form: ShopForm) -> Deal:
    return shop.weigh(here, offer, unit, form.quantity.data, cloud=g.actor.cloud, at=clock.now())


def _around(here: Counter, offer: Offer, unit: Money | None, form: ShopForm) -> dict[str, Any]:
    base = url_for(".show", partner_id=here.partner, offer_id=offer.public_id)
    return {
        "here": here,
        "offer": offer,
        "unit": unit,
        "form": form,
        "base": base,
        "agreed": _agreed(here),
        "term_names": TERM_NAMES,
        "scope_names": SCOPE_NAMES,
    }


def _agreed(here: Counter) -> bool:
    return here.customer.agreement in (AgreementState.ACCEPTED, AgreementState.ATTESTED)


def _words() -> dict[str, Any]:
    return {"names": texts.PURCHASE_NAMES, "tones": texts.PURCHASE_TONES, "term_names": TERM_NAMES, "scope_names": SCOPE_NAMES, "texts": texts_shop}
