"""Keys, times, versions, transactions."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError

from portal.accounts.models import Organization, User
from portal.core import clock
from portal.core.db import UtcDateTime, attempt, db, find, sort_key, uuid7, writing
from portal.core.errors import NotFound
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from tests.support import make


def scratch(*columns):
    """A table of the test's own."""
    table = sa.Table("scratch", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)
    with writing():
        db.session.rollback()
        table.create(db.session.connection())
        db.session.commit()
    return table


# --- keys


def test_keys_sort_by_their_time_of_creation(monkeypatch):
    moments = iter(range(1_700_000_000_000, 1_700_000_000_100))
    monkeypatch.setattr("portal.core.db.time.time_ns", lambda: next(moments) * 1_000_000)
    keys = [uuid7() for _ in range(100)]

    assert keys == sorted(keys)
    assert len(set(keys)) == 100
    assert {key.version for key in keys} == {7}
    assert {key.variant for key in keys} == {"specified in RFC 4122"}


def test_keys_made_in_the_same_moment_differ():
    assert len({uuid7() for _ in range(10_000)}) == 10_000


# --- times


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC),
        datetime(2026, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(1999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-11, minutes=-30))),
    ],
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(app, moment):
    """R100"""
    table = scratch(sa.Column("at", UtcDateTime()))
    with writing():
        db.session.execute(table.insert().values(at=moment))
        db.session.commit()

    found = db.session.scalar(sa.select(table.c.at))

    assert found == moment
    assert found.utcoffset() == timedelta(0)
    assert db.session.scalar(sa.select(table.c.id).where(table.c.at == moment))


def test_a_moment_without_a_zone_is_refused(app):
    """R100: it would be somebody's local time."""
    table = scratch(sa.Column("at", UtcDateTime()))

    with writing(), pytest.raises(sa.exc.StatementError, match="naive"):
        db.session.execute(table.insert().values(at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_the_clock_moves_in_tests_only_and_back():
    before = clock.now()
    with clock.shifted(timedelta(days=40)):
        with clock.shifted(timedelta(days=-10)):
            assert timedelta(days=29) < clock.now() - before < timedelta(days=31)
        assert clock.today() == (before + timedelta(days=40)).date()
    assert clock.now() - before < timedelta(minutes=1)


# --- text


def test_lists_are_sorted_byte_by_byte_on_every_database(app):
    """The folded sort key decides, not the server's locale."""
    table = scratch(sa.Column("name", sort_key(50)))
    names = ["zebra", "a b", "a-b", "ab", "Ab", "é", "z", "10", "9", "_"]
    with writing():
        db.session.execute(table.insert(), [{"name": name} for name in names])
        db.session.commit()

    assert list(db.session.scalars(sa.select(table.c.name).order_by(table.c.name))) == sorted(names)


# --- rows


def test_every_change_of_a_record_counts(app):
    """R104"""
    with writing(), scoped(EVERYTHING):
        customer = db.session.scalars(sa.select(Customer).limit(1)).one()
        before = customer.version
        customer.name = "Renamed"
        db.session.commit()

        assert customer.version == before + 1


def test_the_second_of_two_changes_made_at_once_is_refused(app):
    """R104: nothing is overwritten silently."""
    with scoped(EVERYTHING):
        customer = db.session.scalars(sa.select(Customer).limit(1)).one()
        customer_id, name = customer.id, customer.name
        db.session.rollback()

    def rename(text):
        with app.app_context(), writing(), scoped(EVERYTHING):
            mine = db.session.scalars(sa.select(Customer).where(Customer.id == customer_id)).one()
            mine.name = text
            db.session.commit()
            db.session.remove()

    with scoped(EVERYTHING):
        mine = db.session.scalars(sa.select(Customer).where(Customer.id == customer_id)).one()
        mine_version = mine.version
        db.session.expunge(mine)
        db.session.rollback()
        other = threading.Thread(target=rename, args=("Theirs",))
        other.start()
        other.join()
        with writing():
            db.session.add(mine)
            mine.name = f"{name} mine"
            with pytest.raises(StaleDataError):
                db.session.flush()
        db.session.rollback()
        assert db.session.scalar(sa.select(Customer.name).where(Customer.id == customer_id)) == "Theirs"
        assert db.session.scalar(sa.select(Customer.version).where(Customer.id == customer_id)) == mine_version + 1


def test_a_row_is_found_by_its_public_key_or_not_at_all(app):
    atelier = make.organization("atelier-nuage.example")

    assert find(Organization, atelier.public_id) is atelier
    with pytest.raises(NotFound):
        find(Organization, uuid7())


def test_owned_rows_are_not_fetched_past_the_scope(app):
    with scoped(EVERYTHING), pytest.raises(TypeError, match="find"):
        db.session.get(Customer, 1)


# --- transactions


def test_one_line_of_a_bulk_action_is_undone_alone(app):
    with writing():
        people = db.session.scalars(sa.select(User).order_by(User.id).limit(2)).all()
        people[0].name = "Kept"
        with pytest.raises(ValueError, match="no"), attempt():
            people[1].name = "Undone"
            db.session.flush()
            raise ValueError("no")
        db.session.commit()

    db.session.rollback()
    assert db.session.scalar(sa.select(User.name).where(User.id == people[0].id)) == "Kept"
    assert db.session.scalar(sa.select(User.name).where(User.id == people[1].id)) != "Undone"


def test_changes_take_the_write_lock_at_once_and_reads_do_not(app, engine):
    """A deferred transaction that reads, then writes, fails at once when another wrote in between."""
    begun = []

    @sa.event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("BEGIN"):
            begun.append(statement)

    db.session.rollback()
    db.session.execute(sa.text("SELECT 1"))
    db.session.rollback()
    with writing():
        db.session.execute(sa.text("SELECT 1"))
    db.session.rollback()
    sa.event.remove(db.engine, "before_cursor_execute", note)

    assert begun == (["BEGIN", "BEGIN IMMEDIATE"] if engine == "sqlite" else [])


def test_readers_and_writers_at_the_same_time_all_succeed(app):
    problems, start = [], threading.Barrier(6)

    def work(number):
        with app.app_context():
            start.wait()
            try:
                for _ in range(5):
                    with writing():
                        user = db.session.scalars(sa.select(User).where(User.id == 1).with_for_update()).one()
                        user.name = f"Name {number}"
                        db.session.commit()
                    db.session.scalars(sa.select(User)).all()
                    db.session.rollback()
            except Exception as problem:
                problems.append(problem)
            finally:
                db.session.remove()

    db.session.remove()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []


def test_sqlite_is_set_up_to_lose_nothing(app, engine):
    if engine != "sqlite":
        return
    values = {name: db.session.execute(sa.text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous", "foreign_keys")}

    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_database_locked_by_another_process_is_answered_with_a_page_and_comes_back(app, engine, people, monkeypatch):
    """What the user sees says what to do; nothing is half-done."""
    if engine != "sqlite":
        return
    admin = people("admin@atelier-nuage.example")
    person = {"name": "Jade Morel", "email": "jade@atelier-nuage.example", "roles": ["sales_agent"], "language": "en"}
    db.session.remove()

    @sa.event.listens_for(db.engine, "connect")
    def impatient(connection, record):
        connection.execute("PRAGMA busy_timeout=200")

    db.engine.dispose()
    other = sqlite3.connect(Path(str(db.engine.url.database)), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page = admin.post("/users", person, status=503)
    assert page.h1 == "Not available"
    assert int(page.response.headers["Retry-After"]) > 0
    admin.get("/customers")  # reading goes on

    other.execute("ROLLBACK")
    other.close()

    admin.post("/users", person)
    sa.event.remove(db.engine, "connect", impatient)
    db.session.remove()
    db.engine.dispose()
