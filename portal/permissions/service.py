"""Turning a customer's permission to buy on and off, buying within it, and the partner's say (R70-R76)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import audit
from portal.core.access import Actor, Cloud, Role, Side
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.money import Money, currency_of
from portal.customers.models import Customer, RelationshipState
from portal.permissions.models import BuyingPermission, Category, Notice, Purchase, PurchaseState
from portal.permissions.states import PURCHASE
from portal.subscriptions import catalog, ordering
from portal.subscriptions.models import Billing, Offer, Order, ReservationScope, Subscription, SubscriptionOwner, SubscriptionState

BUYERS = (Role.CUSTOMER_ADMIN, Role.PURCHASER)


@dataclass(frozen=True)
class Checklist:
    """The three things that R71 asks for."""

    relationship: bool
    subscription: bool
    owner: bool

    @property
    def complete(self) -> bool:
        return self.relationship and self.subscription and self.owner


@dataclass(frozen=True)
class Wish:
    """What a customer wants to buy; `key` comes with the form."""

    key: UUID
    offer: Offer
    subscription: Subscription
    quantity: int
    scope: ReservationScope


class NotPermitted(Refused):
    """The permission is off, or something that it needs is no longer there."""


def checklist(customer: Customer) -> Checklist:
    """Active relationship, an active usage-based subscription of this partner's, and a purchaser named owner of one (R71)."""
    active = sa.and_(
        Subscription.partner_id == customer.partner_id,
        Subscription.customer_id == customer.customer_id,
        Subscription.billing == Billing.USAGE,
        Subscription.state == SubscriptionState.ACTIVE,
    )
    subscription = db.session.scalar(sa.select(Subscription.id).where(active).limit(1))
    owner = db.session.scalar(
        sa.select(SubscriptionOwner.id)
        .join(Subscription, Subscription.id == SubscriptionOwner.subscription_id)
        .join(User, User.id == SubscriptionOwner.user_id)
        .join(UserRole, UserRole.user_id == User.id)
        .where(active, User.state == UserState.ACTIVE, UserRole.role.in_(BUYERS))
        .limit(1)
    )
    return Checklist(customer.state is RelationshipState.ACTIVE, subscription is not None, owner is not None)


def permission_of(customer: Customer, category: Category = Category.RESERVATIONS, *, lock: bool = False) -> BuyingPermission | None:
    P = BuyingPermission
    statement = sa.select(P).where(P.partner_id == customer.partner_id, P.customer_id == customer.customer_id, P.category == category)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return db.session.scalar(statement)


def turn_on(customer: Customer, category: Category, *, by: Actor, at: datetime) -> BuyingPermission:
    """Refused until the checklist is complete, whatever the page says (R71). `customer` is locked by the caller."""
    if not checklist(customer).complete:
        raise Refused(_("This cannot be turned on yet: the list says what is missing, and where to mend it."))
    permission = permission_of(customer, category, lock=True) or _new(customer, category, at)
    if not permission.on:
        permission.on, permission.changed_at, permission.changed_by_id = True, at, by.user_id
        _log_switch("buying.on", permission, customer, by, at)
    return permission


def turn_off(customer: Customer, category: Category, *, by: Actor, at: datetime) -> None:
    permission = permission_of(customer, category, lock=True)
    if permission is not None and permission.on:
        permission.on, permission.changed_at, permission.changed_by_id = False, at, by.user_id
        _log_switch("buying.off", permission, customer, by, at)


def set_limits(
    customer: Customer,
    category: Category,
    *,
    monthly_limit: Money | None,
    approval_above: Money | None,
    notice: Notice,
    version: int | None,
    by: Actor,
    at: datetime,
) -> BuyingPermission:
    """How much a month, above which amount the partner is asked first, and who is told (R76)."""
    permission = permission_of(customer, category, lock=True) or _new(customer, category, at)
    if version is not None and version != permission.version:
        raise Stale(_("Somebody else changed these limits while you had them open. Look at them as they are now, then save again."))
    fresh = {
        "monthly_limit_minor": monthly_limit.minor if monthly_limit else None,
        "approval_above_minor": approval_above.minor if approval_above else None,
        "notice": notice,
    }
    before, after = audit.changes({name: getattr(permission, name) for name in fresh}, fresh)
    for name, value in after.items():
        setattr(permission, name, value)
    if after:
        audit.record(
            "buying.limits_changed", by=by, at=at, customer=customer.logged, seen_by=_told(customer), before=before, after=after, subject=permission.public_id
        )
    return permission


def spent(permission: BuyingPermission, month: str) -> Money:
    """What counts against this month: placed and waiting purchases."""
    total = sa.select(sa.func.coalesce(sa.func.sum(Purchase.total_minor), 0)).where(
        Purchase.partner_id == permission.partner_id,
        Purchase.customer_id == permission.customer_id,
        Purchase.category == permission.category,
        Purchase.month == month,
        Purchase.state.in_([PurchaseState.PLACED, PurchaseState.WAITING]),
    )
    return Money(int(db.session.scalar(total) or 0), permission.currency)


def buy(customer: Customer, wish: Wish, *, cloud: Cloud, by: Actor, at: datetime) -> Purchase:
    """By the customer, at the partner's price, checked again in full (R71, R73, R74); above the threshold it waits for the partner (R76).

    Runs in the partner's scope. The permission row is the lock: two purchases at once never pass the limit together.
    """
    permission = permission_of(customer, lock=True)
    known = db.session.scalar(sa.select(Purchase).where(Purchase.key == wish.key, Purchase.customer_id == customer.customer_id))
    if known is not None:
        return known
    if permission is None or not permission.on or not checklist(customer).complete:
        raise NotPermitted(_("Your partner does not permit this purchase at the moment. Nothing was bought; ask your partner."))
    _check_owner(customer, wish.subscription, by)
    quote = _quote(customer, wish, cloud, at)
    assert quote.unit is not None and quote.today is not None
    month = f"{at:%Y-%m}"
    left = permission.monthly_limit - spent(permission, month) if permission.monthly_limit is not None else None
    if left is not None and quote.today.minor > left.minor:
        raise Refused(
            _("This passes the limit that your partner has set for this month. Take fewer, wait for next month, or ask your partner."), field="quantity"
        )
    purchase = Purchase(
        partner_id=customer.partner_id,
        customer_id=customer.customer_id,
        key=wish.key,
        category=permission.category,
        state=PurchaseState.WAITING,
        state_at=at,
        month=month,
        offer_id=wish.offer.id,
        subscription_id=wish.subscription.id,
        quantity=wish.quantity,
        unit_minor=quote.unit.minor,
        total_minor=quote.today.minor,
        currency=quote.today.currency,
        wanted={
            "name": wish.offer.name,
            "instance_type": wish.offer.instance_type,
            "region": wish.offer.region,
            "term_months": wish.offer.term_months,
            "scope": wish.scope.value,
        },
        author_id=by.user_id or 0,
        author_name=by.name,
        author_email=by.email,
        asked_at=at,
    )
    db.session.add(purchase)
    db.session.flush()
    if permission.approval_above is not None and quote.today.minor > permission.approval_above.minor:
        audit.record("purchase.waiting", by=by, at=at, customer=customer.logged, seen_by=_told(customer), after=_summary(purchase), subject=purchase.public_id)
    else:
        _place(purchase, customer, quote, by=by, decided=by, at=at)
    return purchase


def approve(purchase: Purchase, customer: Customer, *, cloud: Cloud, by: Actor, at: datetime) -> Order:
    """The partner says yes: everything is checked again, at the price that was asked for. `purchase` is locked by the caller."""
    permission = permission_of(customer, purchase.category, lock=True)
    if permission is None or not permission.on or not checklist(customer).complete:
        raise NotPermitted(_("The permission to buy is off, or something that it needs is missing. Turn it on first, or decline."))
    subscription = db.session.scalars(sa.select(Subscription).where(Subscription.id == purchase.subscription_id)).one()
    offer = db.session.scalars(sa.select(Offer).where(Offer.id == purchase.offer_id)).one()
    wish = Wish(purchase.key, offer, subscription, purchase.quantity, ReservationScope(purchase.wanted["scope"]))
    quote = _quote(customer, wish, cloud, at, unit=Money(purchase.unit_minor, purchase.currency))
    return _place(purchase, customer, quote, by=_buyer(purchase), decided=by, at=at)


def decline(purchase: Purchase, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    purchase.declined_reason, purchase.decided_by = reason, by.name
    PURCHASE.apply(purchase, "decline", by=by, at=at, customer=customer.logged, seen_by=_told(customer), details={"reason": reason, **_summary(purchase)})


def withdraw(purchase: Purchase, *, by: Actor, at: datetime) -> None:
    """The customer takes back what still waits."""
    PURCHASE.apply(purchase, "withdraw", by=by, at=at, seen_by=(purchase.partner_id, purchase.customer_id), details=_summary(purchase))


def _quote(customer: Customer, wish: Wish, cloud: Cloud, at: datetime, unit: Money | None = None) -> ordering.Quote:
    """The offer at the partner's price of today, or at the price that was asked for; Refused when it cannot be had."""
    if not wish.offer.is_reservation:
        raise Refused(_("Choose a reservation."), field="offer")
    price = unit or catalog.price_on(wish.offer.id, currency_of(customer.country), at.date())
    reason = catalog.unavailable(wish.offer, price, catalog.standing(customer, cloud))
    if reason is not None or price is None:
        raise Refused(_("This offer cannot be ordered now. Choose another one, or ask your partner."), field="offer")
    if not wish.offer.minimum <= wish.quantity <= wish.offer.maximum:
        raise Refused(_("Give a number from %(least)s to %(most)s.", least=wish.offer.minimum, most=wish.offer.maximum), field="quantity")
    return ordering.Quote(wish.offer, wish.quantity, price, price.times(wish.quantity), None, None)


def _place(purchase: Purchase, customer: Customer, quote: ordering.Quote, *, by: Actor, decided: Actor, at: datetime) -> Order:
    scope = ReservationScope(purchase.wanted["scope"])
    order = ordering.place(purchase.key, [quote], customer, side=Side.CUSTOMER, by=by, at=at, scopes={quote.offer.id: scope})
    purchase.order_id, purchase.decided_by = order.id, decided.name
    PURCHASE.apply(purchase, "approve", by=decided, at=at, customer=customer.logged, seen_by=_told(customer), details=_summary(purchase))
    db.session.flush()
    return order


def _check_owner(customer: Customer, subscription: Subscription, by: Actor) -> None:
    owner = sa.select(SubscriptionOwner.id).where(SubscriptionOwner.subscription_id == subscription.id, SubscriptionOwner.user_id == by.user_id)
    usable = subscription.customer_id == customer.customer_id and subscription.billing is Billing.USAGE and subscription.state is SubscriptionState.ACTIVE
    if not usable or db.session.scalar(owner) is None:
        raise NotPermitted(_("Only an owner of the subscription buys for it. Ask your partner to name you."))


def _new(customer: Customer, category: Category, at: datetime) -> BuyingPermission:
    permission = BuyingPermission(
        partner_id=customer.partner_id, customer_id=customer.customer_id, category=category, changed_at=at, currency=currency_of(customer.country)
    )
    db.session.add(permission)
    db.session.flush()
    return permission


def _buyer(purchase: Purchase) -> Actor:
    assert purchase.customer_id is not None
    organization = db.session.get_one(Organization, purchase.customer_id)
    return Actor(user_id=purchase.author_id, name=purchase.author_name, email=purchase.author_email, organization_id=organization.id, side=Side.CUSTOMER)


def _summary(purchase: Purchase) -> dict[str, object]:
    return {"name": purchase.wanted["name"], "quantity": purchase.quantity, "total": str(purchase.total.amount), "currency": purchase.currency}


def _log_switch(action: str, permission: BuyingPermission, customer: Customer, by: Actor, at: datetime) -> None:
    """`create` or `delete customer purchase permissions`, as the log names it (R72)."""
    after = {"category": permission.category.value, "on": permission.on}
    audit.record(
        action, by=by, at=at, customer=customer.logged, seen_by=_told(customer), before={"on": not permission.on}, after=after, subject=permission.public_id
    )


def _told(customer: Customer) -> tuple[int | None, ...]:
    return (customer.partner_id, customer.customer_id)
