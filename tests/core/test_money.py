"""Money: typed amounts, sums, and rounding once, half up (R90)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import money
from portal.core.money import Money

minors = st.integers(min_value=0, max_value=money.MOST)


@pytest.mark.parametrize(
    ("typed", "locale", "minor"),
    [
        ("1250", "en", 125000),
        ("1,250.50", "en", 125050),
        ("1250.5", "en", 125050),
        ("1,5", "en", 150),
        ("1,250", "en", 125000),
        ("1 250,50", "fr", 125050),
        ("1\N{NO-BREAK SPACE}250,50", "fr", 125050),
        ("1.250", "fr", 125000),
        ("1,250", "fr", None),  # three decimals of a euro
        ("12'500.00", "en", 1250000),
        ("1.234.567", "fr", 123456700),
        ("0", "en", 0),
        ("-5", "en", None),
        ("five", "en", None),
        ("1.2.3,4,5", "en", None),
        ("1.234.5", "en", None),  # groups have three digits
        ("1.234.5", "fr", None),
        ("1,234,5", "en", None),
        ("12,34.50", "en", None),
        ("1.23,50", "fr", None),
        ("1 23", "fr", None),
        ("1234 567", "fr", None),
        ("1'2345", "en", None),
        ("1 234.567,50", "fr", None),  # one and the same mark between groups
        ("1,234 567", "en", None),
        ("1.234.567,5", "fr", 123456750),
        ("1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567,5", "fr", 123456750),
        ("0,500", "en", None),  # no group begins with a nought, so these are three decimals
        ("1250.", "en", 125000),
        (",5", "fr", 50),
        (".", "en", None),
        ("1e5", "en", None),
        ("٣", "en", None),
        ("9" * 30, "en", None),
        ("", "en", None),
    ],
)
def test_amounts_are_read_as_people_write_them(typed, locale, minor):
    if minor is None:
        with pytest.raises(ValueError):
            money.parse(typed, "EUR", locale)
    else:
        assert money.parse(typed, "EUR", locale) == Money(minor, "EUR")


@pytest.mark.parametrize(("typed", "currency"), [("10,000,000,000,000.01", "EUR"), ("99999999999999", "EUR"), ("1000000000000001", "JPY"), ("9" * 40, "EUR")])
def test_what_is_more_than_can_be_kept_is_known_as_such(typed, currency):
    with pytest.raises(money.TooMuch) as wrong:
        money.parse(typed, currency, "en")
    assert wrong.value.most == money.parse(str(wrong.value.most.amount), currency, "en")


def test_a_currency_has_its_own_decimals():
    assert money.parse("1250", "JPY", "en") == Money(1250, "JPY")
    assert Money(1250, "JPY").amount == Decimal(1250)
    assert Money(1250, "EUR").amount == Decimal("12.50")


@given(minors, st.sampled_from(["EUR", "JPY"]), st.sampled_from(["en", "fr"]))
def test_what_is_shown_in_a_field_is_read_back(minor, currency, locale):
    from babel import numbers

    shown = numbers.format_decimal(Money(minor, currency).amount, locale=locale, decimal_quantization=False)

    assert money.parse(shown, currency, locale) == Money(minor, currency)


@given(minors, minors)
def test_sums_and_differences_are_exact(left, right):
    total = Money(left, "EUR") + Money(right, "EUR")

    assert total - Money(right, "EUR") == Money(left, "EUR")


def test_a_share_is_rounded_once_half_up():
    """R90"""
    assert Money(5, "EUR").times(Decimal("0.5")) == Money(3, "EUR")
    assert Money(-5, "EUR").times(Decimal("0.5")) == Money(-3, "EUR")
    assert Money(100, "EUR").times(Decimal(1) / 3) == Money(33, "EUR")


def test_two_currencies_do_not_add_up():
    with pytest.raises(ValueError):
        Money(1, "EUR") + Money(1, "USD")


def test_the_most_common_currencies_come_first():
    assert money.currencies()[:2] == ("EUR", "USD")
    assert len(set(money.currencies())) == len(money.currencies())
    assert money.currency_of("GB") == "GBP"
