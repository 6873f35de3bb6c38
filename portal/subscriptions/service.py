"""What is done with a subscription: quantity, renewal, suspending, cancelling, names and contacts; and what time does with it (R82-R85)."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization, User, UserState
from portal.core import audit, jobs
from portal.core.access import PORTAL, Actor
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.money import Money
from portal.core.scope import EVERYTHING, scoped
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import chosen_reseller, name_key, searchable
from portal.relationships import queries as partnerships
from portal.subscriptions import catalog, mails, queries, terms, texts_orders
from portal.subscriptions.models import Billing, Charge, ChargeKind, Cycle, Offer, Subscription, SubscriptionOwner, SubscriptionState
from portal.subscriptions.states import SUBSCRIPTION
from portal.subscriptions.terms import Period

SUSPENDED_FOR = timedelta(days=90)
CANCEL_WITHIN = {Cycle.MONTHLY: timedelta(hours=24), Cycle.ANNUAL: timedelta(days=14)}
LIVE = (SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED)
REMINDERS = {"suspension": (30, 7, 1), "trial": (7, 1), "term": (30,)}  # days before


# --- by a person


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
            _charge(subscription, ChargeKind.INCREASE, quantity - subscription.quantity, charged, _billed_ahead(subscription, at.date()), at)
        subscription.quantity, subscription.next_quantity = quantity, None
    else:
        subscription.next_quantity = quantity if quantity < subscription.quantity else None
    _log("subscription.quantity_changed", subscription, by, at, before, {"quantity": subscription.quantity, "next_quantity": subscription.next_quantity})
    return charged


def check_quantity(subscription: Subscription, quantity: int, *, version: int | None) -> None:
    """Refused when this quantity cannot be set; Stale when somebody else has changed the subscription meanwhile."""
    _check_open(subscription, version)
    offer = _offer(subscription)
    least, most = catalog.quantities(offer, subscription.unit)
    if not least <= quantity <= most:
        raise Refused(texts_orders.out_of_range(offer, subscription.unit), field="quantity")


def price_of_increase(subscription: Subscription, quantity: int, today: date) -> Money:
    """What raising to this quantity costs for the rest of the billing period, by day (R84)."""
    if subscription.billing is Billing.USAGE or subscription.trial_ends_on is not None or quantity <= subscription.quantity:
        return Money(0, subscription.currency)
    whole = subscription.unit.times(quantity - subscription.quantity)
    return terms.prorated(whole, _full_period(subscription, today), _billed_ahead(subscription, today))


def set_renewal(subscription: Subscription, *, auto_renew: bool, by: Actor, at: datetime) -> None:
    """Renews itself, or expires at the end of its term (R84). Turning it on takes back a cancellation at renewal."""
    check_live(subscription)
    if (subscription.auto_renew, subscription.cancels) == (auto_renew, False):
        return
    before = {"auto_renew": subscription.auto_renew}
    subscription.auto_renew, subscription.cancels = auto_renew, False
    _plan(subscription, at.date())
    _log("subscription.renewal_changed", subscription, by, at, before, {"auto_renew": auto_renew})


def suspend(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    """Stops sign-in; its add-ons stop with it. Without reactivation it expires 90 days on (R82)."""
    if subscription.state is SubscriptionState.SUSPENDED:
        return
    check_live(subscription)
    _suspend(subscription, by=by, at=at)
    for add_on in _add_ons(subscription):
        if add_on.state is SubscriptionState.ACTIVE:
            add_on.suspended_with_base = True
            _suspend(add_on, by=by, at=at)


def reactivate(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> None:
    """As it was, with the add-ons that were suspended along with it. A period that has begun meanwhile is charged from today on.

    `reviewed` is the price that somebody looked at, as a page carries it: Stale when it is another one by now; so in the other steps that charge or credit.
    """
    if subscription.state is SubscriptionState.ACTIVE:
        return
    _advance_one(subscription.base_id or subscription.id, at=at)  # what a moment later would be charged as well
    check_live(subscription)
    base = _base(subscription)
    if base is not None and base.state is not SubscriptionState.ACTIVE:
        raise Refused(_("%(name)s, which this adds to, is suspended. Reactivate that first.", name=base.shown_name))
    _check_relationship(subscription)
    _check_reviewed(reviewed, seal_of_reactivation(subscription, at.date()))
    _reactivate(subscription, by=by, at=at)
    for add_on in _followers(subscription):
        _reactivate(add_on, by=by, at=at)


def price_of_reactivation(subscription: Subscription, today: date) -> Money:
    """What reactivating charges at once, with the add-ons that come back along with it."""
    total = Money(0, subscription.currency)
    for member in (subscription, *_followers(subscription)):
        for _part, amount in _unbilled(member, max(member.billed_to, today), today):
            total += amount
    return total


def seal_of_reactivation(subscription: Subscription, today: date) -> str:
    """What the page before shows of it: comes back with the confirmation, as the other seals."""
    return str(price_of_reactivation(subscription, today).minor)


def cancel(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> bool:
    """Within the window at once with full credit, later at renewal (R83). Returns whether it ended at once."""
    if subscription.state is SubscriptionState.CANCELLED:
        return True
    check_live(subscription)
    _check_reviewed(reviewed, seal_of_cancellation(subscription, credit_at(subscription, at)))
    if at <= window_ends(subscription):
        _end(subscription, "cancel", by=by, at=at, credited=True)
        return True
    if not subscription.cancels:
        subscription.cancels, subscription.auto_renew = True, False
        _plan(subscription, at.date())
        _log("subscription.cancels_at_renewal", subscription, by, at, {}, {"ends_on": subscription.ends_on})
    return False


def window_ends(subscription: Subscription) -> datetime:
    """Until when cancelling brings full credit (R83)."""
    return subscription.ordered_at + CANCEL_WITHIN[subscription.cycle]


def credit_of(subscription: Subscription) -> Money:
    """What cancelling within the window gives back, with its add-ons: all that was charged (R83)."""
    members = [member.id for member in (subscription, *_add_ons(subscription)) if member.state in LIVE]
    total = db.session.scalar(sa.select(sa.func.sum(Charge.amount_minor)).where(Charge.subscription_id.in_(members)))
    return Money(int(total or 0), subscription.currency)


def credit_at(subscription: Subscription, at: datetime) -> Money | None:
    """What cancelling at this moment credits; None once it stops at renewal only."""
    return credit_of(subscription) if at <= window_ends(subscription) else None


def seal_of_cancellation(subscription: Subscription, credit: Money | None) -> str:
    return f"at once {credit.minor}" if credit is not None else f"on {subscription.ends_on}"


def convert_trial(subscription: Subscription, *, reviewed: str | None = None, by: Actor, at: datetime) -> None:
    """Paid from today on, before the trial ends by itself."""
    if subscription.trial_ends_on is None or subscription.state is not SubscriptionState.ACTIVE:
        raise Refused(_("This is not an active trial."))
    _check_relationship(subscription)
    _check_reviewed(reviewed, seal_of_conversion(subscription, at.date()))
    subscription.auto_renew, subscription.cancels = True, False
    _become_paid(subscription, at.date(), by=by, at=at)
    _bill(subscription, at=at)


def price_of_conversion(subscription: Subscription) -> Money:
    """What converting the trial charges at once: its first billing period."""
    if subscription.billing is Billing.USAGE:
        return Money(0, subscription.currency)
    return subscription.unit.times(subscription.next_quantity or subscription.quantity)


def seal_of_conversion(subscription: Subscription, today: date) -> str:
    return f"{price_of_conversion(subscription).minor} from {today}"


def rename(subscription: Subscription, nickname: str, *, version: int | None, by: Actor, at: datetime) -> None:
    _check_version(subscription, version)
    before, after = audit.changes({"nickname": subscription.nickname}, {"nickname": nickname})
    subscription.nickname = nickname
    if after:
        rekey(subscription, _customer(subscription).name)
        _log("subscription.renamed", subscription, by, at, before, after)


def rekey(subscription: Subscription, customer_name: str) -> None:
    """What lists sort and search by."""
    subscription.name_key = name_key(subscription.shown_name)
    subscription.search_text = searchable(customer_name, subscription.name, subscription.nickname)


def name_reseller(subscription: Subscription, public_id: str, *, by: Actor, at: datetime) -> Organization | None:
    """One of the provider's resellers, or with an empty key none (R41, R85). Who was named and who is now are told, neither of the other."""
    former = db.session.get(Organization, subscription.reseller_id) if subscription.reseller_id else None
    if former is not None and str(former.public_id) == public_id:
        return former
    reseller = chosen_reseller(public_id, by=by)
    if former is not None:
        _log("subscription.reseller_named", subscription, by, at, {"reseller": former.name}, {"reseller": None})
        mails.named("no_reseller", subscription, former, by=by, at=at)
    subscription.reseller_id = reseller.id if reseller else None
    if reseller is not None:
        _log("subscription.reseller_named", subscription, by, at, {"reseller": None}, {"reseller": reseller.name})
        mails.named("reseller", subscription, reseller, by=by, at=at)
    return reseller


def name_support_contact(subscription: Subscription, public_id: str, *, by: Actor, at: datetime) -> Organization:
    """The provider itself, or a reseller with an active partnership (R85), which is told."""
    before = db.session.get(Organization, subscription.support_contact_id) if subscription.support_contact_id else None
    if before is not None and public_id == ("" if before.id == by.organization_id else str(before.public_id)):
        return before
    contact = chosen_reseller(public_id, by=by) or db.session.get_one(Organization, by.organization_id)
    if contact is not before:
        subscription.support_contact_id = contact.id
        names = {"support_contact": before.name if before else None}, {"support_contact": contact.name}
        _log("subscription.support_contact_named", subscription, by, at, *names)
        if contact.id != by.organization_id:
            mails.named("support_contact", subscription, contact, by=by, at=at)
    return contact


def name_owner(subscription: Subscription, user: User, *, by: Actor, at: datetime) -> None:
    """A purchaser or admin of the customer who may buy under this subscription (R71)."""
    if user.organization_id != subscription.customer_id or user.state is not UserState.ACTIVE or not user.roles & {*queries.OWNERS}:
        raise Refused(_("Only an active purchaser or admin of the customer can be an owner."), field="user")
    known = sa.select(SubscriptionOwner.id).where(SubscriptionOwner.subscription_id == subscription.id, SubscriptionOwner.user_id == user.id)
    if db.session.scalar(known) is None:
        db.session.add(
            SubscriptionOwner(partner_id=subscription.partner_id, customer_id=subscription.customer_id, subscription_id=subscription.id, user_id=user.id)
        )
        _log("subscription.owner_named", subscription, by, at, {}, {"owner": user.email})


def take_owner(subscription: Subscription, user: User, *, by: Actor, at: datetime) -> None:
    gone = sa.delete(SubscriptionOwner).where(SubscriptionOwner.subscription_id == subscription.id, SubscriptionOwner.user_id == user.id)
    if db.session.execute(gone).rowcount:  # type: ignore[attr-defined]
        _log("subscription.owner_taken", subscription, by, at, {"owner": user.email}, {})


def lapses_on(subscription: Subscription) -> date | None:
    """The day on which a suspended subscription expires unless it is reactivated; its data is deleted then (R82)."""
    if subscription.suspended_on is None or subscription.state is not SubscriptionState.SUSPENDED:
        return None
    return would_lapse_on(subscription, subscription.suspended_on)


def would_lapse_on(subscription: Subscription, day: date) -> date:
    """The day on which it expires when it is suspended on this one."""
    renews = subscription.auto_renew and subscription.trial_ends_on is None
    return day + SUSPENDED_FOR if renews else min(day + SUSPENDED_FOR, subscription.ends_on)


# --- a new one


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
    rekey(subscription, customer.name)
    db.session.add(subscription)
    db.session.flush()
    _log("subscription.active", subscription, by, at, {}, {"name": offer.name, "quantity": quantity})
    return subscription, _bill(subscription, at=at)


# --- what time does


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
    due = sa.select(sa.func.coalesce(Subscription.base_id, Subscription.id)).where(
        Subscription.partner_id == customer.partner_id,
        Subscription.customer_id == customer.customer_id,
        Subscription.state.in_(LIVE),
        Subscription.due_on <= at.date(),
    )
    for base_id in sorted(set(db.session.scalars(due))):
        _advance_one(base_id, at=at)


def _advance_one(base_id: int, *, at: datetime) -> None:
    with jobs.alone(f"Subscription {base_id}"):
        advance(queries.family(base_id), at=at)


def remind(*, at: datetime) -> int:
    """Tell whoever ordered, before it renews, ends or expires, each once; returns how many were due."""

    def tell(subscription: Subscription) -> None:
        if subscription.state in LIVE and subscription.turns_on is not None and subscription.turns_on > at.date():
            mails.turning(subscription, at=at)
        subscription.remind_on = _next_reminder(subscription, at.date())

    with scoped(EVERYTHING):
        due = sa.select(Subscription).where(Subscription.remind_on <= at.date())
        return len(jobs.each(due.order_by(Subscription.remind_on, Subscription.id), tell))


def advance(family: Iterable[Subscription], *, at: datetime) -> None:
    """A base and its add-ons, from day to day up to today; on one day the base moves first."""
    members = list(family)
    while due := [member for member in members if member.state in LIVE and member.due_on <= at.date()]:
        _step(min(due, key=lambda member: (member.due_on, member.base_id is not None)), at=at)


def _step(subscription: Subscription, *, at: datetime) -> None:
    day = subscription.due_on
    lapses = lapses_on(subscription)
    if (lapses is not None and day >= lapses) or _ends_for_good(subscription, day):
        _end(subscription, "cancel" if subscription.cancels else "expire", by=PORTAL, at=at)
        return
    if subscription.trial_ends_on is not None and day >= subscription.trial_ends_on:
        _become_paid(subscription, day, by=PORTAL, at=at)
    elif day >= subscription.ends_on:
        _renew(subscription, at=at)
    _bill(subscription, at=at, day=day)


def _ends_for_good(subscription: Subscription, day: date) -> bool:
    return not subscription.auto_renew and day >= (subscription.trial_ends_on or subscription.ends_on)


def _renew(subscription: Subscription, *, at: datetime) -> None:
    """Another term, with the quantity and at the price of its first day; at the former one where the offer is billed in another way by now."""
    day, base, offer = subscription.ends_on, _base(subscription), _offer(subscription)
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
    _log("subscription.renewed", subscription, PORTAL, at, before, {"quantity": subscription.quantity, "ends_on": subscription.ends_on})


def _become_paid(subscription: Subscription, day: date, *, by: Actor, at: datetime) -> None:
    before = {"trial_ends_on": subscription.trial_ends_on, "quantity": subscription.quantity}
    subscription.trial_ends_on = None
    subscription.quantity, subscription.next_quantity = subscription.next_quantity or subscription.quantity, None
    subscription.anchor_on = subscription.starts_on = subscription.billed_to = day
    subscription.ends_on = terms.add_months(day, subscription.term_months)
    _log("subscription.trial_converted", subscription, by, at, before, {"quantity": subscription.quantity, "ends_on": subscription.ends_on})


def _bill(subscription: Subscription, *, at: datetime, day: date | None = None) -> Money:
    """Charge the periods that have begun by this day, in advance (R90), and note when time comes again."""
    day, charged = day or at.date(), Money(0, subscription.currency)
    active = subscription.state is SubscriptionState.ACTIVE
    if active:
        for part, amount in _unbilled(subscription, subscription.billed_to, day):
            _charge(subscription, ChargeKind.PERIOD, subscription.quantity, amount, part, at)
            charged, subscription.billed_to = charged + amount, part.end
    _plan(subscription, at.date())
    db.session.flush()
    return charged


def _unbilled(subscription: Subscription, since: date, day: date) -> Iterator[tuple[Period, Money]]:
    """The periods, or the rest of one, that have begun by this day, with what they cost."""
    if subscription.billing is Billing.USAGE or subscription.trial_ends_on is not None:
        return
    while since <= day and since < subscription.ends_on:
        part = Period(since, _period_at(subscription, since).end)
        yield part, terms.prorated(subscription.each_cycle, _full_period(subscription, since), part)
        since = part.end


def _plan(subscription: Subscription, today: date) -> None:
    """Note when time comes again, what for, and when somebody is to be told. A reminder that is due already stays due while its day is the same."""
    former, subscription.due_on = subscription.turns_on, _next_day(subscription)
    subscription.turns_on = lapses_on(subscription) or subscription.ends_on
    is_due = subscription.remind_on is not None and subscription.remind_on <= today
    if not is_due or subscription.turns_on != former:
        subscription.remind_on = _next_reminder(subscription, today)


def _next_reminder(subscription: Subscription, today: date) -> date | None:
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


def _full_period(subscription: Subscription, day: date) -> Period:
    """The billing period of the calendar that this day falls into, whether the term covers it all or not."""
    return terms.period_of(subscription.anchor_on, subscription.cycle.months, day)


def _period_at(subscription: Subscription, day: date) -> Period:
    whole = _full_period(subscription, day)
    return Period(whole.start, min(whole.end, subscription.ends_on))


def _billed_ahead(subscription: Subscription, day: date) -> Period:
    """What is charged already from this day on: a higher quantity is charged for it too; what follows is charged with the new quantity."""
    return Period(min(day, subscription.billed_to), subscription.billed_to)


def _suspend(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    _move(subscription, "suspend", by=by, at=at)
    subscription.suspended_on = at.date()
    _plan(subscription, at.date())


def _reactivate(subscription: Subscription, *, by: Actor, at: datetime) -> None:
    _move(subscription, "reactivate", by=by, at=at)
    subscription.suspended_on, subscription.suspended_with_base = None, False
    subscription.billed_to = max(subscription.billed_to, at.date())
    _bill(subscription, at=at)


def _end(subscription: Subscription, action: str, *, by: Actor, at: datetime, credited: bool = False) -> None:
    """Over, with its add-ons; `credited` gives back all that was charged (R83). What time does is told by mail."""
    add_ons = [member for member in _add_ons(subscription) if member.state in LIVE]
    for member in (*add_ons, subscription):
        if credited:
            _credit(member, at)
        _move(member, action, by=by, at=at)
        member.turns_on, member.remind_on = at.date(), None
    if by is PORTAL:
        mails.ended(subscription, add_ons, at=at)


def _credit(subscription: Subscription, at: datetime) -> None:
    total = db.session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Charge.amount_minor), 0)).where(Charge.subscription_id == subscription.id)) or 0
    if total:
        amount = Money(-int(total), subscription.currency)
        _charge(subscription, ChargeKind.CREDIT, subscription.quantity, amount, Period(subscription.starts_on, subscription.ends_on), at)


def _charge(subscription: Subscription, kind: ChargeKind, quantity: int, amount: Money, period: Period, at: datetime) -> None:
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


def _move(subscription: Subscription, action: str, *, by: Actor, at: datetime) -> None:
    customer, told = _concerns(subscription)
    SUBSCRIPTION.apply(subscription, action, by=by, at=at, customer=customer, seen_by=told, details={"name": subscription.shown_name})
    db.session.flush()


def _log(action: str, subscription: Subscription, by: Actor, at: datetime, before: dict[str, Any], after: dict[str, Any]) -> None:
    customer, told = _concerns(subscription)
    details = {"name": subscription.shown_name, **after}
    audit.record(action, by=by, at=at, customer=customer, seen_by=told, before=before, after=details, subject=subscription.public_id)


def _customer(subscription: Subscription) -> audit.Customer:
    assert subscription.customer_id is not None
    record = sa.select(Customer.name).where(Customer.partner_id == subscription.partner_id, Customer.customer_id == subscription.customer_id)
    return audit.Customer(subscription.customer_id, db.session.scalar(record) or "")


def _concerns(subscription: Subscription) -> tuple[audit.Customer, tuple[int | None, ...]]:
    """How the log names the customer, and who is told: the reseller too, as far as it may see this, and then by no billing name of others (R13, R41)."""
    told = (subscription.partner_id, subscription.customer_id)
    if not partnerships.sees(subscription.reseller_id, subscription.partner_id, subscription.customer_id):
        return _customer(subscription), told
    organization = db.session.get_one(Organization, subscription.customer_id)
    return audit.Customer(organization.id, organization.name), (*told, subscription.reseller_id)


def _offer(subscription: Subscription) -> Offer:
    return db.session.scalars(sa.select(Offer).where(Offer.id == subscription.offer_id)).one()


def _base(subscription: Subscription) -> Subscription | None:
    return db.session.scalar(sa.select(Subscription).where(Subscription.id == subscription.base_id)) if subscription.base_id else None


def _followers(subscription: Subscription) -> list[Subscription]:
    """Its add-ons that were suspended along with it, and come back along with it."""
    return [add_on for add_on in _add_ons(subscription) if add_on.state is SubscriptionState.SUSPENDED and add_on.suspended_with_base]


def _add_ons(subscription: Subscription) -> list[Subscription]:
    return list(db.session.scalars(sa.select(Subscription).where(Subscription.base_id == subscription.id).order_by(Subscription.id)))


def _check_relationship(subscription: Subscription) -> None:
    record = customers.record_of(subscription.customer_id or 0)
    if record is None or record.state is not RelationshipState.ACTIVE:
        raise Refused(_("The relationship with this customer is not active, so nothing new can be charged."))


def _check_open(subscription: Subscription, version: int | None) -> None:
    if subscription.state is not SubscriptionState.ACTIVE:
        raise Refused(_("This subscription is not active."))
    _check_version(subscription, version)
    _check_relationship(subscription)


def _check_reviewed(reviewed: str | None, present: str) -> None:
    if reviewed is not None and reviewed != present:
        raise Stale(_("It is not as you saw it any more, so nothing was done. Look at it as it is now, then confirm again."))


def _check_version(subscription: Subscription, version: int | None) -> None:
    if version is not None and version != subscription.version:
        raise Stale(_("Somebody else changed this subscription while you had it open. Look at it as it is now, then try again."))
