"""Puts very many rows into a database quickly: no index, no trigger and no foreign key is looked after row by row; all is made once, at the end."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from portal.core.db import db
from portal.core.search import INDEX_SUFFIX

Insert = Callable[[Any, Sequence[dict[str, Any]]], None]


@contextlib.contextmanager
def loading(*models: Any) -> Iterator[Insert]:
    """Inside, `insert(model, rows)` adds rows of these models; at the end their indexes and triggers are there again, and all is committed."""
    connection, tables = db.session.connection(), [model.__table__ for model in models]
    bare, put = (_bare_sqlite, _insert) if connection.dialect.name == "sqlite" else (_bare_postgres, _copy)
    with bare(connection, tables):
        yield lambda model, rows: put(connection, model.__table__, rows) if rows else None
    db.session.commit()


@contextlib.contextmanager
def _bare_sqlite(connection: sa.Connection, tables: list[sa.Table]) -> Iterator[None]:
    connection.exec_driver_sql("PRAGMA cache_size=-300000")
    made = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    names = {table.name for table in tables}
    found = [(kind, name, sql) for kind, name, table, sql in made if kind in ("index", "trigger") and table in names]
    searched = [name for kind, name, _table, _sql in made if kind == "table" and name.removesuffix(INDEX_SUFFIX) in names - {name}]
    statistics = connection.exec_driver_sql("SELECT tbl, idx, stat FROM sqlite_stat1").all()
    for kind, name, _sql in found:
        connection.exec_driver_sql(f'DROP {kind} "{name}"')
    yield
    for name in searched:
        connection.exec_driver_sql(f"INSERT INTO {name}({name}) VALUES ('rebuild')")
    for _kind, _name, sql in found:
        connection.exec_driver_sql(sql)
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", [tuple(row) for row in statistics])


@contextlib.contextmanager
def _bare_postgres(connection: sa.Connection, tables: list[sa.Table]) -> Iterator[None]:
    for setting in ("session_replication_role = replica", "maintenance_work_mem = '256MB'"):
        connection.exec_driver_sql(f"SET LOCAL {setting}")
    names = ", ".join(f"'{table.name}'" for table in tables)
    found = connection.exec_driver_sql(
        f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({names}) AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    ).all()
    for name, _sql in found:
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
    yield
    for _name, sql in found:
        connection.exec_driver_sql(sql)
    for table in tables:
        connection.exec_driver_sql(f"""SELECT setval(pg_get_serial_sequence('"{table.name}"', 'id'), max(id)) FROM "{table.name}" """)


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    names, values = _raw(connection, table, rows)
    marks = ", ".join("?" * len(names))
    connection.connection.cursor().executemany(f"INSERT INTO {_named(table.name)} ({_named(*names)}) VALUES ({marks})", values)


def _copy(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """What the benchmark makes up has no tab, line feed or backslash, so that nothing is escaped."""
    names, values = _raw(connection, table, rows)
    lines = ["\t".join(["\\N" if cell is None else str(cell) for cell in row]) for row in values]
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY {_named(table.name)} ({_named(*names)}) FROM STDIN") as target:
        target.write("\n".join([*lines, ""]))


def _raw(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> tuple[list[str], Iterator[list[Any]]]:
    """Names and values of the columns, as the driver takes them."""
    defaults = {column.name: column.default.arg for column in table.columns if column.default is not None and column.default.is_scalar}
    columns = [column for column in table.columns if column.name in rows[0] or column.name in defaults]
    dialect = connection.dialect
    readers = [
        (column.name, json.dumps if isinstance(column.type, sa.JSON) else column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns
    ]
    values = ([process(row[name]) if process else row[name] for name, process in readers] for row in (defaults | row for row in rows))
    return [column.name for column in columns], values


def _named(*names: str) -> str:
    return ", ".join(f'"{name}"' for name in names)
