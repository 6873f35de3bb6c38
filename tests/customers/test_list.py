"""The customer list: search, filters, sorting, paging, export."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.db import db, writing
from portal.core.lists import PAGE_SIZE
from portal.core.scope import Scope, scoped
from portal.customers.models import CustomerTag
from tests.support import make


def names(page):
    return [summary.get_text(strip=True) for summary in page.soup.select("#results details.unfold > summary")]


def test_the_list_shows_name_domain_relationship_and_agreement(people):
    """R14"""
    page = people("sales@atelier-nuage.example").get("/customers")

    assert page.h1 == "Customers"
    assert names(page) == ["Brasserie Pendante", "Maison Tellier"]
    row = page.soup.select_one("#results tbody tr:nth-of-type(2)").get_text(" ")
    assert "maison-tellier.example" in row
    assert "Reseller" in row
    assert "Attested" in row


def test_a_row_unfolds_to_customer_id_and_quick_links(people):
    """R14"""
    page = people("sales@atelier-nuage.example").get("/customers?q=tellier")

    customer_id = str(make.organization("maison-tellier.example").public_id)
    assert customer_id in page.text
    assert page.has_link(f"/customers/{customer_id}/account")


@pytest.mark.parametrize("words", ["tellier", "TELL", "ellie", "maison tel", "maison-tellier.ex", "téllier", "ma", "t", "m t"])
def test_search_finds_any_part_of_name_or_domain_whatever_case_and_accents(people, words):
    """R14: any part from three letters on; one or two letters find beginnings of words."""
    page = people("sales@atelier-nuage.example").get("/customers", htmx=True) and people("sales@atelier-nuage.example").get(f"/customers?q={words}", htmx=True)

    assert names(page) == ["Maison Tellier"]


@pytest.mark.parametrize("words", ["ellx", "ai", "%", "_", "zz", "tellier odile"])
def test_search_that_fits_nothing_says_what_to_do(people, words):
    page = people("sales@atelier-nuage.example").get("/customers", 200)
    page = people("sales@atelier-nuage.example").submit(page, "/customers", q=words)

    assert names(page) == []
    assert "No customer fits" in page.text
    assert page.has_link("/customers")


def test_a_rare_word_is_found_behind_thousands_of_rows(people, app, monkeypatch):
    """The trigram index finds what the window in list order does not reach."""
    from portal.core.finding import Finder
    from portal.customers import queries

    near = Finder(queries.Customer, queries.COLUMNS, queries.SORTS, queries._filtered, queries._filter_values, window=1)
    monkeypatch.setattr(queries, "_finder", near)
    make.customer("Zénith Lumière", "zenith-lumiere.example")

    page = people("sales@atelier-nuage.example").get("/customers?q=lumiere")

    assert names(page) == ["Zénith Lumière"]
    assert "1 in all" in page.text


def test_filters_by_relationship_agreement_and_tag(people):
    """R14"""
    sales = people("sales@atelier-nuage.example")

    assert names(sales.get("/customers?state=pending")) == ["Brasserie Pendante"]
    assert names(sales.get("/customers?agreement=attested")) == ["Maison Tellier"]
    assert names(sales.get("/customers?tag=VIP")) == ["Maison Tellier"]
    assert names(sales.get("/customers?tag=nobody")) == []


def test_a_former_customer_is_not_in_the_list_but_among_the_former_ones(people):
    """R36, R37"""
    page = people("sales@atelier-nuage.example").get("/customers/former")

    assert "Ancienne Forge" in page.text
    assert "Closed its workshop." in page.text


def test_the_list_of_a_fresh_partner_says_what_to_do(people):
    page = people("admin@studio-cumulus.example").get("/customers")

    assert "No customers yet" in page.text
    assert page.has_link("/customers/new")


def test_pages_concatenate_to_the_whole_list_in_every_order_both_ways(people, app):
    """R101: keyset paging loses and doubles nothing."""
    who = make.actor("sales@atelier-nuage.example")
    for number in range(2 * PAGE_SIZE + 7):
        make.customer(f"Série {number % 9} {number:03}", f"serie-{(number * 37) % 113:03}.example", by=who.email)
    sales = people(who.email)

    for sort in ("name", "domain", "newest"):
        forwards, page = [], sales.get(f"/customers?sort={sort}")
        while True:
            forwards += names(page)
            following = page.soup.select_one("a[rel=next]")
            if following is None:
                break
            page = sales.get(following["href"])
        backwards, page = names(page), page
        while (previous := page.soup.select_one("a[rel=prev]")) is not None:
            page = sales.get(previous["href"])
            backwards = names(page) + backwards
        assert len(forwards) == len(set(forwards)) == 2 * PAGE_SIZE + 9
        assert backwards == forwards
        last = sales.get(f"/customers?sort={sort}&last=1")
        assert names(last) == forwards[-PAGE_SIZE:]


@given(position=st.text(max_size=60))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_malformed_position_is_no_position(people, position):
    page = people("sales@atelier-nuage.example").client.get("/customers", query_string={"after": position, "sort": position, "state": position})

    assert page.status_code == 200


def test_a_fragment_is_only_the_results(people):
    page = people("sales@atelier-nuage.example").get("/customers?q=mai", htmx=True)

    assert page.soup.find("html") is None
    assert page.soup.find(id="results") is not None


def test_a_history_restore_is_the_whole_page(people):
    page = people("sales@atelier-nuage.example").get("/customers?q=mai", htmx=False, **{"HX-History-Restore-Request": "true", "HX-Request": "true"})

    assert page.h1 == "Customers"


def exported(visitor, url):
    response = visitor.client.get(url)
    assert response.status_code == 200, response.get_data(as_text=True)[:300]
    return list(csv.reader(io.StringIO(response.get_data().decode("utf-8-sig"))))


def test_export_gives_the_whole_list_or_exactly_the_search(people):
    """R15"""
    agent = people("agent@atelier-nuage.example")
    tellier = str(make.organization("maison-tellier.example").public_id)

    everything = exported(agent, "/customers/export")
    found = exported(agent, "/customers/export?q=tellier")

    assert everything[0] == ["Customer ID", "Company name", "Primary domain name", "Relationship"]
    assert [row[1:] for row in everything[1:]] == [
        ["Brasserie Pendante", "brasserie-pendante.example", "Pending"],
        ["Maison Tellier", "maison-tellier.example", "Reseller"],
    ]
    assert found[1:] == [[tellier, "Maison Tellier", "maison-tellier.example", "Reseller"]]


def test_no_exported_cell_runs_as_a_formula(people):
    """R15, S36"""
    make.customer("=HYPERLINK(1)", "gefahr.example")

    rows = exported(people("agent@atelier-nuage.example"), "/customers/export")

    assert any(row[1] == "'=HYPERLINK(1)" for row in rows)


def test_an_export_stands_in_the_log(people):
    """R95"""
    exported(people("agent@atelier-nuage.example"), "/customers/export?q=tell")

    page = people("admin@atelier-nuage.example").get("/activity")
    assert "Customers exported" in page.text


def test_who_may_not_export_is_not_offered_it_and_refused(people):
    sales = people("sales@atelier-nuage.example")

    assert not sales.get("/customers").has_link("/customers/export")
    sales.get("/customers/export", 403)


def test_a_competitor_sees_none_of_it(people):
    """R2"""
    cumulus = people("admin@studio-cumulus.example")

    assert names(cumulus.get("/customers?q=tellier")) == []
    cumulus.get(f"/customers/{make.organization('maison-tellier.example').public_id}", 404)
    assert len(exported(cumulus, "/customers/export")) == 1


def test_tags_of_many_customers_are_listed_once(people):
    who = make.actor("sales@atelier-nuage.example")
    made = [make.customer(f"Étiquette {number}", f"etiquette-{number}.example") for number in range(3)]
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        for customer in made:
            db.session.add_all([CustomerTag(partner_id=who.organization_id, record_id=customer.id, tag=tag) for tag in ("été", "zone")])
        db.session.commit()

    page = people(who.email).get("/customers")

    assert [option.get_text() for option in page.soup.select("select[name=tag] option")] == ["All", "VIP", "zone", "été"]
