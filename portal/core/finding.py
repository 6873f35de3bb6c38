"""Finder: a list of very many rows, searched by words, filtered, sorted and paged, without a scan (R14, R101, ADR 0003)."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from portal.core import lists, search
from portal.core.db import PLANNED_ANEW, db, limited
from portal.core.lists import ListQuery, Page, Sort

WINDOW = 8000  # rows looked through in list order before the trigram index is asked
HITS = 5 * lists.PAGE_SIZE  # counted where the index gives them in the list's order; when there are more, the first page says no total
Filters = tuple[str, ...]


class Finder:
    """Pages of `model`, which has an indexed `search_text`.

    A common word fills the page from the next rows in list order; only a rare one needs the trigram index, which then has little
    to sort. So neither costs a scan of the whole list, and neither does the count. `narrow(statement, names)` adds the conditions of
    the filters of these names, with bound parameters; `values(query)` gives those. Statements are built once for each shape of a query.
    `through` names another model whose words are meant, its key, and the column of `model` that holds it.
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
        through: tuple[Any, Any, Any] | None = None,
    ) -> None:
        self.window, self.through = window, through
        self.model, self.columns, self.sorts, self.narrow, self.values = model, columns, sorts, narrow, values
        self._plain = functools.cache(self._plain_statement)
        self._window = functools.cache(self._window_statement)
        self._indexed = functools.cache(self._indexed_statement)

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
        rows = db.session.execute(self._indexed(*shape, number, db.engine.dialect.name), values).all()
        return lists.paged(rows, query, self._position(query.sort), rows[0].in_all if rows else lists.whole(rows, query))

    def everything(self, query: ListQuery, *columns: Any) -> tuple[sa.Select, dict[str, Any]]:
        """These columns of all rows of the query, with its parameters: for exports."""
        sort = self.sorts[query.sort]
        statement = self.narrow(sa.select(*columns), tuple(sorted(query.filters)))
        number = len(search.patterns(query.words))
        if number:
            statement = statement.where(*self._indexed_words(number, db.engine.dialect.name))
        statement = statement.order_by(*((sort.column.desc(),) if sort.descending else (sort.column, sort.key)))
        return statement, {**self.values(query), **search.parameters(query.words)}

    def _position(self, sort: str) -> Callable[[Any], tuple[Any, int]]:
        name = self.sorts[sort].column.key
        return lambda row: (getattr(row, name), row.id)

    def _plain_statement(self, sort: str, filters: Filters, way: str) -> sa.Select:
        wanted = lists.keyset(self.narrow(sa.select(*self.columns), filters), way, self.sorts[sort])
        wanted = lists.with_count(wanted, self.narrow(sa.select(self.model.id), filters))
        return wanted.execution_options(**PLANNED_ANEW) if filters else wanted

    def _window_statement(self, sort: str, filters: Filters, way: str, words: int) -> sa.Select:
        """The words looked for in the next rows in list order only."""
        model = self.model
        other, key, named = self.through or (None, None, model.search_text)
        near = lists.keyset(self.narrow(sa.select(model.id, named), filters), way, self.sorts[sort], limit=self.window).subquery()
        hits = sa.select(near.c.id)
        if other is None:
            hits = hits.where(*search.containing(near.c.search_text, words))
        else:
            hits = hits.join(other, key == near.c[named.key]).where(*search.containing(other.search_text, words))
        return self._rows_of(limited(hits, lists.PAGE_SIZE + 1), sort, way).execution_options(**PLANNED_ANEW)

    def _indexed_statement(self, sort: str, filters: Filters, way: str, words: int, dialect: str) -> sa.Select:
        """What the index finds is put in order and counted; it is asked once for both."""
        column, key, descending = self.sorts[sort].column, self.sorts[sort].key, self.sorts[sort].descending
        hits = self.narrow(sa.select(key.label("key"), column.label("place")), filters)
        in_order = dialect == "sqlite" and column is key and descending and way == "first" and self.through is None
        found = (search.newest_first(hits, self.model, HITS + 1) if in_order else hits.where(*self._indexed_words(words, dialect))).cte("found")
        order = Sort(found.c.key if column is key else found.c.place, found.c.key, descending)
        near = lists.keyset(sa.select(found.c.key), way, order)
        rows = self._rows_of(sa.select(near.subquery().c.key), sort, way)
        in_all = lists.counting(sa.select(found.c.key)).scalar_subquery()
        return rows.add_columns((sa.func.nullif(in_all, HITS + 1) if in_order else in_all).label("in_all")).execution_options(**PLANNED_ANEW)

    def _rows_of(self, hits: sa.Select, sort: str, way: str) -> sa.Select:
        """The columns of a page's rows: what each of them costs is spent on no more than these."""
        found = sa.select(*self.columns).where(self.model.id.in_(hits))
        return lists.keyset(found, {"after": "first", "before": "last"}.get(way, way), self.sorts[sort])

    def _indexed_words(self, words: int, dialect: str) -> list[sa.ColumnElement[bool]]:
        if self.through is None:
            return search.indexed(self.model, self.model.search_text, words, dialect)
        other, key, named = self.through
        hit = sa.orm.aliased(self.model)  # found apart from the list's order, which would lure the planner to walk the whole list
        hits = sa.select(hit.id).where(getattr(hit, named.key).in_(sa.select(key).where(*search.indexed(other, other.search_text, words, dialect))))
        return [self.model.id.in_(hits)]
