"""ListQuery: words, filters, sort and keyset position, parsed from the query string; pages of rows; streaming CSV (R101)."""

import base64
import binascii
import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Response
from flask_babel import gettext as _

from portal.core.db import db
from portal.core.i18n import show_number
from portal.core.scope import Scope
from portal.core.words import formula_safe

PAGE_SIZE = 50
COUNTED_UP_TO = 1000


@dataclass(frozen=True)
class Sort:
    """An order that an index serves: one column, then the key as tie-break, both in one direction."""

    column: Any
    key: Any
    descending: bool = False


@dataclass(frozen=True)
class ListQuery:
    """What a list page was asked for. Unknown filters, sorts and positions count as not given."""

    path: str
    words: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    default_sort: str = ""
    after: tuple[Any, int] | None = None
    before: tuple[Any, int] | None = None
    last: bool = False

    @classmethod
    def parse(cls, path: str, args: Mapping[str, str], *, sorts: Sequence[str], filters: Mapping[str, Iterable[str] | None]) -> "ListQuery":
        """`filters` maps each filter to its allowed values, None for free text; the first of `sorts` is the default."""
        chosen = {}
        for name, allowed in filters.items():
            value = args.get(name, "")[:200]
            if value and (allowed is None or value in allowed):
                chosen[name] = value
        sort = args.get("sort", "")
        return cls(
            path=path,
            words=" ".join(args.get("q", "").replace("\x00", "").split())[:200],
            filters=chosen,
            sort=sort if sort in sorts else sorts[0],
            default_sort=sorts[0],
            after=_position(args.get("after")),
            before=_position(args.get("before")),
            last="last" in args,
        )

    @property
    def narrowed(self) -> bool:
        """Whether words or filters leave something out."""
        return bool(self.words or self.filters)

    def url(self, *, path: str | None = None, **changes: str | None) -> str:
        """This list with other words, filters, sort or position; a change without a position starts at the first page."""
        arguments: dict[str, str | None] = {"q": self.words, **self.filters, "sort": self.sort if self.sort != self.default_sort else None}
        arguments |= changes
        query = urlencode({name: value for name, value in arguments.items() if value})
        return f"{path or self.path}?{query}" if query else path or self.path

    def sort_url(self, sort: str) -> str:
        return self.url(sort=sort if sort != self.default_sort else None)


@dataclass(frozen=True)
class Page:
    """Rows of one page and the ways to its neighbours."""

    rows: Sequence[Any]
    first_url: str | None = None
    previous_url: str | None = None
    next_url: str | None = None
    last_url: str | None = None
    total: int | None = None

    @property
    def total_text(self) -> str:
        if self.total is None:
            return ""
        if self.total > COUNTED_UP_TO:
            return _("%(number)s+ in all", number=show_number(COUNTED_UP_TO))
        return _("%(number)s in all", number=show_number(self.total))


def keyset(statement: sa.Select[Any], query: ListQuery, sort: Sort) -> sa.Select[Any]:
    """The statement from the query's position on, in order, one row more than a page."""
    backwards = query.last or query.before is not None
    position = query.before if query.before is not None else query.after
    descending = sort.descending != backwards
    if position is not None and not query.last:
        here, there = sa.tuple_(sort.column, sort.key), sa.tuple_(*_typed(position, sort))
        statement = statement.where(here < there if descending else here > there)
    ordered = (sort.column.desc(), sort.key.desc()) if descending else (sort.column, sort.key)
    return statement.order_by(*(ordered if sort.column is not sort.key else ordered[:1])).limit(PAGE_SIZE + 1)


def paged(rows: Sequence[Any], query: ListQuery, positions: Any, total: int | None, size: int = PAGE_SIZE) -> Page:
    """Cut what `keyset` brought to a page; `positions(row)` gives a row's (sort value, key)."""
    more = len(rows) > size
    rows = rows[:size]
    backwards = query.last or query.before is not None
    if backwards:
        rows = rows[::-1]
        has_next, has_previous = not query.last, more
    else:
        has_next, has_previous = more, query.after is not None
    if not rows:
        return Page(rows, first_url=query.url() if has_previous or has_next else None, total=total)
    first, last = _packed(positions(rows[0])), _packed(positions(rows[-1]))
    return Page(
        rows,
        first_url=query.url() if has_previous else None,
        previous_url=query.url(before=first) if has_previous else None,
        next_url=query.url(after=last) if has_next else None,
        last_url=query.url(last="1") if has_next else None,
        total=total,
    )


def fetch(statement: sa.Select[Any], query: ListQuery, sort: Sort, positions: Any, *, counted: bool = True) -> Page:
    """A page of this statement's rows, with a count that stops at COUNTED_UP_TO."""
    rows = db.session.execute(keyset(statement, query, sort)).all()
    alone = len(rows) <= PAGE_SIZE and query.after is None and query.before is None and not query.last
    total = len(rows) if alone else count(statement) if counted else None
    return paged(rows, query, positions, total)


def count(statement: sa.Select[Any]) -> int:
    """How many rows, counted no further than one past COUNTED_UP_TO."""
    capped = statement.with_only_columns(statement.column_descriptions[0]["expr"]).order_by(None).limit(COUNTED_UP_TO + 1).subquery()
    return int(db.session.scalar(sa.select(sa.func.count()).select_from(capped)) or 0)


def stream_csv(name: str, header: Sequence[str], statement: sa.Select[Any], scope: Scope, convert: Any = None) -> Response:
    """A CSV download, streamed row by row in its own scope: UTF-8 with a mark that Excel knows, no cell a formula (R15)."""
    session = sa.orm.Session(db.engine, info={"scope": scope})  # its own: it outlives the request

    def chunks() -> Iterator[bytes]:
        with session, contextlib.closing(session.execute(statement.execution_options(yield_per=1000))) as result:
            buffer = io.StringIO()
            writer = csv.writer(buffer)
            writer.writerow(header)
            yield b"\xef\xbb\xbf"
            for partition in result.partitions():
                rows = map(convert, partition) if convert else partition
                writer.writerows([formula_safe(cell) if type(cell) is str else cell for cell in row] for row in rows)
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
            if buffer.tell():
                yield buffer.getvalue().encode()

    response = Response(chunks(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _packed(position: tuple[Any, int]) -> str:
    value = position[0].isoformat() if hasattr(position[0], "isoformat") else position[0]
    return base64.urlsafe_b64encode(json.dumps([value, position[1]], ensure_ascii=False, separators=(",", ":")).encode()).decode().rstrip("=")


def _position(packed: str | None) -> tuple[Any, int] | None:
    if not packed or len(packed) > 2000:
        return None
    try:
        value, key = json.loads(base64.urlsafe_b64decode(packed.encode() + b"=" * (-len(packed) % 4)))
    except (ValueError, binascii.Error, TypeError):
        return None
    if not isinstance(value, str | int) or type(key) is not int or abs(key) > 2**62 or "\x00" in str(value):
        return None
    return value, key


def _typed(position: tuple[Any, int], sort: Sort) -> tuple[Any, Any]:
    """The position as bound parameters of the columns' types."""
    from datetime import date, datetime

    value: Any = position[0]
    kind = sort.column.type.python_type
    try:
        if kind in (datetime, date):
            value = kind.fromisoformat(str(value))
            if kind is datetime and value.tzinfo is None:
                value = None
        else:
            value = kind(value)
    except ValueError:
        value = None
    return sa.literal(value, sort.column.type), sa.literal(position[1], sort.key.type)
