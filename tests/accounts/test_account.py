"""One's own account, sessions, and the organization's settings."""

import pytest

from tests.support import mail

ADMIN = "admin@atelier-nuage.example"
SALES = "sales@atelier-nuage.example"
PASSWORD = "demo portal 2026"


def test_a_person_changes_name_language_and_time_zone(people):
    sales = people(SALES)

    saved = sales.submit(sales.get("/account"), "#form", name="Inès Roux", phone="+33 2 40 00 00 00", language="fr", time_zone="Europe/Paris")

    assert saved.soup.html["lang"] == "fr"
    assert saved.soup.select_one("#name")["value"] == "Inès Roux"


def test_a_second_window_is_told_what_changed(people):
    """R104"""
    sales = people(SALES)
    first, second = sales.get("/account"), sales.get("/account")
    sales.submit(first, "#form", name="Inès One")

    stale = sales.submit(second, "#form", name="Inès Two", status=409)
    assert "Inès One" in stale.errors["name"]

    assert sales.submit(stale, "#form").soup.select_one("#name")["value"] == "Inès Two"


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("name", "x" * 121), ("phone", "hello"), ("time_zone", "Mars/Olympus"), ("language", "xx")])
def test_bad_input_is_answered_beside_its_field(people, field, value):
    sales = people(SALES)

    refused = sales.submit(sales.get("/account"), "#form", status=422, **{field: value})

    assert field in refused.errors


def test_changing_the_password_needs_the_current_one(people):
    """S7"""
    sales = people(SALES)

    refused = sales.submit(sales.get("/account/password"), "#form", current="not it", password="seven unrelated geese", status=422)

    assert refused.errors["current"] == "This is not your current password."
    people.visitor().post("/sign-in", {"email": SALES, "password": PASSWORD})


def test_guessing_the_current_password_is_stopped(people):
    """S11"""
    sales = people(SALES)

    for _ in range(10):
        sales.post("/account/password", {"current": "guess", "password": "seven unrelated geese"}, status=422)

    sales.post("/account/password", {"current": PASSWORD, "password": "seven unrelated geese"}, status=429)


def test_people_see_and_end_their_sessions(people):
    """S7"""
    here, there, third = people(SALES), people(SALES), people(SALES)
    listed = here.get("/account/sessions")
    assert len(listed.soup.select("tbody tr")) == 3

    one = here.submit(listed, listed.soup.select("td form")[0]["action"])
    assert one.flashes == ["The session has ended."]
    all_others = here.submit(one, "/account/sessions/ending")

    assert len(all_others.soup.select("tbody tr")) == 1
    assert [visitor.client.get("/account").status_code for visitor in (here, there, third)] == [200, 303, 303]


def test_nobody_ends_somebody_elses_session(people):
    """S25"""
    sales, agent = people(SALES), people("agent@atelier-nuage.example")
    people(SALES)
    foreign = sales.get("/account/sessions").soup.select("td form")[0]["action"]

    agent.post(foreign, status=404)

    assert len(sales.get("/account/sessions").soup.select("tbody tr")) == 2


# --- settings


def test_a_global_admin_edits_the_organizations_details(people):
    admin = people(ADMIN)

    saved = admin.submit(
        admin.get("/settings"), "#form", name="Atelier Nuage SAS", street="2 rue Neuve", postal_code="44100", city="Nantes", tax_id="FR 40 303 265 045"
    )

    assert saved.flashes == ["The details of your organization are saved."]
    assert saved.soup.select_one("#tax_id")["value"] == "40303265045"
    assert "Atelier Nuage SAS" in people(SALES).get("/account").text


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"postal_code": "SW1A 1AA"}, "postal_code"),
        ({"city": ""}, "city"),
        ({"street": "???"}, "street"),
        ({"tax_id": "FR00303265045"}, "tax_id"),
        ({"name": "x"}, "name"),
        ({"country": "ZZ"}, "country"),
        ({"country": "US", "street": "1 Main Street", "city": "Boston", "region": "MA", "postal_code": "02108"}, "country"),
    ],
)
def test_wrong_details_are_answered_beside_their_field(people, values, field):
    """R10, R27"""
    admin = people(ADMIN)

    version = admin.get("/settings").soup.select_one("#version")["value"]
    data = {"name": "Atelier Nuage", "country": "FR", "street": "14 rue des Carmes", "postal_code": "44000", "city": "Nantes", "version": version, **values}
    refused = admin.post("/settings", data, status=422)

    assert field in refused.errors


def test_another_country_brings_its_own_fields_without_losing_what_was_typed(people):
    """R105: by a button without JavaScript, at once with it."""
    admin = people(ADMIN)
    form = admin.get("/settings")

    us = admin.submit(form, "#form", button="Update fields", country="US", name="Kept Name")
    assert us.soup.select_one("select#region option[value=MA]")
    assert "ZIP code" in us.text
    assert "EIN" in us.text
    assert us.soup.select_one("#name")["value"] == "Kept Name"
    assert not us.errors

    block = admin.submit(form, "#form", button="Update fields", country="US", htmx=True)
    assert block.soup.select_one("#form select#region")
    assert not block.soup.find("html")


def test_the_enter_key_saves_though_the_button_for_fields_comes_first(people):
    admin = people(ADMIN)

    saved = admin.submit(admin.get("/settings"), "#form", button="Update fields", city="Rezé")

    assert saved.flashes == ["The details of your organization are saved."]


def test_settings_are_a_global_admins(people):
    people("users@atelier-nuage.example").get("/settings", status=403)
    people("admin@maison-tellier.example").get("/settings", status=403)
    assert not people(SALES).get("/account").has_link("/settings")


def test_a_renamed_organization_is_found_under_its_new_name_by_its_partners(people):
    """OrganizationChanged reaches the customer records."""
    from portal.accounts import service
    from portal.accounts.service import CompanyEntry
    from portal.core import clock
    from portal.core.db import db, writing
    from portal.core.scope import EVERYTHING, scoped
    from portal.customers.models import Customer
    from tests.support import make

    with writing(), scoped(EVERYTHING):
        tellier = make.organization("maison-tellier.example")
        entry = CompanyEntry("Grande Maison", tellier.country, tellier.street, tellier.city, tellier.region, tellier.postal_code, tellier.tax_id)
        service.change_organization(tellier, entry, version=None, by=make.actor("admin@maison-tellier.example"), at=clock.now())
        db.session.commit()
        found = db.session.query(Customer).filter(Customer.customer_id == tellier.id).one()

        assert "grande" in found.search_text


def test_nothing_is_mailed_for_a_profile_change(people):
    sales = people(SALES)
    before = len(mail.all_to(SALES))

    sales.submit(sales.get("/account"), "#form", name="Inès Roux")

    assert len(mail.all_to(SALES)) == before
