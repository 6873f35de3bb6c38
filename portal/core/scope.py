"""Tenant scope: without one, no rows of an owned table; inside one, only its rows (R2).

Every ORM statement that touches an owned table gets the scope's condition; statements that cannot get it (Core tables, bulk
inserts, textual SQL on owned tables) are refused. `scoped(EVERYTHING)` is the greppable opt-out.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column, with_loader_criteria
from sqlalchemy.sql import visitors

from portal.core.db import Base, Key, db


class ScopeError(RuntimeError):
    """A programming error: a statement on an owned table without a scope, or one that a scope cannot guard."""


@dataclass(frozen=True)
class Scope:
    """Whose rows: a partner's, a customer's, or (both None) everybody's."""

    partner_id: int | None = None
    customer_id: int | None = None


EVERYTHING = Scope()
_PARAMETER = "scope_owner"


class Owned:
    """A row that belongs to one partner; mixed into the model, it puts the table under guard."""

    __owned__ = True
    partner_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"), sort_order=-8)


class Shared(Owned):
    """An owned row that the customer's side may see too."""

    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"), sort_order=-7)


@contextlib.contextmanager
def scoped(scope: Scope) -> Iterator[Scope]:
    """Enter a scope; the former one returns at the end, in the same transaction."""
    session = db.session()
    outer = session.info.get("scope")
    if outer is not None and outer != scope:
        session.flush()
    session.info["scope"] = scope
    try:
        yield scope
        if outer is not None and outer != scope:
            session.flush()
    finally:
        db.session().info["scope"] = outer


def current_scope() -> Scope:
    scope = db.session.info.get("scope")
    if scope is None:
        raise ScopeError("no scope")
    return scope


def insert_many(model: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    """Bulk insert into an owned table: the way in that stamps the owner."""
    scope = current_scope()
    if scope.partner_id is None and scope != EVERYTHING:
        raise ScopeError("a customer's scope inserts no partner's rows")
    stamp = {} if scope == EVERYTHING else {"partner_id": scope.partner_id}
    db.session.flush()
    db.session.connection().execute(sa.insert(model.__table__), [{**row, **stamp} for row in rows])


def _owned_tables() -> dict[sa.FromClause, type[Any]]:
    if not _tables or len(Base.registry.mappers) != _tables.get("count"):
        _tables["by_table"] = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)}
        names = "|".join(re.escape(table.name) for table in _tables["by_table"]) or "$^"
        _tables["pattern"] = re.compile(rf"\b({names})\b", re.IGNORECASE)
        _tables["count"] = len(Base.registry.mappers)
    by_table: dict[sa.FromClause, type[Any]] = _tables["by_table"]
    return by_table


_tables: dict[str, Any] = {}


def _owned_entities(statement: Any) -> set[type[Any]]:
    """The owned classes this statement reads or writes; ScopeError where one is used past its mapper."""
    owned = _owned_tables()
    found: set[type[Any]] = set()
    target = getattr(statement, "table", None)
    if isinstance(target, sa.Table) and target in owned:
        if getattr(statement, "is_insert", False):
            raise ScopeError(f"bulk insert into {target.name}: use scope.insert_many()")
        if statement._propagate_attrs.get("plugin_subject") is None:
            raise ScopeError(f"Core statement on {target.name}")
        found.add(owned[target])
    for element in visitors.iterate(statement):
        entity = element._annotations.get("parententity") if hasattr(element, "_annotations") else None
        if entity is not None:
            if entity.mapper.local_table in owned:
                found.add(entity.mapper.class_)
            continue
        for table in _used_past_the_mapper(element):
            if getattr(table, "element", table) in owned and "parententity" not in table._annotations:
                raise ScopeError(f"Core statement on {table}: select mapped columns instead")
    return found


def _used_past_the_mapper(element: Any) -> Iterator[Any]:
    """Tables that this part of a statement names itself, rather than through mapped columns."""
    if isinstance(element, sa.Select):
        yield from element._from_obj
        yield from (column for column in element._raw_columns if isinstance(column, sa.FromClause))
        yield from (join[0] for join in element._setup_joins if isinstance(join[0], sa.FromClause))
    elif isinstance(element, sa.Column):
        yield element.table
    elif isinstance(element, sa.Join):
        yield from (element.left, element.right)
    elif isinstance(element, sa.TextClause) and _tables["pattern"].search(element.text):
        raise ScopeError(f"textual SQL on an owned table: {element.text}")


# Statements that live on, such as those built once a module, are looked through once for each side.
_guarded: WeakKeyDictionary[Any, dict[bool, Any]] = WeakKeyDictionary()


@event.listens_for(Session, "do_orm_execute")
def _guard(state: ORMExecuteState) -> None:
    scope: Scope | None = state.session.info.get("scope")
    if scope == EVERYTHING or (scope is not None and state.is_column_load):
        return  # a column load refreshes, by its key, a row that the session holds already
    statement = state.statement
    partners_side = scope is not None and scope.partner_id is not None
    known = _guarded.get(statement)
    if known is None or scope is None or partners_side not in known:
        guarded = _with_conditions(statement, scope, partners_side)
        _guarded.setdefault(statement, {})[partners_side] = guarded
    else:
        guarded = known[partners_side]
    if guarded is not None and scope is not None:
        state.statement = guarded
        state.parameters = {**(state.parameters or {}), _PARAMETER: scope.partner_id if partners_side else scope.customer_id}  # type: ignore[dict-item]


def _with_conditions(statement: Any, scope: Scope | None, partners_side: bool) -> Any:
    """The statement with the scope's condition on every owned class in it; None when there is none."""
    entities = _owned_entities(statement)
    if not entities:
        return None
    if scope is None:
        raise ScopeError(f"no scope for {', '.join(sorted(entity.__name__ for entity in entities))}")
    return statement.options(
        *(with_loader_criteria(entity, _condition(entity, partners_side), include_aliases=True, propagate_to_loaders=False) for entity in entities)
    )


def _condition(entity: type[Any], partners_side: bool) -> sa.ColumnElement[bool]:
    owner = sa.bindparam(_PARAMETER, type_=Key)
    if partners_side:
        return entity.partner_id == owner  # type: ignore[no-any-return]
    if not issubclass(entity, Shared):
        raise ScopeError(f"{entity.__name__} is not for the customer's side")
    return entity.customer_id == owner  # type: ignore[return-value]


@event.listens_for(Session, "before_flush")
def _guard_writes(session: Session, *_: object) -> None:
    scope: Scope | None = session.info.get("scope")
    if scope == EVERYTHING:
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(row, Owned):
            continue
        if scope is None:
            raise ScopeError(f"no scope to write {type(row).__name__}")
        if scope.partner_id is not None:
            if row.partner_id is None and row in session.new:
                row.partner_id = scope.partner_id
            allowed = row.partner_id == scope.partner_id
        else:
            allowed = isinstance(row, Shared) and row.customer_id == scope.customer_id
        if not allowed:
            raise ScopeError(f"{type(row).__name__} belongs to somebody else")
