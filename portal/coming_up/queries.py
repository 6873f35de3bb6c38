"""Lines of what lapses or is due, the soonest first; each kind comes by its own index and is merged into one list."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.agreements.models import AgreementState
from portal.core import lists
from portal.core.db import db
from portal.core.lists import ListQuery, Page, Sort
from portal.customers.models import Customer
from portal.leads.models import Lead, LeadState
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestPurpose, RequestState

WINDOWS = (7, 30, 90)  # days
MOST = 200  # lines of a page, and of one bulk step
ASIDE = 50  # lines of what needs no step
DELEGATION, REQUEST, LEAD = "delegation", "request", "lead"
KINDS = (DELEGATION, REQUEST, LEAD)


@dataclass(frozen=True)
class Line:
    """Something that lapses at `due_at`. `waiting` is the request that would extend it, sent and not yet answered."""

    kind: str
    id: int
    public_id: UUID
    due_at: datetime
    name: str
    customer_id: UUID | None = None
    waiting: UUID | None = None

    @property
    def key(self) -> str:
        """Names the line in a form: `request:<id>`."""
        return f"{self.kind}:{self.public_id}"

    @property
    def extendable(self) -> bool:
        """Whether the one step does anything here: a lead wants an answer of its own."""
        return self.kind != LEAD and self.waiting is None

    @property
    def position(self) -> tuple[datetime, int]:
        """Its place among lines of every kind."""
        return self.due_at, self.id * len(KINDS) + KINDS.index(self.kind)


def lapsing(query: ListQuery, *, at: datetime, days: int, requests: bool = True, leads: bool = True) -> Page:
    """What lapses within the days, MOST to a page: delegations and requests, and leads, for whoever sees them."""
    lines = sorted(
        [
            *(_delegations(query, at, days) if requests else ()),
            *(_requests(query, at, days) if requests else ()),
            *(_leads(query, at, days) if leads else ()),
        ],
        key=lambda line: line.position,
        reverse=query.last or query.before is not None,
    )
    return lists.paged(lines[: MOST + 1], query, lambda line: line.position, None, size=MOST)


def extending_themselves(*, at: datetime, days: int) -> list[Line]:
    """Delegated administration that renews by itself (R30): one line more than a page shows."""
    return list(_delegations(ListQuery(""), at, days, extends_itself=True))[: ASIDE + 1]


def outdated_agreements() -> list[Any]:
    """Customers who accepted an older version: one more than a page shows."""
    statement = sa.select(Customer.public_id, Customer.name).where(Customer.ended == 0, Customer.agreement == AgreementState.OUTDATED)
    return list(db.session.execute(statement.order_by(Customer.name_key, Customer.id).limit(ASIDE + 1)))


def _delegations(query: ListQuery, at: datetime, days: int, *, extends_itself: bool = False) -> list[Line]:
    D, R = DelegatedAdministration, RelationshipRequest
    asked = sa.select(R.public_id).where(R.customer_id == D.customer_id, R.state == RequestState.SENT, R.purpose == RequestPurpose.EXTEND)
    waiting = asked.order_by(R.id).limit(1).correlate(D).scalar_subquery()
    statement = (
        sa.select(D.id, D.public_id, D.ends_at, Customer.name, Customer.public_id.label("customer_id"), waiting.label("waiting"))
        .join(Customer, Customer.customer_id == D.customer_id)
        .where(D.state == DelegationState.ACTIVE, D.auto_extend.is_(extends_itself), D.ends_at > at, D.ends_at <= at + timedelta(days=days))
    )
    return [Line(DELEGATION, *row) for row in _rows(statement, query, Sort(D.ends_at, D.id), DELEGATION)]


def _requests(query: ListQuery, at: datetime, days: int) -> list[Line]:
    R = RelationshipRequest
    statement = sa.select(R.id, R.public_id, R.expires_at, R.organization, R.email).where(
        R.state == RequestState.SENT, R.expires_at > at, R.expires_at <= at + timedelta(days=days)
    )
    found = _rows(statement, query, Sort(R.expires_at, R.id), REQUEST)
    return [Line(REQUEST, row.id, row.public_id, row.expires_at, f"{row.organization} ({row.email})" if row.organization else row.email) for row in found]


def _leads(query: ListQuery, at: datetime, days: int) -> list[Line]:
    """Leads that wait for an answer (R54)."""
    statement = sa.select(Lead.id, Lead.public_id, Lead.due_at, Lead.company)
    statement = statement.where(Lead.state == LeadState.RECEIVED, Lead.due_at > at, Lead.due_at <= at + timedelta(days=days))
    return [Line(LEAD, *row) for row in _rows(statement, query, Sort(Lead.due_at, Lead.id), LEAD)]


def _rows(statement: Any, query: ListQuery, sort: Sort, kind: str) -> list[Any]:
    """One kind's rows from the query's position among all kinds on."""
    number, kinds = KINDS.index(kind), len(KINDS)
    after = query.after and (query.after[0], (query.after[1] - number) // kinds)
    before = query.before and (query.before[0], -((number - query.before[1]) // kinds))
    query = replace(query, after=after, before=before)
    return list(db.session.execute(lists.keyset(statement, query.way, sort, limit=MOST + 1), lists.place(query, sort)))
