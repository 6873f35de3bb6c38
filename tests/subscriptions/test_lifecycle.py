"""Subscriptions under any sequence of actions and jumps of the clock (R82-R85)."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import audit
from portal.core.db import attempt, db, writing
from portal.core.errors import Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions import advancing, catalog, planning, service, terms
from portal.subscriptions.models import Billing, Charge, ChargeKind, Offer, Subscription, SubscriptionState
from portal.subscriptions.states import LIVE, SUBSCRIPTION
from tests.subscriptions import rows
from tests.support import databases, make

SALES = "sales@atelier-nuage.example"
S = SubscriptionState
JANUARY_31 = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)


@pytest.fixture
def seller(app):
    """Somebody who sells, in the scope of the partner, inside a transaction that writes."""
    db.session.rollback()
    who = make.actor(SALES)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        yield who
    db.session.rollback()


def charges(subscription: Subscription) -> list[tuple[str, int, date, date]]:
    found = db.session.scalars(sa.select(Charge).where(Charge.subscription_id == subscription.id).order_by(Charge.id))
    return [(charge.kind.value, charge.amount_minor, charge.from_on, charge.to_on) for charge in found]


def test_a_monthly_subscription_begun_on_the_31st_is_billed_at_each_months_end(seller):
    """R90"""
    item = rows.offer("M", by=seller, at=JANUARY_31, term_months=1)
    rows.place({item: 2}, by=seller, at=JANUARY_31)

    advancing.advance_due(at=JANUARY_31 + timedelta(days=100))

    subscription = rows.subscription_of(item)
    assert [start for _kind, _amount, start, _end in charges(subscription)] == [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)]
    assert {amount for _kind, amount, _start, _end in charges(subscription)} == {2400}
    assert (subscription.starts_on, subscription.ends_on) == (date(2027, 4, 30), date(2027, 5, 31))


def test_a_leap_day_comes_back(seller):
    """R90"""
    at = datetime(2028, 2, 29, 12, tzinfo=UTC)
    item = rows.offer("A", by=seller, at=at, cycle="annual")
    rows.place({item: 1}, by=seller, at=at)

    advancing.advance_due(at=datetime(2032, 3, 1, tzinfo=UTC))

    assert rows.subscription_of(item).starts_on == date(2032, 2, 29)


def test_more_licences_are_charged_by_day_and_fewer_come_at_renewal(seller):
    """R84"""
    item = rows.offer("M", by=seller, at=JANUARY_31, price=2800, term_months=1)
    rows.place({item: 1}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)

    charged = service.set_quantity(subscription, 3, version=subscription.version, by=seller, at=JANUARY_31 + timedelta(days=7))

    assert charged == Money(2 * 2800 * 21 // 28, "EUR")
    service.set_quantity(subscription, 1, version=None, by=seller, at=JANUARY_31 + timedelta(days=8))
    assert (subscription.quantity, subscription.next_quantity) == (3, 1)
    advancing.advance_due(at=JANUARY_31 + timedelta(days=28))
    assert (subscription.quantity, subscription.next_quantity) == (1, None)
    assert charges(subscription)[-1][:2] == ("period", 2800)


def test_a_quantity_outside_the_offers_range_is_refused(seller):
    item = rows.offer("R", by=seller, at=JANUARY_31, minimum=5, maximum=10)
    rows.place({item: 5}, by=seller, at=JANUARY_31)

    for quantity in (4, 11, 0):
        with pytest.raises(Refused, match="5 to 10"):
            service.set_quantity(rows.subscription_of(item), quantity, version=None, by=seller, at=JANUARY_31)


@pytest.mark.parametrize(("cycle", "window"), [("monthly", timedelta(hours=24)), ("annual", timedelta(days=14))])
def test_cancelling_in_the_window_credits_everything(seller, cycle, window):
    """R83"""
    item = rows.offer("C", by=seller, at=JANUARY_31, cycle=cycle)
    rows.place({item: 3}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)
    service.set_quantity(subscription, 5, version=None, by=seller, at=JANUARY_31 + timedelta(hours=1))

    assert service.cancel(subscription, by=seller, at=JANUARY_31 + window)

    assert subscription.state is S.CANCELLED
    assert sum(amount for _kind, amount, _start, _end in charges(subscription)) == 0


@pytest.mark.parametrize(("cycle", "window"), [("monthly", timedelta(hours=24)), ("annual", timedelta(days=14))])
def test_cancelling_after_the_window_stops_at_renewal(seller, cycle, window):
    """R83"""
    item = rows.offer("C", by=seller, at=JANUARY_31, cycle=cycle)
    rows.place({item: 3}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)

    assert not service.cancel(subscription, by=seller, at=JANUARY_31 + window + timedelta(seconds=1))

    assert (subscription.state, subscription.cancels, subscription.auto_renew) == (S.ACTIVE, True, False)
    advancing.advance_due(at=JANUARY_31 + timedelta(days=364))
    assert subscription.state is S.ACTIVE
    advancing.advance_due(at=JANUARY_31 + timedelta(days=365))
    assert subscription.state is S.CANCELLED


def test_a_cancellation_at_renewal_can_be_taken_back(seller):
    item = rows.offer("C", by=seller, at=JANUARY_31)
    rows.place({item: 1}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)
    service.cancel(subscription, by=seller, at=JANUARY_31 + timedelta(days=3))

    service.set_renewal(subscription, auto_renew=True, by=seller, at=JANUARY_31 + timedelta(days=4))
    advancing.advance_due(at=JANUARY_31 + timedelta(days=365))

    assert (subscription.state, subscription.cancels) == (S.ACTIVE, False)


def test_turning_the_renewal_off_leaves_a_cancellation_as_it_is(seller):
    """R83, R84: it stops as cancelled, and can still be taken back."""
    item = rows.offer("C", by=seller, at=JANUARY_31)
    rows.place({item: 1}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)
    service.cancel(subscription, by=seller, at=JANUARY_31 + timedelta(days=3))

    service.set_renewal(subscription, auto_renew=False, by=seller, at=JANUARY_31 + timedelta(days=4))
    assert subscription.cancels
    advancing.advance_due(at=JANUARY_31 + timedelta(days=365))

    assert subscription.state is S.CANCELLED


def test_a_suspended_one_expires_after_90_days_with_its_add_ons(seller):
    """R82"""
    base, extra = _with_add_on(seller)
    subscription, add_on = rows.subscription_of(base), rows.subscription_of(extra)

    service.suspend(subscription, by=seller, at=JANUARY_31 + timedelta(days=10))

    assert (subscription.state, add_on.state) == (S.SUSPENDED, S.SUSPENDED)
    assert planning.lapses_on(subscription) == date(2027, 5, 11)
    advancing.advance_due(at=datetime(2027, 5, 10, tzinfo=UTC))
    assert subscription.state is S.SUSPENDED
    advancing.advance_due(at=datetime(2027, 5, 11, tzinfo=UTC))
    assert (subscription.state, add_on.state) == (S.EXPIRED, S.EXPIRED)


def test_reactivating_brings_back_what_was_suspended_along_and_charges_from_that_day(seller):
    """R82"""
    base, extra = _with_add_on(seller)
    subscription, add_on = rows.subscription_of(base), rows.subscription_of(extra)
    service.suspend(subscription, by=seller, at=JANUARY_31 + timedelta(days=1))
    before = len(charges(subscription))

    advancing.advance_due(at=JANUARY_31 + timedelta(days=40))
    assert len(charges(subscription)) == before
    service.reactivate(subscription, by=seller, at=JANUARY_31 + timedelta(days=45))

    assert (subscription.state, add_on.state) == (S.ACTIVE, S.ACTIVE)
    kind, amount, start, end = charges(subscription)[-1]
    assert (kind, start, end) == ("period", date(2027, 3, 17), date(2027, 3, 31))
    assert amount == terms.prorated(Money(1200, "EUR"), terms.Period(date(2027, 2, 28), end), terms.Period(start, end)).minor


def test_an_add_on_waits_for_its_base(seller):
    base, extra = _with_add_on(seller)
    service.suspend(rows.subscription_of(base), by=seller, at=JANUARY_31)

    with pytest.raises(Refused, match="Offer BASE"):
        service.reactivate(rows.subscription_of(extra), by=seller, at=JANUARY_31)


def test_an_add_on_ordered_later_ends_with_its_base_and_pays_for_its_days(seller):
    """R84: charges are prorated by day."""
    base, extra = _with_add_on(seller, price=3100)
    later = datetime(2027, 3, 10, 8, tzinfo=UTC)
    third = rows.offer("THIRD", by=seller, at=later, price=3100, add_on_of="BASE")
    rows.place({third: 1}, by=seller, at=later)

    add_on = rows.subscription_of(third)
    assert add_on.ends_on == rows.subscription_of(base).ends_on
    assert charges(add_on) == [("period", round(3100 * 21 / 31), date(2027, 3, 10), date(2027, 3, 31))]
    assert extra.add_on_of_id == base.id


def test_a_trial_becomes_paid_by_itself_unless_renewal_is_off(seller):
    paying = rows.offer("T1", by=seller, at=JANUARY_31, trial_days=30)
    leaving = rows.offer("T2", by=seller, at=JANUARY_31, trial_days=30)
    placed = rows.place({paying: 1, leaving: 1}, by=seller, at=JANUARY_31)
    service.set_renewal(rows.subscription_of(leaving), auto_renew=False, by=seller, at=JANUARY_31)
    assert placed.total == Money(0, "EUR")

    advancing.advance_due(at=JANUARY_31 + timedelta(days=30))

    first, second = rows.subscription_of(paying), rows.subscription_of(leaving)
    assert (first.state, first.trial_ends_on, first.anchor_on) == (S.ACTIVE, None, date(2027, 3, 2))
    assert charges(first) == [("period", 1200, date(2027, 3, 2), date(2027, 4, 2))]
    assert (second.state, charges(second)) == (S.EXPIRED, [])


def test_a_trial_can_be_converted_before_it_ends(seller):
    item = rows.offer("T", by=seller, at=JANUARY_31, trial_days=30)
    rows.place({item: 1}, by=seller, at=JANUARY_31)
    subscription = rows.subscription_of(item)

    service.convert_trial(subscription, by=seller, at=JANUARY_31 + timedelta(days=3))

    assert charges(subscription) == [("period", 1200, date(2027, 2, 3), date(2027, 3, 3))]
    with pytest.raises(Refused):
        service.convert_trial(subscription, by=seller, at=JANUARY_31 + timedelta(days=4))


def test_a_renewal_takes_the_price_of_its_day(seller):
    """R80: prices hold from a day on."""
    item = rows.offer("P", by=seller, at=JANUARY_31, term_months=1)
    rows.place({item: 1}, by=seller, at=JANUARY_31)
    catalog.set_price(item, Money(1500, "EUR"), cost=None, from_on=date(2027, 3, 1), by=seller, at=JANUARY_31)

    advancing.advance_due(at=datetime(2027, 4, 1, tzinfo=UTC))

    assert [amount for _kind, amount, _start, _end in charges(rows.subscription_of(item))] == [1200, 1200, 1500]


def _with_add_on(seller, price: int = 1200) -> tuple[Offer, Offer]:
    base = rows.offer("BASE", by=seller, at=JANUARY_31, price=price)
    extra = rows.offer("EXTRA", by=seller, at=JANUARY_31, price=300, add_on_of="BASE")
    rows.place({extra: 1, base: 1}, by=seller, at=JANUARY_31)
    return base, extra


class Shop:
    """One customer, a few offers, and time that only goes forward."""

    def __init__(self) -> None:
        self.at = JANUARY_31
        self.by = make.actor(SALES)
        self.scope = Scope(partner_id=self.by.organization_id)
        with scoped(self.scope):
            self.offers = [
                rows.offer("MONTH", by=self.by, at=self.at, price=1999, term_months=1),
                rows.offer("YEAR", by=self.by, at=self.at, price=9999, cycle="annual"),
                rows.offer("TRIAL", by=self.by, at=self.at, trial_days=30, term_months=1),
                rows.offer("USAGE", by=self.by, at=self.at, billing="usage", term_months=1),
                rows.offer("ADD", by=self.by, at=self.at, price=333, add_on_of="MONTH", term_months=1),
            ]

    def step(self, name: str, which: int, number: int) -> None:
        try:
            with scoped(self.scope), attempt():
                getattr(self, name)(which, number)
                db.session.flush()
        except Refused:
            pass

    def chosen(self, which: int) -> Subscription:
        found = db.session.scalars(sa.select(Subscription).order_by(Subscription.id)).all()
        if not found:
            raise Refused("none yet")
        return found[which % len(found)]

    def order(self, which: int, number: int) -> None:
        rows.place({self.offers[which % len(self.offers)]: number}, by=self.by, at=self.at)

    def quantity(self, which: int, number: int) -> None:
        service.set_quantity(self.chosen(which), number, version=None, by=self.by, at=self.at)

    def suspend(self, which: int, number: int) -> None:
        service.suspend(self.chosen(which), by=self.by, at=self.at)

    def reactivate(self, which: int, number: int) -> None:
        service.reactivate(self.chosen(which), by=self.by, at=self.at)

    def cancel(self, which: int, number: int) -> None:
        service.cancel(self.chosen(which), by=self.by, at=self.at)

    def renewal(self, which: int, number: int) -> None:
        service.set_renewal(self.chosen(which), auto_renew=bool(number % 2), by=self.by, at=self.at)

    def convert(self, which: int, number: int) -> None:
        service.convert_trial(self.chosen(which), by=self.by, at=self.at)

    def wait(self, which: int, number: int) -> None:
        self.at += timedelta(days=which * number, hours=number)
        advancing.advance_due(at=self.at)

    def check(self) -> None:
        with scoped(EVERYTHING):
            found = {row.id: row for row in db.session.scalars(sa.select(Subscription))}
            charged = db.session.scalars(sa.select(Charge).order_by(Charge.id)).all()
        for row in found.values():
            live = row.state in LIVE
            assert not live or row.due_on > self.at.date(), "what was due has been done"
            assert row.starts_on < row.ends_on
            assert not live or row.ends_on > self.at.date()
            assert not live or row.turns_on == (planning.lapses_on(row) or row.ends_on)
            assert row.remind_on is None or (live and row.remind_on < row.turns_on)
            assert (row.suspended_on is None) <= (row.state is not S.SUSPENDED)
            assert row.next_quantity is None or row.next_quantity < row.quantity
            assert not row.cancels or not row.auto_renew
            base = found.get(row.base_id or 0)
            if base is not None:
                assert not (live and base.state not in LIVE), "an add-on ends with its base"
                assert not (row.state is S.ACTIVE and base.state is S.SUSPENDED), "and is suspended with it"
                assert not live or row.ends_on <= base.ends_on
            own = [charge for charge in charged if charge.subscription_id == row.id]
            spans = sorted((charge.from_on, charge.to_on) for charge in own if charge.kind is ChargeKind.PERIOD)
            assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans)), "no day is charged twice"
            assert row.billing is Billing.LICENCE or not own, "usage is billed in arrears"
            assert sum(charge.amount_minor for charge in own) >= 0, "never more credited than charged"
            if row.state is S.ACTIVE and row.billing is Billing.LICENCE and row.trial_ends_on is None:
                assert spans, "what is used is charged"
                assert row.billed_to > self.at.date()


STEPS = st.tuples(
    st.sampled_from(["order", "order", "quantity", "suspend", "reactivate", "cancel", "renewal", "convert", "wait", "wait"]),
    st.integers(min_value=0, max_value=9),
    st.integers(min_value=1, max_value=40),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=25))
def test_whatever_is_done_in_whatever_order_the_rules_hold(app, engine, steps):
    """R82, R83, R84, R90."""
    databases.database(engine).fresh()
    db.session.rollback()
    with writing():
        shop = Shop()
        for name, which, number in steps:
            shop.step(name, which, number)
            shop.check()
        db.session.commit()
        assert audit.verify(shop.by.organization_id or 0) is None
    db.session.rollback()
    db.session.remove()


def test_every_state_is_reached_and_the_final_ones_lead_nowhere():
    """R82"""
    assert {state for _action, state in SUBSCRIPTION.transitions} | set(SUBSCRIPTION.transitions.values()) == set(S)
    assert SUBSCRIPTION.final() == {S.EXPIRED, S.CANCELLED}
