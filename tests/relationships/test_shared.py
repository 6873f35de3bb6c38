"""Customers that a provider and a reseller share: when they do, who sees what of them, naming, filtering, adding on behalf (R41, R10, R2)."""

import csv
import io
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import db, writing
from portal.core.lists import PAGE_SIZE
from portal.core.scope import Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import enter_record
from tests.relationships.rows import active, partnership, record
from tests.support import mail, make

PROVIDER, RESELLER = "admin@grossiste-azur.example", "admin@relais-breton.example"
SALES, RESELLERS_SALES = "sales@grossiste-azur.example", "sales@relais-breton.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def provided(name: str, domain: str, *, reseller: str | None = "relais-breton.example", state: str = "active", billing: str | None = None) -> Customer:
    """The provider's record of the company of this domain, naming a reseller."""
    who = make.actor(SALES)
    company = make.organization(domain)
    reseller_id = make.organization(reseller).id if reseller else None
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        enter_record(
            company,
            partner_id=who.organization_id or 0,
            state=RelationshipState(state),
            by=who,
            at=company.created_at,
            name=billing or name,
            reseller_id=reseller_id,
        )
        db.session.commit()
    return record(domain, "grossiste-azur.example")


def share(name: str, domain: str, **options: object) -> Customer:
    """A customer of Relais Breton that Grossiste Azur serves too, and names it."""
    make.customer(name, domain, by=RESELLERS_SALES)
    return provided(name, domain, **options)  # type: ignore[arg-type]


def url() -> str:
    return f"/partnerships/{active().public_id}"


def listed(page) -> list[str]:
    return [link.get_text() for link in page.soup.select("#results td.title a")]


def past_subscriptions(visitor, step):
    """From the subscriptions step of adding a customer to the review, with none chosen."""
    return visitor.get(next(link["href"] for link in step.soup.select("main a") if link["href"].endswith("/review")))


def names(page) -> list[str]:
    return [summary.get_text(strip=True) for summary in page.soup.select("#results details.unfold > summary")]


# --- what is shared


def test_a_partnership_shares_no_customers_by_itself(people):
    """R41"""
    make.customer("Crêperie Marec", "creperie-marec.example", by=RESELLERS_SALES)
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    provided("Crêperie Marec", "creperie-marec.example", reseller=None)

    for who in (PROVIDER, RESELLER):
        page = people(who).get(url())
        assert "No shared customers yet" in page.text
        assert "Riviera" not in page.text
        assert "Marec" not in page.text


def test_each_side_sees_the_shared_ones_under_its_own_name(people):
    """R41, R10, R13: and nothing of the other's record."""
    make.customer("Crêperie Marec", "creperie-marec.example", by=RESELLERS_SALES, notes="Pays late.", email="secret@creperie-marec.example")
    provided("Crêperie Marec", "creperie-marec.example", billing="MAREC 0042")

    provider, reseller = people(PROVIDER).get(url()), people(RESELLER).get(url())

    assert listed(provider) == ["MAREC 0042"]
    assert listed(reseller) == ["Crêperie Marec"]
    assert "MAREC" not in reseller.response.get_data(as_text=True)
    assert "Crêperie" not in provider.response.get_data(as_text=True)
    for page in (provider, reseller):
        assert "secret@" not in page.response.get_data(as_text=True)
    assert provider.has_link(f"/customers/{make.organization('creperie-marec.example').public_id}")


@pytest.mark.parametrize(
    ("mine", "theirs", "reseller"),
    [("pending", "active", "relais-breton.example"), ("active", "pending", "relais-breton.example"), ("active", "active", None)],
    ids=["the reseller's is pending", "the provider's is pending", "no reseller is named"],
)
def test_only_both_and_named_is_shared(people, mine, theirs, reseller):
    """R41"""
    make.customer("Crêperie Marec", "creperie-marec.example", by=RESELLERS_SALES, state=mine)
    provided("Crêperie Marec", "creperie-marec.example", state=theirs, reseller=reseller)

    for who in (PROVIDER, RESELLER):
        assert listed(people(who).get(url())) == []


def test_a_partnership_that_is_over_shows_the_reseller_none(people):
    """R41, R42: the provider's records still name it."""
    share("Crêperie Marec", "creperie-marec.example")
    where, customer = url(), f"/customers/{make.organization('creperie-marec.example').public_id}"
    assert "Grossiste Azur" in people(RESELLER).get(customer).text
    people(PROVIDER).post(f"{where}/ending", {})

    page = people(RESELLER).get(where)

    assert "Marec" not in page.text
    assert "Grossiste Azur" not in people(RESELLER).get(customer).text
    listing = f"/customers?reseller={make.organization('relais-breton.example').public_id}"
    assert people(PROVIDER).get(where).has_link(listing)
    assert names(people(PROVIDER).get(listing)) == ["Crêperie Marec"]
    assert "Relais Breton (former)" in people(PROVIDER).get("/customers").text


def test_another_reseller_and_another_provider_see_none_of_it(people):
    """R2: not by list, page, filter or partnership."""
    share("Crêperie Marec", "creperie-marec.example")
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    make.partner("Alizés Distribution", "alizes.example", "indirect_provider")
    other = partnership("admin@escale.example", accepted_by="admin@escale.example")
    relais = make.organization("relais-breton.example").public_id

    assert "Marec" not in people("admin@escale.example").get(f"/partnerships/{other.public_id}").text
    assert "Marec" not in people(PROVIDER).get(f"/partnerships/{other.public_id}").text
    for who in ("admin@alizes.example", "admin@escale.example"):
        page = people(who).get(f"/customers?reseller={relais}")
        assert "Marec" not in page.text
        assert "Relais" not in page.text


def test_a_provider_that_ends_its_side_leaves_the_resellers_as_it_is(people):
    """R41, R35"""
    share("Crêperie Marec", "creperie-marec.example")
    customer = f"/customers/{make.organization('creperie-marec.example').public_id}"

    people(PROVIDER).post(f"{customer}/ending", {"typed_name": "Crêperie Marec", "reason": "x"})

    assert record("creperie-marec.example", "relais-breton.example").state == "active"
    assert listed(people(RESELLER).get(url())) == []
    people(RESELLER).get(customer)


def test_many_shared_customers_come_in_pages(people):
    """R101"""
    for number in range(PAGE_SIZE + 3):
        share(f"Voilerie {number:03}", f"voilerie-{number:03}.example")
    for who in (PROVIDER, RESELLER):
        visitor = people(who)
        first = visitor.get(url())
        second = visitor.get(first.soup.select_one("a[rel=next]")["href"], htmx=True)

        assert len(listed(first)) == PAGE_SIZE
        assert listed(first) + listed(second) == [f"Voilerie {number:03}" for number in range(PAGE_SIZE + 3)]
        assert f"{PAGE_SIZE + 3} in all" in first.text


# --- the customer's page


def test_a_resellers_customer_page_names_the_providers_and_whom_to_ask_for_an_end(people):
    """R35, R41"""
    share("Crêperie Marec", "creperie-marec.example")
    make.customer("Phare Ouest", "phare-ouest.example", by=RESELLERS_SALES)
    reseller = people(RESELLER)

    shared = reseller.get(f"/customers/{make.organization('creperie-marec.example').public_id}")
    alone = reseller.get(f"/customers/{make.organization('phare-ouest.example').public_id}")

    assert shared.has_link(url())
    assert "ask a provider named here" in shared.text
    assert "share this customer with no provider" in alone.text
    assert not [link for link in shared.soup.select("a") if link["href"].endswith("/ending")]


def test_a_providers_customer_page_names_the_reseller(people):
    """R41"""
    share("Crêperie Marec", "creperie-marec.example")

    page = people(PROVIDER).get(f"/customers/{make.organization('creperie-marec.example').public_id}")

    assert page.has_link(f"/customers?reseller={make.organization('relais-breton.example').public_id}")


# --- the list


def test_the_list_of_a_provider_shows_and_filters_by_reseller(people):
    """R14, R41"""
    share("Crêperie Marec", "creperie-marec.example")
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    provider, relais = people(SALES), make.organization("relais-breton.example").public_id

    whole = provider.get("/customers")
    assert "Reseller" in [cell.get_text(strip=True) for cell in whole.soup.select("th")]
    assert [cell.get_text(strip=True) for cell in whole.soup.select("td[data-label=Reseller]")] == ["–", "Relais Breton"]
    filtered = provider.submit(whole, "/customers", reseller=str(relais))
    assert names(filtered) == ["Crêperie Marec"]
    assert filtered.soup.select_one("select[name=reseller] option[selected]").get_text() == "Relais Breton"
    assert names(provider.get(f"/customers?reseller={relais}&q=marec", htmx=True)) == ["Crêperie Marec"]
    assert names(provider.get(f"/customers?reseller={relais}&q=riviera", htmx=True)) == []
    assert names(provider.get(f"/customers?reseller={relais}&sort=newest", htmx=True)) == ["Crêperie Marec"]
    for nonsense in ("nobody", "01a20396-4f89-7b76-a9a9-679bd203c673"):
        assert names(provider.get(f"/customers?reseller={nonsense}")) == []
    rows = list(csv.reader(io.StringIO(people(PROVIDER).client.get(f"/customers/export?reseller={relais}").get_data().decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == ["Crêperie Marec"]


@pytest.mark.parametrize("who", [RESELLER, "sales@atelier-nuage.example"])
def test_nobody_else_has_a_reseller_column(people, who):
    page = people(who).get("/customers?reseller=nobody")

    assert not page.soup.select("select[name=reseller]")
    assert not page.soup.select("td[data-label=Reseller]")


# --- naming


@BOTH_SHAPES
def test_a_provider_names_the_reseller_and_the_reseller_is_told(people, htmx):
    """R41"""
    make.customer("Crêperie Marec", "creperie-marec.example", by=RESELLERS_SALES)
    provided("Crêperie Marec", "creperie-marec.example", reseller=None, billing="MAREC 0042")
    sales, relais = people(SALES), make.organization("relais-breton.example").public_id
    account = f"/customers/{make.organization('creperie-marec.example').public_id}/account"

    form = sales.get(f"{account}/reseller")
    done = sales.submit(form, f"{account}/reseller", reseller=str(relais), htmx=htmx, target="reseller")

    assert "Relais Breton" in done.soup.select_one("#reseller").get_text()
    told = mail.latest(RESELLER)
    assert told.subject == "Grossiste Azur names you as reseller of a customer"
    assert "Crêperie Marec" in told.text, "under the reseller's own name"
    assert "MAREC" not in told.text
    assert listed(people(RESELLER).get(url())) == ["Crêperie Marec"]
    assert "Relais Breton" in people(PROVIDER).get("/activity").text
    assert "Customer's details changed" in people(PROVIDER).get("/activity").soup.select_one("#results").get_text()
    assert "Customer's details changed" not in people(RESELLER).get("/activity").soup.select_one("#results").get_text()


def test_going_to_and_fro_tells_the_reseller_once_an_hour(people):
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    sales, relais = people(SALES), str(make.organization("relais-breton.example").public_id)
    account = f"/customers/{make.organization('comptoir-riviera.example').public_id}/account"
    named = lambda: len([sent for sent in mail.all_to(RESELLER) if sent.mail.kind == "customers/reseller_named"])  # noqa: E731

    for reseller in (relais, "", relais, "", relais):
        sales.submit(sales.get(f"{account}/reseller"), f"{account}/reseller", reseller=reseller)
    assert named() == 1

    with clock.shifted(timedelta(minutes=61)):
        for reseller in ("", relais):
            sales.submit(sales.get(f"{account}/reseller"), f"{account}/reseller", reseller=reseller)
    assert named() == 2


def test_a_customer_that_the_reseller_has_no_relationship_with_is_not_named_to_it(people):
    """R2: the mail says how to go on, not who it is."""
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    sales, relais = people(SALES), make.organization("relais-breton.example").public_id
    account = f"/customers/{make.organization('comptoir-riviera.example').public_id}/account"

    sales.submit(sales.get(f"{account}/reseller"), f"{account}/reseller", reseller=str(relais))

    told = mail.latest(RESELLER)
    assert "riviera" not in (told.subject + told.text + told.html).casefold()
    assert told.mail.reply_to == f"Livia Rostagni <{SALES}>"
    people(RESELLER).get(account.removesuffix("/account"), 404)


def test_only_active_resellers_of_ones_own_can_be_named(people):
    """S25, R41"""
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    sales = people(SALES)
    account = f"/customers/{make.organization('comptoir-riviera.example').public_id}/account"
    form = sales.get(f"{account}/reseller")
    assert [option.get_text() for option in form.soup.select("select[name=reseller] option")] == ["No reseller", "Relais Breton"]

    refused = sales.submit(form, f"{account}/reseller", reseller=str(make.organization("escale.example").public_id), status=422)

    assert refused.errors["reseller"]
    assert record("comptoir-riviera.example", "grossiste-azur.example").reseller_id is None


def test_a_former_reseller_stays_until_it_is_changed(people):
    """R42"""
    share("Crêperie Marec", "creperie-marec.example")
    people(RESELLER).post(f"{url()}/ending", {})
    sales = people(SALES)
    account = f"/customers/{make.organization('creperie-marec.example').public_id}/account"

    form = sales.get(f"{account}/reseller")
    assert form.soup.select_one("option[selected]").get_text() == "Relais Breton (former)"
    sales.submit(form, f"{account}/reseller")
    assert record("creperie-marec.example", "grossiste-azur.example").reseller_id is not None
    sales.submit(form, f"{account}/reseller", reseller="")

    assert record("creperie-marec.example", "grossiste-azur.example").reseller_id is None
    assert "former" not in sales.get(f"{account}/reseller").text


def test_two_people_name_at_once_and_the_second_is_told(people):
    """R104"""
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES)
    one, two, relais = people(SALES), people(PROVIDER), make.organization("relais-breton.example").public_id
    account = f"/customers/{make.organization('comptoir-riviera.example').public_id}/account"
    first, second = one.get(f"{account}/reseller"), two.get(f"{account}/reseller")
    one.submit(first, f"{account}/reseller", reseller=str(relais))

    told = two.submit(second, f"{account}/reseller", reseller="", status=409)

    assert "Relais Breton" in told.errors["reseller"]


@pytest.mark.parametrize("who", [RESELLER, "admin@atelier-nuage.example"])
def test_only_providers_name_resellers(people, who):
    """R41"""
    customer = make.customer("Phare Ouest", "phare-ouest.example", by=who)
    account = f"/customers/{customer.public_id}/account"

    assert not people(who).get(account).soup.select("#reseller")
    people(who).get(f"{account}/reseller", 404)
    people(who).post(f"{account}/reseller", {"reseller": ""}, 404)
    assert not people(who).get("/customers/new").soup.select("[name=reseller]")


# --- adding on behalf


def test_a_provider_adds_a_customer_on_behalf_of_a_reseller(people):
    """R41, R16: kept by the draft, shown in the review and at the end."""
    from tests.onboarding.test_adding import COMPANY

    sales, relais = people(SALES), str(make.organization("relais-breton.example").public_id)
    kept = sales.submit(sales.get("/customers/new"), "/customers/new", button="Save for later", **COMPANY, reseller=relais)
    assert kept.h1 == "Customers"
    begun = next(link["href"] for link in sales.get("/customers/new").soup.select("a[href*='draft=']"))
    form = sales.get(begun)
    assert form.soup.select_one("select[name=reseller] option[selected]")["value"] == relais

    review = past_subscriptions(sales, sales.submit(form, "/customers/new"))
    assert "Relais Breton" in review.text
    done = sales.submit(review, review.form("#form")["action"])

    assert "Added on behalf of Relais Breton" in done.text
    made = record("scierie-vosges.example", "grossiste-azur.example")
    assert made.reseller_id == make.organization("relais-breton.example").id
    assert "scierie" not in mail.latest(RESELLER).text.casefold(), "the reseller has no relationship with it yet (R2)"
    assert names(sales.get(f"/customers?reseller={relais}")) == ["Scierie des Vosges"]


def test_adding_on_behalf_of_a_stranger_is_refused(people):
    """S25"""
    from tests.onboarding.test_adding import COMPANY

    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    sales = people(SALES)

    refused = sales.submit(sales.get("/customers/new"), "/customers/new", status=422, **COMPANY, reseller=str(make.organization("escale.example").public_id))
    other = people("sales@atelier-nuage.example")
    other.post("/customers/new", {**COMPANY, "reseller": str(make.organization("relais-breton.example").public_id)}, 422)

    assert refused.errors["reseller"]
    assert not mail.all_to(RESELLER)


def test_a_partnership_that_ends_between_review_and_submit_is_noticed(people):
    """R42"""
    from tests.onboarding.test_adding import COMPANY

    sales, relais = people(SALES), str(make.organization("relais-breton.example").public_id)
    review = past_subscriptions(sales, sales.submit(sales.get("/customers/new"), "/customers/new", **COMPANY, reseller=relais))
    people(RESELLER).post(f"{url()}/ending", {})

    back = sales.submit(review, review.form("#form")["action"])

    assert back.h1 == "Add a customer"
    assert "Complete the account information first" in back.flashes[0]
