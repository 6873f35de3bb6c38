"""Finder: a list of very many rows, searched by words, filtered, sorted and paged, without a scan (R14, R101, ADR 0003)."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from portal.core import lists, search
from portal.core.db import db
from portal.core.lists import ListQuery, Page, Sort

WINDOW = 8000  # rows looked through in list order before the trigram index is asked
Filters = tuple[str, ...]


class Finder:
    """Pages of `model`, which has an indexed `search_text`.

    A common word fills the page from the next rows in list order; only a rare one needs the trigram index, which then has little
    to sort. So neither costs a scan of the whole list, and neither does the count. `narrow(statement, names)` adds the conditions of
    the filters of these names, with bound parameters; `values(query)` gives those. Statements are built once for each shape of a query.
    """

    def __init__(
        self,
        model: Any,
        columns: Sequence[Any],
        sorts: Mapping[str, Sort],
        narrow: Callable[[sa.Select, Filters], sa.Select],
        values: Callable[[ListQuery], dict[str, Any]],
        *,
        window: int = WINDOW,
    ) -> None:
        self.window = window
        self.model, self.columns, self.sorts, self.narrow, self.values = model, columns, sorts, narrow, values
        self._plain = functools.cache(self._plain_statement)
        self._window = functools.cache(self._window_statement)
        self._indexed = functools.cache(self._indexed_statement)
        self._counting = functools.cache(self._counting_statement)

    def page(self, query: ListQuery) -> Page:
        sort = self.sorts[query.sort]
        values = {**self.values(query), **search.parameters(query.words), **lists.place(query, sort)}
        shape = (query.sort, tuple(sorted(query.filters)), query.way)
        number = len(search.patterns(query.words))
        if not number:
            rows = db.session.execute(self._plain(*shape), values).all()
            return lists.paged(rows, query, self._position(query.sort), rows[0].in_all if rows else lists.whole(rows, query))
        rows = db.session.execute(self._window(*shape, number), values).all()
        if len(rows) > lists.PAGE_SIZE:
            return lists.paged(rows, query, self._position(query.sort), None)
        dialect = db.engine.dialect.name
        rows = db.session.execute(self._indexed(*shape, number, dialect), values).all()
        total = lists.whole(rows, query)
        if total is None:
            total = db.session.scalar(self._counting(shape[1], number, dialect), values)
        return lists.paged(rows, query, self._position(query.sort), total)

    def everything(self, query: ListQuery, *columns: Any) -> tuple[sa.Select, dict[str, Any]]:
        """These columns of all rows of the query, with its parameters: for exports."""
        sort = self.sorts[query.sort]
        statement = self.narrow(sa.select(*columns), tuple(sorted(query.filters)))
        number = len(search.patterns(query.words))
        if number:
            statement = statement.where(*search.indexed(self.model, self.model.search_text, number, db.engine.dialect.name))
        statement = statement.order_by(*((sort.column.desc(),) if sort.descending else (sort.column, sort.key)))
        return statement, {**self.values(query), **search.parameters(query.words)}

    def _position(self, sort: str) -> Callable[[Any], tuple[Any, int]]:
        name = self.sorts[sort].column.key
        return lambda row: (getattr(row, name), row.id)

    def _plain_statement(self, sort: str, filters: Filters, way: str) -> sa.Select:
        wanted = lists.keyset(self.narrow(sa.select(*self.columns), filters), way, self.sorts[sort])
        return lists.with_count(wanted, self.narrow(sa.select(self.model.id), filters))

    def _window_statement(self, sort: str, filters: Filters, way: str, words: int) -> sa.Select:
        """The words looked for in the next rows in list order only."""
        model = self.model
        near = lists.keyset(self.narrow(sa.select(model.id, model.search_text), filters), way, self.sorts[sort], limit=self.window).subquery()
        hits = sa.select(near.c.id).where(*search.containing(near.c.search_text, words)).limit(lists.PAGE_SIZE + 1)
        return lists.keyset(sa.select(*self.columns).where(model.id.in_(hits)), {"after": "first", "before": "last"}.get(way, way), self.sorts[sort])

    def _indexed_statement(self, sort: str, filters: Filters, way: str, words: int, dialect: str) -> sa.Select:
        statement = self.narrow(sa.select(*self.columns), filters)
        return lists.keyset(statement.where(*search.indexed(self.model, self.model.search_text, words, dialect)), way, self.sorts[sort])

    def _counting_statement(self, filters: Filters, words: int, dialect: str) -> sa.Select:
        return lists.counting(self.narrow(sa.select(self.model.id), filters).where(*search.indexed(self.model, self.model.search_text, words, dialect)))
