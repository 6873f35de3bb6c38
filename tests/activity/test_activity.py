"""The activity log as people read it: feed, filters, export, on both sides (R95)."""

import csv
import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from portal.accounts.models import User
from portal.core import audit, clock
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from tests.support import make

SALES = "sales@atelier-nuage.example"


def log(*, by=SALES, action="customer.updated", ago=timedelta(), customer=None, before=None, after=None, seen_by=()):
    """An entry in this person's chain, some time ago."""
    who = make.actor(by)
    db.session.rollback()
    with writing():
        audit.record(
            action, by=who, at=clock.now() - ago, customer=customer, seen_by=seen_by, before=before, after={"notes": "changed"} if after is None else after
        )
        db.session.commit()


def texts(page):
    """Notes told on the page, in its order."""
    return [
        cell.get_text(strip=True) for row in page.soup.select(".changes tbody tr") if row.th.get_text(strip=True) == "Notes" for cell in row.select("td")[-1:]
    ]


def rows_of(page):
    data = page.response.get_data().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(data)))


class TestFeed:
    def test_a_change_is_told_newest_first_with_before_and_after_in_words(self, people):
        log(
            before={"roles": ["sales_agent"], "auto_extend": False},
            after={"roles": ["global_admin", "sales_agent"], "auto_extend": True},
            action="user.roles_changed",
        )
        log(after={"notes": "the latest"})

        page = people(SALES).get("/activity")

        assert page.h1 == "Activity"
        names = [cell.get_text(" ", strip=True) for cell in page.soup.select("#results > .table-wrap > table > tbody > tr > td.title summary")]
        assert names[:3] == ["Signed in", "Customer's details changed", "Roles changed"]
        changed = page.soup.select("details.unfold")[2]
        assert [cell.get_text(strip=True) for cell in changed.select(".changes > tbody th, .changes > tbody td")] == [
            "Roles",
            "Sales agent",
            "Global admin, Sales agent",
            "Extends itself",
            "No",
            "Yes",
        ]

    @pytest.mark.parametrize(
        ("action", "before", "after", "told"),
        [
            ("buying.limits_changed", {"monthly_limit": None}, {"monthly_limit": "1500.00 EUR"}, ["Monthly limit", "€1,500.00"]),
            ("offer.priced", {"price": "12.00"}, {"price": "13.50", "currency": "CHF"}, ["Price", "CHF12.00", "CHF13.50"]),
            ("offer.added", {}, {"price": ["1200 JPY (2026-11-22)", "9.50 EUR (2027-01-01)"]}, ["Price", "¥1,200 from Nov 22, 2026 on, €9.50 from Jan 1, 2027 on"]),
            ("offer.price_removed", {"price": "13.50", "currency": "EUR", "from": "2027-02-20"}, {}, ["Price", "€13.50", "–", "From", "Feb 20, 2027", "–"]),
            ("order.placed", {}, {"total": "1250.00", "currency": "EUR"}, ["Total", "€1,250.00"]),
            ("subscription.renewed", {"quantity": 5}, {"quantity": 1200, "ends_on": "2027-02-28"}, ["Quantity", "5", "1,200", "Ends", "–", "Feb 28, 2027"]),
            ("subscription.trial_converted", {"trial_ends_on": "2026-12-22"}, {}, ["Trial ends", "Dec 22, 2026", "–"]),
            ("delegated_administration.extended", {}, {"ends_at": "2026-12-02T23:30:00+00:00"}, ["Ends", "Dec 3, 2026, 12:30\u202fAM"]),
            ("agreement.attested", {}, {"accepted_on": "2026-11-22"}, ["Accepted on", "Nov 22, 2026"]),
            ("lead.updated", {}, {"value": "12500.50 EUR", "purchase_on": ""}, ["Value", "€12,500.50", "Estimated purchase date", "–"]),
            ("activity.exported", {}, {"action": "order.placed", "from": "2026-11-01", "to": "soon"}, ["Action", "Order placed", "From", "Nov 1, 2026", "To", "soon"]),
            ("catalog.exported", {}, {"state": "withdrawn", "kind": "add_on"}, ["State", "Withdrawn", "Kind", "Add-ons"]),
            ("customer.exported", {}, {"state": "active", "agreement": "missing"}, ["State", "Reseller", "Agreement", "Not accepted"]),
            ("subscription.exported", {}, {"renewing": "1"}, ["Renewing soon", "Yes"]),
        ],
    )  # fmt: skip
    def test_days_amounts_and_codes_are_told_as_the_reader_writes_them(self, people, action, before, after, told):
        """R100."""
        db.session.execute(sa.update(User).where(User.email == SALES).values(time_zone="Europe/Paris"))
        db.session.commit()
        log(action=action, before=before, after=after)

        page = people(SALES).get(f"/activity?action={action}")

        assert [cell.get_text(strip=True) for cell in page.soup.select(".changes > tbody th, .changes > tbody td")] == told

    def test_a_reader_of_french_reads_the_french_way(self, people):
        """R100."""
        db.session.execute(sa.update(User).where(User.email == SALES).values(language="fr"))
        db.session.commit()
        log(action="order.placed", after={"total": "1250.00", "currency": "EUR"})

        page = people(SALES).get("/activity?action=order.placed")

        assert page.soup.select_one(".changes > tbody td").get_text(strip=True) == "1\u202f250,00\xa0€"

    def test_nothing_of_another_partner_s_log_is_told(self, people):
        log(after={"notes": "ours alone"})
        log(by="admin@studio-cumulus.example", after={"notes": "theirs alone"})

        assert "ours alone" in people(SALES).get("/activity").text
        assert "ours alone" not in people("admin@studio-cumulus.example").get("/activity").text
        assert "theirs alone" not in people(SALES).get("/activity").text

    @pytest.mark.parametrize("account", ["referrals@atelier-nuage.example", "admin@maison-tellier.example"])
    def test_it_is_for_those_with_the_permission(self, people, account):
        person = people(account)

        person.get("/activity", status=403)
        person.get("/activity/export", status=403)

    def test_the_last_month_is_shown_unless_another_first_day_is_chosen(self, people):
        log(after={"notes": "last week"}, ago=timedelta(days=7))
        log(after={"notes": "long ago"}, ago=timedelta(days=60))
        person = people(SALES)

        page = person.get("/activity")
        assert "last week" in page.text
        assert "long ago" not in page.text

        since = (clock.now() - timedelta(days=61)).date()
        page = person.submit(page, "/activity", **{"from": since.isoformat(), "to": (since + timedelta(days=3)).isoformat()})
        assert texts(page) == ["long ago"]

    @pytest.mark.parametrize("typed", ["yesterday", "0001-01-01", "9999-12-31", "2026-02-30"])
    def test_a_day_that_cannot_be_meant_counts_as_not_given(self, people, typed):
        log(after={"notes": "just now"})

        page = people(SALES).get(f"/activity?from={typed}&to={typed}")

        assert "just now" in page.text

    def test_it_is_filtered_by_action_and_by_person(self, people):
        log(after={"notes": "by sales"})
        log(by="agent@atelier-nuage.example", after={"notes": "by the agent"})
        log(action="customer.added", after={"notes": "added"})
        person = people(SALES)

        page = person.get("/activity")
        assert texts(person.submit(page, "/activity", action="customer.added")) == ["added"]
        agent = next(option["value"] for option in page.soup.select("select[name=user] option") if option.get_text() == "Théo Marchand")
        assert texts(person.submit(page, "/activity", user=agent)) == ["by the agent"]
        assert len(texts(person.get("/activity?action=no.such&user=nobody"))) == 3

    @pytest.mark.parametrize(
        ("account", "offered", "not_offered"),
        [
            (SALES, {"Order placed", "Lead received", "Price set", "Customer bought"}, {"Order sent to the provider", "Partnership requested"}),
            ("admin@grossiste-azur.example", {"Order sent to the provider", "Partnership requested", "Lead received", "Price set", "Customer bought"}, set()),
            ("admin@relais-breton.example", {"Order sent to the provider", "Partnership started", "Lead received"}, {"Partnership requested", "Price set", "Customer bought"}),
            ("admin@potomac-stratus.example", {"Order placed", "Price set"}, {"Lead received", "Business profile drafted", "Partnership started"}),
            (
                "admin@maison-tellier.example",
                {"Order placed", "Customer bought", "Limits of customer permissions changed", "Signed in", "Activity log exported"},
                {"Lead received", "Price set", "Customer added", "Customers exported", "Order sent to the provider", "Mail sent again", "Partnership started"},
            ),
        ],
    )  # fmt: skip
    def test_only_actions_that_such_a_log_can_tell_are_offered(self, people, account, offered, not_offered):
        page = people(account).get("/my/activity" if "tellier" in account else "/activity")

        names = {option.get_text(strip=True) for option in page.soup.select("select[name=action] option")}
        assert offered <= names
        assert not not_offered & names

    @pytest.mark.parametrize("word", ["sarrault", "SÀRR", "fonderie-sarrault", "fo"])
    def test_it_is_searched_by_any_part_of_a_customer_s_name_or_domain(self, people, word):
        log(customer=make.customer().logged, after={"notes": "about them"})
        log(after={"notes": "about nobody"})

        page = people(SALES).get(f"/activity?q={word}")

        assert texts(page) == ["about them"]

    def test_a_common_word_finds_the_same(self, people, monkeypatch):
        monkeypatch.setattr("portal.activity.queries.FEW", 0)
        log(customer=make.customer().logged, after={"notes": "about them"})
        log(after={"notes": "about nobody"})

        assert texts(people(SALES).get("/activity?q=sarrault")) == ["about them"]
        assert texts(people(SALES).get("/activity?q=verrerie")) == []

    def test_pages_of_fifty_follow_each_other_without_gap_or_repetition(self, people):
        who, at = make.actor(SALES), clock.now()
        db.session.rollback()
        with writing():
            for number in range(120):
                audit.record("customer.updated", by=who, at=at - timedelta(seconds=number // 7), after={"notes": f"entry {number}"})
            db.session.commit()
        person = people(SALES)

        page, found = person.get("/activity?action=customer.updated"), []
        while True:
            found += texts(page)
            following = page.soup.select_one("a[rel=next]")
            if following is None:
                break
            page = person.get(following["href"], htmx=True)

        assert sorted(found) == sorted(f"entry {number}" for number in range(120))
        assert person.get(page.soup.select_one("a[rel=prev]")["href"]).status == 200

    def test_it_takes_few_statements(self, people):
        log(customer=make.customer().logged)
        person, statements = people(SALES), []
        event.listen(db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

        person.get("/activity?q=sarrault")

        assert len([statement for statement in statements if statement.startswith(("SELECT", "UPDATE", "INSERT"))]) <= 6

    @pytest.mark.parametrize(
        ("forged", "status"), [("WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwxXQ", 404), ("WzUsMV0", 404), ("x", 200)], ids=["naive", "number", "malformed"]
    )
    def test_a_forged_position_breaks_nothing(self, people, forged, status):
        people(SALES).get(f"/activity?after={forged}", status=status)

    def test_a_fragment_brings_the_results_alone(self, people):
        page = people(SALES).get("/activity", htmx=True)

        assert page.soup.select_one("#results")
        assert page.soup.find("h1") is None

    def test_nothing_found_says_what_to_do(self, people):
        page = people(SALES).get("/activity?action=agreement.attested&to=2001-01-01&from=2001-01-01")

        assert "Nothing to tell" in page.text


class TestOneCustomer:
    def test_its_own_page_tells_what_is_about_it(self, people):
        customer = make.customer()
        logged, public_id = customer.logged, customer.public_id
        log(customer=logged, after={"notes": "about them"}, ago=timedelta(days=300))
        log(after={"notes": "about nobody"})
        person = people(SALES)

        for url in (f"/customers/{public_id}/activity", f"/activity?customer={public_id}"):
            page = person.get(url)
            assert page.h1 == "Fonderie Sarrault: Activity"
            assert texts(page) == ["about them"]

    def test_a_former_customer_s_history_stays(self, people):
        """R36."""
        former = make.organization("ancienne-forge.example").public_id

        page = people(SALES).get(f"/customers/{former}/activity")

        assert "Relationship ended" in page.text
        assert page.has_link("/customers/former")

    def test_another_partner_s_customer_is_not_there(self, people):
        """R2."""
        customer = make.customer()
        stranger = people("admin@studio-cumulus.example")

        for known in (customer.public_id, "00000000-0000-7000-8000-000000000000"):
            stranger.get(f"/customers/{known}/activity", status=404)
            stranger.get(f"/activity?customer={known}", status=404)
            stranger.get(f"/activity/export?customer={known}", status=404)
        stranger.get("/activity?customer=garbage", status=404)


class TestCustomersSide:
    def test_a_customer_admin_sees_what_concerns_the_customer(self, people):
        tellier = make.organization("maison-tellier.example")
        about = audit.Customer(tellier.id, tellier.name)
        log(customer=about, seen_by=(tellier.id,), after={"notes": "told to both"})
        log(customer=about, after={"notes": "the partner's own"})

        page = people("admin@maison-tellier.example").get("/my/activity")

        assert texts(page) == ["told to both"]
        assert "the partner's own" not in page.text

    def test_it_is_searched_by_person(self, people):
        tellier = make.organization("maison-tellier.example")
        log(seen_by=(tellier.id,), after={"notes": "by Inès"})
        person = people("admin@maison-tellier.example")

        assert texts(person.get("/my/activity?q=carad")) == ["by Inès"]
        assert texts(person.get("/my/activity?q=marchand")) == []
        assert texts(person.get("/my/activity?q=%25")) == []

    @pytest.mark.parametrize("account", ["buyer@maison-tellier.example", "staff@maison-tellier.example", SALES])
    def test_it_is_for_customer_admins(self, people, account):
        people(account).get("/my/activity", status=403)


class TestExport:
    def test_the_export_holds_the_feed_under_its_filters(self, people):
        customer = make.customer()
        log(customer=customer.logged, before={"notes": "old"}, after={"notes": "new", "auto_extend": True})
        log(action="customer.added", after={"notes": "=cmd()"})
        person = people(SALES)
        page = person.get("/activity?action=customer.updated")

        url = next(link["href"] for link in page.soup.select("#results a") if "Export" in link.get_text())
        rows = rows_of(person.get(url))

        assert rows[0] == ["Date and time (UTC)", "Customer", "Action", "Person", "Before", "After"]
        assert len(rows) == 2
        assert rows[1][1:] == ["Fonderie Sarrault", "Customer's details changed", "Inès Caradec", "Notes: old", "Notes: new; Extends itself: Yes"]

    def test_days_and_amounts_are_as_the_log_holds_them(self, people):
        log(action="order.placed", after={"total": "1250.00", "currency": "EUR", "ends_on": "2027-02-28", "quantity": 1200})

        rows = rows_of(people(SALES).get("/activity/export?action=order.placed"))

        assert rows[1][-1] == "Total: 1250.00; Currency: EUR; Ends: 2027-02-28; Quantity: 1200"

    def test_it_is_longer_than_a_page(self, people):
        who = make.actor(SALES)
        db.session.rollback()
        with writing():
            for number in range(130):
                audit.record("customer.updated", by=who, at=clock.now(), after={"notes": str(number)})
            db.session.commit()

        assert len(rows_of(people(SALES).get("/activity/export?action=customer.updated"))) == 131

    def test_an_export_is_logged(self, people):
        person = people(SALES)

        person.get("/activity/export?action=customer.added").response.get_data()

        entry = db.session.scalars(sa.select(LogEntry).order_by(LogEntry.id.desc()).limit(1)).one()
        assert (entry.action, entry.details) == ("activity.exported", {"after": {"action": "customer.added"}})

    def test_a_customer_s_export_holds_its_own_chain(self, people):
        log(after={"notes": "not theirs"})

        rows = rows_of(people("admin@maison-tellier.example").get("/my/activity/export"))

        assert rows[0][0] == "Date and time (UTC)"
        assert "not theirs" not in str(rows)
        assert "Signed in" in str(rows)
