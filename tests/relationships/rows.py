"""Rows as the database has them now."""

from typing import Any, TypeVar

import sqlalchemy as sa

from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from portal.relationships.models import DelegatedAdministration, Partnership, RelationshipRequest
from tests.support import make

RowT = TypeVar("RowT")


def fresh(row: RowT) -> RowT:
    """The same row, read anew."""
    key = sa.inspect(row).identity[0]
    db.session.rollback()
    with scoped(EVERYTHING):
        found = db.session.scalars(sa.select(type(row)).where(type(row).id == key).execution_options(populate_existing=True)).one()
        return _loose(found)


def request(*arguments: Any, **options: Any) -> RelationshipRequest:
    """make.request(), loose from the session, so that it can be read whenever."""
    return _loose(make.request(*arguments, **options))


def partnership(*arguments: Any, **options: Any) -> Partnership:
    """make.partnership(), loose likewise."""
    return _loose(make.partnership(*arguments, **options))


def active() -> Partnership:
    """The partnership of the world: Grossiste Azur and Relais Breton."""
    db.session.rollback()
    with scoped(EVERYTHING):
        return _loose(db.session.scalars(sa.select(Partnership).order_by(Partnership.id).limit(1)).one())


def _loose(row: RowT) -> RowT:
    _ = getattr(row, "link", None)
    _apart()
    return row


def _apart() -> None:
    """Rows stay readable, and the session sees what others write from now on."""
    db.session.expunge_all()
    db.session.rollback()


def records(customer: str) -> list[Customer]:
    """All partners' records of the customer with this domain."""
    db.session.rollback()
    with scoped(EVERYTHING):
        found = list(db.session.scalars(sa.select(Customer).where(Customer.domain == customer).order_by(Customer.id)))
        _apart()
        return found


def record(customer: str, partner: str = "atelier-nuage.example") -> Customer:
    owner = make.organization(partner).id
    return next(row for row in records(customer) if row.partner_id == owner)


def delegations(customer: str) -> list[DelegatedAdministration]:
    db.session.rollback()
    with scoped(EVERYTHING):
        statement = sa.select(DelegatedAdministration).where(DelegatedAdministration.customer_id == make.organization(customer).id)
        found = list(db.session.scalars(statement.order_by(DelegatedAdministration.id)))
        _apart()
        return found


def count(model: Any) -> int:
    db.session.rollback()
    with scoped(EVERYTHING):
        return len(db.session.scalars(sa.select(model.id)).all())
