"""What a subscription charges for its periods, or parts of them, and gives back (R83, R84, R90)."""

from collections.abc import Iterator
from datetime import date, datetime

import sqlalchemy as sa

from portal.core.db import db
from portal.core.money import Money
from portal.subscriptions import planning, terms
from portal.subscriptions.models import Billing, Charge, ChargeKind, Subscription, SubscriptionState
from portal.subscriptions.terms import Period


def bill(subscription: Subscription, *, at: datetime, day: date | None = None) -> Money:
    """Charge the periods that have begun by this day, in advance (R90), and note when time comes again."""
    day, charged = day or at.date(), Money(0, subscription.currency)
    active = subscription.state is SubscriptionState.ACTIVE
    if active:
        for part, amount in unbilled(subscription, subscription.billed_to, day):
            charge(subscription, ChargeKind.PERIOD, subscription.quantity, amount, part, at)
            charged, subscription.billed_to = charged + amount, part.end
    planning.plan(subscription, at.date())
    db.session.flush()
    return charged


def unbilled(subscription: Subscription, since: date, day: date) -> Iterator[tuple[Period, Money]]:
    """The periods, or the rest of one, that have begun by this day, with what they cost."""
    if subscription.billing is Billing.USAGE or subscription.trial_ends_on is not None:
        return
    while since <= day and since < subscription.ends_on:
        part = Period(since, _period_at(subscription, since).end)
        yield part, terms.prorated(subscription.each_cycle, full_period(subscription, since), part)
        since = part.end


def full_period(subscription: Subscription, day: date) -> Period:
    """The billing period of the calendar that this day falls into, whether the term covers it all or not."""
    return terms.period_of(subscription.anchor_on, subscription.cycle.months, day)


def billed_ahead(subscription: Subscription, day: date) -> Period:
    """What is charged already from this day on: a higher quantity is charged for it too; what follows is charged with the new quantity."""
    return Period(min(day, subscription.billed_to), subscription.billed_to)


def charge(subscription: Subscription, kind: ChargeKind, quantity: int, amount: Money, period: Period, at: datetime) -> None:
    """Write what is due for a period; a negative amount is given back."""
    db.session.add(
        Charge(
            partner_id=subscription.partner_id,
            customer_id=subscription.customer_id,
            reseller_id=subscription.reseller_id,
            kind=kind,
            at=at,
            subscription_id=subscription.id,
            quantity=quantity,
            amount_minor=amount.minor,
            currency=amount.currency,
            from_on=period.start,
            to_on=period.end,
        )
    )


def credit(subscription: Subscription, at: datetime) -> None:
    """Give back all that was ever charged (R83)."""
    total = db.session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Charge.amount_minor), 0)).where(Charge.subscription_id == subscription.id)) or 0
    if total:
        amount = Money(-int(total), subscription.currency)
        charge(subscription, ChargeKind.CREDIT, subscription.quantity, amount, Period(subscription.starts_on, subscription.ends_on), at)


def _period_at(subscription: Subscription, day: date) -> Period:
    whole = full_period(subscription, day)
    return Period(whole.start, min(whole.end, subscription.ends_on))
