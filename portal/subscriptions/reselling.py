"""An indirect reseller orders through its provider, which places what was asked for, or declines it (R17, R41, R81)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.agreements.models import AgreementState
from portal.core import audit
from portal.core.access import Actor, Cloud, PartnerType, Side
from portal.core.db import Key, attempt, db
from portal.core.errors import NotFound, Refused
from portal.core.money import Money, currency_of
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.relationships import queries as partnerships
from portal.subscriptions import advancing, catalog, mails_orders, order_queries, ordering, texts_orders
from portal.subscriptions.catalog import Standing
from portal.subscriptions.models import Cart, Offer, Order, OrderLine, OrderState, Subscription
from portal.subscriptions.ordering import CannotBeOrdered, Quote
from portal.subscriptions.states import ORDER


@dataclass(frozen=True)
class Seller:
    """Who sells what a cart holds: the partner itself or, for a reseller, one of its providers. `agreement`: where the seller's stands (R17)."""

    id: int
    name: str
    agreement: AgreementState
    is_provider: bool = False
    among_others: bool = False  # the reseller can choose another provider

    def at_work(self) -> AbstractContextManager[Scope]:
        """Inside, the catalog and the records are the seller's."""
        return scoped(Scope(partner_id=self.id))


class Undecided(Refused):
    """No provider of a reseller qualifies, or several do; `found` are those that do (R41)."""

    def __init__(self, found: Sequence[Any]) -> None:
        super().__init__(_("Choose the provider first.") if found else _("You order through a provider, and share this customer with none."))
        self.found = found


def resells(by: Actor) -> bool:
    return by.partner_type is PartnerType.INDIRECT_RESELLER


# --- the reseller's side


def customer_with_cart(customer_id: UUID, *, by: Actor) -> tuple[Customer, Cart | None, list[Any] | None]:
    """The partner's customer, this person's open cart if there is one, and for a reseller the providers with which it shares the customer."""
    if not resells(by):
        return *order_queries.customer_with_cart(customer_id, by=by), None
    with scoped(EVERYTHING):
        rows = db.session.execute(_WITH_ALL, {"customer": customer_id, "author": by.user_id, "me": by.organization_id}).all()
    if not rows:
        raise NotFound(customer_id)
    return rows[0][0], rows[0][1], partnerships.sharing(rows)


_mine = sa.and_(
    Cart.partner_id == Customer.partner_id,
    Cart.customer_id == Customer.customer_id,
    Cart.author_id == sa.bindparam("author", type_=Key),
    Cart.ordered_at.is_(None),
)
_own = (Customer.public_id == sa.bindparam("customer", type_=sa.Uuid()), Customer.partner_id == sa.bindparam("me", type_=Key))
_WITH_ALL = partnerships.with_sharing(sa.select(Customer, Cart).outerjoin(Cart, _mine).where(*_own))


def seller_for(customer: Customer, cart: Cart | None, found: Sequence[Any] | None = None, *, by: Actor) -> Seller:
    """Who sells to this customer: for a reseller the provider that was chosen for the cart, or the only one with which it shares the customer."""
    ordering.check_relationship(customer)
    if not resells(by):
        return Seller(customer.partner_id, by.organization_name, customer.agreement)
    found = partnerships.providers_sharing(customer) if found is None else found
    chosen = next((row for row in found if cart is not None and row.provider_id == cart.provider_id), found[0] if len(found) == 1 else None)
    if chosen is None:
        raise Undecided(found)
    return Seller(chosen.provider_id, chosen.provider, chosen.provider_agreement, is_provider=True, among_others=len(found) > 1)


def cart_for(customer: Customer, *, by: Actor, at: datetime) -> tuple[Cart, Seller]:
    """One's open cart, to change it, and who sells what is in it. `customer` is locked by the caller."""
    seller = seller_for(customer, ordering.open_cart(customer, by=by), by=by)
    cart = ordering.cart_of(customer, by=by, at=at)
    if seller.is_provider:
        _sold_by(cart, seller.id, at)
    return cart, seller


def choose(customer: Customer, provider: str, *, by: Actor, at: datetime) -> None:
    """Order through this provider; what is in the cart of another one's catalog goes. NotFound for one with which nothing is shared."""
    chosen = next((row for row in partnerships.providers_sharing(customer) if str(row.provider_key) == provider), None) if resells(by) else None
    if chosen is None:
        raise NotFound(provider)
    _sold_by(ordering.cart_of(customer, by=by, at=at), chosen.provider_id, at)


def standing(customer: Customer, seller: Seller, *, by: Actor) -> Standing:
    """Where the customer stands with the seller, as far as this person may know."""
    with seller.at_work():
        return catalog.standing(customer, by.cloud, reseller_id=by.organization_id if seller.is_provider else None)


def send(cart: Cart, customer: Customer, *, reviewed: Sequence[str], users: Mapping[str, str] = MappingProxyType({}), by: Actor, at: datetime) -> Order:
    """What the cart holds is asked of its provider, once: nothing begins, and nothing is charged, before that places it (R81).

    `customer` and `cart` are locked by the caller, in this order.
    """
    with scoped(Scope(reseller_id=by.organization_id)):
        known = ordering.order_by_key(cart.public_id)
    if known is not None:
        return known
    seller = seller_for(customer, cart, by=by)
    known_standing = standing(customer, seller, by=by)
    with seller.at_work():
        record = customers.record_of(customer.customer_id or 0, lock=True)
        if record is None or not _shared(record, by.organization_id):
            raise Undecided([])
        if ordering.why_not(record) is not None:
            message = _(
                "%(name)s has no current customer agreement with %(provider)s. Without it nothing can be ordered.", name=customer.name, provider=seller.name
            )
            raise CannotBeOrdered(message)
        lines = ordering.quotes_for(cart.lines, known_standing, today=at.date())
        ordering.check_reviewed(lines, reviewed)
        lines = ordering.chosen_users(lines, users, record, reseller_id=by.organization_id)
        ordering.check_lines(lines)
        made = _ask(cart.public_id, lines, record, by=by, at=at)
    cart.ordered_at = at
    return made


def withdraw(customer_id: UUID, public_id: UUID, *, by: Actor, at: datetime) -> Order:
    """The reseller takes back what still waits; the second click of two finds that done."""
    with scoped(Scope(reseller_id=by.organization_id)):
        made = _locked(public_id)
    if not partnerships.sees(by.organization_id, made.partner_id, customers.record(customer_id).customer_id):
        raise NotFound(public_id)
    if made.state is not OrderState.WITHDRAWN:
        with scoped(Scope(partner_id=made.partner_id)):
            record = _record(made)
            ORDER.apply(made, "withdraw", by=by, at=at, customer=_neutral(record), seen_by=_sides(made))
            mails_orders.withdrawn(made, record, by=by, at=at)
    return made


def _sold_by(cart: Cart, provider_id: int, at: datetime) -> None:
    if cart.provider_id != provider_id:
        cart.provider_id, cart.lines, cart.saved_at = provider_id, {}, at


def _ask(key: UUID, lines: Sequence[Quote], record: Customer, *, by: Actor, at: datetime) -> Order:
    try:
        with attempt():
            made = ordering.enter(key, OrderState.REQUESTED, record, by.organization_id, side=Side.PARTNER, by=by, at=at)
            db.session.add_all(rows := [ordering.line_of(made, quote) for quote in lines])
            made.total_minor = sum(row.today_minor for row in rows)
    except sa.exc.IntegrityError:
        known = ordering.order_by_key(key)  # the same order, a moment ago
        if known is None:
            raise
        return known
    told = ordering.summary(made, lines)
    audit.record("order.requested", by=by, at=at, customer=_neutral(record), seen_by=_sides(made), after=told, subject=made.public_id)
    mails_orders.requested(made, record, lines, by=by, at=at)
    return made


# --- the provider's side


def requested(made: Order, customer: Customer, *, cloud: Cloud, today: date) -> list[Quote]:
    """What placing it today would order, at the prices that were asked for; each line says why it cannot be placed."""
    rows = _lines(made)
    agreed = {offer_id: Money(row.unit_minor, made.currency) for offer_id, (row, _used_by) in rows.items()}
    wanted = {str(offer_id): row.quantity for offer_id, (row, _used_by) in rows.items()}
    quotes = ordering.quotes_for(wanted, catalog.standing(customer, cloud), today=today, agreed=agreed)
    return [replace(quote, used_by=rows[quote.offer.public_id][1]) for quote in quotes]


def why_not(made: Order, customer: Customer) -> str | None:
    """What stands in the way of placing it, whatever its lines are: 'relationship', 'reseller', 'currency' or, as the record has it, 'agreement'."""
    if customer.state is not RelationshipState.ACTIVE:
        return "relationship"
    if not _shared(customer, made.reseller_id):
        return "reseller"
    if currency_of(customer.country) != made.currency:
        return "currency"
    return None if customer.agreement in (AgreementState.ACCEPTED, AgreementState.ATTESTED) else "agreement"


def to_decide(customer: Customer, public_id: UUID) -> Order:
    """An order of this customer that a reseller asked for, locked; NotFound for any other one."""
    made = _locked(public_id)
    if made.customer_id != customer.customer_id or made.reseller_id is None:
        raise NotFound(public_id)
    return made


def place(made: Order, customer: Customer, *, reviewed: Sequence[str], by: Actor, at: datetime) -> None:
    """Everything is checked again, then it begins at the prices that were asked for; the second click of two finds that done.

    `reviewed` has the seals of the lines as somebody looked at them. `customer` and `made` are locked by the caller, in this order.
    """
    if made.state is OrderState.PLACED:
        return
    check_waiting(made)
    reason = why_not(made, customer)
    if reason in texts_orders.NOT_TO_BE_PLACED:
        raise CannotBeOrdered(texts_orders.NOT_TO_BE_PLACED[reason])
    ordering.check(customer)
    advancing.catch_up(customer, at=at)
    lines = requested(made, customer, cloud=by.cloud, today=at.date())
    ordering.check_reviewed(lines, reviewed)
    ordering.check_lines(lines)
    rows = _lines(made)
    with attempt():
        ordering.begin(made, [(rows[line.offer.public_id][0], line) for line in lines], customer, by=by, at=at)
        concerned, told = ordering.concerns(customer, made.reseller_id)
        ORDER.apply(made, "place", by=by, at=at, customer=concerned, seen_by=told, details=ordering.summary(made, lines))
        db.session.flush()
    mails_orders.placed(made, lines, ordering.totals(lines, made.currency), at=at)
    mails_orders.answered(made, by=by, at=at)


def decline(made: Order, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    """The provider does not place what its reseller asked for."""
    if made.state is OrderState.DECLINED:
        return
    check_waiting(made)
    made.declined_reason = reason
    ORDER.apply(made, "decline", by=by, at=at, customer=_neutral(customer), seen_by=_sides(made), details={"reason": reason})
    mails_orders.answered(made, by=by, at=at)


def decline_all(reason: str, *conditions: Any, by: Actor, at: datetime) -> None:
    """What waits and can no longer be placed."""
    waiting = sa.select(Order).where(Order.state == OrderState.REQUESTED, *conditions).order_by(Order.id)
    for made in db.session.scalars(waiting.with_for_update().execution_options(populate_existing=True)).all():
        decline(made, _record(made), reason=reason, by=by, at=at)


def _shared(record: Customer, reseller_id: int | None) -> bool:
    """Whether the provider's record still names the reseller, and both serve the customer as partners (R41)."""
    return record.reseller_id == reseller_id and partnerships.sees(reseller_id, record.partner_id, record.customer_id)


def check_waiting(made: Order) -> None:
    """Refused when it was answered or taken back meanwhile."""
    if made.state is not OrderState.REQUESTED:
        raise Refused(_("This has changed meanwhile, so it was not done. Look at its present state and try again."))


def _locked(public_id: UUID) -> Order:
    made = db.session.scalar(sa.select(Order).where(Order.public_id == public_id).with_for_update().execution_options(populate_existing=True))
    if made is None:
        raise NotFound(public_id)
    return made


def _lines(made: Order) -> Mapping[UUID, tuple[OrderLine, Subscription | None]]:
    """By the public key of the offer; each with the subscription that alone is to use it, if it is a reservation that has one."""
    statement = sa.select(Offer.public_id, OrderLine, Subscription).join(Offer, Offer.id == OrderLine.offer_id)
    statement = statement.outerjoin(Subscription, Subscription.id == OrderLine.subscription_id).where(OrderLine.order_id == made.id)
    return {row[0]: (row[1], row[2]) for row in db.session.execute(statement.order_by(OrderLine.id))}


def _record(made: Order) -> Customer:
    """The provider's record of the customer."""
    return db.session.scalars(sa.select(Customer).where(Customer.partner_id == made.partner_id, Customer.customer_id == made.customer_id)).one()


def _sides(made: Order) -> tuple[int | None, ...]:
    """Who hears of an order that is not placed: the customer hears of it when it is."""
    return (made.partner_id, made.reseller_id)


def _neutral(customer: Customer) -> audit.Customer:
    """By its own name, since each side has a billing name of its own that the other does not read (R13)."""
    return audit.Customer(customer.organization.id, customer.organization.name)
