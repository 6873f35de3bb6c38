"""The customer agreement on the customer's page: attest, ask the customer, versions; and the first admin's activation link."""

from datetime import timedelta

import pytest

from portal.agreements import service as agreements
from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from tests.customers.test_account import ONCE, also_customer_of, edit, logged, record, url
from tests.support import mail, make

SALES = "sales@atelier-nuage.example"
PERSON = {"first_name": "Jean", "last_name": "Sarrault", "email": "jean@fonderie-sarrault.example", "phone": ""}
PASSWORD = "violet kayak sings softly"


def agreement(domain="fonderie-sarrault.example"):
    return f"{url(domain)}/agreement"


def attest(visitor, at, status=200, **changes):
    return visitor.submit(visitor.get(at), at, status=status, **{**PERSON, "accepted_on": clock.today().isoformat(), **changes})


def publish(body="Version two.", **where):
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        agreements.publish(**{"country": "", "language": "en", **where}, body=body, at=clock.now())
        db.session.commit()


def test_a_partner_attests_and_it_shows_and_is_logged(people):
    """R17"""
    make.customer()

    page = attest(people(SALES), agreement())

    assert page.flashes == ["The agreement of Fonderie Sarrault is attested."]
    assert "Attested" in page.text
    assert "Jean Sarrault" in page.text
    assert record().agreement == "attested"
    assert logged("agreement.attested")[1] == {"name": "Jean Sarrault", "email": PERSON["email"], "accepted_on": clock.today().isoformat(), "version": 1}


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_a_day_to_come_is_refused_beside_its_field(people, htmx):
    """R17"""
    make.customer()
    sales = people(SALES)

    page = sales.submit(sales.get(agreement()), agreement(), status=422, htmx=htmx, **PERSON, accepted_on=(clock.today() + timedelta(days=2)).isoformat())

    assert "in the future" in page.errors["accepted_on"]
    assert page.soup.select_one("[name=first_name]")["value"] == "Jean"
    assert record().agreement == "missing"


def test_today_is_the_users_own_day(people):
    """R100: in the evening of UTC it is tomorrow in Auckland."""
    make.customer()
    evening = clock.now().replace(hour=22, minute=0)
    with writing():
        db.session.rollback()
        from portal.accounts import queries

        queries.user_by_email(SALES).time_zone = "Pacific/Auckland"
        db.session.commit()

    with clock.shifted(evening - clock.now()):
        page = attest(people(SALES), agreement(), accepted_on=(clock.today() + timedelta(days=1)).isoformat())

    assert "is attested" in page.flashes[0]


@ONCE
@pytest.mark.parametrize(
    ("field", "value"),
    [("accepted_on", ""), ("accepted_on", "31.12.2025"), ("accepted_on", "2025-02-30"), ("email", "nobody"), ("first_name", "  "), ("last_name", "x" * 101)],
)
def test_what_is_missing_or_wrong_is_said_beside_the_field(people, field, value):
    make.customer()

    page = attest(people(SALES), agreement(), status=422, **{field: value})

    assert page.errors[field]


def test_an_attestation_counts_for_its_partner_only(people):
    """R17"""
    also_customer_of("admin@studio-cumulus.example")

    page = people("admin@studio-cumulus.example").get(agreement("maison-tellier.example"))

    assert "Not accepted" in page.text
    assert record("maison-tellier.example").agreement == "attested"


def test_a_reseller_may_not_attest_and_is_not_offered_it(people):
    """R17"""
    make.customer(by="sales@relais-breton.example")
    reseller = people("admin@relais-breton.example")

    page = reseller.get(agreement())

    assert not page.soup.select("[name=accepted_on]")
    assert "your provider does" in page.text
    reseller.post(agreement(), PERSON | {"accepted_on": "2025-01-01"}, 403)


@ONCE
@pytest.mark.parametrize("who", ["helpdesk@atelier-nuage.example", "billing@atelier-nuage.example"])
def test_who_may_not_attest_is_not_offered_it(people, who):
    make.customer()

    assert not people(who).get(agreement()).soup.select("[name=accepted_on]")
    people(who).post(agreement(), PERSON, 403)


def test_a_new_version_makes_what_was_attested_outdated(people):
    """R17"""
    publish(country="BE", body="Only for Belgium.")
    assert record("maison-tellier.example").agreement == "attested"

    publish()

    sales = people(SALES)
    assert "Outdated" in sales.get("/customers?agreement=outdated").text
    page = sales.get(agreement("maison-tellier.example"))
    assert "Outdated" in page.text
    assert "Version two." in page.text
    attest(sales, agreement("maison-tellier.example"))
    assert record("maison-tellier.example").agreement == "attested"


def test_the_customers_admins_are_asked_by_mail(people):
    """R17"""
    publish()
    sales, at = people(SALES), agreement("maison-tellier.example")

    page = sales.submit(sales.get(at), f"{at}/request")

    sent = mail.latest("admin@maison-tellier.example")
    assert page.flashes == ["The customer's admins were asked by e-mail."]
    assert sent.subject == "Atelier Nuage vous demande d’accepter le contrat client" or "accept the customer agreement" in sent.subject
    assert "/my/agreement" in sent.text
    assert sent.mail.reply_to is None or SALES in str(sent.mail.reply_to)


def test_without_an_admin_there_is_nobody_to_ask(people):
    make.customer()
    sales = people(SALES)

    page = sales.get(agreement())

    assert not page.soup.select(f'form[action="{agreement()}/request"]')
    assert page.has_link(f"{url()}/activation")
    sales.post(f"{agreement()}/request")
    assert "no active admin" in sales.get(agreement()).flashes[0]


# --- how the first customer admin gets in


def activation(domain="fonderie-sarrault.example"):
    return f"{url(domain)}/activation"


def invite(visitor, **fields):
    page = visitor.get(activation())
    return visitor.submit(page, f"{activation()}/person", **{"name": "Jean Sarrault", "email": PERSON["email"], **fields})


def link_on(page):
    return page.soup.select_one(".copy input")["value"].removeprefix("http://localhost")


def activated(people, link, to=PERSON["email"]):
    """Somebody opens the link, asks for the code and chooses a password."""
    visitor = people.visitor()
    page = visitor.open(link)
    page = visitor.submit(page, "/activation/code")
    return visitor.submit(page, "/activation", code=mail.latest(to).code, password=PASSWORD)


def test_a_customer_without_an_admin_is_offered_the_first_invitation(people):
    """R16, R18"""
    make.customer(first_name="Jean", last_name="Sarrault")
    sales = people(SALES)

    page = sales.get(activation())
    assert page.soup.select_one("[name=name]")["value"] == "Jean Sarrault"
    assert page.soup.select_one("[name=email]")["value"] == "contact@fonderie-sarrault.example"
    page = invite(sales)

    assert "How Jean Sarrault gets in" in page.text
    assert mail.latest(PERSON["email"]).link == link_on(page)


def test_the_link_works_once_and_then_the_page_says_so(people):
    """R16, S15"""
    make.customer()
    sales = people(SALES)
    link = link_on(invite(sales))

    assert activated(people, link).h1

    page = sales.get(activation())
    assert "The customer has an active admin" in page.text
    assert not page.soup.select(".copy input, form[action$=person], form[action$=activation]")
    assert people.visitor().get(link, 410)
    sales.post(activation(), status=404)
    sales.post(f"{activation()}/person", {"name": "Eve", "email": "eve@evil.example"}, 409)


def test_the_adding_partner_is_told_of_the_first_admin(people):
    """R18"""
    make.customer()

    activated(people, link_on(invite(people(SALES))))

    sent = mail.latest("admin@atelier-nuage.example")
    assert "Fonderie Sarrault" in sent.subject
    assert PERSON["email"] in sent.text
    assert not people(SALES).get(f"{url()}/account").has_link(f"{url()}/account/company")


def test_a_new_link_kills_the_old_one(people):
    """S15"""
    make.customer()
    sales = people(SALES)
    page = invite(sales)
    old = link_on(page)

    page = sales.submit(page, activation())

    assert link_on(page) != old
    assert mail.latest(PERSON["email"]).link == link_on(page)
    people.visitor().get(old, 410)
    activated(people, link_on(page))


def test_an_expired_link_is_not_shown(people):
    make.customer()
    sales = people(SALES)
    invite(sales)

    with clock.shifted(timedelta(days=15)):
        page = people(SALES).get(activation())

    assert "The link has expired" in page.text
    assert not page.soup.select(".copy input")


def test_a_mistyped_address_is_mended_by_inviting_somebody_else(people):
    """R16: the earlier invitation stops."""
    make.customer()
    sales = people(SALES)
    wrong = link_on(invite(sales, email="jaen@fonderie-sarrault.example"))

    page = invite(sales)

    assert "jaen@" not in page.text
    people.visitor().get(wrong, 410)
    activated(people, link_on(page))


@ONCE
@pytest.mark.parametrize("fields", [{"email": "nobody"}, {"name": " "}, {"email": ""}])
def test_whom_to_invite_is_checked(people, fields):
    make.customer()
    sales = people(SALES)

    page = sales.submit(sales.get(activation()), f"{activation()}/person", status=422, **{"name": "Jean", "email": PERSON["email"], **fields})

    assert page.errors[next(iter(fields))]


def test_only_the_adding_partner_and_who_may_add_sees_the_link(people):
    """R2, R18"""
    make.customer()
    invite(people(SALES))
    also_customer_of("admin@studio-cumulus.example", "fonderie-sarrault.example", "Sarrault")

    for who in ("helpdesk@atelier-nuage.example", "billing@atelier-nuage.example"):
        people(who).get(activation(), 403)
    other = people("admin@studio-cumulus.example")
    assert "/activation/" not in str(other.get(activation()).soup.select_one("main")).replace(f"{activation()}/", "")
    other.post(activation(), status=404)
    other.post(f"{activation()}/person", {"name": "Eve", "email": "eve@evil.example"}, 409)


def test_the_account_leads_to_the_first_admin_until_there_is_one(people):
    make.customer()
    sales = people(SALES)

    for page in (sales.get(url()), sales.get(f"{url()}/account")):
        assert page.has_link(activation())
    assert not sales.get(f"{url('maison-tellier.example')}/account").has_link(activation("maison-tellier.example"))
    edit(sales, "contact", first_name="Ada")
