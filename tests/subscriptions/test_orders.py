"""Orders: availability with its reason, all or nothing, once whatever is clicked; refunds of reservations (R17, R80, R81, R83)."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from portal.core.access import Cloud
from portal.core.db import db, uuid7, writing
from portal.core.errors import Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions import catalog, ordering, reservations
from portal.subscriptions.catalog import Unavailable
from portal.subscriptions.models import Cart, Charge, Order, OrderLine, Reservation, ReservationScope, ReservationState, Subscription
from portal.subscriptions.ordering import CannotBeOrdered
from tests.subscriptions import rows
from tests.subscriptions.test_lifecycle import seller  # noqa: F401  (a fixture)
from tests.support import make

AT = datetime(2027, 3, 10, 9, tzinfo=UTC)


def counts() -> tuple[int, ...]:
    return tuple(db.session.scalar(sa.select(sa.func.count(model.id))) or 0 for model in (Order, OrderLine, Subscription, Reservation, Charge))


def quote(item, number: int = 1) -> ordering.Quote:
    return ordering.quotes({str(item.public_id): number}, rows.tellier(), cloud=Cloud.PUBLIC, today=AT.date())[0]


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"clouds": ["us_government"]}, Unavailable.CLOUD),
        ({"markets": ["US"]}, Unavailable.MARKET),
        ({"segment": "education"}, Unavailable.SEGMENT),
        ({"price": None}, Unavailable.NO_PRICE),
        ({}, None),
        ({"clouds": ["public"], "segment": "commercial"}, None),
    ],
    ids=str,
)
def test_an_offer_that_cannot_be_had_says_why(seller, details, reason):  # noqa: F811
    """R80, R81"""
    assert quote(rows.offer("X", by=seller, at=AT, **details)).reason is reason


def test_withdrawn_already_there_and_without_a_base(seller):  # noqa: F811
    """R81"""
    once, base = rows.offer("ONCE", by=seller, at=AT, one_per_customer=True), rows.offer("BASE", by=seller, at=AT)
    extra, gone = rows.offer("EXTRA", by=seller, at=AT, add_on_of="BASE"), rows.offer("GONE", by=seller, at=AT)
    rows.place({once: 1}, by=seller, at=AT)
    catalog.withdraw(gone, reason="End of sale.", by=seller, at=AT)

    assert [quote(item).reason for item in (once, base, extra, gone)] == [Unavailable.ALREADY_THERE, None, Unavailable.NO_BASE, Unavailable.WITHDRAWN]


def test_one_bad_line_and_nothing_is_ordered(seller):  # noqa: F811
    """R81: atomic."""
    good, bad = rows.offer("GOOD", by=seller, at=AT), rows.offer("BAD", by=seller, at=AT, segment="education")
    before = counts()

    with pytest.raises(CannotBeOrdered, match="Offer BAD"):
        rows.place({good: 1, bad: 1}, by=seller, at=AT)

    assert counts() == before


def test_without_an_agreement_nothing_is_ordered(app):
    """R17"""
    made = make.customer("Sans Contrat", "sans-contrat.example")
    by = make.actor("sales@atelier-nuage.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        item = rows.offer("X", by=by, at=AT)
        record = db.session.scalars(sa.select(type(made)).where(type(made).id == made.id)).one()
        quoted = ordering.quotes({str(item.public_id): 1}, record, cloud=Cloud.PUBLIC, today=AT.date())

        with pytest.raises(CannotBeOrdered, match="agreement"):
            ordering.place(uuid7(), quoted, record, side=by.side, by=by, at=AT)
        assert counts() == (0, 0, 0, 0, 0)
        db.session.rollback()


def test_the_same_key_orders_once(seller):  # noqa: F811
    """R81: a retry finds the order."""
    item, key = rows.offer("X", by=seller, at=AT), uuid7()
    first = rows.place({item: 2}, by=seller, at=AT, key=key)
    before = counts()

    assert rows.place({item: 2}, by=seller, at=AT, key=key).id == first.id
    assert counts() == before


def test_a_double_click_and_two_tabs_order_once(app):
    """R81, S29: many submissions of one cart at the same moment."""
    by = make.actor("sales@atelier-nuage.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        item = rows.offer("X", by=by, at=AT)
        cart = ordering.cart_of(rows.tellier(), by=by, at=AT)
        ordering.put(cart, item, 3, at=AT)
        db.session.commit()
        cart_id = cart.public_id
    db.session.rollback()
    barrier, made = threading.Barrier(6), []

    def submit() -> None:
        with app.app_context(), writing(), scoped(Scope(partner_id=by.organization_id)):
            barrier.wait()
            mine = ordering.find(Cart, cart_id, lock=True)
            order = ordering.order(mine, rows.tellier(), cloud=Cloud.PUBLIC, by=by, at=AT)
            db.session.commit()
            made.append(order.id)
            db.session.remove()

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 6
    assert len(set(made)) == 1
    with scoped(EVERYTHING):
        assert counts()[:3] == (1, 1, 1)


def test_the_preview_is_what_is_charged(seller):  # noqa: F811
    """R84"""
    base, extra = rows.offer("BASE", by=seller, at=AT, price=3100), rows.offer("EXTRA", by=seller, at=AT, price=1000, add_on_of="BASE")
    rows.place({base: 1}, by=seller, at=AT)
    later = AT + timedelta(days=12)
    quoted = ordering.quotes({str(extra.public_id): 4}, rows.tellier(), cloud=Cloud.PUBLIC, today=later.date())

    placed = rows.place({extra: 4}, by=seller, at=later)

    assert placed.total == quoted[0].today
    assert quoted[0].ends_on == rows.subscription_of(base).ends_on


def test_a_base_and_its_add_on_in_one_order(seller):  # noqa: F811
    base, extra = rows.offer("BASE", by=seller, at=AT), rows.offer("EXTRA", by=seller, at=AT, add_on_of="BASE")

    rows.place({extra: 1, base: 1}, by=seller, at=AT)

    assert rows.subscription_of(extra).base_id == rows.subscription_of(base).id


def reservation(seller, price: int = 365_000) -> Reservation:  # noqa: F811
    item = rows.offer("RES", by=seller, at=AT, price=price, instance_type="D4", region="France Central")
    rows.place({item: 1}, by=seller, at=AT)
    return db.session.scalars(sa.select(Reservation)).one()


@pytest.mark.parametrize(("days", "used", "refund"), [(0, False, 366_000), (5, False, 366_000), (5, True, 317_680), (6, False, 316_800), (366, False, 0)])
def test_a_reservation_is_refunded_in_full_at_first_and_by_day_less_12_percent_later(seller, days, used, refund):  # noqa: F811
    row = reservation(seller, price=366_000)
    row.used = used
    assert row.term.days == 366

    assert reservations.refund_of(row, AT.date() + timedelta(days=days)) == Money(refund, "EUR")


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=1200))
def test_never_more_is_refunded_than_was_paid_and_less_every_day(minor, day):
    row = Reservation(paid_minor=minor, currency="EUR", starts_on=date(2027, 3, 10), ends_on=date(2030, 3, 10), used=False)

    today, tomorrow = (reservations.refund_of(row, date(2027, 3, 10) + timedelta(days=number)).minor for number in (day, day + 1))

    assert 0 <= tomorrow <= today <= minor


def test_an_exchange_gives_back_and_begins_anew(seller):  # noqa: F811
    row = reservation(seller)
    other = rows.offer("RES2", by=seller, at=AT, price=500_000, instance_type="E8", region="France Central")

    usage = rows.offer("USAGE", by=seller, at=AT, billing="usage", term_months=1)
    rows.place({usage: 1}, by=seller, at=AT)
    plan, later = {"customer": rows.tellier(), "cloud": Cloud.PUBLIC}, AT + timedelta(days=2)

    proposal = reservations.propose_exchange(row, other, 2, rows.subscription_of(usage), today=later.date(), **plan)
    new = reservations.exchange(row, proposal, customer=rows.tellier(), by=seller, at=later)

    assert (proposal.refund, proposal.price, proposal.difference) == (Money(365_000, "EUR"), Money(1_000_000, "EUR"), Money(635_000, "EUR"))
    assert (row.state, row.refund_minor) == (ReservationState.EXCHANGED, 365_000)
    assert (new.replaces_id, new.paid, new.scope) == (row.id, Money(1_000_000, "EUR"), ReservationScope.SINGLE)
    assert new.subscription_id == rows.subscription_of(usage).id
    assert reservations.exchange(row, proposal, customer=rows.tellier(), by=seller, at=later) is new
    with pytest.raises(Refused):
        reservations.propose_exchange(row, other, 1, None, today=later.date(), **plan)


def test_a_reservation_ends_with_its_term(seller):  # noqa: F811
    row = reservation(seller)

    assert reservations.expire(at=AT + timedelta(days=365)) == 0
    assert reservations.expire(at=AT + timedelta(days=366)) == 1
    assert row.state is ReservationState.EXPIRED


def test_prices_hold_from_their_day_on(seller):  # noqa: F811
    """R80"""
    item = rows.offer("P", by=seller, at=AT, price=1000)
    catalog.set_price(item, Money(1100, "EUR"), cost=Money(900, "EUR"), from_on=date(2027, 4, 1), by=seller, at=AT)

    assert catalog.price_on(item.id, "EUR", date(2027, 3, 31)) == Money(1000, "EUR")
    assert catalog.price_on(item.id, "EUR", date(2027, 4, 1)) == Money(1100, "EUR")
    assert catalog.price_on(item.id, "EUR", date(2027, 3, 9)) is None
    assert catalog.price_on(item.id, "USD", date(2027, 4, 1)) is None
    with pytest.raises(Refused):
        catalog.set_price(item, Money(1, "EUR"), cost=None, from_on=date(2027, 3, 9), by=seller, at=AT)


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"minimum": 5, "maximum": 4}, "maximum"),
        ({"cycle": "annual", "term_months": 1}, "term_months"),
        ({"term_months": 7}, "term_months"),
        ({"instance_type": "D4"}, "region"),
        ({"instance_type": "D4", "region": "West", "term_months": 1}, "term_months"),
        ({"instance_type": "D4", "region": "West", "one_per_customer": True}, "one_per_customer"),
        ({"add_on_of": "NOWHERE"}, "add_on_of"),
        ({"add_on_of": "BASE", "trial_days": 30}, "trial_days"),
        ({"sku": "BASE"}, "sku"),
    ],
    ids=str,
)
def test_an_offer_that_contradicts_itself_is_refused(seller, details, field):  # noqa: F811
    """R73, R80"""
    rows.offer("BASE", by=seller, at=AT)

    with pytest.raises(Refused) as refusal:
        rows.offer(**{"sku": "X", **details}, by=seller, at=AT)
    assert refusal.value.field == field
