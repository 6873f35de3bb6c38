"""A customer's permissions: the checklist with its ways, the switch, limits, and who may do what (R70-R72, R76, R104)."""

import pytest

from portal.accounts.models import User, UserState
from portal.core import audit
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from portal.relationships import ending
from portal.subscriptions import service as subscriptions
from tests.permissions import world
from tests.permissions.world import ADMIN, AGENT, BUYER, HELPDESK, SALES
from tests.subscriptions import rows
from tests.subscriptions.world import change, tellier
from tests.support import make

COMMANDS = ["grant", "revocation", "limits"]


def at(*parts: str) -> str:
    return "/".join((f"{tellier()}/permissions", *parts))


def opened(people, who: str = AGENT, **options):
    return people(who).get(at(), **options)


def offered(page) -> set[str]:
    """What the checklist leads to, and the switch."""
    base = tellier()
    return {str(link["href"]).removeprefix(base) for link in page.soup.select("#checklist a") if str(link["href"]) != at()}


def deactivate(*emails: str) -> None:
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        for user in db.session.query(User).filter(User.email_key.in_(emails)):
            user.state = UserState.DEACTIVATED
        db.session.commit()


def end_the_relationship() -> None:
    for key in world.live():
        change(key, subscriptions.suspend)
    world.in_scope(lambda by, at: ending.end_relationship(rows.tellier(), typed_name="Maison Tellier", reason="Moved away.", by=by, at=at), by=ADMIN)


# --- the checklist


class TestChecklist:
    """R71: each thing with the way to mend it, for whoever looks."""

    def test_nothing_sold_yet(self, people):
        page = opened(people)

        assert page.h1 == "Maison Tellier: Permissions"
        for told in (
            "Off",
            "1 of 3 things are there",
            "Done: the relationship is active",
            "Missing: an active subscription",
            "Missing: a purchaser who is named owner",
        ):
            assert told in page.text
        assert offered(page) == {"/cart?billing=usage"}

    def test_a_suspended_subscription_can_come_back(self, people):
        key = world.usage()
        change(key, subscriptions.suspend)
        page = opened(people)

        assert offered(page) == {f"/subscriptions/{key}/reactivation", "/cart?billing=usage"}
        assert people(AGENT).open(f"{tellier()}/subscriptions/{key}/reactivation").status == 200

    def test_a_licence_does_not_count(self, people):
        world.sold("Suite")

        assert "Missing: an active subscription" in opened(people).text

    def test_without_an_owner_one_is_named_on_the_subscription(self, people):
        key = world.usage()
        page = opened(people)

        assert "2 of 3 things are there" in page.text
        assert f"/subscriptions/{key}#owners" in offered(page)
        there = people(AGENT).get(f"{tellier()}/subscriptions/{key}")
        assert there.soup.select_one("#owners form") is not None

    def test_without_anybody_who_could_be_owner_the_admin_comes_first(self, people):
        world.usage()
        deactivate(BUYER, "admin@maison-tellier.example")
        page = opened(people)

        assert "gives the role Purchaser under People" in page.text
        assert "/activation" in offered(page)

    def test_an_owner_who_may_no_longer_buy_does_not_count(self, people):
        world.ready()
        deactivate(BUYER)

        assert "Missing: a purchaser who is named owner" in opened(people).text

    def test_who_may_not_mend_is_told_who_can(self, people):
        page = opened(people, HELPDESK)
        assert offered(page) == set()
        assert "An admin agent or a sales agent of your organization can order one." in page.text

        key = world.usage()
        page = opened(people, HELPDESK)
        assert offered(page) == {f"/subscriptions/{key}"}
        assert "An admin agent or a sales agent of your organization can name one." in page.text

    def test_everything_there(self, people):
        world.ready()
        page = opened(people)

        assert "Missing" not in page.text
        assert "/permissions/reservations/grant" in offered(page)
        assert "data-hx-get" not in page.soup.select_one("#checklist").attrs

    def test_it_looks_again_by_itself_for_a_while(self, people):
        """Live while something is missing; without a script there is a link."""
        page = opened(people)
        block = page.soup.select_one("#checklist")
        assert block["data-hx-get"] == at() + "?looked=1"
        assert block["data-hx-trigger"] == "focus from:window, every 15s"
        assert page.has_link(at())

        world.ready()
        fresh = people(AGENT).get(str(block["data-hx-get"]), htmx=True, target="checklist")
        assert fresh.soup.find("h1") is None
        assert "data-hx-get" not in fresh.soup.select_one("#checklist").attrs
        assert fresh.soup.select_one("a[href$=grant]") is not None

    def test_and_then_only_when_one_comes_back_to_the_window(self, people):
        for looked in ("40", "99999"):
            block = people(AGENT).get(f"{at()}?looked={looked}").soup.select_one("#checklist")
            assert block["data-hx-trigger"] == "focus from:window"
        people(AGENT).get(f"{at()}?looked=x")

    def test_of_an_ended_relationship_it_is_only_read(self, people):
        world.turned_on()
        end_the_relationship()

        page = opened(people)
        assert "Missing: an active relationship" in page.text
        assert page.has_link(f"/relationship-requests/new?customer={tellier().rpartition('/')[2]}")
        assert not page.soup.select("main form")
        for command in COMMANDS:
            people(AGENT).post(at("reservations", command), status=404)

    def test_of_a_pending_one_there_is_none(self, people):
        record = make.customer("En Attente", "en-attente.example", state="pending")

        people(AGENT).get(f"/customers/{record.public_id}/permissions", status=404)

    def test_another_partner_sees_nothing(self, people):
        """R2"""
        people("admin@studio-cumulus.example").get(at(), status=404)


# --- the switch


class TestSwitch:
    def test_it_says_what_it_means_and_is_then_on(self, people):
        """R72, R73"""
        world.ready()
        agent = people(AGENT)
        asked = agent.get(at("reservations", "grant"))
        for told in (
            "You pay for what they buy",
            "cannot exchange, cancel, renew or re-scope",
            "There is no monthly limit",
            "at your price",
            "Whoever turned the permission on",
        ):
            assert told in asked.text

        page = agent.submit(asked, at("reservations", "grant"))

        assert page.flashes == ["Maison Tellier may buy reservations now."]
        assert "by Théo Marchand" in page.text
        assert "/permissions/reservations/revocation" in offered(page)
        assert "Create customer purchase permissions" in page.text

    def test_both_switches_are_logged_on_both_sides(self, people):
        """R72"""
        world.ready()
        agent = people(AGENT)
        agent.submit(agent.get(at("reservations", "grant")), at("reservations", "grant"))
        page = agent.submit(agent.get(at("reservations", "revocation")), at("reservations", "revocation"))

        assert page.flashes == ["Maison Tellier may no longer buy reservations."]
        for viewer, url in ((agent, f"{tellier()}/activity"), (people("admin@maison-tellier.example"), "/my/activity")):
            text = viewer.get(url).text
            assert "Create customer purchase permissions" in text
            assert "Delete customer purchase permissions" in text

    def test_the_server_refuses_it_too(self, people):
        """R71"""
        world.usage()
        agent = people(AGENT)
        assert agent.get(at("reservations", "grant")).soup.select("main form") == []

        page = agent.post(at("reservations", "grant"), status=409)

        assert "This was not turned on" in page.text
        assert "Missing: a purchaser who is named owner" in page.text
        assert world.permission() is None

    def test_twice_is_once(self, people):
        world.ready()
        agent = people(AGENT)
        for _ in range(2):
            agent.post(at("reservations", "grant"))
            assert "on already" in agent.get(at("reservations", "grant")).text
        for _ in range(2):
            agent.post(at("reservations", "revocation"))
            assert "off already" in agent.get(at("reservations", "revocation")).text

        db.session.rollback()
        logged = [entry.action for entry in audit.recent(make.organization("atelier-nuage.example").id, limit=50)]
        assert (logged.count("buying.on"), logged.count("buying.off")) == (1, 1)

    def test_turning_off_says_what_becomes_of_what_waits(self, people):
        """R76"""
        world.turned_on(above=0)
        world.bought(1)
        page = people(AGENT).get(at("reservations", "revocation"))

        assert "1 purchase waits for approval. It stays waiting" in page.text
        assert page.has_link(f"/purchases?customer={tellier().rpartition('/')[2]}")

    def test_on_with_something_missing_it_says_that_nothing_can_be_bought(self, people):
        key = world.turned_on()
        change(key, subscriptions.suspend)
        page = opened(people)

        assert "It is on, but nothing can be bought while something is missing." in page.text
        assert f"/subscriptions/{key}/reactivation" in offered(page)
        assert "/permissions/reservations/revocation" in offered(page)

    @pytest.mark.parametrize("who", [SALES, HELPDESK])
    def test_sales_and_helpdesk_agents_only_read(self, people, who):
        world.turned_on(month=500_000)
        visitor = people(who)
        page = visitor.get(at())

        assert "€5,000.00" in page.text
        assert "turns it on and off" in page.text
        assert page.soup.select("main form") == []
        assert not any(link.endswith(("grant", "revocation")) for link in offered(page))
        for command in COMMANDS:
            visitor.post(at("reservations", command), status=403)

    def test_ending_the_relationship_turns_it_off(self, people):
        """R70: a reinstated one begins with everything off."""
        world.turned_on()
        end_the_relationship()

        assert not world.permission().on

    def test_where_a_provider_sells_its_reseller_turns_nothing_on(self, people):
        record = make.customer(by="sales@relais-breton.example")
        reseller = people("admin@relais-breton.example")
        page = reseller.get(f"/customers/{record.public_id}/permissions")

        assert "Your indirect provider decides this" in page.text
        assert page.soup.select("#checklist a, main form") == []
        for command in COMMANDS:
            refused = reseller.post(f"/customers/{record.public_id}/permissions/reservations/{command}", status=403)
            assert "Your indirect provider sells to this customer" in refused.text


# --- limits


class TestLimits:
    """R76, R104"""

    def save(self, agent, status=200, **fields):
        return agent.submit(agent.get(at()), at("reservations", "limits"), status=status, **fields)

    def test_they_are_set_before_and_after_turning_on(self, people):
        agent = people(AGENT)
        page = self.save(agent, monthly_limit="5,000.00", approval_above="1000", notice="all_agents")

        kept = world.permission()
        assert page.flashes == ["Saved."]
        assert (kept.monthly_limit_minor, kept.approval_above_minor, kept.notice.value, kept.on) == (500_000, 100_000, "all_agents", False)
        assert page.soup.select_one("[name=monthly_limit]")["value"] == "5,000"
        world.ready()
        asked = agent.get(at("reservations", "grant"))
        for told in ("up to €5,000.00 in a calendar month", "above €1,000.00 wait", "Everybody who may approve purchases"):
            assert told in asked.text

    def test_empty_is_none_and_nought_lets_everything_wait(self, people):
        agent = people(AGENT)
        self.save(agent, monthly_limit="10", approval_above="0")
        assert world.permission().approval_above_minor == 0

        self.save(agent, monthly_limit="", approval_above="")
        assert (world.permission().monthly_limit_minor, world.permission().approval_above_minor) == (None, None)

    @pytest.mark.parametrize("typed", ["-5", "lots", "1.234", "9" * 18])
    def test_what_is_no_amount_stays_typed_and_nothing_is_saved(self, people, typed):
        agent = people(AGENT)
        page = self.save(agent, status=422, monthly_limit=typed, approval_above="50")

        assert ("This is too much" if len(typed) == 18 else "Write an amount") in page.errors["monthly_limit"]
        assert page.soup.select_one("[name=monthly_limit]")["value"] == typed
        assert page.soup.select_one("[name=approval_above]")["value"] == "50"
        assert world.permission() is None

    def test_a_notice_that_is_none_is_refused(self, people):
        page = people(AGENT).post(at("reservations", "limits"), {"notice": "everybody", "version": "0"}, status=422)

        assert "Choose one of the list." in page.text

    def test_a_second_editor_is_told_what_changed(self, people):
        """R104"""
        world.limits(month=500_000)
        first, second = people(AGENT), people(ADMIN)
        stale = second.get(at())
        self.save(first, monthly_limit="3000", notice="all_agents")

        page = second.submit(stale, at("reservations", "limits"), status=409, monthly_limit="9000")
        assert "Somebody else changed these limits" in page.text
        assert "€3,000.00" in page.errors["monthly_limit"]
        assert "Everybody who may approve purchases" in page.errors["notice"]
        assert page.soup.select_one("[name=monthly_limit]")["value"] == "9000"
        assert world.permission().monthly_limit_minor == 300_000

        second.submit(page, at("reservations", "limits"))
        assert world.permission().monthly_limit_minor == 900_000

    def test_turning_the_switch_makes_no_form_stale(self, people):
        world.turned_on()
        agent = people(AGENT)
        page = agent.get(at())
        agent.post(at("reservations", "revocation"))

        assert agent.submit(page, at("reservations", "limits"), monthly_limit="70").flashes[-1] == "Saved."

    def test_what_the_month_has_seen_is_shown(self, people):
        world.turned_on(month=500_000, above=150_000)
        world.bought(1)
        world.bought(2)
        page = opened(people)

        assert "Bought €1,000.00 Waiting for approval €2,000.00 Monthly limit €5,000.00 Left €2,000.00" in page.text
        assert "1 purchase waits for approval" in page.text

        world.limits(month=100_000, above=150_000)
        assert "the limit was lowered" in opened(people).text

    def test_they_are_logged_in_words(self, people):
        self.save(people(AGENT), monthly_limit="5000", notice="nobody")
        page = opened(people)

        assert "Limits of customer permissions changed" in page.text
        for told in ("€5,000.00", "Nobody", "Whoever turned the permission on"):
            assert told in page.soup.select_one("#history").get_text(" ")

    def test_the_customer_reads_the_limits_but_not_whom_the_partner_tells(self, people):
        agent, admin = people(AGENT), people("admin@maison-tellier.example")

        self.save(agent, notice="nobody")
        assert "Limits of customer permissions changed" not in admin.get("/my/activity").soup.select_one("#results").get_text(" ")

        self.save(agent, monthly_limit="5000", notice="all_agents")
        told = admin.get("/my/activity").soup.select_one("#results").get_text(" ")
        assert "Limits of customer permissions changed" in told
        assert "€5,000.00" in told
        assert "Who is told" not in told
        assert "Who is told" not in admin.get("/my/activity/export").response.get_data(as_text=True)
        assert opened(people).soup.select_one("#history").get_text(" ").count("Who is told") == 2
