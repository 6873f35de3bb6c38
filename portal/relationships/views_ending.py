"""Ending a relationship, and giving up delegated administration: the partner's side (R35, R36)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.events import on
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.events import CustomerShown, Panel
from portal.customers.models import RelationshipState
from portal.relationships import delegation, directory, ending, queries
from portal.relationships.forms import EndingForm

P = Permission
feature = Feature("ending", __name__, url_prefix="/customers/<uuid:customer_id>")


@feature.get("/ending", permission=P.RELATIONSHIP_END)
def new(customer_id: UUID) -> ResponseReturnValue:
    return page("relationships/ending.html", **_shown(customer_id, EndingForm()))


@feature.post("/ending", permission=P.RELATIONSHIP_END)
def create(customer_id: UUID) -> ResponseReturnValue:
    customer = customers.opened(customer_id, lock=True)
    form = EndingForm()
    if not form.validate_on_submit():
        return invalid("relationships/ending.html", **_shown(customer_id, form))
    try:
        ending.end_relationship(customer, typed_name=form.typed_name.data, reason=form.reason.data, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("relationships/ending.html", **_shown(customer_id, form))
    flash(_("The relationship with %(name)s has ended. You find it among the former customers.", name=customer.name), "success")
    return see_other(url_for("customers.former"))


@feature.post("/ending/clearing", permission=P.RELATIONSHIP_END)
def create_clearing(customer_id: UUID) -> ResponseReturnValue:
    """Suspend and cancel whatever is in the way, as the page listed it."""
    customer = customers.opened(customer_id, lock=True)
    try:
        ending.clear_obstacles(customer, reviewed=request.form.get("reviewed", ""), by=g.actor, at=clock.now())
    except Stale as refusal:
        return invalid("relationships/ending.html", **_shown(customer_id, EndingForm(formdata=None), refusal)), 409
    flash(_("What was in the way is suspended or cancelled."), "success")
    return see_other(url_for(".new", customer_id=customer_id))


@feature.get("/delegated-administration/ending", permission=P.DELEGATION_GIVE_UP)
def edit(customer_id: UUID) -> ResponseReturnValue:
    customer = customers.opened(customer_id)
    return page("relationships/giving_up.html", customer=customer, delegation=_granted(customer.customer_id))


@feature.post("/delegated-administration/ending", permission=P.DELEGATION_GIVE_UP)
def delete(customer_id: UUID) -> ResponseReturnValue:
    customer = customers.opened(customer_id)
    delegation.give_up(_granted(customer.customer_id, lock=True), customer, by=g.actor, at=clock.now())
    flash(_("You no longer have delegated administration at %(name)s. The customer is told by e-mail.", name=customer.name), "success")
    return see_other(url_for("customers.show", customer_id=customer_id))


@on(CustomerShown)
def panel(event: CustomerShown) -> list[Panel]:
    """On the customer's page: what the partner holds, and the latest requests."""
    customer = event.customer
    if customer.customer_id is None or customer.state is RelationshipState.ENDED:
        return []
    held, requests = queries.held_and_asked(customer, limit=5)
    if not event.actor.may(P.REQUEST_READ):
        requests = []
    people = bool(directory.powers(held, event.actor, at=clock.now()))
    return [Panel("relationships/_delegation.html", {"delegation": held, "people": people, "requests": requests})]


def _granted(organization_id: int | None, *, lock: bool = False) -> Any:
    held = queries.delegation_of(organization_id or 0, lock=lock)
    if held is None:
        raise NotFound(organization_id)
    return held


def _shown(customer_id: UUID, form: EndingForm, refusal: Refused | None = None) -> dict[str, Any]:
    customer = customers.opened(customer_id)
    obstacles = ending.obstacles(customer)
    return {
        "customer": customer,
        "obstacles": obstacles,
        "seal": ending.seal_of(obstacles),
        "refusal": refusal,
        "delegation": queries.delegation_of(customer.customer_id or 0),
        "form": form,
    }
