"""Reservations after they are bought: the partner cancels and exchanges them, time ends them (R73, R74)."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core import audit
from portal.core.access import PORTAL, Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from portal.subscriptions import catalog, ordering, terms
from portal.subscriptions.models import Charge, ChargeKind, Offer, Order, OrderLine, OrderState, Reservation, ReservationScope, ReservationState
from portal.subscriptions.states import RESERVATION

FULL_WITHIN = timedelta(days=5)
KEPT = Decimal("0.88")  # of the days left, later: twelve per cent are the publisher's


def refund_of(reservation: Reservation, today: date) -> Money:
    """All of it within 5 days while unused; later the days left, less 12 %."""
    if today <= reservation.starts_on + FULL_WITHIN and not reservation.used:
        return reservation.paid
    return terms.prorated(reservation.paid, reservation.term, terms.rest(reservation.term, today)).times(KEPT)


def cancel(reservation: Reservation, *, by: Actor, at: datetime) -> Money:
    """The partner's alone (R74). Returns what is refunded."""
    return _give_back(reservation, "cancel", by=by, at=at)


def exchange(reservation: Reservation, offer: Offer, quantity: int, scope: ReservationScope, *, customer: Customer, by: Actor, at: datetime) -> Reservation:
    """The same money's worth of something else: the old one is refunded as on cancelling, the new one begins a whole term today."""
    if not offer.is_reservation:
        raise Refused(_("Choose a reservation."), field="offer")
    if not offer.minimum <= quantity <= offer.maximum:
        raise Refused(_("Give a number from %(least)s to %(most)s.", least=offer.minimum, most=offer.maximum), field="quantity")
    unit = catalog.price_on(offer.id, reservation.currency, at.date())
    if unit is None or offer.withdrawn:
        raise Refused(_("This offer cannot be ordered now."), field="offer")
    _give_back(reservation, "exchange", by=by, at=at)
    former = db.session.scalars(sa.select(Order).where(Order.id == reservation.order_id)).one()
    made = Order(
        partner_id=reservation.partner_id,
        customer_id=reservation.customer_id,
        reseller_id=reservation.reseller_id,
        key=reservation.public_id,  # a reservation is exchanged once
        state=OrderState.PLACED,
        state_at=at,
        side=former.side,
        currency=reservation.currency,
        total_minor=unit.times(quantity).minor,
        ordered_at=at,
        author_id=by.user_id,
        author_name=by.name,
    )
    db.session.add(made)
    db.session.flush()
    new = ordering.reserve(offer, quantity, unit, scope, order=made, by=by, at=at, subscription_id=reservation.subscription_id)
    new.replaces_id = reservation.id
    db.session.add(
        OrderLine(
            partner_id=made.partner_id,
            customer_id=made.customer_id,
            reseller_id=made.reseller_id,
            order_id=made.id,
            offer_id=offer.id,
            name=offer.name,
            quantity=quantity,
            unit_minor=unit.minor,
            today_minor=new.paid_minor,
            scope=scope,
            reservation_id=new.id,
        )
    )
    told = (made.partner_id, made.customer_id, made.reseller_id)
    audit.record(
        "reservation.active", by=by, at=at, customer=customer.logged, seen_by=told, after={"name": new.name, "quantity": quantity}, subject=new.public_id
    )
    return new


def set_scope(reservation: Reservation, scope: ReservationScope, *, by: Actor, at: datetime) -> None:
    """For one subscription, or shared by all of the customer's (R73)."""
    if reservation.state is not ReservationState.ACTIVE:
        raise Refused(_("This reservation is no longer active."))
    if reservation.scope is not scope:
        before = {"scope": reservation.scope.value}
        reservation.scope = scope
        audit.record(
            "reservation.scope_changed",
            by=by,
            at=at,
            customer=_customer(reservation),
            seen_by=_told(reservation),
            before=before,
            after={"name": reservation.name, "scope": scope.value},
            subject=reservation.public_id,
        )


def expire(*, at: datetime) -> int:
    """Those whose term is over."""
    with scoped(EVERYTHING):
        due = sa.select(Reservation).where(Reservation.state == ReservationState.ACTIVE, Reservation.ends_on <= at.date())
        found = db.session.scalars(due.order_by(Reservation.id).limit(500).with_for_update(skip_locked=True)).all()
        for reservation in found:
            _move(reservation, "expire", by=PORTAL, at=at)
        return len(found)


def _give_back(reservation: Reservation, action: str, *, by: Actor, at: datetime) -> Money:
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
    return refund


def _move(reservation: Reservation, action: str, *, by: Actor, at: datetime) -> None:
    details = {"name": reservation.name, "quantity": reservation.quantity}
    RESERVATION.apply(reservation, action, by=by, at=at, customer=_customer(reservation), seen_by=_told(reservation), details=details)
    db.session.flush()


def _customer(reservation: Reservation) -> audit.Customer:
    assert reservation.customer_id is not None
    record = sa.select(Customer.name).where(Customer.partner_id == reservation.partner_id, Customer.customer_id == reservation.customer_id)
    return audit.Customer(reservation.customer_id, db.session.scalar(record) or "")


def _told(reservation: Reservation) -> tuple[int | None, ...]:
    return (reservation.partner_id, reservation.customer_id, reservation.reseller_id)
