"""Reads of one organization's own chain: the feed under its filters, for pages and for the export."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from portal.accounts.models import User, UserState
from portal.core import lists, search
from portal.core.audit import SHOWN, LogEntry
from portal.core.db import db
from portal.core.lists import ListQuery, Page, Sort
from portal.customers.models import Customer

NEWEST = Sort(LogEntry.at, LogEntry.id, descending=True)
FEW = 100  # customers that the log is looked up for by key; for more of them it is read in its own order


@dataclass(frozen=True)
class Wanted:
    """What the feed is narrowed to; `since` and `until` are days in the reader's zone, both included."""

    since: date | None
    until: date | None = None
    action: str | None = None
    user_id: int | None = None
    customer_id: int | None = None
    customer: str = ""
    person: str = ""


def colleagues(organization_id: int) -> list[Any]:
    """People of this organization who may stand in its log, for the filter."""
    statement = sa.select(User.id, User.public_id, User.name).where(User.organization_id == organization_id, User.state != UserState.INVITED)
    return list(db.session.execute(statement.order_by(User.name_key, User.id).limit(500)))


def page(query: ListQuery, wanted: Wanted, organization_id: int, zone: ZoneInfo) -> Page:
    return lists.fetch(feed(wanted, organization_id, zone), query, NEWEST, lambda row: (row.at, row.id))


def export(wanted: Wanted, organization_id: int, zone: ZoneInfo) -> sa.Select[Any]:
    return feed(wanted, organization_id, zone).order_by(LogEntry.at.desc(), LogEntry.id.desc())


def feed(wanted: Wanted, organization_id: int, zone: ZoneInfo) -> sa.Select[Any]:
    """The chain's entries as wanted; the log is not an owned table, so its owner is named here and nowhere else."""
    statement = sa.select(*SHOWN).where(LogEntry.organization_id == organization_id)
    if wanted.since is not None:
        statement = statement.where(LogEntry.at >= _midnight(wanted.since, zone))
    if wanted.until is not None and wanted.until < date.max:
        statement = statement.where(LogEntry.at < _midnight(wanted.until + timedelta(days=1), zone))
    if wanted.action is not None:
        statement = statement.where(LogEntry.action == wanted.action)
    if wanted.user_id is not None:
        statement = statement.where(LogEntry.actor_id == wanted.user_id)
    if wanted.customer_id is not None:
        statement = statement.where(LogEntry.customer_id == wanted.customer_id)
    if search.patterns(wanted.customer):
        statement = statement.where(_about(wanted.customer))
    for word in wanted.person.split():
        statement = statement.where(LogEntry.actor_name.icontains(word, autoescape=True))
    return statement


def known_customers(entries: Sequence[Any]) -> dict[int | None, UUID]:
    """Customer IDs of the customers, present and former, that these entries are about."""
    statement = sa.select(Customer.customer_id, Customer.public_id).where(Customer.customer_id.in_({entry.customer_id for entry in entries} - {None}))
    return dict(db.session.execute(statement).all())


def _about(words: str) -> sa.ColumnElement[bool]:
    """About a customer, present or former, whose name or domain has these words.

    A rare word's customers are looked up first; with a common one the feed fills its page in its own order.
    """
    indexed = search.indexed(Customer, Customer.search_text, len(search.patterns(words)), db.engine.dialect.name)
    found = db.session.scalars(sa.select(Customer.customer_id).where(*indexed).limit(FEW + 1), search.parameters(words)).all()
    if len(found) <= FEW:
        return LogEntry.customer_id.in_(found)
    return sa.exists().where(Customer.customer_id == LogEntry.customer_id, *search.contains(Customer.search_text, words))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
