"""Base, session, find(); SQLite pragmas and BEGIN; public keys and the version counter."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from portal.config import Settings
from portal.core.errors import NotFound

Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_writing: ContextVar[bool] = ContextVar("writing", default=False)
PLANNED_ANEW = {"planned_anew": True}  # execution option of statements whose values are now common, now rare: one plan does not fit both
PREPARED_AFTER = 5  # executions on a connection, psycopg's own choice
FRUGAL, ROOMY = -4000, -48000  # KiB of pages that SQLite keeps in memory for a connection


class UtcDateTime(sa.TypeDecorator[datetime]):
    """Aware datetimes, stored in UTC (R100); a naive one is a programming error."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True
    python_type = datetime

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class WrittenKey(sa.TypeDecorator[str]):
    """A public key read as text, which is all that an export wants of it and takes a fifth of the time."""

    impl = sa.Uuid()
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return dialect.type_descriptor(sa.CHAR(32) if dialect.name == "sqlite" else sa.Uuid())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        if type(value) is not str:
            return None if value is None else str(value)
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


def written(key: Any) -> Any:
    """This column of public keys as text, of the same name."""
    return sa.type_coerce(key, WrittenKey()).label(key.key)


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime(),
        date: sa.Date(),
        UUID: sa.Uuid(),
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        str: sa.Unicode(),
    }

    id: Mapped[int] = mapped_column(Key, primary_key=True)


class Public:
    """Has a public key: what URLs and people outside use to name the row."""

    public_id: Mapped[UUID] = mapped_column(default=lambda: uuid7(), unique=True, sort_order=-9)


class Versioned:
    """Counts its changes, so that a second editor is told (R104)."""

    version: Mapped[int] = mapped_column(default=1)

    @sa.orm.declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  (declared_attr hands the class)
        return {"version_id_col": cls.version}


class PortalSession(FlaskSession):
    """A session whose `get` is closed for owned rows: the identity map knows no scope."""

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        if getattr(entity, "__owned__", False):
            raise TypeError(f"use find() or select() for {entity}")
        return super().get(entity, ident, **options)


db = SQLAlchemy(metadata=Base.metadata, disable_autonaming=True, session_options={"class_": PortalSession})
RowT = TypeVar("RowT")


def uuid7() -> UUID:
    """A UUID that sorts by its time of creation (RFC 9562, version 7)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def sort_key(length: int) -> sa.types.TypeEngine[str]:
    """Text that lists are ordered by: compared byte by byte on every database."""
    return sa.Unicode(length).with_variant(sa.Unicode(length, collation="C"), "postgresql")


def choice(kind: type[StrEnum], name: str | None = None) -> sa.Enum:
    """Column type of a closed vocabulary: text, with a CHECK constraint that lists its members."""
    return sa.Enum(
        kind,
        native_enum=False,
        length=32,
        create_constraint=True,
        name=name or kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


def find(model: type[RowT], public_id: UUID, *, lock: bool = False) -> RowT:
    """The row with this public key inside the scope, else NotFound; `lock` holds it until the commit.

    It alone, and so that other rows can still refer to it: every entry of the log refers to an organization.
    """
    row: RowT | None = db.session.scalar(_by_key(cast(Any, model), lock), {"key": public_id})
    if row is None:
        raise NotFound(f"{model.__name__} {public_id}")
    return row


@functools.cache
def _by_key(model: Any, lock: bool) -> sa.Select:
    statement = sa.select(model).where(model.public_id == sa.bindparam("key", type_=sa.Uuid()))
    return statement.with_for_update(of=model, key_share=True).execution_options(populate_existing=True) if lock else statement


def limited(statement: sa.Select, most: int) -> sa.Select:
    """No more rows than these. The number stands in the statement: a plan kept for later reckons with it, and not with a tenth of the table."""
    return statement.limit(sa.literal_column(str(most), sa.Integer()))


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Transactions begun inside take SQLite's write lock at once instead of failing when they upgrade."""
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


def read_only() -> None:
    """The rest of this session only reads: a write raises, and PostgreSQL is spared the transaction around each request."""
    if db.engine.dialect.name != "sqlite":
        db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    db.session.info["read_only"] = True


def read_and_write() -> None:
    """Start anew, with a transaction that may write."""
    db.session.rollback()
    db.session.info["read_only"] = False


@event.listens_for(sa.orm.Session, "before_flush")
def _nothing_to_write(session: sa.orm.Session, *_: object) -> None:
    if session.info.get("read_only") and (session.new or session.deleted or any(map(session.is_modified, session.dirty))):
        raise RuntimeError("a safe request changes something")


@event.listens_for(sa.orm.Session, "do_orm_execute")
def _no_change(state: sa.orm.ORMExecuteState) -> None:
    textual = isinstance(state.statement, sa.TextClause) and not state.statement.text.lstrip().upper().startswith(("SELECT", "WITH"))
    if (state.is_insert or state.is_update or state.is_delete or textual) and state.session.info.get("read_only"):
        raise RuntimeError("a safe request changes something")


@contextlib.contextmanager
def attempt() -> Iterator[None]:
    """One line of a bulk action: undone alone when it raises, with the log entries it recorded."""
    recorded = db.session.info.setdefault("log", [])
    length = len(recorded)
    try:
        with db.session.begin_nested():
            yield
    except Exception:
        del recorded[length:]
        raise


@contextlib.contextmanager
def many_inserts() -> Iterator[None]:
    """Inside, SQLite keeps more pages in memory: each row touches every index, and with few pages it writes and reads the same ones again and again."""
    if db.engine.dialect.name != "sqlite":
        yield
        return
    connection = db.session.connection()
    connection.exec_driver_sql(f"PRAGMA cache_size={ROOMY}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size={FRUGAL}")


def init_app(app: Flask, settings: Settings) -> None:
    options: dict[str, Any] = {"hide_parameters": True}  # an error in the log tells the statement, not the people in it (S40)
    if settings.sqlite:
        options["connect_args"] = {"timeout": 10, "check_same_thread": False}
    else:
        options["connect_args"] = {"options": "-c jit=off"}
        options["pool_size"] = 8
        options["max_overflow"] = 8
    url = settings.database_url
    for short in ("postgresql://", "postgres://"):
        url = url.replace(short, "postgresql+psycopg://", 1) if url.startswith(short) else url
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    with app.app_context():
        if settings.sqlite:
            _prepare_sqlite(db.engine)
        else:
            _prepare_postgresql(db.engine)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"cache_size={FRUGAL}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def planning(connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        """Most statements soon have one plan that PostgreSQL keeps, which spares a third of their time; those of searches never have."""
        anew = context is not None and context.execution_options.get("planned_anew", False)
        cursor.connection.prepare_threshold = None if anew else PREPARED_AFTER
