"""The customer's own page and its account: sections edited in place, by whom, and by two people at once."""

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.core import clock
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, CustomerTag, RelationshipState
from portal.customers.service import enter_record
from tests.support import make

SALES, HELPDESK, BILLING = "sales@atelier-nuage.example", "helpdesk@atelier-nuage.example", "billing@atelier-nuage.example"
# What only the form says is the same on every database.
ONCE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def url(domain="fonderie-sarrault.example"):
    return f"/customers/{make.organization(domain).public_id}"


def account(domain="fonderie-sarrault.example"):
    return f"{url(domain)}/account"


def edit(visitor, section, *, status=200, htmx=False, domain="fonderie-sarrault.example", **fields):
    """Open a section, change fields, save."""
    at = f"{account(domain)}/{section}"
    return visitor.submit(visitor.get(at), at, status=status, htmx=htmx, target=section, **fields)


def record(domain="fonderie-sarrault.example", partner="atelier-nuage.example"):
    db.session.rollback()
    with scoped(Scope(partner_id=make.organization(partner).id)):
        return db.session.scalars(sa.select(Customer).where(Customer.domain == domain).execution_options(populate_existing=True)).one()


def company(domain="fonderie-sarrault.example"):
    db.session.rollback()
    return make.organization(domain)


def logged(action):
    """Before and after of the latest entry of this action in the partner's log."""
    db.session.rollback()
    mine = make.organization("atelier-nuage.example").id
    statement = sa.select(LogEntry.details).where(LogEntry.organization_id == mine, LogEntry.action == action).order_by(LogEntry.id.desc()).limit(1)
    details = db.session.scalar(statement) or {}
    return details.get("before"), details.get("after")


def also_customer_of(email, domain="maison-tellier.example", name="Tellier SARL (Cumulus)"):
    """This person's partner has an active relationship with it too."""
    who, theirs = make.actor(email), make.organization(domain)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        enter_record(theirs, partner_id=who.organization_id, state=RelationshipState.ACTIVE, by=who, at=clock.now(), name=name)
        db.session.commit()


# --- sections saved


@BOTH_SHAPES
def test_each_section_is_saved_in_place_or_with_a_page(people, htmx):
    """R10, R105"""
    make.customer()
    sales = people(SALES)

    saved = edit(sales, "company", htmx=htmx, name="Fonderie Sarrault et Fils", street="4 rue Basse", tax_id="FR 40 303 265 045")
    contact = edit(sales, "contact", htmx=htmx, first_name=" Jean ", last_name="Sarrault", email=" jean@fonderie-sarrault.example ", phone="+33 2 41 00 00 00")
    profile = edit(sales, "profile", htmx=htmx, segment="nonprofit", tags="VIP, , vip,  renewal  2027 ", notes="First line\nsecond line")

    assert "4 rue Basse" in saved.text
    assert saved.flashes == contact.flashes == profile.flashes == ["Saved."]
    assert "Jean Sarrault" in contact.text
    assert "Nonprofit" in profile.text
    assert "VIP, renewal 2027" in profile.text
    assert (contact.soup.find("html") is None) is htmx
    assert [section["id"] for section in contact.soup.select("section")] == (["contact"] if htmx else ["company", "billing", "contact", "profile"])
    assert company().tax_id == "40303265045"


def test_a_section_opens_in_place_with_ids_of_its_own(people):
    make.customer()
    sales = people(SALES)

    page = sales.get(f"{account()}/contact", htmx=True, target="contact")

    assert [section["id"] for section in page.soup.select("section")] == ["contact"]
    assert page.soup.select_one("#contact-email") is not None
    assert sales.get(account(), htmx=True, target="contact").soup.select_one("form") is None


@ONCE
@BOTH_SHAPES
def test_errors_stand_beside_the_fields_and_nothing_typed_is_lost(people, htmx):
    make.customer()

    page = edit(people(SALES), "contact", status=422, htmx=htmx, first_name="Jean", email="jean at home", phone="call me")

    assert page.errors["email"] == "This is not an e-mail address. It should look like name@company.example."
    assert "not a telephone number" in page.errors["phone"]
    assert page.soup.select_one("[name=first_name]")["value"] == "Jean"
    assert page.soup.select_one("[name=email]")["value"] == "jean at home"
    assert record().first_name == ""


@ONCE
@pytest.mark.parametrize(
    ("country", "fields", "wrong"),
    [
        ("FR", {"postal_code": "4900"}, "postal_code"),
        ("FR", {"postal_code": "D-50674"}, "postal_code"),
        ("DE", {"postal_code": "75001x", "city": "Köln"}, "postal_code"),
        ("GB", {"postal_code": "49000", "city": "Leeds"}, "postal_code"),
        ("NL", {"postal_code": "49000", "city": "Utrecht"}, "postal_code"),
        ("IT", {"postal_code": "10122", "city": "Torino", "region": "XX"}, "region"),
        ("IE", {"postal_code": "", "city": "", "street": "1 Main Street"}, "city"),
        ("FR", {"tax_id": "FR 40 303 265 046"}, "tax_id"),
        ("DE", {"postal_code": "50674", "city": "Köln", "tax_id": "40303265045"}, "tax_id"),
        ("US", {"postal_code": "20036", "city": "Washington", "region": "DC"}, "country"),
    ],
)
def test_the_address_and_tax_number_follow_the_rules_of_the_country(people, country, fields, wrong):
    """R10, R27"""
    make.customer()

    page = (
        edit(people(SALES), "company", status=422, country=country, **{"postal_code": "49000", **fields})
        if country == "FR"
        else _moved(people(SALES), country, fields)
    )

    assert wrong in page.errors, page.errors
    assert company().country == "FR"


def _moved(visitor, country, fields):
    """First the fields of that country, then the address."""
    at = f"{account()}/company"
    page = visitor.submit(visitor.get(at), at, button="Update fields", country=country)
    return visitor.submit(page, at, status=422, **{"postal_code": "49000", **fields})


def test_another_country_brings_its_own_fields_and_keeps_what_was_typed(people):
    """R10"""
    make.customer()
    sales, at = people(SALES), f"{account()}/company"

    page = sales.submit(sales.get(at), at, button="Update fields", country="IT", name="Fonderia Sarrault")

    assert page.soup.select_one("select[name=region]") is not None
    assert page.soup.select_one("[name=name]")["value"] == "Fonderia Sarrault"
    assert company().name == "Fonderie Sarrault"


def test_a_billing_name_changes_only_this_partners_list(people):
    """R13"""
    also_customer_of("admin@studio-cumulus.example")

    page = edit(people(SALES), "billing", domain="maison-tellier.example", name="Tellier et Cie")

    assert page.h1 == "Tellier et Cie: Account"
    assert "Tellier et Cie" in people(SALES).get("/customers?q=cie").text
    assert "Tellier SARL (Cumulus)" in people("admin@studio-cumulus.example").get("/customers").text
    assert "Tellier et Cie" not in people("admin@studio-cumulus.example").get(url("maison-tellier.example")).text
    assert company("maison-tellier.example").name == "Maison Tellier"


def test_a_billing_address_is_all_or_nothing(people):
    make.customer()
    sales = people(SALES)

    page = edit(sales, "billing", status=422, billing_street="1 quai Gambetta")
    saved = edit(sales, "billing", billing_street="1 quai Gambetta", billing_postal_code="49100", billing_city="Angers")
    emptied = edit(sales, "billing", billing_street="", billing_postal_code="", billing_city="")

    assert set(page.errors) == {"", "billing_postal_code", "billing_city"}
    assert "1 quai Gambetta" in saved.text
    assert "As registered" in emptied.text


def test_too_many_tags_are_refused(people):
    make.customer()

    page = edit(people(SALES), "profile", status=422, tags=",".join(f"tag {number}" for number in range(21)), notes="kept")

    assert "at most 20" in page.errors["tags"]
    assert page.soup.select_one("[name=notes]").get_text().strip() == "kept"


def test_tags_filter_the_list_and_leave_it(people):
    make.customer()
    sales = people(SALES)

    edit(sales, "profile", tags="bronze")
    assert "Fonderie Sarrault" in sales.get("/customers?tag=bronze").text
    edit(sales, "profile", tags="")

    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(CustomerTag).where(CustomerTag.tag == "bronze")) == 0


def test_every_change_is_logged_with_before_and_after(people):
    """R95"""
    make.customer()
    sales = people(SALES)

    edit(sales, "company", street="4 rue Basse")
    assert logged("organization.updated") == ({"street": "3 rue Basse"}, {"street": "4 rue Basse"})
    edit(sales, "contact", last_name="Sarrault")
    assert logged("customer.updated") == ({"last_name": ""}, {"last_name": "Sarrault"})
    edit(sales, "profile", tags="a, b")
    assert logged("customer.updated") == ({"tags": []}, {"tags": ["a", "b"]})


def test_saving_without_a_change_logs_nothing(people):
    make.customer()
    sales = people(SALES)

    for section in ("company", "billing", "contact", "profile"):
        edit(sales, section)

    assert logged("customer.updated") == (None, None)
    assert logged("organization.updated") == (None, None)


# --- two people at once


@pytest.mark.parametrize(
    ("section", "first", "second", "told"),
    [
        ("company", {"street": "4 rue Basse"}, {"street": "5 rue Basse"}, "It now says “4 rue Basse”."),
        ("billing", {"billing_contact": "Ada"}, {"billing_contact": "Grace"}, "It now says “Ada”."),
        ("contact", {"language": "fr"}, {"language": "en", "first_name": "Ada"}, "It now says “Français”."),
        ("profile", {"tags": "gold"}, {"tags": "silver"}, "It now says “gold”."),
    ],
)
@BOTH_SHAPES
def test_the_second_of_two_tabs_is_told_what_changed_and_may_then_save_knowingly(people, section, first, second, told, htmx):
    """R104"""
    make.customer()
    sales, other, at = people(SALES), people(HELPDESK), f"{account()}/{section}"
    open_tab = sales.get(at)
    edit(other, section, **first)

    stale = sales.submit(open_tab, at, status=409, htmx=htmx, target=section, **second)

    field = next(iter(first))
    assert told in stale.errors[field]
    assert "Somebody else changed this" in stale.errors[""]
    typed = stale.soup.select_one(f"[name={field}]")
    assert (typed.get("value") or typed.select_one("option[selected]")["value"]) == second[field]
    again = sales.submit(stale, at)
    assert again.flashes == ["Saved."]


def test_sections_open_side_by_side_do_not_get_in_each_others_way(people):
    """R104 is about the same fields: saving one section makes no other stale."""
    make.customer()
    sales = people(SALES)
    tabs = {section: sales.get(f"{account()}/{section}") for section in ("profile", "contact", "billing", "company")}

    for section, fields in (
        ("billing", {"name": "Sarrault"}),
        ("contact", {"first_name": "Ada"}),
        ("profile", {"notes": "x"}),
        ("company", {"street": "9 rue Haute"}),
    ):
        sales.submit(tabs[section], f"{account()}/{section}", **fields)

    assert (record().name, record().first_name, record().notes) == ("Sarrault", "Ada", "x")


@ONCE
@pytest.mark.parametrize("version", [None, "", "nonsense", "0", "9" * 30])
def test_a_form_without_a_known_version_overwrites_nothing(people, version):
    """R104: what cannot say what it was filled from counts as stale."""
    make.customer()
    sales = people(SALES)
    values = {"first_name": "Eve", "last_name": "", "email": "", "phone": "", "language": "en"} | ({} if version is None else {"version": version})

    page = sales.post(f"{account()}/contact", values, 409)

    assert record().first_name == ""
    sales.submit(page, f"{account()}/contact")
    assert record().first_name == "Eve"


def test_the_company_form_without_a_version_overwrites_nothing(people):
    """R104"""
    make.customer()
    values = {"name": "Eve SA", "country": "FR", "street": "1 rue X", "postal_code": "49000", "city": "Angers"}

    people(SALES).post(f"{account()}/company", values, 409)

    assert company().name == "Fonderie Sarrault"


# --- who may


def test_the_company_half_is_the_adding_partners_only_until_the_first_admin_is_active(people):
    """R10"""
    make.customer()
    sales = people(SALES)
    assert sales.get(account()).has_link(f"{account()}/company")

    with writing():
        db.session.rollback()
        ours, lender = make.organization("fonderie-sarrault.example").id, make.organization("maison-tellier.example").id
        db.session.execute(sa.update(User).where(User.organization_id == lender).values(organization_id=ours))
        db.session.commit()

    page = sales.get(account())
    assert not page.has_link(f"{account()}/company")
    assert "The customer's own admins keep these details." in page.text
    assert page.has_link(f"{account()}/billing")
    sales.get(f"{account()}/company", 403)
    sales.post(f"{account()}/company", {"name": "Mine"}, 403)


def test_another_partner_of_the_customer_edits_only_its_own_half(people):
    """R10, R13"""
    make.customer()
    also_customer_of("admin@studio-cumulus.example", "fonderie-sarrault.example", "Sarrault (Cumulus)")
    cumulus = people("admin@studio-cumulus.example")

    page = cumulus.get(account())
    assert not page.has_link(f"{account()}/company")
    assert page.has_link(f"{account()}/contact")
    cumulus.post(f"{account()}/company", {"name": "Mine"}, 403)
    edit(cumulus, "profile", notes="a secret of Cumulus", tags="hidden")

    assert "a secret of Cumulus" not in people(SALES).get(url()).text
    assert "hidden" not in people(SALES).get("/customers").text


@ONCE
@pytest.mark.parametrize("section", ["company", "billing", "contact", "profile"])
def test_who_may_only_look_is_not_offered_the_edit_and_refused(people, section):
    make.customer()
    billing = people(BILLING)

    assert not billing.get(account()).soup.select(f'a[href^="{account()}/"]')
    billing.get(f"{account()}/{section}", 403)
    billing.post(f"{account()}/{section}", {}, 403)


def test_a_pending_customer_shows_nothing_of_the_organization(people):
    """R19"""
    with writing(), scoped(EVERYTHING):
        hidden = make.organization("brasserie-pendante.example")
        hidden.name, hidden.street, hidden.tax_id = "Secret Legal Name", "77 Secret Street", "40303265045"
        db.session.commit()
    sales, at = people(SALES), url("brasserie-pendante.example")

    for path in (at, f"{at}/account"):
        text = sales.get(path).text
        assert "Secret" not in text
        assert "40303265045" not in text
        assert "Strasbourg" not in text
    assert "keeps this to itself" in sales.get(f"{at}/account").text
    sales.get(f"{at}/account/company", 403)
    for closed in ("agreement", "activation"):
        sales.get(f"{at}/{closed}", 404)
    edit(sales, "contact", domain="brasserie-pendante.example", first_name="Own")
    assert record("brasserie-pendante.example").first_name == "Own"


def test_a_stranger_finds_nothing(people):
    """R2"""
    cumulus, nobody = people("admin@studio-cumulus.example"), people.visitor()

    for path in ("", "/account", "/account/contact", "/account/company", "/agreement", "/activation"):
        cumulus.get(url("maison-tellier.example") + path, 404)
        nobody.get(url("maison-tellier.example") + path, 303)


def test_a_malformed_or_unknown_id_is_not_found(people):
    sales = people(SALES)

    for path in ("not-a-uuid", "00000000-0000-0000-0000-000000000000", "1", "%00", "01/account/contact", "x/agreement"):
        sales.get(f"/customers/{path}", 404)


def test_an_ended_customer_has_only_its_page(people):
    """R36"""
    sales = people(SALES)

    sales.get(url("ancienne-forge.example"))
    for path in ("/account", "/account/contact", "/agreement", "/activation"):
        sales.get(url("ancienne-forge.example") + path, 404)


def test_extra_fields_are_ignored(people):
    """S27"""
    make.customer()
    sales, at = people(SALES), f"{account()}/contact"
    values = {field["name"]: field.get("value", "") for field in sales.get(at).form(at).select("input[name]")}

    sales.post(at, values | {"language": "en", "state": "ended", "partner_id": "2", "domain": "evil.example", "notes": "x", "reseller_id": "1"})

    assert (record().state, record().notes, record().reseller_id) == (RelationshipState.ACTIVE, "", None)


def test_the_page_costs_at_most_six_statements(people):
    make.customer()
    admin, at = people("admin@atelier-nuage.example"), url()
    admin.get(at)
    statements = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    admin.client.get(at)

    assert len([statement for statement in statements if not statement.startswith("BEGIN")]) <= 6, statements
