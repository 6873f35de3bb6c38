"""A partner's own figures of its leads, and how responsive it is in the eyes of the directory (R57)."""

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from portal.core.db import db
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads.models import ANSWER_WITHIN, Lead, LeadSource, LeadState

PERIOD = timedelta(days=180)
MONTHS = 12
SAMPLE = 5000  # leads whose waiting times stand for all where there are more
MIDDLE = 500  # the responsiveness of a partner that nobody has asked yet
WEIGHT = 4  # how many leads the middle counts for, so that one quick answer is not yet a reputation
_AGREED = (LeadState.ACCEPTED, LeadState.WON, LeadState.LOST)
_FROM_OTHERS = sa.or_(Lead.source == LeadSource.INQUIRY, Lead.referrer_id.is_not(None))


@dataclass(frozen=True)
class Waiting:
    """How long one lead waited for its answer, or waits already."""

    received_at: datetime
    answered_at: datetime | None
    at: datetime

    @property
    def time(self) -> timedelta:
        """Never more than the 14 days after which nobody waits any longer (R54)."""
        return min(max((self.answered_at or self.at) - self.received_at, timedelta()), ANSWER_WITHIN)


@dataclass(frozen=True)
class Response:
    """Answers to the leads that others sent in one period, a month or all of it; `median` is None where nobody sent any."""

    month: datetime | None
    leads: int
    median: timedelta | None
    in_time: int

    @property
    def percent(self) -> int:
        return percent(self.in_time, self.leads)


@dataclass(frozen=True)
class Won:
    """What was won in one month in one currency."""

    month: datetime
    leads: int
    value: Money


@dataclass(frozen=True)
class Figures:
    """All of the figures page: the last 180 days, and the won value of the last 12 months by currency."""

    funnel: dict[str, int]
    response: Response
    by_month: list[Response]
    won: dict[str, list[Won]]


def figures(*, at: datetime, zone: ZoneInfo) -> Figures:
    """Of the partner in scope. Months are those of the reader's time zone."""
    since = at - PERIOD
    months = months_until(at, MONTHS, zone)
    whole, by_month = _responses(at, since, months[bisect.bisect_right(months, since) - 1 :])
    return Figures(_funnel(since), whole, by_month, _won(at, zone))


def months_until(at: datetime, number: int, zone: ZoneInfo) -> list[datetime]:
    """Beginnings of the last months, the oldest first, the present one last."""
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = [first]
    while len(starts) < number:
        starts.append((starts[-1] - timedelta(days=1)).replace(day=1))
    return starts[::-1]


def percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


def responsiveness(partner_id: int, at: datetime) -> int:
    """From 0 to 1000: how promptly a partner answers, by the leads that others sent it in the last 180 days (R57).

    Each lead has a waiting time: until it was accepted or declined, else until now, at most 14 days. With the median of these and
    the share of those below 14 days, `score = 500 × share + 500 × (1 − √(median / 14 days))`; the root makes the first hours count
    most. The result is the mean of that score and the middle value 500, weighted by the number of leads and by 4: without leads it
    is 500. Answering sooner, or more, shortens waiting times and so never lowers it. What a partner entered itself counts nothing.
    """
    with scoped(Scope(partner_id=partner_id)):
        rows = db.session.execute(_asked(at - PERIOD).limit(SAMPLE))
        return score(Waiting(received, answered, at) for _partner, received, answered in rows)


def responsiveness_of_all(at: datetime) -> dict[int, int]:
    """The same for every partner that was sent a lead, in one statement, a partner at a time in memory; all others have MIDDLE."""
    with scoped(EVERYTHING):
        rows = db.session.execute(_asked(at - PERIOD).execution_options(yield_per=1000))
        return {
            partner_id: score(Waiting(received, answered, at) for _partner, received, answered in itertools.islice(leads, SAMPLE))
            for partner_id, leads in itertools.groupby(rows, key=lambda row: row[0])
        }


def score(waitings: Iterable[Waiting]) -> int:
    """The formula of `responsiveness`."""
    times = [waiting.time for waiting in waitings]
    if not times:
        return MIDDLE
    answered, quick = sum(time < ANSWER_WITHIN for time in times) / len(times), 1 - math.sqrt(median_low(times) / ANSWER_WITHIN)
    return round(((500 * answered + 500 * quick) * len(times) + MIDDLE * WEIGHT) / (len(times) + WEIGHT))


def table(shown: Figures) -> Iterator[tuple[Any, ...]]:
    """The figures as lines for a CSV: figure, month, currency, value. Times are minutes, shares percent."""
    for stage, number in shown.funnel.items():
        yield f"leads_{stage}", "", "", number
    for response in (shown.response, *shown.by_month):
        month = f"{response.month:%Y-%m}" if response.month else ""
        yield "leads_from_others", month, "", response.leads
        yield "answered_in_time_percent", month, "", response.percent if response.leads else ""
        yield "median_response_minutes", month, "", "" if response.median is None else int(response.median.total_seconds() // 60)
    for currency, months in shown.won.items():
        for won in months:
            yield "won_leads", f"{won.month:%Y-%m}", currency, won.leads
            yield "won_value", f"{won.month:%Y-%m}", currency, won.value.amount


def _asked(since: datetime) -> Any:
    """Leads that somebody else sent, and may wait for: the newest first."""
    statement = sa.select(Lead.partner_id, Lead.received_at, Lead.answered_at).where(Lead.received_at >= since, _FROM_OTHERS)
    return statement.order_by(Lead.partner_id.desc(), Lead.received_at.desc())


def _responses(at: datetime, since: datetime, months: list[datetime]) -> tuple[Response, list[Response]]:
    """Of the whole period and of each month: counts are exact, medians of every so many-th lead where there are very many."""
    in_time = sa.or_(Lead.answered_at < Lead.due_at, sa.and_(Lead.answered_at.is_(None), Lead.due_at > at))
    asked = (
        sa.select(_month(Lead.received_at, months), sa.case((in_time, 1), else_=0).label("in_time")).where(Lead.received_at >= since, _FROM_OTHERS).subquery()
    )
    statement = sa.select(asked.c.month, sa.func.count(), sa.func.sum(asked.c.in_time)).group_by(asked.c.month)
    counts = {month: (number, int(good)) for month, number, good in db.session.execute(statement)}
    total = sum(number for number, _good in counts.values())
    sample = _asked(since).where(Lead.id % (total // SAMPLE + 1) == 0) if total > SAMPLE else _asked(since)
    times: dict[int, list[timedelta]] = {index: [] for index in range(len(months))}
    for _partner, received, answered in db.session.execute(sample):
        times[bisect.bisect_right(months, received) - 1].append(Waiting(received, answered, at).time)
    by_month = [Response(month, *_rated(counts.get(index, (0, 0)), times[index])) for index, month in enumerate(months)]
    whole = (total, sum(good for _number, good in counts.values()))
    return Response(None, *_rated(whole, [time for some in times.values() for time in some])), by_month


def _rated(counted: tuple[int, int], times: list[timedelta]) -> tuple[int, timedelta | None, int]:
    return counted[0], median_low(times) if times else None, counted[1]


def _month(column: Any, months: list[datetime]) -> Any:
    """Which of the months a moment falls into, by its place in the list."""
    return sa.case(*[(column >= start, index) for index, start in reversed(list(enumerate(months)))]).label("month")


def _funnel(since: datetime) -> dict[str, int]:
    """How far the leads of the period came, from received to converted, and what left on the way."""
    statement = sa.select(Lead.state, sa.func.count(), sa.func.count(Lead.converted_at)).where(Lead.received_at >= since).group_by(Lead.state)
    rows = db.session.execute(statement).all()
    number = Counter({state: count for state, count, _converted in rows})
    return {
        "received": number.total(),
        "accepted": sum(number[state] for state in _AGREED),
        "won": number[LeadState.WON],
        "converted": sum(converted for _state, _count, converted in rows),
        "declined": number[LeadState.DECLINED],
        "expired": number[LeadState.EXPIRED],
        "lost": number[LeadState.LOST],
    }


def _won(at: datetime, zone: ZoneInfo) -> dict[str, list[Won]]:
    """By currency, the most frequent one first: each of the months, also those without any."""
    months = months_until(at, MONTHS, zone)
    won = sa.select(_month(Lead.state_at, months), Lead.currency, Lead.value_minor).where(
        Lead.state == LeadState.WON, Lead.state_at >= months[0], Lead.value_minor.is_not(None)
    )
    sums = won.subquery()
    statement = sa.select(sums.c.month, sums.c.currency, sa.func.count(), sa.func.sum(sums.c.value_minor)).group_by(sums.c.month, sums.c.currency)
    found = {(currency, index): (count, int(value)) for index, currency, count, value in db.session.execute(statement)}
    leads: Counter[str] = Counter()
    for (currency, _index), (count, _value) in found.items():
        leads[currency] += count
    return {
        currency: [Won(start, *_counted(found.get((currency, index), (0, 0)), currency)) for index, start in enumerate(months)]
        for currency, _number in sorted(leads.items(), key=lambda item: (-item[1], item[0]))
    }


def _counted(found: tuple[int, int], currency: str) -> tuple[int, Money]:
    return found[0], Money(found[1], currency)
