"""Reads of leads: the three tabs with their search, the board, one lead with its people and history, export."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core import lists
from portal.core.access import Actor
from portal.core.db import db, limited
from portal.core.errors import NotFound
from portal.core.finding import Finder
from portal.core.lists import ListQuery, Page, Sort
from portal.leads.entering import QUALIFIED
from portal.leads.models import OPEN, URGENT_FOR, Lead, LeadEntry, LeadFavorite, LeadPerson, LeadSource, LeadState

NEVER = datetime.max.replace(tzinfo=UTC)
CARDS = 12  # of a column of the board


class Tab(StrEnum):
    """R50."""

    MARKETPLACE = "marketplace"
    QUALIFIED = "qualified"
    FAVORITES = "favorites"


@dataclass(frozen=True)
class LeadQuery(ListQuery):
    """A list of leads as somebody sees it at some moment."""

    reader: int | None = None
    at: datetime = NEVER

    @property
    def tab(self) -> Tab:
        return Tab(self.filters.get("tab", Tab.MARKETPLACE))

    @property
    def narrowed(self) -> bool:
        return bool(self.words or set(self.filters) - {"tab"})


# The deadline is always 14 days after receipt (R54), so one index serves both orders.
SORTS = {
    "newest": Sort(Lead.received_at, Lead.id, descending=True),
    "company": Sort(Lead.company_key, Lead.id),
    "deadline": Sort(Lead.received_at, Lead.id),
}
LISTED: dict[str, list[str] | None] = {"tab": [Tab.QUALIFIED, Tab.FAVORITES], "state": list(LeadState), "urgent": ["yes"], "source": list(QUALIFIED)}
COLUMNS_OF_BOARD = {
    "received": (LeadState.RECEIVED,),
    "accepted": (LeadState.ACCEPTED,),
    "won": (LeadState.WON,),
    "closed": (LeadState.LOST, LeadState.DECLINED, LeadState.EXPIRED),
}

_reader = sa.bindparam("reader", type_=LeadFavorite.user_id.type)
_hearted = sa.select(LeadFavorite.lead_id).where(LeadFavorite.user_id == _reader)
_is_favorite = sa.exists().where(LeadFavorite.user_id == _reader, LeadFavorite.lead_id == Lead.id).label("favorite")
COLUMNS = (
    Lead.id,
    Lead.public_id,
    Lead.state,
    Lead.source,
    Lead.company,
    Lead.company_key,
    Lead.country,
    Lead.first_name,
    Lead.last_name,
    Lead.email,
    Lead.phone,
    Lead.wants_contact,
    Lead.received_at,
    Lead.due_at,
    _is_favorite,
)


def parse(path: str, args: Any, *, by: Actor, at: datetime) -> LeadQuery:
    query = LeadQuery.parse(path, args, sorts=list(SORTS), filters=LISTED)
    assert isinstance(query, LeadQuery)
    if query.tab is Tab.MARKETPLACE and "source" in query.filters:  # there is only one there
        query = replace(query, filters={name: value for name, value in query.filters.items() if name != "source"})
    return replace(query, reader=by.user_id, at=at)


def page(query: LeadQuery) -> Page:
    return _finders[query.tab].page(query)


def export(query: LeadQuery) -> tuple[sa.Select, dict[str, Any]]:
    """All leads of the tab, or those of the query's words and filters, with its parameters."""
    exported = (
        Lead.public_id, Lead.company, Lead.first_name, Lead.last_name, Lead.email, Lead.phone, Lead.domain, Lead.country, Lead.source, Lead.state,
        Lead.received_at, Lead.due_at, Lead.deal_name, Lead.value_minor, Lead.currency, Lead.purchase_on, Lead.crm_id, Lead.campaign_id,
    )  # fmt: skip
    return _finders[query.tab].everything(query, *exported)


def open_counts(by: Actor) -> dict[str, int]:
    """Leads of each tab that wait for an answer or are worked on; each count stops at one past COUNTED_UP_TO."""
    return db.session.execute(_OPEN_COUNTS, {"reader": by.user_id}).one()._asdict()


def board(query: LeadQuery) -> tuple[dict[str, int], dict[str, list[Any]]]:
    """The tabs' counts and those of the columns, and the latest cards of each column."""
    counts = db.session.execute(_board_counts[query.tab], {"reader": query.reader}).one()._asdict()
    cards: dict[str, list[Any]] = {name: [] for name in COLUMNS_OF_BOARD}
    column = {state: name for name, states in COLUMNS_OF_BOARD.items() for state in states}
    for row in db.session.execute(_cards[query.tab], {"reader": query.reader}):
        cards[column[row.state]].append(row)
    return counts, {name: sorted(rows, key=lambda row: (row.received_at, row.id), reverse=True)[:CARDS] for name, rows in cards.items()}


def lead_of(public_id: UUID, *, by: Actor) -> tuple[Lead, bool, str | None]:
    """A lead, whether it is this person's favorite, and the name of the partner that referred it."""
    statement = sa.select(Lead, _is_favorite, Organization.name).outerjoin(Organization, Organization.id == Lead.referrer_id)
    row = db.session.execute(statement.where(Lead.public_id == public_id), {"reader": by.user_id}).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row[0], bool(row[1]), row[2]


def people_of(lead: Lead) -> list[LeadPerson]:
    return list(db.session.scalars(sa.select(LeadPerson).where(LeadPerson.lead_id == lead.id).order_by(LeadPerson.id)))


def history_of(lead: Lead, query: ListQuery) -> Page:
    """The newest first."""
    E = LeadEntry
    statement = sa.select(E.id, E.at, E.author_name, E.action, E.text, E.details).where(E.lead_id == lead.id)
    return lists.fetch(statement, query, Sort(E.id, E.id, descending=True), lambda row: (row.id, row.id), counted=False)


def _of_tab(tab: Tab) -> sa.ColumnElement[bool]:
    return Lead.id.in_(_hearted) if tab is Tab.FAVORITES else Lead.qualified == int(tab is Tab.QUALIFIED)


def _narrowing(tab: Tab) -> Any:
    def narrow(statement: sa.Select, filters: tuple[str, ...]) -> sa.Select:
        statement = statement.where(_of_tab(tab))
        if "state" in filters:
            statement = statement.where(Lead.state == sa.bindparam("state", type_=Lead.state.type))
        if "source" in filters:
            statement = statement.where(Lead.source == sa.bindparam("source", type_=Lead.source.type))
        if "urgent" in filters:
            fresh = sa.orm.aliased(Lead)
            since = sa.bindparam("urgent_since", type_=Lead.received_at.type)
            burning = sa.select(fresh.id).where(fresh.wants_contact, fresh.received_at > since, fresh.state.in_(OPEN))
            statement = statement.where(Lead.id.in_(burning))
        return statement

    return narrow


def _values(query: ListQuery) -> dict[str, Any]:
    assert isinstance(query, LeadQuery)
    kinds: dict[str, Any] = {"state": LeadState, "source": LeadSource}
    chosen = {name: kinds[name](value) for name, value in query.filters.items() if name in kinds}
    return {"reader": query.reader, "urgent_since": query.at - URGENT_FOR, **chosen}


def _counted(rows: sa.Select) -> Any:
    return lists.counting(rows).scalar_subquery()


def _opened(tab: Tab) -> Any:
    return _counted(sa.select(Lead.id).where(_of_tab(tab), Lead.state.in_(OPEN))).label(tab.value)


def _board_counting(tab: Tab) -> sa.Select:
    columns = {name: sa.select(Lead.id).where(_of_tab(tab), Lead.state.in_(states)) for name, states in COLUMNS_OF_BOARD.items()}
    return sa.select(*map(_opened, Tab), *(_counted(rows).label(name) for name, rows in columns.items()))


def _card_statement(tab: Tab) -> sa.Select:
    """The latest of each state, all in one: each by its own index."""
    latest = [
        limited(sa.select(Lead.id).where(_of_tab(tab), Lead.state == state).order_by(Lead.received_at.desc(), Lead.id.desc()), CARDS).subquery()
        for state in LeadState
    ]
    every = sa.union_all(*(sa.select(rows.c.id) for rows in latest)).subquery()
    return sa.select(*COLUMNS, Lead.state_at, Lead.deal_name, Lead.value_minor, Lead.currency).where(Lead.id.in_(sa.select(every.c.id)))


_finders = {tab: Finder(Lead, COLUMNS, SORTS, _narrowing(tab), _values) for tab in Tab}
_OPEN_COUNTS = sa.select(*map(_opened, Tab))
_board_counts = {tab: _board_counting(tab) for tab in Tab}
_cards = {tab: _card_statement(tab) for tab in Tab}
