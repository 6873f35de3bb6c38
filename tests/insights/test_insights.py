"""Home: what waits for the person who signed in."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from portal import demo
from portal.accounts.models import UserRole
from portal.core import clock
from portal.core.db import db, writing
from portal.core.outbox import Mail, MailState
from portal.core.scope import EVERYTHING, scoped
from portal.relationships import answers
from portal.relationships.models import DelegatedAdministration
from tests.support import make

SALES = "sales@atelier-nuage.example"
ADMIN = "admin@atelier-nuage.example"


def stat(page, label):
    """The number under this label, None when it is not shown."""
    for box in page.soup.select(".stat"):
        if box.select_one(".stat-label").get_text(strip=True) == label:
            return box.select_one(".stat-value").get_text(strip=True)
    return None


def accepted(by="admin@verrerie-odile.example", **options):
    """A request that this customer's admin accepted."""
    request = make.request(**options)
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        request = db.session.merge(request)
        answers.accept_request(request, agreement=True, language="en", by=who, at=clock.now())
        db.session.commit()


class TestPartner:
    def test_it_counts_customers_and_requests_that_wait(self, people):
        make.request()
        make.request("somebody@elsewhere.example")

        page = people(SALES).get("/")

        assert page.h1 == "Home"
        assert (stat(page, "Customers"), stat(page, "Relationship pending"), stat(page, "Requests waiting for an answer")) == ("2", "1", "2")

    def test_counts_are_one_s_own_only(self, people):
        """R2."""
        make.request()
        make.customer(by="admin@studio-cumulus.example")

        assert stat(people(SALES).get("/"), "Customers") == "2"
        assert stat(people("admin@studio-cumulus.example").get("/"), "Requests waiting for an answer") == "0"

    def test_a_count_stops_where_counting_would_cost(self, people, monkeypatch):
        for module in ("portal.insights.queries", "portal.core.lists"):
            monkeypatch.setattr(f"{module}.COUNTED_UP_TO", 1)

        assert stat(people(SALES).get("/"), "Customers") == "1+"

    def test_an_answer_is_told(self, people):
        """R24: each change tells the partner, in the portal too."""
        accepted(roles=("directory_reader",), days=20)

        page = people(SALES).get("/")

        told = page.soup.find(id="answered")
        assert "admin@verrerie-odile.example" in told.get_text()
        assert "Accepted" in told.get_text()
        assert "Verrerie Odile" in page.soup.find(id="lapsing").get_text()
        assert "admin@verrerie-odile.example" not in people("admin@studio-cumulus.example").get("/").text

    def test_what_extends_itself_does_not_lapse(self, people):
        accepted(roles=("directory_reader",), days=20, auto_extend=True)

        assert people(SALES).get("/").soup.find(id="lapsing") is None

    def test_an_old_answer_is_told_no_more(self, people):
        accepted()

        with clock.shifted(timedelta(days=15)):
            db.session.rollback()
            assert people(SALES).get("/").soup.find(id="answered") is None

    def test_failed_mail_is_told_to_those_who_see_the_outbox(self, people):
        make.request()
        with writing():
            db.session.execute(sa.update(Mail).values(state=MailState.FAILED))
            db.session.commit()

        assert stat(people(ADMIN).get("/"), "Mail that failed") == "1"
        assert stat(people(SALES).get("/"), "Mail that failed") is None

    def test_the_latest_activity_is_shown(self, people):
        make.request("somebody@elsewhere.example")

        assert "Relationship request sent" in people(SALES).get("/").soup.find(id="activity").get_text()

    def test_a_role_without_lists_is_told_so(self, people):
        """R62: where there are no leads, a referrals admin has none to look after."""
        person = people("admin@potomac-stratus.example")
        federal = make.actor("admin@potomac-stratus.example").user_id
        db.session.rollback()
        with writing():
            db.session.execute(sa.update(UserRole).where(UserRole.user_id == federal).values(role="referrals_admin"))
            db.session.commit()

        page = person.get("/")

        assert "Nothing waits for you" in page.text
        assert not page.has_link("/customers")

    def test_a_referrals_admin_sees_leads_and_no_customers(self, people):
        page = people("referrals@atelier-nuage.example").get("/")

        assert stat(page, "Open leads") == "0"
        assert not page.has_link("/customers")

    def test_a_billing_admin_sees_no_requests(self, people):
        page = people("billing@atelier-nuage.example").get("/")

        assert stat(page, "Customers") == "2"
        assert stat(page, "Requests waiting for an answer") is None

    def test_a_fresh_partner_is_shown_its_first_steps(self, people):
        page = people("admin@studio-cumulus.example").get("/")

        assert "First steps" in page.text
        for url in ("/customers/new", "/relationship-requests/new", "/users/new"):
            assert page.has_link(url)

    @pytest.mark.parametrize("account", [account for account, _what in demo.ACCOUNTS if "maison-tellier" in account or "verrerie" in account])
    def test_a_customer_s_people_go_to_their_own_front_page(self, people, account):
        page = people(account).get("/", status=303)

        assert page.response.location == "/my"

    def test_nobody_signs_in_first(self, people):
        assert people.visitor().get("/", status=303).response.location.startswith("/sign-in")

    def test_it_takes_few_statements(self, people):
        accepted(roles=("directory_reader",), days=20)
        person, statements = people(ADMIN), []
        event.listen(db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

        person.get("/")

        assert len([statement for statement in statements if statement.startswith(("SELECT", "UPDATE", "INSERT"))]) <= 6


def test_delegations_of_others_are_not_counted(people):
    """R2: the joined record is one's own."""
    accepted(roles=("directory_reader",), days=20)
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(sa.select(DelegatedAdministration.id).subquery())) == 1

    assert people("admin@grossiste-azur.example").get("/").soup.find(id="lapsing") is None
