"""The catalog with its prices, carts, orders, subscriptions with what they charge, and reservations."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.access import Side
from portal.core.db import Base, Public, Versioned, choice, sort_key
from portal.core.money import Money
from portal.core.scope import Owned, Resold, Shared
from portal.customers.models import Segment
from portal.subscriptions.terms import Period


class Billing(StrEnum):
    LICENCE = "licence"
    USAGE = "usage"


class Cycle(StrEnum):
    MONTHLY = "monthly"
    ANNUAL = "annual"

    @property
    def months(self) -> int:
        return 1 if self is Cycle.MONTHLY else 12


class ReservationScope(StrEnum):
    SINGLE = "single"
    SHARED = "shared"


class OrderState(StrEnum):
    """An order of an indirect reseller waits for its provider; every other one is placed at once."""

    REQUESTED = "requested"
    PLACED = "placed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class SubscriptionState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class ReservationState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"


class RequestKind(StrEnum):
    """What a customer asks its partner to do with a reservation (R74)."""

    EXCHANGE = "exchange"
    CANCEL = "cancel"
    RENEW = "renew"
    RESCOPE = "rescope"


class AskedState(StrEnum):
    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ChargeKind(StrEnum):
    """Why something is charged or, with a negative amount, credited."""

    PERIOD = "period"
    INCREASE = "increase"
    CREDIT = "credit"
    RESERVATION = "reservation"
    REFUND = "refund"


def _only_where(column: str) -> dict[str, Any]:
    """An index of the few rows that have a value there: where most have none, a planner takes it for no narrow choice."""
    given = sa.text(f"{column} IS NOT NULL")
    return {"sqlite_where": given, "postgresql_where": given}


class Offer(Owned, Public, Versioned, Base):
    """What a partner sells (R80). A reservation offer names an instance type and a region; its price is for the whole term and one piece."""

    __tablename__ = "offer"
    __table_args__ = (
        sa.UniqueConstraint("sku", "partner_id"),
        sa.Index("ix_offer_name", "partner_id", "withdrawn", "name_key", "id", "search_text"),
        sa.Index("ix_offer_publisher", "partner_id", "withdrawn", "publisher", "name_key", "id"),
        sa.Index("ix_offer_category", "partner_id", "withdrawn", "category", "name_key", "id"),
        sa.Index("ix_offer_add_on_of", "add_on_of_id"),
        sa.Index("ix_offer_reservation", "partner_id", "withdrawn", "name_key", "id", "search_text", **_only_where("instance_type")),
        sa.Index("ix_offer_region", "partner_id", "withdrawn", "region", "name_key", "id", **_only_where("instance_type")),
        sa.CheckConstraint("minimum >= 1 AND maximum >= minimum", name="quantities"),
        sa.CheckConstraint("trial_days >= 0", name="trial_days"),
    )
    sku: Mapped[str] = mapped_column(sa.Unicode(64))
    publisher: Mapped[str] = mapped_column(sa.Unicode(100))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    name_key: Mapped[str] = mapped_column(sort_key(200))
    search_text: Mapped[str] = mapped_column(sort_key(1200))
    description: Mapped[str] = mapped_column(sa.Unicode(2000), default="")
    category: Mapped[str] = mapped_column(sa.Unicode(100))
    segment: Mapped[Segment | None] = mapped_column(choice(Segment))
    billing: Mapped[Billing] = mapped_column(choice(Billing))
    cycle: Mapped[Cycle] = mapped_column(choice(Cycle))
    term_months: Mapped[int]
    minimum: Mapped[int] = mapped_column(default=1)
    maximum: Mapped[int] = mapped_column(default=10_000)
    one_per_customer: Mapped[bool] = mapped_column(default=False)
    trial_days: Mapped[int] = mapped_column(default=0)
    add_on_of_id: Mapped[int | None] = mapped_column(sa.ForeignKey("offer.id"))
    clouds: Mapped[list[str]] = mapped_column(default=list)  # empty: the partner's own
    markets: Mapped[list[str]] = mapped_column(default=list)  # empty: the partner's own
    instance_type: Mapped[str | None] = mapped_column(sa.Unicode(100))
    region: Mapped[str | None] = mapped_column(sa.Unicode(100))
    withdrawn: Mapped[bool] = mapped_column(default=False)
    withdrawn_reason: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    created_at: Mapped[datetime]

    @property
    def is_reservation(self) -> bool:
        return self.instance_type is not None


class OfferPrice(Owned, Base):
    """What one piece costs for one billing cycle (a reservation: for its term), in one currency, from a day on."""

    __tablename__ = "offer_price"
    __table_args__ = (
        sa.UniqueConstraint("offer_id", "currency", "from_on"),
        sa.CheckConstraint("price_minor >= 0 AND (cost_minor IS NULL OR cost_minor >= 0)", name="amounts"),
    )
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offer.id", ondelete="CASCADE"))
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    from_on: Mapped[date]
    price_minor: Mapped[int] = mapped_column(sa.BigInteger)
    cost_minor: Mapped[int | None] = mapped_column(sa.BigInteger)

    @property
    def price(self) -> Money:
        return Money(self.price_minor, self.currency)

    @property
    def cost(self) -> Money | None:
        return Money(self.cost_minor, self.currency) if self.cost_minor is not None else None


class CatalogImport(Owned, Public, Base):
    """The rows of a file that somebody looks through before they go into the catalog; one a person. `result` counts what it did."""

    __tablename__ = "catalog_import"
    __table_args__ = (sa.Index("ix_catalog_import_author", "partner_id", "author_id"),)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    rows: Mapped[list[Any]] = mapped_column(sa.JSON())
    saved_at: Mapped[datetime]
    imported_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Cart(Owned, Public, Versioned, Base):
    """What somebody of the partner is putting together for one customer. Ordered once: its key becomes the order's (R81)."""

    __tablename__ = "cart"
    __table_args__ = (sa.Index("ix_cart_author", "partner_id", "author_id", "customer_id", "ordered_at"),)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"))
    provider_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    lines: Mapped[dict[str, Any]] = mapped_column(default=dict)  # public id of the offer -> quantity
    saved_at: Mapped[datetime]
    ordered_at: Mapped[datetime | None]


class Order(Shared, Resold, Public, Versioned, Base):
    """What was ordered, by whom. `partner_id` sells and bills; `reseller_id` asked its provider for it. `key` makes a second try find the first (R81)."""

    __tablename__ = "order"
    __table_args__ = (
        sa.UniqueConstraint("key", "partner_id"),
        sa.Index("ix_order_customer", "partner_id", "customer_id", "id"),
        sa.Index("ix_order_newest", "partner_id", "id"),
        sa.Index("ix_order_state", "partner_id", "state", "id"),
        sa.Index("ix_order_side", "partner_id", "side", "id"),
        sa.Index("ix_order_mine", "customer_id", "id"),
        sa.Index("ix_order_reseller", "reseller_id", "id"),
    )
    key: Mapped[UUID]
    state: Mapped[OrderState] = mapped_column(choice(OrderState), default=OrderState.PLACED)
    state_at: Mapped[datetime]
    side: Mapped[Side] = mapped_column(choice(Side))
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    total_minor: Mapped[int] = mapped_column(sa.BigInteger)
    ordered_at: Mapped[datetime]
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    declined_reason: Mapped[str] = mapped_column(sa.Unicode(1000), default="")

    @property
    def total(self) -> Money:
        """What the order charges at once, without tax."""
        return Money(self.total_minor, self.currency)


class OrderLine(Shared, Resold, Base):
    """`subscription_id` is the one that began by it; of a reservation that is asked for and not placed yet, the one that alone is to use it."""

    __tablename__ = "order_line"
    __table_args__ = (sa.Index("ix_order_line_order", "order_id", "id"),)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("order.id", ondelete="CASCADE"))
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offer.id"))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    quantity: Mapped[int]
    unit_minor: Mapped[int] = mapped_column(sa.BigInteger)
    today_minor: Mapped[int] = mapped_column(sa.BigInteger)
    scope: Mapped[ReservationScope | None] = mapped_column(choice(ReservationScope))
    subscription_id: Mapped[int | None] = mapped_column(sa.ForeignKey("subscription.id"))
    reservation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("reservation.id"))


class Subscription(Shared, Resold, Public, Versioned, Base):
    """Licences or usage that a customer has from a partner (R82-R85).

    The term runs from `starts_on` up to `ends_on`; billing periods follow the day of `anchor_on`. `billed_to` is the day up to which periods are charged.
    `search_text` has the customer's name with this partner too, so that one index serves the list over all customers.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        sa.Index("ix_subscription_customer", "partner_id", "customer_id", "state", "id"),
        sa.Index("ix_subscription_name", "partner_id", "customer_id", "name_key", "id"),
        sa.Index("ix_subscription_newest", "partner_id", "id"),
        sa.Index("ix_subscription_state", "partner_id", "state", "id"),
        sa.Index("ix_subscription_turns", "partner_id", "state", "auto_renew", "turns_on", "id"),
        sa.Index("ix_subscription_trial", "partner_id", "state", "trial_ends_on", "id", **_only_where("trial_ends_on")),
        sa.Index("ix_subscription_mine", "customer_id", "id"),
        sa.Index("ix_subscription_reseller", "reseller_id", "customer_id", "id"),
        sa.Index("ix_subscription_resold", "reseller_id", "id", **_only_where("reseller_id")),
        sa.Index("ix_subscription_base", "base_id", "partner_id", **_only_where("base_id")),
        sa.Index("ix_subscription_due", "state", "due_on"),
        sa.Index("ix_subscription_remind", "remind_on"),
        sa.CheckConstraint("quantity >= 1", name="quantity"),
        sa.CheckConstraint("ends_on > starts_on", name="term"),
    )
    state: Mapped[SubscriptionState] = mapped_column(choice(SubscriptionState), default=SubscriptionState.ACTIVE)
    state_at: Mapped[datetime]
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offer.id"))
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("order.id"))
    base_id: Mapped[int | None] = mapped_column(sa.ForeignKey("subscription.id"))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    name_key: Mapped[str] = mapped_column(sort_key(200))
    search_text: Mapped[str] = mapped_column(sort_key(1200), default="")
    nickname: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    billing: Mapped[Billing] = mapped_column(choice(Billing))
    cycle: Mapped[Cycle] = mapped_column(choice(Cycle))
    term_months: Mapped[int]
    quantity: Mapped[int]
    next_quantity: Mapped[int | None]
    unit_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    ordered_at: Mapped[datetime]
    anchor_on: Mapped[date]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    billed_to: Mapped[date]
    trial_ends_on: Mapped[date | None]
    auto_renew: Mapped[bool] = mapped_column(default=True)
    cancels: Mapped[bool] = mapped_column(default=False)  # asked for after the window: stops at renewal (R83)
    suspended_on: Mapped[date | None]
    suspended_with_base: Mapped[bool] = mapped_column(default=False)
    due_on: Mapped[date]  # the next day on which time does something to it
    turns_on: Mapped[date | None]  # the day on which it renews, ends or, suspended, expires; of one that is over, its last
    remind_on: Mapped[date | None]  # the next day on which somebody is told about that
    support_contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))

    @property
    def unit(self) -> Money:
        """Of one piece for one billing cycle."""
        return Money(self.unit_minor, self.currency)

    @property
    def term(self) -> Period:
        return Period(self.starts_on, self.ends_on)

    @property
    def shown_name(self) -> str:
        return self.nickname or self.name

    @property
    def each_cycle(self) -> Money:
        """Of all pieces for one billing cycle."""
        return self.unit.times(self.quantity)


class SubscriptionOwner(Shared, Base):
    """A customer's purchaser who is named owner of a subscription (R71)."""

    __tablename__ = "subscription_owner"
    __table_args__ = (sa.UniqueConstraint("subscription_id", "user_id"), sa.Index("ix_subscription_owner_user", "user_id"))
    subscription_id: Mapped[int] = mapped_column(sa.ForeignKey("subscription.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))


class Reservation(Shared, Resold, Public, Versioned, Base):
    """Capacity paid for ahead: an instance type in a region for a term (R73). It replaces one that was exchanged, or goes on where another ends.

    `renewed` tells that another one, bought already, goes on where this one ends; `reminded_days` how long before its end it was last told of.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        sa.Index("ix_reservation_newest", "partner_id", "id"),
        sa.Index("ix_reservation_state", "partner_id", "state", "id"),
        sa.Index("ix_reservation_customer", "partner_id", "customer_id", "id"),
        sa.Index("ix_reservation_mine", "customer_id", "id"),
        sa.Index("ix_reservation_replaces", "replaces_id"),
        sa.Index("ix_reservation_ends", "state", "ends_on"),
        sa.Index("ix_reservation_coming", "partner_id", "state", "ends_on", "id"),
        sa.CheckConstraint("quantity >= 1", name="quantity"),
    )
    state: Mapped[ReservationState] = mapped_column(choice(ReservationState), default=ReservationState.ACTIVE)
    state_at: Mapped[datetime]
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey("offer.id"))
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("order.id"))
    subscription_id: Mapped[int | None] = mapped_column(sa.ForeignKey("subscription.id"))  # that it is scoped to
    replaces_id: Mapped[int | None] = mapped_column(sa.ForeignKey("reservation.id"))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    search_text: Mapped[str] = mapped_column(sort_key(1200), default="")
    instance_type: Mapped[str] = mapped_column(sa.Unicode(100))
    region: Mapped[str] = mapped_column(sa.Unicode(100))
    term_months: Mapped[int]
    scope: Mapped[ReservationScope] = mapped_column(choice(ReservationScope))
    quantity: Mapped[int]
    paid_minor: Mapped[int] = mapped_column(sa.BigInteger)
    refund_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    used: Mapped[bool] = mapped_column(default=False)
    renewed: Mapped[bool] = mapped_column(default=False)
    reminded_days: Mapped[int | None]
    bought_side: Mapped[Side] = mapped_column(choice(Side))
    bought_by: Mapped[str] = mapped_column(sa.Unicode(120))

    @property
    def paid(self) -> Money:
        return Money(self.paid_minor, self.currency)

    @property
    def ended_on(self) -> date:
        """The end of its term, or the day on which it was cancelled or exchanged before."""
        given_back = self.state in (ReservationState.CANCELLED, ReservationState.EXCHANGED)
        return self.state_at.date() if given_back else self.ends_on

    @property
    def refund(self) -> Money | None:
        """What was given back, when it was cancelled or exchanged."""
        return Money(self.refund_minor, self.currency) if self.refund_minor is not None else None

    @property
    def term(self) -> Period:
        return Period(self.starts_on, self.ends_on)


class ReservationRequest(Shared, Public, Versioned, Base):
    """What a customer asks its partner to do with a reservation, and the answer; one open at a time (R74)."""

    __tablename__ = "reservation_request"
    __table_args__ = (
        sa.Index("ix_reservation_request_state", "partner_id", "state", "id"),
        sa.Index("ix_reservation_request_reservation", "reservation_id", "id"),
        sa.Index(
            "uq_reservation_request_open", "reservation_id", unique=True, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        ),
    )
    reservation_id: Mapped[int] = mapped_column(sa.ForeignKey("reservation.id"))
    state: Mapped[AskedState] = mapped_column(choice(AskedState), default=AskedState.OPEN)
    state_at: Mapped[datetime]
    kind: Mapped[RequestKind] = mapped_column(choice(RequestKind))
    message: Mapped[str] = mapped_column(sa.Unicode(2000))
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))
    author_name: Mapped[str] = mapped_column(sa.Unicode(120))
    asked_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(sa.Unicode(1000), default="")
    answered_by: Mapped[str] = mapped_column(sa.Unicode(120), default="")


class Charge(Shared, Resold, Base):
    """An amount due, or credited when negative, for a period: what billing collects (R83, R84, R90)."""

    __tablename__ = "charge"
    __table_args__ = (
        sa.Index("ix_charge_subscription", "subscription_id", "id"),
        sa.Index("ix_charge_customer", "partner_id", "customer_id", "id"),
        # The period of a subscription is charged once, however often a job runs.
        sa.Index(
            "uq_charge_period", "subscription_id", "from_on", unique=True, sqlite_where=sa.text("kind = 'period'"), postgresql_where=sa.text("kind = 'period'")
        ),
    )
    kind: Mapped[ChargeKind] = mapped_column(choice(ChargeKind))
    at: Mapped[datetime]
    subscription_id: Mapped[int | None] = mapped_column(sa.ForeignKey("subscription.id"))
    reservation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("reservation.id"))
    quantity: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Unicode(3))
    from_on: Mapped[date]
    to_on: Mapped[date]
