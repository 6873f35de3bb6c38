"""The customer list, its export, former customers, and a customer's own page."""

from uuid import UUID

from flask import g, request
from flask.typing import ResponseReturnValue

from portal.core import audit, events, lists, throttle
from portal.core.access import PartnerType, Permission
from portal.core.lists import ListQuery
from portal.core.pages import page
from portal.core.routing import Feature, later, scope_of
from portal.customers import queries
from portal.customers.events import CustomerShown
from portal.customers.models import RelationshipState
from portal.customers.texts import AGREEMENT_NAMES, AGREEMENT_TONES, EXPORT_HEADER, EXPORT_NAMES, RELATIONSHIP_NAMES, RELATIONSHIP_TONES

P = Permission
feature = Feature("customers", __name__, url_prefix="/customers")


@feature.get("", permission=P.CUSTOMER_READ)
def index() -> ResponseReturnValue:
    query = _query("/customers")
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    return page(
        "customers/index.html",
        swaps=("results",),
        query=query,
        found=queries.page(query),
        tags=queries.tags,
        resellers=queries.resellers,
        provider=_provider(),
        relationship_names=RELATIONSHIP_NAMES,
        relationship_tones=RELATIONSHIP_TONES,
        agreement_names=AGREEMENT_NAMES,
        agreement_tones=AGREEMENT_TONES,
    )


@feature.get("/export", permission=P.CUSTOMER_EXPORT, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    """Everything, or exactly the current search and filter (R15)."""
    query = _query("/customers/export")
    later("customer.exported", words=query.words, **query.filters)
    statement, values = queries.export(query)
    return lists.stream_csv("customers", EXPORT_HEADER, statement, scope_of(g.actor), convert=_exported, values=values)


@feature.get("/former", permission=P.CUSTOMER_READ)
def former() -> ResponseReturnValue:
    query = ListQuery.parse("/customers/former", request.args, sorts=["name"], filters={})
    return page("customers/former.html", swaps=("results",), query=query, found=queries.former(query))


@feature.get("/<uuid:customer_id>", permission=P.CUSTOMER_READ)
def show(customer_id: UUID) -> ResponseReturnValue:
    customer, tags = queries.record_with_tags(customer_id)
    may_see_log = customer.customer_id is not None and g.actor.may(P.ACTIVITY_READ)
    return page(
        "customers/show.html",
        customer=customer,
        organization=customer.organization if customer.state is RelationshipState.ACTIVE else None,
        tags=tags,
        panels=events.ask(CustomerShown(customer, g.actor)),
        entries=audit.recent(customer.partner_id, customer.customer_id or 0, 8) if may_see_log else [],
    )


def _query(path: str) -> ListQuery:
    return ListQuery.parse(path, request.args, sorts=list(queries.SORTS), filters=queries.PROVIDERS_LISTED if _provider() else queries.LISTED)


def _provider() -> bool:
    return bool(g.actor.partner_type is PartnerType.INDIRECT_PROVIDER)


def _exported(row: tuple[UUID, str, str, RelationshipState]) -> tuple[str, str, str, str]:
    public_id, name, domain, state = row
    return str(public_id), name, domain, EXPORT_NAMES[state]
