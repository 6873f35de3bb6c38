"""The mail before a reservation ends: to whom, when, and when not (R73, R41, R103)."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal.accounts.models import User, UserState
from portal.core import clock, jobs
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import RelationshipState
from portal.subscriptions import mails_reservations
from portal.subscriptions.models import Order, Reservation, ReservationState
from tests.subscriptions import reserved, rows
from tests.subscriptions.world import ADMIN, SALES
from tests.support import mail, make

AGENT = "agent@atelier-nuage.example"


def after(*days: int) -> None:
    """The job runs twice, so many days on."""
    for number in days:
        with clock.shifted(timedelta(days=number)):
            jobs.run("remind_of_reservations")
            jobs.run("remind_of_reservations")


def told() -> list[Any]:
    """Reminders, in the order in which they were written."""
    return [sent for sent in mail.all_to() if sent.mail.kind == "reservations/ending"]


def ends_in() -> int:
    """How many days the only reservation lasts."""
    return (reserved.everything()[0].ends_on - clock.today()).days


def test_whoever_ordered_it_is_told_30_and_7_days_ahead_each_once(app, people):
    public_id = reserved.reserved(quantity=3)
    last = ends_in()

    after(last - 31)
    assert told() == []
    after(last - 30, last - 29, last - 8)
    assert [sent.mail.recipient for sent in told()] == [SALES]
    after(last - 7, last - 6, last - 1, last, last + 1)
    assert [sent.mail.recipient for sent in told()] == [SALES, SALES]

    text = told()[0].text
    assert "3 × Small server for Maison Tellier ends on" in text
    assert reserved.page(public_id) in text
    assert people(SALES).get(reserved.page(public_id)).status == 200


def test_a_portal_that_was_off_tells_once(app):
    reserved.reserved()

    after(ends_in() - 3)

    assert len(told()) == 1


def test_a_reservation_that_cannot_be_told_of_holds_up_no_other(app, monkeypatch, caplog):
    broken = reserved.row(reserved.reserved("Broken server")).id
    reserved.reserved("Whole server")
    ending, last = mails_reservations.ending, ends_in()

    def fail(reservation, **options):
        if reservation.id == broken:
            raise RuntimeError("no way")
        ending(reservation, **options)

    monkeypatch.setattr(mails_reservations, "ending", fail)
    after(last - 20)
    assert ["Whole server" in sent.text for sent in told()] == [True]

    monkeypatch.undo()
    after(last - 19)
    assert ["Broken server" in sent.text for sent in told()] == [False, True]


@pytest.mark.parametrize("values", [{"state": ReservationState.CANCELLED}, {"state": ReservationState.EXCHANGED}, {"renewed": True}])
def test_nobody_is_told_of_what_was_given_back_or_goes_on(app, values):
    reserved.update(reserved.reserved(), **values)

    after(ends_in() - 20)

    assert told() == []


@pytest.mark.parametrize("state", [RelationshipState.ENDED, RelationshipState.PENDING])
def test_nobody_is_told_where_the_relationship_is_not_active(app, state):
    """R19, R36."""
    reserved.reserved()
    _write(lambda: setattr(rows.tellier(), "state", state))

    after(ends_in() - 20)

    assert told() == []


def test_a_renewal_that_is_taken_back_makes_it_due_again(app):
    public_id = reserved.reserved()
    reserved.update(public_id, renewed=True)
    after(ends_in() - 20)

    reserved.update(public_id, renewed=False)
    after(ends_in() - 19)

    assert len(told()) == 1


def test_when_whoever_ordered_it_has_left_everybody_who_may_order_is_told(app):
    reserved.reserved()
    _write(lambda: db.session.execute(sa.update(User).where(User.email_key == SALES).values(state=UserState.DEACTIVATED)))

    after(ends_in() - 20)

    assert {sent.mail.recipient for sent in told()} == {ADMIN, AGENT}


def test_what_the_customer_bought_or_a_reseller_asked_for_is_told_to_the_partner_alone(app):
    """R41: reservations are open to no reseller."""
    reserved.reserved()
    others = [make.actor(email) for email in (reserved.BUYER, "sales@relais-breton.example")]

    for who, day in zip(others, (20, 5), strict=True):
        _write(lambda who=who: db.session.execute(sa.update(Order).values(author_id=who.user_id)))
        _write(lambda: db.session.execute(sa.update(Reservation).values(reseller_id=others[1].organization_id)))
        after(ends_in() - day)

    assert sorted(sent.mail.recipient for sent in told()) == sorted([ADMIN, AGENT, SALES] * 2)


def _write(what: Any) -> None:
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        what()
        db.session.commit()
    db.session.rollback()
