"""What a customer may buy for itself: the checklist, the switch with its consequences, limits (R70-R72, R76)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import audit, clock
from portal.core.access import PartnerType, Permission
from portal.core.errors import Forbidden, NotFound, Refused, Stale
from portal.core.money import currency_of
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.permissions import queries, service, texts
from portal.permissions.forms import LimitsForm
from portal.permissions.models import BuyingPermission, Category, Notice

P = Permission
LOOKS = 40  # how often the page looks by itself whether the list is complete: for ten minutes
feature = Feature("permissions", __name__, url_prefix="/customers/<uuid:customer_id>/permissions")


@feature.get("", permission=P.BUYING_READ)
def index(customer_id: UUID) -> ResponseReturnValue:
    customer = customers.record(customer_id)
    if customer.state is RelationshipState.PENDING:
        raise NotFound(customer_id)
    return page("permissions/index.html", swaps=("checklist",), **_shown(customer, Category.RESERVATIONS))


@feature.get("/<any(reservations):category>/grant", permission=P.BUYING_EDIT)
def new_grant(customer_id: UUID, category: str) -> ResponseReturnValue:
    """What turning it on means; nothing to confirm while something is missing (R71, R73)."""
    return page("permissions/grant.html", **_around(_opened(customer_id), Category(category)))


@feature.post("/<any(reservations):category>/grant", permission=P.BUYING_EDIT)
def create_grant(customer_id: UUID, category: str) -> ResponseReturnValue:
    customer = _opened(customer_id, lock=True)
    try:
        service.turn_on(customer, Category(category), by=g.actor, at=clock.now())
    except Refused:
        return page("permissions/grant.html", status=409, refused=True, **_around(customer, Category(category)))
    flash(_("%(name)s may buy reservations now.", name=customer.name), "success")
    return _back(customer_id)


@feature.get("/<any(reservations):category>/revocation", permission=P.BUYING_EDIT)
def new_revocation(customer_id: UUID, category: str) -> ResponseReturnValue:
    return page("permissions/revocation.html", **_around(_opened(customer_id), Category(category)))


@feature.post("/<any(reservations):category>/revocation", permission=P.BUYING_EDIT)
def create_revocation(customer_id: UUID, category: str) -> ResponseReturnValue:
    customer = _opened(customer_id, lock=True)
    service.turn_off(customer, Category(category), by=g.actor, at=clock.now())
    flash(_("%(name)s may no longer buy reservations.", name=customer.name), "success")
    return _back(customer_id)


@feature.post("/<any(reservations):category>/limits", permission=P.BUYING_EDIT)
def update_limits(customer_id: UUID, category: str) -> ResponseReturnValue:
    customer = _opened(customer_id, lock=True)
    form = LimitsForm(currency_of(customer.country))
    if not form.validate_on_submit():
        return invalid("permissions/index.html", **_shown(customer, Category(category), form))
    try:
        service.set_limits(
            customer,
            Category(category),
            monthly_limit=form.monthly_limit.data,
            approval_above=form.approval_above.data,
            notice=Notice(form.notice.data),
            version=form.version.data,
            by=g.actor,
            at=clock.now(),
        )
    except Stale as refusal:
        form.stale(refusal, service.edition(service.permission_of(customer, Category(category))))
        return invalid("permissions/index.html", **_shown(customer, Category(category), form)), 409
    flash(_("Saved."), "success")
    return _back(customer_id)


def _opened(customer_id: UUID, *, lock: bool = False) -> Customer:
    """Where a provider sells, its reseller has nothing to turn on."""
    customer = customers.opened(customer_id, lock=lock)
    if _resells():
        raise Forbidden("an indirect reseller", message=_("Your indirect provider sells to this customer, so it decides what the customer may buy."))
    return customer


def _resells() -> bool:
    return bool(g.actor.partner_type is PartnerType.INDIRECT_RESELLER)


def _shown(customer: Customer, category: Category, form: LimitsForm | None = None) -> dict[str, Any]:
    around = _around(customer, category)
    permission: BuyingPermission | None = around["permission"]
    may_edit = g.actor.may(P.BUYING_EDIT) and customer.state is RelationshipState.ACTIVE and not _resells()
    if form is None and may_edit:
        form = LimitsForm.of(permission, around["currency"], service.edition(permission))
    return {
        **around,
        "looked": max(0, min(request.args.get("looked", 0, type=int), LOOKS)),
        "looks": LOOKS,
        "may_edit": may_edit,
        "resells": _resells(),
        "form": form,
        "entries": audit.history(g.actor.organization_id, permission.public_id) if permission and g.actor.may(P.ACTIVITY_READ) else [],
    }


def _around(customer: Customer, category: Category) -> dict[str, Any]:
    """The switch, what it needs, and what the month has seen."""
    permission, turned_by, checklist = queries.switch(customer, category)
    spending = queries.spending(permission, service.month_of(clock.now())) if permission else None
    return {
        "customer": customer,
        "category": category,
        "permission": permission,
        "turned_by": turned_by,
        "on": permission is not None and permission.on,
        "checklist": checklist,
        "spending": spending,
        "left": permission.monthly_limit - spending.counted if permission and permission.monthly_limit and spending else None,
        "currency": currency_of(customer.country),
        "names": texts.CATEGORY_NAMES,
        "notices": texts.NOTICE_NAMES,
    }


def _back(customer_id: UUID) -> ResponseReturnValue:
    return see_other(url_for(".index", customer_id=customer_id))
