"""Periods and proration: contract dates are dates, a month end falls on the last day of a shorter month (R84, R90)."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from portal.core.money import Money


@dataclass(frozen=True)
class Period:
    """From `start`, up to and without `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day < self.end


def add_months(anchor: date, months: int) -> date:
    """The anniversary `months` after `anchor`; counted from the anchor, so that 31 January comes back to 31 March by way of 28 February."""
    years, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month + 1
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


def period(anchor: date, months: int, number: int) -> Period:
    """The period of that number (from 0), each `months` long, counted from `anchor`."""
    return Period(add_months(anchor, months * number), add_months(anchor, months * (number + 1)))


def period_of(anchor: date, months: int, day: date) -> Period:
    """The period that this day falls into; the first one for a day before the anchor."""
    apart = (day.year - anchor.year) * 12 + day.month - anchor.month
    number = max(0, apart // months)
    if number and day < add_months(anchor, months * number):
        number -= 1
    return period(anchor, months, number)


def periods(whole: Period, anchor: date, months: int) -> Iterator[Period]:
    """The billing periods that a term is made of."""
    at = whole.start
    while at < whole.end:
        present = period_of(anchor, months, at)
        yield Period(at, min(present.end, whole.end))
        at = present.end


def prorated(whole: Money, over: Period, part: Period) -> Money:
    """What of `whole`, due for `over`, falls into `part`, by day.

    Rounded at the borders of parts, half up: the parts of any division add up to the whole, and no cent is lost (R84).
    """
    return Money(_until(whole, over, part.end) - _until(whole, over, part.start), whole.currency)


def rest(over: Period, day: date) -> Period:
    """What is left of a period from this day on."""
    return Period(min(max(day, over.start), over.end), over.end)


def _until(whole: Money, over: Period, day: date) -> int:
    gone = (min(max(day, over.start), over.end) - over.start).days
    return int((Decimal(whole.minor) * gone / over.days).to_integral_value(ROUND_HALF_UP))
