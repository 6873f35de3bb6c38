"""Maison Tellier's permission to buy in every state; each function commits."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import User
from portal.core import clock
from portal.core.access import Cloud
from portal.core.db import db, uuid7, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.permissions import service
from portal.permissions.models import BuyingPermission, Category, Notice, Purchase
from portal.permissions.service import Wish
from portal.subscriptions import naming
from portal.subscriptions.models import Offer, ReservationScope, Subscription
from tests.subscriptions import rows
from tests.subscriptions.world import change, sold
from tests.support import make

ADMIN, AGENT, SALES, HELPDESK = (f"{name}@atelier-nuage.example" for name in ("admin", "agent", "sales", "helpdesk"))
BUYER = "buyer@maison-tellier.example"
C = Category.RESERVATIONS


def usage(**details: Any) -> str:
    """The public key of a usage-based subscription."""
    return sold("Cloud plan", quantity=1, **{"billing": "usage", "term_months": 1, **details})[0]


def own(subscription_id: str, who: str = BUYER) -> None:
    person = user(who)
    change(subscription_id, lambda row, **options: naming.name_owner(row, person, **options))


def user(email: str) -> User:
    db.session.rollback()
    return db.session.scalars(sa.select(User).where(User.email_key == email)).unique().one()


def ready() -> str:
    """Everything that turning on needs; a reservation of 1,000.00 a piece can be had. The subscription's public key."""
    subscription_id = usage()
    own(subscription_id)
    in_scope(lambda by, at: rows.offer("RES", by=by, at=at, price=100_000, name="D4 in France", instance_type="D4", region="France Central"))
    return subscription_id


def turned_on(by: str = AGENT, *, month: int | None = None, above: int | None = None, notice: str = "nobody") -> str:
    """On, with limits in cents and nobody told unless said otherwise. The subscription's public key."""
    subscription_id = ready()
    in_scope(lambda by, at: service.turn_on(rows.tellier(), C, by=by, at=at), by=by)
    limits(month=month, above=above, notice=notice)
    return subscription_id


def limits(*, month: int | None = None, above: int | None = None, notice: str = "nobody", by: str = AGENT) -> None:
    amounts = {name: Money(value, "EUR") if value is not None else None for name, value in (("monthly_limit", month), ("approval_above", above))}
    in_scope(lambda by, at: service.set_limits(rows.tellier(), C, **amounts, notice=Notice(notice), version=None, by=by, at=at), by=by)


def turned_off() -> None:
    in_scope(lambda by, at: service.turn_off(rows.tellier(), C, by=by, at=at))


def bought(quantity: int = 1, *, who: str = BUYER) -> str:
    """The public key of a purchase by the customer's purchaser: placed, or waiting."""
    buyer = make.actor(who)

    def buy(by: Any, at: datetime) -> Purchase:
        offer = db.session.scalars(sa.select(Offer).where(Offer.sku == "RES")).one()
        plan = db.session.scalars(sa.select(Subscription).where(Subscription.billing == "usage").order_by(Subscription.id.desc()).limit(1)).one()
        return service.buy(rows.tellier(), Wish(uuid7(), offer, plan, quantity, ReservationScope.SHARED), cloud=Cloud.PUBLIC, by=buyer, at=at)

    return str(in_scope(buy))


def live() -> list[str]:
    """Public keys of the active subscriptions."""
    db.session.rollback()
    with scoped(EVERYTHING):
        return [str(key) for key in db.session.scalars(sa.select(Subscription.public_id).where(Subscription.state == "active"))]


def withdrawn(purchase_id: str) -> None:
    in_scope(lambda by, at: service.withdraw(_purchase(purchase_id), by=make.actor(BUYER), at=at))


def purchase(purchase_id: str) -> Purchase:
    """As it stands now."""
    db.session.rollback()
    db.session.expire_all()
    with scoped(EVERYTHING):
        return _purchase(purchase_id)


def permission() -> BuyingPermission | None:
    """As it stands now."""
    db.session.rollback()
    db.session.expire_all()
    with scoped(EVERYTHING):
        return db.session.scalars(sa.select(BuyingPermission)).one_or_none()


def in_scope(work: Any, *, by: str = SALES) -> Any:
    """Something done in the partner's scope; the public key of what it made."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = work(who, clock.now())
        key = getattr(made, "public_id", None)
        db.session.commit()
    db.session.rollback()
    return key


def _purchase(purchase_id: str) -> Purchase:
    return db.session.scalars(sa.select(Purchase).where(Purchase.public_id == UUID(purchase_id))).one()
