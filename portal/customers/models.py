"""The partner's record of a customer: its own half of the account (R10), and its tags."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.accounts.models import Organization
from portal.agreements.models import AgreementState
from portal.core import audit
from portal.core.db import Base, Key, Versioned, choice, sort_key
from portal.core.places import Address
from portal.core.scope import Owned, Shared


class RelationshipState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


class Segment(StrEnum):
    COMMERCIAL = "commercial"
    EDUCATION = "education"
    GOVERNMENT = "government"
    NONPROFIT = "nonprofit"


class Customer(Shared, Versioned, Base):
    """What one partner keeps of one customer. `public_id` is the customer ID: the organization's, the same for all partners.

    `ended`, `domain`, `country` and the keys repeat what the list sorts, filters and searches by, so that one index serves it.
    """

    __tablename__ = "customer"
    __table_args__ = (
        # The partner comes last: what one partner has is no narrow choice, and no planner shall think so.
        sa.UniqueConstraint("customer_id", "partner_id"),
        sa.UniqueConstraint("public_id", "partner_id"),
        sa.Index("ix_customer_name", "partner_id", "ended", "name_key", "id", "search_text"),
        sa.Index("ix_customer_domain", "partner_id", "ended", "domain", "id"),
        sa.Index("ix_customer_newest", "partner_id", "ended", "id"),
        sa.Index("ix_customer_state", "partner_id", "state", "name_key", "id"),
        sa.Index("ix_customer_agreement", "partner_id", "ended", "agreement", "name_key", "id"),
        sa.Index("ix_customer_reseller", "partner_id", "reseller_id", "name_key", "id"),
    )
    public_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    name_key: Mapped[str] = mapped_column(sort_key(200))
    domain: Mapped[str] = mapped_column(sort_key(253))
    country: Mapped[str] = mapped_column(sa.Unicode(2))
    search_text: Mapped[str] = mapped_column(sort_key(1200))
    state: Mapped[RelationshipState] = mapped_column(choice(RelationshipState))
    state_at: Mapped[datetime]
    ended: Mapped[int] = mapped_column(sa.Integer, sa.Computed("CASE WHEN state = 'ended' THEN 1 ELSE 0 END", persisted=True))
    agreement: Mapped[AgreementState] = mapped_column(choice(AgreementState), default=AgreementState.MISSING)
    reseller_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    first_name: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    last_name: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    email: Mapped[str] = mapped_column(sa.Unicode(254), default="")
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    billing_contact: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    billing_email: Mapped[str] = mapped_column(sa.Unicode(254), default="")
    billing_street: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    billing_district: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    billing_city: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    billing_region: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    billing_postal_code: Mapped[str] = mapped_column(sa.Unicode(20), default="")
    language: Mapped[str] = mapped_column(sa.Unicode(8), default="en")
    segment: Mapped[Segment] = mapped_column(choice(Segment), default=Segment.COMMERCIAL)
    notes: Mapped[str] = mapped_column(sa.UnicodeText, default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(sa.Unicode(120))
    ending_reason: Mapped[str | None] = mapped_column(sa.Unicode(1000))
    organization: Mapped[Organization] = relationship(foreign_keys="Customer.customer_id", lazy="joined", innerjoin=True)
    reseller: Mapped[Organization | None] = relationship(foreign_keys="Customer.reseller_id", lazy="select")

    @property
    def billing_address(self) -> Address:
        return Address(self.billing_street, self.billing_city, self.billing_region, self.billing_postal_code, self.country, self.billing_district)

    @property
    def logged(self) -> audit.Customer:
        """As the log names it."""
        assert self.customer_id is not None
        return audit.Customer(self.customer_id, self.name)


class CustomerTag(Owned, Base):
    """A free word of a partner's on a customer."""

    __tablename__ = "customer_tag"
    __table_args__ = (
        sa.UniqueConstraint("record_id", "tag"),
        sa.Index("ix_customer_tag_tag", "partner_id", "tag", "record_id"),
    )
    record_id: Mapped[int] = mapped_column(Key, sa.ForeignKey("customer.id", ondelete="CASCADE"))
    tag: Mapped[str] = mapped_column(sa.Unicode(40))
