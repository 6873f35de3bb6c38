"""Lines of what lapses or is due, the soonest first: one statement asks each kind by its own index, and names the customers."""

import functools
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.agreements.models import AgreementState
from portal.core import lists
from portal.core.db import Key, UtcDateTime, db, limited
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page
from portal.customers.models import Customer
from portal.leads.models import Lead, LeadState
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestPurpose, RequestState
from portal.subscriptions.models import Reservation, ReservationState, Subscription, SubscriptionState
from portal.subscriptions.queries import ENDS_WITH_BASE

WINDOWS = (7, 30, 90)  # days
SHOWN = 30  # lines of a page
ASIDE = 6  # lines of what needs no step and is listed elsewhere too
EXTENDING = 25  # lines of delegated administration that extends by itself
DELEGATION, REQUEST, LEAD = "delegation", "request", "lead"
SUBSCRIPTION, SUSPENSION, RESERVATION = "subscription", "suspension", "reservation"
OF_RELATIONSHIPS, OF_SUBSCRIPTIONS = (DELEGATION, REQUEST), (SUBSCRIPTION, SUSPENSION, RESERVATION)
KINDS = (*OF_RELATIONSHIPS, LEAD, *OF_SUBSCRIPTIONS)


@dataclass(frozen=True, slots=True)
class Line:
    """Something that lapses at `due_at`; a day counts as its beginning. `waiting` is the request that would extend it, sent and not yet answered.

    `by_day` tells that only the day is known; `trial`, that it is a subscription's trial that ends.
    """

    kind: str
    public_id: UUID
    due_at: datetime
    name: str
    customer_id: UUID | None = None
    waiting: UUID | None = None
    customer: str | None = None
    by_day: bool = False
    trial: bool = False

    @property
    def key(self) -> str:
        """Names the line in a form: `request:<id>`."""
        return f"{self.kind}:{self.public_id}"

    @property
    def url(self) -> str:
        if self.kind == REQUEST:
            return f"/relationship-requests/{self.public_id}"
        if self.kind == LEAD:
            return f"/leads/{self.public_id}"
        if self.kind == DELEGATION:
            return f"/customers/{self.customer_id}"
        return f"/customers/{self.customer_id}/{'reservations' if self.kind == RESERVATION else 'subscriptions'}/{self.public_id}"


@dataclass(frozen=True)
class ComingUp:
    """A page of what lapses, SHOWN to a page; and, beside the first one, what goes on by itself, of each kind one line more than is shown (R30, R38)."""

    lapsing: Page
    going_on: list[Line]


def coming_up(query: ListQuery, *, at: datetime, days: int, kinds: tuple[str, ...] = KINDS) -> ComingUp:
    """Lines of these kinds that are due within the days."""
    today, length, way = at.date(), timedelta(days=days), query.way
    values = {"now": at, "until": at + length, "today": today, "last_day": today + length, **_place(query)}
    rows = sorted(db.session.execute(_merged(kinds, way), values).all(), key=_position, reverse=way in ("before", "last")) if kinds else []
    page = lists.paged([row for row in rows if not row.goes_on], query, _position, None, size=SHOWN)
    going_on = [row for row in rows if row.goes_on]
    return ComingUp(replace(page, rows=_with_waiting([_line(row) for row in page.rows])), [_line(row) for row in going_on])


def outdated_agreements() -> list[Any]:
    """Customers who accepted an older version: one more than a page shows."""
    return list(db.session.execute(_OUTDATED))


_OUTDATED = limited(
    sa.select(Customer.public_id, Customer.name)
    .where(Customer.ended == 0, Customer.agreement == AgreementState.OUTDATED)
    .order_by(Customer.name_key, Customer.id),
    ASIDE + 1,
)


def _with_waiting(lines: list[Line]) -> list[Line]:
    """The same lines, with the requests that ask to extend them."""
    delegated = [line.customer_id for line in lines if line.kind == DELEGATION]
    if not delegated:
        return lines
    asked = sa.select(Customer.public_id, R.public_id).join(Customer, Customer.customer_id == R.customer_id)
    asked = asked.where(R.state == RequestState.SENT, R.purpose == RequestPurpose.EXTEND, Customer.public_id.in_(delegated))
    waiting: dict[UUID | None, UUID] = dict(db.session.execute(asked).all())
    return [replace(line, waiting=waiting.get(line.customer_id)) if line.kind == DELEGATION else line for line in lines]


def _line(row: Any) -> Line:
    by_day = row.due_at is None
    name, customer = (row.name, row.customer) if row.name is not None else (row.customer, None)
    return Line(
        row.kind, row.public_id, _begins(row.due_on) if by_day else row.due_at, name, row.record_id, customer=customer, by_day=by_day, trial=bool(row.trial)
    )


# --- each kind by itself


@dataclass(frozen=True)
class _Kind:
    """Rows by the day or the moment on which they are due. `name` is none for what is known by its customer's name."""

    kind: str
    model: Any
    due: Any
    conditions: tuple[Any, ...]
    name: Any = None
    trial: Any = None
    goes_on: bool = False

    @property
    def by_day(self) -> bool:
        return isinstance(self.due.type, sa.Date)

    @property
    def most(self) -> int:
        """How many of them are asked for."""
        return (SHOWN if not self.goes_on else EXTENDING if self.kind == DELEGATION else ASIDE) + 1


D, R, S = DelegatedAdministration, RelationshipRequest, Subscription
_NOTHING = sa.cast(sa.null(), sa.Unicode(200))
_ADDRESSEE = sa.case((R.organization != "", R.organization + " (" + R.email + ")"), else_=R.email)
_SOLD, _ON_TRIAL = sa.func.coalesce(sa.func.nullif(S.nickname, ""), S.name), S.trial_ends_on.is_not(None)
_RULES = (
    _Kind(DELEGATION, D, D.ends_at, (D.state == DelegationState.ACTIVE, D.auto_extend.is_(False))),
    _Kind(DELEGATION, D, D.ends_at, (D.state == DelegationState.ACTIVE, D.auto_extend.is_(True)), goes_on=True),
    _Kind(REQUEST, R, R.expires_at, (R.state == RequestState.SENT,), _ADDRESSEE),
    _Kind(LEAD, Lead, Lead.due_at, (Lead.state == LeadState.RECEIVED,), Lead.company),  # to be answered (R54)
    _Kind(SUBSCRIPTION, S, S.turns_on, (S.state == SubscriptionState.ACTIVE, S.auto_renew.is_(False)), _SOLD, _ON_TRIAL),
    _Kind(SUBSCRIPTION, S, S.turns_on, (S.state == SubscriptionState.ACTIVE, S.auto_renew.is_(True), ~ENDS_WITH_BASE), _SOLD, _ON_TRIAL, goes_on=True),
    # What is suspended expires unless it is reactivated (R82); asked for by renewal, since the index has it in order so.
    *(_Kind(SUSPENSION, S, S.turns_on, (S.state == SubscriptionState.SUSPENDED, S.auto_renew.is_(renews)), _SOLD) for renews in (True, False)),
    _Kind(RESERVATION, Reservation, Reservation.ends_on, (Reservation.state == ReservationState.ACTIVE, Reservation.renewed.is_(False)), Reservation.name),
)
_BY_DAY = {rule.kind: rule.by_day for rule in _RULES}


# --- all of them in one list


@functools.cache
def _merged(kinds: tuple[str, ...], way: str) -> sa.Select:
    """Built once for each shape of a query: every kind, with the partner's record of the customer."""
    rules = (rule for rule in _RULES if rule.kind in kinds and (way == "first" or not rule.goes_on))
    due = sa.union_all(*(sa.select(_part(rule, way).subquery()) for rule in rules)).subquery()
    record = Customer.public_id.label("record_id"), Customer.name.label("customer")
    return sa.select(due, *record).outerjoin(Customer, Customer.customer_id == due.c.organization_id)


def _part(rule: _Kind, way: str) -> sa.Select:
    """The next rows of a kind from the position on."""
    model, due, backwards = rule.model, rule.due, way in ("before", "last")
    moment, day = (sa.cast(sa.null(), UtcDateTime()), due) if rule.by_day else (due, sa.cast(sa.null(), sa.Date()))
    first, last = ("today", "last_day") if rule.by_day else ("now", "until")
    statement = sa.select(
        model.id,
        model.public_id,
        sa.literal(rule.kind, sa.Unicode()).label("kind"),
        (_NOTHING if rule.name is None else rule.name).label("name"),
        (model.customer_id if hasattr(model, "customer_id") else sa.cast(sa.null(), Key)).label("organization_id"),
        moment.label("due_at"),
        day.label("due_on"),
        (sa.false() if rule.trial is None else rule.trial).label("trial"),
        (sa.true() if rule.goes_on else sa.false()).label("goes_on"),
    ).where(*rule.conditions, due > sa.bindparam(first, type_=due.type), due <= sa.bindparam(last, type_=due.type))
    if way in ("after", "before"):
        there = sa.bindparam("place_day" if rule.by_day else "place_moment", type_=due.type), sa.bindparam(f"place_of_{rule.kind}", type_=Key)
        statement = statement.where(sa.tuple_(due, model.id) < sa.tuple_(*there) if backwards else sa.tuple_(due, model.id) > sa.tuple_(*there))
    order = (due.desc(), model.id.desc()) if backwards else (due, model.id)
    return limited(statement.order_by(*order), rule.most)


def _position(row: Any) -> tuple[datetime, int]:
    """A row's place among those of every kind; a day counts as its beginning."""
    return row.due_at or _begins(row.due_on), row.id * len(KINDS) + KINDS.index(row.kind)


def _place(query: ListQuery) -> dict[str, Any]:
    """The query's position among rows of every kind, as a position among those of each."""
    position = query.after or query.before
    if position is None:
        return {}
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotFound("position") from None
    values: dict[str, Any] = {"place_moment": moment, "place_day": moment.date()}
    for number, kind in enumerate(KINDS):
        key = -((number - position[1]) // len(KINDS)) if query.before is not None else (position[1] - number) // len(KINDS)
        # After the beginning of a day, where all lines of that day stand: past every key.
        values[f"place_of_{kind}"] = 2**62 if _BY_DAY[kind] and moment.time() != time() else key
    return values


@functools.lru_cache(maxsize=512)
def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
