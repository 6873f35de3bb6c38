"""Countries, markets, postal addresses and tax numbers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import places
from portal.core.places import Address, Problem

PARIS = Address("12 rue de la Paix", "Paris", "", "75002", "FR")
NEW_YORK = Address("350 5th Ave", "New York", "NY", "10118", "US")
TOKYO = Address("霞が関1-2-3", "", "東京都", "100-0013", "JP")

countries = st.sampled_from(places.COUNTRIES)


def test_country_names_are_sorted_in_the_language_whatever_their_accents() -> None:
    names = [name for _, name in places.country_names("fr")]

    assert len(names) == 249
    assert names.index("Égypte") < names.index("Espagne") < names.index("Éthiopie") < names.index("France")
    assert dict(places.country_names("en-GB"))["DE"] == "Germany"
    assert places.country_name("DE", "fr") == "Allemagne"


def test_a_caller_cannot_spoil_the_cached_names() -> None:
    places.country_names("fr").clear()

    assert places.country_names("fr")


def test_the_european_market_is_the_union_and_five_neighbours() -> None:
    """R27"""
    members = [country for country in places.COUNTRIES if places.market(country) == "EU"]

    assert len(places._EU_MEMBERS.split()) == 27
    assert {"FR", "CY", "IS", "LI", "NO", "CH", "GB"} <= set(members)
    assert {"AX", "GF", "GP", "MF", "MQ", "RE", "YT", "SJ", "MC", "GG", "IM", "JE"} <= set(members)
    assert len(members) == 27 + 5 + 12


def test_the_united_states_include_their_territories() -> None:
    """R27"""
    members = {country for country in places.COUNTRIES if places.market(country) == "US"}

    assert members == {"US", "PR", "GU", "VI", "AS", "MP", "UM"}


def test_other_countries_are_markets_of_their_own() -> None:
    """R27"""
    assert [places.market(country) for country in ("JP", "CA", "TR", "GI")] == ["JP", "CA", "TR", "GI"]


def test_no_country_is_in_two_markets_and_each_is_a_country() -> None:
    """R27"""
    grouped = [country for group in places.MARKETS.values() for country in group.split()]

    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(places.COUNTRIES)


def test_fields_come_in_the_order_of_the_country_under_its_names() -> None:
    """R10"""
    french = [(field.name, field.label) for field in places.address_fields("FR")]
    american = [(field.name, field.label) for field in places.address_fields("US")]
    japanese = [(field.name, field.label) for field in places.address_fields("JP")]

    assert french == [("street", "Street address"), ("postal_code", "Postal code"), ("city", "City")]
    assert american == [
        ("street", "Street address"),
        ("city", "City"),
        ("region", "State"),
        ("postal_code", "ZIP code"),
    ]
    assert japanese == [("postal_code", "Postal code"), ("region", "Prefecture"), ("street", "Street address")]


def test_what_is_required_depends_on_the_country() -> None:
    """R10"""
    assert {field.name: field.required for field in places.address_fields("IE")} == {
        "street": True, "district": False, "city": True, "region": False, "postal_code": False,
    }  # fmt: skip


def test_regions_have_a_code_and_all_their_names() -> None:
    assert ("CA", "California") in places.region_choices("US")
    assert ("BC", "British Columbia / Colombie-Britannique") in places.region_choices("CA")
    assert places.region_choices("FR") == []


@pytest.mark.parametrize("address", [PARIS, NEW_YORK, TOKYO, Address("Bahnhofstr. 1", "Zürich", "", "CH-8001", "CH")])
def test_a_good_address_has_no_problem(address: Address) -> None:
    """R10"""
    assert places.check_address(address) == {}


@pytest.mark.parametrize(
    ("address", "problems"),
    [
        (replace(PARIS, street="", city=" "), {"street": Problem.REQUIRED, "city": Problem.REQUIRED}),
        (replace(PARIS, street="---"), {"street": Problem.INVALID}),
        (replace(PARIS, postal_code="!!"), {"postal_code": Problem.INVALID}),
        (replace(PARIS, postal_code="SW1A 1AA"), {"postal_code": Problem.UNKNOWN}),
        (replace(NEW_YORK, postal_code="94016"), {"postal_code": Problem.UNKNOWN}),
        (replace(NEW_YORK, region="Bavaria"), {"region": Problem.UNKNOWN}),
        (replace(NEW_YORK, region="new york"), {}),
        (replace(PARIS, region="anything"), {}),
        (replace(PARIS, country=""), {"country": Problem.REQUIRED}),
        (replace(PARIS, country="../x"), {"country": Problem.UNKNOWN}),
    ],
)
def test_problems_are_named_by_field(address: Address, problems: dict[str, Problem]) -> None:
    """R10"""
    assert places.check_address(address) == problems


@settings(deadline=None)
@given(countries, st.lists(st.text(max_size=12), min_size=5, max_size=5))
def test_any_text_in_any_country_is_checked_and_shown(country: str, texts: list[str]) -> None:
    street, city, region, postal_code, district = texts
    address = Address(street, city, region, postal_code, country, district)
    fields = {field.name for field in places.address_fields(country)}

    assert set(places.check_address(address)) <= fields
    assert places.format_address(address, "en")[-1] == places.country_name(country, "en")


@settings(deadline=None)
@given(st.data())
def test_every_region_on_offer_is_accepted(data: st.DataObject) -> None:
    country = data.draw(st.sampled_from([code for code in places.COUNTRIES if places.region_choices(code)]))
    region, _ = data.draw(st.sampled_from(places.region_choices(country)))

    assert "region" not in places.check_address(Address("1 x", "y", region, "1", country))


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (PARIS, ["12 rue de la Paix", "75002 Paris", "France"]),
        (NEW_YORK, ["350 5th Ave", "New York, NY 10118", "États-Unis"]),
        (TOKYO, ["〒100-0013", "東京都", "霞が関1-2-3", "Japon"]),
        (replace(TOKYO, street="1-2-3 Kasumigaseki"), ["1-2-3 Kasumigaseki, Tokyo", "100-0013", "Japon"]),
        (
            Address("1 Bahnhofstr.\nBox 2", "Zürich", "", "CH-8001", "CH"),
            ["1 Bahnhofstr.", "Box 2", "CH-8001 Zürich", "Suisse"],
        ),
        (Address("", "", "", "", "US"), ["États-Unis"]),
    ],
)
def test_an_address_is_printed_as_its_country_does(address: Address, lines: list[str]) -> None:
    assert places.format_address(address, "fr") == lines


@pytest.mark.parametrize(
    ("country", "value", "expected"),
    [
        ("FR", "fr 40 303 265 045", "40303265045"),
        ("FR", "40303265045", "40303265045"),
        ("GR", "EL 094259216", "094259216"),
        ("MC", "FR 53 0000 04605", "53000004605"),
        ("GB", "GB 980 7806 84", "980780684"),
        ("CH", "CHE-107.787.577 MWST", "CHE107787577"),
        ("NO", "NO 995 525 828 MVA", "995525828"),
        ("US", "91-1144442", "911144442"),
        ("IN", "27AAPFU0939F1ZV", "27AAPFU0939F1ZV"),
        ("IS", "IS 00621", "00621"),
        ("AU", " 83 914 571 673 ", "83914571673"),
        ("FR", " ", None),
        ("AQ", "", None),
    ],
)
def test_a_tax_number_is_normalised(country: str, value: str, expected: str | None) -> None:
    """R10"""
    assert places.tax_id(country, value) == expected


@pytest.mark.parametrize(("country", "value"), [("FR", "40303265046"), ("BE", "FR40303265045"), ("AQ", "1"), ("DE", "1" * 99)])
def test_a_tax_number_that_cannot_be_right_is_refused(country: str, value: str) -> None:
    """R10"""
    with pytest.raises(ValueError):
        places.tax_id(country, value)


@settings(deadline=None)
@given(countries.filter(places.has_tax_id), st.text(max_size=20) | st.from_regex(r"[0-9A-Z]{5,16}", fullmatch=True))
def test_any_text_is_a_tax_number_or_refused(country: str, value: str) -> None:
    try:
        number = places.tax_id(country, value)
    except ValueError:
        return
    assert number is None or places.tax_id(country, number) == number


def test_a_tax_number_is_printed_with_its_prefix() -> None:
    """R10"""
    assert places.tax_id_text("GR", "094259216") == "EL094259216"
    assert places.tax_id_text("US", "911144442") == "911144442"


@pytest.mark.parametrize(("country", "name"), [("FR", "VAT number"), ("US", "EIN"), ("AU", "ABN"), ("BR", "CNPJ")])
def test_the_field_has_the_name_that_the_country_uses(country: str, name: str) -> None:
    assert places.tax_id_name(country) == name


def test_every_checker_exists() -> None:
    for country in filter(places.has_tax_id, places.COUNTRIES):
        with pytest.raises(ValueError):
            places.tax_id(country, "?")

    assert not places.has_tax_id("AQ")
