"""Reservations on both sides: lists, one with all that belongs to it, and what the partner does with it (R73, R74, R75, R104)."""

import threading
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import clock, jobs
from portal.core.db import db, writing
from portal.core.scope import Scope, scoped
from portal.subscriptions import reservation_requests, reservations, terms
from portal.subscriptions.models import Reservation, ReservationScope, ReservationState
from tests.subscriptions import rows, world
from tests.subscriptions.reserved import BUYER, asked, change, charged, everything, offered, page, requests, reserved, row, update
from tests.subscriptions.world import ADMIN, SALES, sold, tellier
from tests.support import make

R = ReservationState
STRANGERS = ["admin@studio-cumulus.example", "admin@grossiste-azur.example"]


def names(found) -> list[str]:
    return [link.get_text(strip=True) for link in found.soup.select("#results td.title a")]


def fact(found, label: str) -> str:
    return next(" ".join(item.find_next("dd").get_text(" ").split()) for item in found.soup.select("dl.facts dt") if item.get_text(strip=True) == label)


def days_ago(number: int):
    return clock.now() - timedelta(days=number)


def link(found, path: str) -> bool:
    return bool(found.soup.select_one(f"main a[href$='{path}']"))


class TestLists:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", ["Large server", "Small server"]),
            ("q=small", ["Small server"]),
            ("q=e8", ["Large server"]),
            ("q=potomac", ["Large server"]),
            ("state=cancelled", ["Small server"]),
            ("asked=1", ["Large server"]),
            ("q=nothing", []),
        ],
    )
    def test_a_customers_list_is_searched_and_filtered(self, people, query, expected):
        small, large = reserved(), reserved("Large server", instance_type="E8", region="Potomac East")
        asked(large)
        sales = people(SALES)
        sales.submit(sales.get(f"{page(small)}/cancellation"), f"{page(small)}/cancellation")

        for htmx in (False, True):
            assert names(sales.get(f"{tellier()}/reservations?{query}", htmx=htmx)) == expected

    def test_rows_tell_term_end_price_and_who_bought(self, people):
        """R75"""
        reserved(quantity=2)

        (line,) = people(SALES).get(f"{tellier()}/reservations").soup.select("#results tbody tr")

        assert all(words in line.get_text(" ") for words in ("D2 · West Europe · 1 year", "Inès Caradec", "Active", "€2,400.00")), line

    def test_over_all_customers_one_searches_by_customer_too_also_by_its_new_name(self, people):
        """R13"""
        reserved()
        sales = people(SALES)

        assert names(sales.get("/reservations?q=tellier+d2")) == ["Small server"]
        assert names(sales.get("/reservations?q=sarrault")) == []
        assert link(sales.get("/subscriptions"), "/reservations")
        sales.submit(sales.get(f"{tellier()}/account/billing"), f"{tellier()}/account/billing", name="Ateliers Tellier Frères")
        assert names(sales.get("/reservations?q=freres")) == ["Small server"]

    def test_views_show_what_ends_soon_and_what_a_customer_asks(self, people):
        near, renewed, _far = reserved("Near"), reserved("Renewed"), reserved("Far")
        soon = clock.today() + timedelta(days=40)
        update(near, ends_on=soon)
        update(renewed, ends_on=soon, renewed=True)
        asked(near)
        sales = people(SALES)

        assert names(sales.get("/reservations?ending=1")) == names(sales.get("/reservations?asked=1")) == ["Near"]

    @pytest.mark.parametrize("path", ["customer", "everywhere", "mine"])
    def test_pages_put_together_are_the_list(self, people, path, small_pages):
        """R101"""
        small_pages(3)
        for number in range(7):
            reserved(f"Server {number}")
        url = {"customer": f"{tellier()}/reservations", "everywhere": "/reservations", "mine": "/my/reservations"}[path]
        visitor, found = people(BUYER if path == "mine" else SALES), []
        while url:
            shown = visitor.get(url)
            found += names(shown)
            following = shown.soup.select_one("a[rel=next]")
            url = following["href"] if following else None

        assert found == [f"Server {number}" for number in reversed(range(7))]

    def test_exports_have_a_line_each(self, people):
        public_id = reserved("=Server", 2)
        sales = people(SALES)

        text = sales.get(f"{tellier()}/reservations/export?q=server").response.get_data().decode("utf-8-sig").splitlines()
        everywhere = sales.get("/reservations/export").response.get_data().decode("utf-8-sig").splitlines()

        today = clock.today()
        ends = terms.add_months(today, 12)
        assert text[1] == f"{public_id},'=Server,D2,West Europe,12,Shared,2,Active,{today},{ends},EUR,2400.00,,Inès Caradec,Partner"
        assert everywhere[1] == f"{tellier().rpartition('/')[2]},Maison Tellier,{text[1]}"

    @pytest.mark.parametrize("who", STRANGERS)
    def test_nothing_of_another_partner_is_there(self, people, who):
        """R2"""
        public_id = reserved()
        stranger = people(who)

        assert names(stranger.get("/reservations")) == []
        for path in ("", "/export", *(f"/{public_id}{step}" for step in ("", "/cancellation", "/exchange", "/renewal", "/scope"))):
            stranger.get(f"{tellier()}/reservations{path}", 404)
        stranger.post(f"{page(public_id)}/cancellation", status=404)
        assert row(public_id).state is R.ACTIVE

    def test_a_former_customers_stay_readable_and_nothing_is_done_with_them(self, people):
        """R2, R36"""
        public_id = reserved()
        admin, url = people(ADMIN), f"{tellier()}/ending"
        cleared = admin.submit(admin.get(url), f"{url}/clearing")
        former = admin.submit(cleared, url, typed_name="Maison Tellier", reason="Moved.")

        assert former.url == "/customers/former"
        assert names(admin.get(f"{tellier()}/reservations")) == ["Small server"]
        assert fact(admin.get(page(public_id)), "State") == "Cancelled"
        assert admin.get(tellier()).has_link(f"{tellier()}/reservations")
        admin.get(f"{page(public_id)}/exchange", 404)


class TestCancelling:
    def test_within_five_days_all_of_it_comes_back(self, people):
        """R74"""
        public_id = reserved(at=days_ago(5))
        sales = people(SALES)
        step = sales.get(f"{page(public_id)}/cancellation")
        assert "All that was paid is refunded: €1,200.00." in step.text

        done = sales.submit(step, f"{page(public_id)}/cancellation")

        assert done.flashes == ["The reservation is cancelled. €1,200.00 is refunded."]
        assert (fact(done, "State"), fact(done, "Refunded").split()[0]) == ("Cancelled", "€1,200.00")
        assert charged() == [120_000, -120_000]
        assert "Reservation cancelled" in done.text
        assert "Reservation bought" in done.text

    def test_on_the_sixth_the_days_left_less_12_percent(self, people):
        public_id = reserved(at=days_ago(6))
        found = row(public_id)
        left = (found.ends_on - clock.today()).days
        expected = terms.prorated(found.paid, found.term, terms.rest(found.term, clock.today())).times(reservations.KEPT)

        step = people(SALES).get(f"{page(public_id)}/cancellation")

        assert f"price of the {left} days left, less 12 percent. Full refund was open until" in step.text
        assert reservations.refund_of(found, clock.today()) == expected
        assert expected.minor < 105_600

    def test_one_that_was_used_brings_no_full_refund(self, people):
        public_id = reserved()
        update(public_id, used=True)

        assert "It has been used, so there is no full refund." in people(SALES).get(f"{page(public_id)}/cancellation").text

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_refund_that_changed_overnight_is_shown_first(self, people, htmx):
        public_id = reserved(at=days_ago(5))
        sales = people(SALES)
        step = sales.get(f"{page(public_id)}/cancellation")

        with clock.shifted(timedelta(days=1)):
            sales = people(SALES)
            values = {field["name"]: field["value"] for field in step.soup.select("main form input") if field["name"] != "csrf_token"}
            again = sales.post(f"{page(public_id)}/cancellation", values, status=409, htmx=htmx)
            assert "not as you saw them any more" in again.text
            assert "is refunded. That is the price of the" in again.text
            assert row(public_id).state is R.ACTIVE
            sales.submit(again, f"{page(public_id)}/cancellation")

        assert row(public_id).state is R.CANCELLED

    def test_twice_is_once(self, people):
        public_id = reserved()
        sales = people(SALES)
        step = sales.get(f"{page(public_id)}/cancellation")

        for _ in range(2):
            sales.submit(step, f"{page(public_id)}/cancellation")

        assert charged() == [120_000, -120_000]

    def test_whoever_comes_second_is_told(self, people):
        """R104"""
        public_id = reserved()
        sales = people(SALES)
        step = sales.get(f"{page(public_id)}/cancellation")
        change(lambda found: setattr(found, "used", True), public_id)

        again = sales.submit(step, f"{page(public_id)}/cancellation", status=409)

        assert "Somebody else changed this reservation" in again.text
        assert row(public_id).state is R.ACTIVE

    @pytest.mark.parametrize("step", ["cancellation", "exchange", "renewal", "scope"])
    def test_nothing_is_done_with_one_that_is_over(self, people, step):
        public_id = reserved()
        with writing(), scoped(Scope(partner_id=make.actor(SALES).organization_id)):
            found = db.session.query(Reservation).one()
            reservations.cancel(found, by=make.actor(SALES), at=clock.now())
            db.session.commit()
        sales = people(SALES)

        sales.get(f"{page(public_id)}/{step}", 409)
        assert not link(sales.get(page(public_id)), step)

    @pytest.mark.parametrize("step", ["cancellation", "exchange", "renewal", "scope"])
    def test_nothing_is_done_with_one_whose_term_is_over_before_the_job_ends_it(self, people, step):
        """R73, R74: a renewal would be paid for days that are gone."""
        public_id, offer = reserved(at=clock.now() - timedelta(days=369)), offered("Large server")
        sales, url = people(SALES), f"{page(public_id)}/{step}"

        refused = sales.submit(sales.get(url), url, status=409, **({"offer": offer} if step == "exchange" else {}))

        assert "no longer active" in refused.text
        assert (row(public_id).state, len(everything())) == (R.ACTIVE, 1)

    @given(st.integers(min_value=0, max_value=10**9), st.sampled_from([12, 36]), st.dates(date(2023, 1, 1), date(2029, 12, 31)), st.booleans())
    def test_refunds_never_grow_and_never_pass_what_was_paid(self, minor, months, starts_on, used):
        """Whatever the term, also over leap days: day after day, with nothing at the end."""
        ends_on = terms.add_months(starts_on, months)
        found = Reservation(paid_minor=minor, currency="EUR", starts_on=starts_on, ends_on=ends_on, used=used)
        days = [reservations.refund_of(found, starts_on + timedelta(days=number)).minor for number in range(-3, found.term.days + 2)]

        assert days == sorted(days, reverse=True)
        assert 0 == days[-1] <= days[0] <= minor
        if not used:
            assert days[:9] == [minor] * 9
        for number in (6, found.term.days // 2):  # the days gone and the days left are the whole, to the cent
            border = starts_on + timedelta(days=number)
            parts = [terms.prorated(found.paid, found.term, part).minor for part in (terms.Period(starts_on, border), terms.rest(found.term, border))]
            assert sum(parts) == minor


class TestExchange:
    def test_the_new_one_begins_today_and_names_what_it_replaces(self, people):
        """R74"""
        public_id, offer = reserved(), offered("Large server", instance_type="E8", price=500_000)
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        preview = sales.submit(sales.get(url), url, offer=offer, quantity="2")
        assert [fact(preview, label) for label in ("Refund of Small server", "Price of Large server", "Charged in the end")] == [
            "€1,200.00",
            "€10,000.00",
            "€8,800.00",
        ]
        assert row(public_id).state is R.ACTIVE

        done = sales.submit(preview, url)

        assert done.flashes == ["The reservation is exchanged for Large server."]
        assert fact(done, "In exchange for") == "Small server"
        assert fact(sales.get(page(public_id)), "Exchanged for") == "Large server"
        assert charged() == [120_000, -120_000, 1_000_000]

    def test_something_cheaper_is_credited(self, people):
        public_id, offer = reserved(), offered("Tiny server", price=50_000)
        sales, url = people(SALES), f"{page(public_id)}/exchange"

        assert fact(sales.submit(sales.get(url), url, offer=offer), "Credited in the end") == "€700.00"

    def test_a_double_click_exchanges_once(self, people):
        public_id, offer = reserved(), offered("Large server")
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        preview = sales.submit(sales.get(url), url, offer=offer)

        urls = {sales.submit(preview, url).url for _ in range(3)}

        assert len(urls) == 1
        assert [found.state for found in everything()] == [R.EXCHANGED, R.ACTIVE]

    def test_several_at_once_exchange_it_once(self, people):
        """S29"""
        public_id, offer = reserved(), offered("Large server")
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        preview = sales.submit(sales.get(url), url, offer=offer)
        values = {"offer": offer, **{field["name"]: field["value"] for field in preview.soup.select("#form input") if field["name"] != "csrf_token"}}
        visitors = [people(SALES) for _ in range(4)]
        threads = [threading.Thread(target=visitor.post, args=(url, values)) for visitor in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [found.state for found in everything()] == [R.EXCHANGED, R.ACTIVE]
        assert charged() == [120_000, -120_000, 120_000]

    def test_another_choice_or_price_is_shown_before_it_is_done(self, people):
        public_id, first, second = reserved(), offered("Large server"), offered("Huge server")
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        preview = sales.submit(sales.get(url), url, offer=first)

        changed = sales.submit(preview, url, offer=second, quantity="3")

        assert fact(changed, "Price of Huge server") == "€3,600.00"
        assert row(public_id).state is R.ACTIVE

    @pytest.mark.parametrize(
        ("values", "field"),
        [({"quantity": typed}, "quantity") for typed in ("11", "0", "-5", "x", "9" * 30)] + [({"offer": ""}, "offer"), ({"scope": "x"}, "scope")],
    )
    def test_what_cannot_be_is_said_beside_the_field(self, people, values, field):
        public_id, offer = reserved(), offered("Large server", maximum=10)
        sales, url = people(SALES), f"{page(public_id)}/exchange"

        assert set(sales.submit(sales.get(url), url, status=422, **({"offer": offer} | values)).errors) == {"", field}
        assert row(public_id).state is R.ACTIVE

    def test_whoever_comes_second_is_told(self, people):
        """R104"""
        public_id, offer = reserved(), offered("Large server")
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        preview = sales.submit(sales.get(url), url, offer=offer)
        update(public_id, used=True)

        assert "Somebody else changed" in sales.submit(preview, url, status=409).text

    def test_only_offers_that_the_customer_can_have_are_listed(self, people):
        public_id = reserved()
        offered("Schools", segment="education")
        offered("Nameless", price=None)
        usual = offered("Large server")

        choices = [option["value"] for option in people(SALES).get(f"{page(public_id)}/exchange").soup.select("[name=offer] option")]

        assert usual in choices
        assert len(choices) == 3  # none, the same once more, and the other one

    def test_a_long_catalog_is_searched(self, people, monkeypatch):
        monkeypatch.setattr("portal.subscriptions.reservation_queries.OFFERED", 1)
        public_id, offer = reserved("A server"), offered("Zinc server")
        sales, url = people(SALES), f"{page(public_id)}/exchange"
        assert "There are more offers" in sales.get(url).text

        found = sales.get(f"{url}?q=zinc")

        assert sales.submit(found, "#form", offer=offer).soup.select_one("dl.totals")


class TestRenewal:
    def test_the_same_goes_on_where_it_ends(self, people):
        public_id = reserved(at=days_ago(300), quantity=2)
        sales, url = people(SALES), f"{page(public_id)}/renewal"
        step = sales.get(url)
        assert "€2,400.00 is charged now" in step.text

        done = sales.submit(step, url)
        first, second = everything()

        assert (second.starts_on, second.ends_on) == (first.ends_on, terms.add_months(first.ends_on, 12))
        assert (first.renewed, second.quantity, fact(done, "Renewed by")) == (True, 2, "Small server")
        assert charged() == [240_000, 240_000]
        assert "Begins on" in sales.get(page(str(second.public_id))).text
        assert reservations.refund_of(second, clock.today()) == second.paid

    def test_twice_is_once_and_cancelling_it_opens_the_way_again(self, people):
        public_id = reserved()
        sales, url = people(SALES), f"{page(public_id)}/renewal"
        step = sales.get(url)
        for _ in range(2):
            sales.submit(step, url)
        _first, second = everything()
        sales.get(url, 409)

        cancelling = f"{page(str(second.public_id))}/cancellation"
        sales.submit(sales.get(cancelling), cancelling)

        assert not row(public_id).renewed
        sales.submit(step, url, status=409)
        sales.submit(sales.get(url), url)
        assert len(everything()) == 3

    def test_an_offer_that_is_gone_cannot_be_renewed(self, people):
        from portal.subscriptions import catalog

        public_id = reserved()
        with writing(), scoped(Scope(partner_id=make.actor(SALES).organization_id)):
            catalog.withdraw(db.session.query(catalog.Offer).one(), reason="End of sale.", by=make.actor(SALES), at=clock.now())
            db.session.commit()
        sales, url = people(SALES), f"{page(public_id)}/renewal"

        assert "It cannot be renewed" in sales.get(url).text
        sales.post(url, status=409)


class TestScope:
    def test_it_is_for_one_subscription_alone_and_for_all_again(self, people):
        """R73"""
        public_id = reserved()
        (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
        sold("Office Suite")
        sales, url = people(SALES), f"{page(public_id)}/scope"
        form = sales.get(url)
        assert [option.get_text() for option in form.soup.select("[name=scope] option")] == ["Shared by all subscriptions", "Only Cloud plan"]

        done = sales.submit(form, url, scope=usage)

        assert fact(done, "Scope") == "Only Cloud plan"
        found = row(public_id)
        assert (found.scope, found.subscription_id) == (ReservationScope.SINGLE, world.row(usage).id)
        assert "Scope of a reservation changed" in done.text
        assert fact(sales.submit(sales.get(url), url, scope=""), "Scope") == "Shared by all subscriptions"

    def test_whoever_comes_second_is_told_and_the_same_again_is_fine(self, people):
        """R104"""
        public_id = reserved()
        (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
        sales, url = people(SALES), f"{page(public_id)}/scope"
        form = sales.get(url)
        sales.submit(form, url, scope=usage)

        sales.submit(form, url, scope=usage)

        sales.submit(form, url, scope="", status=409)
        assert row(public_id).scope is ReservationScope.SINGLE


class TestFirstUse:
    """What R74's full refund within 5 days depends on."""

    def test_the_partner_records_it_and_the_full_refund_is_gone(self, people):
        public_id = reserved()
        sales, url = people(SALES), f"{page(public_id)}/first-use"
        step = sales.get(sales.get(page(public_id)).soup.select_one("a[href$='/first-use']")["href"])
        assert "cancelling or exchanging it today brings €1,056.00 back" in step.text

        done = sales.submit(step, url)

        assert fact(done, "First use") == "Recorded no full refund any more"
        assert "First use of a reservation recorded" in done.text
        assert not link(done, "/first-use")
        assert "First use" in people(BUYER).get(f"/my/reservations/{public_id}").text
        sales.submit(sales.get(f"{page(public_id)}/cancellation"), f"{page(public_id)}/cancellation")
        assert charged() == [120_000, -105_600]

    def test_twice_is_once(self, people):
        public_id = reserved()
        sales, url = people(SALES), f"{page(public_id)}/first-use"
        step = sales.get(url)

        for _ in range(2):
            done = sales.submit(step, url)

        assert done.text.count("First use of a reservation recorded") == 1

    @pytest.mark.parametrize("change", ["late", "early", "used", "cancelled"])
    def test_it_is_offered_only_while_it_takes_something_away(self, people, change):
        public_id = reserved(at=days_ago(6) if change == "late" else None)
        sales = people(SALES)
        step = {"version": str(row(public_id).version), "reviewed": str(reservations.refund_once_used(row(public_id), clock.today()).minor)}
        if change == "early":
            update(public_id, starts_on=clock.today() + timedelta(days=1))
        if change == "used":
            update(public_id, used=True)
        if change == "cancelled":
            sales.submit(sales.get(f"{page(public_id)}/cancellation"), f"{page(public_id)}/cancellation")

        assert not link(sales.get(page(public_id)), "/first-use")
        sales.get(f"{page(public_id)}/first-use", 409 if change == "cancelled" else 404)
        sales.post(f"{page(public_id)}/first-use", step, status=303 if change == "used" else 409)
        assert row(public_id).used is (change == "used")

    @pytest.mark.parametrize("htmx", [False, True])
    def test_whoever_cancels_meanwhile_is_told_what_is_refunded_now(self, people, htmx):
        """R104"""
        public_id = reserved()
        sales, url = people(SALES), page(public_id)
        step = sales.get(f"{url}/cancellation")
        sales.submit(sales.get(f"{url}/first-use"), f"{url}/first-use")

        again = sales.submit(step, f"{url}/cancellation", status=409, htmx=htmx)

        assert "Somebody else changed this reservation" in again.errors[""]
        assert "€1,056.00 of €1,200.00 is refunded" in again.text
        assert charged() == [120_000]

    def test_whoever_records_it_meanwhile_is_told_that_it_is_cancelled(self, people):
        public_id = reserved()
        sales, url = people(SALES), page(public_id)
        step = sales.get(f"{url}/first-use")
        sales.submit(sales.get(f"{url}/cancellation"), f"{url}/cancellation")

        assert "no longer active" in sales.submit(step, f"{url}/first-use", status=409).text
        assert (row(public_id).used, charged()) == (False, [120_000, -120_000])

    def test_used_and_cancelled_at_one_moment_one_of_them_is_refused(self, app, people):
        """S29"""
        public_id, steps, answers = reserved(), {}, {}
        for step in ("first-use", "cancellation"):
            visitor = people(SALES)
            found = visitor.get(f"{page(public_id)}/{step}").form(f"{page(public_id)}/{step}")
            steps[step] = visitor, {field["name"]: field["value"] for field in found.select("input")}
        barrier, url = threading.Barrier(2), page(public_id)

        def send(step: str) -> None:
            visitor, values = steps[step]
            barrier.wait()
            answers[step] = visitor.client.post(f"{url}/{step}", data=values).status_code

        threads = [threading.Thread(target=send, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert sorted(answers.values()) == [303, 409]
        found = row(public_id)
        assert found.used is (answers["first-use"] == 303)
        assert (found.state is R.CANCELLED) is (answers["cancellation"] == 303)


@pytest.mark.parametrize("who", ["billing", "helpdesk"])
def test_who_may_not_order_reads_only(people, who):
    public_id = reserved()
    visitor = people(f"{who}@atelier-nuage.example")

    shown = visitor.get(page(public_id))

    for step in ("cancellation", "exchange", "renewal", "scope", "first-use"):
        assert not link(shown, step)
        visitor.get(f"{page(public_id)}/{step}", 403)


class TestExpiry:
    def test_one_that_cannot_end_holds_up_no_other(self, app, monkeypatch):
        first, second = reserved("First"), reserved("Second")
        asked(second, "renew")
        settle = reservation_requests.settle

        def failing(reservation, *given, **options):
            if reservation.name == "First":
                raise RuntimeError("broken")
            settle(reservation, *given, **options)

        monkeypatch.setattr(reservation_requests, "settle", failing)
        with clock.shifted(timedelta(days=366)):
            jobs.run("expire_reservations")
            assert (row(first).state, row(second).state) == (R.ACTIVE, R.EXPIRED)
            monkeypatch.undo()
            jobs.run("expire_reservations")

        assert row(first).state is R.EXPIRED
        assert [item.state.value for item in requests()] == ["declined"]

    def test_none_ends_before_its_day(self, app):
        public_id = reserved()
        whole = row(public_id).term.days
        for day, state in ((whole - 1, R.ACTIVE), (whole, R.EXPIRED)):
            with clock.shifted(timedelta(days=day)):
                jobs.run("expire_reservations")
            assert row(public_id).state is state


def test_a_customers_purchase_for_one_subscription_names_it(app):
    """R73"""
    from portal.core.access import Cloud, Side
    from portal.subscriptions import ordering

    (usage,) = sold("Cloud plan", quantity=1, billing="usage", term_months=1)
    offered("Small server")
    sales = make.actor(SALES)
    with writing(), scoped(Scope(partner_id=sales.organization_id)):
        offer = db.session.query(rows.Offer).filter_by(name="Small server").one()
        (line,) = ordering.quotes({str(offer.public_id): 1}, rows.tellier(), cloud=Cloud.PUBLIC, today=clock.today())
        holding = ordering.Holding(world._one(usage).id)
        ordering.place(
            db.session.query(rows.Order).first().public_id,
            [line],
            rows.tellier(),
            side=Side.CUSTOMER,
            by=make.actor(BUYER),
            at=clock.now(),
            holdings={offer.id: holding},
        )
        db.session.commit()

    (found,) = everything()
    assert (found.scope, found.subscription_id, found.bought_by) == (ReservationScope.SINGLE, world.row(usage).id, "Hugo Vasseur")
