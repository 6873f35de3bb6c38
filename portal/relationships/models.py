"""Relationship requests, registrations on the way in, delegated administration, and partnerships."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.accounts.models import Organization
from portal.core.db import Base, Public, Versioned, choice
from portal.core.scope import Owned, Resold, Shared
from portal.core.tokens import OneTimeLink


class RequestState(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"


class RequestPurpose(StrEnum):
    CONNECT = "connect"
    REINSTATE = "reinstate"
    EXTEND = "extend"


class SendingWay(StrEnum):
    """The three ways out of R20."""

    PORTAL = "portal"
    MAIL_PROGRAM = "mail_program"
    COPY = "copy"


class AdminRole(StrEnum):
    """What a customer can delegate (R30)."""

    DIRECTORY_READER = "directory_reader"
    HELPDESK_ADMINISTRATOR = "helpdesk_administrator"
    USER_ADMINISTRATOR = "user_administrator"
    SERVICE_SUPPORT_ADMINISTRATOR = "service_support_administrator"
    LICENCE_ADMINISTRATOR = "licence_administrator"
    GLOBAL_ADMINISTRATOR = "global_administrator"


class DelegationState(StrEnum):
    REQUESTED = "requested"
    ACTIVE = "active"
    ENDED = "ended"


class PartnershipState(StrEnum):
    SENT = "sent"
    ACTIVE = "active"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ENDED = "ended"


class RelationshipRequest(Shared, Public, Versioned, Base):
    """One request to one address. `customer_id` is the customer it is for, or who accepted it.

    `provider_id` is the provider that a reseller asks for along with itself (R28).
    """

    __tablename__ = "relationship_request"
    __table_args__ = (
        sa.Index("ix_relationship_request_newest", "partner_id", "id"),
        sa.Index("ix_relationship_request_state", "partner_id", "state", "id"),
        sa.Index("ix_relationship_request_due", "state", "expires_at"),
        sa.Index("ix_relationship_request_customer", "partner_id", "customer_id", "id"),
        sa.Index("ix_relationship_request_for", "customer_id", "state"),
    )
    state: Mapped[RequestState] = mapped_column(choice(RequestState), default=RequestState.DRAFT)
    state_at: Mapped[datetime]
    purpose: Mapped[RequestPurpose] = mapped_column(choice(RequestPurpose), default=RequestPurpose.CONNECT)
    named: Mapped[bool] = mapped_column(default=False)
    email: Mapped[str] = mapped_column(sa.Unicode(254))
    organization: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    language: Mapped[str] = mapped_column(sa.Unicode(8))
    delegated_administration: Mapped[bool] = mapped_column(default=False)
    roles: Mapped[list[str]] = mapped_column(default=list)
    duration_days: Mapped[int | None]
    auto_extend: Mapped[bool] = mapped_column(default=False)
    subject: Mapped[str] = mapped_column(sa.Unicode(200))
    body: Mapped[str] = mapped_column(sa.UnicodeText)
    sending_way: Mapped[SendingWay | None] = mapped_column(choice(SendingWay))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(sa.Unicode(400))
    decline_reason: Mapped[str | None] = mapped_column(sa.Unicode(1000))
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    author_email: Mapped[str] = mapped_column(sa.Unicode(254))
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"), index=True)
    provider_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    link: Mapped[OneTimeLink | None] = relationship(lazy="select")
    partner: Mapped[Organization] = relationship(foreign_keys="RelationshipRequest.partner_id", lazy="select")
    provider: Mapped[Organization | None] = relationship(foreign_keys="RelationshipRequest.provider_id", lazy="select")


class Registration(Owned, Public, Base):
    """What somebody typed on the way in, until the mailbox is proven: it survives every detour (R23)."""

    __tablename__ = "registration"
    request_id: Mapped[int] = mapped_column(sa.ForeignKey("relationship_request.id"), unique=True)
    typed: Mapped[dict[str, Any]]
    code_link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"))
    saved_at: Mapped[datetime]
    code_link: Mapped[OneTimeLink | None] = relationship(lazy="select")


class DelegatedAdministration(Shared, Public, Versioned, Base):
    """Admin roles that a customer granted to a partner for a time."""

    __tablename__ = "delegated_administration"
    __table_args__ = (
        sa.Index("ix_delegated_administration_customer", "partner_id", "customer_id", "state"),
        sa.Index("ix_delegated_administration_due", "state", "ends_at"),
        sa.Index("ix_delegated_administration_ends", "partner_id", "state", "ends_at", "id"),
    )
    state: Mapped[DelegationState] = mapped_column(choice(DelegationState), default=DelegationState.REQUESTED)
    state_at: Mapped[datetime]
    roles: Mapped[list[str]] = mapped_column(default=list)
    duration_days: Mapped[int]
    auto_extend: Mapped[bool] = mapped_column(default=False)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    reminded_days: Mapped[int | None]
    ended_by: Mapped[str | None] = mapped_column(sa.Unicode(200))
    request_id: Mapped[int] = mapped_column(sa.ForeignKey("relationship_request.id"))


class Partnership(Resold, Public, Versioned, Base):
    """A provider (`partner_id`) asks a reseller to work with it; `reseller_id` is whoever accepted (R40).

    `standing` is the list's order: 2 while it is active, 1 while it waits for an answer, 0 afterwards.
    """

    __tablename__ = "partnership"
    __table_args__ = (
        sa.Index("ix_partnership_listed", "partner_id", "standing", "id"),
        sa.Index("ix_partnership_state", "partner_id", "state", "id"),
        sa.Index("ix_partnership_reseller", "reseller_id", "standing", "id"),
        sa.Index("ix_partnership_due", "state", "expires_at"),
        sa.Index(
            "uq_partnership_active",
            "partner_id",
            "reseller_id",
            unique=True,
            sqlite_where=sa.text("state = 'active'"),
            postgresql_where=sa.text("state = 'active'"),
        ),
    )
    state: Mapped[PartnershipState] = mapped_column(choice(PartnershipState), default=PartnershipState.SENT)
    state_at: Mapped[datetime]
    standing: Mapped[int] = mapped_column(sa.Integer, sa.Computed("CASE state WHEN 'active' THEN 2 WHEN 'sent' THEN 1 ELSE 0 END", persisted=True))
    email: Mapped[str] = mapped_column(sa.Unicode(254))
    organization: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    language: Mapped[str] = mapped_column(sa.Unicode(8))
    subject: Mapped[str] = mapped_column(sa.Unicode(200))
    body: Mapped[str] = mapped_column(sa.UnicodeText)
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(sa.Unicode(400))
    decline_reason: Mapped[str | None] = mapped_column(sa.Unicode(1000))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(sa.Unicode(400))
    ending_reason: Mapped[str | None] = mapped_column(sa.Unicode(1000))
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    author_email: Mapped[str] = mapped_column(sa.Unicode(254))
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"), index=True)
    link: Mapped[OneTimeLink | None] = relationship(lazy="select")
    partner: Mapped[Organization] = relationship(foreign_keys="Partnership.partner_id", lazy="select")
    reseller: Mapped[Organization | None] = relationship(foreign_keys="Partnership.reseller_id", lazy="select")
