"""What a customer asks its partner to do with a reservation, from asking to the answer (R74, R103, R104)."""

from datetime import timedelta

import pytest

from portal.core import clock, jobs
from portal.core.audit import recent
from portal.core.errors import Refused
from portal.subscriptions.models import AskedState, ReservationState
from tests.subscriptions.reserved import BUYER, asked, offered, page, requests, reserved, row, update
from tests.subscriptions.test_reservations import link, names
from tests.subscriptions.world import ADMIN, SALES, sold, tellier
from tests.support import mail, make

CUSTOMER_ADMIN = "admin@maison-tellier.example"


def mine(public_id: str) -> str:
    return f"/my/reservations/{public_id}"


def states() -> list[str]:
    return [request.state.value for request in requests()]


def warned(found) -> str:
    notice = found.soup.select_one("main .notice.warn")
    return " ".join(notice.get_text(" ").split()) if notice else ""


class TestMine:
    @pytest.mark.parametrize("who", [BUYER, CUSTOMER_ADMIN])
    def test_all_of_it_is_there_whoever_bought(self, people, who):
        """R75"""
        public_id = reserved()
        visitor = people(who)

        listed = visitor.get("/my/reservations")
        shown = visitor.get(mine(public_id))

        assert names(listed) == ["Small server"]
        assert names(visitor.get("/my/reservations?state=expired", htmx=True)) == []
        assert all(words in shown.text for words in ("Atelier Nuage", "D2", "West Europe", "1 year", "€1,200.00", "Shared by all subscriptions"))
        assert "Ask your partner" in shown.text
        order = next(link["href"] for link in shown.soup.select("main a[href^='/my/orders/']"))
        assert visitor.get(order).has_link(mine(public_id))

    def test_others_have_nothing_of_it(self, people):
        """R2"""
        public_id = reserved()
        stranger = people("admin@verrerie-odile.example")

        assert names(stranger.get("/my/reservations")) == []
        stranger.get(mine(public_id), 404)
        stranger.post(f"{mine(public_id)}/request", {"kind": "cancel", "message": "x"}, 404)
        people("staff@maison-tellier.example").get(mine(public_id), 403)


class TestAsking:
    def test_the_partners_sellers_are_told_and_see_it(self, people):
        """R74, R103"""
        public_id = reserved()
        buyer = people(BUYER)

        done = buyer.submit(buyer.get(mine(public_id)), f"{mine(public_id)}/request", kind="exchange", message="We need more memory.\nBy June.")

        assert done.flashes == ["Atelier Nuage is asked. You are told by e-mail when it answers."]
        assert "Atelier Nuage is asked" in done.text
        assert not done.soup.select("[name=message]")
        for who in (SALES, ADMIN, "agent@atelier-nuage.example"):
            sent = mail.latest(who)
            assert sent.subject == "Maison Tellier asks about the reservation Small server"
            assert "We need more memory.\nBy June." in sent.text
            assert sent.text.rstrip().endswith(page(public_id))
        assert not mail.all_to("billing@atelier-nuage.example")
        sales = people(SALES)
        assert warned(sales.get(page(public_id))).startswith("Hugo Vasseur asks: Exchange for another reservation")
        assert names(sales.get(f"{tellier()}/reservations?asked=1")) == names(sales.get("/reservations?asked=1")) == ["Small server"]
        assert "Customer asked about a reservation" in sales.get("/activity").text

    @pytest.mark.parametrize(
        ("values", "field"),
        [({"kind": "", "message": "x"}, "kind"), ({"kind": "cancel", "message": " "}, "message"), ({"kind": "sell", "message": "x"}, "kind")],
    )
    def test_both_parts_are_needed(self, people, values, field):
        public_id = reserved()
        buyer = people(BUYER)

        assert set(buyer.submit(buyer.get(mine(public_id)), f"{mine(public_id)}/request", status=422, **values).errors) == {"", field}
        assert requests() == []

    def test_a_double_click_asks_once_and_a_second_wish_waits(self, people):
        public_id = reserved()
        buyer, admin = people(BUYER), people(CUSTOMER_ADMIN)
        form, other = buyer.get(mine(public_id)), admin.get(mine(public_id))
        for _ in range(2):
            buyer.submit(form, f"{mine(public_id)}/request", kind="cancel", message="Please.")

        refused = admin.submit(other, f"{mine(public_id)}/request", kind="renew", message="Go on.", status=409)

        assert "asked for something already" in refused.text
        assert states() == ["open"]
        assert len(mail.all_to(SALES)) == 1

    def test_it_is_taken_back(self, people):
        public_id = reserved()
        asked(public_id)
        buyer = people(BUYER)

        done = buyer.submit(buyer.get(mine(public_id)), f"{mine(public_id)}/request/withdrawal")

        assert done.flashes == ["Your request is taken back."]
        assert states() == ["withdrawn"]
        assert warned(people(SALES).get(page(public_id))) == ""
        assert done.soup.select("[name=message]")

    def test_nothing_is_asked_about_one_that_is_over(self, people):
        public_id = reserved()
        buyer = people(BUYER)
        form = buyer.get(mine(public_id))
        update(public_id, state=ReservationState.EXPIRED)

        buyer.submit(form, f"{mine(public_id)}/request", kind="renew", message="x", status=409)
        assert "Ask your partner" not in buyer.get(mine(public_id)).text

    def test_nothing_is_asked_about_one_whose_term_is_over_before_the_job_ends_it(self, people):
        public_id = reserved(at=clock.now() - timedelta(days=369))
        buyer = people(BUYER)

        refused = buyer.submit(buyer.get(mine(public_id)), f"{mine(public_id)}/request", kind="renew", message="x", status=409)

        assert "no longer active" in refused.text
        assert requests() == []


class TestAnswering:
    @pytest.mark.parametrize("kind", ["cancel", "exchange", "renew", "rescope"])
    def test_doing_it_closes_it_and_tells_the_person(self, people, kind):
        """R74"""
        public_id = reserved()
        offer = offered("Large server")
        (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
        asked(public_id, kind)
        sales = people(SALES)
        step = {"cancel": "cancellation", "exchange": "exchange", "renew": "renewal", "rescope": "scope"}[kind]
        assert link(sales.get(page(public_id)), f"/{step}")

        url = f"{page(public_id)}/{step}"
        values = {"exchange": {"offer": offer}, "rescope": {"scope": usage}}.get(kind, {})
        done = sales.submit(sales.get(url), url, **values)
        if kind == "exchange":
            sales.submit(done, url)

        assert states() == ["done"]
        assert requests()[0].answered_by == "Inès Caradec"
        assert mail.latest(BUYER).subject == "Done: what you asked about the reservation Small server"
        assert "Done" in people(BUYER).get(mine(public_id)).text

    def test_something_else_leaves_it_open(self, people):
        public_id = reserved()
        (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
        asked(public_id, "exchange")
        sales, url = people(SALES), f"{page(public_id)}/scope"

        sales.submit(sales.get(url), url, scope=usage)

        assert states() == ["open"]

    def test_the_end_of_the_reservation_answers_what_was_asked(self, app):
        public_id = reserved()
        asked(public_id, "renew")

        with clock.shifted(timedelta(days=366)):
            jobs.run("expire_reservations")

        assert states() == ["declined"]
        assert "it has ended meanwhile" in mail.latest(BUYER).text

    def test_declining_needs_a_reason_which_the_person_reads(self, people):
        """R102"""
        public_id = reserved()
        asked(public_id)
        sales, url = people(SALES), f"{page(public_id)}/request/declining"
        step = sales.get(url)
        sales.submit(step, url, reason="", status=422)

        done = sales.submit(step, url, reason="The term was a condition of the price.")

        assert done.flashes == ["Declined. The customer is told by e-mail."]
        assert (states(), row(public_id).state) == (["declined"], ReservationState.ACTIVE)
        assert "The term was a condition of the price." in mail.latest(BUYER).text
        assert "The term was a condition of the price." in people(BUYER).get(mine(public_id)).text
        logged = {entry.action for entry in recent(make.organization("maison-tellier.example").id, limit=50)}
        assert {"reservation_request.open", "reservation_request.declined"} <= logged

    def test_an_answer_is_for_the_request_that_was_shown(self, people):
        """R104: one was taken back and another one made meanwhile."""
        public_id = reserved()
        asked(public_id)
        sales, buyer, url = people(SALES), people(BUYER), f"{page(public_id)}/request/declining"
        step, waiting = sales.get(url), buyer.get(mine(public_id))
        buyer.submit(waiting, f"{mine(public_id)}/request/withdrawal")
        asked(public_id, "renew")

        sales.submit(step, url, reason="No.", status=409)
        buyer.submit(waiting, f"{mine(public_id)}/request/withdrawal", status=409)

        assert states() == ["withdrawn", "open"]

    def test_there_is_nothing_to_decline_without_a_request(self, people):
        public_id = reserved()

        people(SALES).get(f"{page(public_id)}/request/declining", 404)
        people("helpdesk@atelier-nuage.example").get(f"{page(public_id)}/request/declining", 403)
        people("admin@studio-cumulus.example").get(f"{page(public_id)}/request/declining", 404)

    def test_the_admins_are_told_when_the_person_has_left(self, people):
        public_id = reserved()
        asked(public_id)
        from portal.accounts.models import User, UserState
        from portal.core.db import db, writing

        with writing():
            db.session.query(User).filter_by(email_key=BUYER).one().state = UserState.DEACTIVATED
            db.session.commit()
        sales, url = people(SALES), f"{page(public_id)}/request/declining"
        sales.submit(sales.get(url), url, reason="No.")

        assert mail.latest(CUSTOMER_ADMIN).subject == "Declined: what you asked about the reservation Small server"


def test_ending_the_relationship_answers_what_was_asked(people):
    """R35: cancelling in one step does what was asked for; other wishes are declined."""
    for number, kind in enumerate(("cancel", "exchange")):
        asked(reserved(f"Server {number}"), kind)
    admin, url = people(ADMIN), f"{tellier()}/ending"
    step = admin.get(url)
    for found in step.soup.select("main .notice.warn li a"):
        assert admin.get(found["href"]).status == 200

    admin.submit(step, f"{url}/clearing")

    assert states() == ["done", "declined"]
    assert {request.state for request in requests()} == {AskedState.DONE, AskedState.DECLINED}


def test_asking_again_is_refused_by_the_rule_too(app):
    public_id = reserved()
    asked(public_id)

    with pytest.raises(Refused):
        asked(public_id, "renew")
