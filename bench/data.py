"""Makes a partner with very many customers and subscriptions, quickly and always the same."""

import functools
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization, User
from portal.agreements.models import AgreementState
from portal.core import clock
from portal.core.access import Cloud, Side
from portal.core.db import db, uuid7
from portal.core.words import normalise, search_text
from portal.customers.models import Customer, CustomerTag, RelationshipState, Segment
from portal.subscriptions import terms
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
    Subscription,
    SubscriptionState,
)

FIRST = [
    "Atelier",
    "Boulangerie",
    "Cabinet",
    "Domaine",
    "Établissements",
    "Fonderie",
    "Garage",
    "Hôtel",
    "Imprimerie",
    "Jardins",
    "Librairie",
    "Menuiserie",
    "Pharmacie",
    "Société",
    "Transports",
]
SECOND = [
    "Moreau",
    "Delacroix",
    "Brandt",
    "Köhler",
    "Ferraro",
    "Ibáñez",
    "Jansen",
    "Whitcombe",
    "Perret",
    "Lambert",
    "Novak",
    "Olsen",
    "Quesnel",
    "Rossi",
    "Schäfer",
    "Tanguy",
    "Urbain",
    "Vidal",
    "Weiß",
    "Zeller",
]
THIRD = ["Nord", "Sud", "Ouest", "Est", "Centre", "Rive", "Plage", "Mont", "Val", "Port"]
BATCH = 5000


def load(number: int) -> UUID:
    """`number` customers of Atelier Nuage; one in 5,000 is a rare one. Returns the ID of one in the middle."""
    partner = db.session.scalars(sa.select(Organization.id).where(Organization.domain == "atelier-nuage.example")).one()
    author = db.session.scalars(sa.select(User.id).where(User.organization_id == partner).limit(1)).one()
    dice = random.Random(7)
    at = clock.now() - timedelta(days=100)
    first_id = (db.session.scalar(sa.select(sa.func.max(Organization.id))) or 0) + 1
    connection = _roomy(db.session.connection())
    middle = None
    for start in range(0, number, BATCH):
        organizations, customers, tags = [], [], []
        for index in range(start, min(start + BATCH, number)):
            word = "Zymotechnik" if index % 5000 == 77 else dice.choice(FIRST)
            name = f"{word} {dice.choice(SECOND)} {dice.choice(THIRD)} {dice.randrange(1000)}"
            domain = f"{normalise(name).replace(' ', '-')}-{index}.example"
            organization_id, public_id = first_id + index, uuid7()
            middle = public_id if index == number // 2 else middle
            organizations.append({
                "id": organization_id, "public_id": public_id, "side": Side.CUSTOMER, "partner_type": None, "cloud": Cloud.PUBLIC, "name": name, "domain": domain,
                "country": "FR", "street": "1 rue Haute", "city": "Nantes", "postal_code": "44000", "district": "", "region": "", "tax_id": "", "added_by_id": partner, "created_at": at, "version": 1,
            })  # fmt: skip
            state = RelationshipState.PENDING if index % 40 == 3 else RelationshipState.ENDED if index % 90 == 8 else RelationshipState.ACTIVE
            customers.append({
                "id": organization_id, "partner_id": partner, "customer_id": organization_id, "public_id": public_id, "name": name, "name_key": normalise(name), "domain": domain, "country": "FR",
                "search_text": search_text(name, domain), "state": state, "state_at": at, "agreement": dice.choice(list(AgreementState)), "created_at": at, "started_at": at,
                "first_name": "Jo", "last_name": "Blin", "email": f"contact@{domain}", "phone": "", "language": "fr", "segment": Segment.COMMERCIAL, "notes": "", "version": 1,
                "billing_contact": "", "billing_email": "", "billing_street": "", "billing_district": "", "billing_city": "", "billing_region": "", "billing_postal_code": "",
            })  # fmt: skip
            if index % 10 == 0:
                tags.append({"partner_id": partner, "record_id": organization_id, "tag": f"tag {index % 70}"})
        connection.execute(sa.insert(Organization.__table__), organizations)
        connection.execute(sa.insert(Customer.__table__), customers)
        connection.execute(sa.insert(CustomerTag.__table__), tags)
    db.session.commit()
    assert middle is not None and author
    return middle


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


def load_subscriptions(partner_id: int, customers: int, count: int) -> dict[str, UUID]:
    """`count` subscriptions, two an order, of the first `customers` active customers of a partner, with 240 offers and their prices.

    Most are active; one in 20 each is suspended, expired, cancelled, on trial. Returns the keys of an order and a subscription in the middle,
    of their customer, and of an offer.
    """
    at = clock.now().replace(hour=9, minute=0, second=0, microsecond=0)
    author = db.session.execute(sa.select(User.id, User.name).where(User.organization_id == partner_id).order_by(User.id).limit(1)).one()
    known = sa.select(Customer.customer_id, Customer.public_id, Customer.search_text).where(
        Customer.partner_id == partner_id, Customer.state == RelationshipState.ACTIVE
    )
    buyers = db.session.execute(known.order_by(Customer.id).limit(customers)).all()
    offers = _offers(partner_id, at)
    dice = random.Random(11)
    connection = _roomy(db.session.connection())
    order_id = (db.session.scalar(sa.select(sa.func.max(Order.id))) or 0) + 1
    subscription_id = (db.session.scalar(sa.select(sa.func.max(Subscription.id))) or 0) + 1
    middle: dict[str, UUID] = {}
    for start in range(0, count, BATCH):
        rows: dict[Any, list[dict[str, Any]]] = {Order: [], Subscription: [], OrderLine: [], Charge: []}
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
                if len(rows[Subscription]) + start >= count // 2 and not middle:
                    middle = {
                        "order": order["public_id"],
                        "subscription": subscription["public_id"],
                        "customer": buyer.public_id,
                        "offer": offers[0]["public_id"],
                    }
                subscription_id += 1
            rows[Order].append(order)
            order_id += 1
        for model, made in rows.items():
            connection.execute(sa.insert(model.__table__), made)
    db.session.commit()
    return middle


def _offers(partner_id: int, at: datetime) -> list[dict[str, Any]]:
    first_id = (db.session.scalar(sa.select(sa.func.max(Offer.id))) or 0) + 1
    dice, made = random.Random(5), []
    for index in range(240):
        name = f"{PRODUCTS[index % len(PRODUCTS)]} {index // len(PRODUCTS) + 1}"
        usage = PRODUCTS[index % len(PRODUCTS)] in ("Cloud plan", "Storage")
        made.append({
            "id": first_id + index, "public_id": uuid7(), "partner_id": partner_id, "sku": f"BENCH-{index}", "publisher": f"Publisher {index % 6}", "name": name,
            "name_key": normalise(name), "search_text": search_text(name, f"Publisher {index % 6}", f"BENCH-{index}"), "description": "", "category": f"Category {index % 9}",
            "segment": Segment.EDUCATION if index % 12 == 5 else None, "billing": Billing.USAGE if usage else Billing.LICENCE, "cycle": Cycle.ANNUAL if index % 5 == 0 and not usage else Cycle.MONTHLY,
            "term_months": 1 if usage else 12, "minimum": 1, "maximum": 10_000, "one_per_customer": False, "trial_days": 0, "add_on_of_id": None, "clouds": [], "markets": [],
            "instance_type": None, "region": None, "withdrawn": index % 40 == 9, "withdrawn_reason": "", "created_at": at - timedelta(days=400), "version": 1,
        })  # fmt: skip
    prices = [
        {"partner_id": partner_id, "offer_id": offer["id"], "currency": currency, "from_on": at.date() - timedelta(days=days), "price_minor": 100 + dice.randrange(5000), "cost_minor": 80}
        for offer in made
        for currency in ("EUR", "CHF", "USD")
        for days in (400, 100)
    ]  # fmt: skip
    connection = db.session.connection()
    connection.execute(sa.insert(Offer.__table__), made)
    connection.execute(sa.insert(OfferPrice.__table__), prices)
    return made


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


def _roomy(connection: sa.Connection) -> sa.Connection:
    """On SQLite, memory for the indexes: with as little as a server takes, loading so much writes every page many times over."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA cache_size=-300000")
    return connection
