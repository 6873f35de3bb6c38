"""The activity log of a partner: all of it, and about one customer."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.activity import kinds, queries
from portal.activity.queries import Wanted
from portal.activity.texts import Vocabulary, vocabulary
from portal.core import clock, throttle
from portal.core.access import Permission, Side
from portal.core.errors import NotFound
from portal.core.i18n import language, zone
from portal.core.lists import ListQuery, stream_csv
from portal.core.pages import page
from portal.core.routing import Feature, later, scope_of
from portal.customers import queries as customers

PERIOD = timedelta(days=31)
EARLIEST, LATEST = date(1970, 1, 2), date(2999, 12, 31)

feature = Feature("activity", __name__)


@feature.get("/activity", permission=Permission.ACTIVITY_READ)
def index() -> ResponseReturnValue:
    return feed(url_for(".index"), export=url_for(".export"))


@feature.get("/activity/export", permission=Permission.ACTIVITY_READ, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    return download(url_for(".export"))


@feature.get("/customers/<uuid:customer_id>/activity", permission=Permission.ACTIVITY_READ)
def show(customer_id: UUID) -> ResponseReturnValue:
    """What one's own log tells about this customer, present or former: history stays (R36)."""
    return feed(url_for(".show", customer_id=customer_id), export=url_for(".export"), customer=customers.record(customer_id))


def feed(path: str, *, export: str, customer: Any = None) -> ResponseReturnValue:
    """A page of the feed under the filters of its address."""
    people = queries.colleagues(g.actor.organization_id)
    query = parsed(path, people)
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    customer = customer or named(query)
    wanted = chosen(query, people, customer)
    names = vocabulary(language()).actions
    entries = queries.page(query, wanted, g.actor.organization_id, zone(g.actor.time_zone))
    context: dict[str, Any] = {} if by_person(customer) else {"known": queries.known_customers(entries.rows)}
    return page(
        "activity/index.html",
        swaps=("results",),
        query=query,
        wanted=wanted,
        customer=customer,
        entries=entries,
        by_person=by_person(customer),
        actions=sorted(((action, names[action]) for action in kinds.possible(g.actor)), key=lambda item: item[1]),
        people=[(person.public_id, person.name) for person in people],
        export_url=query.url(path=export, customer=str(customer.public_id) if customer else None),
        **context,
    )


def download(path: str) -> ResponseReturnValue:
    """The whole feed under these filters as a file; times in UTC (R95)."""
    people = queries.colleagues(g.actor.organization_id)
    query = parsed(path, people)
    wanted = chosen(query, people, named(query))
    words = vocabulary(language())
    header = (_("Date and time (UTC)"), _("Customer"), _("Action"), _("Person"), _("Before"), _("After"))
    statement = queries.export(wanted, g.actor.organization_id, zone(g.actor.time_zone))
    later("activity.exported", **query.filters, **({"words": query.words} if query.words else {}))
    return stream_csv("activity", header, statement, scope_of(g.actor), convert=lambda row: line(row, words))


def line(row: Any, words: Vocabulary) -> tuple[str, ...]:
    before, after = words.sides(row.action, row.details)
    return (f"{row.at:%Y-%m-%d %H:%M:%S}", row.customer_name or "", words.actions.get(row.action, row.action), row.actor_name or "", before, after)


def parsed(path: str, people: list[Any]) -> ListQuery:
    filters: Mapping[str, Any] = {
        "from": None,
        "to": None,
        "action": kinds.possible(g.actor),
        "user": {str(person.public_id) for person in people},
        "customer": None,
    }
    return ListQuery.parse(path, request.args, sorts=("newest",), filters=filters)


def chosen(query: ListQuery, people: list[Any], customer: Any) -> Wanted:
    """The filters as the feed understands them: the last month unless another first day is given, or one customer is looked at."""
    today = clock.now().astimezone(zone(g.actor.time_zone)).date()
    user = query.filters.get("user")
    return Wanted(
        since=_day(query.filters.get("from")) or (None if customer else today - PERIOD),
        until=_day(query.filters.get("to")),
        action=query.filters.get("action"),
        user_id=next((person.id for person in people if str(person.public_id) == user), None),
        customer_id=customer.customer_id if customer else None,
        customer="" if by_person(customer) else query.words,
        person=query.words if by_person(customer) else "",
    )


def by_person(customer: Any) -> bool:
    """Whether the words searched for are a person's: where one customer is looked at, they are no customer's."""
    return customer is not None or g.actor.side is Side.CUSTOMER


def named(query: ListQuery) -> Any:
    """The customer that a partner's query string names, of its own records; a malformed ID answers like one that nobody has."""
    if g.actor.side is not Side.PARTNER or "customer" not in query.filters:
        return None
    try:
        return customers.record(UUID(query.filters["customer"]))
    except ValueError:
        raise NotFound(query.filters["customer"]) from None


def _day(typed: str | None) -> date | None:
    try:
        day = date.fromisoformat(typed or "")
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


@feature.app_template_filter("told")
def told(entry: Any) -> tuple[str, list[tuple[str, str, str]], bool]:
    """What an entry says: its action, what changed, and whether anything stood there before."""
    words = vocabulary(language())
    changes = words.changes(entry.action, entry.details)
    return words.actions.get(entry.action, entry.action), changes, any(before for _label, before, _after in changes)
