"""Reservations on the partner's side: of one customer, over all customers, and one with all that belongs to it (R73, R74)."""

from typing import Any
from uuid import UUID

from flask import g, request
from flask.typing import ResponseReturnValue

from portal.core import audit, clock, lists, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound
from portal.core.lists import ListQuery
from portal.core.pages import page
from portal.core.routing import Feature, later, scope_of
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import reservation_queries as queries
from portal.subscriptions import reservations, texts, texts_catalog, texts_orders
from portal.subscriptions import texts_reservations as words
from portal.subscriptions.models import AskedState, ReservationState

P = Permission
feature = Feature("reservations", __name__)


@feature.get("/reservations", permission=P.SUBSCRIPTION_READ)
def index() -> ResponseReturnValue:
    """Over all customers."""
    query = _everywhere("/reservations")
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    view = next((name for name in queries.VIEWS if name in query.filters), "")
    others = dict.fromkeys((*queries.VIEWS, "state"))
    tabs = [{"label": label, "url": query.url(**(others | ({name: "1"} if name else {}))), "current": name == view} for name, label in words.VIEW_NAMES.items()]
    return page("reservations/index.html", swaps=("results",), query=query, found=queries.everywhere(query), view=view, tabs=tabs, **in_words())


@feature.get("/reservations/export", permission=P.SUBSCRIPTION_READ, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    query = _everywhere("/reservations/export")
    later("reservation.exported", words=query.words, **query.filters)
    statement, values = queries.export_everywhere(query)
    header = ("Customer ID", "Company name", *words.EXPORT_HEADER)
    return lists.stream_csv(
        "reservations", header, statement, scope_of(g.actor), convert=lambda row: (str(row[0]), row[1], *words.exported(row[2:])), values=values
    )


@feature.get("/customers/<uuid:customer_id>/reservations", permission=P.SUBSCRIPTION_READ)
def index_of_customer(customer_id: UUID) -> ResponseReturnValue:
    customer = _known(customer_id)
    query = _of_customer(customer)
    return page("reservations/customer.html", swaps=("results",), customer=customer, query=query, found=queries.of_customer(customer, query), **in_words())


@feature.get("/customers/<uuid:customer_id>/reservations/export", permission=P.SUBSCRIPTION_READ, limit=throttle.EXPORTS)
def export_of_customer(customer_id: UUID) -> ResponseReturnValue:
    customer = _known(customer_id)
    query = _of_customer(customer)
    later("reservation.exported", customer=str(customer_id), words=query.words, **query.filters)
    statement, values = queries.export(query, customer)
    return lists.stream_csv("reservations", words.EXPORT_HEADER, statement, scope_of(g.actor), convert=words.exported, values=values)


@feature.get("/customers/<uuid:customer_id>/reservations/<uuid:reservation_id>", permission=P.SUBSCRIPTION_READ)
def show(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = queries.shown(customer_id, reservation_id)
    reservation, customer = row.Reservation, row.Customer
    active = reservation.state is ReservationState.ACTIVE and customer.state is RelationshipState.ACTIVE
    asked = queries.requests(reservation)
    return page(
        "reservations/show.html",
        customer=customer,
        may_change=active and g.actor.may(P.SUBSCRIPTION_ORDER),
        refund=reservations.refund_of(reservation, clock.today()),
        use_matters=reservations.use_matters(reservation, clock.today()),
        full_until=reservations.full_until(reservation),
        open_request=next((item for item in asked if item.state is AskedState.OPEN), None),
        pages=words.PAGES,
        entries=audit.history(g.actor.organization_id, reservation.public_id) if g.actor.may(P.ACTIVITY_READ) else [],
        **one(row, asked),
    )


def one(row: Any, asked: list[Any]) -> dict[str, Any]:
    """What the page of one reservation needs on either side."""
    reservation = row.Reservation
    return {
        "row": row,
        "reservation": reservation,
        "scope": words.scope_of(reservation, row.subscription_name),
        "followers": queries.followers(reservation),
        "requests": asked,
        "active": reservation.state is ReservationState.ACTIVE,
        "begun": reservation.starts_on <= clock.today(),
        "kinds": words.KIND_NAMES,
        "asked_names": words.ASKED_NAMES,
        "asked_tones": words.ASKED_TONES,
        "term_names": texts_catalog.TERM_NAMES,
        **in_words(),
    }


def in_words() -> dict[str, Any]:
    return {"names": texts.RESERVATION_NAMES, "tones": texts.RESERVATION_TONES, "sides": texts_orders.SIDE_NAMES, "wording": words.Wording()}


def _known(customer_id: UUID) -> Customer:
    """A customer of an active relationship, or of one that ended: what was sold until then stays readable (R2, R36)."""
    customer = customers.record(customer_id)
    if customer.state is RelationshipState.PENDING:
        raise NotFound(customer_id)
    return customer


def _of_customer(customer: Customer) -> ListQuery:
    return ListQuery.parse(f"/customers/{customer.public_id}/reservations", request.args, sorts=["newest"], filters=queries.OF_CUSTOMER)


def _everywhere(path: str) -> ListQuery:
    """Each view is in the order that its index serves."""
    sort = next((sort for view, sort in queries.VIEWS.items() if request.args.get(view) == "1"), "newest")
    return ListQuery.parse(path, request.args, sorts=[sort], filters=queries.EVERYWHERE)
