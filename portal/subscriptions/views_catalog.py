"""The catalog: its list, an offer's page, the editor, prices, withdrawal."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import audit, clock, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused, Stale
from portal.core.i18n import show_day, show_money
from portal.core.lists import ListQuery
from portal.core.money import Money, currency_of
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers.texts import SEGMENT_NAMES
from portal.subscriptions import catalog, reselling, texts_catalog
from portal.subscriptions import catalog_queries as queries
from portal.subscriptions.forms_catalog import OfferForm, PriceForm, WithdrawalForm
from portal.subscriptions.models import Offer, OfferPrice

P = Permission
feature = Feature("catalog", __name__, url_prefix="/catalog")


@feature.get("", permission=P.CATALOG_READ)
def index() -> ResponseReturnValue:
    query = parsed("/catalog")
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    currency = query.filters.get("currency", currency_of(g.actor.country))
    found = queries.page(query)
    return page(
        "catalog/index.html",
        swaps=("results",),
        query=query,
        narrowed=bool(query.words or set(query.filters) - {"currency"}),
        found=found,
        currency=currency,
        prices=queries.prices(found.rows, currency, clock.today()),
        choices=queries.choices,
        currencies=queries.LISTED["currency"],
        segment_names=SEGMENT_NAMES,
        reseller=reselling.resells(g.actor),
        texts=texts_catalog,
    )


@feature.get("/new", permission=P.CATALOG_EDIT)
def new() -> ResponseReturnValue:
    """An empty offer, or a copy of the one that the address names."""
    copied = _copied()
    entry = catalog.entry_of(copied) if copied else catalog.blank()
    return page("catalog/new.html", form=OfferForm.of(entry, sku="", version=0), choices=queries.choices(), copied=copied)


@feature.post("", permission=P.CATALOG_EDIT)
def create() -> ResponseReturnValue:
    form = OfferForm()
    if form.validate_on_submit():
        try:
            offer = catalog.add_offer(form.entry(), by=g.actor, at=clock.now())
        except Refused as refusal:
            form.refuse(refusal)
        else:
            flash(_("%(name)s stands in the catalog. Give it a price, so that it can be ordered.", name=offer.name), "success")
            return see_other(url_for(".show", offer_id=offer.public_id))
    return invalid("catalog/new.html", form=form, choices=queries.choices(), copied=None)


@feature.get("/<uuid:offer_id>", permission=P.CATALOG_READ)
def show(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id)
    return page(
        "catalog/show.html",
        offer=offer,
        prices=queries.price_table(offer, clock.today()),
        related=queries.related(offer),
        entries=audit.history(offer.partner_id, offer.public_id) if g.actor.may(P.ACTIVITY_READ) else [],
        segment_names=SEGMENT_NAMES,
        texts=texts_catalog,
    )


@feature.get("/<uuid:offer_id>/edit", permission=P.CATALOG_EDIT)
def edit(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id)
    return page("catalog/edit.html", form=OfferForm.of(catalog.entry_of(offer), version=offer.version), offer=offer, choices=queries.choices())


@feature.post("/<uuid:offer_id>", permission=P.CATALOG_EDIT)
def update(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id, lock=True)
    form = OfferForm()
    status = 422
    if form.validate_on_submit():
        try:
            catalog.change_offer(offer, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
        except Stale as refusal:
            form.stale(refusal, offer.version)
            status = 409
        except Refused as refusal:
            form.refuse(refusal)
        else:
            flash(_("Saved."), "success")
            return see_other(url_for(".show", offer_id=offer_id))
    return invalid("catalog/edit.html", form=form, offer=offer, choices=queries.choices()), status


@feature.get("/<uuid:offer_id>/prices/new", permission=P.CATALOG_EDIT)
def new_price(offer_id: UUID) -> ResponseReturnValue:
    offer, today = find(Offer, offer_id), clock.today()
    currency = _currency(request.args) or currency_of(g.actor.country)
    costs = [Money(row.cost_minor, currency) for row in catalog.in_force([offer.id], currency, today) if row.cost_minor is not None]
    form = PriceForm(data={"currency": currency, "cost": costs[0] if costs else None, "from_on": today})
    return page("catalog/price.html", form=form, offer=offer, texts=texts_catalog)


@feature.post("/<uuid:offer_id>/prices", permission=P.CATALOG_EDIT)
def create_price(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id, lock=True)
    form = PriceForm()
    if form.validate_on_submit():
        assert form.price.data is not None
        try:
            catalog.set_price(offer, form.price.data, cost=form.cost.data, from_on=form.from_on.data, by=g.actor, at=clock.now())
        except Refused as refusal:
            form.refuse(refusal)
        else:
            flash(_("The price is %(price)s from %(day)s on.", price=show_money(form.price.data), day=show_day(form.from_on.data)), "success")
            return see_other(url_for(".show", offer_id=offer_id, _anchor="prices"))
    return invalid("catalog/price.html", form=form, offer=offer, texts=texts_catalog)


@feature.get("/<uuid:offer_id>/prices/removal", permission=P.CATALOG_EDIT)
def new_price_removal(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id)
    return page("catalog/price_removal.html", offer=offer, price=_price(offer, request.args))


@feature.post("/<uuid:offer_id>/prices/removal", permission=P.CATALOG_EDIT)
def create_price_removal(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id, lock=True)
    price = _price(offer, request.form)
    if price is None:
        flash(_("This price is no longer there."), "info")
    else:
        catalog.remove_price(price, offer, by=g.actor, at=clock.now())
        flash(_("The price is removed."), "success")
    return see_other(url_for(".show", offer_id=offer_id, _anchor="prices"))


@feature.get("/<uuid:offer_id>/withdrawal", permission=P.CATALOG_EDIT)
def new_withdrawal(offer_id: UUID) -> ResponseReturnValue:
    return page("catalog/withdrawal.html", form=WithdrawalForm(), offer=find(Offer, offer_id))


@feature.post("/<uuid:offer_id>/withdrawal", permission=P.CATALOG_EDIT)
def create_withdrawal(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id, lock=True)
    form = WithdrawalForm()
    if not form.validate_on_submit():
        return invalid("catalog/withdrawal.html", form=form, offer=offer)
    catalog.withdraw(offer, reason=form.reason.data, by=g.actor, at=clock.now())
    flash(_("%(name)s is withdrawn: nobody can order it now.", name=offer.name), "success")
    return see_other(url_for(".show", offer_id=offer_id))


@feature.post("/<uuid:offer_id>/restoration", permission=P.CATALOG_EDIT)
def create_restoration(offer_id: UUID) -> ResponseReturnValue:
    offer = find(Offer, offer_id, lock=True)
    catalog.restore(offer, by=g.actor, at=clock.now())
    flash(_("%(name)s can be ordered again.", name=offer.name), "success")
    return see_other(url_for(".show", offer_id=offer_id))


def parsed(path: str) -> ListQuery:
    """What of the catalog was asked for."""
    return ListQuery.parse(path, request.args, sorts=list(queries.SORTS), filters=queries.LISTED)


def _copied() -> Offer | None:
    try:
        return find(Offer, UUID(request.args["copy"]))
    except (KeyError, ValueError):
        return None


def _price(offer: Offer, named: Any) -> OfferPrice | None:
    """The price that a currency and a day name."""
    try:
        day = date.fromisoformat(named.get("from_on", ""))
    except ValueError:
        return None
    return catalog.price_row(offer, _currency(named), day)


def _currency(named: Any) -> str:
    return str(named.get("currency", "")[:3].replace("\x00", ""))
