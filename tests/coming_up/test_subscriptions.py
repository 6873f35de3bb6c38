"""Coming up: subscriptions and reservations that end, expire or renew, and renewing them in one step (R38)."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from portal.coming_up import queries
from portal.core import clock
from portal.core.db import db, writing
from portal.core.lists import ListQuery
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.relationships.models import RelationshipRequest
from portal.subscriptions import service
from portal.subscriptions.models import Reservation
from tests.coming_up.test_coming_up import groups, results
from tests.subscriptions.test_ending_obstacles import reserved
from tests.subscriptions.world import SALES, change, row, sold, tellier, update
from tests.support import make


def in_days(number: int):
    return clock.today() + timedelta(days=number)


@pytest.fixture
def five(app) -> dict[str, str]:
    """One of each kind, by name."""
    ends, trial, suspended, renews = *sold("Ends"), *sold("Trial", trial_days=20), *sold("Suspended"), *sold("Renews")
    for key in (ends, trial):
        change(key, service.set_renewal, auto_renew=False)
    change(suspended, service.suspend, at=clock.now() - timedelta(days=10))
    update(ends, ends_on=in_days(5), turns_on=in_days(5))
    update(renews, ends_on=in_days(40), turns_on=in_days(40))
    reserved("Reserved")
    with writing(), scoped(EVERYTHING):
        db.session.execute(sa.update(Reservation).values(starts_on=in_days(-300), ends_on=in_days(60)))
        db.session.commit()
    return {"Ends": ends, "Trial": trial, "Suspended": suspended, "Renews": renews}


def test_every_kind_stands_in_its_window_and_what_renews_itself_is_set_apart(people, five):
    page = people(SALES).get("/coming-up")

    assert groups(page) == {
        "In the next 7 days": ["Ends"],
        "In 8 to 30 days": ["Trial"],
        "In 31 to 90 days": ["Reserved", "Suspended"],
        "Renews by itself": ["Renews"],
    }
    for words in ("Subscription ends", "Trial ends", "Suspended subscription expires", "Reservation ends", "Maison Tellier"):
        assert words in page.text, words
    assert page.has_link(f"{tellier()}/subscriptions/{five['Ends']}")
    assert [box["value"] for box in page.soup.select("input[name=line]")] == [f"subscription:{five[name]}" for name in ("Ends", "Trial")]


def test_auto_renewal_is_turned_on_in_one_step(people, five):
    """R38"""
    sales = people(SALES)
    page = sales.get("/coming-up")

    page = sales.submit(page, "/coming-up/extension", line=[box["value"] for box in page.soup.select("input[name=line]")])

    assert [line[:2] for line in results(page)] == [["Ends, Maison Tellier", "Done"], ["Trial, Maison Tellier", "Done"]]
    assert (row(five["Ends"]).auto_renew, row(five["Trial"]).auto_renew) == (True, True)
    assert groups(sales.get("/coming-up"))["Renews by itself"] == ["Ends", "Trial", "Renews"]


def test_a_cancellation_that_was_taken_meanwhile_is_refused_line_by_line(people, five):
    update(five["Trial"], cancels=True)
    change(five["Ends"], service.cancel)
    lines = [f"subscription:{five[name]}" for name in ("Ends", "Trial", "Suspended")]

    page = people(SALES).post("/coming-up/extension", {"line": [*lines, "reservation:x"]}, status=200)

    assert [line[1] for line in results(page)] == ["Not done", "Done", "Done", "Not done"]
    assert not row(five["Trial"]).cancels


@pytest.mark.parametrize(("who", "seen", "ticks"), [("billing", True, False), ("helpdesk", True, False), ("users", False, False), ("agent", True, True)])
def test_who_sees_subscriptions_sees_them_and_who_orders_renews_them(people, five, who, seen, ticks):
    visitor = people(f"{who}@atelier-nuage.example")

    page = visitor.get("/coming-up")

    assert ("Ends" in str(groups(page))) == seen
    assert bool(page.soup.select("input[name=line]")) == ticks
    if who == "users":
        page = visitor.post("/coming-up/extension", {"line": f"subscription:{five['Ends']}"}, status=200)
        assert results(page)[0][1] == "Not done"
        assert not row(five["Ends"]).auto_renew


def test_another_partner_sees_and_renews_none_of_them(people, five):
    """R2, S25"""
    stranger = people("admin@studio-cumulus.example")

    assert groups(stranger.get("/coming-up")) == {}
    page = stranger.post("/coming-up/extension", {"line": f"subscription:{five['Ends']}"}, status=200)
    assert results(page) == [["A line that is no longer there", "Not done", "Nothing was done: load the page again."]]
    assert not row(five["Ends"]).auto_renew


@pytest.mark.parametrize("hours", [0, 7])
def test_pages_of_days_and_moments_put_together_are_the_list(people, monkeypatch, hours):
    """Lines that lapse on one day, and at its first moment or later, are neither lost nor repeated."""
    monkeypatch.setattr(queries, "SHOWN", 3)
    at = clock.now()
    keys = sold(*(f"Product {number}" for number in range(5)))
    for number, key in enumerate(keys):
        update(key, auto_renew=False, turns_on=in_days(30 + number % 2))
    for number in range(2):
        reserved(f"Server {number}")
    for number in range(4):
        make.request(f"someone{number}@elsewhere.example", at=at)
    moment = datetime.combine(in_days(30), time(hours), UTC)
    with writing(), scoped(EVERYTHING):
        db.session.execute(sa.update(Reservation).values(ends_on=in_days(30)))
        db.session.execute(sa.update(RelationshipRequest).values(expires_at=moment))
        db.session.commit()
    partner = make.actor(SALES).organization_id

    def page(url):
        with scoped(Scope(partner_id=partner)):
            query = ListQuery.parse("/coming-up", dict(parse_qsl(urlsplit(url).query)), sorts=["soonest"], filters={})
            return queries.coming_up(query, at=at, days=90).lapsing

    forward, url = [], "/coming-up"
    while url:
        last = page(url)
        forward += [line.key for line in last.rows]
        url = last.next_url
    backward, shown = [line.key for line in last.rows], last
    while shown.previous_url:
        shown = page(shown.previous_url)
        backward = [line.key for line in shown.rows] + backward

    assert len(forward) == len(set(forward)) == 11
    assert backward == forward
