"""What is done with a subscription by a person: it begins, its quantity, renewal, suspending, cancelling, its trial (R82-R85)."""

from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.money import Money
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import advancing, catalog, charging, history, naming, planning, queries, terms, texts_orders
from portal.subscriptions.models import Billing, Charge, ChargeKind, Cycle, Offer, Subscription, SubscriptionState
from portal.subscriptions.states import LIVE

CANCEL_WITHIN = {Cycle.MONTHLY: timedelta(hours=24), Cycle.ANNUAL: timedelta(days=14)}


def locked(customer: Customer, public_id: UUID, *, at: datetime) -> Subscription:
    """One of this customer's to change it, held with its base and add-ons. What time has brought them is done first, so that jobs may be late."""
    found = queries.locked(customer, public_id)
    advancing.catch_up_family(found.base_id or found.id, at=at)
    return found


def check_live(subscription: Subscription) -> None:
    """Refused when it has expired or was cancelled."""
    if subscription.state not in LIVE:
        raise Refused(_("This subscription is no longer active."))


def set_quantity(subscription: Subscription, quantity: int, *, version: int | None, by: Actor, at: datetime) -> Money:
    """More at once, charged by day; fewer from the renewal on (R84). Returns what is charged now; nothing for what holds already."""
    charged = Money(0, subscription.currency)
    if quantity == (subscription.next_quantity or subscription.quantity):
        return charged
    check_quantity(subscription, quantity, version=version)
    before = {"quantity": subscription.quantity, "next_quantity": subscription.next_quantity}
    if quantity > subscription.quantity:
        charged = price_of_increase(subscription, quantity, at.date())
        if charged.minor:
            charging.charge(subscription, ChargeKind.INCREASE, quantity - subscription.quantity, charged, charging.billed_ahead(subscription, at.date()), at)
        subscription.quantity, subscription.next_quantity = quantity, None
    else:
        subscription.next_quantity = quantity if quantity < subscription.quantity else None
    history.log("subscription.quantity_changed", subscription, by, at, before, {"quantity": subscription.quantity, "next_quantity": subscription.next_quantity})
    return charged


def check_quantity(subscription: Subscription, quantity: int, *, version: int | None) -> None:
    """Refused when this quantity cannot be set; Stale when somebody else has changed the subscription meanwhile."""
    _check_open(subscription, version)
    offer = queries.offer_of(subscription)
    least, most = catalog.quantities(offer, subscription.unit)
    if not least <= quantity <= most:
        raise Refused(texts_orders.out_of_range(offer, subscription.unit), field="quantity")


def price_of_increase(subscription: Subscription, quantity: int, today: date) -> Money:
    """What raising to this quantity costs for the rest of the billing period, by day (R84)."""
    if subscription.billing is Billing.USAGE or subscription.trial_ends_on is not None or quantity <= subscription.quantity:
        return Money(0, subscription.currency)
    whole = subscription.unit.times(quantity - subscription.quantity)
    return terms.prorated(whole, charging.full_period(subscription, today), charging.billed_ahead(subscription, today))


def set_renewal(subscription: Subscription, *, auto_renew: bool, by: Actor, at: datetime) -> None:
    """Renews itself, or expires at the end of its term (R84). Turning it on takes back a cancellation at renewal."""
    check_live(subscription)
    base = queries.base_of(subscription) if auto_renew else None
    if base is not None and not base.auto_renew:
        raise Refused(_("%(name)s, which this adds to, does not renew itself. Turn its auto-renewal on first.", name=base.shown_name))
    if subscription.auto_renew == auto_renew:  # off already, also by a cancellation: that stays one
        return
    before = {"auto_renew": subscription.auto_renew}
    subscription.auto_renew, subscription.cancels = auto_renew, False
    planning.plan(subscription, at.date())
    history.log("subscription.renewal_changed", subscription, by, at, before, {"auto_renew": auto_renew})


def suspend(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    """Stops sign-in; its add-ons stop with it. Without reactivation it expires 90 days on (R82)."""
    if subscription.state is SubscriptionState.SUSPENDED:
        return
    check_live(subscription)
    _suspend(subscription, by=by, at=at)
    for add_on in queries.below(subscription):
        if add_on.state is SubscriptionState.ACTIVE:
            add_on.suspended_with_base = True
            _suspend(add_on, by=by, at=at)


def reactivate(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> None:
    """As it was, with the add-ons that were suspended along with it. A period that has begun meanwhile is charged from today on.

    `reviewed` is the price that somebody looked at, as a page carries it: Stale when it is another one by now; so in the other steps that charge or credit.
    """
    if subscription.state is SubscriptionState.ACTIVE:
        return
    check_live(subscription)
    base = queries.base_of(subscription)
    if base is not None and base.state is not SubscriptionState.ACTIVE:
        raise Refused(_("%(name)s, which this adds to, is suspended. Reactivate that first.", name=base.shown_name))
    _check_relationship(subscription)
    _check_reviewed(reviewed, seal_of_reactivation(price_of_reactivation(subscription, at.date())))
    _reactivate(subscription, by=by, at=at)
    for add_on in _followers(subscription):
        _reactivate(add_on, by=by, at=at)


def price_of_reactivation(subscription: Subscription, today: date) -> Money:
    """What reactivating charges at once, with the add-ons that come back along with it."""
    total = Money(0, subscription.currency)
    for member in (subscription, *_followers(subscription)):
        for _part, amount in charging.unbilled(member, max(member.billed_to, today), today):
            total += amount
    return total


def seal_of_reactivation(price: Money) -> str:
    """What the page before shows of it: comes back with the confirmation, as the other seals."""
    return str(price.minor)


def cancel(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> bool:
    """Within the window at once with full credit, later at renewal (R83). Returns whether it ended at once."""
    if subscription.state is SubscriptionState.CANCELLED:
        return True
    check_live(subscription)
    _check_reviewed(reviewed, seal_of_cancellation(subscription, credit_of(subscription, at)))
    if at <= window_ends(subscription):
        advancing.end(subscription, "cancel", by=by, at=at, credited=True)
        return True
    if not subscription.cancels:
        subscription.cancels, subscription.auto_renew = True, False
        planning.plan(subscription, at.date())
        history.log("subscription.cancels_at_renewal", subscription, by, at, {}, {"ends_on": subscription.ends_on})
    return False


def window_ends(subscription: Subscription) -> datetime:
    """Until when cancelling brings full credit (R83)."""
    return subscription.ordered_at + CANCEL_WITHIN[subscription.cycle]


def credit_of(subscription: Subscription, at: datetime) -> Money | None:
    """What cancelling within the window gives back, with its add-ons: all that was charged; None after it, when it only stops at renewal (R83)."""
    if at > window_ends(subscription):
        return None
    members = [member.id for member in (subscription, *queries.below(subscription)) if member.state in LIVE]
    total = db.session.scalar(sa.select(sa.func.sum(Charge.amount_minor)).where(Charge.subscription_id.in_(members)))
    return Money(int(total or 0), subscription.currency)


def seal_of_cancellation(subscription: Subscription, credit: Money | None) -> str:
    return f"at once {credit.minor}" if credit is not None else f"on {subscription.ends_on}"


def convert_trial(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> None:
    """Paid from today on, before the trial ends by itself."""
    if subscription.trial_ends_on is None or subscription.state is not SubscriptionState.ACTIVE:
        raise Refused(_("This is not an active trial."))
    _check_relationship(subscription)
    _check_reviewed(reviewed, seal_of_conversion(price_of_conversion(subscription), at.date()))
    subscription.auto_renew, subscription.cancels = True, False
    advancing.become_paid(subscription, at.date(), by=by, at=at)
    charging.bill(subscription, at=at)


def price_of_conversion(subscription: Subscription) -> Money:
    """What converting the trial charges at once: its first billing period."""
    if subscription.billing is Billing.USAGE:
        return Money(0, subscription.currency)
    return subscription.unit.times(subscription.next_quantity or subscription.quantity)


def seal_of_conversion(price: Money, today: date) -> str:
    return f"{price.minor} from {today}"


def begin(
    offer: Offer, quantity: int, unit: Money, *, base: Subscription | None, customer: Customer, order_id: int, reseller_id: int | None, by: Actor, at: datetime
) -> tuple[Subscription, Money]:
    """A subscription as ordered, and what it charges at once. An add-on ends together with its base (R80, R82)."""
    today = at.date()
    trial = today + timedelta(days=offer.trial_days) if offer.trial_days else None
    anchor = base.anchor_on if base else today
    ends_on = trial or (base.ends_on if base else terms.add_months(anchor, offer.term_months))
    subscription = Subscription(
        partner_id=customer.partner_id,
        customer_id=customer.customer_id,
        reseller_id=reseller_id,
        state=SubscriptionState.ACTIVE,
        state_at=at,
        offer_id=offer.id,
        order_id=order_id,
        base_id=base.id if base else None,
        name=offer.name,
        nickname="",
        billing=offer.billing,
        cycle=offer.cycle,
        term_months=offer.term_months,
        quantity=quantity,
        unit_minor=unit.minor,
        currency=unit.currency,
        ordered_at=at,
        anchor_on=anchor,
        starts_on=today,
        ends_on=ends_on,
        billed_to=trial or today,
        trial_ends_on=trial,
        auto_renew=True,
        due_on=ends_on,
        support_contact_id=customer.partner_id,
    )
    naming.rekey(subscription, customer.name)
    db.session.add(subscription)
    db.session.flush()
    history.log("subscription.active", subscription, by, at, {}, {"name": offer.name, "quantity": quantity})
    return subscription, charging.bill(subscription, at=at)


def _suspend(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    history.move(subscription, "suspend", by=by, at=at)
    subscription.suspended_on = at.date()
    planning.plan(subscription, at.date())


def _reactivate(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    history.move(subscription, "reactivate", by=by, at=at)
    subscription.suspended_on, subscription.suspended_with_base = None, False
    subscription.billed_to = max(subscription.billed_to, at.date())
    charging.bill(subscription, at=at)


def _followers(subscription: Subscription) -> list[Subscription]:
    """Its add-ons that were suspended along with it, and come back along with it."""
    return [add_on for add_on in queries.below(subscription) if add_on.state is SubscriptionState.SUSPENDED and add_on.suspended_with_base]


def _check_relationship(subscription: Subscription) -> None:
    record = customers.record_of(subscription.customer_id or 0)
    if record is None or record.state is not RelationshipState.ACTIVE:
        raise Refused(_("The relationship with this customer is not active, so nothing new can be charged."))


def _check_open(subscription: Subscription, version: int | None) -> None:
    if subscription.state is not SubscriptionState.ACTIVE:
        raise Refused(_("This subscription is not active."))
    history.check_version(subscription, version)
    _check_relationship(subscription)


def _check_reviewed(reviewed: str | None, present: str) -> None:
    if reviewed is not None and reviewed != present:
        raise Stale(_("It is not as you saw it any more, so nothing was done. Look at it as it is now, then confirm again."))
