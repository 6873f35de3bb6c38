"""Periods, month ends, leap days, and proration that loses no cent (R84, R90)."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.money import Money
from portal.subscriptions import terms
from portal.subscriptions.terms import Period

days = st.dates(min_value=date(2020, 1, 1), max_value=date(2060, 12, 31))
lengths = st.sampled_from([1, 12, 36])


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 2, date(2026, 3, 31)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
    ],
)
def test_a_month_end_falls_on_the_last_day_of_a_shorter_month(anchor, months, expected):
    """R90"""
    assert terms.add_months(anchor, months) == expected


@given(days, lengths, st.integers(min_value=0, max_value=60))
def test_periods_follow_each_other_without_gap_or_overlap(anchor, months, number):
    assert terms.period(anchor, months, number).end == terms.period(anchor, months, number + 1).start


@given(days, lengths, st.integers(min_value=0, max_value=4000))
def test_every_day_falls_into_its_period(anchor, months, offset):
    day = anchor + timedelta(days=offset)

    assert day in terms.period_of(anchor, months, day)


@given(days, st.sampled_from([12, 36]))
def test_a_term_is_made_of_its_months(anchor, months):
    whole = Period(anchor, terms.add_months(anchor, months))
    parts = list(terms.periods(whole, anchor, 1))

    assert len(parts) == months
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)
    assert all(left.end == right.start for left, right in itertools.pairwise(parts))


@given(st.integers(min_value=0, max_value=10**9), days, st.integers(min_value=1, max_value=400), st.lists(st.integers(min_value=0, max_value=400), max_size=8))
def test_the_parts_of_any_division_add_up_to_the_whole(minor, start, length, cuts):
    """Never a lost cent."""
    whole, over = Money(minor, "EUR"), Period(start, start + timedelta(days=length))
    borders = sorted({0, length, *(cut for cut in cuts if cut < length)})
    parts = [terms.prorated(whole, over, Period(start + timedelta(days=left), start + timedelta(days=right))) for left, right in itertools.pairwise(borders)]

    assert sum(part.minor for part in parts) == minor
    assert all(part.minor >= 0 for part in parts)


@given(st.integers(min_value=0, max_value=10**9), days, st.integers(min_value=1, max_value=400), st.integers(min_value=0, max_value=400))
def test_one_part_is_within_a_cent_of_its_exact_share(minor, start, length, day):
    whole, over = Money(minor, "EUR"), Period(start, start + timedelta(days=length))
    left = terms.rest(over, start + timedelta(days=min(day, length)))

    assert abs(terms.prorated(whole, over, left).minor * length - minor * left.days) <= length


def test_nothing_is_left_of_a_period_that_is_over():
    over = Period(date(2026, 1, 1), date(2026, 2, 1))

    assert terms.prorated(Money(3100, "EUR"), over, terms.rest(over, date(2026, 3, 1))) == Money(0, "EUR")
    assert terms.prorated(Money(3100, "EUR"), over, terms.rest(over, date(2026, 1, 31))) == Money(100, "EUR")
