"""What a customer may buy for itself: the checklist, limits and approvals, also under concurrency (R70-R76)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.core import audit
from portal.core.access import Cloud, Side
from portal.core.db import db, uuid7, writing
from portal.core.errors import Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.permissions import queries, service
from portal.permissions.models import Category, Notice, Purchase, PurchaseState
from portal.permissions.service import NotPermitted, Wish
from portal.subscriptions import naming
from portal.subscriptions import service as subscriptions
from portal.subscriptions.models import Offer, Order, Reservation, ReservationScope, Subscription
from tests.subscriptions import rows
from tests.support import make

SALES, AGENT, BUYER = "sales@atelier-nuage.example", "agent@atelier-nuage.example", "buyer@maison-tellier.example"
AT = datetime(2027, 3, 10, 9, tzinfo=UTC)
C = Category.RESERVATIONS


@pytest.fixture
def prepared(app):
    """A usage subscription of Maison Tellier whose owner is its purchaser, and a reservation offer of 1,000.00 a piece; committed."""
    db.session.rollback()
    by = make.actor(SALES)
    buyer = make.actor(BUYER)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        usage = rows.offer("USAGE", by=by, at=AT, billing="usage", term_months=1)
        rows.offer("RES", by=by, at=AT, price=100_000, instance_type="D4", region="France Central", category="Reservations")
        rows.place({usage: 1}, by=by, at=AT)
        owner = db.session.scalars(sa.select(User).where(User.id == buyer.user_id)).unique().one()
        naming.name_owner(rows.subscription_of(usage), owner, by=by, at=AT)
        service.turn_on(rows.tellier(), C, by=by, at=AT)
        db.session.commit()
    return by


def wish(quantity: int = 1, key: object = None) -> Wish:
    offer = db.session.scalars(sa.select(Offer).where(Offer.sku == "RES")).one()
    usage = db.session.scalars(sa.select(Offer).where(Offer.sku == "USAGE")).one()
    return Wish(key or uuid7(), offer, rows.subscription_of(usage), quantity, ReservationScope.SHARED)  # type: ignore[arg-type]


def buy(quantity: int = 1, *, who: str = BUYER, at: datetime = AT, key: object = None) -> Purchase:
    return service.buy(rows.tellier(), wish(quantity, key), cloud=Cloud.PUBLIC, by=make.actor(who), at=at)


def limits(by, *, month: int | None = None, above: int | None = None) -> None:
    amounts = {name: Money(value, "EUR") if value is not None else None for name, value in (("monthly_limit", month), ("approval_above", above))}
    service.set_limits(rows.tellier(), C, **amounts, notice=Notice.NOBODY, version=None, by=by, at=AT)


@pytest.fixture
def shop(prepared):
    """Inside the partner's scope, in a transaction that writes."""
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=prepared.organization_id)):
        yield prepared
    db.session.rollback()


def test_a_purchase_makes_an_order_and_a_reservation_in_the_customers_name(shop):
    """R73, R75"""
    made = buy(3)

    reservation = db.session.scalars(sa.select(Reservation)).one()
    order = db.session.scalars(sa.select(Order).where(Order.id == made.order_id)).one()
    assert (made.state, made.total) == (PurchaseState.PLACED, Money(300_000, "EUR"))
    assert (reservation.bought_side, reservation.bought_by, reservation.paid) == (Side.CUSTOMER, "Hugo Vasseur", Money(300_000, "EUR"))
    assert order.side is Side.CUSTOMER


def test_the_switch_needs_all_three_and_says_so(app, shop):
    """R71: refused on the server too."""
    for sku in ("USAGE",):
        subscriptions.suspend(rows.subscription_of(db.session.scalars(sa.select(Offer).where(Offer.sku == sku)).one()), by=shop, at=AT)

    checklist = service.checklist(rows.tellier())

    assert (checklist.relationship, checklist.subscription, checklist.owner) == (True, False, False)
    with pytest.raises(Refused):
        service.turn_on(rows.tellier(), C, by=shop, at=AT)


def test_a_purchase_is_checked_again_in_full(shop):
    """R74: switched off, not an owner, subscription suspended: each refused, nothing bought."""
    with pytest.raises(NotPermitted):
        buy(who="admin@maison-tellier.example")
    subscriptions.suspend(wish().subscription, by=shop, at=AT)
    with pytest.raises(NotPermitted):
        buy()
    subscriptions.reactivate(wish().subscription, by=shop, at=AT)
    service.turn_off(rows.tellier(), C, by=shop, at=AT)
    with pytest.raises(NotPermitted):
        buy()

    assert db.session.scalars(sa.select(Purchase)).all() == []


def test_nothing_is_bought_for_a_subscription_whose_term_is_over_before_the_job_ends_it(shop):
    """R71, R74, R76: neither bought, nor approved, nor turned on."""
    limits(shop, above=150_000)
    waits, late = buy(2), AT + timedelta(days=40)
    subscriptions.set_renewal(wish().subscription, auto_renew=False, by=shop, at=AT)

    with pytest.raises(NotPermitted):
        buy(at=late)
    with pytest.raises(NotPermitted):
        service.approve(waits, rows.tellier(), cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=late)
    service.turn_off(rows.tellier(), C, by=shop, at=late)
    with pytest.raises(Refused):
        service.turn_on(rows.tellier(), C, by=shop, at=late)


def test_the_months_limit_holds_and_begins_anew(shop):
    """R76"""
    limits(shop, month=250_000)
    buy(2)

    with pytest.raises(Refused, match="limit"):
        buy(1)

    assert buy(2, at=AT + timedelta(days=31)).state is PurchaseState.PLACED


def test_above_the_threshold_the_partner_is_asked(shop):
    """R76"""
    limits(shop, above=150_000)
    small, large = buy(1), buy(2)
    assert (small.state, large.state) == (PurchaseState.PLACED, PurchaseState.WAITING)

    service.approve(large, rows.tellier(), cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=AT)

    assert (large.state, large.decided_by) == (PurchaseState.PLACED, "Théo Marchand")
    assert {reservation.bought_by for reservation in db.session.scalars(sa.select(Reservation))} == {"Hugo Vasseur"}
    with pytest.raises(Refused):
        service.decline(large, rows.tellier(), reason="too late", by=make.actor(AGENT), at=AT)


def test_what_waits_counts_and_what_is_declined_does_not(shop):
    """R76"""
    limits(shop, month=250_000, above=150_000)
    waiting = buy(2)
    with pytest.raises(Refused, match="limit"):
        buy(1)

    service.decline(waiting, rows.tellier(), reason="Not this month.", by=shop, at=AT)

    assert buy(1).state is PurchaseState.PLACED


def test_what_is_approved_in_a_later_month_counts_in_that_one(shop):
    """R76: the money is spent then."""
    limits(shop, month=250_000, above=150_000)
    waiting = buy(2)
    later = AT + timedelta(days=31)
    with pytest.raises(Refused, match="limit"):  # while it waits it counts in the present month, whichever that is
        buy(1, at=later)

    service.approve(waiting, rows.tellier(), cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=later)

    permission = service.permission_of(rows.tellier())
    assert (waiting.month, service.left_of(permission, at=later)) == (f"{later:%Y-%m}", Money(50_000, "EUR"))
    assert service.left_of(permission, at=AT) == Money(250_000, "EUR")
    with pytest.raises(Refused, match="limit"):
        buy(1, at=later)


def test_approving_checks_the_limit_of_the_month_in_which_it_is_done(shop):
    """R76"""
    limits(shop, month=350_000, above=150_000)
    waiting, other = buy(2), buy(1)
    assert other.state is PurchaseState.PLACED
    limits(shop, month=250_000, above=150_000)

    with pytest.raises(NotPermitted, match=r"limit of €2,500\.00: €1,000\.00 is bought already"):
        service.approve(waiting, rows.tellier(), cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=AT)
    assert waiting.state is PurchaseState.WAITING

    service.approve(waiting, rows.tellier(), cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=AT + timedelta(days=31))
    assert waiting.state is PurchaseState.PLACED


def test_purchases_and_approvals_at_once_stay_within_the_limit_of_their_month(app, prepared):
    """R76, S29: what waits since last month, and what is bought now."""
    with writing(), scoped(Scope(partner_id=prepared.organization_id)):
        limits(prepared, month=500_000, above=150_000)
        key = buy(2).public_id
        db.session.commit()
    later = AT + timedelta(days=31)

    def work(number):
        if number:
            return buy(1, at=later)
        purchase, customer = queries.locked(key)
        service.approve(purchase, customer, cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=later)
        return purchase

    results = at_once(app, prepared, work, 6)

    assert results.count("placed") == 4
    db.session.rollback()
    with scoped(EVERYTHING):
        spent = db.session.scalar(sa.select(sa.func.sum(Purchase.total_minor)).where(Purchase.month == f"{later:%Y-%m}"))
        assert spent == 500_000


def test_the_price_that_was_asked_for_holds_at_approval(shop):
    from portal.subscriptions import catalog

    limits(shop, above=0)
    waiting = buy(1)
    catalog.set_price(wish().offer, Money(999_900, "EUR"), cost=None, from_on=AT.date(), by=shop, at=AT)

    order = service.approve(waiting, rows.tellier(), cloud=Cloud.PUBLIC, by=shop, at=AT)

    assert order.total == Money(100_000, "EUR")


def test_both_switches_are_in_both_logs(shop):
    """R72"""
    service.turn_off(rows.tellier(), C, by=shop, at=AT)
    tellier = rows.tellier().customer_id
    db.session.commit()

    for chain in (shop.organization_id, tellier):
        assert {"buying.on", "buying.off"} <= {entry.action for entry in audit.recent(chain, limit=50)}


def test_two_purchases_at_once_never_pass_the_limit_together(app, prepared):
    """R76, S29: eight people, a limit for three."""
    with writing(), scoped(Scope(partner_id=prepared.organization_id)):
        limits(prepared, month=300_000)
        db.session.commit()
    results = at_once(app, prepared, lambda number: buy(1), 8)

    assert results.count("placed") == 3
    assert results.count("refused") == 5


def test_the_same_purchase_at_once_buys_once(app, prepared):
    """S29: a double click."""
    key = uuid7()
    results = at_once(app, prepared, lambda number: buy(1, key=key), 6)

    assert results.count("placed") == 6
    db.session.rollback()
    with scoped(EVERYTHING):
        assert len(db.session.scalars(sa.select(Reservation)).all()) == 1
        assert len(db.session.scalars(sa.select(Purchase)).all()) == 1


def at_once(app, by, work, number: int) -> list[str]:
    """The same work in many threads, each in a transaction of its own."""
    db.session.rollback()
    barrier, results = threading.Barrier(number), []

    def run(index: int) -> None:
        with app.app_context(), writing(), scoped(Scope(partner_id=by.organization_id)):
            barrier.wait()
            try:
                results.append(work(index).state.value)
                db.session.commit()
            except Refused:
                db.session.rollback()
                results.append("refused")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_nothing_is_left_of_a_subscriptions_owner_who_was_taken_away(shop):
    """R71"""
    subscription = db.session.scalars(sa.select(Subscription)).one()
    buyer = make.actor(BUYER)
    owner = db.session.scalars(sa.select(User).where(User.id == buyer.user_id)).unique().one()

    naming.take_owner(subscription, owner, by=shop, at=AT)

    assert not service.checklist(rows.tellier()).owner
