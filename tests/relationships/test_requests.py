"""The partner's side of relationship requests: draft, review, three ways out, revocation, several at once."""

import io
from urllib.parse import unquote

import pytest

from portal.core import clock, jobs
from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.relationships.models import RelationshipRequest
from tests.relationships.rows import fresh, request
from tests.support import mail, make

SALES, ADMIN = "sales@atelier-nuage.example", "admin@atelier-nuage.example"


def url_of(row: RelationshipRequest) -> str:
    return f"/relationship-requests/{row.public_id}"


def test_a_request_is_drafted_from_the_template_reviewed_and_sent(people):
    """R20, R24."""
    sales = people(SALES)
    new = sales.get("/relationship-requests/new")

    draft = sales.submit(new, "#form", email=" contact@scierie-vosges.example ", organization="Scierie des Vosges")
    assert draft.h1 == "Request to Scierie des Vosges"
    assert "Atelier Nuage would like to be the cloud partner of Scierie des Vosges" in draft.text
    sent = sales.submit(draft, f"{draft.url}/sending", button="portal")

    assert sent.flashes == ["Sent to contact@scierie-vosges.example. You are told by e-mail when there is an answer."]
    message = mail.latest("contact@scierie-vosges.example")
    assert message.text.count("http://localhost/connect/") == 1
    assert message.text.splitlines().count(f"http://localhost{message.link}") == 1
    assert SALES in message.mail.reply_to
    assert "{link}" in message.mail.text, "the database holds no working link (S22)"


def test_the_template_comes_in_the_language_chosen_and_follows_what_is_asked_for(people):
    """R20."""
    sales = people(SALES)
    draft = sales.submit(sales.get("/relationship-requests/new"), "#form", email="a@scierie.example", delegated_administration=True, roles=["directory_reader"])
    assert "delegated administration for 90 days" in draft.text

    edited = sales.submit(sales.get(f"{draft.url}/edit"), "#form", duration_days="30")

    assert "delegated administration for 30 days" in edited.text


def test_the_text_is_edited_and_keeps_its_placeholder_once(people):
    """R20."""
    sales, row = people(SALES), request(draft=True)
    edit = sales.get(f"{url_of(row)}/edit")

    for body in ("No link at all.", "{link} and {link}"):
        refused = sales.submit(edit, "#form", body=body, status=422)
        assert "exactly once" in refused.errors["body"]
    shown = sales.submit(edit, "#form", subject="Shall we?", body="Look:\n\n{link}\n\nBye")

    assert "Shall we?" in shown.text
    assert fresh(row).body == "Look:\n\n{link}\n\nBye"


def test_two_people_edit_one_draft_and_the_second_is_told(people):
    """R104."""
    row = request(draft=True)
    sales, admin = people(SALES), people(ADMIN)
    first, second = sales.get(f"{url_of(row)}/edit"), admin.get(f"{url_of(row)}/edit")
    sales.submit(first, "#form", subject="The first")

    told = admin.submit(second, "#form", subject="The second", status=409)

    assert "Somebody else changed this draft" in told.errors[""]
    assert fresh(row).subject == "The first"


@pytest.mark.parametrize("way", ["mail_program", "copy"])
def test_a_request_sent_by_hand_shows_the_finished_text_with_the_real_link(people, way):
    """R20."""
    sales, row = people(SALES), request(email="o'neil+x@verrerie-odile.example", draft=True)

    shown = sales.submit(sales.get(url_of(row)), f"{url_of(row)}/sending", button=way)

    row = fresh(row)
    link = "http://localhost" + make.link_of(row)
    assert row.state == "sent"
    assert link in shown.soup.select_one("#by-hand textarea").get_text()
    mailto = shown.soup.select_one("#by-hand a[href^=mailto]")["href"]
    assert mailto.startswith("mailto:o%27neil%2Bx@verrerie-odile.example?subject=")
    assert "+" not in mailto.partition("?")[2], "blanks are %20 in mailto (RFC 6068)"
    assert link in unquote(mailto)
    assert not mail.all_to("o'neil+x@verrerie-odile.example")


def test_those_who_only_read_requests_get_no_working_link(people):
    """The roles table: helpdesk agents see requests and send none."""
    row = request(way="copy")
    link = make.link_of(row)

    page = people("helpdesk@atelier-nuage.example").get(url_of(row))

    assert link not in page.response.get_data(as_text=True)
    assert not page.soup.select("form[action$=sending]")
    people("helpdesk@atelier-nuage.example").post(f"{url_of(row)}/sending", {"way": "portal"}, 403)
    people("billing@atelier-nuage.example").get("/relationship-requests", 403)


def test_sending_again_kills_the_old_link(people):
    """R22."""
    sales, row = people(SALES), request()
    old = make.link_of(row)

    sales.submit(sales.get(url_of(row)), f"{url_of(row)}/sending", button="portal")

    new = mail.latest(row.email).link
    assert new != old
    people.visitor().get(old, 404)
    people.visitor().get(new, 303)


def test_a_revoked_request_opens_nothing_and_is_final(people):
    """R22, R24."""
    sales, row = people(SALES), request()
    confirm = sales.get(f"{url_of(row)}/revocation")

    shown = sales.submit(confirm, f"{url_of(row)}/revocation")

    assert "Revoked" in shown.text
    visitor = people.visitor()
    assert visitor.open(make.link_of(row)).h1 == "This request was withdrawn"
    sales.post(f"{url_of(row)}/sending", {"way": "portal"}, 409)
    sales.post(f"{url_of(row)}/revocation", {}, 409)


def test_of_another_partner_there_is_nothing(people):
    """R2, S24, S25."""
    row = request()
    stranger = people("admin@studio-cumulus.example")

    for path in ("", "/edit", "/revocation", "/receipt"):
        stranger.get(url_of(row) + path, 404)
    for path, data in (("", {"email": "x@y.example"}), ("/sending", {"way": "portal"}), ("/revocation", {})):
        stranger.post(url_of(row) + path, data, 404)
    assert row.email not in stranger.get("/relationship-requests").text
    stranger.get(f"/relationship-requests/new?customer={make.customer().public_id}", 404)
    stranger.post(
        "/relationship-requests", {"email": "x@y.example", "language": "en", "customer": str(make.organization("maison-tellier.example").public_id)}, 404
    )


def test_the_list_is_searched_and_filtered_in_both_shapes(people):
    request("admin@verrerie-odile.example")
    request("zoe@scierie.example", draft=True)
    sales = people(SALES)

    for htmx in (False, True):
        assert "zoe@scierie.example" in sales.get("/relationship-requests", htmx=htmx).text
        found = sales.get("/relationship-requests?q=verrerie", htmx=htmx)
        assert "zoe@scierie.example" not in found.text
        assert "admin@verrerie-odile.example" in found.text
        drafts = sales.get("/relationship-requests?state=draft", htmx=htmx)
        assert "zoe@scierie.example" in drafts.text
        assert "admin@verrerie-odile.example" not in drafts.text
        assert "No request matches" in sales.get("/relationship-requests?q=zzz", htmx=htmx).text
    assert "No requests yet" in people("admin@studio-cumulus.example").get("/relationship-requests").text


def test_a_request_to_a_former_customer_names_it_and_proposes_what_it_had(people):
    """R22, R37."""
    sales = people(SALES)
    forge = make.organization("ancienne-forge.example")

    new = sales.get(f"/relationship-requests/new?customer={forge.public_id}")
    draft = sales.submit(new, "#form")

    assert "Only that company can accept it" in new.text
    assert draft.h1 == "Request to Ancienne Forge"
    assert "Reinstate a relationship that ended" in draft.text
    assert "Atelier Nuage souhaite redevenir le partenaire cloud de votre entreprise, Ancienne Forge" in draft.text  # in the customer's language


def test_a_proven_domain_names_the_company_without_telling_anything_of_it(people):
    """R11: the partner sees nothing but the domain that it typed."""
    sales = people(SALES)

    new = sales.get("/relationship-requests/new?domain=verrerie-odile.example")
    draft = sales.submit(new, "#form", email="somebody@verrerie-odile.example")

    assert "For the company at verrerie-odile.example" in new.text
    for page in (new, draft):
        assert "Verrerie Odile" not in page.text
        assert "Dieuze" not in page.text
    assert "Only the company that the request names" in draft.text
    assert "For the company" not in sales.get("/relationship-requests/new?domain=nobody.example").text
    assert "Asked whether a domain is taken" in people(ADMIN).get("/activity").text
    assert "For the company" not in sales.get("/relationship-requests/new?domain=studio-cumulus.example").text, "a partner is nobody's customer (R27)"


def test_asking_for_domains_has_a_limit(people):
    """S10."""
    sales = people(SALES)
    for _ in range(60):
        sales.client.get("/relationship-requests/new?domain=nobody.example")

    refused = sales.get("/relationship-requests/new?domain=nobody.example", 429)

    assert int(refused.response.headers["Retry-After"]) > 0


def test_delegated_administration_needs_roles_and_a_duration_in_bounds(people):
    """R30."""
    sales = people(SALES)
    new = sales.get("/relationship-requests/new")
    typed = {"email": "a@scierie.example", "delegated_administration": True}

    assert "Choose at least one role" in sales.submit(new, "#form", **typed, status=422).text
    for days in ("0", "731", "many", ""):
        refused = sales.submit(new, "#form", **typed, roles=["directory_reader"], duration_days=days, status=422)
        assert refused.errors["duration_days"]
    shown = sales.submit(new, "#form", **typed, roles=["global_administrator"], duration_days="730", auto_extend=True)

    assert "opens everything at the customer" in shown.text
    assert "730 days" in shown.text
    without = sales.submit(new, "#form", email="b@scierie.example", duration_days="9999")
    assert "Not included" in without.text, "an unticked box makes what hangs on it not matter"


def test_in_the_government_cloud_delegated_administration_is_always_included(people):
    """R21."""
    admin = people("admin@potomac-stratus.example")
    new = admin.get("/relationship-requests/new")
    assert not new.soup.select("[name=delegated_administration]")

    assert "Choose at least one role" in admin.submit(new, "#form", email="a@agency.example", status=422).text
    shown = admin.submit(new, "#form", email="a@agency.example", roles=["directory_reader"])

    assert "Included" in shown.text


def test_extra_fields_change_nothing(people):
    """S27."""
    sales = people(SALES)

    sales.post("/relationship-requests", {"email": "a@b.example", "language": "en", "state": "accepted", "partner_id": "4", "author_name": "Eve", "named": "1"})

    with scoped(EVERYTHING):
        row = db.session.scalars(make.sa.select(RelationshipRequest).order_by(RelationshipRequest.id.desc())).first()
    assert (row.state, row.author_name, row.named) == ("draft", "Inès Caradec", False)


def test_text_from_people_stays_text(people):
    """S34, S37."""
    sales = people(SALES)
    new = sales.get("/relationship-requests/new")
    evil = "<script>alert(1)</script> & 'Söhne'"

    draft = sales.submit(new, "#form", email="a@scierie.example", organization=evil, subject="Hi\r\nBcc: x@y.example", body=f"{evil}\n\n{{link}}")
    sales.submit(draft, f"{draft.url}/sending", button="portal")

    assert not draft.soup.select("main script")
    message = mail.latest("a@scierie.example")
    assert message.subject == "Hi Bcc: x@y.example"
    assert evil in message.text
    assert "<script>" not in message.html


# --- several at once


def test_several_addresses_get_one_request_each_and_a_result_per_line(people):
    """R20; issue: paste or upload addresses."""
    request("waits@scierie.example")
    sales = people(SALES)
    page = sales.get("/relationship-requests/several")

    result = sales.submit(
        page, "#form", addresses="Ann <ann@scierie.example>, bob@scierie.example; not an address\nANN@scierie.example\nwaits@scierie.example",
        file=(io.BytesIO(b"E-mail;Name\r\ncleo@scierie.example;Cleo\r\n=dan@scierie.example;x\r\n"), "list.csv"),
    )  # fmt: skip

    rows = {row.select_one("td").get_text(strip=True): row.get_text(" ", strip=True) for row in result.soup.select("tbody tr")}
    assert "3 of" in result.text or "4 of" in result.text
    for done in ("ann@scierie.example", "bob@scierie.example", "cleo@scierie.example"):
        assert "Sent." in rows[done]
        assert mail.latest(done).link
    assert "not an e-mail address" in rows["not an address"]
    assert "already waiting" in rows["waits@scierie.example"]
    assert "E-mail" not in rows


@pytest.mark.parametrize(
    ("content", "message"), [(b"\x00\x01\x02", "not a text file"), (b"x" * 500_000, "too large"), (b"", "at least one")], ids=["binary", "large", "empty"]
)
def test_a_file_that_is_no_list_is_refused(people, content, message):
    """S38: judged by content."""
    sales = people(SALES)

    refused = sales.submit(sales.get("/relationship-requests/several"), "#form", file=(io.BytesIO(content), "../../etc/passwd.csv"), status=422)

    assert message in refused.text


def test_too_many_addresses_send_none(people):
    sales = people(SALES)
    before = len(mail.all_to())

    refused = sales.submit(sales.get("/relationship-requests/several"), "#form", addresses="\n".join(f"a{n}@scierie.example" for n in range(201)), status=422)

    assert "At most 200" in refused.text
    assert len(mail.all_to()) == before


def test_each_address_of_several_counts_against_the_limit(people):
    """S10: 300 an hour."""
    sales = people(SALES)
    page = sales.get("/relationship-requests/several")
    sales.submit(page, "#form", addresses="\n".join(f"a{n}@scierie.example" for n in range(199)))

    sales.submit(page, "#form", addresses="\n".join(f"b{n}@scierie.example" for n in range(199)), status=429)

    assert not mail.all_to("b1@scierie.example")


# --- what time brings


def test_an_unanswered_request_is_reminded_of_once_and_then_expires(app, people):
    """R22, R24."""
    row = request()
    with clock.shifted(make.days(26)):
        jobs.run("remind_of_requests")
        jobs.run("remind_of_requests")
    with clock.shifted(make.days(31)):
        jobs.run("expire_requests")
        jobs.run("expire_requests")

    subjects = [message.subject for message in mail.all_to(SALES)]
    assert subjects == ["Your request to admin@verrerie-odile.example is still unanswered", "Your request to admin@verrerie-odile.example has expired"]
    row = fresh(row)
    assert row.state == "expired"
    assert people.visitor().open(make.link_of(row)).h1 == "This request has expired"


def test_an_expired_link_says_so_even_before_the_job_ran(people):
    row = request(at=clock.now() - make.days(30.01))

    page = people.visitor().open(make.link_of(row))

    assert (page.status, page.h1) == (410, "This request has expired")
