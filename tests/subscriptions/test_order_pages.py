"""Orders as both sides read them: of one customer, over all customers, and a customer's own (R2, R75, R81, R101)."""

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.access import Cloud, Side
from portal.core.db import db, uuid7, writing
from portal.core.finding import Finder
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers import queries as customers
from portal.subscriptions import order_queries, ordering
from portal.subscriptions.models import Order
from portal.subscriptions.texts_orders import number
from tests.subscriptions import rows, world
from tests.support import make

SALES = "sales@atelier-nuage.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def ordered(name="Suite", *, customer="maison-tellier.example", by=SALES, side=Side.PARTNER, quantity=3, **details):
    """A new offer, ordered; its order's key and number."""
    who = make.actor(by)
    at = clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        offer = rows.offer(f"{name}-{uuid7().hex[-6:]}", by=who, at=at, name=name, **details)
        record = customers.record_of(make.organization(customer).id)
        quoted = ordering.quotes({str(offer.public_id): quantity}, record, cloud=Cloud.PUBLIC, today=at.date())
        made = ordering.place(uuid7(), quoted, record, side=side, by=who, at=at)
        found = str(made.public_id), number(made)
        db.session.commit()
    return found


def other_customer(name="Fonderie Sarrault", domain="fonderie-sarrault.example"):
    """Another customer of Atelier Nuage's, with its agreement attested; its key."""
    from portal.agreements.service import AttestationEntry, attest

    key, by = make.customer(name, domain).public_id, make.actor(SALES)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        attest(make.organization(domain), AttestationEntry("Ann", "Sarrault", "ann@sarrault.example", "", clock.today()), by=by, at=clock.now())
        db.session.commit()
    return key


def numbers(page):
    return [link.get_text(strip=True) for link in page.soup.select("td.title a")]


def test_an_order_shows_who_ordered_what_and_leads_to_its_subscriptions(people):
    """R81"""
    key, label = ordered("Suite", quantity=3, price=1200)
    page = people(SALES).get(f"{world.tellier()}/orders/{key}")

    assert page.h1 == f"Order {label}"
    for shown in ("Maison Tellier", "Inès Caradec (Partner)", "Placed", "Suite", "€12.00 a month", "€36.00 a month", "Charged at once, without tax €36.00"):
        assert shown in page.text
    assert people(SALES).get(page.soup.select_one("td.title a")["href"]).h1.startswith("Suite")


def test_the_orders_of_a_customer(people):
    """R81"""
    first, second = ordered("Suite"), ordered("Plan")
    other_customer()
    ordered("Elsewhere", customer="fonderie-sarrault.example")
    page = people("billing@atelier-nuage.example").get(f"{world.tellier()}/orders")

    assert numbers(page) == [second[1], first[1]]
    assert page.has_link(f"{world.tellier()}/orders/{first[0]}")
    assert not page.has_link(f"{world.tellier()}/cart")
    assert people(SALES).get(f"{world.tellier()}/orders").has_link(f"{world.tellier()}/cart")


@BOTH_SHAPES
def test_orders_over_all_customers_are_searched_and_filtered(people, htmx, monkeypatch):
    """R101: by any part of the customer's name."""
    other_customer()
    mine, bought = ordered("Suite"), ordered("Machine", side=Side.CUSTOMER, instance_type="D4", region="West")
    theirs = ordered("Plan", customer="fonderie-sarrault.example")
    sales = people(SALES)

    def found(query=""):
        return numbers(sales.get(f"/orders{query}", htmx=htmx))

    assert found() == [theirs[1], bought[1], mine[1]]
    assert found("?side=customer") == [bought[1]]
    assert found("?state=placed&side=partner") == [theirs[1], mine[1]]
    assert found("?state=declined") == []
    for window in (8000, 1):  # the newest rows, and the trigram index
        monkeypatch.setattr(
            order_queries, "_finder",
            Finder(Order, order_queries._finder.columns, {"newest": order_queries.NEWEST}, order_queries._filtered, order_queries._filter_values, window=window, through=order_queries._finder.through),
        )  # fmt: skip
        assert found("?q=sarr") == [theirs[1]]
        assert found("?q=TELLIER") == [bought[1], mine[1]]
        assert found("?q=tellier&side=customer") == [bought[1]]
        assert found("?q=nobody") == []


def test_the_pages_of_a_list_make_up_the_list(people):
    """R101"""
    for _ in range(3):
        ordered()
    at, by = clock.now(), make.actor(SALES)
    tellier = make.organization("maison-tellier.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        for _ in range(104):
            db.session.add(Order(partner_id=by.organization_id, customer_id=tellier.id, key=uuid7(), state_at=at, side=Side.PARTNER, currency="EUR", total_minor=1, ordered_at=at, author_name="Ann"))  # fmt: skip
        db.session.commit()
    for who, path in ((SALES, "/orders"), (SALES, f"{world.tellier()}/orders"), ("admin@maison-tellier.example", "/my/orders")):
        visitor = people(who)
        page, found = visitor.get(path), []
        while True:
            found += numbers(page)
            following = page.soup.select_one("a[rel=next]")
            if following is None:
                break
            page = visitor.get(following["href"])
        assert len(found) == len(set(found)) == 107
        assert "107 in all" in page.text


def test_a_customer_sees_its_orders_from_all_its_partners(people):
    """R75, R26"""
    mine = ordered("Suite")
    other_customer()
    ordered("Elsewhere", customer="fonderie-sarrault.example")
    for who in ("admin@maison-tellier.example", "buyer@maison-tellier.example"):
        page = people(who).get("/my/orders")
        assert numbers(page) == [mine[1]]
        assert "Atelier Nuage" in page.text
        page = people(who).get(f"/my/orders/{mine[0]}")
        assert page.h1 == f"Order {mine[1]}"
        assert people(who).get(page.soup.select_one("td.title a")["href"]).h1.startswith("Suite")
    people("staff@maison-tellier.example").get("/my/orders", 403)


def test_nobody_elses_order_opens(people):
    """R2, S24"""
    mine = ordered("Suite")
    other = other_customer()
    theirs = ordered("Plan", customer="fonderie-sarrault.example")

    people("admin@maison-tellier.example").get(f"/my/orders/{theirs[0]}", 404)
    people("admin@verrerie-odile.example").get(f"/my/orders/{mine[0]}", 404)
    people("admin@studio-cumulus.example").get(f"{world.tellier()}/orders/{mine[0]}", 404)
    people(SALES).get(f"/customers/{other}/orders/{mine[0]}", 404)
    assert numbers(people("admin@studio-cumulus.example").get("/orders")) == []


def test_what_was_ordered_stays_readable_after_the_relationship_ended(people):
    """R36"""
    with scoped(EVERYTHING):
        forge = make.organization("ancienne-forge.example").public_id
        pending = make.organization("brasserie-pendante.example").public_id
        db.session.rollback()
    assert "No orders yet" in people(SALES).get(f"/customers/{forge}/orders").text
    people(SALES).get(f"/customers/{pending}/orders", 404)


def test_the_customer_page_shows_the_latest_subscriptions(people):
    world.sold(*[f"Product {count}" for count in range(7)])
    page = people(SALES).get(world.tellier())

    assert [link.get_text() for link in page.soup.select("#subscriptions td.title a")] == [f"Product {count}" for count in range(6, 1, -1)]
    assert page.has_link(f"{world.tellier()}/cart")
    assert not people("users@atelier-nuage.example").get(world.tellier()).soup.select("#subscriptions")


@pytest.mark.parametrize("path", ["/orders", "/my/orders"])
def test_an_empty_list_says_what_comes(people, path):
    page = people("admin@maison-tellier.example" if path.startswith("/my") else SALES).get(path)

    assert "No orders yet" in page.text


def test_an_order_is_logged_for_both_sides(people):
    """R95"""
    ordered("Suite")

    for who, path in ((SALES, "/activity"), ("admin@maison-tellier.example", "/my/activity")):
        page = people(who).get(path)
        assert "Order placed" in page.text
        assert "3 × Suite" in page.text


def test_a_customers_own_purchase_sends_no_note_of_the_partners(people):
    from tests.support import mail

    ordered("Machine", side=Side.CUSTOMER, instance_type="D4", region="West")

    assert [message for message in mail.all_to() if message.mail.kind == "orders/placed"] == []
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count(Order.id))) == 1
