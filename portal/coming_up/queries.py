"""Lines of what lapses or is due, the soonest first; each kind comes by its own index, and one statement merges them into one list."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.agreements.models import AgreementState
from portal.core import lists
from portal.core.db import db
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page
from portal.customers.models import Customer
from portal.leads.models import Lead, LeadState
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestPurpose, RequestState
from portal.subscriptions.models import Reservation, ReservationState, Subscription, SubscriptionState

WINDOWS = (7, 30, 90)  # days
MOST = 200  # lines of a page, and of one bulk step
ASIDE = 50  # lines of what needs no step
DELEGATION, REQUEST, LEAD = "delegation", "request", "lead"
SUBSCRIPTION, SUSPENSION, RESERVATION = "subscription", "suspension", "reservation"
OF_RELATIONSHIPS, OF_SUBSCRIPTIONS = (DELEGATION, REQUEST), (SUBSCRIPTION, SUSPENSION, RESERVATION)
KINDS = (*OF_RELATIONSHIPS, LEAD, *OF_SUBSCRIPTIONS)


@dataclass(frozen=True)
class Line:
    """Something that lapses at `due_at`; a day counts as its beginning. `waiting` is the request that would extend it, sent and not yet answered.

    `by_day` tells that only the day is known; `trial`, that it is a subscription's trial that ends.
    """

    kind: str
    id: int
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
    def extendable(self) -> bool:
        """Whether the one step does anything here: what is suspended or reserved, or a lead, wants a decision of its own."""
        return self.kind in (DELEGATION, REQUEST, SUBSCRIPTION) and self.waiting is None

    @property
    def url(self) -> str:
        if self.kind == REQUEST:
            return f"/relationship-requests/{self.public_id}"
        if self.kind == LEAD:
            return f"/leads/{self.public_id}"
        if self.kind == DELEGATION:
            return f"/customers/{self.customer_id}"
        return f"/customers/{self.customer_id}/{'reservations' if self.kind == RESERVATION else 'subscriptions'}/{self.public_id}"

    @property
    def position(self) -> tuple[datetime, int]:
        """Its place among lines of every kind."""
        return self.due_at, self.id * len(KINDS) + KINDS.index(self.kind)


@dataclass(frozen=True)
class _Kind:
    """Rows of one kind, by the column that says when they lapse; `statement` has `name`, `extra` and `trial` labelled."""

    name: str
    model: Any
    due: Any
    statement: sa.Select


def lapsing(query: ListQuery, *, at: datetime, days: int, kinds: tuple[str, ...] = KINDS) -> Page:
    """What of these kinds lapses within the days, MOST to a page."""
    descending = query.last or query.before is not None
    lines = _lines([ask(at, days) for kind in kinds for ask in _LAPSING[kind]], query, MOST + 1)
    lines = sorted(_with_waiting(lines), key=lambda line: line.position, reverse=descending)
    return lists.paged(lines[: MOST + 1], query, lambda line: line.position, None, size=MOST)


def going_on(*, at: datetime, days: int, kinds: tuple[str, ...] = KINDS) -> list[Line]:
    """What renews or extends by itself, of each kind one line more than a page shows (R30, R38)."""
    lines = _lines([_GOING_ON[kind](at, days) for kind in kinds if kind in _GOING_ON], ListQuery(""), ASIDE + 1)
    return sorted(lines, key=lambda line: line.position)


def outdated_agreements() -> list[Any]:
    """Customers who accepted an older version: one more than a page shows."""
    statement = sa.select(Customer.public_id, Customer.name).where(Customer.ended == 0, Customer.agreement == AgreementState.OUTDATED)
    return list(db.session.execute(statement.order_by(Customer.name_key, Customer.id).limit(ASIDE + 1)))


def _with_waiting(lines: list[Line]) -> list[Line]:
    """The same lines, with the requests that ask to extend them."""
    R = RelationshipRequest
    delegated = [line.customer_id for line in lines if line.kind == DELEGATION]
    if not delegated:
        return lines
    asked = sa.select(Customer.public_id, R.public_id).join(Customer, Customer.customer_id == R.customer_id)
    asked = asked.where(R.state == RequestState.SENT, R.purpose == RequestPurpose.EXTEND, Customer.public_id.in_(delegated))
    waiting: dict[UUID | None, UUID] = dict(db.session.execute(asked).all())
    return [replace(line, waiting=waiting.get(line.customer_id)) if line.kind == DELEGATION else line for line in lines]


def _delegations(at: datetime, days: int, *, extends_itself: bool = False) -> _Kind:
    D = DelegatedAdministration
    within = (D.ends_at > at, D.ends_at <= at + timedelta(days=days))
    statement = _of_customers(D).where(D.state == DelegationState.ACTIVE, D.auto_extend.is_(extends_itself), *within)
    return _Kind(DELEGATION, D, D.ends_at, statement)


_NO_CUSTOMER = sa.cast(sa.null(), Customer.public_id.type).label("customer_id")


def _requests(at: datetime, days: int) -> _Kind:
    R = RelationshipRequest
    statement = sa.select(R.id, R.public_id, R.email.label("name"), R.organization.label("extra"), _NO_CUSTOMER, sa.false().label("trial"))
    return _Kind(REQUEST, R, R.expires_at, statement.where(R.state == RequestState.SENT, R.expires_at > at, R.expires_at <= at + timedelta(days=days)))


def _leads(at: datetime, days: int) -> _Kind:
    """Leads that wait for an answer (R54)."""
    none = sa.cast(sa.null(), Lead.company.type).label("extra")
    statement = sa.select(Lead.id, Lead.public_id, Lead.company.label("name"), none, _NO_CUSTOMER, sa.false().label("trial"))
    own = Lead.state == LeadState.RECEIVED, Lead.due_at > at, Lead.due_at <= at + timedelta(days=days)
    return _Kind(LEAD, Lead, Lead.due_at, statement.where(*own))


def _subscriptions(at: datetime, days: int, *, renews: bool = False) -> _Kind:
    """Those that end with their term or trial; or, with `renews`, those that go on."""
    S = Subscription
    own = S.state == SubscriptionState.ACTIVE, S.auto_renew.is_(renews), *_within(S.turns_on, at, days)
    return _Kind(SUBSCRIPTION, S, S.turns_on, _of_customers(S, S.trial_ends_on.is_not(None)).where(*own))


def _suspensions(at: datetime, days: int, *, renews: bool) -> _Kind:
    """Suspended subscriptions that expire unless they are reactivated (R82); asked for by renewal, since the index has them in order so."""
    S = Subscription
    own = S.state == SubscriptionState.SUSPENDED, S.auto_renew.is_(renews), *_within(S.turns_on, at, days)
    return _Kind(SUSPENSION, S, S.turns_on, _of_customers(S).where(*own))


def _reservations(at: datetime, days: int) -> _Kind:
    R = Reservation
    return _Kind(RESERVATION, R, R.ends_on, _of_customers(R).where(R.state == ReservationState.ACTIVE, *_within(R.ends_on, at, days)))


_LAPSING: dict[str, tuple[Callable[..., _Kind], ...]] = {
    DELEGATION: (_delegations,),
    REQUEST: (_requests,),
    LEAD: (_leads,),
    SUBSCRIPTION: (_subscriptions,),
    SUSPENSION: tuple(functools.partial(_suspensions, renews=renews) for renews in (True, False)),
    RESERVATION: (_reservations,),
}
_GOING_ON: dict[str, Callable[..., _Kind]] = {
    DELEGATION: functools.partial(_delegations, extends_itself=True),
    SUBSCRIPTION: functools.partial(_subscriptions, renews=True),
}


def _of_customers(model: Any, trial: Any = None) -> sa.Select:
    """Rows of this model with the customer's name; what has a name of its own keeps it."""
    nickname = (
        (sa.func.coalesce(sa.func.nullif(model.nickname, ""), model.name),) if hasattr(model, "nickname") else (model.name,) if hasattr(model, "name") else ()
    )
    name, extra = (nickname[0], Customer.name) if nickname else (Customer.name, sa.cast(sa.null(), Customer.name.type))
    return sa.select(
        model.id,
        model.public_id,
        name.label("name"),
        extra.label("extra"),
        Customer.public_id.label("customer_id"),
        (sa.false() if trial is None else trial).label("trial"),
    ).join(Customer, sa.and_(Customer.customer_id == model.customer_id, Customer.partner_id == model.partner_id))


def _within(column: Any, at: datetime, days: int) -> tuple[Any, Any]:
    return column > at.date(), column <= at.date() + timedelta(days=days)


def _lines(kinds: list[_Kind], query: ListQuery, most: int) -> list[Line]:
    """The next rows of every kind from the query's position on, in one statement."""
    if not kinds:
        return []
    parts = [sa.select(_part(kind, query, most).subquery()) for kind in kinds]
    rows = db.session.execute(sa.union_all(*parts) if len(parts) > 1 else parts[0]).all()
    return [_line(row) for row in rows]


def _part(kind: _Kind, query: ListQuery, most: int) -> sa.Select:
    by_day = isinstance(kind.due.type, sa.Date)
    moment, day = (sa.cast(sa.null(), RelationshipRequest.expires_at.type), kind.due) if by_day else (kind.due, sa.cast(sa.null(), sa.Date()))
    statement = kind.statement.add_columns(sa.literal(kind.name, sa.Unicode()).label("kind"), moment.label("due_at"), day.label("due_on"))
    descending = query.last or query.before is not None
    position = query.after or query.before
    if position is not None:
        here, there = sa.tuple_(kind.due, kind.model.id), sa.tuple_(*_place(position, kind, by_day=by_day, backwards=query.before is not None))
        statement = statement.where(here < there if query.before is not None else here > there)
    order = (kind.due.desc(), kind.model.id.desc()) if descending else (kind.due, kind.model.id)
    return statement.order_by(*order).limit(most)


def _place(position: tuple[Any, int], kind: _Kind, *, by_day: bool, backwards: bool) -> tuple[Any, Any]:
    """A position among lines of every kind, as a position among the rows of this one."""
    try:
        moment = datetime.fromisoformat(str(position[0])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotFound("position") from None
    number = KINDS.index(kind.name)
    key = -((number - position[1]) // len(KINDS)) if backwards else (position[1] - number) // len(KINDS)
    if by_day and moment.time() != time():  # after the beginning of that day, where all lines of a day stand
        key = 2**62
    return sa.literal(moment.date() if by_day else moment, kind.due.type), sa.literal(key, kind.model.id.type)


def _line(row: Any) -> Line:
    by_day = row.due_at is None
    due_at = _begins(row.due_on) if by_day else row.due_at
    if row.kind == REQUEST:
        name, customer = (f"{row.extra} ({row.name})" if row.extra else row.name), None
    else:
        name, customer = row.name, row.extra
    return Line(row.kind, row.id, row.public_id, due_at, name, row.customer_id, customer=customer, by_day=by_day, trial=bool(row.trial))


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
