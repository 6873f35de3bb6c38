"""Coming up: what lapses in 90, 30 and 7 days, and the one step that extends or sends it again (R38)."""

import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from portal.coming_up import queries
from portal.core import clock
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.lists import ListQuery
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer
from portal.relationships import delegation
from portal.relationships.models import DelegatedAdministration, RelationshipRequest, RequestPurpose, RequestState
from tests.support import mail, make

SALES = "sales@atelier-nuage.example"
NUMBER = itertools.count()


def granted(name, *, days, auto_extend=False, by=SALES, **details):
    """A customer that granted delegated administration ending in so many days; returns the customer's ID."""
    customer = make.customer(name=name, domain=f"granted{next(NUMBER)}.example", by=by, **details)
    organization_id, public_id = customer.customer_id, customer.public_id
    request = make.request(
        f"boss@granted{next(NUMBER)}.example", by=by, roles=("directory_reader", "licence_administrator"), days=days, auto_extend=auto_extend
    )
    request_id = request.id
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        from portal.accounts.models import Organization

        row = db.session.scalars(sa.select(RelationshipRequest).where(RelationshipRequest.id == request_id)).one()
        delegation.grant(row, db.session.get_one(Organization, organization_id), by=who, at=clock.now())
        row.state = RequestState.ACCEPTED
        db.session.commit()
    return public_id


def key_of(model, *conditions):
    db.session.rollback()
    with scoped(EVERYTHING):
        row = db.session.scalars(sa.select(model.public_id).where(*conditions).order_by(model.id.desc())).first()
    return f"{'request' if model is RelationshipRequest else 'delegation'}:{row}"


def groups(page):
    """Names of the lines under each heading."""
    return {
        panel.h2.get_text(strip=True): [row.select_one("td.title a").get_text(strip=True) for row in panel.select("tbody tr")]
        for panel in page.soup.select("#results section.panel")
    }


def results(page):
    return [[cell.get_text(" ", strip=True) for cell in row.select("td")] for row in page.soup.select("main tbody tr")]


class TestList:
    def test_what_lapses_stands_under_the_window_that_it_falls_into(self, people):
        granted("Tannerie Sept", days=5)
        granted("Tannerie Trente", days=20)
        granted("Tannerie Quatre-Vingt-Dix", days=80)
        granted("Tannerie Lointaine", days=200)
        make.request("slow@elsewhere.example")

        page = people(SALES).get("/coming-up")

        assert groups(page) == {
            "In the next 7 days": ["Tannerie Sept"],
            "In 8 to 30 days": ["Tannerie Trente", "slow@elsewhere.example"],
            "In 31 to 90 days": ["Tannerie Quatre-Vingt-Dix"],
        }

    @pytest.mark.parametrize(("days", "expected"), [("7", 1), ("30", 2), ("90", 3), ("x", 3)])
    def test_the_window_can_be_narrowed(self, people, days, expected):
        for number in (5, 20, 80):
            granted("Tannerie", days=number)

        page = people(SALES).get(f"/coming-up?days={days}", htmx=True)

        assert sum(map(len, groups(page).values())) == expected

    def test_what_extends_itself_is_set_apart(self, people):
        granted("Tannerie Fidèle", days=20, auto_extend=True)

        page = people(SALES).get("/coming-up")

        assert groups(page) == {"Extends by itself": ["Tannerie Fidèle"]}
        assert not page.soup.select("input[name=line]")

    def test_outdated_agreements_are_due(self, people):
        make.customer("Verger Ancien", "verger-ancien.example")
        with writing(), scoped(EVERYTHING):
            db.session.execute(sa.update(Customer).where(Customer.domain == "verger-ancien.example").values(agreement="outdated"))
            db.session.commit()

        assert groups(people(SALES).get("/coming-up"))["Agreement outdated"] == ["Verger Ancien"]
        assert groups(people("billing@atelier-nuage.example").get("/coming-up"))["Agreement outdated"] == ["Verger Ancien"]

    def test_lines_of_requests_are_for_those_who_see_requests(self, people):
        granted("Tannerie Sept", days=5)
        make.request("slow@elsewhere.example")

        page = people("billing@atelier-nuage.example").get("/coming-up")

        assert "Nothing lapses" in page.text

    def test_who_may_not_send_requests_ticks_nothing(self, people):
        granted("Tannerie Sept", days=5)

        page = people("helpdesk@atelier-nuage.example").get("/coming-up")

        assert groups(page) == {"In the next 7 days": ["Tannerie Sept"]}
        assert not page.soup.select("input[name=line], button.primary")

    def test_nothing_of_another_partner_stands_in_it(self, people):
        """R2."""
        granted("Tannerie Sept", days=5)
        make.request("slow@elsewhere.example")

        assert "Nothing lapses" in people("admin@studio-cumulus.example").get("/coming-up").text

    def test_pages_put_together_are_the_list(self, app, monkeypatch):
        """Lines of both kinds that lapse at the same moment are neither lost nor repeated."""
        monkeypatch.setattr(queries, "SHOWN", 3)
        at = clock.now()
        for number in range(4):
            granted(f"Tannerie {number}", days=30)
        for number in range(5):
            make.request(f"someone{number}@elsewhere.example", at=at)
        with writing(), scoped(EVERYTHING):
            for model, column in ((DelegatedAdministration, "ends_at"), (RelationshipRequest, "expires_at")):
                db.session.execute(sa.update(model).values({column: at + timedelta(days=30)}))
            db.session.commit()
        partner = make.actor(SALES).organization_id

        def page(url):
            from urllib.parse import parse_qsl, urlsplit

            with scoped(Scope(partner_id=partner)):
                query = ListQuery.parse("/coming-up", dict(parse_qsl(urlsplit(url).query)), sorts=["soonest"], filters={})
                return queries.coming_up(query, at=at, days=90).lapsing

        forward, pages, url = [], 0, "/coming-up"
        while url:
            shown = page(url)
            forward += [line.key for line in shown.rows]
            pages, last, url = pages + 1, shown, shown.next_url
        backward, shown = [line.key for line in last.rows], last
        while shown.previous_url:
            shown = page(shown.previous_url)
            backward = [line.key for line in shown.rows] + backward

        assert (len(forward), len(set(forward)), pages) == (9, 9, 3)
        assert backward == forward
        assert [line.key for line in page("/coming-up?last=1").rows] == forward[-3:]

    def test_it_takes_few_statements(self, people):
        for number in (5, 20, 80):
            granted("Tannerie", days=number)
        person, statements = people(SALES), []
        event.listen(db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

        person.get("/coming-up")

        assert len([statement for statement in statements if statement.startswith(("SELECT", "UPDATE", "INSERT"))]) <= 6


class TestExtension:
    def test_a_delegation_is_extended_by_a_new_request_for_the_same_roles_and_days(self, people):
        """R30: extending is a new request that the customer accepts."""
        granted("Tannerie Sept", days=5)
        person = people(SALES)
        page = person.get("/coming-up")

        page = person.submit(page, "/coming-up/extension", line=[box["value"] for box in page.soup.select("input[name=line]")])

        assert results(page) == [["Tannerie Sept", "Done", results(page)[0][2]]]
        with scoped(EVERYTHING):
            request = db.session.scalars(sa.select(RelationshipRequest).order_by(RelationshipRequest.id.desc()).limit(1)).one()
            assert (request.purpose, request.state, request.named) == (RequestPurpose.EXTEND, RequestState.SENT, True)
            assert (request.roles, request.duration_days) == (["directory_reader", "licence_administrator"], 5)
            assert request.email.startswith("contact@granted")
            assert mail.latest(request.email).link

    def test_what_was_asked_for_already_is_not_asked_for_again(self, people):
        granted("Tannerie Sept", days=5)
        person, line = people(SALES), key_of(DelegatedAdministration)
        person.post("/coming-up/extension", {"line": line}, status=200)

        page = person.post("/coming-up/extension", {"line": line}, status=200)

        assert results(page)[0][:2] == ["Tannerie Sept", "Not done"]
        shown = person.get("/coming-up")
        assert "Extension requested" in shown.text
        assert line not in [box["value"] for box in shown.soup.select("input[name=line]")]

    def test_a_request_is_sent_again_with_a_new_link(self, people):
        make.request("slow@elsewhere.example")
        former = mail.latest("slow@elsewhere.example").link

        page = people(SALES).post("/coming-up/extension", {"line": key_of(RelationshipRequest)}, status=200)

        assert results(page) == [["slow@elsewhere.example", "Done", "Sent again to slow@elsewhere.example."]]
        assert mail.latest("slow@elsewhere.example").link != former

    def test_each_line_has_its_own_result(self, people):
        granted("Tannerie Sept", days=5)
        make.request("slow@elsewhere.example")
        make.request("never@elsewhere.example", draft=True)
        sent = key_of(RelationshipRequest, RelationshipRequest.state == RequestState.SENT)
        draft = key_of(RelationshipRequest, RelationshipRequest.state == RequestState.DRAFT)
        lines = [draft, key_of(DelegatedAdministration), "request:00000000-0000-7000-8000-000000000000", "nonsense", "request:nonsense", sent, sent]
        db.session.rollback()
        logged = db.session.scalar(sa.select(sa.func.count()).select_from(LogEntry))

        page = people(SALES).post("/coming-up/extension", {"line": lines}, status=200)

        assert [line[1] for line in results(page)] == ["Not done", "Done", "Not done", "Not done", "Not done", "Done"]
        assert "2 of 6" in page.text
        db.session.rollback()
        actions = list(db.session.scalars(sa.select(LogEntry.action).order_by(LogEntry.id).offset(logged)))
        assert "relationship_request.sent_again" in actions

    def test_a_customer_without_an_address_is_written_to_where_it_answered_before(self, people):
        granted("Tannerie Sept", days=5, email="")

        page = people(SALES).post("/coming-up/extension", {"line": key_of(DelegatedAdministration)}, status=200)

        assert "A request to extend it was sent to boss@granted" in page.text

    def test_another_partner_s_lines_are_not_there(self, people):
        """S25: no write reaches another organization by ids inside the body."""
        granted("Tannerie Sept", days=5)
        make.request("slow@elsewhere.example")
        stranger = people("admin@studio-cumulus.example")
        letters = len(mail.all_to())

        page = stranger.post("/coming-up/extension", {"line": [key_of(DelegatedAdministration), key_of(RelationshipRequest)]}, status=200)

        assert [line[:2] for line in results(page)] == [["A line that is no longer there", "Not done"]] * 2
        assert len(mail.all_to()) == letters

    @pytest.mark.parametrize("account", ["helpdesk@atelier-nuage.example", "billing@atelier-nuage.example", "admin@maison-tellier.example"])
    def test_it_is_for_those_who_may_request(self, people, account):
        people(account).post("/coming-up/extension", {"line": "request:x"}, status=403)

    def test_nothing_ticked_is_said_above_the_list(self, people):
        make.request("slow@elsewhere.example")
        person = people(SALES)

        page = person.submit(person.get("/coming-up"), "/coming-up/extension", status=422)

        assert "Tick at least one line first." in page.errors[""]
        assert groups(page)["In 8 to 30 days"] == ["slow@elsewhere.example"]

    def test_two_hundred_lines_are_the_most_at_once(self, people):
        lines = [f"request:{number}" for number in range(201)]

        people(SALES).post("/coming-up/extension", {"line": lines[:200]}, status=200)
        page = people(SALES).post("/coming-up/extension", {"line": lines}, status=422)

        assert "At most 200 lines at once" in page.errors[""]
