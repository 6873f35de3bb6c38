"""What time does with subscriptions: it renews, bills, converts and ends them, and tells of it beforehand (R82, R84, R90)."""

from collections.abc import Iterable
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.core import jobs
from portal.core.access import PORTAL, Actor
from portal.core.db import Key, db
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from portal.subscriptions import catalog, charging, history, mails, planning, queries, terms
from portal.subscriptions.models import Subscription, SubscriptionState
from portal.subscriptions.states import LIVE


def advance_due(*, at: datetime) -> int:
    """Renewals, trial ends, expiries and billing periods whose day has come, family by family; returns how many moved.

    One that cannot go on holds up no other. A family is known by its base, which everybody locks first: this waits for nobody.
    """
    Due = aliased(Subscription)
    due = sa.select(sa.func.coalesce(Due.base_id, Due.id)).where(Due.state.in_(LIVE), Due.due_on <= at.date())
    with scoped(EVERYTHING):
        bases = sa.select(Subscription).where(Subscription.id.in_(due)).order_by(Subscription.id)
        return len(jobs.each(bases, lambda base: advance(queries.family(base.id), at=at)))


def catch_up(customer: Customer, *, at: datetime) -> None:
    """What the job would do a moment later with what this customer has: before anything is ordered that ends together with it."""
    values = {"partner": customer.partner_id, "customer": customer.customer_id, "today": at.date()}
    for base_id in sorted(set(db.session.scalars(_DUE, values))):
        catch_up_family(base_id, at=at)


_DUE = sa.select(sa.func.coalesce(Subscription.base_id, Subscription.id)).where(
    Subscription.partner_id == sa.bindparam("partner", type_=Key),
    Subscription.customer_id == sa.bindparam("customer", type_=Key),
    Subscription.state.in_(LIVE),
    # Not by the index of what is due: at midnight that is a day's worth of all customers.
    sa.func.coalesce(Subscription.due_on, date.max) <= sa.bindparam("today", type_=Subscription.due_on.type),
)


def catch_up_family(base_id: int, *, at: datetime) -> None:
    """The same for one base with its add-ons; what fails is left to the job."""
    with jobs.alone(f"Subscription {base_id}"):
        advance(queries.family(base_id), at=at)


def remind(*, at: datetime) -> int:
    """Tell whoever ordered, before it renews, ends or expires, each once; returns how many were due."""

    def tell(subscription: Subscription) -> None:
        if subscription.state in LIVE and subscription.turns_on is not None and subscription.turns_on > at.date():
            mails.turning(subscription, at=at)
        subscription.remind_on = planning.next_reminder(subscription, at.date())

    with scoped(EVERYTHING):
        due = sa.select(Subscription).where(Subscription.remind_on <= at.date())
        return len(jobs.each(due.order_by(Subscription.remind_on, Subscription.id), tell))


def advance(family: Iterable[Subscription], *, at: datetime) -> None:
    """A base and its add-ons, from day to day up to today; on one day the base moves first."""
    members = list(family)
    while due := [member for member in members if member.state in LIVE and member.due_on <= at.date()]:
        _step(min(due, key=lambda member: (member.due_on, member.base_id is not None)), at=at)


def become_paid(subscription: Subscription, day: date, *, by: Actor, at: datetime) -> None:
    """The trial ends on this day, and the paid term begins; what it charges is up to the caller."""
    before = {"trial_ends_on": subscription.trial_ends_on, "quantity": subscription.quantity}
    subscription.trial_ends_on = None
    subscription.quantity, subscription.next_quantity = subscription.next_quantity or subscription.quantity, None
    subscription.anchor_on = subscription.starts_on = subscription.billed_to = day
    subscription.ends_on = terms.add_months(day, subscription.term_months)
    history.log("subscription.trial_converted", subscription, by, at, before, {"quantity": subscription.quantity, "ends_on": subscription.ends_on})


def end(subscription: Subscription, action: str, *, by: Actor, at: datetime, credited: bool = False) -> None:
    """Over, with its add-ons; `credited` gives back all that was charged (R83). What time does is told by mail."""
    add_ons = [member for member in queries.below(subscription) if member.state in LIVE]
    for member in (*add_ons, subscription):
        if credited:
            charging.credit(member, at)
        history.move(member, action, by=by, at=at)
        member.turns_on, member.remind_on = at.date(), None
    if by is PORTAL:
        mails.ended(subscription, add_ons, at=at)


def _step(subscription: Subscription, *, at: datetime) -> None:
    day = subscription.due_on
    lapses = planning.lapses_on(subscription)
    if (lapses is not None and day >= lapses) or _ends_for_good(subscription, day):
        end(subscription, "cancel" if subscription.cancels else "expire", by=PORTAL, at=at)
        return
    if subscription.trial_ends_on is not None and day >= subscription.trial_ends_on:
        become_paid(subscription, day, by=PORTAL, at=at)
    elif day >= subscription.ends_on:
        _renew(subscription, at=at)
    charging.bill(subscription, at=at, day=day)


def _ends_for_good(subscription: Subscription, day: date) -> bool:
    return not subscription.auto_renew and day >= (subscription.trial_ends_on or subscription.ends_on)


def _renew(subscription: Subscription, *, at: datetime) -> None:
    """Another term, with the quantity and at the price of its first day; at the former one where the offer is billed in another way by now."""
    day, base, offer = subscription.ends_on, queries.base_of(subscription), queries.offer_of(subscription)
    before = {"quantity": subscription.quantity, "ends_on": day}
    alike = (offer.billing, offer.cycle, offer.is_reservation) == (subscription.billing, subscription.cycle, False)
    price = catalog.price_on(offer.id, subscription.currency, day) if alike else None
    subscription.unit_minor = price.minor if price is not None else subscription.unit_minor
    subscription.quantity, subscription.next_quantity = subscription.next_quantity or subscription.quantity, None
    subscription.starts_on = day
    subscription.anchor_on = base.anchor_on if base else subscription.anchor_on
    subscription.ends_on = base.ends_on if base else terms.period_of(subscription.anchor_on, subscription.term_months, day).end
    if subscription.state is SubscriptionState.SUSPENDED:
        subscription.billed_to = day
    history.log("subscription.renewed", subscription, PORTAL, at, before, {"quantity": subscription.quantity, "ends_on": subscription.ends_on})
