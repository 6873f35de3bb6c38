"""The page behind the link: what it shows, who may answer, and what an answer does."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.agreements.models import Acceptance
from portal.core import clock
from portal.core.access import Cloud
from portal.core.db import db, writing
from portal.relationships.models import RelationshipRequest
from tests.relationships.rows import count, delegations, fresh, record, records, request
from tests.support import mail, make

ODILE, TELLIER = "admin@verrerie-odile.example", "admin@maison-tellier.example"
SALES = "sales@atelier-nuage.example"


def page_of(row: RelationshipRequest) -> str:
    return f"/connect/requests/{row.public_id}"


# --- the story


def test_an_existing_customer_accepts_from_the_mail(people):
    """R22, R23, R24, R25, R30: the main story."""
    request(ODILE, roles=("helpdesk_administrator", "directory_reader"), days=60, auto_extend=True)
    visitor = people.visitor()

    offer = visitor.open(mail.latest(ODILE).link)
    assert offer.h1 == "Atelier Nuage asks to be your partner"
    for told in (
        "atelier-nuage.example",
        "France",
        "Inès Caradec",
        "Helpdesk administrator",
        "60 days",
        "extends itself by 180 days",
        "What accepting means",
        "What it does not mean",
    ):
        assert told in offer.text
    sign_in = visitor.get(next(a["href"] for a in offer.soup.select("a") if a.get_text(strip=True) == "Sign in"))
    back = visitor.submit(sign_in, "/sign-in", email=ODILE, password="demo portal 2026")
    assert back.url == offer.url
    assert "Customer agreement, version 1" in back.text
    receipt = visitor.submit(back, f"{back.url}/acceptance", agreement=True)

    assert receipt.h1 == "Receipt of acceptance"
    assert receipt.flashes == ["You have accepted. Atelier Nuage is told, and you have a receipt by e-mail."]
    assert f"Odile Schmitt <{ODILE}>" in receipt.text
    assert record("verrerie-odile.example").state == "active"
    assert record("verrerie-odile.example").agreement == "accepted"
    granted = delegations("verrerie-odile.example")[0]
    assert (granted.state, granted.roles, granted.auto_extend) == ("active", ["directory_reader", "helpdesk_administrator"], True)
    assert (granted.ends_at - granted.starts_at).days == 60
    assert "Verrerie Odile" in people(SALES).get("/customers").text
    told = mail.latest(SALES)
    assert told.subject == "Verrerie Odile has accepted"
    assert ODILE in told.text
    assert mail.latest(ODILE).subject == "You have accepted the request of Atelier Nuage"


def test_both_sides_have_a_receipt_and_nobody_else(people):
    row = request(ODILE)
    odile = people(ODILE)
    odile.open(make.link_of(row))
    odile.post(f"{page_of(row)}/acceptance", {"agreement": "y"})

    for visitor, url in ((odile, f"{page_of(row)}/receipt"), (people(SALES), f"/relationship-requests/{row.public_id}/receipt")):
        receipt = visitor.get(url)
        assert str(row.public_id) in receipt.text
        assert "Verrerie Odile" in receipt.text
        assert "Atelier Nuage" in receipt.text
    people(TELLIER).get(f"{page_of(row)}/receipt", 404)
    people("admin@studio-cumulus.example").get(f"/relationship-requests/{row.public_id}/receipt", 404)
    assert people.visitor().get(f"{page_of(row)}/receipt", 303).response.location.startswith("/sign-in")


def test_a_new_relationship_changes_nothing_of_another_partners(people):
    """R13, R26."""
    before = record("maison-tellier.example")
    kept = (before.name, before.state, before.version)
    row = request(TELLIER, by="admin@studio-cumulus.example")
    tellier = people(TELLIER)
    tellier.open(make.link_of(row))
    tellier.post(f"{page_of(row)}/acceptance", {"agreement": "y"})

    assert len(records("maison-tellier.example")) == 2
    after = record("maison-tellier.example")
    assert (after.name, after.state) == kept[:2]
    assert "Studio Cumulus" not in people(SALES).get(f"/customers/{after.public_id}").text


def test_an_admin_with_a_long_name_in_one_word_accepts(people, app):
    row = request(ODILE)
    with writing():
        db.session.execute(sa.update(User).where(User.email == ODILE).values(name="A" * 120))
        db.session.commit()
    odile = people(ODILE)

    odile.submit(odile.open(make.link_of(row)), f"{page_of(row)}/acceptance", agreement=True)

    assert fresh(row).state == "accepted"


def test_the_agreement_is_part_of_the_same_page_and_must_be_ticked(people):
    """R17, R23."""
    row = request(ODILE)
    odile = people(ODILE)
    offer = odile.open(make.link_of(row))

    refused = odile.submit(offer, f"{page_of(row)}/acceptance", status=422)

    assert "tick that you accept" in refused.errors["agreement"]
    assert fresh(row).state == "sent"
    assert not records("verrerie-odile.example")
    assert count(Acceptance) == 0
    odile.submit(refused, f"{page_of(row)}/acceptance", agreement=True)
    assert fresh(row).state == "accepted"


def test_a_refusal_replaces_the_form_alone_and_success_leaves_the_page(people):
    """R105: in place with htmx."""
    row = request(ODILE)
    odile = people(ODILE)
    offer = odile.open(make.link_of(row))

    refused = odile.submit(offer, f"{page_of(row)}/acceptance", status=422, htmx=True)
    done = odile.submit(offer, f"{page_of(row)}/acceptance", agreement=True, htmx=True)

    assert refused.soup.find("html") is None
    assert refused.errors["agreement"]
    assert done.response.headers["HX-Redirect"] == f"{page_of(row)}/receipt", "another layout needs a whole page"


def test_what_a_partner_attested_or_the_customer_accepted_is_not_asked_again(people):
    row = request(TELLIER, roles=("directory_reader",))
    tellier = people(TELLIER)

    offer = tellier.open(make.link_of(row))
    tellier.submit(offer, f"{page_of(row)}/acceptance")

    assert not offer.soup.select("[name=agreement]")
    assert fresh(row).state == "accepted"


def test_reinstating_brings_back_the_same_relationship(people, app):
    """R37, S15."""
    from portal.core.scope import EVERYTHING, scoped

    odile, admin = people(ODILE), people("admin@atelier-nuage.example")
    first = request(ODILE, roles=("directory_reader",), days=45)
    odile.open(make.link_of(first))
    odile.post(f"{page_of(first)}/acceptance", {"agreement": "y"})
    was = record("verrerie-odile.example")
    admin.submit(admin.get(f"/customers/{was.public_id}/ending"), f"/customers/{was.public_id}/ending", typed_name="Verrerie Odile", reason="Moved on.")
    assert record("verrerie-odile.example").state == "ended"

    new = admin.get(f"/relationship-requests/new?customer={was.public_id}")
    assert new.soup.select_one("[name=delegated_administration][checked]")
    assert [box["value"] for box in new.soup.select("[name=roles][checked]")] == ["directory_reader"]
    draft = admin.submit(new, "#form")
    admin.submit(draft, f"{draft.url}/sending", button="portal")
    home = odile.get("/my")
    assert "Atelier Nuage waits for your answer" in home.text
    odile.open(mail.latest(ODILE).link)
    waiting = next(a["href"] for a in home.soup.select("a") if "Look at the request" in a.get_text())
    odile.post(f"{waiting}/acceptance", {"agreement": "y"})

    now = record("verrerie-odile.example")
    assert (now.id, now.state, now.started_at, now.ended_at) == (was.id, "active", was.started_at, None)
    assert delegations("verrerie-odile.example")[-1].duration_days == 45
    assert "active again" in mail.latest("admin@atelier-nuage.example").text
    with scoped(EVERYTHING):
        assert count(RelationshipRequest) == 2


# --- opening


def test_opening_the_link_changes_nothing_and_leads_on_without_the_token(people):
    """R22, S23, S31."""
    row = request(ODILE)
    before = (row.version, row.state, row.link.used_at)
    visitor = people.visitor()

    for _ in range(3):
        opened = visitor.get(make.link_of(row), 303)
        assert row.link.token not in opened.response.location
    assert visitor.client.head(make.link_of(row)).status_code == 303
    page = visitor.open(make.link_of(row))

    assert row.link.token not in page.response.get_data(as_text=True)
    after = fresh(row)
    assert (after.version, after.state, after.link.used_at) == before


def test_without_the_link_there_is_no_page(people):
    """R22: the address alone opens nothing."""
    row = request(ODILE)

    for path in ("", "/declining", "/account", "/account/confirmation"):
        people.visitor().get(page_of(row) + path, 404)
    for path in ("/declining", "/account", "/account/confirmation"):
        people.visitor().post(page_of(row) + path, {"reason": "x"}, 404)
    odile = people(ODILE)
    odile.get(page_of(row), 404)
    odile.post(f"{page_of(row)}/acceptance", {"agreement": "y"}, 404)
    assert fresh(row).state == "sent"


def test_who_lost_the_link_is_told_to_open_it_again_whether_there_is_a_request_or_not(people):
    row = request(ODILE)

    real = people.visitor().get(page_of(row), 404)
    invented = people.visitor().get("/connect/requests/01890a5d-ac96-774b-bcce-b302099a8057", 404)

    assert real.h1 == "Open the link in your e-mail"
    assert real.text == invented.text


def test_drafts_have_no_page_even_for_the_customer_they_name(people):
    row = request(ODILE, named="verrerie-odile.example", draft=True)

    people(ODILE).get(page_of(row), 404)


def test_the_admin_of_the_customer_that_a_request_names_needs_no_link(people):
    """R22."""
    row = request(ODILE, named="verrerie-odile.example")
    odile = people(ODILE)

    assert "waits for your answer" in odile.get("/my").text
    assert odile.get(page_of(row)).h1 == "Atelier Nuage asks to be your partner"
    people(TELLIER).get(page_of(row), 404)
    people("staff@maison-tellier.example").get(page_of(row), 404)


def test_a_cookie_holds_several_links_and_not_too_many(people):
    visitor = people.visitor()
    rows = [request(f"a{number}@scierie.example") for number in range(22)]
    for row in rows:
        visitor.open(make.link_of(row))

    assert [visitor.client.get(page_of(row)).status_code for row in rows] == [404] * 2 + [200] * 20


@pytest.mark.parametrize("token", ["x", "a" * 27, "é" * 27, "a" * 200, "%00" * 27, "..", "AAAAAAAAAAAAAAAAAAAAAAAAAA'"])
def test_a_malformed_token_gets_a_clear_page(people, token):
    page = people.visitor().get(f"/connect/{token}", 404)

    assert page.h1 in ("This link does not work", "Not found")


def test_the_page_comes_in_the_visitors_language_and_sign_in_keeps_possession(people):
    row = request(ODILE)
    visitor = people.visitor()
    visitor.open(make.link_of(row))

    page = visitor.get(page_of(row), 200, **{"Accept-Language": "fr"})

    assert page.soup.html["lang"] == "fr"


# --- who cannot accept, and why


@pytest.mark.parametrize(
    ("email", "title"),
    [
        (SALES, "This is your own organization's request"),
        ("admin@studio-cumulus.example", "You are signed in as a partner"),
        ("buyer@maison-tellier.example", "A customer admin must accept"),
        ("staff@maison-tellier.example", "A customer admin must accept"),
    ],
)
def test_the_wrong_account_or_role_gets_a_page_that_says_so(people, email, title):
    """R23, R27."""
    row = request(TELLIER)
    visitor = people(email)

    page = visitor.open(make.link_of(row))

    assert (page.status, page.h1) == (403, title)
    assert "Inès Caradec" in page.text
    visitor.post(f"{page_of(row)}/acceptance", {"agreement": "y"}, 403)
    visitor.post(f"{page_of(row)}/declining", {"reason": "no"}, 403)
    assert fresh(row).state == "sent"


def refused(people, row: RelationshipRequest, title: str, email: str = ODILE) -> None:
    visitor = people(email)
    page = visitor.open(make.link_of(row))
    assert (page.status, page.h1) == (403, title)
    assert visitor.post(f"{page_of(row)}/acceptance", {"agreement": "y"}).response.location == page_of(row)
    assert visitor.post(f"{page_of(row)}/declining", {}).response.location == page_of(row)
    assert fresh(row).state == "sent"


def test_a_request_for_another_company_is_not_ours_to_answer(people):
    """R22."""
    refused(people, request(TELLIER, named="maison-tellier.example"), "This request is for another company")


def test_nothing_crosses_clouds(people):
    """R27."""
    row = request(ODILE, by="admin@potomac-stratus.example", roles=("directory_reader",))
    refused(people, row, "This request is from another cloud")


def test_nothing_crosses_markets(people):
    """R27."""
    make.organization("verrerie-odile.example").country = "JP"
    db.session.commit()

    refused(people, request(ODILE), "This request is from another market")


def test_the_service_says_no_too(people, app):
    """Rules live below the pages."""
    from portal.core.errors import Refused
    from portal.relationships import answers

    row = request(ODILE)
    odile = make.organization("verrerie-odile.example")
    odile.cloud = Cloud.US_GOVERNMENT
    db.session.commit()

    with pytest.raises(Refused):
        answers.accept_request(db.session.merge(fresh(row), load=False), agreement=True, language="en", by=make.actor(ODILE), at=clock.now())


# --- once


def test_a_link_is_good_for_one_acceptance_under_two_tabs(people):
    """R22, S29."""
    row = request(ODILE)
    one, other = people(ODILE), people(TELLIER)
    for visitor in (one, other):
        visitor.open(make.link_of(row))
    first, second = one.get(page_of(row)), other.get(page_of(row))

    one.submit(first, f"{page_of(row)}/acceptance", agreement=True)
    again = one.submit(first, f"{page_of(row)}/acceptance", agreement=True)
    late = other.submit(second, f"{page_of(row)}/acceptance", status=410)

    assert again.h1 == "Receipt of acceptance"
    assert late.h1 == "This request was accepted"
    assert len(records("verrerie-odile.example")) == 1
    assert len(records("maison-tellier.example")) == 1
    assert count(Acceptance) == 1
    assert people.visitor().open(make.link_of(fresh(row))).h1 == "This request was accepted"


def test_two_companies_accept_at_the_same_moment_and_one_of_them_wins(people):
    """S29: really at once."""
    row = request(ODILE)
    visitors = [people(email) for email in (ODILE, TELLIER, ODILE)]
    for visitor in visitors:
        visitor.open(make.link_of(row))
    tokens = [visitor.csrf_token() for visitor in visitors]
    db.session.remove()

    def accept(visitor, token: str) -> int:
        return visitor.client.post(f"{page_of(row)}/acceptance", data={"agreement": "y", "csrf_token": token}).status_code

    with ThreadPoolExecutor(3) as pool:
        statuses = list(pool.map(accept, visitors, tokens))

    assert set(statuses) <= {303, 409, 422}
    assert fresh(row).state == "accepted"
    assert len(records("verrerie-odile.example")) + len([one for one in records("maison-tellier.example") if one.state_at > row.sent_at]) <= 1
    assert len([message for message in mail.all_to(SALES) if message.mail.kind == "relationships/accepted"]) == 1
    db.engine.dispose()


def test_a_link_sent_again_says_that_it_was_replaced(people):
    row = request(ODILE)
    visitor = people.visitor()
    visitor.open(make.link_of(row))
    people(SALES).post(f"/relationship-requests/{row.public_id}/sending", {"way": "portal"})

    page = visitor.get(page_of(row), 410)

    assert page.h1 == "This link was replaced"
    visitor.post(f"{page_of(row)}/declining", {}, 410)


# --- declining


def test_whoever_was_written_to_declines_with_a_reason(people):
    """R24."""
    row = request(ODILE)
    visitor = people.visitor()
    offer = visitor.open(make.link_of(row))
    confirm = visitor.get(f"{page_of(row)}/declining")

    done = visitor.submit(confirm, "#form", reason="We have a partner <already>.", status=410)

    assert offer.has_link(f"{page_of(row)}/declining")
    assert done.h1 == "This request was declined"
    after = fresh(row)
    assert (after.state, after.decline_reason, after.answered_by) == ("declined", "We have a partner <already>.", ODILE)
    assert "We have a partner <already>." in mail.latest(SALES).text
    assert "We have a partner <already>." in people(SALES).get(f"/relationship-requests/{row.public_id}").text
    visitor.post(f"{page_of(row)}/declining", {"reason": "again"})
    assert fresh(row).decline_reason == "We have a partner <already>."


def test_a_customer_admin_declines_in_the_companys_name(people):
    row = request(ODILE)
    odile = people(ODILE)
    odile.open(make.link_of(row))

    odile.submit(odile.get(f"{page_of(row)}/declining"), "#form", status=410)

    assert fresh(row).answered_by == f"Odile Schmitt <{ODILE}>"


def test_writing_back_goes_to_the_person_who_asked(people):
    row = request(ODILE)

    offer = people.visitor().open(make.link_of(row))

    assert offer.soup.select_one(f'a[href^="mailto:{SALES}?subject=Re%3A%20"]')
