"""Partnerships: asked for, answered, listed, ended; who sees what of them (R40, R42, R27, R62, R2)."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from portal.core import clock, jobs
from portal.core.access import Cloud
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from portal.relationships.models import Partnership, PartnershipState
from tests.relationships.rows import active, count, delegations, fresh, partnership, records
from tests.relationships.test_shared import share
from tests.support import mail, make

PROVIDER, PROVIDERS_SALES = "admin@grossiste-azur.example", "sales@grossiste-azur.example"
RESELLER, RESELLERS_SALES = "admin@relais-breton.example", "sales@relais-breton.example"
ESCALE = "admin@escale.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def url_of(row: Partnership) -> str:
    return f"/partnerships/{row.public_id}"


def page_of(row: Partnership) -> str:
    return f"/partnerships/requests/{row.public_id}"


@pytest.fixture
def escale(app):
    """A reseller that works with nobody yet, with a global admin and a sales agent."""
    return make.partner("Escale Numérique", "escale.example", "indirect_reseller", people=(("admin", "global_admin"), ("sales", "sales_agent")))


def requested(email: str) -> Partnership:
    """The latest request to this address."""
    db.session.rollback()
    with scoped(EVERYTHING):
        return fresh(db.session.query(Partnership).filter_by(email=email).order_by(Partnership.id.desc()).first())


def logged(domain: str, action: str) -> int:
    """How often this organization's log tells of this."""
    organization = make.organization(domain).id
    db.session.rollback()
    return db.session.query(LogEntry).filter_by(organization_id=organization, action=action).count()


# --- the story


def test_a_provider_asks_and_the_reseller_accepts_from_the_mail(people, escale):
    """R40"""
    provider, visitor = people(PROVIDER), people.visitor()
    form = provider.get("/partnerships/new")
    assert form.soup.select_one("[name=subject]")["value"] == "Grossiste Azur would like to be your indirect provider"
    assert form.soup.select_one("[name=body]").get_text().count("{link}") == 1
    asked = provider.submit(form, "/partnerships", email=ESCALE, organization="Escale", subject="Shall we?")
    assert asked.h1 == "Escale"
    assert asked.flashes == [f"Sent to {ESCALE}. You are told by e-mail when there is an answer."]
    sent = mail.latest(ESCALE)
    assert sent.subject == "Shall we?"
    assert asked.soup.select_one(".copy input")["value"].endswith(sent.link), "the link to copy as well"

    offer = visitor.open(sent.link)
    assert offer.h1 == "Grossiste Azur asks you for a partnership"
    for told in (
        "Fabrice Giordan",
        "grossiste-azur.example",
        "What a partnership means",
        "shares no customers by itself",
        "Whoever runs this portal opens one",
    ):
        assert told in offer.text
    sign_in = visitor.get(next(a["href"] for a in offer.soup.select("a") if a.get_text(strip=True) == "Sign in"))
    assert "next=/partnerships/requests/" in sign_in.url.replace("%2F", "/")
    reseller = people(ESCALE)
    offer = reseller.open(sent.link)
    row = requested(ESCALE)
    accepted = reseller.submit(offer, f"{page_of(row)}/acceptance", confirmed=True)

    assert accepted.h1 == "Grossiste Azur"
    assert accepted.flashes == ["You have accepted. Grossiste Azur is told, and stands in your list of indirect providers."]
    assert "Escale Numérique" in provider.get("/partnerships").text
    assert "Grossiste Azur" in reseller.get("/partnerships").text
    told = mail.latest(PROVIDER)
    assert told.subject == "Escale Numérique is now your indirect reseller"
    assert ESCALE in told.text
    assert mail.latest(ESCALE).subject == "You have accepted the partnership with Grossiste Azur"
    assert logged("grossiste-azur.example", "partnership.active") == 2, "with Relais Breton's"
    assert logged("escale.example", "partnership.active") == 1


@BOTH_SHAPES
def test_acceptance_needs_the_tick(people, escale, htmx):
    """R40: the confirmation, with htmx and without."""
    row = partnership(ESCALE)
    reseller = people(ESCALE)
    offer = reseller.open(make.partnership_link(row))

    refused = reseller.submit(offer, f"{page_of(row)}/acceptance", status=422, htmx=htmx)

    assert "Tick that your organization wants this partnership" in refused.errors["confirmed"]
    assert fresh(row).state == "sent"
    done = reseller.submit(offer, f"{page_of(row)}/acceptance", confirmed=True, htmx=htmx)
    assert fresh(row).state == "active"
    if htmx:
        assert refused.soup.find("html") is None
        assert done.response.headers["HX-Redirect"] == url_of(row), "another layout needs a whole page"


def test_opening_the_link_changes_nothing_and_leads_to_an_address_without_the_token(people, escale):
    """R22, S23, S31: mail scanners open links."""
    row = partnership(ESCALE)
    link = make.partnership_link(row)

    opened = people.visitor().get(link, 303)

    assert opened.response.location == page_of(row)
    assert fresh(row).state == "sent"
    other = people.visitor()
    assert other.get(page_of(row), 404).h1 == "Open the link in your e-mail"
    assert other.get("/partnerships/requests/01a20396-4f89-7b76-a9a9-679bd203c673", 404).h1 == "Open the link in your e-mail"
    people(ESCALE).get(page_of(row), 404)
    people.visitor().get("/partnerships/links/" + "x" * 27, 404)


def test_a_double_click_accepts_once(people, escale):
    """S29"""
    row = partnership(ESCALE)
    reseller = people(ESCALE)
    reseller.open(make.partnership_link(row))
    for _ in range(2):
        reseller.post(f"{page_of(row)}/acceptance", {"confirmed": "y"})

    assert logged("escale.example", "partnership.active") == 1
    assert len([sent for sent in mail.all_to(ESCALE) if "You have accepted" in sent.subject]) == 1


# --- problems on the way in


@pytest.mark.parametrize(
    ("who", "title"),
    [
        (PROVIDER, "This is your own organization's request"),
        ("admin@atelier-nuage.example", "Your organization is no indirect reseller"),
        ("admin@maison-tellier.example", "You are signed in as a customer"),
        ("admin@potomac-stratus.example", "This request is from another cloud"),
        ("sales@escale.example", "A global admin must accept"),
        ("admin@maple.example", "This request is from another market"),
    ],
)
def test_whoever_cannot_accept_is_told_why(people, escale, who, title):
    """R23, R27, R40"""
    make.partner("Maple Cloud", "maple.example", "indirect_reseller", country="CA")
    row = partnership(ESCALE)
    visitor = people(who)
    visitor.get(make.partnership_link(row), 303)

    told = visitor.get(page_of(row), 403)

    assert told.h1 == title
    visitor.get(f"{page_of(row)}/declining", 303)
    response = visitor.client.post(f"{page_of(row)}/acceptance", data={"csrf_token": visitor.csrf_token(), "confirmed": "y"})
    assert response.status_code in (303, 403, 404)
    assert fresh(row).state == "sent"


def test_partners_already_are_told_so(people):
    """R40: one active partnership of the same two."""
    row = partnership(RESELLER)
    reseller = people(RESELLER)
    reseller.get(make.partnership_link(row), 303)

    assert reseller.get(page_of(row), 409).h1 == "You are partners already"
    reseller.post(f"{page_of(row)}/acceptance", {"confirmed": "y"}, 303)

    assert fresh(row).state == "sent"


def test_a_request_that_is_over_says_how_it_ended(people, escale):
    rows = {state: partnership(f"{state}@escale.example") for state in ("declined", "revoked", "expired", "active", "ended")}
    provider, reseller, visitor = people(PROVIDER), people(ESCALE), people.visitor()
    for row in rows.values():
        reseller.get(make.partnership_link(row), 303)
        visitor.get(make.partnership_link(row), 303)
    visitor.post(f"{page_of(rows['declined'])}/declining", {"reason": "No."})
    provider.post(f"{url_of(rows['revoked'])}/revocation")
    reseller.post(f"{page_of(rows['ended'])}/acceptance", {"confirmed": "y"})
    reseller.post(f"{url_of(rows['ended'])}/ending", {"reason": ""})
    reseller.post(f"{page_of(rows['active'])}/acceptance", {"confirmed": "y"})
    with clock.shifted(timedelta(days=31)):
        jobs.run("expire_partnership_requests")

    titles = {state: visitor.get(page_of(row), 410).h1 for state, row in rows.items()}

    assert titles == {
        "declined": "This request was declined",
        "revoked": "This request was withdrawn",
        "expired": "This request has expired",
        "active": "This partnership was accepted",
        "ended": "This partnership has ended",
    }
    assert {state: fresh(row).state.value for state, row in rows.items()} == {state: state for state in rows}
    assert reseller.get(page_of(rows["active"]), 303).response.location == url_of(rows["active"])
    for row in rows.values():
        provider.post(f"{url_of(row)}/sending", {}, 409)


def test_whoever_was_written_to_may_decline_without_an_account(people):
    """R40: and the author is told, with the reason."""
    row = partnership("contact@cap-nuage.example", organization="Cap Nuage")
    visitor = people.visitor()
    visitor.get(make.partnership_link(row), 303)

    over = visitor.submit(visitor.get(f"{page_of(row)}/declining"), f"{page_of(row)}/declining", reason="One distributor is enough.", status=410)

    assert over.h1 == "This request was declined"
    told = mail.latest(PROVIDER)
    assert told.subject == "Cap Nuage has declined"
    assert "One distributor is enough." in told.text
    assert "One distributor is enough." in people(PROVIDER).get(url_of(row)).text
    assert fresh(row).answered_by == "contact@cap-nuage.example"


def test_a_sales_agent_of_the_reseller_answers_nothing(people, escale):
    """The roles table."""
    row = partnership(ESCALE)
    sales = people("sales@escale.example")
    sales.get(make.partnership_link(row), 303)

    sales.post(f"{page_of(row)}/acceptance", {"confirmed": "y"}, 403)
    sales.post(f"{page_of(row)}/declining", {}, 403)

    assert fresh(row).state == "sent"


# --- asking


@BOTH_SHAPES
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_sent(people, htmx):
    """R20, R40"""
    provider = people(PROVIDER)
    form = provider.get("/partnerships/new")
    before = count(Partnership)

    for typed, field in (
        ({"email": "nobody"}, "email"),
        ({"organization": ""}, "organization"),
        ({"body": "Hello"}, "body"),
        ({"body": "{link} {link}"}, "body"),
        ({"language": "xx"}, "language"),
        ({"subject": ""}, "subject"),
    ):
        refused = provider.submit(form, "/partnerships", status=422, htmx=htmx, **{"email": ESCALE, "organization": "Escale", **typed})
        assert field in refused.errors
        assert refused.soup.select_one("[name=organization]")["value"] == typed.get("organization", "Escale"), "nothing typed is lost"

    assert count(Partnership) == before
    assert not mail.all_to(ESCALE)


@BOTH_SHAPES
def test_another_language_brings_its_template_but_never_over_words_of_ones_own(people, htmx):
    provider = people(PROVIDER)
    form = provider.get("/partnerships/new")

    french = provider.submit(form, "/partnerships", button="1", htmx=htmx, language="fr", email=ESCALE)
    own = provider.submit(form, "/partnerships", button="1", htmx=htmx, language="fr", body="My words: {link}")
    enter = provider.submit(form, "/partnerships", button="1", htmx=htmx, status=422)

    assert french.soup.select_one("[name=email]")["value"] == ESCALE
    assert french.soup.select_one("[name=words_of]")["value"] == "fr"
    assert "{link}" in french.soup.select_one("[name=body]").get_text()
    assert own.soup.select_one("[name=body]").get_text().strip() == "My words: {link}"
    assert enter.errors["email"], "the Enter key sends the form, and what is missing is told"


def test_one_request_to_an_address_waits_at_a_time(people):
    """Also a double click."""
    provider = people(PROVIDER)
    form = provider.get("/partnerships/new")
    provider.submit(form, "/partnerships", email="it@cap-nuage.example", organization="Cap Nuage")

    refused = provider.submit(form, "/partnerships", email="IT@cap-nuage.example", organization="Cap Nuage", status=422)

    assert "already waiting" in refused.errors["email"]
    assert len(mail.all_to("it@cap-nuage.example")) == 1


def test_sent_again_the_old_link_stops_and_30_more_days_begin(people, escale):
    """R22"""
    row = partnership(ESCALE, at=clock.now() - timedelta(days=20))
    provider, visitor = people(PROVIDER), people.visitor()
    old = make.partnership_link(row)
    visitor.get(old, 303)

    shown = provider.submit(provider.get(url_of(row)), f"{url_of(row)}/sending")

    assert shown.flashes == [f"Sent to {ESCALE} with a new link. The old one no longer works."]
    assert visitor.get(page_of(row), 410).h1 == "This link was replaced"
    assert people.visitor().get(old, 404).h1 == "This link does not work"
    assert visitor.open(mail.latest(ESCALE).link).h1 == "Grossiste Azur asks you for a partnership"
    assert (fresh(row).expires_at - clock.now()).days == 29


def test_revoking_asks_once_and_stops_the_link(people, escale):
    """R22, R102"""
    row = partnership(ESCALE)
    provider = people(PROVIDER)

    page = provider.get(f"{url_of(row)}/revocation")
    assert "link stops working at once" in page.text
    shown = provider.submit(page, f"{url_of(row)}/revocation")

    assert "Revoked" in shown.text
    assert "nothing to revoke" in provider.get(f"{url_of(row)}/revocation").text
    provider.post(f"{url_of(row)}/revocation", {}, 409)
    assert logged("escale.example", "partnership.revoked") == 0


def test_the_author_is_reminded_once_and_told_of_the_end(people):
    """R24's way for partnerships: what time brings."""
    row = partnership("it@cap-nuage.example", organization="Cap Nuage")

    for days, subject in (
        (24, None),
        (26, "Your request to Cap Nuage is still unanswered"),
        (27, None),
        (31, "Your request to Cap Nuage has expired"),
        (32, None),
    ):
        before = len(mail.all_to(PROVIDER))
        with clock.shifted(timedelta(days=days)):
            jobs.run("remind_of_partnership_requests")
            jobs.run("expire_partnership_requests")
        assert [sent.subject for sent in mail.all_to(PROVIDER)[before:]] == ([subject] if subject else [])

    assert fresh(row).state == "expired"
    assert "Expired" in people(PROVIDER).get("/partnerships").text


# --- lists and who sees them


def test_each_side_lists_the_other(people, escale):
    """R40"""
    partnership(ESCALE, accepted_by=ESCALE)
    partnership("it@cap-nuage.example", organization="Cap Nuage")
    provider, reseller = people(PROVIDER), people(RESELLER)

    mine = provider.get("/partnerships")
    assert mine.h1 == "Indirect resellers"
    for name in ("Relais Breton", "Escale Numérique", "Cap Nuage"):
        assert name in mine.text
    its = reseller.get("/partnerships")
    assert its.h1 == "Indirect providers"
    assert "Grossiste Azur" in its.text
    assert "Escale" not in its.text
    assert "Cap Nuage" not in its.text


@BOTH_SHAPES
def test_the_list_is_searched_and_filtered(people, escale, htmx):
    partnership(ESCALE, accepted_by=ESCALE)
    partnership("it@cap-nuage.example", organization="Cap Nuage")
    provider = people(PROVIDER)

    def found(query: str) -> list[str]:
        return [link.get_text() for link in provider.get(f"/partnerships{query}", htmx=htmx).soup.select("td.title a")]

    assert found("") == ["Escale Numérique", "Relais Breton", "Cap Nuage"]
    assert found("?q=escale") == ["Escale Numérique"]
    assert found("?q=cap-nuage") == ["Cap Nuage"]
    assert found("?state=active") == ["Escale Numérique", "Relais Breton"]
    assert found("?state=sent") == ["Cap Nuage"]
    assert found("?q=nobody") == []
    assert [link.get_text() for link in people(RESELLER).get("/partnerships?q=azur", htmx=htmx).soup.select("td.title a")] == ["Grossiste Azur"]
    assert "No partnership matches" in people(RESELLER).get("/partnerships?state=ended", htmx=htmx).text


def test_present_partners_stand_first_then_requests_then_what_is_over(people, escale):
    partnership(ESCALE, accepted_by=ESCALE)
    for number in range(30):
        partnership(f"it@waits{number}.example", organization=f"Waits {number}")
        over = partnership(f"it@over{number}.example", organization=f"Over {number}")
        people(PROVIDER).post(f"{url_of(over)}/revocation")
    expected = ["Escale Numérique", "Relais Breton", *(f"{kind} {number}" for kind in ("Waits", "Over") for number in reversed(range(30)))]
    provider = people(PROVIDER)

    first = provider.get("/partnerships")
    second = provider.get(first.soup.select_one("a[rel=next]")["href"])
    back = provider.get(second.soup.select_one("a[rel=prev]")["href"])

    pages = [[link.get_text() for link in page.soup.select("td.title a")] for page in (first, second, back)]
    assert pages == [expected[:50], expected[50:], expected[:50]]


def test_empty_lists_say_what_to_do(people, escale):
    make.partner("Alizés Distribution", "alizes.example", "indirect_provider")

    provider, reseller = people("admin@alizes.example").get("/partnerships"), people(ESCALE).get("/partnerships")

    assert provider.has_link("/partnerships/new")
    assert "Ask yours to send you a request" in reseller.text


def test_a_stranger_sees_none_of_it_and_each_side_only_its_own(people, escale):
    """R2, S24"""
    make.partner("Alizés Distribution", "alizes.example", "indirect_provider")
    row, waiting = active(), partnership("it@cap-nuage.example")
    paths = ("", "/ending", "/revocation")

    for who in (ESCALE, "admin@alizes.example"):
        for path in paths:
            people(who).get(url_of(row) + path, 404)
            people(who).get(url_of(waiting) + path, 404)
        for path in ("/sending", "/revocation", "/ending"):
            people(who).post(url_of(row) + path, {}, 404)
        assert "Grossiste" not in people(who).get("/partnerships").text
        assert "Relais" not in people(who).get("/partnerships").text
    people(RESELLER).get(url_of(row))
    for path in ("", "/ending", "/revocation"):
        people(RESELLER).get(url_of(waiting) + path, 404)


def test_direct_bill_is_refused_and_the_government_cloud_has_none_of_it(people):
    """R62"""
    row = active()
    for path in ("/partnerships", "/partnerships/new", url_of(row), f"{url_of(row)}/ending"):
        people("admin@atelier-nuage.example").get(path, 403)
        people("admin@potomac-stratus.example").get(path, 404)
    for who in ("admin@atelier-nuage.example", "admin@potomac-stratus.example"):
        assert not people(who).get("/").has_link("/partnerships")
    assert people(PROVIDER).get("/").has_link("/partnerships")


def test_a_reseller_cannot_ask_and_is_told_whom_to_ask(people):
    """R40: a provider requests."""
    reseller = people(RESELLER)

    told = reseller.get("/partnerships/new", 403)

    assert "ask yours to send you a request" in told.text
    reseller.post("/partnerships", {"email": "x@y.example"}, 403)
    for path in ("/sending", "/revocation"):
        reseller.post(url_of(active()) + path, {}, 403)
    reseller.get(f"{url_of(active())}/revocation", 403)


def test_who_only_reads_gets_no_link_and_no_buttons(people):
    """The roles table: partnerships are the global admins' to change."""
    row = partnership("it@cap-nuage.example")
    sales = people(PROVIDERS_SALES)

    shown = sales.get(url_of(row))

    assert not shown.soup.select(".copy input")
    assert not shown.soup.select("main form")
    assert not sales.get("/partnerships").has_link("/partnerships/new")
    for path in ("/sending", "/revocation", "/ending"):
        sales.post(url_of(row) + path, {}, 403)
    people("sales@relais-breton.example").get(url_of(active()))
    people("sales@relais-breton.example").get(f"{url_of(active())}/ending", 403)


# --- ending


@pytest.mark.parametrize("who", [PROVIDER, RESELLER], ids=["provider", "reseller"])
@BOTH_SHAPES
def test_either_side_ends_it_and_both_are_told_what_stays(people, who, htmx):
    """R42"""
    share("Crêperie Marec", "creperie-marec.example")
    row, visitor = active(), people(who)
    page = visitor.get(f"{url_of(row)}/ending")
    assert "1 shared customer stays with both of you" in page.text
    if who == PROVIDER:
        assert "1 record of yours names Relais Breton as reseller" in page.text

    done = visitor.submit(page, f"{url_of(row)}/ending", reason="We part as friends.", htmx=htmx)

    if htmx:
        assert done.response.headers["HX-Location"] == url_of(row)
    row = fresh(row)
    assert row.state == "ended"
    for email, other in ((PROVIDER, "Relais Breton"), (RESELLER, "Grossiste Azur")):
        told = mail.latest(email)
        assert told.subject == f"The partnership with {other} has ended"
        assert "We part as friends." in told.text
        assert "1 shared customer stays with both of you" in told.text
    assert all(record.state == "active" for record in records("creperie-marec.example"))
    assert len(records("creperie-marec.example")) == 2
    assert delegations("creperie-marec.example") == []
    assert logged("grossiste-azur.example", "partnership.ended") == logged("relais-breton.example", "partnership.ended") == 1
    assert "ended already" in visitor.get(f"{url_of(row)}/ending").text
    visitor.post(f"{url_of(row)}/ending", {}, 409)


def test_an_ended_partnership_can_begin_again(people):
    """R40, R42"""
    people(RESELLER).post(f"{url_of(active())}/ending", {})
    row = partnership(RESELLER, accepted_by=RESELLER)

    assert fresh(row).state == "active"
    listed = people(PROVIDER).get("/partnerships")
    assert [badge.get_text() for badge in listed.soup.select("#results .badge")] == ["Active", "Ended"]


def test_the_database_keeps_one_active_partnership_of_two(app):
    """R40: whatever happens at the same moment."""
    row = active()
    twin = {key: getattr(row, key) for key in Partnership.__table__.columns.keys() if key not in ("id", "public_id", "standing", "link_id", "version")}  # noqa: SIM118
    with writing(), scoped(EVERYTHING):
        db.session.add(Partnership(**twin))
        with pytest.raises(IntegrityError):
            db.session.flush()
    db.session.rollback()
    assert row.state is PartnershipState.ACTIVE


def test_nothing_crosses_clouds(people, escale):
    """R27: not even by a provider that is in another one by now."""
    with writing():
        make.organization("escale.example").cloud = Cloud.US_GOVERNMENT
        db.session.commit()
    row = partnership(ESCALE)
    visitor = people(ESCALE)
    visitor.get(make.partnership_link(row), 303)

    assert visitor.get(page_of(row), 403).h1 == "This request is from another cloud"
