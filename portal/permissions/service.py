"""Turning a customer's permission to buy on and off, buying within it, and the partner's say (R70-R76)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization, User
from portal.core import audit
from portal.core.access import Actor, Cloud, Side
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.i18n import show_money
from portal.core.money import Money, currency_of
from portal.customers import service as customers
from portal.customers.models import Customer, RelationshipState
from portal.permissions import mails, queries, texts
from portal.permissions.models import BuyingPermission, Category, Notice, Purchase, PurchaseState
from portal.permissions.queries import checklist
from portal.permissions.states import PURCHASE
from portal.permissions.texts_shop import UNAVAILABLE
from portal.subscriptions import advancing, catalog, ordering, terms, texts_catalog, texts_orders
from portal.subscriptions.catalog import Unavailable
from portal.subscriptions.models import Billing, Offer, Order, ReservationScope, Subscription, SubscriptionOwner, SubscriptionState


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


class Decided(Refused):
    """It no longer waits: somebody was quicker, or the customer took it back."""


class Overtaken(Refused):
    """The price or the term is not what the review showed."""


def permission_of(customer: Customer, category: Category = Category.RESERVATIONS, *, lock: bool = False) -> BuyingPermission | None:
    P = BuyingPermission
    statement = sa.select(P).where(P.partner_id == customer.partner_id, P.customer_id == customer.customer_id, P.category == category)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return db.session.scalar(statement)


def turn_on(customer: Customer, category: Category, *, by: Actor, at: datetime) -> BuyingPermission:
    """Refused until the checklist is complete, whatever the page says (R71). `customer` is locked by the caller."""
    advancing.catch_up(customer, at=at)
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
    fresh: dict[str, Any] = {"monthly_limit": monthly_limit, "approval_above": approval_above, "notice": notice}
    permission = permission_of(customer, category, lock=True)
    if version is not None and version != edition(permission):
        raise _stale(permission, fresh)
    permission = permission or _new(customer, category, at)
    before, after = audit.changes(_limits(permission), fresh)
    permission.currency = currency_of(customer.country)
    permission.monthly_limit_minor = monthly_limit.minor if monthly_limit else None
    permission.approval_above_minor = approval_above.minor if approval_above else None
    permission.notice = notice
    if after:
        before, after = ({name: _written(value) for name, value in side.items()} for side in (before, after))
        _log_limits(permission, customer, before, after, by, at)
    return permission


def edition(permission: BuyingPermission | None) -> int:
    """Which limits a form was filled from; turning the switch makes no form stale (R104)."""
    return customers.edition({name: _written(value) for name, value in _limits(permission).items()})


def buy(customer: Customer, wish: Wish, *, cloud: Cloud, by: Actor, at: datetime, reviewed: str | None = None) -> Purchase:
    """By the customer, at the partner's price, checked again in full (R71, R73, R74); above the threshold it waits for the partner (R76).

    Runs in the partner's scope. The permission row is the lock: two purchases at once never pass the limit together. `reviewed` is the seal of
    the quote as the customer looked at it: Overtaken when it is not the present one.
    """
    permission = permission_of(customer, lock=True)
    known = db.session.scalar(sa.select(Purchase).where(Purchase.key == wish.key, Purchase.customer_id == customer.customer_id))
    if known is not None:
        return known
    _check_relationship(customer)
    if permission is None or not permission.on:
        raise _not_permitted(customer)
    advancing.catch_up(customer, at=at)  # what a late job has not ended yet is over too
    _check_owner(customer, wish.subscription, by)
    if not checklist(customer).complete:
        raise _not_permitted(customer)
    quote = quoted(customer, wish.offer, wish.quantity, cloud=cloud, at=at)
    assert quote.unit is not None and quote.today is not None
    check_limit(permission, quote.today, at=at)
    permission.currency = quote.today.currency  # another one only where there are no limits
    if reviewed is not None and reviewed != quote.seal:
        raise Overtaken(_("The price or the term has changed since you reviewed this, so nothing was bought. Look at it as it is now, then buy it."))
    purchase = Purchase(
        partner_id=customer.partner_id,
        customer_id=customer.customer_id,
        key=wish.key,
        category=permission.category,
        state=PurchaseState.WAITING,
        state_at=at,
        month=month_of(at),
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
    if asks_first(permission, quote.today):
        audit.record("purchase.waiting", by=by, at=at, customer=customer.logged, seen_by=_told(customer), after=_summary(purchase), subject=purchase.public_id)
        mails.waiting(purchase, permission, customer, at=at)
    else:
        _place(purchase, permission, customer, quote, by=by, decided=by, at=at)
    return purchase


def quoted(
    customer: Customer, offer: Offer, quantity: int, *, cloud: Cloud, at: datetime, unit: Money | None = None, said: Mapping[Unavailable, Any] = UNAVAILABLE
) -> ordering.Quote:
    """The offer at the partner's price of today, or at `unit`; Refused says in the words of `said` why it cannot be had."""
    if not offer.is_reservation:
        raise Refused(_("Choose a reservation."), field="offer")
    price = unit or catalog.price_on(offer.id, currency_of(customer.country), at.date())
    reason = catalog.unavailable(offer, price, catalog.standing(customer, cloud))
    if reason is not None or price is None:
        raise Refused(said[reason or Unavailable.NO_PRICE], field="offer")
    least, most = catalog.quantities(offer, price)
    if not least <= quantity <= most:
        raise Refused(texts_orders.out_of_range(offer, price), field="quantity")
    return ordering.Quote(offer, quantity, price, price.times(quantity), None, terms.add_months(at.date(), offer.term_months))


def check_limit(permission: BuyingPermission, total: Money, *, at: datetime) -> Money | None:
    """What is left of the month's limit before this purchase, None without a limit; Refused when it passes that (R76)."""
    if total.currency != permission.currency and (permission.monthly_limit or permission.approval_above):
        partner = _partner_of(permission.partner_id)
        raise Refused(
            _("Your company pays in another currency now, and the limits are still in the former one. Ask %(partner)s to set them anew.", partner=partner)
        )
    left = left_of(permission, at=at)
    if left is not None and total.minor > left.minor:
        raise Refused(
            _(
                "This passes the limit that %(partner)s has set for each month: %(left)s is left for this month. Take fewer, wait for next month, or ask %(partner)s.",
                partner=_partner_of(permission.partner_id),
                left=show_money(left),
            ),
            field="quantity",
        )
    return left


def left_of(permission: BuyingPermission, *, at: datetime) -> Money | None:
    """What can still be spent this month; None without a limit. Never below zero, also when the limit was lowered."""
    if permission.monthly_limit is None:
        return None
    left = permission.monthly_limit - queries.spending(permission, month_of(at)).counted
    return Money(max(left.minor, 0), left.currency)


def month_of(at: datetime) -> str:
    """As purchases carry it."""
    return f"{at:%Y-%m}"


def asks_first(permission: BuyingPermission, total: Money) -> bool:
    """Whether the partner decides about a purchase of this amount (R76)."""
    return permission.approval_above is not None and total.minor > permission.approval_above.minor


def approve(purchase: Purchase, customer: Customer, *, cloud: Cloud, by: Actor, at: datetime) -> Order:
    """The partner says yes: everything is checked again, at the price that was asked for; it counts in the month in which it is approved (R76).

    `purchase` is locked by the caller.
    """
    _check_waiting(purchase)
    permission = permission_of(customer, purchase.category, lock=True)
    advancing.catch_up(customer, at=at)
    if permission is None or not permission.on or not checklist(customer).complete:
        raise NotPermitted(_("The permission to buy is off, or something that it needs is missing. Turn it on first, or decline."))
    state = db.session.scalar(sa.select(Subscription.state).where(Subscription.id == purchase.subscription_id))
    if state is not SubscriptionState.ACTIVE:
        raise NotPermitted(_("The subscription that this was asked for is not active. Reactivate it first, or decline."))
    buyer = _buyer(purchase)
    if not _owns(purchase.subscription_id, buyer):
        raise NotPermitted(_("%(name)s is no longer an owner of the subscription. Name this owner again first, or decline.", name=buyer.name))
    if purchase.currency != currency_of(customer.country):
        raise NotPermitted(_("The customer pays in another currency now. Decline this; it can be asked for anew."))
    passed = texts.over_limit(permission, purchase, queries.spending(permission, month_of(at)))
    if passed is not None:
        raise NotPermitted(passed)
    offer = db.session.scalars(sa.select(Offer).where(Offer.id == purchase.offer_id)).one()
    asked = Money(purchase.unit_minor, purchase.currency)
    quote = quoted(customer, offer, purchase.quantity, cloud=cloud, at=at, unit=asked, said=texts_catalog.UNAVAILABLE)
    order = _place(purchase, permission, customer, quote, by=buyer, decided=by, at=at)
    mails.approved(purchase, order, by=by, at=at)
    return order


def decline(purchase: Purchase, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    _check_waiting(purchase)
    purchase.declined_reason, purchase.decided_by = reason, by.name
    PURCHASE.apply(purchase, "decline", by=by, at=at, customer=customer.logged, seen_by=_told(customer), details={"reason": reason, **_summary(purchase)})
    mails.declined(purchase, by=by, at=at)


def decline_all(customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    """What waits and can no longer be bought. `customer` is locked by the caller."""
    mine = Purchase.partner_id == customer.partner_id, Purchase.customer_id == customer.customer_id, Purchase.state == PurchaseState.WAITING
    for purchase in db.session.scalars(sa.select(Purchase).where(*mine).order_by(Purchase.id).with_for_update().execution_options(populate_existing=True)):
        decline(purchase, customer, reason=reason, by=by, at=at)


def withdraw(purchase: Purchase, *, by: Actor, at: datetime) -> None:
    """The customer takes back what still waits."""
    _check_waiting(purchase)
    record = sa.select(Customer).where(Customer.partner_id == purchase.partner_id, Customer.customer_id == purchase.customer_id)
    customer = db.session.scalars(record).one()
    PURCHASE.apply(purchase, "withdraw", by=by, at=at, customer=customer.logged, seen_by=_told(customer), details=_summary(purchase))


def _check_waiting(purchase: Purchase) -> None:
    if purchase.state is not PurchaseState.WAITING:
        raise Decided(_("This purchase no longer waits for an answer, so nothing was done. What became of it is shown here."))


def _place(purchase: Purchase, permission: BuyingPermission, customer: Customer, quote: ordering.Quote, *, by: Actor, decided: Actor, at: datetime) -> Order:
    alone = purchase.subscription_id if ReservationScope(purchase.wanted["scope"]) is ReservationScope.SINGLE else None
    order = ordering.place(purchase.public_id, [quote], customer, side=Side.CUSTOMER, by=by, at=at, holdings={quote.offer.id: ordering.Holding(alone)})
    purchase.order_id, purchase.decided_by, purchase.month = order.id, decided.name, month_of(at)
    PURCHASE.apply(purchase, "approve", by=decided, at=at, customer=customer.logged, seen_by=_told(customer), details=_summary(purchase))
    db.session.flush()
    mails.placed(purchase, permission, customer, at=at)
    return order


def _check_relationship(customer: Customer) -> None:
    """The relationship, and the agreement that every order needs (R17)."""
    obstacle = ordering.why_not(customer)
    if obstacle == "relationship":
        raise NotPermitted(_("Your company does not work with %(partner)s any more, so nothing was bought.", partner=_partner_of(customer.partner_id)))
    if obstacle == "agreement":
        raise NotPermitted(
            _("Your company has not accepted the current customer agreement, so nothing was bought. A customer admin of your company can accept it.")
        )


def _check_owner(customer: Customer, subscription: Subscription, by: Actor) -> None:
    usable = subscription.customer_id == customer.customer_id and subscription.billing is Billing.USAGE and subscription.state is SubscriptionState.ACTIVE
    if not usable or not _owns(subscription.id, by):
        raise NotPermitted(
            _(
                "Only an owner of an active subscription buys for it, so nothing was bought. Ask %(partner)s to name you.",
                partner=_partner_of(customer.partner_id),
            )
        )


def _owns(subscription_id: int, buyer: Actor) -> bool:
    """While that person is active and may buy (R71)."""
    owner = sa.select(SubscriptionOwner.id).join(User, User.id == SubscriptionOwner.user_id).where(queries.ABLE)
    mine = owner.where(SubscriptionOwner.subscription_id == subscription_id, SubscriptionOwner.user_id == buyer.user_id)
    return db.session.scalar(mine) is not None


def _not_permitted(customer: Customer) -> NotPermitted:
    partner = _partner_of(customer.partner_id)
    return NotPermitted(_("%(partner)s does not permit this purchase at the moment, so nothing was bought. Ask %(partner)s.", partner=partner))


def _partner_of(partner_id: int) -> str:
    return db.session.get_one(Organization, partner_id).name


def _limits(permission: BuyingPermission | None) -> dict[str, Any]:
    if permission is None:
        return {"monthly_limit": None, "approval_above": None, "notice": Notice.WHO_TURNED_IT_ON}
    return {"monthly_limit": permission.monthly_limit, "approval_above": permission.approval_above, "notice": permission.notice}


def _written(value: Any) -> str | None:
    """A limit or a choice as the log keeps it."""
    return f"{value.amount} {value.currency}" if isinstance(value, Money) else value


def _stale(permission: BuyingPermission | None, mine: dict[str, Any]) -> Stale:
    theirs, differing = audit.changes(_limits(permission), mine)
    shown = {name: (show_money(value) if isinstance(value, Money) else value, None) for name, value in theirs.items()}
    message = _("Somebody else changed these limits while you had them open. Look at them as they are now, then save again.")
    return Stale(message, {name: shown[name] for name in differing})


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
    after = {"permission": permission.category.value, "on": permission.on}
    audit.record(
        action, by=by, at=at, customer=customer.logged, seen_by=_told(customer), before={"on": not permission.on}, after=after, subject=permission.public_id
    )


def _log_limits(permission: BuyingPermission, customer: Customer, before: dict[str, Any], after: dict[str, Any], by: Actor, at: datetime) -> None:
    """To the customer without whom the partner has told of purchases: that is the partner's own affair."""
    action, subject = "buying.limits_changed", permission.public_id
    audit.record(action, by=by, at=at, customer=customer.logged, seen_by=(customer.partner_id,), before=before, after=after, subject=subject)
    before, after = ({name: value for name, value in side.items() if name != "notice"} for side in (before, after))
    if after:
        outside = replace(by, organization_id=None)  # the partner's own log has it
        told = _told(customer)[1:]
        audit.record(action, by=outside, at=at, customer=customer.logged, seen_by=told, before=before, after=after, subject=subject)


def _told(customer: Customer) -> tuple[int | None, ...]:
    """Both sides; a company that has not consented yet hears of nothing (R19)."""
    return (customer.partner_id, customer.customer_id if customer.state is not RelationshipState.PENDING else None)
