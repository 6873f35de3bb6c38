"""Append-only log with one hash chain per organization (R95, R96), and the vocabulary of actions.

`record()` collects entries; just before the commit they are written together, each into the chain of every organization that
may see it. The hash covers a salted digest of what could name a person, so that it can be erased without breaking the chain.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy import event
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.access import Actor
from portal.core.db import Base, Key, db, limited, uuid7

GENESIS = "0" * 64


@dataclass(frozen=True)
class Customer:
    """The customer a change concerns, as the log names it."""

    organization_id: int
    name: str


class LogEntry(Base):
    """One event as one organization's chain tells it. Never updated, except to erase personal data.

    `subject` is the public key of the thing it happened to, so that the thing's page can tell its history.
    """

    __tablename__ = "log_entry"
    __table_args__ = (
        sa.UniqueConstraint("organization_id", "sequence"),
        sa.Index("ix_log_entry_at", "organization_id", "at", "id"),
        sa.Index("ix_log_entry_customer", "organization_id", "customer_id", "at", "id"),
        sa.Index("ix_log_entry_action", "organization_id", "action", "at", "id"),
        sa.Index("ix_log_entry_actor", "organization_id", "actor_id", "at", "id"),
        sa.Index("ix_log_entry_subject", "organization_id", "subject", "id"),
    )
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    sequence: Mapped[int]
    event_id: Mapped[UUID]
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(sa.Unicode(64))
    actor_id: Mapped[int | None]
    customer_id: Mapped[int | None]
    subject: Mapped[UUID | None]
    actor_name: Mapped[str | None] = mapped_column(sa.Unicode(200))
    customer_name: Mapped[str | None] = mapped_column(sa.Unicode(200))
    details: Mapped[dict[str, Any] | None]
    salt: Mapped[str | None] = mapped_column(sa.Unicode(32))
    digest: Mapped[str] = mapped_column(sa.Unicode(64))
    previous_hash: Mapped[str] = mapped_column(sa.Unicode(64))
    hash: Mapped[str] = mapped_column(sa.Unicode(64))


class LogChain(Base):
    """The head of an organization's chain: locked while entries are appended."""

    __tablename__ = "log_chain"
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"), unique=True)
    sequence: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str] = mapped_column(sa.Unicode(64), default=GENESIS)


# What pages show of an entry.
SHOWN = (LogEntry.id, LogEntry.at, LogEntry.action, LogEntry.actor_name, LogEntry.customer_id, LogEntry.customer_name, LogEntry.details)


@dataclass
class _Pending:
    action: str
    by: Actor
    at: datetime
    customer: Customer | None
    chains: tuple[int, ...]
    details: dict[str, Any]
    subject: UUID | None = None
    event_id: UUID = field(default_factory=uuid7)


def record(
    action: str,
    *,
    by: Actor,
    at: datetime,
    customer: Customer | None = None,
    seen_by: tuple[int | None, ...] = (),
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    subject: UUID | None = None,
) -> None:
    """Log a change in the caller's transaction.

    `seen_by` names the organizations whose chains tell it; the actor's own comes by itself. `before` and `after` hold only
    what changed, as plain values. `subject` is the public key of what changed.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} is not in the vocabulary")
    chains = tuple(sorted({chain for chain in (*seen_by, by.organization_id) if chain is not None}))
    details = {key: _plain(value) for key, value in (("before", before), ("after", after)) if value}
    db.session.info.setdefault("log", []).append(_Pending(action, by, at, customer, chains, details, subject))


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two sides reduced to the keys that differ."""
    keys = [key for key in after if before.get(key) != after[key]]
    return {key: before.get(key) for key in keys}, {key: after[key] for key in keys}


def verify(organization_id: int) -> int | None:
    """Walk one chain; the sequence number of its first broken entry, or None when it is intact.

    The head is read before and after the walk, so that entries committed meanwhile are no alarm.
    """
    at_first = _head(organization_id)
    reached = at_first == (0, GENESIS)
    expected_hash, expected_sequence = GENESIS, 0
    statement = sa.select(LogEntry).where(LogEntry.organization_id == organization_id).order_by(LogEntry.sequence)
    with contextlib.closing(db.session.scalars(statement.execution_options(yield_per=500))) as entries:
        for entry in entries:
            expected_sequence += 1
            if not _intact(entry, expected_sequence, expected_hash):
                return expected_sequence
            expected_hash = entry.hash
            reached = reached or at_first == (expected_sequence, expected_hash)
            db.session.expunge(entry)
    at_last = _head(organization_id)
    whole = reached and (at_last[0] > expected_sequence or at_last == (expected_sequence, expected_hash))
    return None if whole else expected_sequence + 1


def chains() -> Iterator[int]:
    """Organizations with a chain: also those whose head was taken away."""
    heads, entries = sa.select(LogChain.organization_id), sa.select(LogEntry.organization_id)
    yield from sorted(db.session.scalars(heads.union(entries)).all())


def recent(organization_id: int, customer_organization_id: int | None = None, limit: int = 5) -> list[Any]:
    """The latest entries of one chain, the newest first; those about one customer when it is named."""
    statement = _recent(customer_organization_id is not None, limit)
    return list(db.session.execute(statement, {"chain": organization_id, "customer": customer_organization_id}))


@functools.cache
def _recent(of_customer: bool, most: int) -> sa.Select:
    statement = sa.select(*SHOWN).where(LogEntry.organization_id == sa.bindparam("chain", type_=Key))
    if of_customer:
        statement = statement.where(LogEntry.customer_id == sa.bindparam("customer", type_=Key))
    return limited(statement.order_by(LogEntry.at.desc(), LogEntry.id.desc()), most)


def history(organization_id: int, subject: UUID) -> list[Any]:
    """What one chain tells of one thing, the newest first."""
    return list(db.session.execute(_HISTORY, {"chain": organization_id, "subject": subject}))


_HISTORY = limited(
    sa.select(*SHOWN)
    .where(LogEntry.organization_id == sa.bindparam("chain", type_=Key), LogEntry.subject == sa.bindparam("subject", type_=sa.Uuid()))
    .order_by(LogEntry.id.desc()),
    20,
)


def erase(entry: LogEntry) -> None:
    """Forget who and what an entry names; the chain stays intact."""
    entry.actor_name = entry.customer_name = entry.details = entry.salt = None


@event.listens_for(Session, "before_commit")
def _append(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint's release calls this too; the chains wait for the outermost commit
        return
    pending: list[_Pending] = [item for item in session.info.pop("log", []) if item.chains]
    if not pending:
        return
    heads = _locked_heads(session, sorted({chain for item in pending for chain in item.chains}))
    rows = []
    for item in pending:
        for chain in item.chains:
            head = heads[chain]
            salt = os.urandom(16).hex()
            customer_name = item.customer.name if item.customer else None
            entry: dict[str, Any] = {
                "organization_id": chain,
                "sequence": head.sequence + 1,
                "event_id": item.event_id,
                "at": item.at,
                "action": item.action,
                "actor_id": item.by.user_id,
                "customer_id": item.customer.organization_id if item.customer else None,
                "subject": item.subject,
                "actor_name": item.by.name,
                "customer_name": customer_name,
                "details": item.details,
                "salt": salt,
                "digest": _digest(salt, item.by.name, customer_name, item.details),
                "previous_hash": head.hash,
            }
            entry["hash"] = _hash(LogEntry(**entry))
            head.sequence, head.hash = entry["sequence"], entry["hash"]
            rows.append(entry)
    session.execute(sa.insert(LogEntry), rows)
    session.flush()


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction():  # what an undone savepoint recorded is dropped by attempt()
        session.info.pop("log", None)


def _intact(entry: LogEntry, sequence: int, previous_hash: str) -> bool:
    told = (entry.actor_name, entry.customer_name, entry.details)
    erased = entry.salt is None and told == (None, None, None)
    return (
        entry.sequence == sequence
        and entry.previous_hash == previous_hash
        and (erased or entry.digest == _digest(entry.salt or "", *told))
        and entry.hash == _hash(entry)
    )


def _head(organization_id: int) -> tuple[int, str]:
    row = db.session.execute(sa.select(LogChain.sequence, LogChain.hash).where(LogChain.organization_id == organization_id)).one_or_none()
    return (row.sequence, row.hash) if row else (0, GENESIS)


def _locked_heads(session: Session, organization_ids: list[int]) -> dict[int, LogChain]:
    """The chain heads, locked in one order so that two transactions never wait for each other."""
    heads = {head.organization_id: head for head in session.scalars(_HEADS, {"chains": organization_ids})}
    missing = [chain for chain in organization_ids if chain not in heads]
    if missing:
        insert = _upsert(session)(LogChain).values([{"organization_id": chain, "sequence": 0, "hash": GENESIS} for chain in missing])
        session.execute(insert.on_conflict_do_nothing(index_elements=["organization_id"]))
        heads = {head.organization_id: head for head in session.scalars(_HEADS, {"chains": organization_ids})}
    return heads


_chains = sa.select(LogChain).where(LogChain.organization_id.in_(sa.bindparam("chains", expanding=True)))
_HEADS = _chains.order_by(LogChain.organization_id).with_for_update().execution_options(populate_existing=True)


def _upsert(session: Session) -> Any:
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    return insert


def _digest(salt: str, actor: str | None, customer: str | None, details: dict[str, Any] | None) -> str:
    return hashlib.sha256((salt + _canonical([actor, customer, details])).encode()).hexdigest()


def _hash(entry: LogEntry) -> str:
    covered = [
        entry.organization_id,
        entry.sequence,
        str(entry.event_id),
        entry.at.isoformat(timespec="microseconds"),
        entry.action,
        entry.actor_id,
        entry.customer_id,
        entry.digest,
        entry.previous_hash,
        *([str(entry.subject)] if entry.subject is not None else []),
    ]
    return hashlib.sha256(_canonical(covered).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """JSON's own types, so that what is hashed is what is read back."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


ACTIONS = {
    "session.opened": _l("Signed in"),
    "session.refused": _l("Sign-in refused"),
    "session.ended": _l("Signed out"),
    "permission.refused": _l("Refused: no permission"),
    "password.changed": _l("Password changed"),
    "password.reset_requested": _l("Password reset requested"),
    "user.invited": _l("Person invited"),
    "user.invited_again": _l("Invitation sent again"),
    "user.activated": _l("Account activated"),
    "user.updated": _l("Person's details changed"),
    "user.roles_changed": _l("Roles changed"),
    "user.deactivated": _l("Person deactivated"),
    "user.reactivated": _l("Person reactivated"),
    "organization.created": _l("Organization created"),
    "organization.updated": _l("Organization's details changed"),
    "organization.domain_proven": _l("Domain proven"),
    "organization.domain_asked": _l("Asked whether a domain is taken"),
    "customer.added": _l("Customer added"),
    "customer.updated": _l("Customer's details changed"),
    "customer.exported": _l("Customers exported"),
    "agreement.attested": _l("Customer agreement attested"),
    "agreement.accepted": _l("Customer agreement accepted"),
    "agreement.requested": _l("Customer asked to accept the agreement"),
    "relationship_request.drafted": _l("Relationship request drafted"),
    "relationship_request.updated": _l("Relationship request changed"),
    "relationship_request.sent": _l("Relationship request sent"),
    "relationship_request.sent_again": _l("Relationship request sent again"),
    "relationship_request.accepted": _l("Relationship request accepted"),
    "relationship_request.declined": _l("Relationship request declined"),
    "relationship_request.expired": _l("Relationship request expired"),
    "relationship_request.revoked": _l("Relationship request revoked"),
    "relationship.pending": _l("Relationship pending"),
    "relationship.active": _l("Relationship started"),
    "relationship.ended": _l("Relationship ended"),
    "delegated_administration.active": _l("Delegated administration granted"),
    "delegated_administration.extended": _l("Delegated administration extended"),
    "delegated_administration.ended": _l("Delegated administration ended"),
    "offer.added": _l("Offer added to the catalog"),
    "offer.updated": _l("Offer changed"),
    "offer.withdrawn": _l("Offer withdrawn"),
    "offer.restored": _l("Offer available again"),
    "offer.priced": _l("Price set"),
    "offer.price_removed": _l("Price removed"),
    "catalog.imported": _l("Catalog imported"),
    "catalog.exported": _l("Catalog exported"),
    "order.requested": _l("Order sent to the provider"),
    "order.placed": _l("Order placed"),
    "order.declined": _l("Order declined"),
    "order.withdrawn": _l("Order withdrawn"),
    "subscription.active": _l("Subscription active"),
    "subscription.suspended": _l("Subscription suspended"),
    "subscription.cancelled": _l("Subscription cancelled"),
    "subscription.expired": _l("Subscription expired"),
    "subscription.renewed": _l("Subscription renewed"),
    "subscription.quantity_changed": _l("Quantity changed"),
    "subscription.renewal_changed": _l("Renewal changed"),
    "subscription.cancels_at_renewal": _l("Cancelled at renewal"),
    "subscription.trial_converted": _l("Trial converted"),
    "subscription.renamed": _l("Subscription renamed"),
    "subscription.support_contact_named": _l("Support contact named"),
    "subscription.support_contacts_returned": _l("Support contacts returned to the provider"),
    "subscription.reseller_named": _l("Reseller of a subscription changed"),
    "subscription.owner_named": _l("Owner of a subscription named"),
    "subscription.owner_taken": _l("Owner of a subscription removed"),
    "subscription.exported": _l("Subscriptions exported"),
    "reservation.active": _l("Reservation bought"),
    "reservation.cancelled": _l("Reservation cancelled"),
    "reservation.exchanged": _l("Reservation exchanged"),
    "reservation.expired": _l("Reservation expired"),
    "reservation.scope_changed": _l("Scope of a reservation changed"),
    "reservation.renewed": _l("Reservation renewed"),
    "reservation.used": _l("First use of a reservation recorded"),
    "reservation.exported": _l("Reservations exported"),
    "reservation_request.open": _l("Customer asked about a reservation"),
    "reservation_request.done": _l("Done as the customer asked"),
    "reservation_request.declined": _l("Customer's request about a reservation declined"),
    "reservation_request.withdrawn": _l("Customer took a request about a reservation back"),
    "buying.on": _l("Create customer purchase permissions"),
    "buying.off": _l("Delete customer purchase permissions"),
    "buying.limits_changed": _l("Limits of customer permissions changed"),
    "purchase.waiting": _l("Customer asked to buy"),
    "purchase.placed": _l("Customer bought"),
    "purchase.declined": _l("Customer's purchase declined"),
    "purchase.withdrawn": _l("Customer took a purchase back"),
    "lead.received": _l("Lead received"),
    "lead.accepted": _l("Lead accepted"),
    "lead.declined": _l("Lead declined"),
    "lead.expired": _l("Lead expired"),
    "lead.won": _l("Lead won"),
    "lead.lost": _l("Lead lost"),
    "lead.updated": _l("Lead changed"),
    "lead.noted": _l("Note on a lead written"),
    "lead.person_added": _l("Person added to a lead"),
    "lead.person_removed": _l("Person removed from a lead"),
    "lead.exported": _l("Leads exported"),
    "lead.imported": _l("Leads imported"),
    "lead.referred": _l("Lead referred to another partner"),
    "lead.converted": _l("Lead converted into a customer"),
    "partnership.sent": _l("Partnership requested"),
    "partnership.sent_again": _l("Partnership requested again"),
    "partnership.active": _l("Partnership started"),
    "partnership.declined": _l("Partnership declined"),
    "partnership.expired": _l("Request for a partnership expired"),
    "partnership.revoked": _l("Request for a partnership revoked"),
    "partnership.ended": _l("Partnership ended"),
    "profile.created": _l("Business profile drafted"),
    "profile.updated": _l("Business profile changed"),
    "profile.logo_changed": _l("Logo of a business profile changed"),
    "profile.published": _l("Business profile published"),
    "profile.taken_back": _l("Business profile taken back"),
    "profile.confirmed": _l("Business profile confirmed"),
    "profile.deleted": _l("Draft of a business profile deleted"),
    "activity.exported": _l("Activity log exported"),
    "mail.retried": _l("Mail sent again"),
}
