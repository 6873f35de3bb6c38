"""A customer's own reservations, over all its partners; what is to be done with one it asks the partner (R74, R75)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers.models import RelationshipState
from portal.subscriptions import reservation_queries as queries
from portal.subscriptions import reservation_requests
from portal.subscriptions.forms_reservations import AnswerForm, AskForm, seen
from portal.subscriptions.models import AskedState, RequestKind, Reservation, ReservationState
from portal.subscriptions.views_reservations import in_words, one

P = Permission
feature = Feature("my_reservations", __name__, url_prefix="/my/reservations")


@feature.get("", permission=P.MY_ORDERS)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/my/reservations", request.args, sorts=["newest"], filters={"state": queries.STATES})
    return page("reservations/my.html", swaps=("results",), query=query, found=queries.of_my_partners(query), **in_words())


@feature.get("/<uuid:reservation_id>", permission=P.MY_ORDERS)
def show(reservation_id: UUID) -> ResponseReturnValue:
    return page("reservations/my_reservation.html", **_shown(queries.of_mine(reservation_id), AskForm()))


@feature.post("/<uuid:reservation_id>/request", permission=P.MY_ORDERS, limit=throttle.INVITATIONS)
def create_request(reservation_id: UUID) -> ResponseReturnValue:
    reservation = find(Reservation, reservation_id, lock=True)
    row, form = queries.of_mine(reservation_id), AskForm()
    if not form.validate_on_submit():
        return invalid("reservations/my_reservation.html", **_shown(row, form))
    try:
        reservation_requests.ask(reservation, RequestKind(form.kind.data), form.message.data or "", by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("reservations/my_reservation.html", **_shown(row, form)), 409
    flash(_("%(partner)s is asked. You are told by e-mail when it answers.", partner=row.partner), "success")
    return see_other(url_for(".show", reservation_id=reservation_id))


@feature.post("/<uuid:reservation_id>/request/withdrawal", permission=P.MY_ORDERS)
def delete_request(reservation_id: UUID) -> ResponseReturnValue:
    """The request that the page showed, not one that was made meanwhile."""
    reservation = find(Reservation, reservation_id, lock=True)
    asked = reservation_requests.open_request(reservation, lock=True)
    if not seen(AnswerForm(), asked) or asked is None:
        raise Refused(_("This has changed meanwhile, so it was not done. Look at its present state and try again."))
    reservation_requests.withdraw(asked, reservation, by=g.actor, at=clock.now())
    flash(_("Your request is taken back."), "success")
    return see_other(url_for(".show", reservation_id=reservation_id))


def _shown(row: Any, form: AskForm) -> dict[str, Any]:
    asked = queries.requests(row.Reservation)
    waiting = next((item for item in asked if item.state is AskedState.OPEN), None)
    may_ask = waiting is None and row.Reservation.state is ReservationState.ACTIVE and row.relationship is RelationshipState.ACTIVE
    return {"form": form, "waiting": waiting, "asking": may_ask or bool(form.errors), **one(row, asked)}
