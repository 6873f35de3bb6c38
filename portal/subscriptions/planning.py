"""On which day time comes to a subscription again, what for, and when somebody is told (R82, R84)."""

from datetime import date, timedelta

from portal.subscriptions.models import Billing, Subscription, SubscriptionState
from portal.subscriptions.states import LIVE

SUSPENDED_FOR = timedelta(days=90)
REMINDERS = {"suspension": (30, 7, 1), "trial": (7, 1), "term": (30,)}  # days before


def lapses_on(subscription: Subscription) -> date | None:
    """The day on which a suspended subscription expires unless it is reactivated; its data is deleted then (R82)."""
    if subscription.suspended_on is None or subscription.state is not SubscriptionState.SUSPENDED:
        return None
    return would_lapse_on(subscription, subscription.suspended_on)


def would_lapse_on(subscription: Subscription, day: date) -> date:
    """The day on which it expires when it is suspended on this one."""
    renews = subscription.auto_renew and subscription.trial_ends_on is None
    return day + SUSPENDED_FOR if renews else min(day + SUSPENDED_FOR, subscription.ends_on)


def plan(subscription: Subscription, today: date) -> None:
    """Note when time comes again, what for, and when somebody is to be told. A reminder that is due already stays due while its day is the same."""
    former, subscription.due_on = subscription.turns_on, _next_day(subscription)
    subscription.turns_on = lapses_on(subscription) or subscription.ends_on
    is_due = subscription.remind_on is not None and subscription.remind_on <= today
    if not is_due or subscription.turns_on != former:
        subscription.remind_on = next_reminder(subscription, today)


def next_reminder(subscription: Subscription, today: date) -> date | None:
    """The day of the next reminder after today. An add-on goes with its base, whose reminder speaks for both."""
    if (
        subscription.state not in LIVE
        or subscription.turns_on is None
        or (subscription.base_id and (subscription.suspended_with_base or not lapses_on(subscription)))
    ):
        return None
    if subscription.state is SubscriptionState.SUSPENDED:
        kind = "suspension"
    elif subscription.trial_ends_on is not None:
        kind = "trial"
    elif subscription.term_months >= 12:
        kind = "term"
    else:
        return None
    days = (subscription.turns_on - timedelta(days=before) for before in REMINDERS[kind])
    return min((day for day in days if day > today), default=None)


def _next_day(subscription: Subscription) -> date:
    days = [subscription.ends_on, subscription.trial_ends_on, lapses_on(subscription)]
    if subscription.state is SubscriptionState.ACTIVE and subscription.billing is Billing.LICENCE and subscription.trial_ends_on is None:
        days.append(subscription.billed_to)
    return min(day for day in days if day is not None)
