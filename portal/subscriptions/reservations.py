"""Reservations after they are bought: the partner cancels, exchanges, renews and re-scopes them, time ends them (R73, R74)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core import audit, jobs
from portal.core.access import PORTAL, Actor, Cloud, Side
from portal.core.db import db, uuid7
from portal.core.errors import Refused, Stale
from portal.core.money import Money
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from portal.subscriptions import ordering, reservation_queries, reservation_requests, terms, texts_orders
from portal.subscriptions.models import (
    Billing,
    Charge,
    ChargeKind,
    Offer,
    Order,
    RequestKind,
    Reservation,
    ReservationScope,
    ReservationState,
    Subscription,
    SubscriptionState,
)
from portal.subscriptions.ordering import Holding, Quote
from portal.subscriptions.states import RESERVATION
from portal.subscriptions.texts_catalog import UNAVAILABLE

FULL_WITHIN = timedelta(days=5)
KEPT = Decimal("0.88")  # of the days left, later: twelve per cent are the publisher's


@dataclass(frozen=True)
class Exchange:
    """An exchange as it would be made today: what comes back of the old one, and what the new one costs."""

    line: Quote
    subscription: Subscription | None
    refund: Money

    @property
    def price(self) -> Money:
        assert self.line.today is not None
        return self.line.today

    @property
    def difference(self) -> Money:
        """What is charged in the end; below zero it is credited."""
        return self.price - self.refund

    @property
    def seal(self) -> str:
        """What a preview shows of it: comes back with the confirmation."""
        return f"{self.line.seal} {self.subscription.public_id if self.subscription else '-'} {self.refund.minor}"


def refund_of(reservation: Reservation, today: date) -> Money:
    """All of it within 5 days while unused; later the days left, less 12 %, rounded once (R90)."""
    if today <= reservation.starts_on + FULL_WITHIN and not reservation.used:
        return reservation.paid
    return refund_once_used(reservation, today)


def refund_once_used(reservation: Reservation, today: date) -> Money:
    refund = reservation.paid_minor * terms.rest(reservation.term, today).days * KEPT / reservation.term.days
    return Money(int(refund.to_integral_value(ROUND_HALF_UP)), reservation.currency)


def full_until(reservation: Reservation) -> date | None:
    """The last day on which everything is refunded; None once it is used."""
    return None if reservation.used else reservation.starts_on + FULL_WITHIN


def use_matters(reservation: Reservation, today: date) -> bool:
    """Whether a first use takes anything away: it has begun, and all of it would be refunded today."""
    until, active = full_until(reservation), reservation.state is ReservationState.ACTIVE
    return active and until is not None and reservation.starts_on <= today <= until


def record_use(reservation: Reservation, *, customer: Customer, by: Actor, at: datetime) -> None:
    """With its first use the full refund is gone, for good; again and again is once. `reservation` is locked by the caller."""
    if reservation.used:
        return
    _check_active(reservation)
    if not use_matters(reservation, at.date()):
        raise Refused(_("A first use is recorded only while everything would be refunded. It is not, so there is nothing to record."))
    reservation.used = True
    concerned, told = ordering.concerns(customer, reservation.reseller_id)
    audit.record("reservation.used", by=by, at=at, customer=concerned, seen_by=told, after={"name": reservation.name}, subject=reservation.public_id)


def locked(customer: Customer, public_id: UUID, *, at: datetime) -> Reservation:
    """One of this customer's to change it, held until the change is committed. One whose term is over ends first, so that the job may be late."""
    found = reservation_queries.locked(customer, public_id)
    if found.state is ReservationState.ACTIVE and found.ends_on <= at.date():
        _expire_one(found, at=at)
    return found


def check(reservation: Reservation, *, version: int | None, reviewed: str = "", present: str = "") -> None:
    """Refused when it is over; Stale when somebody has changed it, or what was `reviewed` is not what would be done at `present`."""
    _check_active(reservation)
    if version != reservation.version:
        raise Stale(_("Somebody else changed this reservation while you had it open. Look at it as it is now, then confirm again."))
    if reviewed != present:
        raise Stale(_("The amounts are not as you saw them any more, so nothing was done. Look at them as they are now, then confirm again."))


def cancel(reservation: Reservation, *, by: Actor, at: datetime) -> Money:
    """The partner's alone (R74). Returns what is refunded; again and again is once."""
    if reservation.state is not ReservationState.CANCELLED or reservation.refund is None:
        _give_back(reservation, "cancel", RequestKind.CANCEL, by=by, at=at)
    assert reservation.refund is not None
    return reservation.refund


def propose_exchange(
    reservation: Reservation, offer: Offer, quantity: int, subscription: Subscription | None, *, customer: Customer, cloud: Cloud, today: date
) -> Exchange:
    """The same money's worth of something else: the old one is refunded as on cancelling, the new one begins a whole term today."""
    _check_active(reservation)
    check_subscription(subscription, customer)
    line = _line(offer, quantity, customer, cloud, today)
    if line.unit is None or line.unit.currency != reservation.currency:
        raise Refused(_("The customer pays in another currency now. Cancel this reservation, then order another one."))
    return Exchange(line, subscription, refund_of(reservation, today))


def exchange(reservation: Reservation, proposal: Exchange, *, customer: Customer, by: Actor, at: datetime) -> Reservation:
    """Once: whoever comes after finds what it was exchanged for. `customer` and `reservation` are locked by the caller."""
    known = exchanged_for(reservation)
    if known is not None:
        return known
    _give_back(reservation, "exchange", RequestKind.EXCHANGE, by=by, at=at)
    alone = proposal.subscription.id if proposal.subscription else None
    holding = {proposal.line.offer.id: Holding(alone, replaces_id=reservation.id)}
    ordering.place(reservation.public_id, [proposal.line], customer, side=Side.PARTNER, by=by, at=at, holdings=holding)
    made = exchanged_for(reservation)
    assert made is not None
    return made


def exchanged_for(reservation: Reservation) -> Reservation | None:
    """What replaced it: its order has the old one's key, so that there is one."""
    made = sa.select(Reservation).join(Order, Order.id == Reservation.order_id).where(Reservation.replaces_id == reservation.id)
    return db.session.scalar(made.where(Order.key == reservation.public_id))


def propose_renewal(reservation: Reservation, *, customer: Customer, cloud: Cloud, today: date) -> Quote:
    """The same once more, for a whole term from the end of this one on, at today's price."""
    _check_active(reservation)
    state = db.session.scalar(sa.select(Subscription.state).where(Subscription.id == reservation.subscription_id)) if reservation.subscription_id else None
    if state in (SubscriptionState.CANCELLED, SubscriptionState.EXPIRED):
        raise Refused(_("The subscription that uses it is over. Change who uses it first, then renew it."))
    offer = db.session.scalars(sa.select(Offer).where(Offer.id == reservation.offer_id)).one()
    line = _line(offer, reservation.quantity, customer, cloud, today)
    return replace(line, ends_on=terms.add_months(reservation.ends_on, offer.term_months))


def renew(reservation: Reservation, line: Quote, *, customer: Customer, by: Actor, at: datetime) -> Reservation:
    """It is paid today and begins where this one ends; until its sixth day it can be given back in full. Twice is once."""
    known = renewal_of(reservation)
    if known is not None:
        return known
    reservation.renewed = True
    holding = {line.offer.id: Holding(reservation.subscription_id, starts_on=reservation.ends_on, replaces_id=reservation.id)}
    ordering.place(uuid7(), [line], customer, side=Side.PARTNER, by=by, at=at, holdings=holding)
    made = renewal_of(reservation)
    assert made is not None
    concerned, told = ordering.concerns(customer, reservation.reseller_id)
    after = {"name": reservation.name, "ends_on": made.ends_on}
    audit.record("reservation.renewed", by=by, at=at, customer=concerned, seen_by=told, after=after, subject=reservation.public_id)
    reservation_requests.settle(reservation, RequestKind.RENEW, by=by, at=at)
    return made


def renewal_of(reservation: Reservation) -> Reservation | None:
    """What goes on where it ends, when that was bought already."""
    if not reservation.renewed:
        return None
    following = sa.select(Reservation).where(Reservation.replaces_id == reservation.id, Reservation.starts_on == reservation.ends_on)
    return db.session.scalar(following.order_by(Reservation.id.desc()).limit(1))


def set_scope(reservation: Reservation, subscription: Subscription | None, *, customer: Customer, by: Actor, at: datetime) -> None:
    """For this one subscription, or with none shared by all of the customer's (R73)."""
    _check_active(reservation)
    if reservation.subscription_id == (subscription.id if subscription else None):
        return
    check_subscription(subscription, customer)
    before = {"scope": reservation.scope.value}
    reservation.subscription_id = subscription.id if subscription else None
    reservation.scope = ReservationScope.SINGLE if subscription else ReservationScope.SHARED
    after = {"name": reservation.name, "scope": reservation.scope.value} | ({"subscription": subscription.shown_name} if subscription else {})
    concerned, told = ordering.concerns(customer, reservation.reseller_id)
    audit.record("reservation.scope_changed", by=by, at=at, customer=concerned, seen_by=told, before=before, after=after, subject=reservation.public_id)
    reservation_requests.settle(reservation, RequestKind.RESCOPE, by=by, at=at)


def check_subscription(subscription: Subscription | None, customer: Customer) -> None:
    """A reservation is used by what is billed by use."""
    if subscription is None:
        return
    usable = subscription.billing is Billing.USAGE and subscription.state is SubscriptionState.ACTIVE
    if not usable or subscription.customer_id != customer.customer_id:
        raise Refused(_("Choose an active subscription of the customer that is billed by use."), field="scope")


def expire(*, at: datetime) -> int:
    """Those whose term is over; returns how many. One that cannot end holds up no other; the next run tries it again."""
    with scoped(EVERYTHING):
        due = sa.select(Reservation).where(Reservation.state == ReservationState.ACTIVE, Reservation.ends_on <= at.date())
        return len(jobs.each(due.order_by(Reservation.id), lambda reservation: _expire_one(reservation, at=at)))


def _expire_one(reservation: Reservation, *, at: datetime) -> None:
    _move(reservation, "expire", by=PORTAL, at=at)
    reservation_requests.settle(reservation, by=PORTAL, at=at)


def _check_active(reservation: Reservation) -> None:
    if reservation.state is not ReservationState.ACTIVE:
        raise Refused(_("This reservation is no longer active."))


def _line(offer: Offer, quantity: int, customer: Customer, cloud: Cloud, today: date) -> Quote:
    """So many of a reservation offer at today's price; Refused where this customer cannot have them."""
    if not offer.is_reservation:
        raise Refused(_("Choose a reservation."), field="offer")
    (line,) = ordering.quotes({str(offer.public_id): quantity}, customer, cloud=cloud, today=today)
    if line.reason is not None:
        raise Refused(UNAVAILABLE[line.reason], field="offer")
    if line.out_of_range:
        raise Refused(texts_orders.out_of_range(offer, line.unit), field="quantity")
    return line


def _give_back(reservation: Reservation, action: str, asked: RequestKind, *, by: Actor, at: datetime) -> None:
    refund = refund_of(reservation, at.date())
    _move(reservation, action, by=by, at=at)
    reservation.refund_minor = refund.minor
    if refund.minor:
        db.session.add(
            Charge(
                partner_id=reservation.partner_id,
                customer_id=reservation.customer_id,
                reseller_id=reservation.reseller_id,
                kind=ChargeKind.REFUND,
                at=at,
                reservation_id=reservation.id,
                quantity=reservation.quantity,
                amount_minor=-refund.minor,
                currency=refund.currency,
                from_on=at.date(),
                to_on=reservation.ends_on,
            )
        )
    former = db.session.scalar(sa.select(Reservation).where(Reservation.id == reservation.replaces_id)) if reservation.replaces_id else None
    if former is not None and former.state is ReservationState.ACTIVE:
        former.renewed = False
    reservation_requests.settle(reservation, asked, by=by, at=at)


def _move(reservation: Reservation, action: str, *, by: Actor, at: datetime) -> None:
    concerned, told = _concerns(reservation)
    details = {"name": reservation.name, "quantity": reservation.quantity}
    RESERVATION.apply(reservation, action, by=by, at=at, customer=concerned, seen_by=told, details=details)
    db.session.flush()


def _concerns(reservation: Reservation) -> tuple[audit.Customer | None, tuple[int | None, ...]]:
    """How the log names the customer, and who is told."""
    record = sa.select(Customer).where(Customer.partner_id == reservation.partner_id, Customer.customer_id == reservation.customer_id)
    customer = db.session.scalar(record)
    return ordering.concerns(customer, reservation.reseller_id) if customer is not None else (None, (reservation.partner_id, reservation.customer_id))
