"""The list of leads: tabs, search, filters, orders, favorites, board, export."""

import csv
import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import clock
from portal.core.db import db, writing
from portal.core.lists import PAGE_SIZE
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads import queries, service
from portal.leads.models import Lead, LeadFavorite, LeadSource
from portal.leads.service import NewLead
from tests.support import make

SALES, ADMIN = "sales@atelier-nuage.example", "admin@atelier-nuage.example"


def names(page):
    return [link.get_text() for link in page.soup.select("td.title .hearted > div > a")]


def tabs(page):
    return [tab.get_text(" ", strip=True) for tab in page.soup.select(".tabs a")]


def heart(page, lead):
    return page.soup.select_one(f"#heart-{lead.public_id}")


def hearts():
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(sa.func.count(LeadFavorite.id)))


def press(visitor, page, lead, **options):
    """Press the heart as a browser would: the button's own address, with the fields of its form."""
    button = heart(page, lead)
    form = page.soup.select_one("#hearts")
    assert button["form"] == "hearts"
    assert button["formaction"] == button["data-hx-post"]
    fields = {field["name"]: field["value"] for field in form.select("input")}
    return visitor.post(button["formaction"], fields, **options)


# --- tabs and counts


def test_inquiries_stand_in_the_marketplace_and_the_others_under_qualified(people):
    """R50"""
    make.lead("Tissages Morel")
    make.lead("Scierie Aubin", source="sales_qualified", by=SALES)
    make.lead("Verger Blanc", source="marketing_qualified", by=SALES)
    sales = people(SALES)

    page = sales.get("/leads")

    assert tabs(page) == ["Marketplace 1", "Qualified 2", "Favorites 0"]
    assert names(page) == ["Tissages Morel"]
    assert names(sales.get("/leads?tab=qualified")) == ["Verger Blanc", "Scierie Aubin"]
    assert names(sales.get("/leads?tab=qualified&source=sales_qualified")) == ["Scierie Aubin"]


def test_a_tab_counts_the_leads_that_are_open(people):
    """R51: received and accepted; the archive is not counted."""
    make.lead("Tissages Morel")
    make.accepted_lead("Faïences Kerjean")
    make.won_lead("Verger Blanc")

    page = people(SALES).get("/leads")

    assert tabs(page)[0] == "Marketplace 2"
    assert "3 in all" in page.text


def test_each_partner_sees_its_own_leads_only(people):
    """R2"""
    lead = make.lead("Tissages Morel")
    make.lead("Scierie Aubin", owner="studio-cumulus.example")
    other = people("admin@studio-cumulus.example")

    assert names(other.get("/leads")) == ["Scierie Aubin"]
    assert "Tissages" not in other.get("/leads/board").text
    other.get(f"/leads/{lead.public_id}", status=404)


@pytest.mark.parametrize("url", ["/leads", "/leads/board", "/leads/export"])
def test_the_government_cloud_has_no_leads(people, url):
    """R62"""
    person = people("admin@potomac-stratus.example")

    person.get(url, status=404)

    assert not person.get("/").has_link("/leads")


def test_nobody_can_send_a_lead_into_the_government_cloud(app):
    """R62"""
    with pytest.raises(service.Refused):
        make.lead(owner="potomac-stratus.example")


def test_whoever_has_no_part_in_leads_finds_no_way_to_them(people):
    helpdesk = people("helpdesk@atelier-nuage.example")

    assert not helpdesk.get("/").has_link("/leads")
    helpdesk.get("/leads", status=403)


@pytest.mark.parametrize(
    ("url", "text"), [("/leads", "No inquiries yet"), ("/leads?tab=qualified", "No qualified leads yet"), ("/leads?tab=favorites", "No favorites yet")]
)
def test_an_empty_tab_says_what_will_stand_there(people, url, text):
    assert text in people(SALES).get(url).text


# --- search, filters, orders


@pytest.mark.parametrize("words", ["tiss", "MOREL", "aline", "tissages-morel.example", "aline@tissages-morel.example", "mor tis", "ti"])
def test_a_lead_is_found_by_company_contact_address_and_domain(people, words):
    make.lead("Tissages Morel", domain="tissages-morel.example")
    make.lead("Scierie Aubin", first_name="Guy", last_name="Aubin", email="guy@aubin.example")

    assert names(people(SALES).get(f"/leads?q={words}")) == ["Tissages Morel"]


def test_a_search_without_a_hit_says_what_to_do(people):
    make.lead("Tissages Morel")
    page = people(SALES).get("/leads?q=zzz&tab=favorites")

    assert "No lead fits" in page.text
    assert page.has_link("/leads?tab=favorites")


def test_a_rare_word_is_found_behind_thousands_of_rows(people, monkeypatch):
    """The trigram index finds what the window in list order does not reach."""
    tab = queries.Tab.MARKETPLACE
    near = queries.Finder(Lead, queries.COLUMNS, queries.SORTS, queries._narrowing(tab), queries._values, window=1)
    monkeypatch.setitem(queries._finders, tab, near)
    make.lead("Zénith Lumière")
    make.lead("Tissages Morel")

    page = people(SALES).get("/leads?q=lumiere")

    assert names(page) == ["Zénith Lumière"]
    assert "1 in all" in page.text


def test_filters_by_stage_and_urgency(people):
    """R55: urgent is what burns now."""
    make.lead("Tissages Morel")
    make.lead("Vite Fait", wants_contact=True)
    make.lead("Trop Tard", wants_contact=True, at=clock.now() - timedelta(hours=73))
    make.accepted_lead("Faïences Kerjean", wants_contact=True)
    make.won_lead("Verger Blanc", wants_contact=True)
    sales = people(SALES)

    assert names(sales.get("/leads?state=accepted")) == ["Faïences Kerjean"]
    assert names(sales.get("/leads?urgent=yes")) == ["Faïences Kerjean", "Vite Fait"]
    assert names(sales.get("/leads?urgent=yes&state=received")) == ["Vite Fait"]
    assert names(sales.get("/leads?urgent=no&state=nonsense&source=sales_qualified")) == names(sales.get("/leads"))


def test_orders_by_company_by_receipt_and_by_deadline(people):
    at = clock.now()
    make.lead("Beaune", at=at - timedelta(days=2))
    make.lead("Égletons", at=at - timedelta(days=9))
    make.lead("Amboise", at=at - timedelta(days=5))
    sales = people(SALES)

    assert names(sales.get("/leads")) == ["Beaune", "Amboise", "Égletons"]
    assert names(sales.get("/leads?sort=company")) == ["Amboise", "Beaune", "Égletons"]
    assert names(sales.get("/leads?sort=deadline")) == ["Égletons", "Amboise", "Beaune"]


def test_the_heading_of_the_deadline_leads_to_what_waits_the_soonest_first(people):
    make.lead()

    page = people(SALES).get("/leads?tab=marketplace&q=mor")

    assert page.has_link("/leads?q=mor&sort=deadline&state=received")


def many(number: int, *, at) -> None:
    """Leads of every kind, entered at once."""
    who = make.actor(SALES)
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        for index in range(number):
            made = service.receive_lead(
                NewLead(f"Série {index % 9} {index:03}", "FR", wants_contact=index % 4 == 0),
                partner_id=who.organization_id or 0,
                source=list(LeadSource)[1:][index % 2],
                by=who,
                at=at - timedelta(hours=(index * 37) % 113 // 2),
            )
            if index % 2:
                service.set_favorite(made, True, by=who)
        db.session.commit()


def test_pages_concatenate_to_the_whole_list_in_every_order_both_ways(people):
    """R101: keyset paging loses and doubles nothing."""
    many(2 * PAGE_SIZE + 7, at=clock.now())
    sales = people(SALES)

    for query in (
        "tab=qualified",
        "tab=qualified&sort=company",
        "tab=qualified&sort=deadline",
        "tab=favorites",
        "tab=qualified&q=serie",
        "tab=qualified&state=received",
    ):
        forwards, page = [], sales.get(f"/leads?{query}")
        while True:
            forwards += names(page)
            following = page.soup.select_one("a[rel=next]")
            if following is None:
                break
            page = sales.get(following["href"])
        backwards = names(page)
        while (previous := page.soup.select_one("a[rel=prev]")) is not None:
            page = sales.get(previous["href"])
            backwards = names(page) + backwards
        assert len(forwards) == len(set(forwards)) == (PAGE_SIZE + 3 if "favorites" in query else 2 * PAGE_SIZE + 7), query
        assert backwards == forwards
        assert names(sales.get(f"/leads?{query}&last=1")) == forwards[-PAGE_SIZE:]


@given(position=st.text(max_size=60))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_malformed_position_is_no_position(people, position):
    values = dict.fromkeys(("after", "sort", "state", "tab", "urgent", "source", "q"), position)
    page = people(SALES).client.get("/leads", query_string=values)

    assert page.status_code == 200


def test_a_fragment_is_only_the_results(people):
    """R105"""
    make.lead("Tissages Morel")
    page = people(SALES).get("/leads?q=tiss", htmx=True)

    assert page.soup.find("html") is None
    assert names(page) == ["Tissages Morel"]


def test_search_counts_against_a_limit(people, monkeypatch):
    """S10"""
    from portal.core import throttle

    monkeypatch.setattr(throttle, "SEARCH", throttle.Limit("search-few", "2/minute", light=True))
    sales = people(SALES)

    assert [sales.client.get("/leads?q=a").status_code for _ in range(3)] == [200, 200, 429]


# --- the deadline and the flame in the list


@pytest.mark.parametrize(
    ("age", "text"),
    [(timedelta(0), "13 days left"), (timedelta(days=12, hours=1), "46 hours left"), (timedelta(days=13, hours=23, minutes=30), "Less than an hour left")],
)
def test_the_deadline_shows_the_time_left_and_the_day(people, age, text):
    """R54"""
    make.lead(at=clock.now() - age)

    cell = people(SALES).get("/leads").soup.select_one("time.due")

    assert text in cell.get_text()
    assert cell["title"]
    assert bool(cell.select_one(".icon")) == (age > timedelta(days=11)), "soon is told by more than a colour"


def test_a_closed_lead_has_neither_deadline_nor_flame(people):
    make.won_lead(wants_contact=True)

    page = people(SALES).get("/leads")

    assert page.soup.select_one("time.due, .flame") is None


# --- favorites


def test_a_heart_is_for_one_person_and_comes_off_again(people):
    """R50"""
    lead = make.lead("Tissages Morel")
    sales, admin = people(SALES), people(ADMIN)

    assert press(sales, sales.get("/leads?q=tiss"), lead).response.location == "/leads?q=tiss"

    page = sales.get("/leads?tab=favorites")
    assert names(page) == ["Tissages Morel"]
    assert tabs(page)[2] == "Favorites 1"
    assert heart(page, lead)["aria-pressed"] == "true"
    assert heart(admin.get("/leads"), lead)["aria-pressed"] == "false"
    press(sales, page, lead)
    assert names(sales.get("/leads?tab=favorites")) == []


@pytest.mark.parametrize("place", ["/leads", "/leads/board", "/leads/{id}"])
def test_with_htmx_the_heart_changes_in_its_place(people, place):
    """R105"""
    lead = make.lead("Tissages Morel")
    sales, target = people(SALES), f"heart-{lead.public_id}"
    page = sales.get(place.format(id=lead.public_id))

    answer = press(sales, page, lead, status=200, htmx=True, target=target)

    assert answer.soup.find("html") is None
    assert heart(answer, lead)["aria-pressed"] == "true"
    assert heart(answer, lead)["aria-label"] == "Favorite: Tissages Morel"


def test_two_hearts_at_once_are_one(people):
    """S29"""
    lead = make.lead()
    sales = people(SALES)

    for _ in range(2):
        sales.post(f"/leads/{lead.public_id}/favorite")
    assert hearts() == 1
    for _ in range(2):
        sales.post(f"/leads/{lead.public_id}/favorite/removal")
    assert hearts() == 0


def test_a_heart_leads_to_no_other_host(people):
    """S32"""
    lead = make.lead()

    answer = people(SALES).post(f"/leads/{lead.public_id}/favorite", {"next": "https://evil.example/"})

    assert answer.response.location == f"/leads/{lead.public_id}"


def test_favorites_have_a_limit(people, monkeypatch):
    monkeypatch.setattr(service, "MOST_FAVORITES", 1)
    sales = people(SALES)
    sales.post(f"/leads/{make.lead().public_id}/favorite")

    answer = sales.post(f"/leads/{make.lead().public_id}/favorite", status=409)

    assert "Take a heart off another lead first" in answer.text


# --- the board


def test_the_board_has_a_column_for_each_stage(people):
    """R51"""
    made = {"received": make.lead("Tissages Morel"), "accepted": make.accepted_lead("Faïences Kerjean"), "won": make.won_lead("Verger Blanc")}
    sales = people(SALES)

    page = sales.get("/leads/board")

    for name, lead in made.items():
        column = page.soup.select_one(f"#column-{name}").find_parent("section")
        assert [link.get_text() for link in column.select("a.strong")] == [lead.company]
        assert column.select_one(".count").get_text() == "1"
        assert column.select_one(f'a[href="/leads?state={name}"]')
    assert page.has_link(f"/leads/{made['received'].public_id}/acceptance")
    assert page.has_link(f"/leads/{made['received'].public_id}/declining")
    assert page.has_link(f"/leads/{made['accepted'].public_id}/winning")
    assert page.has_link(f"/leads/{made['accepted'].public_id}/losing")
    assert not page.has_link(f"/leads/{made['won'].public_id}/losing")
    assert "No leads here." in sales.get("/leads/board?tab=favorites").text


def test_a_column_shows_the_newest_twelve_and_the_number_of_all(people):
    many(45, at=clock.now())

    page = people(SALES).get("/leads/board?tab=qualified")

    column = page.soup.select_one("#column-received").find_parent("section")
    assert len(column.select(".card")) == 12
    assert column.select_one(".count").get_text() == "45"
    assert page.has_link("/leads?tab=qualified&state=received")


# --- export


def test_the_export_holds_what_the_list_was_narrowed_to(people):
    make.accepted_lead("Faïences Kerjean", domain="kerjean.example")
    make.lead("=cmd()")
    sales = people(SALES)

    page = sales.get("/leads?state=accepted")
    assert page.has_link("/leads/export?state=accepted")
    answer = sales.get("/leads/export?state=accepted").response

    header, row = csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff")))
    line = dict(zip(header, row, strict=True))
    assert (line["Company name"], line["Stage"], line["Source"]) == ("Faïences Kerjean", "accepted", "inquiry")
    assert (line["Value"], line["Currency"], line["Primary domain name"]) == ("1200.00", "EUR", "kerjean.example")
    assert "'=cmd()" in sales.get("/leads/export").response.get_data(as_text=True)


def test_an_export_is_logged_and_limited(people):
    """R95, S10"""
    make.lead()
    people(SALES).get("/leads/export?q=mor")

    assert "Leads exported" in people(ADMIN).get("/activity").text


# --- home and coming up


def test_home_counts_open_leads_and_those_that_are_due(people):
    make.lead()
    make.lead(at=clock.now() - timedelta(days=12))
    make.accepted_lead()

    for email in (SALES, "referrals@atelier-nuage.example"):
        page = people(email).get("/")
        stats = {stat.select_one(".stat-label").get_text(): stat.select_one(".stat-value").get_text(strip=True) for stat in page.soup.select(".stat")}
        assert (stats["Open leads"], stats["Leads to answer within 3 days"]) == ("3", "1")
    assert "Open leads" not in people("helpdesk@atelier-nuage.example").get("/").text


def test_coming_up_lists_leads_that_wait_for_an_answer(people):
    """R38"""
    lead = make.lead("Tissages Morel", at=clock.now() - timedelta(days=10))
    make.accepted_lead("Faïences Kerjean")

    page = people(SALES).get("/coming-up?days=7")

    assert page.has_link(f"/leads/{lead.public_id}")
    assert "Lead to answer" in page.text
    assert "Faïences Kerjean" not in page.text
    assert page.soup.select_one("input[name=line]") is None
    assert "Tissages Morel" not in people("helpdesk@atelier-nuage.example").get("/coming-up").text


@pytest.mark.parametrize("url", ["/leads?q=mor", "/leads?tab=favorites&q=mor", "/leads/board", "/", "/coming-up"])
def test_a_page_costs_at_most_six_statements(people, url):
    many(PAGE_SIZE + 10, at=clock.now())
    make.lead("Tissages Morel", wants_contact=True)
    sales, statements = people(SALES), []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    sales.get(url)

    assert len([statement for statement in statements if statement.startswith(("SELECT", "WITH"))]) <= 6, statements
