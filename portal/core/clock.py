"""now() and today(): the only place that reads the time, so that tests and the demo can move it."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta

_offset: ContextVar[timedelta | None] = ContextVar("clock_offset", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    moment = datetime.now(UTC)
    offset = _offset.get()
    return moment + offset if offset else moment


def today() -> date:
    return now().date()


@contextlib.contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Inside, the clock runs ahead (or behind) by this much: for tests and for the demo world's past."""
    token = _offset.set((_offset.get() or timedelta()) + by)
    try:
        yield
    finally:
        _offset.reset(token)
