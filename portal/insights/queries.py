"""What the first page tells, in few statements: each looks at a bounded number of rows."""

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.core.access import Actor, PartnerType, Permission
from portal.core.db import db, limited
from portal.core.lists import COUNTED_UP_TO
from portal.core.outbox import Mail, MailState
from portal.customers.models import Customer, RelationshipState
from portal.leads.models import OPEN, Lead, LeadState
from portal.permissions.models import Purchase, PurchaseState
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestState
from portal.subscriptions.models import AskedState, Order, OrderState, ReservationRequest, Subscription, SubscriptionState
from portal.subscriptions.queries import of_a_partner

SOON = timedelta(days=30)
TO_ANSWER = timedelta(days=3)
LATELY = timedelta(days=14)
LOOKED_THROUGH = 500
SHOWN = 5


@dataclass(frozen=True)
class Counts:
    """Each stops at one past COUNTED_UP_TO; None for what this person may not see."""

    customers: int | None
    pending: int | None
    waiting: int | None
    failed: int | None
    leads: int | None
    leads_due: int | None
    subscriptions: int | None
    ending: int | None
    orders: int | None
    purchases: int | None
    asked: int | None


def counts(actor: Actor, at: datetime) -> Counts:
    """All in one statement."""
    needed = (
        Permission.CUSTOMER_READ,
        Permission.REQUEST_READ,
        Permission.OUTBOX_READ,
        Permission.LEAD_WORK,
        Permission.SUBSCRIPTION_READ,
        Permission.PURCHASE_APPROVE,
    )
    statement = _counts(*(actor.may(permission) for permission in needed), actor.partner_type is PartnerType.INDIRECT_PROVIDER)
    known = {"organization": actor.organization_id, "answer_by": at + TO_ANSWER, "soon": (at + SOON).date()}
    return Counts(**db.session.execute(statement, known).one()._asdict())


@functools.cache
def _counts(customers: bool, requests: bool, outbox: bool, leads: bool, subscriptions: bool, purchases: bool, provider: bool) -> sa.Select:
    """Built once for each set of permissions."""
    R, S = RelationshipRequest, Subscription
    active = sa.select(S.id).where(S.state == SubscriptionState.ACTIVE)
    latest = limited(sa.select(Mail.state).where(Mail.organization_id == sa.bindparam("organization")).order_by(Mail.id.desc()), LOOKED_THROUGH).subquery()
    counted = {
        "customers": (customers, sa.select(Customer.id).where(Customer.ended == 0)),
        "pending": (customers, sa.select(Customer.id).where(Customer.state == RelationshipState.PENDING)),
        "waiting": (requests, sa.select(R.id).where(R.state == RequestState.SENT)),
        "failed": (outbox, sa.select(latest.c.state).where(latest.c.state == MailState.FAILED)),
        "leads": (leads, sa.select(Lead.id).where(Lead.state.in_(OPEN))),
        "leads_due": (leads, sa.select(Lead.id).where(Lead.state == LeadState.RECEIVED, Lead.due_at <= sa.bindparam("answer_by", type_=Lead.due_at.type))),
        "subscriptions": (subscriptions, active),
        "ending": (subscriptions, active.where(S.auto_renew.is_(False), S.turns_on <= sa.bindparam("soon", type_=S.turns_on.type))),
        "orders": (subscriptions and provider, sa.select(Order.id).where(Order.state == OrderState.REQUESTED)),
        "asked": (subscriptions, sa.select(ReservationRequest.id).where(ReservationRequest.state == AskedState.OPEN)),
        "purchases": (purchases, sa.select(Purchase.id).where(Purchase.state == PurchaseState.WAITING, of_a_partner(Purchase))),
    }
    return sa.select(*((_capped(rows) if shown else sa.null()).label(name) for name, (shown, rows) in counted.items()))


def answered(at: datetime) -> list[Any]:
    """Requests that were answered or ran out lately: in the portal this is how the partner is told (R24)."""
    return list(db.session.execute(_answered(), {"since": at - LATELY}))


@functools.cache
def _answered() -> sa.Select:
    R = RelationshipRequest
    newest = sa.select(R.public_id, R.email, R.organization, R.state, R.state_at, R.answered_by).order_by(R.id.desc())
    latest = limited(newest, LOOKED_THROUGH).subquery()
    told = latest.c.state.in_([RequestState.ACCEPTED, RequestState.DECLINED, RequestState.EXPIRED])
    lately = latest.c.state_at >= sa.bindparam("since", type_=R.state_at.type)
    return limited(sa.select(latest).where(told, lately).order_by(latest.c.state_at.desc()), SHOWN)


def lapsing(at: datetime) -> list[Any]:
    """Delegated administration that ends soon and does not extend itself."""
    return list(db.session.execute(_lapsing(), {"now": at, "soon": at + SOON}))


@functools.cache
def _lapsing() -> sa.Select:
    D = DelegatedAdministration
    now, soon = (sa.bindparam(name, type_=D.ends_at.type) for name in ("now", "soon"))
    statement = sa.select(D.ends_at, Customer.name, Customer.public_id).join(Customer, Customer.customer_id == D.customer_id)
    statement = statement.where(D.state == DelegationState.ACTIVE, D.ends_at > now, D.ends_at <= soon, ~D.auto_extend)
    return limited(statement.order_by(D.ends_at, D.id), SHOWN)


def _capped(rows: sa.Select[Any]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(limited(rows, COUNTED_UP_TO + 1).subquery()).scalar_subquery()
