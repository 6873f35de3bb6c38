"""ListQuery: words, filters, sort and keyset position, parsed from the query string; pages of rows; streaming CSV (R101)."""

import base64
import binascii
import contextlib
import csv
import io
import itertools
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Response
from flask_babel import gettext as _

from portal.core import sheets
from portal.core.db import PLANNED_ANEW, db, limited
from portal.core.errors import NotFound
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
    def parse(
        cls, path: str, args: Mapping[str, str], *, sorts: Sequence[str], filters: Mapping[str, Iterable[str] | None], searched: bool = True
    ) -> "ListQuery":
        """`filters` maps each filter to its allowed values, None for free text; the first of `sorts` is the default. A list not `searched` has no words."""
        chosen = {}
        for name, allowed in filters.items():
            value = args.get(name, "").replace("\x00", "")[:200]
            if value and (allowed is None or value in allowed):
                chosen[name] = value
        sort = args.get("sort", "")
        return cls(
            path=path,
            words=" ".join(args.get("q", "").replace("\x00", "").split())[:200] if searched else "",
            filters=chosen,
            sort=sort if sort in sorts else sorts[0],
            default_sort=sorts[0],
            after=None if "last" in args else _position(args.get("after")),
            before=None if "last" in args or "after" in args else _position(args.get("before")),
            last="last" in args,
        )

    @property
    def way(self) -> str:
        """From where and to where the page reads: "first", "after", "before" or "last"."""
        if self.last:
            return "last"
        return "after" if self.after is not None else "before" if self.before is not None else "first"

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
    size: int = PAGE_SIZE

    @property
    def total_text(self) -> str:
        if self.total is None:
            return _("More than %(number)s", number=self.size) if self.next_url or self.previous_url else ""
        if self.total > COUNTED_UP_TO:
            return _("%(number)s+ in all", number=show_number(COUNTED_UP_TO))
        return _("%(number)s in all", number=show_number(self.total))


def keyset(statement: sa.Select, way: str, sort: Sort, *, limit: int | None = None) -> sa.Select:
    """The statement in order from a position on, one row more than a page; `place()` gives the position's parameters.

    `way` is the query's: "first", "after", "before" or "last".
    """
    descending = sort.descending != (way in ("before", "last"))
    if way in ("after", "before"):
        here = sa.tuple_(sort.column, sort.key)
        there = sa.tuple_(sa.bindparam("place_value", type_=sort.column.type), sa.bindparam("place_key", type_=sort.key.type))
        statement = statement.where(here < there if descending else here > there)
    ordered = (sort.column.desc(), sort.key.desc()) if descending else (sort.column, sort.key)
    return limited(statement.order_by(*(ordered if sort.column is not sort.key else ordered[:1])), limit or PAGE_SIZE + 1)


def place(query: ListQuery, sort: Sort) -> dict[str, Any]:
    """The position as parameters of the columns' types; a value of another type is no position."""
    position = query.after or query.before
    if position is None:
        return {}
    value: Any = position[0]
    kind = sort.column.type.python_type
    try:
        value = kind.fromisoformat(str(value)) if kind in (datetime, date) else kind(value)
    except (ValueError, TypeError):
        raise NotFound("position") from None
    if (kind is datetime and value.tzinfo is None) or not _storable(value):
        raise NotFound("position")
    return {"place_value": value, "place_key": position[1]}


def paged(rows: Sequence[Any], query: ListQuery, positions: Any, total: int | None, size: int | None = None) -> Page:
    """Cut what `keyset` brought to a page; `positions(row)` gives a row's (sort value, key)."""
    size = size or PAGE_SIZE
    more = len(rows) > size
    rows = rows[:size]
    if query.way in ("before", "last"):
        rows = rows[::-1]
        has_next, has_previous = query.way == "before", more
    else:
        has_next, has_previous = more, query.way == "after"
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
        size=size,
    )


def fetch(statement: sa.Select, query: ListQuery, sort: Sort, positions: Any, *, counted: bool = True) -> Page:
    """A page of this statement's rows, with a count that stops at COUNTED_UP_TO."""
    wanted = keyset(statement, query.way, sort)
    if counted:
        wanted = with_count(wanted, statement)
    if query.narrowed:
        wanted = wanted.execution_options(**PLANNED_ANEW)
    rows = db.session.execute(wanted, place(query, sort)).all()
    return paged(rows, query, positions, rows[0].in_all if rows and counted else whole(rows, query))


def with_count(wanted: sa.Select, statement: sa.Select) -> sa.Select:
    """The page with the number of all rows beside each, as `in_all`: one way to the database instead of two."""
    return wanted.add_columns(counting(statement).scalar_subquery().label("in_all"))


def whole(rows: Sequence[Any], query: ListQuery) -> int | None:
    """The total, when the first page holds everything."""
    return len(rows) if len(rows) <= PAGE_SIZE and query.way == "first" else None


def counting(statement: sa.Select) -> sa.Select:
    """How many rows, counted no further than one past COUNTED_UP_TO."""
    capped = statement.with_only_columns(statement.column_descriptions[0]["expr"]).order_by(None)
    return sa.select(sa.func.count()).select_from(limited(capped, COUNTED_UP_TO + 1).subquery())


def stream_csv(name: str, header: Sequence[str], statement: sa.Select, scope: Scope, *, convert: Any = None, values: Any = None) -> Response:
    """A CSV download, streamed row by row in its own scope: UTF-8 with a mark that Excel knows, no cell a formula (R15)."""
    partitions = _partitions(statement, scope, convert, values)

    def chunks() -> Iterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(header)
        yield b"\xef\xbb\xbf"
        with contextlib.closing(partitions):
            for rows in partitions:
                writer.writerows(map(_safe, rows))
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        if buffer.tell():
            yield buffer.getvalue().encode()

    return _download(f"{name}.csv", "text/csv", chunks())


def stream_xlsx(name: str, header: Sequence[str], statement: sa.Select, scope: Scope, *, convert: Any = None, values: Any = None) -> Response:
    """The same as a workbook; text stays text, whatever it begins with."""
    rows = itertools.chain.from_iterable(_partitions(statement, scope, convert, values))
    return _download(f"{name}.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", sheets.workbook(header, rows))


def _safe(row: Iterable[Any]) -> list[Any]:
    """The cells, none of them a formula; empty ones, and those that begin with a letter or a digit, are not looked at further."""
    return [cell if type(cell) is not str or not cell or cell[0].isalnum() else formula_safe(cell) for cell in row]


def _partitions(statement: sa.Select, scope: Scope, convert: Any, values: Any) -> Generator[Iterable[Any], None, None]:
    session = sa.orm.Session(db.engine, info={"scope": scope})  # its own: it outlives the request

    def read() -> Generator[Iterable[Any], None, None]:
        with session, contextlib.closing(session.execute(statement.execution_options(yield_per=1000), values)) as result:
            for partition in result.partitions():
                yield map(convert, partition) if convert else partition

    return read()


def _download(file_name: str, mimetype: str, chunks: Iterator[bytes]) -> Response:
    response = Response(chunks, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def small_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """A CSV download of a few computed rows, written as `stream_csv` writes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([header, *map(_safe, rows)])
    response = Response(b"\xef\xbb\xbf" + buffer.getvalue().encode(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def capped(number: int) -> str:
    """A count that stops at COUNTED_UP_TO, as people read it."""
    return f"{show_number(COUNTED_UP_TO)}+" if number > COUNTED_UP_TO else show_number(number)


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
    if not isinstance(value, str | int) or type(key) is not int or not _storable(value) or not _storable(key):
        return None
    return value, key


def _storable(value: Any) -> bool:
    """Whether a database takes this text or number: no NUL, no half of a character, no more than 64 bits."""
    if isinstance(value, int):
        return abs(value) < 2**63
    return not isinstance(value, str) or not any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value)
