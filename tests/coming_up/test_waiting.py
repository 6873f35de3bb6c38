"""Coming up: customers who wait for the partner, and reservations that end and are not renewed yet (R38, R74, R76)."""

from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import db, uuid7, writing
from portal.core.scope import Scope, scoped
from portal.permissions.models import Category, Purchase, PurchaseState
from portal.subscriptions.models import Offer
from tests.coming_up.test_coming_up import groups
from tests.subscriptions import test_reseller_orders as reseller_orders
from tests.subscriptions import world
from tests.subscriptions.reserved import asked, offered, page, requests, reserved, update
from tests.subscriptions.world import SALES, sold, tellier
from tests.support import make


def waiting(shown) -> dict[str, str]:
    """What waits, and what is wanted."""
    cells = ([" ".join(cell.get_text(" ").split()) for cell in line.select("td")] for line in shown.soup.select("#waiting tbody tr"))
    return {name: kind for name, kind, _since in cells}


def wished() -> str:
    """The public key of a purchase that waits for the partner."""
    (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
    offered("Wanted server")
    who, buyer, at = make.actor(SALES), make.actor("buyer@maison-tellier.example"), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        offer = db.session.query(Offer).filter_by(name="Wanted server").one()
        made = Purchase(
            customer_id=buyer.organization_id, key=uuid7(), category=Category.RESERVATIONS, state=PurchaseState.WAITING, state_at=at, month=f"{at:%Y-%m}",
            offer_id=offer.id, subscription_id=world._one(usage).id, quantity=1, unit_minor=1, total_minor=1, currency="EUR", wanted={}, author_id=buyer.user_id,
            author_name=buyer.name, author_email=buyer.email, asked_at=at,
        )  # fmt: skip
        db.session.add(made)
        db.session.flush()
        key = str(made.public_id)
        db.session.commit()
    return key


def test_customers_who_wait_stand_first_with_links(people):
    """R74, R76"""
    public_id, purchase = reserved(), wished()
    asked(public_id, "exchange")

    shown = people(SALES).get("/coming-up")

    assert waiting(shown) == {"Small server Maison Tellier": "Exchange for another reservation", "Wanted server Maison Tellier": "Purchase to approve"}
    assert shown.has_link(page(public_id))
    assert shown.has_link(f"/purchases/{purchase}")
    assert shown.soup.select_one("#results .panel")["id"] == "waiting"
    assert people(SALES).get("/").has_link("/reservations?asked=1")


@pytest.mark.parametrize(("who", "number"), [("helpdesk", 2), ("billing", 1), ("users", 0)])
def test_each_kind_is_for_those_who_see_it(people, who, number):
    asked(reserved())
    wished()

    assert len(waiting(people(f"{who}@atelier-nuage.example").get("/coming-up"))) == number


def test_nothing_of_another_partner_waits(people):
    """R2"""
    asked(reserved())

    assert waiting(people("admin@studio-cumulus.example").get("/coming-up")) == {}


def test_what_a_reseller_asks_for_waits_for_its_provider_alone(people):
    """R41"""
    order = reseller_orders.asked(people)

    shown = people(reseller_orders.SALES).get("/coming-up")

    assert list(waiting(shown).values()) == ["Order to place"]
    assert shown.has_link(order.replace(order.split("/")[2], str(make.organization(reseller_orders.MAREC).public_id)))
    assert waiting(people(reseller_orders.RESELLERS_SALES).get("/coming-up")) == {}


def test_what_is_answered_waits_no_longer(people):
    public_id = reserved()
    asked(public_id)
    sales, url = people(SALES), f"{page(public_id)}/cancellation"

    sales.submit(sales.get(url), url)

    assert [request.state.value for request in requests()] == ["done"]
    assert waiting(sales.get("/coming-up")) == {}


def test_a_long_row_of_them_is_cut(people, monkeypatch):
    monkeypatch.setattr("portal.coming_up.waiting.MOST", 2)
    for number in range(4):
        asked(reserved(f"Server {number}"))

    shown = people(SALES).get("/coming-up")

    assert list(waiting(shown)) == ["Server 0 Maison Tellier", "Server 1 Maison Tellier"]
    assert "And more, once these are answered." in shown.text


def test_a_reservation_that_is_renewed_lapses_no_more(people):
    """R38"""
    near, renewed = reserved("Near"), reserved("Renewed")
    for public_id in (near, renewed):
        update(public_id, ends_on=clock.today() + timedelta(days=20))
    sales, url = people(SALES), f"{page(renewed)}/renewal"

    sales.submit(sales.get(url), url)

    assert groups(sales.get("/coming-up")) == {"In 8 to 30 days": ["Near"]}
    assert tellier() in page(near)
