"""Rate limits that survive restarts and are shared by all processes: in our database, or in Redis when there is one (S10, S11)."""

import ipaddress
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import Settings
from portal.core import clock
from portal.core.crypto import keyed_digest
from portal.core.db import Base, db, writing
from portal.core.errors import TooMany

log = logging.getLogger(__name__)


class ThrottleCount(Base):
    """How often something was done in the window that ends at `expires_at` (seconds since the epoch)."""

    __tablename__ = "throttle_count"

    key: Mapped[str] = mapped_column(sa.Unicode(200), unique=True)
    count: Mapped[int]
    expires_at: Mapped[float] = mapped_column(index=True)


@dataclass(frozen=True)
class Limit:
    """`rate` such as "10/15 minutes"; `light` counts stay in memory: for reads, where a write would cost more than the work."""

    name: str
    rate: str
    light: bool = False

    @property
    def item(self) -> RateLimitItem:
        return _parsed(self.rate)


SIGN_IN_ACCOUNT = Limit("sign-in-account", "10/15 minutes")
SIGN_IN_ADDRESS = Limit("sign-in-address", "40/15 minutes")
RESET = Limit("reset", "5/hour")
RESET_ADDRESS = Limit("reset-address", "30/hour")
CODE = Limit("code", "6/hour")
CODE_ADDRESS = Limit("code-address", "40/hour")
LINK_ADDRESS = Limit("link-address", "240/hour")
INVITATIONS = Limit("invitations", "300/hour")
EXPORTS = Limit("exports", "60/hour")
IMPORTS = Limit("imports", "60/hour")
INQUIRY = Limit("inquiry", "6/day")
INQUIRY_ADDRESS = Limit("inquiry-address", "20/hour")
DOMAIN_PROBES = Limit("domain-probes", "60/hour")
SEARCH = Limit("search", "1200/minute", light=True)


class DatabaseStorage(Storage):  # type: ignore[misc]
    """Counters of the `limits` library in one table; each count is a short transaction of its own.

    A count that ends later than any window can was made while the clock ran ahead: it is over.
    """

    LONGEST = 25 * 60 * 60  # seconds: no window lasts so long

    STORAGE_SCHEME = ["portal"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)

    @property
    def base_exceptions(self) -> type[Exception]:
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now().timestamp()
        insert = _upsert_for(db.engine.dialect.name)(ThrottleCount).values(key=key, count=amount, expires_at=now + expiry)
        lapsed = sa.or_(ThrottleCount.expires_at <= now, ThrottleCount.expires_at > now + self.LONGEST)
        statement = insert.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": sa.case((lapsed, amount), else_=ThrottleCount.count + amount),
                "expires_at": sa.case((lapsed, now + expiry), else_=ThrottleCount.expires_at),
            },
        ).returning(ThrottleCount.count)
        with writing(), db.engine.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def get(self, key: str) -> int:
        return int(self._row(key)[0])

    def get_expiry(self, key: str) -> float:
        return float(self._row(key)[1])

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with writing(), db.engine.begin() as connection:
            return int(connection.execute(sa.delete(ThrottleCount)).rowcount)

    def clear(self, key: str) -> None:
        with writing(), db.engine.begin() as connection:
            connection.execute(sa.delete(ThrottleCount).where(ThrottleCount.key == key))

    def _row(self, key: str) -> tuple[int, float]:
        now = clock.now().timestamp()
        lives = ThrottleCount.expires_at.between(now, now + self.LONGEST)
        statement = sa.select(ThrottleCount.count, ThrottleCount.expires_at).where(ThrottleCount.key == key, lives)
        with db.engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return (row[0], row[1]) if row else (0, now)


class WithSpare:
    """A limiter over Redis, and over the database while Redis does not answer: limits hold all the same, counted anew."""

    REST = 20  # seconds before Redis is asked again

    def __init__(self, first: Storage, spare: Storage) -> None:
        self.first, self.spare = FixedWindowRateLimiter(first), FixedWindowRateLimiter(spare)
        self.failures: Any = first.base_exceptions
        self.rests_until = 0.0

    def __getattr__(self, question: str) -> Callable[..., Any]:
        return partial(self._ask, question)

    def _ask(self, question: str, *arguments: Any, **options: Any) -> Any:
        if time.monotonic() >= self.rests_until:
            try:
                answer = getattr(self.first, question)(*arguments, **options)
                self.rests_until = 0.0
                return answer
            except self.failures as error:
                if not self.rests_until:
                    log.warning("Redis does not answer (%s); limits are counted in the database", type(error).__name__)
                self.rests_until = time.monotonic() + self.REST
        return getattr(self.spare, question)(*arguments, **options)


def init_app(app: Flask, settings: Settings) -> None:
    durable: Any = FixedWindowRateLimiter(DatabaseStorage())
    if settings.redis_url:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        patience: Any = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 1)}
        redis: Any = storage_from_string(settings.redis_url, **patience)
        durable = WithSpare(redis, DatabaseStorage())
    app.extensions["throttle"] = {False: durable, True: FixedWindowRateLimiter(MemoryStorage())}


def visitor() -> str:
    """Where this request comes from, as limits count it: the address, or of IPv6 the /64 within which one line or machine has all addresses."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return str(request.remote_addr)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))


def hit(limit: Limit, key: object, *, times: int = 1) -> None:
    """Count one, or as many as a bulk action does; TooMany when that is too much. The key is stored only as a digest."""
    if not _limiter(limit).hit(limit.item, limit.name, _hidden(key), cost=times):
        raise TooMany(_wait(limit, key))


def check(limit: Limit, key: object) -> None:
    """Raise TooMany when the limit is used up, without counting."""
    if not _limiter(limit).test(limit.item, limit.name, _hidden(key)):
        raise TooMany(_wait(limit, key))


def give_back(limit: Limit, key: object) -> None:
    """Take one off the count: what was counted turned out well."""
    _limiter(limit).hit(limit.item, limit.name, _hidden(key), cost=-1)


def forgive(limit: Limit, key: object) -> None:
    """Forget the count: the right answer was given."""
    _limiter(limit).clear(limit.item, limit.name, _hidden(key))


def sweep() -> int:
    """Delete counts whose window is over."""
    now = clock.now().timestamp()
    with writing(), db.engine.begin() as connection:
        return int(connection.execute(sa.delete(ThrottleCount).where(~ThrottleCount.expires_at.between(now, now + DatabaseStorage.LONGEST))).rowcount)


def _wait(limit: Limit, key: object) -> int:
    reset = _limiter(limit).get_window_stats(limit.item, limit.name, _hidden(key)).reset_time
    return int(reset - (time.time() if limit.light else clock.now().timestamp())) + 1


def _limiter(limit: Limit) -> Any:
    return current_app.extensions["throttle"][limit.light]


def _hidden(key: object) -> str:
    return keyed_digest("throttle", str(key))[:32]


_cache: dict[str, RateLimitItem] = {}


def _parsed(rate: str) -> RateLimitItem:
    if rate not in _cache:
        _cache[rate] = parse(re.sub(r"/(\d)", r" per \1", rate))
    return _cache[rate]


def _upsert_for(dialect: str) -> Callable[..., Any]:
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    return insert
