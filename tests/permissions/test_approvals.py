"""Purchases that wait for the partner: the list, the page, approving, declining, and the mail to both sides (R73-R76)."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.core import audit, clock
from portal.core.access import Cloud
from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import RelationshipState
from portal.permissions import queries, service
from portal.permissions.models import PurchaseState
from portal.subscriptions import naming
from portal.subscriptions import service as subscriptions
from portal.subscriptions.models import Order, Reservation
from tests.permissions import world
from tests.permissions.test_buying import at_once
from tests.permissions.world import ADMIN, AGENT, BUYER, HELPDESK, SALES
from tests.subscriptions import rows
from tests.subscriptions.world import change, tellier
from tests.support import mail, make

S = PurchaseState
WHAT = "D4 in France"


def at(purchase_id: str, *parts: str) -> str:
    return "/".join(("/purchases", purchase_id, *parts))


@pytest.fixture
def waiting(app) -> str:
    """One that waits: two pieces for 2,000.00, above 1,500.00."""
    world.turned_on(month=500_000, above=150_000)
    return world.bought(2)


def approve(visitor, key, status=200):
    return visitor.submit(visitor.get(at(key)), at(key, "approval"), status=status)


def decline(visitor, key, reason="Not this month.", status=200):
    return visitor.submit(visitor.get(at(key)), at(key, "declining"), status=status, reason=reason)


def reservations() -> list[Reservation]:
    db.session.rollback()
    with scoped(EVERYTHING):
        return list(db.session.scalars(sa.select(Reservation)))


def orders() -> int:
    db.session.rollback()
    with scoped(EVERYTHING):
        return int(db.session.scalar(sa.select(sa.func.count(Order.id)).where(Order.side == "customer")) or 0)


def listed(page) -> list[str]:
    return [str(link["href"]).rpartition("/")[2] for link in page.soup.select("#results td.title a")]


# --- the page


def test_the_page_tells_all_that_one_needs_to_decide(people, waiting):
    """R76"""
    world.bought(1)
    page = people(SALES).get(at(waiting))

    assert page.h1 == f"Maison Tellier: 2 × {WHAT}"
    for told in (
        "Waits for approval", "Hugo Vasseur", BUYER, "D4", "France Central", "1 year", "Shared by all subscriptions", "€1,000.00", "€2,000.00",
        "Approval above €1,500.00", "Monthly limit €5,000.00", "Waiting, this one included €2,000.00", "Left after all of these €2,000.00",
    ):  # fmt: skip
        assert told in page.text


def test_the_answer_comes_first_on_the_page(people, waiting):
    """R76: approving is not two screens down on a phone, and declining is one step from it."""
    page = people(SALES).get(at(waiting))

    assert next(panel.get("id") for panel in page.soup.select("main section.panel")) == "approve"
    assert page.soup.select_one("#approve a")["href"] == "#decline"


def test_approving_buys_it_in_the_customers_name(people, waiting):
    """R75, R76"""
    page = approve(people(SALES), waiting)

    made = world.purchase(waiting)
    assert page.flashes == [f"Approved: 2 × {WHAT} is bought for Maison Tellier, at €2,000.00."]
    assert "Bought" in page.text
    assert (made.state, made.decided_by) == (S.PLACED, "Inès Caradec")
    assert [(row.quantity, row.bought_by) for row in reservations()] == [(2, "Hugo Vasseur")]
    assert page.soup.select("main form") == []
    order = next(str(link["href"]) for link in page.soup.select("a") if "/orders/" in str(link.get("href")))
    assert people(SALES).get(order).h1.startswith("Order")


def test_declining_needs_a_reason_and_tells_it(people, waiting):
    """R76"""
    sales = people(SALES)
    assert "Fill this in." in decline(sales, waiting, "", 422).errors["reason"]
    assert "at most 1000" in decline(sales, waiting, "x" * 1001, 422).errors["reason"]

    page = decline(sales, waiting, "Too many.\nTake one.")

    assert page.flashes == ["Declined. Hugo Vasseur is told by e-mail."]
    assert "Too many. Take one." in page.text
    assert world.purchase(waiting).state is S.DECLINED
    assert reservations() == []


def test_what_is_declined_no_longer_counts(people, waiting):
    """R76"""
    decline(people(SALES), waiting)

    assert "Left €5,000.00" in people(SALES).get(f"{tellier()}/permissions").text


def test_what_passes_the_limit_that_was_lowered_is_not_approved_and_the_page_says_why(people, waiting):
    """R76"""
    sales = people(SALES)
    page = sales.get(at(waiting))
    world.limits(month=150_000, above=100_000)

    refused = sales.submit(page, at(waiting, "approval"), status=409)

    assert "This passes the monthly limit of €1,500.00" in refused.text
    assert [form["action"] for form in refused.soup.select("main form")] == [at(waiting, "declining")]
    assert (world.purchase(waiting).state, reservations()) == (S.WAITING, [])
    world.limits(month=200_000)
    approve(sales, waiting)
    assert world.purchase(waiting).state is S.PLACED


def test_last_months_purchase_is_shown_beside_the_present_month(people, waiting):
    """R76"""
    with clock.shifted(timedelta(days=31)):
        page = people(SALES).get(at(waiting))
        assert f"Bought in {clock.now():%B %Y} €0.00 Waiting, this one included €2,000.00" in page.text
        approve(people(SALES), waiting)
        assert "Left €3,000.00" in people(SALES).get(f"{tellier()}/permissions").text


def test_opening_changes_nothing(people, waiting):
    """What opens links in mail does not approve."""
    for path in (at(waiting), "/purchases"):
        people(AGENT).get(path)
    for path in (at(waiting, "approval"), at(waiting, "declining")):
        people(AGENT).get(path, status=405)

    assert world.purchase(waiting).state is S.WAITING


# --- decided meanwhile


def test_approving_twice_buys_once(people, waiting):
    """A double click, and two people."""
    first, second = people(AGENT), people(SALES)
    pages = [visitor.get(at(waiting)) for visitor in (first, second)]
    first.submit(pages[0], at(waiting, "approval"))
    for visitor, page in ((first, pages[0]), (second, pages[1])):
        assert visitor.submit(page, at(waiting, "approval")).flashes == ["This is bought already."]

    assert len(reservations()) == orders() == 1
    assert world.purchase(waiting).decided_by == "Théo Marchand"


def test_approved_by_several_at_once_it_is_bought_once(app, waiting):
    """S29"""

    def work(number):
        purchase, customer = queries.locked(UUID(waiting))
        service.approve(purchase, customer, cloud=Cloud.PUBLIC, by=make.actor(AGENT), at=clock.now())
        return purchase

    results = at_once(app, make.actor(AGENT), work, 5)

    assert sorted(results) == ["placed", *["refused"] * 4]
    assert len(reservations()) == orders() == 1


def test_what_was_taken_back_cannot_be_answered(people, waiting):
    sales = people(SALES)
    page = sales.get(at(waiting))
    world.withdrawn(waiting)

    for command, fields in (("approval", {}), ("declining", {"reason": "Late."})):
        answer = sales.submit(page, at(waiting, command), status=409, **fields)
        assert "no longer waits" in answer.text
        assert "Taken back" in answer.text
        assert answer.soup.select("main form") == []
    assert world.purchase(waiting).state is S.WITHDRAWN
    assert reservations() == []


def test_what_somebody_decided_stays_decided(people, waiting):
    sales = people(SALES)
    page = sales.get(at(waiting))
    decline(people(AGENT), waiting)

    answer = sales.submit(page, at(waiting, "approval"), status=409)

    assert "Declined" in answer.text
    assert "Théo Marchand" in answer.text
    assert reservations() == []


def test_declining_what_is_bought_is_refused(people, waiting):
    sales = people(SALES)
    page = sales.get(at(waiting))
    approve(people(AGENT), waiting)

    assert "Nothing was done" in sales.submit(page, at(waiting, "declining"), status=409, reason="Late.").text
    assert world.purchase(waiting).state is S.PLACED


# --- what it needs is gone


def test_with_the_permission_off_it_says_so_and_where_to_turn_it_on(people, waiting):
    """R74"""
    agent = people(AGENT)
    earlier = agent.get(at(waiting))
    world.turned_off()
    page = agent.get(at(waiting))

    assert "The permission to buy was switched off." in page.text
    assert page.has_link(f"{tellier()}/permissions")
    assert page.soup.select_one("#approve") is None
    refused = agent.submit(earlier, at(waiting, "approval"), status=409)
    assert "The permission to buy is off" in refused.text
    assert world.purchase(waiting).state is S.WAITING
    decline(agent, waiting)
    assert world.purchase(waiting).state is S.DECLINED


def test_with_the_subscription_suspended_it_cannot_be_approved(people, waiting):
    """R74: checked again in full."""
    agent = people(AGENT)
    earlier = agent.get(at(waiting))
    for key in world.live():
        change(key, subscriptions.suspend)

    assert "something that it needs is missing" in agent.submit(earlier, at(waiting, "approval"), status=409).text
    assert reservations() == []


def test_when_the_buyer_no_longer_owns_the_subscription_it_cannot_be_approved(people, waiting):
    """R74"""
    (key,) = world.live()
    world.own(key, "admin@maison-tellier.example")
    buyer = world.user(BUYER)
    change(key, lambda row, **options: naming.take_owner(row, buyer, **options))

    page = approve(people(AGENT), waiting, 409)

    assert "Hugo Vasseur is no longer an owner" in page.text
    assert world.purchase(waiting).state is S.WAITING


# --- who


def test_a_helpdesk_agent_only_reads(people, waiting):
    helpdesk = people(HELPDESK)
    page = helpdesk.get(at(waiting))

    assert page.soup.select("main form") == []
    assert "approves or declines it" in page.text
    for command in ("approval", "declining"):
        helpdesk.post(at(waiting, command), {"reason": "x"}, status=403)


@pytest.mark.parametrize("who", ["admin@studio-cumulus.example", "admin@grossiste-azur.example"])
def test_another_partner_knows_of_nothing(people, waiting, who):
    """R2"""
    stranger = people(who)

    assert listed(stranger.get("/purchases?state=all")) == []
    assert listed(stranger.get(f"/purchases?state=all&customer={tellier().rpartition('/')[2]}")) == []
    stranger.get(at(waiting), status=404)
    for command in ("approval", "declining"):
        stranger.post(at(waiting, command), {"reason": "x"}, status=404)


# --- the list


def test_the_list_says_when_it_was_asked_in_the_days_of_the_reader(people, waiting):
    with clock.shifted(timedelta(days=3)):
        assert "3 days ago" in people(SALES).get("/purchases").text
    assert "today" in people(SALES).get("/purchases").text


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_the_list_begins_with_what_waits_the_longest_first(people, waiting, htmx):
    """R101"""
    small, later = world.bought(1), world.bought(2)
    sales = people(SALES)

    def found(asked):
        return listed(sales.get(f"/purchases{asked}", htmx=htmx))

    assert found("") == [waiting, later]
    decline(people(AGENT), later)
    assert (found(""), found("?state=placed"), found("?state=declined"), found("?state=withdrawn")) == ([waiting], [small], [later], [])
    assert found("?state=all") == [later, small, waiting]
    assert found(f"?state=all&customer={tellier().rpartition('/')[2]}") == [later, small, waiting]
    for nobody in (make.customer().public_id, "x"):
        assert found(f"?state=all&customer={nobody}") == []


def test_its_pages_put_together_are_the_list(people, small_pages):
    """R101"""
    small_pages(2)
    world.turned_on(above=0)
    keys = [world.bought(1) for _ in range(5)]
    for state, expected in (("", keys), ("?state=all", keys[::-1])):
        url, found = f"/purchases{state}", []
        while url:
            page = people(SALES).get(url)
            found += listed(page)
            following = page.soup.select_one("a[rel=next]")
            url = following["href"] if following else None
        assert found == expected


def test_home_counts_what_waits_for_those_who_may_approve(people, waiting):
    home = people(SALES).get("/")
    assert "Purchases to approve 1" in home.text
    assert home.has_link("/purchases")
    assert "Purchases to approve" not in people(HELPDESK).get("/").text

    decline(people(AGENT), waiting)
    assert "Purchases to approve" not in people(SALES).get("/").text


def test_of_a_customer_that_has_not_consented_nothing_is_open(people, waiting):
    """R11, R19: a record that became one of the company which proved the domain."""
    sales = people(SALES)
    bought = world.bought(1)

    def becomes(state: RelationshipState) -> None:
        world.in_scope(lambda by, at: setattr(rows.tellier(), "state", state))

    becomes(RelationshipState.PENDING)
    for url in ("/purchases", "/purchases?state=all", f"/purchases?state=all&customer={tellier()}"):
        assert listed(sales.get(url)) == []
    for key in (waiting, bought):
        sales.get(at(key), status=404)
    sales.post(at(waiting, "approval"), status=404)
    sales.post(at(waiting, "declining"), {"reason": "No."}, status=404)
    assert world.purchase(waiting).state is S.WAITING
    assert "Purchases to approve" not in sales.get("/").text
    assert sales.get("/coming-up").soup.select_one("#waiting") is None

    becomes(RelationshipState.ENDED)
    assert listed(sales.get("/purchases?state=all")) == [bought, waiting]  # R36: history stays
    becomes(RelationshipState.ACTIVE)
    assert listed(sales.get("/purchases")) == [waiting]
    assert "Purchases to approve 1" in sales.get("/").text


def test_nothing_waiting_says_what_to_expect(people):
    page = people(SALES).get("/purchases")

    assert "Nothing waits for approval" in page.text
    assert page.has_link("/purchases?state=all")
    assert "No purchases yet" in people(SALES).get("/purchases?state=all").text


# --- mail


def test_who_may_approve_is_told_at_once_and_the_link_leads_back_after_signing_in(people, waiting):
    """R76"""
    for who in (ADMIN, AGENT, SALES):
        message = mail.latest(who)
        assert message.subject == f"Maison Tellier wants to buy: 2 × {WHAT}"
        for told in ("Hugo Vasseur of Maison Tellier", "€2,000.00", "D4", "France Central", "1 year", "€1,500.00", f"http://localhost/purchases/{waiting}"):
            assert told in message.text
    for who in (HELPDESK, "billing@atelier-nuage.example"):
        assert not mail.all_to(who)

    stranger = people.visitor().get(at(waiting), status=303)
    assert stranger.response.location == f"/sign-in?next=/purchases/{waiting}"


def test_the_buyer_is_told_of_the_decision(people, waiting):
    """R76"""
    second = world.bought(2)
    approve(people(SALES), waiting)
    message = mail.latest(BUYER)
    assert message.subject == f"Approved and bought: 2 × {WHAT}"
    assert "Inès Caradec of Atelier Nuage" in message.text
    order = next(line for line in message.text.splitlines() if "/my/orders/" in line).removeprefix("http://localhost")
    assert people(BUYER).get(order).h1.startswith("Order")

    decline(people(AGENT), second, "Too many.\n\nhttps://evil.example/")
    message = mail.latest(BUYER)
    assert message.subject == f"Declined: 2 × {WHAT}"
    assert "The reason: Too many. https://evil.example/" in message.text
    assert 'href="https://evil' not in message.html


@pytest.mark.parametrize(
    ("notice", "told"), [("nobody", []), ("who_turned_it_on", [AGENT]), ("all_agents", [ADMIN, AGENT, SALES])], ids=["nobody", "one", "all"]
)
def test_each_purchase_is_told_at_once_as_chosen(people, notice, told):
    """R76"""
    world.turned_on(by=AGENT, notice=notice)
    world.bought(1)

    everybody = [ADMIN, AGENT, SALES, HELPDESK]
    assert [who for who in everybody if mail.all_to(who)] == told
    for who in told:
        message = mail.latest(who)
        assert message.subject == f"Maison Tellier has bought: 1 × {WHAT}"
        assert "You pay for it and bill the customer." in message.text


def test_an_approved_one_is_told_as_chosen_too(people):
    world.turned_on(by=AGENT, notice="who_turned_it_on", above=0)
    key = world.bought(1)
    approve(people(SALES), key)

    assert mail.latest(AGENT).subject == f"Maison Tellier has bought: 1 × {WHAT}"


def test_when_whoever_turned_it_on_has_left_the_global_admins_are_told(people):
    from tests.permissions.test_permissions_page import deactivate

    world.turned_on(by=AGENT, notice="who_turned_it_on")
    deactivate(AGENT)
    world.bought(1)

    assert mail.latest(ADMIN).subject == f"Maison Tellier has bought: 1 × {WHAT}"
    assert not mail.all_to(AGENT)


def test_taking_it_back_writes_no_mail(people, waiting):
    number = len(mail.all_to())
    world.withdrawn(waiting)

    assert len(mail.all_to()) == number


# --- the log


def test_both_sides_logs_tell_it(people, waiting):
    """R75, R95"""
    page = decline(people(SALES), waiting)
    assert "Customer asked to buy" in page.text
    assert "Customer's purchase declined" in page.text

    db.session.rollback()
    for domain in ("atelier-nuage.example", "maison-tellier.example"):
        actions = [entry.action for entry in audit.recent(make.organization(domain).id, limit=30)]
        assert {"purchase.waiting", "purchase.declined"} <= set(actions)
