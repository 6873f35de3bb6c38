"""Leads, the people on them, their history and notes, favorites, and inquiries that wait for a confirmation."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Key, Public, Versioned, choice, sort_key
from portal.core.money import Money
from portal.core.scope import Owned

ANSWER_WITHIN = timedelta(days=14)
URGENT_FOR = timedelta(hours=72)


class LeadSource(StrEnum):
    """Where a lead comes from (R50)."""

    INQUIRY = "inquiry"
    MARKETING_QUALIFIED = "marketing_qualified"
    SALES_QUALIFIED = "sales_qualified"


class LeadState(StrEnum):
    """The stages of R51; won and lost are the archive."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    WON = "won"
    LOST = "lost"
    DECLINED = "declined"
    EXPIRED = "expired"


OPEN = (LeadState.RECEIVED, LeadState.ACCEPTED)


class DeclineReason(StrEnum):
    NO_CAPACITY = "no_capacity"
    NOT_OUR_FIELD = "not_our_field"
    NOT_OUR_REGION = "not_our_region"
    TOO_SMALL = "too_small"
    CANNOT_REACH = "cannot_reach"
    REFERRED = "referred"
    NOT_A_LEAD = "not_a_lead"
    OTHER = "other"


class LossReason(StrEnum):
    PRICE = "price"
    COMPETITOR = "competitor"
    POSTPONED = "postponed"
    NO_BUDGET = "no_budget"
    NO_ANSWER = "no_answer"
    REFERRED = "referred"
    OTHER = "other"


class CompanySize(StrEnum):
    """How many people work there."""

    UP_TO_9 = "1-9"
    UP_TO_49 = "10-49"
    UP_TO_249 = "50-249"
    UP_TO_999 = "250-999"
    MORE = "1000+"


class PersonKind(StrEnum):
    """Extra contacts at the customer's, and the partner's own people on the deal (R52)."""

    CONTACT = "contact"
    TEAM = "team"


class Lead(Owned, Public, Versioned, Base):
    """Somebody who may become a customer. `partner_id` is who answers; `referrer_id` the partner that referred it (R50).

    `qualified` tells the tabs apart; `answered_at` is when it was accepted or declined, for the response time (R57).
    """

    __tablename__ = "lead"
    __table_args__ = (
        sa.Index("ix_lead_newest", "partner_id", "qualified", "received_at", "id", "search_text"),
        sa.Index("ix_lead_state", "partner_id", "qualified", "state", "received_at", "id"),
        sa.Index("ix_lead_company", "partner_id", "qualified", "company_key", "id", "state", "source", "search_text"),
        sa.Index("ix_lead_source", "partner_id", "source", "received_at", "id"),
        sa.Index("ix_lead_stage", "partner_id", "state", "due_at", "id"),
        sa.Index("ix_lead_due", "state", "due_at", "id"),
        sa.Index("ix_lead_answered", "partner_id", "received_at"),
        sa.Index("ix_lead_closed", "partner_id", "state", "state_at"),
        sa.Index("ix_lead_referrer", "referrer_id", "id"),
        sa.Index("ix_lead_customer", "partner_id", "customer_id"),
        sa.Index("ix_lead_request", "request_id"),
        sa.Index("ix_lead_referred_to", "referred_to_id"),  # without it, SQLite looks through the table at each insert: the search index is a trigger
    )
    state: Mapped[LeadState] = mapped_column(choice(LeadState), default=LeadState.RECEIVED)
    state_at: Mapped[datetime]
    source: Mapped[LeadSource] = mapped_column(choice(LeadSource))
    qualified: Mapped[int] = mapped_column(sa.Integer, sa.Computed("CASE WHEN source = 'inquiry' THEN 0 ELSE 1 END", persisted=True))
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    search_text: Mapped[str] = mapped_column(sort_key(1200))

    company: Mapped[str] = mapped_column(sa.Unicode(200))
    company_key: Mapped[str] = mapped_column(sort_key(200))
    domain: Mapped[str] = mapped_column(sa.Unicode(253), default="")
    country: Mapped[str] = mapped_column(sa.Unicode(2))
    city: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    size: Mapped[CompanySize | None] = mapped_column(choice(CompanySize))
    first_name: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    last_name: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    email: Mapped[str] = mapped_column(sa.Unicode(254), default="")
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    language: Mapped[str] = mapped_column(sa.Unicode(8), default="en")
    message: Mapped[str] = mapped_column(sa.UnicodeText, default="")
    wants_contact: Mapped[bool] = mapped_column(default=False)

    deal_name: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    value_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str | None] = mapped_column(sa.Unicode(3))
    purchase_on: Mapped[date | None]
    wishes: Mapped[str] = mapped_column(sa.UnicodeText, default="")
    crm_id: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    campaign_id: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    decline_reason: Mapped[DeclineReason | None] = mapped_column(choice(DeclineReason))
    loss_reason: Mapped[LossReason | None] = mapped_column(choice(LossReason))
    closing_notes: Mapped[str] = mapped_column(sa.Unicode(2000), default="")

    entered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    referrer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    referred_to_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lead.id"))
    profile_id: Mapped[int | None] = mapped_column(Key)  # of the directory, a floor above: no foreign key
    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    request_id: Mapped[int | None] = mapped_column(sa.ForeignKey("relationship_request.id"))
    converted_at: Mapped[datetime | None]

    @property
    def contact(self) -> str:
        """The person's name, as far as it is known."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def value(self) -> Money | None:
        """What the deal is thought to be worth."""
        return Money(self.value_minor, self.currency) if self.value_minor is not None and self.currency else None


class LeadPerson(Owned, Public, Base):
    """Somebody on a lead: name, telephone, e-mail (R52)."""

    __tablename__ = "lead_person"
    __table_args__ = (sa.Index("ix_lead_person_lead", "lead_id", "id"),)
    lead_id: Mapped[int] = mapped_column(sa.ForeignKey("lead.id", ondelete="CASCADE"))
    kind: Mapped[PersonKind] = mapped_column(choice(PersonKind))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    email: Mapped[str] = mapped_column(sa.Unicode(254), default="")


class LeadEntry(Owned, Public, Base):
    """One line of a lead's history: a note somebody wrote, or what was done with it (`action` is the log's word)."""

    __tablename__ = "lead_entry"
    __table_args__ = (sa.Index("ix_lead_entry_lead", "lead_id", "id"),)
    lead_id: Mapped[int] = mapped_column(sa.ForeignKey("lead.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    action: Mapped[str | None] = mapped_column(sa.Unicode(64))
    text: Mapped[str] = mapped_column(sa.UnicodeText, default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class LeadFavorite(Owned, Base):
    """A user's heart on a lead."""

    __tablename__ = "lead_favorite"
    __table_args__ = (sa.UniqueConstraint("user_id", "lead_id"), sa.Index("ix_lead_favorite_lead", "lead_id"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    lead_id: Mapped[int] = mapped_column(sa.ForeignKey("lead.id", ondelete="CASCADE"))
