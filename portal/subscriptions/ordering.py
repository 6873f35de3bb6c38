"""Carts and orders: a preview, then all of it once or nothing (R17, R81)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.agreements import queries as agreements
from portal.agreements.models import AgreementState
from portal.core import audit
from portal.core.access import Actor, Side
from portal.core.db import Key, attempt, db, find
from portal.core.errors import NotFound, Refused, Stale
from portal.core.money import Money, currency_of
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import searchable
from portal.relationships import queries as partnerships
from portal.subscriptions import advancing, catalog, mails_orders, reservation_queries, service, terms, texts_orders
from portal.subscriptions.catalog import Standing, Unavailable
from portal.subscriptions.models import (
    Billing,
    Cart,
    Charge,
    ChargeKind,
    Cycle,
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
from portal.subscriptions.terms import Period
from portal.subscriptions.texts_catalog import UNAVAILABLE

MOST_LINES = 50
LONGEST_NUMBER = 9  # digits of a quantity as it is typed


@dataclass(frozen=True)
class Quote:
    """One line of a cart, as it would be ordered now. `today` is charged at once; `reason` says why it cannot be had.

    `used_by` is the subscription that alone is to use a reservation; without it all of the customer's share it.
    """

    offer: Offer
    quantity: int
    unit: Money | None
    today: Money | None
    each_cycle: Money | None
    ends_on: date | None
    reason: Unavailable | None = None
    out_of_range: bool = False
    trial_ends_on: date | None = None
    listed: Money | None = None  # the catalog's price of one today, where another was agreed
    used_by: Subscription | None = None

    @property
    def can_be_ordered(self) -> bool:
        return self.reason is None and not self.out_of_range and not self.lacks_its_user

    @property
    def lacks_its_user(self) -> bool:
        """The subscription that alone is to use it is not active any more."""
        return self.used_by is not None and self.used_by.state is not SubscriptionState.ACTIVE

    @property
    def holding(self) -> "Holding":
        return Holding(self.used_by.id if self.used_by else None)

    @property
    def seal(self) -> str:
        """What a review shows of this line. It comes back with the order, which so finds out whether something has changed meanwhile."""
        unit, today = (self.unit.minor if self.unit else "-", self.today.minor if self.today else "-")
        return f"{self.offer.public_id} {self.quantity} {unit} {today} {self.ends_on or '-'}"


@dataclass(frozen=True)
class Totals:
    """What a cart charges at once, and then each month and each year; without tax."""

    today: Money
    monthly: Money
    annual: Money


@dataclass(frozen=True)
class Holding:
    """What of a reservation its offer does not say: the subscription that alone it is for (else all share it), its first day (else today),
    and the reservation that it replaces or renews."""

    subscription_id: int | None = None
    starts_on: date | None = None
    replaces_id: int | None = None

    @property
    def scope(self) -> ReservationScope:
        return ReservationScope.SHARED if self.subscription_id is None else ReservationScope.SINGLE


class CannotBeOrdered(Refused):
    """Why an order does not go through: the customer, its agreement, or lines of the cart."""


class Overtaken(CannotBeOrdered):
    """The cart, a price or a term is not what the review showed."""


# --- the cart


def open_cart(customer: Customer, *, by: Actor, lock: bool = False) -> Cart | None:
    """What this person is putting together for this customer."""
    statement = sa.select(Cart).where(Cart.author_id == by.user_id, Cart.customer_id == customer.customer_id, Cart.ordered_at.is_(None)).limit(1)
    return db.session.scalar(statement.with_for_update().execution_options(populate_existing=True) if lock else statement)


def cart_of(customer: Customer, *, by: Actor, at: datetime) -> Cart:
    """The same, to change it; a new one when there is none. `customer` is locked by the caller, so that there is one."""
    cart = open_cart(customer, by=by, lock=True)
    if cart is None:
        cart = Cart(partner_id=customer.partner_id, customer_id=customer.customer_id, author_id=by.user_id, lines={}, saved_at=at)
        db.session.add(cart)
        db.session.flush()
    return cart


def my_cart(public_id: UUID, customer: Customer, *, by: Actor) -> Cart:
    """One's own for this customer, ordered or not, locked; NotFound for anybody else's."""
    cart = db.session.scalar(_MINE, {"cart": public_id, "author": by.user_id, "customer": customer.customer_id})
    if cart is None:
        check_relationship(customer)  # with its end the open carts have gone
        raise NotFound(public_id)
    return cart


_mine = (Cart.author_id == sa.bindparam("author", type_=Key), Cart.customer_id == sa.bindparam("customer", type_=Key))
_MINE = sa.select(Cart).where(Cart.public_id == sa.bindparam("cart", type_=sa.Uuid()), *_mine).with_for_update().execution_options(populate_existing=True)


def put(cart: Cart, offer: Offer, quantity: int, *, at: datetime) -> None:
    """This many of the offer; none takes it out."""
    fill(cart, with_line(cart.lines, offer, quantity), at=at)


def fill(cart: Cart, lines: Mapping[str, int], *, at: datetime) -> None:
    if cart.lines != lines:
        cart.lines, cart.saved_at = dict(lines), at


def with_line(lines: Mapping[str, int], offer: Offer, quantity: int) -> dict[str, int]:
    """The lines with this many of the offer; none takes it out."""
    fresh = {key: number for key, number in lines.items() if key != str(offer.public_id)}
    if quantity > 0:
        fresh[str(offer.public_id)] = quantity
    if len(fresh) > MOST_LINES:
        raise Refused(_("An order has at most %(number)s lines. Order these first.", number=MOST_LINES))
    return fresh


def changed(lines: Mapping[str, int], offer: Offer, typed: str, was: str, standing: Standing, *, today: date) -> dict[str, int]:
    """The lines with as many of the offer as was `typed`. Stale when there are not as many as there `was` when the page was made."""
    quantity = _number(typed, offer)
    present = lines.get(str(offer.public_id), 0)
    if not quantity and was == "0":
        raise Refused(texts_orders.out_of_range(offer))
    if quantity == present:
        return dict(lines)
    if str(present) != was:
        raise Stale(_("%(name)s was changed in another window meanwhile. See what stands here now, then change it again.", name=offer.name))
    fresh = with_line(lines, offer, quantity)
    if quantity:
        line = next(quote for quote in quotes_for(fresh, standing, today=today) if quote.offer.id == offer.id)
        if line.reason is not None:
            raise Refused(UNAVAILABLE[line.reason])
        if line.out_of_range:
            raise Refused(texts_orders.out_of_range(offer, line.unit))
    return fresh


def typed_quantity(values: Mapping[str, str]) -> str:
    """What the form of a line asks for; its button "remove" asks for none."""
    return "0" if "remove" in values else values.get("quantity", "")


def _number(typed: str, offer: Offer) -> int:
    plain = "".join(typed.split())
    if not plain.isdecimal():
        raise Refused(_("Give a whole number."))
    if len(plain) > LONGEST_NUMBER:
        raise Refused(texts_orders.out_of_range(offer))
    return int(plain)


def quotes(lines: Mapping[str, int], customer: Customer, *, cloud: Any, today: date) -> list[Quote]:
    """The cart's lines with what they would cost now; offers that are gone meanwhile are left out."""
    return quotes_for(lines, catalog.standing(customer, cloud), today=today)


def quotes_for(lines: Mapping[str, int], standing: Standing, *, today: date, agreed: Mapping[UUID, Money] | None = None) -> list[Quote]:
    """The same for whoever stands so: bases before add-ons, then by name. `agreed` are prices by offer that hold instead of today's."""
    if not lines:
        return []
    wanted = {UUID(key): number for key, number in lines.items()}
    rows = db.session.execute(_QUOTED, {"offers": list(wanted), "currency": standing.currency, "day": today}).all()
    with_it, quoted = bases_among(offer for offer, _price in rows), []
    for offer, minor in rows:
        listed = Money(minor, standing.currency) if minor is not None else None
        unit = (agreed or {}).get(offer.public_id, listed)
        quote = _quote(offer, wanted[offer.public_id], unit, standing, with_it, today)
        quoted.append(quote if unit == listed else replace(quote, listed=listed))
    return quoted


# Built once, as `_MINE`: every page with a cart asks for them.
_price = catalog.price_then(sa.bindparam("currency", type_=sa.Unicode()), sa.bindparam("day", type_=sa.Date()))
_chosen = Offer.public_id.in_(sa.bindparam("offers", type_=sa.Uuid(), expanding=True))
_QUOTED = sa.select(Offer, _price).where(_chosen).order_by(Offer.add_on_of_id.is_not(None), Offer.name_key, Offer.id)


def bases_among(offers: Iterable[Offer]) -> dict[int, Offer]:
    """Those that an add-on ordered along with them can join: a trial takes none."""
    return {offer.id: offer for offer in offers if not offer.trial_days}


def why_unavailable(offer: Any, unit: Money | None, standing: Standing, with_it: Mapping[int, Offer]) -> Unavailable | None:
    """Why this offer cannot be had, ordered along with these bases."""
    reason = catalog.unavailable(offer, unit, standing)
    return None if reason is Unavailable.NO_BASE and offer.add_on_of_id in with_it else reason


def _quote(offer: Offer, quantity: int, unit: Money | None, standing: Standing, with_it: Mapping[int, Offer], today: date) -> Quote:
    reason = why_unavailable(offer, unit, standing, with_it)
    least, most = catalog.quantities(offer, unit)
    out_of_range = not least <= quantity <= most
    if unit is None:
        return Quote(offer, quantity, None, None, None, None, reason, out_of_range)
    whole = unit.times(quantity)
    if offer.is_reservation:
        return Quote(offer, quantity, unit, whole, None, terms.add_months(today, offer.term_months), reason, out_of_range)
    begins = today + timedelta(days=offer.trial_days)
    joined = with_it.get(offer.add_on_of_id or 0)  # the base that is ordered along with it
    base = None if joined else standing.bases.get(offer.add_on_of_id or 0)
    anchor = base.anchor_on if base else begins
    ends_on = base.ends_on if base else terms.add_months(begins, (joined or offer).term_months)
    each_cycle = whole if offer.billing is Billing.LICENCE else None
    if each_cycle is None or offer.trial_days:
        charged = Money(0, unit.currency)
    else:
        over = terms.period_of(anchor, offer.cycle.months, today)
        charged = terms.prorated(whole, over, Period(today, min(over.end, ends_on)))
    return Quote(offer, quantity, unit, charged, each_cycle, ends_on, reason, out_of_range, begins if offer.trial_days else None)


def totals(lines: Iterable[Quote], currency: str) -> Totals:
    """Of the lines that can be ordered."""
    today, each = Money(0, currency), {cycle: Money(0, currency) for cycle in Cycle}
    for line in lines:
        if line.can_be_ordered and line.today is not None:
            today += line.today
            if line.each_cycle is not None:
                each[line.offer.cycle] += line.each_cycle
    return Totals(today, each[Cycle.MONTHLY], each[Cycle.ANNUAL])


# --- the order


def why_not(customer: Customer) -> str | None:
    """What stands between this customer and any order: 'relationship' or 'agreement'; None when nothing does (R17)."""
    if customer.state is not RelationshipState.ACTIVE:
        return "relationship"
    assert customer.customer_id is not None
    standing = agreements.standing(customer.partner_id, customer.customer_id, customer.country)
    return None if standing.state in (AgreementState.ACCEPTED, AgreementState.ATTESTED) else "agreement"


def check_relationship(customer: Customer) -> None:
    """Only for a customer of an active relationship is anything put together or ordered."""
    if customer.state is not RelationshipState.ACTIVE:
        raise CannotBeOrdered(_("The relationship with %(name)s is not active, so nothing can be ordered.", name=customer.name))


def check(customer: Customer) -> None:
    """CannotBeOrdered where nothing can be, whatever the lines are (R17)."""
    check_relationship(customer)
    if why_not(customer) == "agreement":
        raise CannotBeOrdered(_("%(name)s has not accepted the current customer agreement yet. Without it nothing can be ordered.", name=customer.name))


def order(
    cart: Cart,
    customer: Customer,
    *,
    cloud: Any,
    by: Actor,
    at: datetime,
    reviewed: Sequence[str] | None = None,
    users: Mapping[str, str] = MappingProxyType({}),
) -> Order:
    """All lines or none; a double click, a retry or a second tab finds the order that is there already (R81).

    `reviewed` has the seals of the lines as somebody looked at them: Overtaken when they are not the present ones. `users` is for chosen_users().
    `customer` and `cart` are locked by the caller, in this order.
    """
    known = order_by_key(cart.public_id)
    if known is not None:
        return known
    check(customer)
    advancing.catch_up(customer, at=at)
    lines = quotes(cart.lines, customer, cloud=cloud, today=at.date())
    if reviewed is not None:
        check_reviewed(lines, reviewed)
    lines = chosen_users(lines, users, customer)
    made = place(cart.public_id, lines, customer, side=Side.PARTNER, by=by, at=at)
    cart.ordered_at = at
    return made


def check_reviewed(lines: Sequence[Quote], reviewed: Sequence[str]) -> None:
    """Overtaken when the seals that came back with a form are not those of the present lines."""
    if lines and sorted(reviewed) != sorted(line.seal for line in lines):
        raise Overtaken(_("Something has changed since you reviewed this, so nothing was ordered. Look at it as it is now, then order it."))


def chosen_users(lines: Iterable[Quote], users: Mapping[str, str], customer: Customer, *, reseller_id: int | None = None) -> list[Quote]:
    """The lines, each reservation with the subscription that alone is to use it: the keys of those chosen, by the keys of the offers (R73).

    Overtaken when one cannot be chosen, or not any more. A reseller chooses among those that name it (R41).
    """
    chosen = list(lines)
    if any(line.offer.is_reservation and users.get(str(line.offer.public_id)) for line in chosen):
        usable = {str(subscription.public_id): subscription for subscription in reservation_queries.subscriptions_for(customer, reseller_id=reseller_id)}
        for number, line in enumerate(chosen):
            key = users.get(str(line.offer.public_id)) if line.offer.is_reservation else None
            if key and key not in usable:
                raise Overtaken(
                    _(
                        "The subscription that was to use %(name)s is not active any more, so nothing was ordered. Choose again who uses it.",
                        name=line.offer.name,
                    )
                )
            if key:
                chosen[number] = replace(line, used_by=usable[key])
    return chosen


def check_lines(lines: Sequence[Quote]) -> None:
    """CannotBeOrdered when there are none, or some cannot be had."""
    if not lines:
        raise CannotBeOrdered(_("There is nothing in the cart."))
    bad = [line for line in lines if not line.can_be_ordered]
    if bad:
        names = ", ".join(line.offer.name for line in bad)
        raise CannotBeOrdered(_("This cannot be ordered as it stands: %(names)s. The lines say why; nothing was ordered.", names=names))


def order_by_key(key: UUID) -> Order | None:
    return db.session.scalar(sa.select(Order).where(Order.key == key))


def place(key: UUID, lines: list[Quote], customer: Customer, *, side: Side, by: Actor, at: datetime, holdings: Mapping[int, Holding] | None = None) -> Order:
    """Order these lines for this customer of the partner in scope; CannotBeOrdered says why not, and nothing has happened then.

    `holdings` says more of reservations, by their offer.
    """
    check(customer)
    check_lines(lines)
    try:
        with attempt():
            return _place(key, lines, customer, side=side, by=by, at=at, holdings=holdings or {})
    except sa.exc.IntegrityError:
        known = order_by_key(key)  # the same order, a moment ago
        if known is None:
            raise
        return known


def _place(key: UUID, lines: list[Quote], customer: Customer, *, side: Side, by: Actor, at: datetime, holdings: Mapping[int, Holding]) -> Order:
    made = enter(key, OrderState.PLACED, customer, _reseller_of(customer), side=side, by=by, at=at)
    begin(made, [(line_of(made, quote), quote) for quote in lines], customer, by=by, at=at, holdings=holdings)
    concerned, told = concerns(customer, made.reseller_id)
    audit.record("order.placed", by=by, at=at, customer=concerned, seen_by=told, after=summary(made, lines), subject=made.public_id)
    if side is Side.PARTNER:
        mails_orders.placed(made, lines, totals(lines, made.currency), at=at)
    return made


def enter(key: UUID, state: OrderState, customer: Customer, reseller_id: int | None, *, side: Side, by: Actor, at: datetime) -> Order:
    """An order without lines yet."""
    made = Order(
        partner_id=customer.partner_id,
        customer_id=customer.customer_id,
        reseller_id=reseller_id,
        key=key,
        state=state,
        state_at=at,
        side=side,
        currency=currency_of(customer.country),
        total_minor=0,
        ordered_at=at,
        author_id=by.user_id,
        author_name=by.name,
    )
    db.session.add(made)
    db.session.flush()
    return made


def line_of(made: Order, quote: Quote) -> OrderLine:
    """A line as it was quoted; nothing has begun by it yet."""
    assert quote.unit is not None and quote.today is not None
    return OrderLine(
        partner_id=made.partner_id,
        customer_id=made.customer_id,
        reseller_id=made.reseller_id,
        order_id=made.id,
        offer_id=quote.offer.id,
        name=quote.offer.name,
        quantity=quote.quantity,
        unit_minor=quote.unit.minor,
        today_minor=quote.today.minor,
        scope=quote.holding.scope if quote.offer.is_reservation else None,
        subscription_id=quote.holding.subscription_id,
    )


def begin(
    made: Order, lines: Sequence[tuple[OrderLine, Quote]], customer: Customer, *, by: Actor, at: datetime, holdings: Mapping[int, Holding] | None = None
) -> None:
    """What each line orders begins. Bases first, so that add-ons of the same order find theirs."""
    begun: dict[int, Subscription] = {}
    made.total_minor = 0
    for row, line in lines:
        assert line.unit is not None
        if line.offer.is_reservation:
            reservation = _reserve(line, (holdings or {}).get(line.offer.id, line.holding), customer, order=made, by=by, at=at)
            row.scope, row.subscription_id, row.reservation_id, row.today_minor = reservation.scope, None, reservation.id, reservation.paid_minor
        else:
            base = begun.get(line.offer.add_on_of_id or 0) or _base_for(line.offer, customer)
            subscription, charged = service.begin(
                line.offer, line.quantity, line.unit, base=base, customer=customer, order_id=made.id, reseller_id=made.reseller_id, by=by, at=at
            )
            if not line.offer.trial_days:
                begun[line.offer.id] = subscription
            row.subscription_id, row.today_minor = subscription.id, charged.minor
        made.total_minor += row.today_minor
        db.session.add(row)
    db.session.flush()


def summary(made: Order, lines: Iterable[Quote]) -> dict[str, Any]:
    """What the log tells of an order."""
    return {"lines": [f"{line.quantity} × {line.offer.name}" for line in lines], "total": str(made.total.amount), "currency": made.currency}


def concerns(customer: Customer, reseller_id: int | None) -> tuple[audit.Customer, tuple[int | None, ...]]:
    """How the log names the customer, and who is told: also the reseller, as far as it may see what names it. It reads no billing name of others (R13, R41)."""
    if partnerships.sees(reseller_id, customer.partner_id, customer.customer_id):
        return audit.Customer(customer.organization.id, customer.organization.name), (customer.partner_id, customer.customer_id, reseller_id)
    return customer.logged, (customer.partner_id, customer.customer_id)


def _reseller_of(customer: Customer) -> int | None:
    """Whom the record names, while that partnership is active (R41, R42)."""
    named = customer.reseller_id
    return named if named is not None and partnerships.in_force(customer.partner_id, named) is not None else None


def _reserve(line: Quote, holding: Holding, customer: Customer, *, order: Order, by: Actor, at: datetime) -> Reservation:
    """A reservation, paid for its whole term at once (R73)."""
    assert line.unit is not None
    offer, starts_on, paid = line.offer, holding.starts_on or at.date(), line.unit.times(line.quantity)
    reservation = Reservation(
        partner_id=order.partner_id,
        customer_id=order.customer_id,
        reseller_id=order.reseller_id,
        state=ReservationState.ACTIVE,
        state_at=at,
        offer_id=offer.id,
        order_id=order.id,
        subscription_id=holding.subscription_id,
        replaces_id=holding.replaces_id,
        name=offer.name,
        search_text=reservation_words(customer.name, offer),
        instance_type=offer.instance_type or "",
        region=offer.region or "",
        term_months=offer.term_months,
        scope=holding.scope,
        quantity=line.quantity,
        paid_minor=paid.minor,
        currency=paid.currency,
        starts_on=starts_on,
        ends_on=terms.add_months(starts_on, offer.term_months),
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
            quantity=line.quantity,
            amount_minor=paid.minor,
            currency=paid.currency,
            from_on=starts_on,
            to_on=reservation.ends_on,
        )
    )
    concerned, told = concerns(customer, order.reseller_id)
    reserved = {"name": offer.name, "quantity": line.quantity}
    audit.record("reservation.active", by=by, at=at, customer=concerned, seen_by=told, after=reserved, subject=reservation.public_id)
    return reservation


def reservation_words(customer_name: str, reserved: Any) -> str:
    """What lists of reservations are searched by; `reserved` is the reservation, or its offer."""
    return searchable(customer_name, reserved.name, reserved.instance_type or "", reserved.region or "")


def offer_of(public_id: UUID) -> Offer:
    """NotFound for another partner's."""
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
