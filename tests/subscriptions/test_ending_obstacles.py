"""What of subscriptions and reservations stands in the way of ending a relationship, and what ending does with it (R35, R36)."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions import advancing, ordering, service, subscribers
from portal.subscriptions.models import Cart, Charge, ChargeKind, Reservation, ReservationState, SubscriptionState
from tests.subscriptions import rows
from tests.subscriptions.world import ADMIN, SALES, change, row, sold, tellier
from tests.support import make

S = SubscriptionState


def reserved(name: str, **details: Any) -> None:
    """A reservation of Maison Tellier's, of a new offer."""
    sold_to = {"instance_type": "D2", "region": "westeurope", "cycle": "annual", "price": 120_000, **details}
    who, at = make.actor(SALES), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        rows.place({rows.offer(name.replace(" ", "-"), by=who, at=at, name=name, **sold_to): 1}, by=who, at=at)
        db.session.commit()


def obstacles(page) -> list[str]:
    return [link.get_text(strip=True) for link in page.soup.select("main .notice.warn li a")]


def test_each_active_one_is_listed_with_a_link(people):
    """R35"""
    office, backup = sold("Office Suite", "Backup")
    change(backup, service.suspend)
    reserved("Small server")

    page = people(ADMIN).get(f"{tellier()}/ending")

    assert obstacles(page) == ["Subscription Office Suite, 5 licences", "Reservation Small server. Cancelling it refunds €1,200.00."]
    assert page.has_link(f"{tellier()}/subscriptions/{office}")
    assert not page.soup.select("[name=typed_name]")


def test_a_long_list_is_cut_and_counted(people, monkeypatch):
    monkeypatch.setattr(subscribers, "LISTED", 2)
    sold(*(f"Product {number}" for number in range(5)), quantity=1)
    for number in range(4):
        reserved(f"Server {number}")

    page = people(ADMIN).get(f"{tellier()}/ending")

    assert obstacles(page)[2] == "3 more active subscriptions"
    assert obstacles(page)[-1] == "2 more active reservations. Cancelling them refunds €2,400.00."
    assert page.has_link(f"{tellier()}/subscriptions?state=active")


def test_one_confirmed_step_clears_the_way_and_the_relationship_ends(people):
    """R35, R36: from the obstacle to the former customer."""
    (base,) = sold("Office Suite")
    (extra,) = sold("Mail Guard", add_on_of="Office-Suite")
    sold("Backup")
    reserved("Small server")
    admin, url = people(ADMIN), f"{tellier()}/ending"
    page = admin.get(url)
    admin.post(url, {"typed_name": "Maison Tellier", "reason": "x"}, 422)

    cleared = admin.submit(page, f"{url}/clearing")

    assert (row(base).state, row(extra).state) == (S.SUSPENDED, S.SUSPENDED)
    with scoped(EVERYTHING):
        assert db.session.scalars(sa.select(Reservation.state)).all() == [ReservationState.CANCELLED]
        assert db.session.scalars(sa.select(Charge.amount_minor).where(Charge.kind == ChargeKind.REFUND)).all() == [-120_000]
    former = admin.submit(cleared, url, typed_name="Maison Tellier", reason="Moved to another partner.")
    assert former.url == "/customers/former"
    assert row(base).support_contact_id is None


def test_what_came_into_the_way_meanwhile_is_listed_before_anything_is_cleared(people):
    """R35: nothing is cancelled, and nothing refunded, that the page did not name."""
    sold("Office Suite")
    admin, url = people(ADMIN), f"{tellier()}/ending"
    page = admin.get(url)
    reserved("Small server")

    again = admin.submit(page, f"{url}/clearing", status=409)

    assert "has changed meanwhile" in again.errors[""]
    assert obstacles(again)[1] == "Reservation Small server. Cancelling it refunds €1,200.00."
    with scoped(EVERYTHING):
        assert db.session.scalars(sa.select(Reservation.state)).all() == [ReservationState.ACTIVE]
    admin.submit(again, f"{url}/clearing")
    db.session.rollback()
    with scoped(EVERYTHING):
        assert db.session.scalars(sa.select(Reservation.state)).all() == [ReservationState.CANCELLED]


def test_clearing_twice_does_it_once(people):
    sold("Office Suite")
    reserved("Small server")
    admin, url = people(ADMIN), f"{tellier()}/ending"
    page = admin.get(url)

    for _ in range(2):
        admin.submit(page, f"{url}/clearing")

    db.session.rollback()
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count(Charge.id)).where(Charge.kind == ChargeKind.REFUND)) == 1


def test_suspended_ones_are_in_nobodys_way_and_expire_in_their_time(people):
    """R35"""
    (public_id,) = sold("Office Suite")
    change(public_id, service.suspend)
    admin, url = people(ADMIN), f"{tellier()}/ending"

    admin.submit(admin.get(url), url, typed_name="Maison Tellier", reason="Moved.")

    db.session.rollback()
    with writing():
        advancing.advance_due(at=clock.now() + timedelta(days=90))
        db.session.commit()
    assert row(public_id).state is S.EXPIRED


def test_what_was_in_a_cart_is_dropped(people):
    """R36: no new purchase."""
    who, at = make.actor(SALES), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        cart = ordering.cart_of(rows.tellier(), by=who, at=at)
        ordering.put(cart, rows.offer("SUITE", by=who, at=at), 3, at=at)
        db.session.commit()
    admin, url = people(ADMIN), f"{tellier()}/ending"

    admin.submit(admin.get(url), url, typed_name="Maison Tellier", reason="Moved.")

    db.session.rollback()
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count(Cart.id))) == 0


def test_another_partners_subscriptions_are_nobodys_business(people):
    """R26"""
    (public_id,) = sold("Office Suite")
    cumulus = make.customer("Chez Cumulus", "chez-cumulus.example", by="admin@studio-cumulus.example")
    stranger = people("admin@studio-cumulus.example")

    page = stranger.get(f"/customers/{cumulus.public_id}/ending")

    assert obstacles(page) == []
    assert row(public_id).state is S.ACTIVE
