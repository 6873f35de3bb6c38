"""Pages of subscriptions: lists, one with all that belongs to it, and each thing that is done with it (R15, R71, R82-R85, R104)."""

import re
from datetime import timedelta

import pytest

from portal.core import clock, jobs
from portal.core.db import db
from portal.core.finding import Finder
from portal.core.scope import EVERYTHING, scoped
from portal.subscriptions import catalog, queries, service
from portal.subscriptions.models import Charge, Subscription, SubscriptionState
from tests.subscriptions import world
from tests.subscriptions.world import ADMIN, SALES, change, row, sold, tellier
from tests.support import make

S = SubscriptionState
STRANGERS = ["admin@studio-cumulus.example", "admin@grossiste-azur.example"]


def names(page) -> list[str]:
    return [link.get_text(strip=True) for link in page.soup.select("#results td.title a")]


def charged(public_id: str) -> list[int]:
    found = row(public_id)
    with scoped(EVERYTHING):
        return [charge.amount_minor for charge in catalog.db.session.query(Charge).filter_by(subscription_id=found.id).order_by(Charge.id)]


def carried(page) -> dict[str, str]:
    """What the form of a page brings along, to be sent in another session."""
    return {field["name"]: field["value"] for field in page.soup.select("main form input") if field["name"] != "csrf_token"}


class TestLists:
    def test_a_customers_list_has_add_ons_below_their_base(self, people):
        sold("Office Suite")
        sold("Backup")
        sold("Mail Guard", add_on_of="Office-Suite")

        page = people(SALES).get(f"{tellier()}/subscriptions")

        assert names(page) == ["Office Suite", "Mail Guard", "Backup"]
        assert "Add-on to Office Suite" in page.text
        assert "€60.00 a month" in page.text

    @pytest.mark.parametrize(
        ("asked", "expected"), [("q=guard", ["Mail Guard"]), ("q=nothing", []), ("state=suspended", ["Backup"]), ("sort=name", ["Backup", "Mail Guard"])]
    )
    def test_it_is_searched_filtered_and_sorted(self, people, asked, expected):
        _guard, backup = sold("Mail Guard", "Backup")
        change(backup, service.suspend)

        for htmx in (False, True):
            assert names(people(SALES).get(f"{tellier()}/subscriptions?{asked}", htmx=htmx)) == expected

    @pytest.mark.parametrize("sort", ["family", "name", "day"])
    def test_its_pages_put_together_are_the_list(self, people, sort, small_pages):
        """R101"""
        small_pages(3)
        sold(*(f"Product {number}" for number in range(7)), quantity=1)
        sold("Extra", add_on_of="Product-3", quantity=1)
        sales, found, url = people(SALES), [], f"{tellier()}/subscriptions?sort={sort}"
        while url:
            page = sales.get(url)
            found += names(page)
            following = page.soup.select_one("a[rel=next]")
            url = following["href"] if following else None

        assert len(found) == len(set(found)) == 8
        assert sort == "day" or found == (sorted(found) if sort == "name" else [*sorted(found[:4]), "Extra", *sorted(found[5:])])

    def test_its_export_has_the_five_columns(self, people):
        """R15"""
        first, second = sold("=Sheet", "Backup")
        change(second, service.suspend)

        text = people(SALES).get(f"{tellier()}/subscriptions/export?q=backup").response.get_data().decode("utf-8-sig")
        whole = people(SALES).get(f"{tellier()}/subscriptions/export").response.get_data().decode("utf-8-sig")

        assert text.splitlines() == ["Subscription ID,Subscription,Quantity,State,Reseller", f"{second},Backup,5,Suspended,"]
        assert f"{first},'=Sheet,5,Active," in whole.splitlines()

    def test_over_all_customers_one_searches_by_product_or_customer(self, people):
        make.customer()
        first, _second = sold("Office Suite", "Backup")
        sales = people(SALES)

        assert sorted(names(sales.get("/subscriptions?q=tellier"))) == ["Backup", "Office Suite"]
        assert names(sales.get("/subscriptions?q=suite+tell")) == ["Office Suite"]
        assert names(sales.get("/subscriptions?q=sarrault")) == []
        exported = sales.get("/subscriptions/export?q=suite").response.get_data().decode("utf-8-sig").splitlines()
        assert exported[1] == f"{tellier().rpartition('/')[2]},Maison Tellier,{first},Office Suite,5,Active,"

    @pytest.mark.parametrize("hits", [4, 50])
    def test_what_the_index_alone_finds_is_paged_newest_first(self, people, hits, monkeypatch, small_pages):
        """R101: behind the window in list order; also when there are more hits than are counted."""
        small_pages(3)
        monkeypatch.setattr("portal.core.finding.HITS", hits)
        finder = queries._finder
        monkeypatch.setattr(queries, "_finder", Finder(Subscription, finder.columns, finder.sorts, finder.narrow, finder.values, window=1))
        sold(*(f"Cloud {number}" for number in range(7)), "Backup", quantity=1)
        sales, found, url = people(SALES), [], "/subscriptions?q=cloud+tell"
        while url:
            page = sales.get(url)
            found += names(page)
            following = page.soup.select_one("a[rel=next]")
            assert "7 in all" in page.text or (hits == 4 and db.engine.dialect.name == "sqlite" and "More than 3" in page.text)
            url = following["href"] if following else None

        assert found == [f"Cloud {number}" for number in reversed(range(7))]

    def test_a_renamed_customer_is_found_by_its_new_name(self, people):
        """R13"""
        sold("Office Suite")
        sales = people(SALES)
        sales.submit(sales.get(f"{tellier()}/account/billing"), f"{tellier()}/account/billing", name="Ateliers Tellier Frères")

        assert names(sales.get("/subscriptions?q=freres")) == ["Office Suite"]
        assert names(sales.get("/subscriptions?q=maison")) == []

    def test_views_show_what_renews_ends_or_is_tried(self, people):
        renews, ends, _far = sold("Renews", "Ends", term_months=1)[:2] + sold("Far")
        sold("Tried", trial_days=40)
        change(ends, service.set_renewal, auto_renew=False)
        sales = people(SALES)

        with clock.shifted(timedelta(days=3)):
            sales = people(SALES)
            assert names(sales.get("/subscriptions?renewing=1")) == ["Renews"]
            assert names(sales.get("/subscriptions?ending=1")) == ["Ends"]
            assert names(sales.get("/subscriptions?trials=1")) == ["Tried"]
            assert names(sales.get("/subscriptions")) == ["Tried", "Far", "Renews", "Ends"]
        assert renews

    @pytest.mark.parametrize("who", STRANGERS)
    def test_nothing_of_another_partner_is_there(self, people, who):
        """R2"""
        (public_id,) = sold("Office Suite")
        stranger = people(who)

        assert names(stranger.get("/subscriptions")) == []
        for path in ("", "/export", f"/{public_id}", f"/{public_id}/quantity", f"/{public_id}/cancellation"):
            stranger.get(f"{tellier()}/subscriptions{path}", 404)
        stranger.post(f"{tellier()}/subscriptions/{public_id}/suspension", status=404)

    def test_another_customers_subscription_is_not_below_this_one(self, people):
        (public_id,) = sold("Office Suite")
        other = make.customer()

        people(SALES).get(f"/customers/{other.public_id}/subscriptions/{public_id}", 404)
        people(SALES).post(f"/customers/{other.public_id}/subscriptions/{public_id}/suspension", status=404)

    def test_a_pending_relationship_opens_nothing(self, people):
        """R19"""
        pending = make.customer("Brasserie Neuve", "brasserie-neuve.example", state="pending")

        people(SALES).get(f"/customers/{pending.public_id}/subscriptions", 404)

    def test_an_ended_one_stays_readable_and_changes_nothing(self, people):
        """R36: history stays."""
        (public_id,) = sold("Office Suite")
        url = f"{tellier()}/subscriptions/{public_id}"
        change(public_id, service.suspend)
        admin = people(ADMIN)
        admin.submit(admin.get(f"{tellier()}/ending"), f"{tellier()}/ending", typed_name="Maison Tellier", reason="Moved.")

        assert admin.get(tellier()).has_link(f"{tellier()}/subscriptions")
        page = admin.get(url)
        assert not page.soup.select("main form, main a[href$=reactivation]")
        assert names(admin.get(f"{tellier()}/subscriptions")) == ["Office Suite"]
        admin.get(f"{url}/reactivation", 404)
        admin.post(f"{url}/reactivation", status=404)
        assert row(public_id).state is S.SUSPENDED


class TestOne:
    def test_it_shows_terms_charges_and_history(self, people):
        (public_id,) = sold("Office Suite")
        change(public_id, service.set_quantity, quantity=7, version=None)

        page = people(SALES).get(f"{tellier()}/subscriptions/{public_id}")

        for text in (
            "Office-Suite",
            "1 year",
            "€84.00 a month",
            "€12.00 each",
            "Billing period",
            "Licences added",
            "In all: €84.00",
            "Quantity changed",
            "Subscription active",
        ):
            assert text in page.text, text
        for link in (f"{tellier()}/subscriptions/{public_id}/quantity", tellier(), re.search(r"/catalog/[0-9a-f-]+", str(page.soup))[0]):
            assert page.has_link(link), link

    @pytest.mark.parametrize("who", ["billing", "helpdesk"])
    def test_who_only_reads_is_offered_no_change(self, people, who):
        (public_id,) = sold("Office Suite")

        page = people(f"{who}@atelier-nuage.example").get(f"{tellier()}/subscriptions/{public_id}")

        assert not [form["action"] for form in page.soup.select("main form")]
        assert not page.has_link(f"{tellier()}/subscriptions/{public_id}/cancellation")

    def test_the_nickname_stands_in_lists_and_is_searched(self, people):
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"

        page = sales.submit(sales.get(f"{url}/nickname"), nickname="  Second  floor ")

        assert page.h1 == "Second floor: Maison Tellier"
        assert names(sales.get("/subscriptions?q=floor")) == ["Second floor"]
        assert "Subscription renamed" in page.text

    def test_a_second_editor_of_the_nickname_is_told(self, people):
        """R104"""
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/nickname"
        mine, theirs = sales.get(url), sales.get(url)
        sales.submit(theirs, nickname="First")

        page = sales.submit(mine, nickname="Second", status=409)

        assert "Somebody else changed this subscription" in page.errors[""]
        assert row(public_id).nickname == "First"
        sales.submit(page, nickname="Second")
        assert row(public_id).nickname == "Second"

    def test_owners_are_the_customers_purchasers_and_admins(self, people):
        """R71"""
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"
        page = sales.get(url)
        offered = {option.get_text(): option["value"] for option in page.soup.select("#user option")}
        assert list(offered) == ["Choose a person", "Claire Tellier", "Hugo Vasseur"]
        assert "buyer@" not in page.text

        page = sales.submit(page, f"{url}/owners", user=offered["Hugo Vasseur"])

        assert "Remove Hugo Vasseur" in page.text
        sales.post(f"{url}/owners", {"user": offered["Hugo Vasseur"]})
        assert len(re.findall("Owner of a subscription named", sales.get(url).text)) == 1
        page = sales.submit(page, f"{url}/owners/{offered['Hugo Vasseur']}/removal")
        assert "Nobody yet." in page.text

    def test_nobody_else_can_be_an_owner(self, people):
        (public_id,) = sold("Office Suite")
        url = f"{tellier()}/subscriptions/{public_id}/owners"
        with scoped(EVERYTHING):
            from portal.accounts.models import User

            staff, ours = (catalog.db.session.query(User.public_id).filter_by(email_key=key).scalar() for key in ("staff@maison-tellier.example", SALES))

        for user in (staff, ours, "", "nonsense"):
            assert people(SALES).post(url, {"user": user}, status=422).errors
        people(SALES).post(f"{url}/{ours}/removal", status=404)

    def test_who_may_names_the_support_contact(self, people):
        """R85"""
        (public_id,) = sold("Office Suite")
        url = f"{tellier()}/subscriptions/{public_id}"
        world.update(public_id, support_contact_id=None)
        helpdesk = people("helpdesk@atelier-nuage.example")

        page = helpdesk.submit(helpdesk.get(url), f"{url}/support-contact")

        assert page.flashes == ["Atelier Nuage is the support contact of this subscription now."]
        assert row(public_id).support_contact_id == make.organization("atelier-nuage.example").id
        assert f"{url}/support-contact" not in [form["action"] for form in page.soup.select("form")]


class TestQuantity:
    def test_more_licences_are_shown_with_their_price_then_confirmed(self, people):
        """R84"""
        (public_id,) = sold("Office Suite", price=3100)
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"
        shown = sales.submit(sales.get(f"{url}/quantity"), quantity="8")
        assert "€93.00 is charged now" in shown.text
        assert "€248.00 for each billing period" in shown.text
        assert row(public_id).quantity == 5

        page = sales.submit(shown, quantity="8")

        assert page.url == url
        assert "€93.00 is charged" in page.flashes[0]
        assert (row(public_id).quantity, charged(public_id)) == (8, [15500, 9300])

    def test_what_is_confirmed_is_what_was_shown(self, people):
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/quantity"
        shown = sales.submit(sales.get(url), quantity="8", htmx=True)

        again = sales.submit(shown, quantity="800", htmx=True)

        assert row(public_id).quantity == 5
        assert "is charged now" in again.text

    def test_a_second_click_charges_nothing_more(self, people):
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/quantity"
        shown = sales.submit(sales.get(url), quantity="8")
        sales.submit(shown, quantity="8")

        sales.submit(shown, quantity="8")

        assert charged(public_id) == [6000, 3600]

    def test_fewer_come_with_the_renewal(self, people):
        """R84"""
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"
        shown = sales.submit(sales.get(f"{url}/quantity"), quantity="2")
        assert "nothing is credited" in shown.text

        page = sales.submit(shown, quantity="2")

        assert (row(public_id).quantity, row(public_id).next_quantity) == (5, 2)
        assert "2 from" in page.text
        assert charged(public_id) == [6000]
        shown = sales.submit(sales.get(f"{url}/quantity"), quantity="5")
        assert "The change to 2 that was planned no longer comes." in shown.text

    def test_fewer_of_what_does_not_renew_say_so(self, people):
        (public_id,) = sold("Office Suite")
        change(public_id, service.set_renewal, auto_renew=False)
        sales = people(SALES)

        shown = sales.submit(sales.get(f"{tellier()}/subscriptions/{public_id}/quantity"), quantity="2")

        assert "It ends on that day unless its renewal is turned on again." in shown.text

    @pytest.mark.parametrize(
        ("typed", "message"),
        [
            ("2", "3 to 9"),
            ("10", "3 to 9"),
            ("x", "whole number"),
            ("1_0", "whole number"),
            ("-3", "3 to 9"),
            ("9" * 12, "3 to 9"),
            ("", "Fill this in"),
        ],
    )
    def test_a_number_outside_the_offers_range_is_refused_beside_the_field(self, people, typed, message):
        (public_id,) = sold("Office Suite", minimum=3, maximum=9)
        sales = people(SALES)

        page = sales.submit(sales.get(f"{tellier()}/subscriptions/{public_id}/quantity"), quantity=typed, status=422)

        assert message in page.errors["quantity"]
        assert row(public_id).quantity == 5

    def test_somebody_elses_change_is_told_first(self, people):
        """R104"""
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/quantity"
        shown = sales.submit(sales.get(url), quantity="8")
        change(public_id, service.set_quantity, quantity=6, version=None)

        page = sales.submit(shown, quantity="8", status=409)

        assert "Somebody else changed this subscription" in page.errors[""]
        assert row(public_id).quantity == 6
        sales.submit(sales.submit(page, quantity="8"), quantity="8")
        assert row(public_id).quantity == 8

    def test_a_suspended_one_is_refused(self, people):
        (public_id,) = sold("Office Suite")
        change(public_id, service.suspend)

        people(SALES).get(f"{tellier()}/subscriptions/{public_id}/quantity", 409)
        people(SALES).post(f"{tellier()}/subscriptions/{public_id}/quantity", {"quantity": "8", "version": row(public_id).version}, status=422)
        assert row(public_id).quantity == 5


class TestActions:
    def test_renewal_is_turned_off_and_on(self, people):
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"

        page = sales.submit(sales.get(url), f"{url}/renewal")
        assert (row(public_id).auto_renew, "Turn auto-renewal on" in page.text) == (False, True)

        page = sales.submit(page, f"{url}/renewal")
        assert (row(public_id).auto_renew, "Turn auto-renewal off" in page.text) == (True, True)

    def test_suspending_says_what_stops_and_when_it_expires(self, people):
        """R82"""
        (base,) = sold("Office Suite")
        (extra,) = sold("Mail Guard", add_on_of="Office-Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{base}"
        asked = sales.get(f"{url}/suspension")
        expires = clock.today() + timedelta(days=90)
        for text in ("Sign-in stops at once", "Mail Guard", f"{expires:%b} {expires.day}, {expires.year}"):
            assert text in asked.text, text
        assert row(base).state is S.ACTIVE

        page = sales.submit(asked)

        assert "Suspended since" in page.text
        assert (row(base).state, row(extra).state, row(base).turns_on) == (S.SUSPENDED, S.SUSPENDED, expires)
        sales.post(f"{url}/suspension")
        assert len(re.findall("Subscription suspended", sales.get(url).text)) == 1
        below = sales.get(f"{tellier()}/subscriptions/{extra}")
        assert "It adds to Office Suite, which is suspended too" in below.text
        assert not below.has_link(f"{tellier()}/subscriptions/{extra}/reactivation")
        sales.post(f"{tellier()}/subscriptions/{extra}/reactivation", status=409)

    def test_reactivating_shows_what_is_charged_and_charges_just_that(self, people):
        """R82"""
        (base,) = sold("Office Suite", price=3000)
        (extra,) = sold("Mail Guard", add_on_of="Office-Suite", price=300)
        change(base, service.suspend)
        with clock.shifted(timedelta(days=45)):
            sales, url = people(SALES), f"{tellier()}/subscriptions/{base}"
            asked = sales.get(f"{url}/reactivation")
            told = re.search(r"€([\d.]+) is charged now", asked.text)
            assert told, asked.text

            sales.submit(asked)
            sales.post(f"{url}/reactivation")

        assert (row(base).state, row(extra).state) == (S.ACTIVE, S.ACTIVE)
        assert (len(charged(base)), len(charged(extra))) == (2, 2)
        assert round(float(told[1]) * 100) == charged(base)[1] + charged(extra)[1]

    def test_cancelling_in_the_window_credits_what_the_page_says(self, people):
        """R83"""
        (base,) = sold("Office Suite")
        sold("Mail Guard", add_on_of="Office-Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{base}"
        asked = sales.get(f"{url}/cancellation")
        for text in ("It ends at once", "€120.00", "Mail Guard", "Full credit is open until"):
            assert text in asked.text, text

        page = sales.submit(asked)

        assert page.flashes == ["It is cancelled. €120.00 is credited."]
        assert (row(base).state, charged(base)) == (S.CANCELLED, [6000, -6000])
        sales.post(f"{url}/cancellation")
        assert charged(base) == [6000, -6000]
        sales.get(f"{url}/cancellation", 409)
        sales.get(f"{url}/suspension", 409)
        assert "Name as owner" not in sales.get(url).text

    def test_after_the_window_it_stops_at_renewal_and_can_be_taken_back(self, people):
        """R83"""
        (public_id,) = sold("Office Suite")
        with clock.shifted(timedelta(days=2)):
            sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"
            asked = sales.get(f"{url}/cancellation")
            assert "nothing is credited" in asked.text

            page = sales.submit(asked)
            assert "Cancelled, stops on" in page.text
            assert (row(public_id).state, row(public_id).cancels) == (S.ACTIVE, True)

            page = sales.submit(page, f"{url}/cancellation/withdrawal")
            assert "taken back" in page.flashes[0]
        assert (row(public_id).cancels, row(public_id).auto_renew) == (False, True)

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_window_that_closes_while_one_reads_is_told_first(self, people, htmx):
        """Nobody cancels at renewal who was promised full credit, and the reverse."""
        (public_id,) = sold("Office Suite")

        url = f"{tellier()}/subscriptions/{public_id}/cancellation"
        asked = people(SALES).get(url)

        with clock.shifted(timedelta(hours=25)):
            sales = people(SALES)
            page = sales.post(url, carried(asked), status=409, htmx=htmx)
            assert "not as you saw it" in page.errors[""]
            assert "nothing is credited" in page.text
            assert not row(public_id).cancels
            sales.submit(page)

        assert row(public_id).cancels

    def test_a_credit_that_has_changed_is_told_first(self, people):
        (public_id,) = sold("Office Suite")
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/cancellation"
        asked = sales.get(url)
        change(public_id, service.set_quantity, quantity=6, version=None)

        page = sales.submit(asked, status=409)

        assert "€72.00" in page.text
        assert row(public_id).state is S.ACTIVE
        sales.submit(page)
        assert (row(public_id).state, charged(public_id)[-1]) == (S.CANCELLED, -7200)

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_period_that_ends_while_one_reads_what_reactivating_costs_is_told_first(self, people, htmx):
        """R82: nobody is charged more than the page said."""
        (base,) = sold("Office Suite", price=3000)
        change(base, service.suspend)
        url = f"{tellier()}/subscriptions/{base}/reactivation"
        asked = people(SALES).get(url)
        assert "Nothing is charged now" in asked.text

        with clock.shifted(timedelta(days=45)):
            sales = people(SALES)
            page = sales.post(url, carried(asked), status=409, htmx=htmx)
            told = re.search(r"€([\d.]+) is charged now", page.text)
            assert "not as you saw it" in page.errors[""]
            assert (row(base).state, len(charged(base))) == (S.SUSPENDED, 1)
            sales.submit(page)

        assert told
        assert (row(base).state, charged(base)[1:]) == (S.ACTIVE, [round(float(told[1]) * 100)])

    def test_a_term_that_ended_meanwhile_begins_anew_before_it_is_reactivated(self, people):
        """R82: what the job would charge a moment later is on the page first."""
        (base,) = sold("Office Suite", price=3000, term_months=1)
        change(base, service.suspend)
        with clock.shifted(timedelta(days=45)):
            sales, url = people(SALES), f"{tellier()}/subscriptions/{base}/reactivation"

            page = sales.submit(sales.get(url), status=409)
            told = re.search(r"€([\d.]+) is charged now", page.text)
            sales.submit(page)
            db.session.rollback()
            jobs.run("advance_subscriptions")

            assert told
            assert charged(base)[1:] == [round(float(told[1]) * 100)]

    def test_a_trial_is_converted_once(self, people):
        (public_id,) = sold("Office Suite", trial_days=30)
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}"
        asked = sales.get(f"{url}/conversion")
        assert "€60.00 is charged now" in asked.text

        sales.submit(asked)
        sales.submit(asked)

        assert (row(public_id).trial_ends_on, charged(public_id)) == (None, [6000])
        sales.get(f"{url}/conversion", 404)

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_quantity_changed_while_one_reads_what_converting_costs_is_told_first(self, people, htmx):
        (public_id,) = sold("Office Suite", trial_days=30)
        sales, url = people(SALES), f"{tellier()}/subscriptions/{public_id}/conversion"
        asked = sales.get(url)
        change(public_id, service.set_quantity, quantity=8, version=None)

        page = sales.submit(asked, status=409, htmx=htmx)

        assert "not as you saw it" in page.errors[""]
        assert "€96.00 is charged now" in page.text
        assert (row(public_id).trial_ends_on is None, charged(public_id)) == (False, [])
        sales.submit(page)
        assert charged(public_id) == [9600]


class TestMine:
    @pytest.mark.parametrize("who", ["admin", "buyer", "staff"])
    def test_the_customers_people_see_them_with_the_partners_name(self, people, who):
        base, suspended = sold("Office Suite", "Backup")
        sold("Mail Guard", add_on_of="Office-Suite")
        change(suspended, service.suspend)
        mine = people(f"{who}@maison-tellier.example")

        page = mine.get("/my/subscriptions")
        assert sorted(names(page)) == ["Backup", "Mail Guard", "Office Suite"]
        assert "Atelier Nuage" in page.text
        assert names(mine.get("/my/subscriptions?state=suspended", htmx=True)) == ["Backup"]
        shown = mine.get(f"/my/subscriptions/{base}")
        assert "Mail Guard" in shown.text
        assert not shown.soup.select("main form")
        assert "Unless Atelier Nuage reactivates it" in mine.get(f"/my/subscriptions/{suspended}").text

    def test_a_stranger_sees_none_of_them(self, people):
        """R2"""
        (public_id,) = sold("Office Suite")
        odile = people("admin@verrerie-odile.example")

        assert "No subscriptions yet" in odile.get("/my/subscriptions").text
        odile.get(f"/my/subscriptions/{public_id}", 404)
