"""Money: an amount in minor units with its currency; integers, never floats (R90)."""

import functools
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from babel import Locale, numbers
from babel.core import get_global

from portal.core.places import MARKETS

# Groups of three with one and the same mark between them, and another one before the decimals.
_NUMBER = re.compile(
    r"(?=.*\d)(?P<whole>\d*|\d{1,3}(?:(?P<group>[ '.,])\d{3})(?:(?P=group)\d{3})*)(?:(?!(?P=group))(?P<mark>[.,])(?P<decimals>\d*))?", re.ASCII
)
MOST = 10**15  # minor units: what a 64-bit column holds with much to spare


@dataclass(frozen=True, order=False)
class Money:
    """`minor` counts the currency's smallest unit: cents for EUR, yen for JPY, fils for KWD (three digits)."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        return Decimal(self.minor).scaleb(-digits(self.currency))

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def times(self, factor: Decimal | int) -> "Money":
        """Rounded once, half up (R90)."""
        return Money(int((Decimal(self.minor) * factor).to_integral_value(ROUND_HALF_UP)), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency}")
        return other.minor


class TooMuch(ValueError):
    """An amount that no column holds; `most` is the largest that one does."""

    def __init__(self, currency: str) -> None:
        self.most = Money(MOST, currency)
        super().__init__(f"more than {self.most}")


@functools.cache
def digits(currency: str) -> int:
    """Decimal places of a currency."""
    return numbers.get_currency_precision(currency)


def parse(text: str, currency: str, locale: str) -> Money:
    """What a person typed, with the marks of either language: '1 234,50', '1,234.50', '1234.5'. TooMuch, or ValueError for anything else."""
    typed = amount(text, locale)
    minor = typed.scaleb(digits(currency))
    decimals = typed.as_tuple().exponent
    if not isinstance(decimals, int) or -decimals > digits(currency):
        raise ValueError(text)
    if minor > MOST:
        raise TooMuch(currency)
    return Money(int(minor), currency)


def amount(text: str, locale: str) -> Decimal:
    """A typed number: a lone mark that groups nothing separates the decimals, and groups have three digits. ValueError for what is none."""
    plain = re.sub(r"\s", " ", text.strip()).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    found = _NUMBER.fullmatch(plain)
    if found is None or len(plain) > 40:
        raise ValueError(text)
    whole, mark, decimals = (found[part] or "" for part in ("whole", "mark", "decimals"))
    grouping = "," if _decimal_mark(locale) == "." else "."
    if mark == grouping and len(decimals) == 3 and re.fullmatch(r"[1-9]\d{0,2}", whole):  # 1,250 in English
        whole, decimals = whole + decimals, ""
    return Decimal("".join(filter(str.isdecimal, whole)) + ("." + decimals if decimals else ""))


@functools.cache
def _decimal_mark(locale: str) -> str:
    return str(Locale.parse(locale).number_symbols["latn"]["decimal"])


def currency_of(country: str) -> str:
    """The money that a country pays with today."""
    return _currencies().get(country, "EUR")


@functools.cache
def currencies() -> tuple[str, ...]:
    """Currencies of the countries that markets know, the most common first."""
    common = ("EUR", "USD", "GBP", "CHF")
    known = {currency_of(country) for countries in MARKETS.values() for country in countries.split()} | {
        "CAD",
        "AUD",
        "JPY",
        "SEK",
        "PLN",
        "CZK",
        "HUF",
        "RON",
        "BRL",
        "INR",
        "MXN",
    }
    return (*common, *sorted(known - set(common)))


@functools.cache
def _currencies() -> dict[str, str]:
    found = {}
    for country, entries in get_global("territory_currencies").items():
        present = [code for code, _start, end, tender in entries if end is None and tender]
        if present:
            found[country] = present[0]
    return found
