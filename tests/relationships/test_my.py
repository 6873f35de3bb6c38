"""The customer's own side: home, partners, agreement, company details."""

import pytest

from portal.agreements import service as agreements
from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from tests.relationships.rows import record, request
from tests.support import make

TELLIER, ODILE = "admin@maison-tellier.example", "admin@verrerie-odile.example"


def test_home_tells_an_admin_what_waits_and_others_who_helps_them(people):
    request(TELLIER, by="admin@studio-cumulus.example", named="maison-tellier.example", roles=("directory_reader",))

    admin, staff = people(TELLIER).get("/my"), people("staff@maison-tellier.example").get("/my")

    assert "Studio Cumulus waits for your answer" in admin.text
    assert "with delegated administration" in admin.text
    assert "The customer agreement is not accepted yet" in admin.text
    assert "Atelier Nuage" in staff.text
    assert "Studio Cumulus" not in staff.text
    assert "No partner yet" in people(ODILE).get("/my").text


@pytest.mark.parametrize("path", ["/my/partners", "/my/agreement", "/my/company"])
def test_what_is_the_admins_is_not_the_others(people, path):
    for email in ("buyer@maison-tellier.example", "staff@maison-tellier.example"):
        people(email).get(path, 403)
    people("sales@atelier-nuage.example").get(path, 403)
    people(TELLIER).get(path)


def test_only_partners_of_ones_own_have_a_page(people):
    """R2."""
    own, other = make.organization("atelier-nuage.example").public_id, make.organization("studio-cumulus.example").public_id

    assert people(TELLIER).get(f"/my/partners/{own}").h1 == "Atelier Nuage"
    people(TELLIER).get(f"/my/partners/{other}", 404)
    people(ODILE).get(f"/my/partners/{own}", 404)


def test_a_former_partner_keeps_its_page(people):
    """R36: history stays."""
    customer = record("maison-tellier.example")
    people("admin@atelier-nuage.example").post(f"/customers/{customer.public_id}/ending", {"typed_name": "Maison Tellier", "reason": "x"})
    url = f"/my/partners/{make.organization('atelier-nuage.example').public_id}"

    assert "Ended" in people(TELLIER).get("/my/partners").text
    assert "Ended" in people(TELLIER).get(url).text


def test_the_agreement_is_read_ticked_and_counts_for_every_partner(people):
    """R17."""
    tellier = people(TELLIER)
    page = tellier.get("/my/agreement")
    assert "Use of the services" in page.text

    refused = tellier.submit(page, "/my/agreement", status=422)
    assert "tick that you accept" in refused.errors["agreement"]
    done = tellier.submit(refused, "/my/agreement", agreement=True)

    assert "Claire Tellier accepted it on" in done.text
    assert not done.soup.select("[name=agreement]")
    assert record("maison-tellier.example").agreement == "accepted"
    assert "Customer agreement accepted" in people("admin@atelier-nuage.example").get("/activity").text


def test_a_new_version_asks_again(people):
    tellier = people(TELLIER)
    tellier.submit(tellier.get("/my/agreement"), "/my/agreement", agreement=True)
    with writing(), scoped(EVERYTHING):
        agreements.publish(country="", language="en", body="New terms.", at=clock.now())
        db.session.commit()

    assert "New terms." in tellier.get("/my/agreement").text
    assert "has a new version" in tellier.get("/my").text
    assert record("maison-tellier.example").agreement == "outdated"


def test_an_admin_edits_the_legal_details_and_partners_see_them(people):
    """R10, R13."""
    tellier = people(TELLIER)

    tellier.submit(tellier.get("/my/company"), "#form", name="Tellier et Filles", street="6 rue du Gros-Horloge")

    customer = record("maison-tellier.example")
    assert customer.name == "Maison Tellier", "the partner's billing name is its own"
    assert "Tellier et Filles" in people("sales@atelier-nuage.example").get(f"/customers/{customer.public_id}").text


def test_bad_details_and_stale_ones_are_told(people):
    """R10, R104."""
    one, two = people(TELLIER), people(TELLIER)
    first, second = one.get("/my/company"), two.get("/my/company")
    assert one.submit(first, "#form", postal_code="1", status=422).errors["postal_code"]
    one.submit(first, "#form", city="Dieppe")

    told = two.submit(second, "#form", city="Le Havre", status=409)

    assert "Dieppe" in told.text
    assert told.soup.select_one("[name=city]")["value"] == "Le Havre"


def test_a_customer_stays_in_its_partners_market(people):
    """R27."""
    tellier = people(TELLIER)
    form = tellier.submit(tellier.get("/my/company"), "#form", button="Update fields", country="CA")

    refused = tellier.submit(form, "#form", street="10 Bank Street", city="Ottawa", region="ON", postal_code="K1A 0B1", status=422)

    assert "another market" in refused.errors["country"]
