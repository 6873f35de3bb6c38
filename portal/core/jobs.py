"""The huey instance, @every and @job: work outside requests, embedded or in `portal worker`.

A task is gone once claimed, so what must happen is a row (of the outbox, of a lifecycle) and a task only says "look".
Every job may run twice at once without harm; it therefore needs no leader.
"""

import contextlib
import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app, has_app_context
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

from portal.config import Settings
from portal.core.db import attempt, db, writing

log = logging.getLogger(__name__)
WorkT = TypeVar("WorkT", bound=Callable[[], Any])
AT_ONCE = 1000  # rows that a job does in one transaction
MOST_FAILURES = 1000  # of one run: after so many the fault is hardly theirs, and the log has told enough


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    minutes: int | None


_jobs: dict[str, _Job] = {}
stopping = threading.Event()  # set when this process is about to end: long work stops at its next step


def job(work: WorkT) -> WorkT:
    """Something that `wake()` can ask for."""
    _jobs[work.__name__] = _Job(work, None)
    return work


def every(minutes: int) -> Callable[[WorkT], WorkT]:
    """Runs by itself, every so many minutes (a divisor of 60, or a multiple of it)."""

    def register(work: WorkT) -> WorkT:
        _jobs[work.__name__] = _Job(work, minutes)
        return work

    return register


def init_app(app: Flask, settings: Settings) -> None:
    huey = _make_huey(settings)
    for name, entry in _jobs.items():
        huey.task(name=name)(_task(app, name))
        if entry.minutes:
            huey.periodic_task(_schedule(entry.minutes), name=f"every_{name}")(_task(app, name))
    app.extensions["jobs"] = huey


def run(name: str) -> Any:
    """Do the work of one job now, in a transaction of its own."""
    with writing():
        try:
            result = _jobs[name].work()
            db.session.commit()
            return result
        except Exception:
            db.session.rollback()
            raise
        finally:
            db.session.remove()


def each(due: sa.Select, work: Callable[[Any], None]) -> list[Any]:
    """Do the work with the rows that are due, in their order, each undone alone when it fails; returns those that are done.

    Work must make its row no longer due. One that fails stays due for the next run and holds up none of those behind it.
    """
    done: list[Any] = []
    failed = 0
    locked = due.with_for_update(of=due.column_descriptions[0]["entity"], skip_locked=True)
    while len(done) < AT_ONCE and failed < MOST_FAILURES:
        # Those that failed are still the first ones due.
        rows = db.session.scalars(locked.offset(failed).limit(AT_ONCE - len(done))).all()
        if not rows:
            break
        for row in rows:
            before = len(done)
            with alone(f"{type(row).__name__} {getattr(row, 'public_id', row.id)}"):
                work(row)
                db.session.flush()
                done.append(row)
            failed += len(done) == before
    return done


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """A piece of a job's work: when it fails it is undone, the log tells which one it was, and the job goes on."""
    try:
        with attempt():
            yield
    except sa.exc.OperationalError:  # the database does not answer: no fault of this piece
        raise
    except Exception:
        log.exception("%s failed and is left as it was; it is tried again on the job's schedule", what)


def names() -> list[str]:
    return sorted(_jobs)


def wake(name: str) -> None:
    """Ask for a job soon. When the queue cannot be reached the schedule does it within a minute."""
    if not has_app_context() or current_app.config.get("JOBS_MUTED"):
        return
    huey: Huey = current_app.extensions["jobs"]
    try:
        huey.enqueue(huey._registry.string_to_task(f"{__name__}.{name}")())
    except Exception:
        log.warning("the job queue cannot be reached; %s waits for its schedule", name)


class Runner:
    """A consumer in threads of this process, while this process holds the installation's lock on this machine."""

    def __init__(self, app: Flask, lock: Path) -> None:
        self.huey: Huey = app.extensions["jobs"]
        self.lock = lock
        self.consumer: Consumer | None = None

    def start(self) -> None:
        threading.Thread(target=self._hold, name="jobs", daemon=True).start()

    def stop(self) -> None:
        """Let the work in hand come to its next step: a message on its way is marked as sent."""
        stopping.set()
        if self.consumer is not None:
            self.consumer.stop()

    def _hold(self) -> None:
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        with self.lock.open("w") as file:
            while not _locked(file):
                if stopping.wait(2):
                    return
            self.consumer = _QuietConsumer(self.huey, workers=1, **_CONSUMER)
            self.consumer.start()
            while not stopping.wait(5):
                self.consumer.check_worker_health()


_CONSUMER: dict[str, Any] = {"periodic": True, "max_delay": 1.0, "backoff": 1.3, "shutdown_timeout": 12}


class _Consumer(Consumer):  # type: ignore[misc]
    """Ends gracefully whatever the signal."""

    def stop(self, graceful: bool = False) -> None:
        stopping.set()
        super().stop(graceful=True)


class _QuietConsumer(_Consumer):
    """Leaves the process's signals to the web server."""

    def _set_signal_handlers(self) -> None:
        pass


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def work_forever(app: Flask, workers: int = 2) -> None:
    """`portal worker`: a job runner of its own."""
    _Consumer(app.extensions["jobs"], workers=workers, **_CONSUMER).run()


def _task(app: Flask, name: str) -> Callable[[], None]:
    def work() -> None:
        with app.app_context():
            try:
                run(name)
            except Exception:
                log.exception("job %s failed; it is tried again on its schedule", name)

    work.__name__ = name
    work.__module__ = __name__
    return work


def _schedule(minutes: int) -> Any:
    if minutes < 60:
        return crontab(minute=f"*/{minutes}")
    return crontab(minute="7", hour=f"*/{minutes // 60}")


def _make_huey(settings: Settings) -> Huey:
    common: dict[str, Any] = {"name": "portal", "results": False, "serializer": SignedSerializer(secret=settings.secret_key)}
    if settings.redis_url:
        return RedisHuey(url=settings.redis_url, **common)
    if settings.sqlite:
        settings.instance.mkdir(parents=True, exist_ok=True)
        return SqliteHuey(filename=str(settings.instance / "jobs.sqlite3"), **common)
    dsn = settings.database_url.replace("postgresql+psycopg://", "postgresql://")
    return PostgresHuey(dsn=dsn, create_tables=False, **common)


def make_tables(app: Flask) -> None:
    """The queue's own tables, where it lies in PostgreSQL: with the migrations, so that processes that start together need not."""
    huey: Huey = app.extensions["jobs"]
    if isinstance(huey, PostgresHuey):
        huey.storage.initialize_schema()


@every(minutes=1)
def deliver_mail() -> None:
    """Send what is due in the outbox."""
    from portal.core import delivery

    delivery.deliver()


@every(minutes=60)
def sweep_counts() -> None:
    """Forget rate-limit counts whose window is over."""
    from portal.core import throttle

    db.session.rollback()
    throttle.sweep()
