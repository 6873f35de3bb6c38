"""A partner's own figures, and its responsiveness in the directory (R57)."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from portal.core import clock
from portal.core.db import db, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads import figures
from portal.leads.figures import MIDDLE, Waiting, months_until, score
from portal.leads.models import ANSWER_WITHIN, Lead, LeadState
from tests.relationships import rows
from tests.support import make

SALES, CUMULUS = "sales@atelier-nuage.example", "admin@studio-cumulus.example"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def lead(days_ago, answered_after=None, state="received", *, value=None, currency="EUR", closed_days_ago=0.0, at=None, **details):
    """A lead as it stands long after."""
    at = at or clock.now()
    made = rows.fresh(make.lead(at=at - timedelta(days=days_ago), **details))
    changes = {"state": LeadState(state), "state_at": at - timedelta(days=closed_days_ago)}
    if answered_after is not None:
        changes["answered_at"] = made.received_at + timedelta(hours=answered_after)
    if value is not None:
        changes |= {"value_minor": value, "currency": currency}
    with writing(), scoped(EVERYTHING):
        db.session.execute(sa.update(Lead).where(Lead.id == made.id).values(**changes).execution_options(synchronize_session=False))
        db.session.commit()
    return made


def shown(zone=PARIS):
    db.session.rollback()
    with scoped(Scope(partner_id=make.organization("atelier-nuage.example").id)):
        return figures.figures(at=clock.now(), zone=zone)


def responsive(partner="atelier-nuage.example"):
    db.session.rollback()
    return figures.responsiveness(make.organization(partner).id, clock.now())


# --- the page


def test_median_and_share_are_of_the_last_180_days(app):
    lead(181, 1, "accepted")
    for hours in (2, 10, 50):
        lead(40, hours, "accepted")
    lead(30, state="expired")

    response = shown().response

    assert response.leads == 4
    assert (response.in_time, response.percent) == (3, 75)
    assert response.median == timedelta(hours=10)


def test_with_very_many_leads_the_counts_stay_exact(app, monkeypatch):
    """Medians are then of some of them, over all months."""
    monkeypatch.setattr(figures, "SAMPLE", 5)
    for days in range(1, 160, 8):
        lead(days, 6, "accepted")

    measured = shown()

    assert (measured.response.leads, measured.response.in_time) == (20, 20)
    assert sum(month.leads for month in measured.by_month) == 20
    assert measured.response.median == timedelta(hours=6)
    assert sum(month.median is not None for month in measured.by_month) > 2


def test_the_funnel_counts_who_came_so_far(app):
    for state in ("received", "accepted", "accepted", "won", "lost", "declined", "expired"):
        lead(20, 5 if state not in ("received", "expired") else None, state)

    assert shown().funnel == {"received": 7, "accepted": 4, "won": 1, "converted": 0, "declined": 1, "expired": 1, "lost": 1}


def test_the_value_won_is_summed_by_month_and_currency(app):
    """Exact, and never added across currencies (R90)."""
    lead(60, 1, "won", value=100_050, closed_days_ago=0)
    lead(60, 1, "won", value=50, closed_days_ago=0)
    lead(60, 1, "won", value=7_000, currency="CHF", closed_days_ago=0)
    lead(600, 1, "won", value=99, closed_days_ago=500)
    lead(60, 1, "lost", value=1_000_000)

    won = shown().won

    assert list(won) == ["EUR", "CHF"]
    assert len(won["EUR"]) == 12
    assert (won["EUR"][-1].leads, won["EUR"][-1].value) == (2, Money(100_100, "EUR"))
    assert sum(month.value.minor for month in won["EUR"]) == 100_100


def test_months_are_those_of_the_reader(app):
    """R100: what is won at half past midnight in Paris is won in the new month there."""
    starts = months_until(datetime(2026, 10, 31, 23, 30, tzinfo=UTC), 3, PARIS)

    assert [(start.month, start.day, start.hour) for start in starts] == [(9, 1, 0), (10, 1, 0), (11, 1, 0)]
    assert [start.month for start in months_until(datetime(2026, 1, 15, tzinfo=UTC), 12, PARIS)] == [*range(2, 13), 1]


def test_the_charts_are_tables(people):
    """Who cannot see the bars reads the numbers; no inline style (CSP)."""
    lead(20, 5, "won", value=120_000)

    page = people(SALES).get("/leads/figures")

    tables = page.soup.select("table.chart")
    assert [table.caption.get_text() for table in tables] == [
        "From lead to customer",
        "Median response time by month",
        "Answered within 14 days by month",
        "Value won by month, in EUR",
    ]
    assert all(row.th and row.td.get_text(strip=True) for table in tables for row in table.select("tbody tr"))
    assert all(bar.get("aria-hidden") == "true" for bar in page.soup.select(".chart svg"))
    assert "€1,200.00" in page.text
    assert "5 hours" in page.text


def test_without_leads_the_page_says_what_will_be_there(people):
    assert "No leads yet" in people(SALES).get("/leads/figures").text


def test_the_csv_says_the_same(people):
    lead(20, 5, "won", value=120_000)
    response = people(SALES).get("/leads/figures/export").response

    lines = list(csv.reader(io.StringIO(response.get_data(as_text=True).lstrip("\ufeff"))))

    assert lines[0] == ["Figure", "Month", "Currency", "Value"]
    assert ["leads_received", "", "", "1"] in lines
    assert ["median_response_minutes", "", "", "300"] in lines
    assert ["won_value", f"{clock.now().astimezone(PARIS):%Y-%m}", "EUR", "1200.00"] in lines


def test_nobody_elses_leads_count(people):
    """R2"""
    lead(20, 5, "won", value=120_000, owner="studio-cumulus.example")

    assert "No leads yet" in people(SALES).get("/leads/figures").text
    assert "1,200" in people(CUMULUS).get("/leads/figures").text


# --- responsiveness


def test_without_leads_it_is_the_middle(app):
    """R57"""
    assert responsive() == MIDDLE == score([])


def test_own_leads_count_nothing(app):
    """Nobody raises itself by entering and accepting leads."""
    for _ in range(5):
        lead(20, 0, "accepted", source="sales_qualified", by=SALES)

    assert responsive() == MIDDLE


def test_referred_leads_count_like_inquiries(app):
    lead(20, 1, "accepted", source="sales_qualified", by=CUMULUS, referrer="studio-cumulus.example")

    assert responsive() > MIDDLE


def test_who_answers_sooner_or_more_stands_higher(app):
    for days, owner in ((0.1, "atelier-nuage.example"), (5, "studio-cumulus.example")):
        for _ in range(3):
            lead(60, days * 24, "accepted", owner=owner)
            lead(60, days * 24, "declined", owner=owner)
    lead(60, state="expired", owner="relais-breton.example")

    assert 1000 >= responsive() > responsive("studio-cumulus.example") > MIDDLE > responsive("relais-breton.example") >= 0


def test_all_at_once_is_the_same_as_one_by_one(app):
    lead(60, 30, "accepted")
    lead(50, 3, "declined")
    lead(60, 100, "accepted", owner="studio-cumulus.example")
    lead(3, owner="relais-breton.example")
    db.session.rollback()

    assert figures.responsiveness_of_all(clock.now()).keys() == {
        make.organization(f"{name}.example").id for name in ("atelier-nuage", "studio-cumulus", "relais-breton")
    }
    for partner_id, number in figures.responsiveness_of_all(at := clock.now()).items():
        assert figures.responsiveness(partner_id, at) == number


MINUTES = st.integers(0, 14 * 24 * 60)
ASKED = st.lists(st.tuples(st.integers(0, 180 * 24 * 60), st.none() | MINUTES), max_size=30)


def waiting(received_minutes_ago, answered_after):
    received = AT - timedelta(minutes=received_minutes_ago)
    answered = received + timedelta(minutes=answered_after) if answered_after is not None and answered_after <= received_minutes_ago else None
    return Waiting(received, answered, AT)


@given(ASKED)
def test_it_stays_in_its_bounds(asked):
    assert 0 <= score([waiting(*one) for one in asked]) <= 1000


@given(ASKED.filter(bool), st.data())
def test_answering_sooner_never_lowers_it(asked, data):
    """R57: the same leads, one of them answered earlier, or at all."""
    before = [waiting(*one) for one in asked]
    chosen = data.draw(st.integers(0, len(before) - 1))
    sooner = data.draw(st.integers(0, int(before[chosen].time.total_seconds() // 60)))
    after = list(before)
    after[chosen] = Waiting(before[chosen].received_at, before[chosen].received_at + timedelta(minutes=sooner), AT)

    assert score(after) >= score(before)


@given(ASKED, st.integers(0, 180 * 24 * 60))
def test_time_that_passes_without_an_answer_never_raises_it(asked, minutes):
    later = AT + timedelta(minutes=minutes)
    now = [waiting(*one) for one in asked]
    then = [Waiting(one.received_at, one.answered_at, later) for one in now]

    assert score(then) <= score(now)


@pytest.mark.parametrize(("days", "answered"), [(14, False), (13.99, True), (400, False)])
def test_fourteen_days_are_the_most(days, answered):
    """R54"""
    waited = Waiting(AT - timedelta(days=days), None, AT)

    assert (waited.time < ANSWER_WITHIN) is answered
    assert waited.time <= ANSWER_WITHIN
