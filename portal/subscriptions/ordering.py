"""Carts and orders: a preview, then all of it once or nothing (R17, R81)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.agreements import queries as agreements
from portal.agreements.models import AgreementState
from portal.core import audit
from portal.core.access import Actor, Side
from portal.core.db import attempt, db, find
from portal.core.errors import Refused
from portal.core.money import Money, currency_of
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import catalog, service, terms
from portal.subscriptions.catalog import Unavailable
from portal.subscriptions.models import (
    Billing,
    Cart,
    Charge,
    ChargeKind,
    Offer,
    Order,
    OrderLine,
    OrderState,
    Reservation,
    ReservationScope,
    ReservationState,
    Subscription,
    SubscriptionState,
)
from portal.subscriptions.states import ORDER
from portal.subscriptions.terms import Period

MOST_LINES = 50


@dataclass(frozen=True)
class Quote:
    """One line of a cart, as it would be ordered now. `today` is charged at once; `reason` says why it cannot be had."""

    offer: Offer
    quantity: int
    unit: Money | None
    today: Money | None
    each_cycle: Money | None
    ends_on: date | None
    reason: Unavailable | None = None
    out_of_range: bool = False

    @property
    def can_be_ordered(self) -> bool:
        return self.reason is None and not self.out_of_range


class CannotBeOrdered(Refused):
    """Why an order does not go through: the customer, its agreement, or lines of the cart."""


# --- the cart


def cart_of(customer: Customer, *, by: Actor, at: datetime) -> Cart:
    """What this person is putting together for this customer; a new one when there is none."""
    open_one = sa.select(Cart).where(Cart.author_id == by.user_id, Cart.customer_id == customer.customer_id, Cart.ordered_at.is_(None)).limit(1)
    cart = db.session.scalar(open_one)
    if cart is None:
        cart = Cart(partner_id=customer.partner_id, customer_id=customer.customer_id, author_id=by.user_id, lines={}, saved_at=at)
        db.session.add(cart)
        db.session.flush()
    return cart


def put(cart: Cart, offer: Offer, quantity: int, *, at: datetime) -> None:
    """This many of the offer; none takes it out."""
    lines = {key: number for key, number in cart.lines.items() if key != str(offer.public_id)}
    if quantity > 0:
        lines[str(offer.public_id)] = quantity
    if len(lines) > MOST_LINES:
        raise Refused(_("An order has at most %(number)s lines. Order these first.", number=MOST_LINES))
    cart.lines, cart.saved_at = lines, at


def quotes(lines: Mapping[str, int], customer: Customer, *, cloud: Any, today: date) -> list[Quote]:
    """The cart's lines with what they would cost now; offers that are gone meanwhile are left out."""
    wanted = {UUID(key): number for key, number in lines.items()}
    offers = list(db.session.scalars(sa.select(Offer).where(Offer.public_id.in_(wanted)).order_by(Offer.add_on_of_id.is_not(None), Offer.name_key, Offer.id)))
    currency = currency_of(customer.country)
    prices = catalog.prices_on([offer.id for offer in offers], currency, today)
    standing = catalog.standing(customer, cloud)
    return [_quote(offer, wanted[offer.public_id], prices.get(offer.id), standing, customer, {o.id for o in offers}, today) for offer in offers]


def _quote(offer: Offer, quantity: int, unit: Money | None, standing: catalog.Standing, customer: Customer, with_it: set[int], today: date) -> Quote:
    reason = catalog.unavailable(offer, unit, standing)
    if reason is Unavailable.NO_BASE and offer.add_on_of_id in with_it:
        reason = None  # its base is ordered along with it
    out_of_range = not offer.minimum <= quantity <= offer.maximum or (offer.one_per_customer and quantity > 1 and offer.billing is Billing.USAGE)
    if unit is None:
        return Quote(offer, quantity, None, None, None, None, reason, out_of_range)
    whole = unit.times(quantity)
    nothing = Money(0, unit.currency)
    if offer.is_reservation:
        return Quote(offer, quantity, unit, whole, None, terms.add_months(today, offer.term_months), reason, out_of_range)
    base = _base_for(offer, customer)
    anchor = base.anchor_on if base else today
    ends_on = base.ends_on if base else terms.add_months(today, offer.term_months)
    if offer.billing is Billing.USAGE or offer.trial_days:
        return Quote(offer, quantity, unit, nothing, whole if offer.billing is Billing.LICENCE else None, ends_on, reason, out_of_range)
    over = terms.period_of(anchor, offer.cycle.months, today)
    charged = terms.prorated(whole, over, Period(today, min(over.end, ends_on)))
    return Quote(offer, quantity, unit, charged, whole, ends_on, reason, out_of_range)


# --- the order


def why_not(customer: Customer) -> str | None:
    """What stands between this customer and any order: 'relationship' or 'agreement'; None when nothing does (R17)."""
    if customer.state is not RelationshipState.ACTIVE:
        return "relationship"
    assert customer.customer_id is not None
    standing = agreements.standing(customer.partner_id, customer.customer_id, customer.country)
    return None if standing.state in (AgreementState.ACCEPTED, AgreementState.ATTESTED) else "agreement"


def order(cart: Cart, customer: Customer, *, cloud: Any, by: Actor, at: datetime) -> Order:
    """All lines or none; a double click, a retry or a second tab finds the order that is there already (R81).

    `cart` and `customer` are locked by the caller, in this order.
    """
    known = order_by_key(cart.public_id)
    if known is not None:
        return known
    lines = quotes(cart.lines, customer, cloud=cloud, today=at.date())
    made = place(cart.public_id, lines, customer, side=Side.PARTNER, by=by, at=at)
    cart.ordered_at = at
    return made


def order_by_key(key: UUID) -> Order | None:
    return db.session.scalar(sa.select(Order).where(Order.key == key))


def place(
    key: UUID, lines: list[Quote], customer: Customer, *, side: Side, by: Actor, at: datetime, scopes: Mapping[int, ReservationScope] | None = None
) -> Order:
    """Order these lines for this customer of the partner in scope; CannotBeOrdered says why not, and nothing has happened then."""
    obstacle = why_not(customer)
    if obstacle == "relationship":
        raise CannotBeOrdered(_("The relationship with %(name)s is not active, so nothing can be ordered.", name=customer.name))
    if obstacle == "agreement":
        raise CannotBeOrdered(_("%(name)s has not accepted the current customer agreement yet. Without it nothing can be ordered.", name=customer.name))
    if not lines:
        raise CannotBeOrdered(_("There is nothing in the cart."))
    bad = [line for line in lines if not line.can_be_ordered]
    if bad:
        names = ", ".join(line.offer.name for line in bad)
        raise CannotBeOrdered(_("This cannot be ordered as it stands: %(names)s. The lines say why; nothing was ordered.", names=names))
    try:
        with attempt():
            return _place(key, lines, customer, side=side, by=by, at=at, scopes=scopes or {})
    except sa.exc.IntegrityError:
        known = order_by_key(key)  # the same order, a moment ago
        if known is None:
            raise
        return known


def _place(key: UUID, lines: list[Quote], customer: Customer, *, side: Side, by: Actor, at: datetime, scopes: Mapping[int, ReservationScope]) -> Order:
    currency = currency_of(customer.country)
    made = Order(
        partner_id=customer.partner_id,
        customer_id=customer.customer_id,
        reseller_id=customer.reseller_id,
        key=key,
        state=OrderState.PLACED,
        state_at=at,
        side=side,
        currency=currency,
        total_minor=0,
        ordered_at=at,
        author_id=by.user_id,
        author_name=by.name,
    )
    db.session.add(made)
    db.session.flush()
    _fill(made, lines, customer, by=by, at=at, scopes=scopes)
    told = (customer.partner_id, customer.customer_id, customer.reseller_id)
    summary = {"lines": [f"{line.quantity} × {line.offer.name}" for line in lines], "total": str(made.total.amount), "currency": currency}
    audit.record("order.placed", by=by, at=at, customer=customer.logged, seen_by=told, after=summary, subject=made.public_id)
    return made


def _fill(made: Order, lines: list[Quote], customer: Customer, *, by: Actor, at: datetime, scopes: Mapping[int, ReservationScope]) -> None:
    """Bases first, so that add-ons of the same order find theirs."""
    begun: dict[int, Subscription] = {}
    for line in lines:
        assert line.unit is not None
        row = OrderLine(
            partner_id=made.partner_id,
            customer_id=made.customer_id,
            reseller_id=made.reseller_id,
            order_id=made.id,
            offer_id=line.offer.id,
            name=line.offer.name,
            quantity=line.quantity,
            unit_minor=line.unit.minor,
        )
        if line.offer.is_reservation:
            row.scope = scopes.get(line.offer.id, ReservationScope.SHARED)
            reservation = reserve(line.offer, line.quantity, line.unit, row.scope, order=made, by=by, at=at)
            row.reservation_id, row.today_minor = reservation.id, reservation.paid_minor
        else:
            base = begun.get(line.offer.add_on_of_id or 0) or _base_for(line.offer, customer)
            subscription, charged = service.begin(
                line.offer, line.quantity, line.unit, base=base, customer=customer, order_id=made.id, reseller_id=made.reseller_id, by=by, at=at
            )
            begun[line.offer.id] = subscription
            row.subscription_id, row.today_minor = subscription.id, charged.minor
        made.total_minor += row.today_minor
        db.session.add(row)
    db.session.flush()


def reserve(
    offer: Offer, quantity: int, unit: Money, scope: ReservationScope, *, order: Order, by: Actor, at: datetime, subscription_id: int | None = None
) -> Reservation:
    """A reservation, paid for its whole term at once (R73)."""
    today, paid = at.date(), unit.times(quantity)
    reservation = Reservation(
        partner_id=order.partner_id,
        customer_id=order.customer_id,
        reseller_id=order.reseller_id,
        state=ReservationState.ACTIVE,
        state_at=at,
        offer_id=offer.id,
        order_id=order.id,
        subscription_id=subscription_id,
        name=offer.name,
        instance_type=offer.instance_type or "",
        region=offer.region or "",
        term_months=offer.term_months,
        scope=scope,
        quantity=quantity,
        paid_minor=paid.minor,
        currency=paid.currency,
        starts_on=today,
        ends_on=terms.add_months(today, offer.term_months),
        bought_side=order.side,
        bought_by=by.name,
    )
    db.session.add(reservation)
    db.session.flush()
    db.session.add(
        Charge(
            partner_id=order.partner_id,
            customer_id=order.customer_id,
            reseller_id=order.reseller_id,
            kind=ChargeKind.RESERVATION,
            at=at,
            reservation_id=reservation.id,
            quantity=quantity,
            amount_minor=paid.minor,
            currency=paid.currency,
            from_on=today,
            to_on=reservation.ends_on,
        )
    )
    return reservation


def decline(made: Order, *, reason: str, by: Actor, at: datetime) -> None:
    """The provider does not place what its reseller asked for."""
    made.declined_reason = reason
    ORDER.apply(made, "decline", by=by, at=at, seen_by=(made.partner_id, made.reseller_id), details={"reason": reason})


def offer_of(public_id: UUID) -> Offer:
    return find(Offer, public_id)


def organization_of(customer: Customer) -> Organization:
    return db.session.get_one(Organization, customer.customer_id)


def _base_for(offer: Offer, customer: Customer) -> Subscription | None:
    """The subscription that an add-on joins: the customer's latest active one of the base offer."""
    if offer.add_on_of_id is None:
        return None
    return db.session.scalar(
        sa.select(Subscription)
        .where(
            Subscription.customer_id == customer.customer_id,
            Subscription.offer_id == offer.add_on_of_id,
            Subscription.state == SubscriptionState.ACTIVE,
            Subscription.trial_ends_on.is_(None),
        )
        .order_by(Subscription.id.desc())
        .limit(1)
    )
