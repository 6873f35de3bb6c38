"""What time does by itself, and who is told of it (R82, R84, R103)."""

from datetime import timedelta

import pytest

from portal.core import clock, jobs
from portal.core.db import db
from portal.subscriptions import advancing, service
from portal.subscriptions.models import SubscriptionState
from tests.subscriptions.test_cart import offers, order, put
from tests.subscriptions.world import ADMIN, SALES, change, row, sold, update
from tests.support import mail

S = SubscriptionState
TELLIER = "admin@maison-tellier.example"


def after(days: int, *names: str) -> None:
    """Run these jobs so many days on."""
    with clock.shifted(timedelta(days=days)):
        for name in names or ("advance_subscriptions", "remind_of_subscriptions"):
            jobs.run(name)


def subjects(to: str) -> list[str]:
    return [sent.subject for sent in mail.all_to(to) if sent.mail.kind.startswith("subscriptions/")]


def test_a_job_goes_on_until_nothing_is_due(app, monkeypatch):
    """Batch after batch: what a stopped installation missed is made up for."""
    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    keys = sold(*(f"Product {number}" for number in range(5)), term_months=1)

    after(70)

    assert {row(key).starts_on for key in keys} == {row(keys[0]).starts_on}
    assert row(keys[0]).billed_to > clock.today() + timedelta(days=70)


@pytest.mark.parametrize("at_once", [1, 1000])
def test_one_that_cannot_go_on_holds_up_no_other(app, monkeypatch, caplog, at_once):
    """Also when a batch is no longer than what fails."""
    monkeypatch.setattr(jobs, "AT_ONCE", at_once)
    broken, whole = sold("Broken", "Whole", term_months=1)
    broken_id, renew = row(broken).id, advancing._renew

    def fail(subscription, **options):
        if subscription.id == broken_id:
            raise RuntimeError("no way")
        renew(subscription, **options)

    monkeypatch.setattr(advancing, "_renew", fail)
    after(40, "advance_subscriptions")
    assert row(whole).starts_on > row(broken).starts_on
    assert "failed and is left as it was" in caplog.text

    monkeypatch.undo()
    after(40, "advance_subscriptions")
    assert row(whole).starts_on == row(broken).starts_on


def test_one_that_cannot_go_on_is_no_obstacle_to_an_order(people, monkeypatch):
    """What time brings to a customer is done before it orders; one that fails is left to the job."""
    sold("Broken", term_months=1)

    def fail(*_given, **_options):
        raise RuntimeError("no way")

    monkeypatch.setattr(advancing, "_renew", fail)
    with clock.shifted(timedelta(days=40)):
        sales = people(SALES)
        put(sales, offers("Suite"), 1)

        assert order(sales).h1.startswith("Order ")


def test_a_yearly_renewal_is_told_once_30_days_ahead(app):
    (public_id,) = sold("Office Suite")

    after(334)
    assert subjects(SALES) == []
    after(336)
    after(337)

    assert len(subjects(SALES)) == 1
    assert subjects(SALES)[0].startswith("Office Suite of Maison Tellier renews on")
    assert f"/subscriptions/{public_id}" in mail.latest(SALES).text
    assert subjects(TELLIER) == []


def test_it_is_told_again_the_year_after(app):
    sold("Office Suite")

    for days in (336, 370, 720):
        after(days)

    assert len(subjects(SALES)) == 2


def test_a_monthly_term_renews_without_a_word(app):
    sold("Office Suite", term_months=1)

    for days in (1, 20, 29, 40):
        after(days)

    assert subjects(SALES) == []


def test_one_that_ends_is_told_so(app):
    (public_id,) = sold("Office Suite")
    change(public_id, service.set_renewal, auto_renew=False)

    after(336)

    assert subjects(SALES)[0].startswith("Office Suite of Maison Tellier ends on")
    assert "turn the renewal on" in mail.latest(SALES).text


@pytest.mark.parametrize(("renews", "words"), [(True, "From that day on it is paid"), (False, "it does not go on")])
def test_a_trials_end_is_told_7_and_1_days_ahead(app, renews, words):
    (public_id,) = sold("Office Suite", trial_days=30)
    change(public_id, service.set_renewal, auto_renew=renews)

    for days in (22, 23, 24, 28, 29):
        after(days)

    assert len(subjects(SALES)) == 2
    assert words in mail.latest(SALES).text


def test_a_suspended_one_warns_both_sides_before_it_expires_and_then_tells_so(app):
    """R82"""
    (base,) = sold("Office Suite")
    sold("Mail Guard", add_on_of="Office-Suite")
    change(base, service.suspend)

    for days in (59, 60, 61, 83, 84, 89, 90):
        after(days)

    told = subjects(SALES)
    assert [subject.partition(" on ")[0] for subject in told] == ["Office Suite of Maison Tellier expires"] * 3 + ["Office Suite of Maison Tellier has expired"]
    assert [subject.partition(" on ")[0] for subject in subjects(TELLIER)] == ["Office Suite expires"] * 3 + ["Office Suite has expired"]
    assert "Its add-ons ended with it: Mail Guard" in mail.latest(TELLIER).text
    assert row(base).state is S.EXPIRED


def test_a_reactivated_one_warns_no_more(app):
    (public_id,) = sold("Office Suite")
    change(public_id, service.suspend)
    after(60)
    change(public_id, service.reactivate, at=clock.now() + timedelta(days=61))

    for days in (84, 89, 90):
        after(days)

    assert len(subjects(SALES)) == 1
    assert row(public_id).state is S.ACTIVE


def test_a_cancellation_is_told_when_it_takes_place(app):
    (public_id,) = sold("Office Suite", term_months=1)
    change(public_id, service.cancel, at=clock.now() + timedelta(days=2))

    after(35)

    assert subjects(SALES) == ["Office Suite of Maison Tellier is cancelled"]
    assert subjects(TELLIER) == ["Office Suite is cancelled"]
    assert row(public_id).state is S.CANCELLED


def test_what_a_person_cancels_is_told_to_nobody_by_mail(app):
    (public_id,) = sold("Office Suite")

    change(public_id, service.cancel)

    assert (subjects(SALES), subjects(ADMIN), subjects(TELLIER)) == ([], [], [])


def test_when_whoever_ordered_is_gone_the_global_admins_are_told(app):
    from portal.accounts import queries
    from portal.accounts import service as accounts
    from portal.core.db import writing
    from tests.support import make

    sold("Office Suite")
    admin = make.actor(ADMIN)
    db.session.rollback()
    with writing():
        accounts.deactivate(queries.user_by_email(SALES), by=admin, at=clock.now())
        db.session.commit()

    after(336)

    assert subjects(SALES) == []
    assert len(subjects(ADMIN)) == 1


def test_reminders_missed_by_a_stopped_installation_are_sent_once(app):
    (public_id,) = sold("Office Suite")
    change(public_id, service.suspend)

    after(86)

    assert len(subjects(SALES)) == 1
    assert row(public_id).remind_on == row(public_id).turns_on - timedelta(days=1)


def test_reservations_expire_with_their_term(app):
    from tests.subscriptions.test_ending_obstacles import reserved

    reserved("Small server", term_months=12)

    after(366, "expire_reservations")

    from portal.core.scope import EVERYTHING, scoped
    from portal.subscriptions.models import Reservation

    with scoped(EVERYTHING):
        assert [item.state.value for item in db.session.query(Reservation)] == ["expired"]


def test_nothing_is_told_of_a_row_without_a_customer_record(app):
    """A record that went to another organization meanwhile stops no job."""
    (public_id,) = sold("Office Suite")
    update(public_id, customer_id=row(public_id).partner_id)

    after(336)

    assert subjects(SALES) == []
