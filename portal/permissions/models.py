"""What a partner permits a customer to buy for itself, and purchases that wait for the partner."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Public, Versioned, choice
from portal.core.money import Money
from portal.core.scope import Shared


class Category(StrEnum):
    RESERVATIONS = "reservations"


class Notice(StrEnum):
    """Whom of the partner a purchase is told at once (R76)."""

    NOBODY = "nobody"
    WHO_TURNED_IT_ON = "who_turned_it_on"
    ALL_AGENTS = "all_agents"


class PurchaseState(StrEnum):
    WAITING = "waiting"
    PLACED = "placed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class BuyingPermission(Shared, Public, Versioned, Base):
    """One per partner, customer and category; off until somebody turns it on (R70). Amounts in the customer's currency."""

    __tablename__ = "buying_permission"
    __table_args__ = (sa.UniqueConstraint("customer_id", "category", "partner_id"),)
    category: Mapped[Category] = mapped_column(choice(Category))
    on: Mapped[bool] = mapped_column(default=False)
    changed_at: Mapped[datetime]
    changed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    monthly_limit_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    approval_above_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    notice: Mapped[Notice] = mapped_column(choice(Notice), default=Notice.WHO_TURNED_IT_ON)

    @property
    def monthly_limit(self) -> Money | None:
        return Money(self.monthly_limit_minor, self.currency) if self.monthly_limit_minor is not None else None

    @property
    def approval_above(self) -> Money | None:
        return Money(self.approval_above_minor, self.currency) if self.approval_above_minor is not None else None


class Purchase(Shared, Public, Versioned, Base):
    """What a customer bought or asked to buy. It counts against the month's limit unless it was declined or withdrawn (R76).

    `key` comes with the form, so that a double click buys once. `month` is a text such as "2027-03": the one in which it was bought, and counts;
    until then the one in which it was asked for.
    """

    __tablename__ = "purchase"
    __table_args__ = (
        sa.UniqueConstraint("key", "customer_id"),
        sa.Index("ix_purchase_month", "partner_id", "customer_id", "category", "month"),
        sa.Index("ix_purchase_waiting", "partner_id", "state", "id"),
        sa.Index("ix_purchase_newest", "partner_id", "id"),
        sa.Index("ix_purchase_mine", "customer_id", "id"),
    )
    key: Mapped[UUID]
    category: Mapped[Category] = mapped_column(choice(Category))
    state: Mapped[PurchaseState] = mapped_column(choice(PurchaseState))
    state_at: Mapped[datetime]
    month: Mapped[str] = mapped_column(sa.Unicode(7))
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offer.id"))
    subscription_id: Mapped[int] = mapped_column(sa.ForeignKey("subscription.id"))
    quantity: Mapped[int]
    unit_minor: Mapped[int] = mapped_column(sa.BigInteger)
    total_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    wanted: Mapped[dict[str, Any]]  # name, instance type, region, term, scope as chosen
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    author_email: Mapped[str] = mapped_column(sa.Unicode(254))
    asked_at: Mapped[datetime]
    decided_by: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    declined_reason: Mapped[str] = mapped_column(sa.Unicode(1000), default="")
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("order.id"))

    @property
    def unit(self) -> Money:
        return Money(self.unit_minor, self.currency)

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)
