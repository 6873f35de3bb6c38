"""Where rules of subscriptions and reservations meet: a day on which the job is still to come, offers changed since, huge amounts, one broken row."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
import sqlalchemy as sa

from portal.core import clock, jobs
from portal.core.db import db, writing
from portal.core.money import MOST, Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import catalog, mails, reservations, service
from portal.subscriptions.models import Charge, Offer, Reservation, Subscription, SubscriptionState
from tests.subscriptions import reserved, rows
from tests.subscriptions.world import ADMIN, SALES, change, row, sold, tellier, update
from tests.support import make

BUYER = reserved.BUYER
MARCH_10 = datetime(2027, 3, 10, 9, tzinfo=UTC)


def on(moment: datetime):
    return clock.shifted(moment - clock.now())


def do(work, by=ADMIN):
    """Run this in the partner's scope, and commit it."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = work(who)
        db.session.commit()
    return made


def charged(public_id: str) -> list[tuple[int, date, date]]:
    db.session.rollback()
    with scoped(EVERYTHING):
        key = row(public_id).id
    with scoped(EVERYTHING):
        return [tuple(found) for found in db.session.execute(sa.select(Charge.amount_minor, Charge.from_on, Charge.to_on).where(Charge.subscription_id == key))]


def test_an_add_on_is_ordered_on_the_day_its_base_renews(app, people):
    """R80, R81: the base goes into its new term first, and the review is shown again with that; nothing is charged twice."""
    (base,) = sold("Base", term_months=1, at=MARCH_10)
    add_on = do(lambda who: rows.offer("ADD", by=who, at=MARCH_10, term_months=1, add_on_of="Base").public_id)
    with on(datetime(2027, 4, 10, 0, 5, tzinfo=UTC)):
        sales = people(SALES)
        sales.post(f"{tellier()}/cart/lines/{add_on}", {"quantity": "1", "was": "0"})
        again = sales.submit(sales.get(f"{tellier()}/cart/review"), f"{tellier()}/orders", status=409)
        assert "Something has changed" in again.text and "May 10, 2027" in again.text
        assert "is placed" in sales.submit(again, f"{tellier()}/orders").flashes[0]
        db.session.rollback()
        jobs.run("advance_subscriptions")

    db.session.rollback()
    with scoped(EVERYTHING):
        made = db.session.scalars(sa.select(Subscription).order_by(Subscription.id.desc()).limit(1)).one()
        found = str(made.public_id), made.starts_on, made.ends_on
    assert found[1:] == (date(2027, 4, 10), date(2027, 5, 10))
    assert charged(found[0]) == [(1200, date(2027, 4, 10), date(2027, 5, 10))]
    assert [line[1] for line in charged(base)] == [date(2027, 3, 10), date(2027, 4, 10)]


def test_fewer_licences_of_a_trial_hold_once_it_is_paid(app, people):
    """R84: as the page said, not a term later."""
    early, late = sold("Early", "Late", trial_days=30, quantity=5)
    for key in (early, late):
        change(key, lambda found, **options: service.set_quantity(found, 3, version=None, **options))

    assert "€36.00" in people(SALES).get(f"{tellier()}/subscriptions/{early}/conversion").text
    change(early, service.convert_trial)
    with clock.shifted(timedelta(days=31)):
        jobs.run("advance_subscriptions")

    assert [(row(key).quantity, row(key).next_quantity, charged(key)[0][0]) for key in (early, late)] == [(3, None, 3600)] * 2


def test_no_quantity_costs_more_than_can_be_kept(app, people):
    """R84: the answer is a message, never an error of the database."""
    (public_id,) = sold("Golden", quantity=1, price=MOST)
    url = f"{tellier()}/subscriptions/{public_id}/quantity"

    sales = people(SALES)

    answer = sales.submit(sales.get(url), url, status=422, quantity="10000")

    assert answer.errors["quantity"] == "Give 1: no other number can be ordered."


def test_an_absurd_price_is_told_with_the_most_that_there_is(people):
    """Neither as no amount at all, nor as an error of the database."""
    offer_id = reserved.offered("Golden server")
    billing, url = people("billing@atelier-nuage.example"), f"/catalog/{offer_id}/prices"

    for typed in ("99999999999999", "99,999,999,999,999.00", "9" * 30):
        answer = billing.submit(billing.get(f"{url}/new"), url, status=422, price=typed, cost=typed)
        assert answer.errors["price"] == answer.errors["cost"] == "This is too much: at most €10,000,000,000,000.00."
    page = billing.get(f"/catalog/{offer_id}/edit")
    assert billing.submit(page, f"/catalog/{offer_id}", status=422, maximum="99999999999999").errors["maximum"] == "Give a number from 1 to 100,000."


@pytest.mark.parametrize(
    ("price", "typed", "message"),
    [
        (MOST // 100, "5000", "Give a number from 1 to 100."),
        (MOST, "2", "Give 1: no other number can be ordered."),
        (1200, "99999999999999", "Give a number from 1 to 10,000."),
    ],
)
def test_the_range_of_a_quantity_knows_the_price(people, price, typed, message):
    """What is named can be ordered."""
    offer_id = reserved.offered("Golden server", price=price)
    sales, line = people(SALES), f"{tellier()}/cart/lines/{offer_id}"

    assert message in sales.post(line, {"quantity": typed, "was": "0"}, 422).text


def test_a_price_that_no_order_can_hold_is_told_as_such(people):
    offer_id = reserved.offered("Golden server", price=MOST, minimum=2)

    assert "The price has to change first." in people(SALES).post(f"{tellier()}/cart/lines/{offer_id}", {"quantity": "2", "was": "0"}, 422).text


def test_a_price_for_another_cycle_is_not_taken_at_renewal(app):
    """R84: an offer that is billed by the year since then costs a monthly subscription no twelvefold."""
    (public_id,) = sold("Suite", quantity=1, at=MARCH_10)

    def by_the_year(who):
        offer = db.session.scalars(sa.select(Offer).where(Offer.sku == "Suite")).one()
        catalog.change_offer(offer, replace(catalog.entry_of(offer), cycle="annual"), version=None, by=who, at=MARCH_10)
        catalog.set_price(offer, Money(14_400, "EUR"), cost=None, from_on=MARCH_10.date(), by=who, at=MARCH_10)

    do(by_the_year)
    with on(datetime(2028, 3, 10, 9, tzinfo=UTC)):
        jobs.run("advance_subscriptions")

    assert row(public_id).ends_on == date(2029, 3, 10)
    assert {amount for amount, *_days in charged(public_id)} == {1200}


def test_a_refund_is_rounded_once():
    """R90"""
    for paid in range(1, 2000, 7):
        found = Reservation(paid_minor=paid, currency="EUR", starts_on=date(2027, 1, 1), ends_on=date(2028, 1, 1), used=False)
        for gone in (6, 77, 200, 364):
            exact = Decimal(paid) * (365 - gone) * 88 / (365 * 100)
            assert reservations.refund_of(found, date(2027, 1, 1) + timedelta(days=gone)).minor == exact.to_integral_value(ROUND_HALF_UP)


def test_a_reminder_that_cannot_be_written_holds_up_no_other(app, monkeypatch):
    broken, whole = sold("Broken", "Whole")
    broken_id, turning = row(broken).id, mails.turning

    def fail(subscription, **options):
        if subscription.id == broken_id:
            raise RuntimeError("no way")
        turning(subscription, **options)

    monkeypatch.setattr(mails, "turning", fail)
    with clock.shifted(timedelta(days=336)):
        jobs.run("remind_of_subscriptions")

    assert row(whole).remind_on is None
    assert row(broken).remind_on is not None


def test_reservations_of_a_partner_without_consent_are_not_the_companys_to_see(app, people):
    """R2, R19: a record that moved to the company which proved the domain."""
    public_id = reserved.reserved()
    buyer = people(BUYER)
    assert "Small server" in buyer.get("/my/reservations").text
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        tellier_id = make.organization("maison-tellier.example").id
        for record in db.session.scalars(sa.select(Customer).where(Customer.customer_id == tellier_id)):
            record.state = RelationshipState.PENDING
        db.session.commit()

    assert "Small server" not in buyer.get("/my/reservations").text
    buyer.get(f"/my/reservations/{public_id}", status=404)
    buyer.post(f"/my/reservations/{public_id}/request", {"kind": "cancel", "message": "Please."}, status=404)
    assert reserved.requests() == []


def test_a_reservation_is_not_renewed_for_a_subscription_that_is_over(app, people):
    """R73: nobody could use it."""
    (plan,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
    public_id = reserved.reserved()
    reserved.update(public_id, subscription_id=row(plan).id, scope="single")
    update(plan, state=SubscriptionState.CANCELLED)

    page = people(SALES).get(f"{reserved.page(public_id)}/renewal")

    assert "Change who uses it first" in page.text
    people(SALES).post(f"{reserved.page(public_id)}/renewal", {"version": "2"}, status=409)
    assert len(reserved.everything()) == 1
