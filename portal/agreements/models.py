"""Agreement texts, attestations and acceptances."""

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Public
from portal.core.scope import Shared


class AgreementState(StrEnum):
    """What a partner's customer list shows."""

    MISSING = "missing"
    ATTESTED = "attested"
    ACCEPTED = "accepted"
    OUTDATED = "outdated"


class AgreementText(Public, Base):
    """One version of the agreement in one language; `country` is empty for every country that has no text of its own."""

    __tablename__ = "agreement_text"
    __table_args__ = (sa.UniqueConstraint("country", "language", "version"),)
    country: Mapped[str] = mapped_column(sa.Unicode(2), default="")
    language: Mapped[str] = mapped_column(sa.Unicode(8))
    version: Mapped[int]
    body: Mapped[str] = mapped_column(sa.UnicodeText)
    published_at: Mapped[datetime]


class Attestation(Shared, Public, Base):
    """A partner's word that a person of the customer accepted; counts for that partner only."""

    __tablename__ = "agreement_attestation"
    __table_args__ = (sa.Index("ix_agreement_attestation_customer", "partner_id", "customer_id", "id"),)
    version: Mapped[int]
    first_name: Mapped[str] = mapped_column(sa.Unicode(100))
    last_name: Mapped[str] = mapped_column(sa.Unicode(100))
    email: Mapped[str] = mapped_column(sa.Unicode(254))
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    accepted_on: Mapped[date]
    attested_at: Mapped[datetime]
    attested_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))


class Acceptance(Public, Base):
    """A customer admin accepted in the portal; counts for every partner of the customer."""

    __tablename__ = "agreement_acceptance"
    __table_args__ = (sa.Index("ix_agreement_acceptance_customer", "organization_id", "id"),)
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    text_id: Mapped[int] = mapped_column(sa.ForeignKey("agreement_text.id"))
    version: Mapped[int]
    accepted_at: Mapped[datetime]
    accepted_by_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    accepted_by_name: Mapped[str] = mapped_column(sa.Unicode(120))
