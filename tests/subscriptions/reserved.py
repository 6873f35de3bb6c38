"""Reservations of Maison Tellier for the tests; each function commits."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions import reservation_requests
from portal.subscriptions.models import Charge, RequestKind, Reservation, ReservationRequest
from tests.subscriptions import rows
from tests.subscriptions.world import SALES, tellier
from tests.support import make

BUYER = "buyer@maison-tellier.example"


def offered(name: str, *, at: datetime | None = None, **details: Any) -> str:
    """The public key of a reservation offer, 1,200.00 a piece for a year unless told otherwise."""
    who, at = make.actor(SALES), at or clock.now()
    details = {"instance_type": "D2", "region": "West Europe", "cycle": "annual", "price": 120_000, "category": "Reservations", **details}
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = rows.offer(name.replace(" ", "-"), by=who, at=at, name=name, **details)
        key = str(made.public_id)
        db.session.commit()
    return key


def reserved(name: str = "Small server", quantity: int = 1, *, at: datetime | None = None, **details: Any) -> str:
    """The public key of a reservation of a new offer, bought by the partner."""
    who, at = make.actor(SALES), at or clock.now()
    details = {"instance_type": "D2", "region": "West Europe", "cycle": "annual", "price": 120_000, "category": "Reservations", **details}
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        offer = rows.offer(name.replace(" ", "-"), by=who, at=at, name=name, **details)
        rows.place({offer: quantity}, by=who, at=at)
        made = db.session.scalars(sa.select(Reservation).where(Reservation.offer_id == offer.id)).one()
        key = str(made.public_id)
        db.session.commit()
    return key


def asked(public_id: str, kind: str = "cancel", message: str = "Please.", *, by: str = BUYER) -> str:
    """The public key of what somebody of the customer asks."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(customer_id=who.organization_id)):
        made = reservation_requests.ask(_one(public_id), RequestKind(kind), message, by=who, at=clock.now())
        key = str(made.public_id)
        db.session.commit()
    return key


def page(public_id: str) -> str:
    """The address of its page on the partner's side."""
    return f"{tellier()}/reservations/{public_id}"


def row(public_id: str) -> Reservation:
    """As it stands now, readable whenever."""
    return next(found for found in everything() if str(found.public_id) == public_id)


def update(public_id: str, **values: Any) -> None:
    """As it would be after something else."""
    change(lambda found: [setattr(found, name, value) for name, value in values.items()], public_id)


def change(what: Callable[[Reservation], Any], public_id: str) -> None:
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        what(_one(public_id))
        db.session.commit()


def requests() -> list[ReservationRequest]:
    db.session.rollback()
    with scoped(EVERYTHING):
        return _loose(ReservationRequest)


def everything() -> list[Reservation]:
    db.session.rollback()
    with scoped(EVERYTHING):
        return _loose(Reservation)


def charged() -> list[int]:
    db.session.rollback()
    with scoped(EVERYTHING):
        return list(db.session.scalars(sa.select(Charge.amount_minor).where(Charge.reservation_id.is_not(None)).order_by(Charge.id)))


def _loose(model: Any) -> list[Any]:
    found = list(db.session.scalars(sa.select(model).order_by(model.id)))
    db.session.expunge_all()
    return found


def _one(public_id: str) -> Reservation:
    return db.session.scalars(sa.select(Reservation).where(Reservation.public_id == UUID(public_id))).one()
