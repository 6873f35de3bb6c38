"""The catalog: list, search and filters, an offer's page, the editor, prices with their days, withdrawal (R80, R81)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.subscriptions import catalog
from portal.subscriptions.models import Offer, OfferPrice
from tests.subscriptions import rows
from tests.support import make
from tests.test_surface import Counted

BILLING, SALES, RIVAL = "billing@atelier-nuage.example", "sales@atelier-nuage.example", "admin@studio-cumulus.example"


def add(*made, by=BILLING):
    """Offers in this person's catalog: (SKU, what else) each; their public keys."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        offers = [rows.offer(sku, by=who, at=clock.now(), **details) for sku, details in made]
        db.session.commit()
        keys = [offer.public_id for offer in offers]
    db.session.rollback()
    return keys[0] if len(keys) == 1 else keys


def stored(public_id):
    with scoped(EVERYTHING):
        db.session.rollback()
        return db.session.scalars(sa.select(Offer).where(Offer.public_id == public_id)).one()


def prices(public_id):
    with scoped(EVERYTHING):
        statement = sa.select(OfferPrice.currency, OfferPrice.price_minor, OfferPrice.cost_minor, OfferPrice.from_on).join(
            Offer, Offer.id == OfferPrice.offer_id
        )
        found = db.session.execute(statement.where(Offer.public_id == public_id).order_by(OfferPrice.currency, OfferPrice.from_on)).all()
        db.session.rollback()
        return [tuple(row) for row in found]


def names(page):
    return [summary.contents[0].strip() for summary in page.soup.select("#results details.unfold > summary")]


SHELF = (
    ("NL-1", {"name": "Suite Été", "description": "Mail for everybody."}),
    ("NL-2", {"name": "Suite for schools", "segment": "education", "billing": "usage"}),
    ("CQ-1", {"name": "Shield", "publisher": "Calanque", "category": "Security", "price": None}),
    ("CQ-2", {"name": "Shield extra", "publisher": "Calanque", "category": "Security", "add_on_of": "CQ-1"}),
    ("MC-1", {"name": "D4 reserved", "instance_type": "D4", "region": "France Central"}),
)


def test_the_list_shows_name_sku_publisher_billing_and_price(people):
    """R80"""
    add(*SHELF)

    page = people(SALES).get("/catalog")

    assert page.h1 == "Catalog"
    assert names(page) == ["D4 reserved", "Shield", "Shield extra", "Suite Été", "Suite for schools"]
    row = page.soup.select("#results tbody tr")[3].get_text(" ")
    for part in ("NL-1", "Nordlicht", "Licence", "Monthly", "1 year", "€12.00", "Available", "Mail for everybody."):
        assert part in row
    assert "No price" in page.soup.select("#results tbody tr")[1].get_text(" ")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=suite", ["Suite Été", "Suite for schools"]),
        ("q=ETE", ["Suite Été"]),
        ("q=cq-2", ["Shield extra"]),
        ("q=calanque+secur", ["Shield", "Shield extra"]),
        ("publisher=Calanque", ["Shield", "Shield extra"]),
        ("category=Security&q=extra", ["Shield extra"]),
        ("billing=usage", ["Suite for schools"]),
        ("segment=education", ["Suite for schools"]),
        ("kind=reservation", ["D4 reserved"]),
        ("kind=add_on", ["Shield extra"]),
        ("kind=subscription", ["Shield", "Suite Été", "Suite for schools"]),
        ("kind=nonsense&billing=gift", ["D4 reserved", "Shield", "Shield extra", "Suite Été", "Suite for schools"]),
        ("state=withdrawn", []),
        ("q=nothing", []),
    ],
)
@pytest.mark.parametrize("htmx", [False, True])
def test_words_and_filters_narrow_the_list(people, asked, found, htmx):
    add(*SHELF)

    assert names(people(SALES).get(f"/catalog?{asked}", htmx=htmx)) == found


def test_filters_offer_the_publishers_and_categories_of_the_own_catalog(people):
    """R2"""
    add(*SHELF)
    add(("X", {"publisher": "Somebody else", "category": "Secret"}), by=RIVAL)

    page = people(SALES).get("/catalog")

    for name, values in (("publisher", ["All", "Calanque", "Nordlicht"]), ("category", ["All", "Productivity", "Security"])):
        assert [option.get_text() for option in page.soup.select(f"select[name={name}] option")] == values


def test_prices_are_shown_in_the_currency_that_was_asked_for(people):
    offer_id = add(("NL-1", {}))
    people(BILLING).post(f"/catalog/{offer_id}/prices", {"currency": "CHF", "price": "13.50", "from_on": clock.today().isoformat()})

    assert "CHF" in people(SALES).get("/catalog?currency=CHF").soup.select_one("#results").get_text()
    assert "No price" in people(SALES).get("/catalog?currency=GBP").text


def test_margins_are_for_those_who_edit_the_catalog(people):
    offer_id = add(("NL-1", {"price": 1000}))
    billing = people(BILLING)
    billing.post(f"/catalog/{offer_id}/prices", {"currency": "EUR", "price": "10", "cost": "8.75", "from_on": clock.today().isoformat()})

    for address in ("/catalog", f"/catalog/{offer_id}"):
        assert "12.5%" in billing.get(address).text
        for word in ("12.5%", "8.75", "Margin", "Cost"):
            assert word not in people(SALES).get(address).text.replace("Cost changed", "")


def test_an_empty_catalog_says_what_to_do(people):
    assert people(RIVAL).get("/catalog").has_link("/catalog/new")
    page = people(SALES).get("/catalog")
    assert "The catalog is empty" in page.text
    assert not page.has_link("/catalog/new")


def test_a_reseller_is_told_whose_catalog_it_sells_from(people):
    """It orders through its provider, so a catalog of its own would offer nothing to anybody."""
    admin = people("admin@relais-breton.example")

    page = admin.get("/catalog")

    assert "You sell from the catalog of your provider" in page.text
    assert page.soup.select("main form") == []
    assert not page.has_link("/catalog/new") and not page.has_link("/catalog/import")
    admin.get("/catalog/new", 403)


def filled(**changed):
    return {
        "sku": "AB-1", "name": "Ledger", "publisher": "Atlas Bureau", "category": "Business", "billing": "licence", "cycle": "annual", "term_months": "36",
        "minimum": "2", "maximum": "90", "trial_days": "0", **changed,
    }  # fmt: skip


@pytest.mark.parametrize("htmx", [False, True])
def test_an_offer_is_added_with_every_field(people, htmx):
    """R80"""
    add(("BASE", {}))
    billing = people(BILLING)
    page = billing.get("/catalog/new")
    billing.submit(
        page, "/catalog", htmx=htmx, **filled(description="One line.\nAnother.", segment="nonprofit", one_per_customer=True, add_on_of="BASE", clouds=["public"], markets="us, eu"),
    )  # fmt: skip

    with scoped(EVERYTHING):
        offer = db.session.scalars(sa.select(Offer).where(Offer.sku == "AB-1")).one()
        entry = catalog.entry_of(offer)
    assert entry == catalog.OfferEntry(
        "AB-1",
        "Atlas Bureau",
        "Ledger",
        "Business",
        "licence",
        "annual",
        36,
        "One line.\nAnother.",
        "nonprofit",
        2,
        90,
        True,
        0,
        "BASE",
        ["public"],
        ["EU", "US"],
    )
    page = billing.get(f"/catalog/{offer.public_id}")
    for part in (
        "AB-1",
        "Atlas Bureau",
        "Business",
        "Nonprofit",
        "Annual",
        "3 years",
        "2 to 90",
        "Only once",
        "Offer BASE",
        "Public",
        "EU, US",
        "has no price yet",
        "Offer added",
    ):
        assert part in page.text


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "BASE"}, "sku"),
        ({"sku": "x" * 65}, "sku"),
        ({"name": " "}, "name"),
        ({"minimum": "91"}, "maximum"),
        ({"minimum": "0"}, "minimum"),
        ({"maximum": "many"}, "maximum"),
        ({"billing": "gift"}, "billing"),
        ({"cycle": "annual", "term_months": "1"}, "term_months"),
        ({"term_months": "7"}, "term_months"),
        ({"add_on_of": "NOWHERE"}, "add_on_of"),
        ({"trial_days": "30", "instance_type": "D4", "region": "West"}, "trial_days"),
        ({"term_months": "1", "instance_type": "D4", "region": "West"}, "term_months"),
        ({"one_per_customer": "y", "instance_type": "D4", "region": "West"}, "one_per_customer"),
        ({"trial_days": "400"}, "trial_days"),
        ({"region": "West"}, "instance_type"),
        ({"markets": "EU, Mars"}, "markets"),
        ({"clouds": "cumulonimbus"}, ""),
        ({"segment": "pirates"}, "segment"),
    ],
    ids=str,
)
@pytest.mark.parametrize("htmx", [False, True])
def test_bad_input_is_answered_beside_its_field_and_nothing_is_lost(people, changed, field, htmx):
    add(("BASE", {}))

    page = people(BILLING).post("/catalog", filled(description="Kept.", **changed), 422, htmx=htmx)

    assert field in page.errors
    assert "Kept." in page.text
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count(Offer.id))) == 1


def test_a_foreign_base_is_no_base(people):
    """R2, S25: an add-on cannot hang on another partner's offer."""
    add(("THEIRS", {}), by=RIVAL)

    assert "add_on_of" in people(BILLING).post("/catalog", filled(add_on_of="THEIRS"), 422).errors


def test_a_sku_is_unique_in_one_catalog_only(people):
    add(("AB-1", {}), by=RIVAL)

    people(BILLING).post("/catalog", filled())


def test_an_offer_with_add_ons_cannot_become_one(people):
    base, _extra = add(("BASE", {}), ("EXTRA", {"add_on_of": "BASE"}))
    add(("OTHER", {}))

    billing = people(BILLING)
    page = billing.get(f"/catalog/{base}/edit")

    assert "has add-ons" in billing.submit(page, status=422, add_on_of="OTHER").errors["add_on_of"]


def test_a_change_stands_in_the_history(people):
    """R95"""
    offer_id = add(("NL-1", {}))
    billing = people(BILLING)

    page = billing.submit(billing.get(f"/catalog/{offer_id}/edit"), name="Better name", maximum="20")

    assert page.h1 == "Better name"
    history = page.soup.find(string="History").find_parent("section").get_text(" ")
    for part in ("Offer changed", "Offer NL-1", "Better name", "Maximum quantity", "Price set"):
        assert part in history


def test_the_second_editor_is_told_and_may_overwrite_knowingly(people):
    """R104"""
    offer_id = add(("NL-1", {}))
    first, second = people(BILLING), people("admin@atelier-nuage.example")
    late = second.get(f"/catalog/{offer_id}/edit")
    first.submit(first.get(f"/catalog/{offer_id}/edit"), name="First's name", markets="EU")

    told = second.submit(late, status=409, name="Second's name")

    assert "First's name" in told.errors["name"]
    assert "EU" in told.errors["markets"]
    assert stored(offer_id).name == "First's name"
    second.submit(told, name="Second's name")
    assert stored(offer_id).name == "Second's name"


def test_a_copy_begins_as_the_offer_and_needs_its_own_sku(people):
    offer_id = add(("NL-1", {"maximum": 77, "segment": "education"}))
    billing = people(BILLING)

    page = billing.get(f"/catalog/new?copy={offer_id}")
    assert "sku" in billing.submit(page, status=422).errors
    billing.submit(page, sku="NL-2")

    with scoped(EVERYTHING):
        copy = db.session.scalars(sa.select(Offer).where(Offer.sku == "NL-2")).one()
    assert (copy.maximum, copy.segment, copy.name) == (77, "education", "Offer NL-1")
    assert prices(copy.public_id) == []


def test_nothing_of_another_catalog_can_be_copied(people):
    """R2"""
    offer_id = add(("THEIRS", {"name": "Their secret"}), by=RIVAL)

    people(BILLING).get(f"/catalog/new?copy={offer_id}", 404)
    people(BILLING).get("/catalog/new?copy=nonsense")


# --- prices


def test_a_new_price_begins_with_the_cost_of_today(people):
    """R80: the cost is not lost because somebody only thought of the price."""
    url, billing = f"/catalog/{add(('NL-1', {'price': 1000}))}/prices/new", people(BILLING)

    def cost(query=""):
        return billing.get(f"{url}{query}").soup.select_one("[name=cost]").get("value") or ""

    assert cost() == ""

    billing.submit(billing.get(url), price="12", cost="9")

    assert cost().startswith("9")
    assert cost("?currency=USD") == ""


def test_prices_hold_from_their_day_on_and_future_ones_can_go(people):
    """R80"""
    offer_id = add(("NL-1", {"price": 1000}))
    today = clock.today()
    billing = people(BILLING)
    with clock.shifted(timedelta(days=40)):
        billing = people(BILLING)
        later = billing.submit(billing.get(f"/catalog/{offer_id}/prices/new"), price="12", from_on=(today + timedelta(days=40)).isoformat())
        page = billing.submit(billing.get(f"/catalog/{offer_id}/prices/new"), price="13.5", cost="9", from_on=(today + timedelta(days=90)).isoformat())
        assert page.flashes[0].startswith("The price is €13.50 from ")
        states = [row.get_text(" ", strip=True) for row in page.soup.select("#prices tbody td[data-label=State]")]
        assert states == ["Later", "Now", "Past"]
        assert "€12.00" in people(SALES).get("/catalog").text

        removal = billing.get(page.soup.select_one("a[href*='prices/removal']")["href"])
        assert "€13.50" in removal.text
        page = billing.submit(removal)
    assert later.status == 200
    assert [row[1] for row in prices(offer_id)] == [1000, 1200]
    assert "Price removed" in page.text


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"price": ""}, "price"),
        ({"price": "-3"}, "price"),
        ({"price": "free"}, "price"),
        ({"price": "1.234"}, "price"),
        ({"price": "9" * 17}, "price"),
        ({"cost": "x"}, "cost"),
        ({"currency": "XXX"}, "currency"),
        ({"from_on": "yesterday"}, "from_on"),
        ({"from_on": "2020-01-01"}, "from_on"),
    ],
    ids=str,
)
@pytest.mark.parametrize("htmx", [False, True])
def test_a_bad_price_is_answered_beside_its_field(people, changed, field, htmx):
    offer_id = add(("NL-1", {"price": None}))

    page = people(BILLING).post(
        f"/catalog/{offer_id}/prices", {"currency": "EUR", "price": "10", "cost": "", "from_on": clock.today().isoformat(), **changed}, 422, htmx=htmx
    )

    assert field in page.errors
    assert prices(offer_id) == []


def test_a_price_of_the_same_day_is_replaced_and_a_second_click_changes_nothing(people):
    offer_id = add(("NL-1", {"price": 1000}))
    billing = people(BILLING)
    for _ in range(2):
        billing.post(f"/catalog/{offer_id}/prices", {"currency": "EUR", "price": "11", "cost": "", "from_on": clock.today().isoformat()})

    assert prices(offer_id) == [("EUR", 1100, None, clock.today())]
    assert billing.get(f"/catalog/{offer_id}").text.count("Price set") == 2


def test_a_price_that_holds_cannot_be_removed(people):
    offer_id = add(("NL-1", {"price": 1000}))
    billing = people(BILLING)
    named = {"currency": "EUR", "from_on": clock.today().isoformat()}

    billing.post(f"/catalog/{offer_id}/prices/removal", named, 409)
    billing.post(f"/catalog/{offer_id}/prices/removal", {**named, "currency": "GBP"})
    billing.post(f"/catalog/{offer_id}/prices/removal", {})
    assert "no longer there" in billing.get(f"/catalog/{offer_id}/prices/removal?currency=%00&from_on=x").text

    assert len(prices(offer_id)) == 1


def test_somebody_elses_offer_gets_no_price(people):
    """S25"""
    offer_id = add(("NL-1", {"price": 1000}))

    people(RIVAL).post(f"/catalog/{offer_id}/prices", {"currency": "EUR", "price": "1", "from_on": clock.today().isoformat()}, 404)
    people(RIVAL).get(f"/catalog/{offer_id}", 404)
    people(RIVAL).post(f"/catalog/{offer_id}", filled(), 404)
    people(RIVAL).post(f"/catalog/{offer_id}/withdrawal", {"reason": "Mine now."}, 404)

    assert prices(offer_id)[0][:2] == ("EUR", 1000)


# --- withdrawal


@pytest.mark.parametrize("htmx", [False, True])
def test_an_offer_is_withdrawn_with_a_reason_and_comes_back(people, htmx):
    """R81"""
    offer_id = add(("NL-1", {}))
    billing = people(BILLING)
    page = billing.get(f"/catalog/{offer_id}/withdrawal")

    assert "reason" in billing.submit(page, status=422, htmx=htmx).errors
    billing.submit(page, htmx=htmx, reason="End of sale.")

    assert names(billing.get("/catalog")) == []
    assert "End of sale." in billing.get("/catalog?state=withdrawn").text
    page = billing.get(f"/catalog/{offer_id}")
    assert "End of sale." in page.text
    page = billing.submit(page, f"/catalog/{offer_id}/restoration")
    assert "Offer available again" in page.text
    assert names(billing.get("/catalog")) == ["Offer NL-1"]


def test_who_may_only_read_is_offered_no_changes(people):
    offer_id = add(("NL-1", {}))
    sales = people(SALES)
    page, shown = sales.get("/catalog"), sales.get(f"/catalog/{offer_id}")

    assert not [link["href"] for link in page.soup.select("main a[href]") if any(part in link["href"] for part in ("new", "import", "export"))]
    assert not shown.soup.select("main form")
    assert not [link["href"] for link in shown.soup.select("main a[href]") if "/edit" in link["href"] or "/prices" in link["href"]]


def test_the_catalog_stands_in_the_navigation_of_both_clouds(people):
    for email in (SALES, "admin@potomac-stratus.example"):
        assert people(email).get("/").has_link("/catalog")
    assert not people("users@atelier-nuage.example").get("/").has_link("/catalog")


def test_pages_of_a_long_catalog_join_without_loss(people):
    """R101"""
    add(*((f"S{number:03}", {"name": f"Série {number % 7} {number:03}", "price": None}) for number in range(113)))
    sales = people(SALES)
    seen, page = [], sales.get("/catalog?currency=CHF")
    while True:
        seen += names(page)
        following = page.soup.select_one("a[rel=next]")
        if following is None:
            break
        page = sales.get(following["href"])

    assert len(seen) == len(set(seen)) == 113
    assert "currency=CHF" in page.soup.select_one("a[rel=prev]")["href"]


def test_the_margin_is_the_part_of_the_price_that_is_not_cost():
    from portal.subscriptions.catalog_queries import Priced

    day = clock.today()
    assert [
        str(Priced(Money(price, "EUR"), Money(cost, "EUR") if cost is not None else None, day).margin)
        for price, cost in ((1000, 875), (1000, 1250), (0, 10), (1000, None), (300, 200))
    ] == ["12.5", "-25.0", "None", "None", "33.3"]


def test_searches_and_pages_cost_at_most_six_statements(people):
    """R101"""
    base, _extra = add(("BASE", {"segment": "education"}), ("EXTRA", {"add_on_of": "BASE"}))
    billing = people(BILLING)

    for address in (
        "/catalog",
        "/catalog?q=offer",
        "/catalog?q=nothing&publisher=Nordlicht&kind=add_on&currency=CHF",
        f"/catalog/{base}",
        f"/catalog/{base}/edit",
    ):
        billing.get(address)
        with Counted(db.engine) as counted:
            billing.get(address)
        assert len(counted.statements) <= 6, "\n".join(counted.statements)
