"""A customer that is being added: nothing of it exists before Submit (R16)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Public, Versioned
from portal.core.scope import Owned


class CustomerDraft(Owned, Public, Versioned, Base):
    """What a user has typed and chosen so far; its author's alone."""

    __tablename__ = "customer_draft"
    __table_args__ = (sa.Index("ix_customer_draft_author", "partner_id", "author_id", "id"),)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    typed: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime]
    customer_public_id: Mapped[UUID | None]  # set by Submit: a second click leads to the same confirmation
    origin: Mapped[UUID | None]  # the lead that it came from (R56), of a floor above: no foreign key

    @property
    def lines(self) -> dict[str, int]:
        """The offers chosen so far: quantity by public key."""
        return dict(self.typed.get("lines") or {})
