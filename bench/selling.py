"""Gives that partner a catalog, orders, subscriptions, reservations and a customer that buys for itself; and the pages that show them."""

import functools
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bench.data import BATCH
from bench.loading import loading
from portal import demo
from portal.accounts.models import User
from portal.core import clock
from portal.core.access import Side
from portal.core.db import db, uuid7
from portal.core.money import Money
from portal.core.scope import Scope, scoped
from portal.core.words import normalise, search_text
from portal.customers.models import Customer, RelationshipState, Segment
from portal.permissions import service as permissions
from portal.permissions.models import Category, Notice, Purchase, PurchaseState
from portal.subscriptions import naming, terms
from portal.subscriptions.models import (
    Billing,
    Charge,
    ChargeKind,
    Cycle,
    Offer,
    OfferPrice,
    Order,
    OrderLine,
    OrderState,
    Reservation,
    ReservationScope,
    ReservationState,
    Subscription,
    SubscriptionState,
)

Cases = dict[str, tuple[str, dict[str, str]]]
FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#results"}
BUYER = "buyer@maison-tellier.example"
PRODUCTS = [
    "Suite Basic",
    "Suite Standard",
    "Suite Premium",
    "Shield",
    "Identity",
    "Archive",
    "Telephony",
    "Sales desk",
    "Ledger",
    "Build",
    "Cloud plan",
    "Storage",
]
LINES = 2  # of an order
_period_of = functools.cache(terms.period_of)


def load(partner_id: int, customers: int, count: int) -> dict[str, UUID]:
    """`count` subscriptions, two an order, and a reservation for every tenth, of the first `customers` active customers of a partner.

    Most are active; one in 20 each is suspended, expired, cancelled, on trial. There are 240 offers of subscriptions, 60 of reservations, all with prices.
    Returns the keys of an order, a subscription and a reservation in the middle, of their customer, and of an offer.
    """
    at = clock.now().replace(hour=9, minute=0, second=0, microsecond=0)
    author = db.session.execute(sa.select(User.id, User.name).where(User.organization_id == partner_id).order_by(User.id).limit(1)).one()
    known = sa.select(Customer.customer_id, Customer.public_id, Customer.search_text).where(
        Customer.partner_id == partner_id, Customer.state == RelationshipState.ACTIVE
    )
    buyers = db.session.execute(known.order_by(Customer.id).limit(customers)).all()
    offers, reserved = _offers(partner_id, at)
    dice = random.Random(11)
    order_id = (db.session.scalar(sa.select(sa.func.max(Order.id))) or 0) + 1
    subscription_id = (db.session.scalar(sa.select(sa.func.max(Subscription.id))) or 0) + 1
    middle: dict[str, UUID] = {}
    with loading(Order, Subscription, OrderLine, Charge, Reservation) as insert:
        for start in range(0, count, BATCH):
            rows: dict[Any, list[dict[str, Any]]] = {Order: [], Subscription: [], OrderLine: [], Charge: [], Reservation: []}
            for index in range(start, min(start + BATCH, count), LINES):
                buyer = buyers[(index // LINES) % len(buyers)]
                owner = {"partner_id": partner_id, "customer_id": buyer.customer_id, "reseller_id": None}
                ordered_at = at - timedelta(days=360 - index * 360 // count)
                order = _order(order_id, owner, ordered_at, author)
                for offer in dice.sample(offers, min(LINES, count - index)):
                    subscription = _subscription(subscription_id, owner, buyer.search_text, offer, order_id, ordered_at, at, dice)
                    today = 0 if offer["billing"] is Billing.USAGE else subscription["unit_minor"] * subscription["quantity"]
                    order["total_minor"] += today
                    rows[Subscription].append(subscription)
                    rows[OrderLine].append({
                        **owner, "order_id": order_id, "offer_id": offer["id"], "name": offer["name"], "quantity": subscription["quantity"],
                        "unit_minor": subscription["unit_minor"], "today_minor": today, "subscription_id": subscription_id,
                    })  # fmt: skip
                    if today:
                        rows[Charge].append({
                            **owner, "kind": ChargeKind.PERIOD, "at": ordered_at, "subscription_id": subscription_id, "quantity": subscription["quantity"],
                            "amount_minor": today, "currency": "EUR", "from_on": ordered_at.date(), "to_on": _period_of(ordered_at.date(), 1, ordered_at.date()).end,
                        })  # fmt: skip
                    subscription_id += 1
                if order_id % 5 == 0:
                    rows[Reservation].append(_reservation(owner, buyer.search_text, dice.choice(reserved), order, at))
                    if index >= count // 2 and not middle:
                        middle = {
                            "order": order["public_id"],
                            "subscription": subscription["public_id"],
                            "reservation": rows[Reservation][-1]["public_id"],
                            "customer": buyer.public_id,
                            "offer": offers[0]["public_id"],
                        }
                rows[Order].append(order)
                order_id += 1
            for model, made in rows.items():
                insert(model, made)
    return middle


def _offers(partner_id: int, at: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Those of subscriptions, and those of reservations."""
    first_id = (db.session.scalar(sa.select(sa.func.max(Offer.id))) or 0) + 1
    dice, made = random.Random(5), []
    for index in range(300):
        name = f"{PRODUCTS[index % len(PRODUCTS)]} {index // len(PRODUCTS) + 1}" if index < 240 else f"Server {index}"
        usage = PRODUCTS[index % len(PRODUCTS)] in ("Cloud plan", "Storage")
        made.append({
            "id": first_id + index, "public_id": uuid7(), "partner_id": partner_id, "sku": f"BENCH-{index}", "publisher": f"Publisher {index % 6}", "name": name,
            "name_key": normalise(name), "search_text": search_text(name, f"Publisher {index % 6}", f"BENCH-{index}"), "description": "", "category": f"Category {index % 9}",
            "segment": Segment.EDUCATION if index % 12 == 5 else None, "billing": Billing.USAGE if usage else Billing.LICENCE, "cycle": Cycle.ANNUAL if index % 5 == 0 and not usage else Cycle.MONTHLY,
            "term_months": 1 if usage and index < 240 else 12, "minimum": 1, "maximum": 10_000, "one_per_customer": False, "trial_days": 0, "add_on_of_id": None, "clouds": [], "markets": [],
            "instance_type": f"D{index % 8}" if index >= 240 else None, "region": f"Region {index % 5}" if index >= 240 else None, "withdrawn": index % 40 == 9, "withdrawn_reason": "", "created_at": at - timedelta(days=400), "version": 1,
        })  # fmt: skip
    prices = [
        {"partner_id": partner_id, "offer_id": offer["id"], "currency": currency, "from_on": at.date() - timedelta(days=days), "price_minor": 100 + dice.randrange(5000), "cost_minor": 80}
        for offer in made
        for currency in ("EUR", "CHF", "USD")
        for days in (400, 100)
    ]  # fmt: skip
    with loading(Offer, OfferPrice) as insert:
        insert(Offer, made)
        insert(OfferPrice, prices)
    return made[:240], made[240:]


def _order(order_id: int, owner: dict[str, Any], at: datetime, author: Any) -> dict[str, Any]:
    return {
        **owner, "id": order_id, "public_id": uuid7(), "key": uuid7(), "state": OrderState.PLACED, "state_at": at, "side": Side.CUSTOMER if order_id % 30 == 1 else Side.PARTNER,
        "currency": "EUR", "total_minor": 0, "ordered_at": at, "author_id": author.id, "author_name": author.name, "declined_reason": "", "version": 1,
    }  # fmt: skip


def _subscription(
    subscription_id: int, owner: dict[str, Any], customer: str, offer: dict[str, Any], order_id: int, ordered_at: datetime, at: datetime, dice: random.Random
) -> dict[str, Any]:
    state = {3: SubscriptionState.SUSPENDED, 4: SubscriptionState.EXPIRED, 5: SubscriptionState.CANCELLED}.get(subscription_id % 20, SubscriptionState.ACTIVE)
    starts_on = ordered_at.date()
    trial = at.date() + timedelta(days=subscription_id % 29 + 1) if subscription_id % 20 == 6 else None
    ends_on = trial or _period_of(starts_on, offer["term_months"], at.date()).end
    turns_on = {
        SubscriptionState.ACTIVE: ends_on, SubscriptionState.SUSPENDED: at.date() + timedelta(days=90),
    }.get(state, at.date() - timedelta(days=1))  # fmt: skip
    live = state in (SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED)
    return {
        **owner, "id": subscription_id, "public_id": uuid7(), "state": state, "state_at": ordered_at, "offer_id": offer["id"], "order_id": order_id, "base_id": None,
        "name": offer["name"], "name_key": offer["name_key"], "search_text": customer + offer["search_text"], "nickname": "", "billing": offer["billing"], "cycle": offer["cycle"],
        "term_months": offer["term_months"], "quantity": dice.randrange(1, 200), "next_quantity": None, "unit_minor": 100 + dice.randrange(5000), "currency": "EUR",
        "ordered_at": ordered_at, "anchor_on": starts_on, "starts_on": starts_on, "ends_on": ends_on, "billed_to": _period_of(starts_on, 1, at.date()).end,
        "trial_ends_on": trial if live else None, "auto_renew": subscription_id % 7 > 0, "cancels": False, "suspended_on": at.date() if state is SubscriptionState.SUSPENDED else None,
        "suspended_with_base": False, "due_on": ends_on, "turns_on": turns_on, "remind_on": turns_on - timedelta(days=30) if live else None,
        "support_contact_id": owner["partner_id"], "version": 1,
    }  # fmt: skip


def _reservation(owner: dict[str, Any], customer: str, offer: dict[str, Any], order: dict[str, Any], at: datetime) -> dict[str, Any]:
    starts_on = order["ordered_at"].date()
    ends_on = terms.add_months(starts_on, 12)
    return {
        **owner, "public_id": uuid7(), "state": ReservationState.ACTIVE if ends_on > at.date() else ReservationState.EXPIRED, "state_at": order["ordered_at"], "offer_id": offer["id"],
        "order_id": order["id"], "subscription_id": None, "replaces_id": None, "name": offer["name"], "search_text": customer + offer["search_text"], "instance_type": offer["instance_type"],
        "region": offer["region"], "term_months": 12, "scope": ReservationScope.SHARED, "quantity": 1 + order["id"] % 9, "paid_minor": 90_000, "refund_minor": None, "currency": "EUR",
        "starts_on": starts_on, "ends_on": ends_on, "bought_side": Side.PARTNER, "bought_by": "Solène Kerbrat", "version": 1,
    }  # fmt: skip


def let_buy(partner_id: int, purchases: int) -> None:
    """Maison Tellier's purchaser may buy reservations, and bought that many; one in 50 still waits for the partner."""
    at, category, buyer, agent = clock.now(), Category.RESERVATIONS, demo.actor(BUYER), demo.actor("agent@atelier-nuage.example")
    with scoped(Scope(partner_id=partner_id)):
        home = db.session.scalars(sa.select(Customer).where(Customer.customer_id == buyer.organization_id)).one()
        theirs = sa.select(Subscription).where(Subscription.customer_id == home.customer_id, Subscription.state == SubscriptionState.ACTIVE)
        subscription = db.session.scalars(theirs.limit(1)).one()
        subscription.billing = Billing.USAGE
        offer = db.session.scalars(sa.select(Offer).where(Offer.instance_type.is_not(None)).limit(1)).one()
        naming.name_owner(subscription, db.session.get_one(User, buyer.user_id), by=agent, at=at)
        permissions.set_limits(home, category, monthly_limit=Money(10**9, "EUR"), approval_above=None, notice=Notice.ALL_AGENTS, version=None, by=agent, at=at)
        permissions.turn_on(home, category, by=agent, at=at)
        made = {
            "partner_id": partner_id, "customer_id": home.customer_id, "category": category, "state_at": at, "offer_id": offer.id, "subscription_id": subscription.id,
            "quantity": 2, "unit_minor": 90_000, "total_minor": 180_000, "currency": "EUR", "author_id": buyer.user_id, "author_name": buyer.name, "author_email": buyer.email, "asked_at": at,
            "wanted": {"name": offer.name, "instance_type": offer.instance_type, "region": offer.region, "term_months": 12, "scope": "shared"}, "order_id": None, "version": 1,
        }  # fmt: skip
        db.session.commit()
    with loading(Purchase) as insert:
        states = [PurchaseState.WAITING, *[PurchaseState.DECLINED] * 49]
        months = [f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13)]
        insert(
            Purchase,
            [{**made, "public_id": uuid7(), "key": uuid7(), "state": states[number % 50], "month": months[number % 24]} for number in range(purchases)],
        )


def reading(sold: dict[str, UUID]) -> Cases:
    """Pages for all who see what was sold."""
    customer = f"/customers/{sold['customer']}"
    return {
        "subscriptions of a customer": (f"{customer}/subscriptions", {}),
        "subscription": (f"{customer}/subscriptions/{sold['subscription']}", {}),
        "subscriptions, first page": ("/subscriptions", {}),
        "subscriptions, last page": ("/subscriptions?last=1", {}),
        "subscriptions, suspended": ("/subscriptions?state=suspended", {}),
        "subscriptions, renewing": ("/subscriptions?renewing=1", {}),
        "subscriptions, trials": ("/subscriptions?trials=1", {}),
        "search in subscriptions, product (cloud)": ("/subscriptions?q=cloud", FRAGMENT),
        "search in subscriptions, customer (moreau)": ("/subscriptions?q=moreau", FRAGMENT),
        "search in subscriptions, both (moreau cloud)": ("/subscriptions?q=moreau+cloud", FRAGMENT),
        "search in subscriptions, rare (zymotechnik)": ("/subscriptions?q=zymotechnik", FRAGMENT),
        "search in subscriptions, two letters (mo)": ("/subscriptions?q=mo", FRAGMENT),
        "search in subscriptions, none (tionelx)": ("/subscriptions?q=tionelx", FRAGMENT),
        "reservations": ("/reservations", {}),
        "search in reservations (moreau)": ("/reservations?q=moreau", FRAGMENT),
        "search in reservations, none (tionelx)": ("/reservations?q=tionelx", FRAGMENT),
        "reservations of a customer": (f"{customer}/reservations", {}),
        "reservation": (f"{customer}/reservations/{sold['reservation']}", {}),
        "orders": ("/orders", {}),
        "orders, last page": ("/orders?last=1", {}),
        "orders, by customers": ("/orders?side=customer", {}),
        "search in orders, common (moreau)": ("/orders?q=moreau", FRAGMENT),
        "search in orders, rare (zymotechnik)": ("/orders?q=zymotechnik", FRAGMENT),
        "search in orders, two words": ("/orders?q=atelier+vidal", FRAGMENT),
        "search in orders, two letters (mo)": ("/orders?q=mo", FRAGMENT),
        "search in orders, none (tionelx)": ("/orders?q=tionelx", FRAGMENT),
        "orders of a customer": (f"{customer}/orders", {}),
        "order": (f"{customer}/orders/{sold['order']}", {}),
        "catalog": ("/catalog", {}),
        "catalog, withdrawn": ("/catalog?state=withdrawn", {}),
        "search in the catalog, common (suite)": ("/catalog?q=suite", FRAGMENT),
        "search in the catalog, none (tionelx)": ("/catalog?q=tionelx", FRAGMENT),
        "offer": (f"/catalog/{sold['offer']}", {}),
        "coming up": ("/coming-up", {}),
        "coming up, 7 days": ("/coming-up?days=7", {}),
    }


def ordering(sold: dict[str, UUID], home: UUID) -> Cases:
    """Pages for those who order; `home` is the customer that buys for itself."""
    cart = f"/customers/{sold['customer']}/cart"
    return {
        "cart": (cart, {}),
        "cart, search": (f"{cart}?q=shield", {}),
        "cart, review": (f"/customers/{home}/cart/review", {}),
        "permissions of a customer": (f"/customers/{home}/permissions", {}),
        "purchases that wait": ("/purchases", {}),
        "purchases": ("/purchases?state=all", {}),
    }


def shopping() -> Cases:
    """Pages of the customer."""
    return {
        "shop": ("/my/shop", {}),
        "shop, one region": ("/my/shop?region=Region+1", {}),
        "my purchases": ("/my/shop/purchases", {}),
        "my subscriptions": ("/my/subscriptions", {}),
        "my orders": ("/my/orders", {}),
    }
