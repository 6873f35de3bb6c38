"""A won lead becomes a customer: new account, relationship request, or the customer that is here (R56, R11)."""

import pytest
import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core import clock
from portal.core.audit import LogEntry
from portal.core.db import db, find, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer
from portal.onboarding.models import CustomerDraft
from portal.relationships import answers
from portal.relationships.models import RelationshipRequest
from portal.relationships.service import revoke_request
from tests.relationships import rows
from tests.support import mail, make

SALES, REFERRALS, ADMIN = "sales@atelier-nuage.example", "referrals@atelier-nuage.example", "admin@atelier-nuage.example"
CONTACT = {"first_name": "Anne", "last_name": "Le Goff", "email": "anne@verger-lanvaux.example", "phone": "+33 2 97 00 00 00"}
COMPANY = {"domain": "verger-lanvaux.example", "city": "Vannes", "language": "fr"}
BOTH = pytest.mark.parametrize("email", [SALES, REFERRALS], ids=["sales agent", "referrals admin"])


def won(company="Verger Lanvaux", **details):
    """A won lead of Atelier Nuage."""
    return rows.fresh(make.won_lead(company, **{**CONTACT, **COMPANY, **details}))


def url(lead, rest="/conversion"):
    return f"/leads/{lead.public_id}{rest}"


def count(model):
    return rows.count(model)


def account(visitor, lead, **changes):
    """Through the steps of adding a customer up to the review, past the subscriptions for whoever sells them."""
    form = visitor.submit(visitor.get(url(lead)), url(lead), button="account")
    page = visitor.submit(form, "/customers/new", **{"street": "4 route de Josselin", "postal_code": "56000", **changes})
    return visitor.get(page.url.removesuffix("subscriptions") + "review") if page.url.endswith("/subscriptions") else page


# --- a new account


@BOTH
def test_everything_known_is_filled_in(people, email):
    """R56: nothing is typed twice."""
    lead, visitor = won(), people(email)

    form = visitor.submit(visitor.get(url(lead)), url(lead), button="account")

    typed = {field["name"]: field.get("value") for field in form.form("/customers/new").select("input[name]")}
    assert {name: typed[name] for name in (*CONTACT, "domain", "city")} == {**CONTACT, "domain": COMPANY["domain"], "city": COMPANY["city"]}
    assert typed["name"] == "Verger Lanvaux"
    assert form.form("/customers/new").select_one("#language option[selected]")["value"] == "fr"


def test_a_sales_agent_sees_how_the_first_admin_gets_in(people):
    """R16, R56"""
    lead, sales = won(), people(SALES)
    review = account(sales, lead)

    page = sales.submit(review, review.form("#form")["action"])

    assert page.url.endswith("/activation?added=1")
    assert rows.fresh(lead).converted_at is not None


def test_a_referrals_admin_comes_back_to_the_lead(people):
    """R56: it converts leads and sees no customers."""
    lead, referrals = won(), people(REFERRALS)
    review = account(referrals, lead)
    assert "Show it to me" not in review.text

    page = referrals.submit(review, review.form("#form")["action"])

    assert page.url == url(lead, "")
    assert "Verger Lanvaux was added" in " ".join(page.flashes)
    assert not page.has_link(f"/customers/{make.organization('verger-lanvaux.example').public_id}")
    assert mail.latest(CONTACT["email"]).link.startswith("/activation/")


def test_lead_and_customer_name_each_other(people):
    lead, sales = won(), people(SALES)
    review = account(sales, lead)
    sales.submit(review, review.form("#form")["action"])
    customer = make.organization("verger-lanvaux.example").public_id

    assert sales.get(url(lead, "")).has_link(f"/customers/{customer}")
    assert sales.get(f"/customers/{customer}").has_link(url(lead, ""))
    assert "Came from a lead" not in people("agent@atelier-nuage.example").get(f"/customers/{customer}").text


def test_submitting_twice_converts_once(people):
    """S29"""
    lead, sales = won(), people(SALES)
    review = account(sales, lead)
    sales.submit(review, review.form("#form")["action"])
    before = count(Organization)

    sales.submit(review, review.form("#form")["action"])
    sales.post(url(lead), {"way": "account"})

    assert count(Organization) == before
    assert [entry.action for entry in log("lead.converted")] == ["lead.converted"]


def test_two_people_who_convert_the_same_lead_make_one_customer(people):
    """S29: the second is told, and nothing of the second account is made."""
    lead, sales, referrals = won(), people(SALES), people(REFERRALS)
    first, second = account(sales, lead), account(referrals, lead, domain="verger-de-lanvaux.example")
    sales.submit(first, first.form("#form")["action"])
    before = (count(Organization), count(Customer))

    page = referrals.submit(second, second.form("#form")["action"], status=422)

    assert "converted a moment ago" in page.text
    assert (count(Organization), count(Customer)) == before


def test_beginning_twice_continues_the_same_draft(people):
    lead, sales = won(), people(SALES)

    sales.post(url(lead), {"way": "account"})
    sales.post(url(lead), {"way": "account"})

    assert count(CustomerDraft) == 1


def test_a_referrals_admin_works_on_drafts_from_leads_only(people):
    """The roles table of the domain: it converts leads and adds no other customers."""
    referrals = people(REFERRALS)
    referrals.get("/customers/new", 403)
    referrals.post("/customers/new", {"name": "By the way"}, 403)
    referrals.post("/customers/new/typed", {"name": "By the way"}, 403)

    assert count(CustomerDraft) == 0


def test_save_for_later_leads_back_to_the_lead(people):
    lead, referrals = won(), people(REFERRALS)
    form = referrals.submit(referrals.get(url(lead)), url(lead), button="account")

    page = referrals.submit(form, "/customers/new", button="Save for later", street="4 route de Josselin")

    assert page.url == url(lead, "")
    again = referrals.submit(referrals.get(url(lead)), url(lead), button="account")
    assert again.form("/customers/new").select_one("#street")["value"] == "4 route de Josselin"


# --- a relationship request


def test_a_referrals_admin_asks_for_no_delegated_administration(people):
    """The roles table of the domain: it converts leads, and asks for no more than that."""
    lead, referrals = won(), people(REFERRALS)
    review = referrals.get(url(lead, "/conversion/request"))
    assert not review.form("#form").select("[name=delegated_administration]")

    wanted = {"delegated_administration": "y", "roles": ["global_administrator"], "duration_days": "730"}
    typed = {"email": CONTACT["email"], "organization": "Verger Lanvaux", "language": "fr"}
    referrals.post(url(lead, "/conversion/request"), typed | wanted)

    assert (request().delegated_administration, request().roles) == (False, [])


@BOTH
def test_the_request_is_reviewed_and_sent_in_one_step(people, email):
    """R20, R56"""
    lead, visitor = won(), people(email)
    review = visitor.get(url(lead, "/conversion/request"))
    assert review.form("#form").select_one("#email")["value"] == CONTACT["email"]
    assert "{link}" in review.form("#form").select_one("#body").get_text()

    page = visitor.submit(review, "#form")

    assert page.url == url(lead, "")
    assert mail.latest(CONTACT["email"]).link.startswith("/connect/")
    assert page.has_link(f"/relationship-requests/{request().public_id}") == (email == SALES)


def test_words_that_nobody_touched_follow_the_language(people):
    lead, sales = won(language="en"), people(SALES)

    sales.submit(
        sales.get(url(lead, "/conversion/request")), "#form", language="fr", delegated_administration="y", roles=["directory_reader"], duration_days="90"
    )

    assert "Bonjour" in request().body


def test_a_text_without_the_link_comes_back(people):
    """R20"""
    lead, sales = won(), people(SALES)

    page = sales.submit(sales.get(url(lead, "/conversion/request")), "#form", status=422, body="Do come.")

    assert "{link} exactly once" in page.errors["body"]
    assert count(RelationshipRequest) == 0


def test_acceptance_converts_the_lead(people):
    """R25, R56: the customer that accepts is the one."""
    lead, sales = won(domain="", email="admin@verrerie-odile.example"), people(SALES)
    sales.submit(sales.get(url(lead, "/conversion/request")), "#form")
    odile, made = make.actor("admin@verrerie-odile.example"), request()
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        row = find(RelationshipRequest, made.public_id, lock=True)
        answers.accept_request(row, agreement=True, language="fr", by=odile, at=clock.now())
        db.session.commit()

    page = sales.get(url(lead, ""))

    assert page.has_link(f"/customers/{make.organization('verrerie-odile.example').public_id}")
    assert rows.fresh(lead).customer_id == make.organization("verrerie-odile.example").id
    assert sales.get(f"/relationship-requests/{made.public_id}").has_link(url(lead, ""))


def test_a_second_click_sends_nothing_more(people):
    """S29"""
    lead, sales = won(), people(SALES)
    review = sales.get(url(lead, "/conversion/request"))

    sales.submit(review, "#form")
    page = sales.submit(review, "#form")

    assert page.url == url(lead, "")
    assert count(RelationshipRequest) == 1


def test_a_request_that_led_to_nothing_leaves_the_lead_open(people):
    lead, sales = won(), people(SALES)
    sales.submit(sales.get(url(lead, "/conversion/request")), "#form")
    assert not sales.get(url(lead, "")).has_link(url(lead))
    who, made = make.actor(SALES), request()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=lead.partner_id)):
        row = find(RelationshipRequest, made.public_id, lock=True)
        revoke_request(row, by=who, at=clock.now())
        db.session.commit()

    assert sales.get(url(lead, "")).has_link(url(lead))


# --- whom the domain belongs to


def test_a_proven_domain_leaves_the_request(people):
    """R11: only that company accepts; asking whether it is proven is counted and logged (R2)."""
    lead, sales = won("Verrerie Odile", domain="verrerie-odile.example", email="odile@verrerie-odile.example"), people(SALES)

    page = sales.get(url(lead))
    assert not page.soup.select("[name=way]")
    sales.submit(sales.get(url(lead, "/conversion/request")), "#form")

    assert request().named
    assert request().customer_id == make.organization("verrerie-odile.example").id
    assert log("organization.domain_asked")


@BOTH
def test_a_lead_of_a_customer_is_linked_to_it(people, email):
    """No second account, and no request to who is a customer already."""
    lead, visitor = won("Tellier", domain="maison-tellier.example", email="achats@maison-tellier.example"), people(email)
    page = visitor.get(url(lead))
    assert "It is your customer already" in page.text

    page = visitor.submit(page, url(lead))

    assert page.url == url(lead, "")
    assert rows.fresh(lead).customer_id == make.organization("maison-tellier.example").id
    visitor.post(url(lead, "/conversion/request"))
    assert count(RelationshipRequest) == 0


def test_a_former_customer_is_asked_to_come_back(people):
    """R37: its relationship is reinstated by the request."""
    lead, sales = won("Forge", domain="ancienne-forge.example", email="contact@ancienne-forge.example"), people(SALES)

    sales.submit(sales.get(url(lead, "/conversion/request")), "#form")

    assert request().purpose == "reinstate"
    assert request().named


def test_only_a_won_lead_converts(people):
    """R56"""
    lead, sales = rows.fresh(make.lead()), people(SALES)

    for response in (sales.get(url(lead), 303), sales.post(url(lead), {"way": "account"}), sales.post(url(lead, "/conversion/request"))):
        assert response.response.location == url(lead, "")
    assert count(CustomerDraft) == count(RelationshipRequest) == 0


def test_free_mail_is_no_domain(people):
    """R11: an address at a free provider says nothing of the company."""
    lead, sales = won(domain="", email="verger.lanvaux@gmail.com"), people(SALES)

    form = sales.submit(sales.get(url(lead)), url(lead), button="account")

    assert not form.form("/customers/new").select_one("#domain").get("value")
    assert not log("organization.domain_asked")


def request():
    db.session.rollback()
    with scoped(EVERYTHING):
        found = db.session.scalars(sa.select(RelationshipRequest).order_by(RelationshipRequest.id.desc()).limit(1)).one()
        db.session.expunge_all()
        return found


def log(action):
    db.session.rollback()
    organization = make.organization("atelier-nuage.example").id
    return list(db.session.scalars(sa.select(LogEntry).where(LogEntry.action == action, LogEntry.organization_id == organization)))
