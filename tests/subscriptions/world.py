"""Subscriptions of Maison Tellier as its partner sold them; each function commits."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions.models import Subscription
from tests.subscriptions import rows
from tests.support import make

SALES = "sales@atelier-nuage.example"
ADMIN = "admin@atelier-nuage.example"


def sold(*names: str, quantity: int = 5, at: datetime | None = None, by: str = SALES, **details: Any) -> list[str]:
    """Public keys of new subscriptions of Maison Tellier, one of a new offer each; `details` are the offers'."""
    at = at or clock.now()
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        offers = [rows.offer(name.replace(" ", "-"), by=who, at=at, name=name, **details) for name in names]
        rows.place(dict.fromkeys(offers, quantity), by=who, at=at)
        found = [str(rows.subscription_of(offer).public_id) for offer in offers]
        db.session.commit()
    return found


def change(public_id: str, what: Callable[..., Any], *, at: datetime | None = None, by: str = SALES, **options: Any) -> None:
    """Something of the service done to one subscription."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        what(_one(public_id), by=who, at=at or clock.now(), **options)
        db.session.commit()


def row(public_id: str) -> Subscription:
    """As it stands now."""
    db.session.rollback()
    with scoped(EVERYTHING):
        return _one(public_id)


def tellier() -> str:
    """The address of Maison Tellier's page."""
    return f"/customers/{make.organization('maison-tellier.example').public_id}"


def _one(public_id: str) -> Subscription:
    return db.session.scalars(sa.select(Subscription).where(Subscription.public_id == UUID(public_id))).one()


def update(public_id: str, **values: Any) -> None:
    """As it would be after something else."""
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        for name, value in values.items():
            setattr(_one(public_id), name, value)
        db.session.commit()
