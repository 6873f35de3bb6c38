"""The words-in-text condition, and the trigram index that finds rare words among very many rows."""

from typing import Any

import sqlalchemy as sa

from portal.core.db import Key, limited
from portal.core.words import search_words

INDEX_SUFFIX = "_search"


def patterns(query: str) -> list[str]:
    """What each word of a query must look like inside `search_text`: any part of a word from three letters on, else its beginning."""
    words = search_words(query) or ([query.strip()] if query.strip() else [])
    return [f"  {word}" if len(word) < 3 else word for word in words]


def contains(column: Any, query: str) -> list[sa.ColumnElement[bool]]:
    """One condition a word, all to be met."""
    return [column.like(pattern, escape="\\") for pattern in likes(query)]


def likes(query: str) -> list[str]:
    """The words as LIKE patterns."""
    return [f"%{_escaped(pattern)}%" for pattern in patterns(query)]


# The same with bound parameters, for statements that are built once; `parameters()` gives the values.


def containing(column: Any, number: int) -> list[sa.ColumnElement[bool]]:
    return [column.like(sa.bindparam(f"word_{index}", type_=sa.Unicode()), escape="\\") for index in range(number)]


def indexed(model: Any, column: Any, number: int, dialect: str) -> list[sa.ColumnElement[bool]]:
    """The conditions put so that the trigram index answers them."""
    if dialect != "sqlite":
        return containing(column, number)
    table, hit = _index_of(model)
    return [model.id.in_(sa.select(table.c.rowid).where(hit))]


def newest_first(statement: sa.Select, model: Any, limit: int) -> sa.Select:
    """The first rows that SQLite's index finds, the last written first: it gives them in that order and looks no further."""
    table, hit = _index_of(model)
    return limited(statement.join(table, table.c.rowid == model.id).where(hit).order_by(table.c.rowid.desc()), limit)


def _index_of(model: Any) -> tuple[sa.TableClause, sa.ColumnElement[bool]]:
    """SQLite's index as a table, and the condition that asks it."""
    name = model.__tablename__ + INDEX_SUFFIX
    table = sa.table(name, sa.column("rowid", Key), sa.column(name))
    return table, table.c[name].op("MATCH")(sa.bindparam("match", type_=sa.Unicode()))


def parameters(query: str) -> dict[str, str]:
    phrase = " AND ".join('"' + pattern.replace('"', '""') + '"' for pattern in patterns(query))
    return {"match": phrase, **{f"word_{index}": like for index, like in enumerate(likes(query))}}


def _escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def index_ddl(dialect: str, table: str, column: str = "search_text") -> list[str]:
    """Statements that make the trigram index of a table and keep it true; for migrations."""
    name = table + INDEX_SUFFIX
    if dialect != "sqlite":
        return [
            "CREATE EXTENSION IF NOT EXISTS pg_trgm",
            f"CREATE INDEX ix_{name} ON {table} USING gin ({column} gin_trgm_ops)",
        ]
    removed = f"INSERT INTO {name}({name}, rowid, {column}) VALUES ('delete', old.id, old.{column})"
    added = f"INSERT INTO {name}(rowid, {column}) VALUES (new.id, new.{column})"
    return [
        f"CREATE VIRTUAL TABLE {name} USING fts5({column}, content='{table}', content_rowid='id', tokenize='trigram', detail='full', columnsize=0)",
        f"CREATE TRIGGER {name}_added AFTER INSERT ON {table} BEGIN {added}; END",
        f"CREATE TRIGGER {name}_removed AFTER DELETE ON {table} BEGIN {removed}; END",
        f"CREATE TRIGGER {name}_changed AFTER UPDATE OF {column} ON {table} WHEN old.{column} <> new.{column} BEGIN {removed}; {added}; END",
    ]


def drop_ddl(dialect: str, table: str) -> list[str]:
    name = table + INDEX_SUFFIX
    if dialect != "sqlite":
        return [f"DROP INDEX ix_{name}"]
    return [f"DROP TRIGGER {name}_{event}" for event in ("added", "removed", "changed")] + [f"DROP TABLE {name}"]
