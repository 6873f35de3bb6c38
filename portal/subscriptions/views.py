"""Subscriptions on the partner's side: of one customer, over all customers, and one with all that belongs to it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import g, request
from flask.typing import ResponseReturnValue

from portal.core import audit, clock, lists, throttle
from portal.core.access import PartnerType, Permission
from portal.core.errors import NotFound, Refused
from portal.core.events import on
from portal.core.lists import ListQuery
from portal.core.money import Money
from portal.core.pages import invalid, page
from portal.core.routing import Feature, later, scope_of
from portal.core.scope import Scope
from portal.customers import queries as customers
from portal.customers.events import CustomerShown, Panel
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import bulk, queries, reselling, resold, service, texts, texts_catalog
from portal.subscriptions.forms import OwnerForm
from portal.subscriptions.states import LIVE

P = Permission
feature = Feature("subscriptions", __name__)


@feature.get("/subscriptions", permission=P.SUBSCRIPTION_READ)
def index() -> ResponseReturnValue:
    """Over all customers."""
    resells = reselling.resells(g.actor)
    query = _everywhere("/subscriptions")
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    found = resold.subscriptions(query, by=g.actor) if resells else queries.everywhere(query)
    view = next((name for name in queries.VIEWS if name in query.filters), "")
    others = dict.fromkeys((*queries.VIEWS, "state"))
    tabs = [{"label": label, "url": query.url(**(others | ({name: "1"} if name else {}))), "current": name == view} for name, label in texts.VIEW_NAMES.items()]
    shown: dict[str, Any] = {"view": view, "tabs": [] if resells else tabs, "resells": resells}
    return page("subscriptions/index.html", swaps=("results",), query=query, found=found, **shown, **_words())


@feature.get("/subscriptions/export", permission=P.SUBSCRIPTION_READ, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    query = _everywhere("/subscriptions/export")
    later("subscription.exported", words=query.words, **query.filters)
    statement, values = resold.export(query, by=g.actor) if reselling.resells(g.actor) else queries.export_everywhere(query)
    header = ("Customer ID", "Company name", *texts.EXPORT_HEADER)
    return lists.stream_csv("subscriptions", header, statement, _export_scope(), convert=lambda row: (str(row[0]), row[1], *_exported(row[2:])), values=values)


@feature.get("/customers/<uuid:customer_id>/subscriptions", permission=P.SUBSCRIPTION_READ)
def index_of_customer(customer_id: UUID) -> ResponseReturnValue:
    return page("subscriptions/customer.html", swaps=("results",), **_listed(_opened(customer_id)))


@feature.get("/customers/<uuid:customer_id>/subscriptions/export", permission=P.SUBSCRIPTION_READ, limit=throttle.EXPORTS)
def export_of_customer(customer_id: UUID) -> ResponseReturnValue:
    """A customer's subscriptions, or those of the current search and filter (R15)."""
    customer = _opened(customer_id)
    query = _of_customer(customer)
    later("subscription.exported", customer=str(customer_id), words=query.words, **query.filters)
    statement, values = resold.export(query, by=g.actor, customer=customer) if reselling.resells(g.actor) else queries.export(query, customer)
    return lists.stream_csv("subscriptions", texts.EXPORT_HEADER, statement, _export_scope(), convert=_exported, values=values)


@feature.post("/customers/<uuid:customer_id>/subscriptions/changes", permission=P.SUBSCRIPTION_ORDER)
def create_changes(customer_id: UUID) -> ResponseReturnValue:
    """Several at once: first what will happen, then, confirmed, the result of each line."""
    customer = customers.opened(customer_id, lock=True)
    try:
        change, chosen = bulk.chosen(request.form.get("change", ""), request.form.getlist("line"))
    except Refused as refusal:
        return invalid("subscriptions/customer.html", swaps=("results",), **_listed(customer), refusal=str(refusal.message))
    context: dict[str, Any] = {"customer": customer, "change": change, "names": texts.CHANGE_NAMES, "hints": texts.CHANGE_HINTS}
    if "confirmed" not in request.form:
        return page("subscriptions/changes.html", rows=bulk.lines(chosen, customer), wording=texts.Wording(), **context)
    results = bulk.apply(change, chosen, customer, by=g.actor, at=clock.now())
    return page("subscriptions/results.html", results=results, done=sum(result.done for result in results), **context)


@feature.get("/customers/<uuid:customer_id>/subscriptions/<uuid:subscription_id>", permission=P.SUBSCRIPTION_READ)
def show(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = resold.subscription(customer_id, subscription_id, by=g.actor) if reselling.resells(g.actor) else queries.shown(customer_id, subscription_id)
    return page("subscriptions/show.html", **detail(row))


def detail(row: Any, owner_form: OwnerForm | None = None) -> dict[str, Any]:
    """What the page of one subscription needs. A reseller reads what its provider looks after."""
    subscription, customer, at = row.Subscription, row.Customer, clock.now()
    own = subscription.partner_id == g.actor.organization_id
    is_open = own and customer.state is RelationshipState.ACTIVE
    live = subscription.state in LIVE
    people = queries.people(subscription) if is_open else []
    charges = queries.charges(subscription) if own else []
    add_ons = (queries.add_ons(subscription) if own else resold.add_ons(subscription, by=g.actor)) if subscription.base_id is None else []
    return {
        "row": row,
        "subscription": subscription,
        "customer": customer,
        "is_open": is_open,
        "live": live,
        "may_change": is_open and live and g.actor.may(P.SUBSCRIPTION_ORDER),
        "coming": texts.coming(subscription, ends_with_base=row.ends_with_base),
        "price": texts.price(subscription),
        "window_ends": service.window_ends(subscription) if at <= service.window_ends(subscription) else None,
        "add_ons": add_ons,
        "provider": None if own else row.provider,
        "names_others": is_open and live and g.actor.partner_type is PartnerType.INDIRECT_PROVIDER,
        "charges": charges[: queries.CHARGES],
        "more_charges": len(charges) > queries.CHARGES,
        "charge_names": texts.CHARGE_NAMES,
        "money": Money,
        "people": people,
        "owner_form": owner_form or OwnerForm.of(people),
        "entries": audit.history(g.actor.organization_id, subscription.public_id) if g.actor.may(P.ACTIVITY_READ) else [],
        "billing_names": texts_catalog.BILLING_NAMES,
        "cycle_names": texts_catalog.CYCLE_NAMES,
        "term_names": texts_catalog.TERM_NAMES,
        **_words(),
    }


@on(CustomerShown)
def panel(event: CustomerShown) -> list[Panel]:
    """A former customer's page has no tabs: from here one gets to what was sold (R36)."""
    is_former = event.customer.state is RelationshipState.ENDED
    return [Panel("subscriptions/_former.html")] if is_former and event.actor.may(P.SUBSCRIPTION_READ) else []


def _listed(customer: Customer) -> dict[str, Any]:
    query = _of_customer(customer)
    resells = reselling.resells(g.actor)
    may_change = g.actor.may(P.SUBSCRIPTION_ORDER) and customer.state is RelationshipState.ACTIVE and not resells
    found = resold.subscriptions_of(customer, query, by=g.actor) if resells else queries.of_customer(customer, query)
    return {"customer": customer, "query": query, "found": found, "may_change": may_change, "resells": resells, "changes": texts.CHANGE_NAMES, **_words()}


def _words() -> dict[str, Any]:
    return {"names": texts.SUBSCRIPTION_NAMES, "tones": texts.SUBSCRIPTION_TONES, "wording": texts.Wording()}


def _opened(customer_id: UUID) -> Customer:
    """A customer of an active relationship, or of one that ended: what was sold until then stays readable (R2, R36)."""
    customer = customers.record(customer_id)
    if customer.state is RelationshipState.PENDING:
        raise NotFound(customer_id)
    return customer


def _of_customer(customer: Customer) -> ListQuery:
    path = f"/customers/{customer.public_id}/subscriptions"
    return ListQuery.parse(path, request.args, sorts=list(queries.SORTS), filters={"state": queries.STATES})


def _everywhere(path: str) -> ListQuery:
    """Each view is in the order that its index serves; a reseller has one."""
    if reselling.resells(g.actor):
        return ListQuery.parse(path, request.args, sorts=["newest"], filters=resold.FILTERS)
    sort = next((sort for view, sort in queries.VIEWS.items() if request.args.get(view) == "1"), "newest")
    return ListQuery.parse(path, request.args, sorts=[sort], filters=queries.EVERYWHERE)


def _export_scope() -> Scope:
    return resold.ROWS if reselling.resells(g.actor) else scope_of(g.actor)


def _exported(row: Iterable[Any]) -> tuple[str, str, int, str, str]:
    public_id, name, quantity, state, reseller = row
    return str(public_id), name, quantity, texts.EXPORT_STATES[state], reseller or ""
