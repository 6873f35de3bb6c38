"""Tenant scope: without one, no rows of an owned table; inside one, only its rows (R2).

Every ORM statement that touches an owned table gets the scope's condition; statements that cannot get it (Core tables, bulk
inserts, textual SQL on owned tables) are refused. `scoped(EVERYTHING)` is the greppable opt-out.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
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
    """Whose rows: a partner's, a customer's, those that name a reseller, or (all None) everybody's."""

    partner_id: int | None = None
    customer_id: int | None = None
    reseller_id: int | None = None

    @property
    def side(self) -> str:
        """The column that says whose a row is."""
        return "partner_id" if self.partner_id is not None else "customer_id" if self.customer_id is not None else "reseller_id"


EVERYTHING = Scope()
_PARAMETER = "scope_owner"


class Owned:
    """A row that belongs to one partner; mixed into the model, it puts the table under guard."""

    __owned__ = True
    partner_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"), sort_order=-8)


class Shared(Owned):
    """An owned row that the customer's side may see too."""

    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"), sort_order=-7)


class Resold(Owned):
    """An owned row that the reseller whom it names may read too, in a scope of its own (R41)."""

    reseller_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"), sort_order=-6)


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
        raise ScopeError("only a partner's scope inserts its rows")
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
_guarded: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


@event.listens_for(Session, "do_orm_execute")
def _guard(state: ORMExecuteState) -> None:
    scope: Scope | None = state.session.info.get("scope")
    if scope == EVERYTHING or (scope is not None and state.is_column_load):
        return  # a column load refreshes, by its key, a row that the session holds already
    statement = state.statement
    side = scope.side if scope is not None else ""
    known = _guarded.get(statement)
    if known is None or side not in known:
        guarded = _with_conditions(statement, scope)
        _guarded.setdefault(statement, {})[side] = guarded
    else:
        guarded = known[side]
    if guarded is not None and scope is not None:
        state.statement = guarded
        state.parameters = {**(state.parameters or {}), _PARAMETER: getattr(scope, side)}  # type: ignore[dict-item]


def _with_conditions(statement: Any, scope: Scope | None) -> Any:
    """The statement with the scope's condition on every owned class in it; None when there is none."""
    entities = _owned_entities(statement)
    if not entities:
        return None
    if scope is None:
        raise ScopeError(f"no scope for {', '.join(sorted(entity.__name__ for entity in entities))}")
    return statement.options(
        *(with_loader_criteria(entity, _condition(entity, scope.side), include_aliases=True, propagate_to_loaders=False) for entity in entities)
    )


# Functions rather than expressions: only so an alias that an outer join brings in beside its own table gets a condition of its own.
def _of_partner(row: Any) -> Any:
    return row.partner_id == sa.bindparam("scope_owner", type_=Key)


def _of_customer(row: Any) -> Any:
    return row.customer_id == sa.bindparam("scope_owner", type_=Key)


def _of_reseller(row: Any) -> Any:
    return row.reseller_id == sa.bindparam("scope_owner", type_=Key)


_OPEN_TO = {"partner_id": (Owned, _of_partner), "customer_id": (Shared, _of_customer), "reseller_id": (Resold, _of_reseller)}


def _condition(entity: type[Any], side: str) -> Callable[[Any], Any]:
    kind, condition = _OPEN_TO[side]
    if not issubclass(entity, kind):
        raise ScopeError(f"{entity.__name__} knows no {side}")
    return condition


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
        else:  # a reseller reads what names it; it writes nothing there
            allowed = scope.customer_id is not None and isinstance(row, Shared) and row.customer_id == scope.customer_id
        if not allowed:
            raise ScopeError(f"{type(row).__name__} belongs to somebody else")
