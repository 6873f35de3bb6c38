"""A reseller invites a customer for itself and its provider at once: one link, one acceptance, both relationships or neither (R28, R42)."""

import re

import pytest

from portal.core import clock, events
from portal.core.access import Cloud
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, scoped
from portal.relationships import answers
from portal.relationships.events import RelationshipStarted
from portal.relationships.models import RelationshipRequest
from tests.relationships.rows import active, delegations, fresh, partnership, record, records, request
from tests.relationships.test_registration import registered
from tests.relationships.test_shared import listed, provided, share
from tests.support import mail, make
from tests.test_surface import Counted

ODILE, TELLIER = "admin@verrerie-odile.example", "admin@maison-tellier.example"
PROVIDER, RESELLER, SALES = "admin@grossiste-azur.example", "admin@relais-breton.example", "sales@relais-breton.example"
AZUR, RELAIS = "grossiste-azur.example", "relais-breton.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def joint(email: str = ODILE, **options: object) -> RelationshipRequest:
    return request(email, by=SALES, provider=AZUR, **options)


def page_of(row: RelationshipRequest) -> str:
    return f"/connect/requests/{row.public_id}"


def accepted(people, row: RelationshipRequest, who: str = ODILE):
    visitor = people(who)
    offer = visitor.open(make.link_of(row))
    return visitor.submit(offer, f"{page_of(row)}/acceptance", **({"agreement": True} if offer.soup.select("[name=agreement]") else {}))


def owners(domain: str) -> set[str]:
    """The partners with an active relationship."""
    names = {make.organization(name).id: name for name in (AZUR, RELAIS, "atelier-nuage.example")}
    return {names[row.partner_id] for row in records(domain) if row.state == "active"}


# --- the story


def test_one_link_and_one_acceptance_start_both_relationships(people):
    """R28, R25, R41: written, sent, accepted through the pages."""
    sales, visitor = people(SALES), people.visitor()
    form = sales.get(f"/relationship-requests/new?provider={make.organization(AZUR).public_id}")
    assert form.soup.select_one("select[name=provider] option[selected]").get_text() == "Grossiste Azur"
    draft = sales.submit(form, "#form", email=ODILE, organization="Verrerie Odile", delegated_administration=True, roles=["directory_reader"], language="en")
    assert "Also for Grossiste Azur" in draft.text
    assert "We work with Grossiste Azur as our provider" in draft.text
    sent = sales.submit(draft, re.sub("$", "/sending", draft.url), button="portal")
    assert "Sent" in sent.text

    offer = visitor.open(mail.latest(ODILE).link)
    assert offer.h1 == "Relais Breton and Grossiste Azur ask to be your partners"
    for told in (
        "relais-breton.example",
        "grossiste-azur.example",
        "Both become your partners",
        "Grossiste Azur gets no administrator role",
        "nothing of these two",
    ):
        assert told in offer.text
    odile = people(ODILE)
    offer = odile.open(mail.latest(ODILE).link)
    receipt = odile.submit(offer, f"{offer.url}/acceptance", agreement=True)

    assert receipt.flashes == ["You have accepted. Relais Breton and Grossiste Azur are told, and you have a receipt by e-mail."]
    assert "Grossiste Azur" in receipt.text
    mine, its = record("verrerie-odile.example", RELAIS), record("verrerie-odile.example", AZUR)
    assert (mine.state, its.state) == ("active", "active")
    assert (mine.agreement, its.agreement) == ("accepted", "accepted")
    assert its.reseller_id == make.organization(RELAIS).id
    granted = delegations("verrerie-odile.example")
    assert [row.partner_id for row in granted] == [make.organization(RELAIS).id], "delegated administration goes to the reseller only"
    told = mail.latest(PROVIDER)
    assert told.subject == "Verrerie Odile has accepted"
    assert "an invitation of Relais Breton that was also for you" in told.text
    assert mail.latest(SALES).subject == "Verrerie Odile has accepted"
    assert "Both are your partners now" in mail.latest(ODILE).text
    assert {"Relais Breton", "Grossiste Azur"} <= {link.get_text() for link in odile.get("/my/partners").soup.select("td.title a")}
    assert odile.get(f"/my/partners/{make.organization(AZUR).public_id}").has_link(f"{offer.url}/receipt")
    assert "Verrerie Odile" in people(PROVIDER).get("/customers").text
    for who in (PROVIDER, RESELLER):
        assert listed(people(who).get(f"/partnerships/{active().public_id}")) == ["Verrerie Odile"]


def test_the_acceptance_stands_in_all_three_logs(people):
    """R95: and a billing name in none but its partner's (R13)."""
    accepted(people, joint())

    for domain in (RELAIS, AZUR, "verrerie-odile.example"):
        organization = make.organization(domain).id
        db.session.rollback()
        entries = db.session.query(LogEntry).filter_by(organization_id=organization, action="relationship_request.accepted").all()
        assert [entry.customer_name for entry in entries] == ["Verrerie Odile"], domain


def test_a_billing_name_stays_with_its_partner(people):
    """R10, R13: the other partner's log and mail name the company as it names itself."""
    make.customer("Fonderie Sarrault", "fonderie-sarrault.example", by=SALES)
    row = joint("admin@maison-tellier.example")
    provided("Maison Tellier", "maison-tellier.example", reseller=None, billing="TELLIER 77")
    accepted(people, row, TELLIER)

    assert "TELLIER 77" not in people(RESELLER).get("/activity").text
    assert "TELLIER 77" in mail.latest(PROVIDER).subject
    assert "TELLIER 77" not in mail.latest(SALES).text


@pytest.mark.parametrize("way", ["portal", "mail_program", "copy"])
def test_all_three_ways_out_work(people, way):
    """R20, R28"""
    row = joint(way=way)

    accepted(people, row)

    assert owners("verrerie-odile.example") == {AZUR, RELAIS}


@BOTH_SHAPES
def test_a_refused_tick_changes_nothing_of_either(people, htmx):
    """R17: the agreement counts for both."""
    row = joint()
    odile = people(ODILE)
    offer = odile.open(make.link_of(row))

    refused = odile.submit(offer, f"{page_of(row)}/acceptance", status=422, htmx=htmx)

    assert refused.errors["agreement"]
    assert records("verrerie-odile.example") == []
    done = odile.submit(offer, f"{page_of(row)}/acceptance", agreement=True, htmx=htmx)
    assert owners("verrerie-odile.example") == {AZUR, RELAIS}
    if htmx:
        assert done.response.headers["HX-Redirect"] == f"{page_of(row)}/receipt"


def test_the_agreement_is_asked_for_when_either_still_needs_it(people):
    """R17: what the provider attested counts for it alone."""
    provided("Maison Tellier", "maison-tellier.example", reseller=None)
    provider = people(PROVIDER)
    url = f"/customers/{make.organization('maison-tellier.example').public_id}/agreement"
    provider.submit(provider.get(url), "#form", first_name="Claire", last_name="Tellier", email=TELLIER)

    offer = people(TELLIER).open(make.link_of(joint(TELLIER)))

    assert offer.soup.select("[name=agreement]")


def test_a_company_new_to_the_portal_registers_and_accepts_both(people):
    """R23, R28"""
    row = joint("helene@scierie-vosges.example")

    visitor, offer = registered(people, row)
    assert offer.h1 == "Relais Breton and Grossiste Azur ask to be your partners"
    visitor.submit(offer, f"{page_of(row)}/acceptance", agreement=True)

    assert owners("scierie-vosges.example") == {AZUR, RELAIS}
    assert record("scierie-vosges.example", AZUR).reseller_id == make.organization(RELAIS).id


def test_declining_declines_both(people):
    row = joint()
    odile = people(ODILE)
    odile.open(make.link_of(row))

    odile.post(f"{page_of(row)}/declining", {"reason": "No."}, 303)

    assert fresh(row).state == "declined"
    assert records("verrerie-odile.example") == []
    assert not mail.all_to(PROVIDER)


# --- records that are there already


@pytest.mark.parametrize("state", ["pending", "active", "ended"])
def test_the_providers_record_is_taken_up_as_it_is(people, state):
    """R26, R37: accepted, kept or reinstated, and it names the reseller."""
    provided("Maison Tellier", "maison-tellier.example", reseller=None, state="pending" if state == "pending" else "active", billing="TELLIER 77")
    if state == "ended":
        url = f"/customers/{make.organization('maison-tellier.example').public_id}/ending"
        people(PROVIDER).post(url, {"typed_name": "TELLIER 77", "reason": "x"})
    before = record("maison-tellier.example", AZUR)

    accepted(people, joint(TELLIER), TELLIER)

    after = record("maison-tellier.example", AZUR)
    assert (after.id, after.name, after.state) == (before.id, "TELLIER 77", "active")
    assert after.reseller_id == make.organization(RELAIS).id
    assert owners("maison-tellier.example") == {AZUR, RELAIS, "atelier-nuage.example"}
    assert ("former relationship is active again" in mail.latest(PROVIDER).text) == (state == "ended")


def test_another_reseller_named_by_the_provider_is_left_alone(people):
    """R28, R41"""
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    provided("Maison Tellier", "maison-tellier.example", reseller="escale.example")

    accepted(people, joint(TELLIER), TELLIER)

    assert record("maison-tellier.example", AZUR).reseller_id == make.organization("escale.example").id
    assert listed(people(RESELLER).get(f"/partnerships/{active().public_id}")) == []


# --- both or neither


@pytest.mark.parametrize("broken", ["provider's record", "a subscriber"])
def test_when_the_second_half_fails_nothing_of_the_first_stays(people, monkeypatch, broken):
    """R28: both or neither."""
    row = joint(roles=("directory_reader",))
    odile = people(ODILE)
    odile.open(make.link_of(row))

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("half-way")

    def fail_second(event: RelationshipStarted) -> None:
        if event.customer.reseller_id is not None:
            fail()

    if broken == "a subscriber":
        monkeypatch.setitem(events._handlers, RelationshipStarted, [*events._handlers[RelationshipStarted], fail_second])
    else:
        monkeypatch.setattr(answers, "name_reseller", fail)
    with pytest.raises(RuntimeError):
        odile.post(f"{page_of(row)}/acceptance", {"agreement": "y"})

    assert fresh(row).state == "sent"
    assert fresh(row).link.used_at is None
    assert records("verrerie-odile.example") == []
    assert delegations("verrerie-odile.example") == []
    assert not mail.all_to(PROVIDER)
    monkeypatch.undo()
    odile.post(f"{page_of(row)}/acceptance", {"agreement": "y"})
    assert owners("verrerie-odile.example") == {AZUR, RELAIS}


def test_after_the_end_of_the_partnership_it_can_no_longer_be_accepted(people):
    """R42: nothing happens, and everybody is told."""
    row = joint()
    odile, visitor, sales = people(ODILE), people.visitor(), people(SALES)
    offer = odile.open(make.link_of(row))
    visitor.get(make.link_of(row), 303)
    people(PROVIDER).post(f"/partnerships/{active().public_id}/ending", {})

    told = odile.submit(offer, f"{page_of(row)}/acceptance", agreement=True, status=410)
    assert told.h1 == "This request can no longer be accepted"
    assert "Relais Breton and Grossiste Azur" in told.text
    assert visitor.get(page_of(row), 410).h1 == told.h1
    visitor.get(f"{page_of(row)}/account", 303)

    assert records("verrerie-odile.example") == []
    assert fresh(row).state == "sent"
    shown = sales.get(f"/relationship-requests/{row.public_id}")
    assert "Your partnership with Grossiste Azur has ended" in shown.text
    sales.post(f"/relationship-requests/{row.public_id}/sending", {"way": "portal"}, 409)
    sales.post(f"/relationship-requests/{row.public_id}/revocation", {}, 303)


def test_it_is_not_accepted_when_the_partnership_ends_in_the_same_moment(people):
    """R42: the rule asks again, whatever the page showed."""
    row = joint()
    people(PROVIDER).post(f"/partnerships/{active().public_id}/ending", {})
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        waiting = db.session.query(RelationshipRequest).filter_by(id=row.id).one()
        with pytest.raises(Refused):
            answers.accept_request(waiting, agreement=True, language="en", by=make.actor(ODILE), at=clock.now())
    db.session.rollback()

    assert records("verrerie-odile.example") == []


def test_a_provider_of_another_cloud_stops_it(people):
    """R27"""
    row = joint()
    with writing():
        make.organization(AZUR).cloud = Cloud.US_GOVERNMENT
        db.session.commit()
    odile = people(ODILE)
    odile.get(make.link_of(row), 303)

    assert odile.get(page_of(row), 403).h1 == "This request is from another cloud"
    odile.post(f"{page_of(row)}/acceptance", {"agreement": "y"}, 303)
    assert records("verrerie-odile.example") == []


# --- asking


def test_the_form_offers_ones_own_active_providers_and_proposes_none(people):
    """R28, S25"""
    make.partner("Alizés Distribution", "alizes.example", "indirect_provider")
    sales = people(SALES)
    form = sales.get("/relationship-requests/new")
    assert [option.get_text() for option in form.soup.select("select[name=provider] option")] == ["No, only for us", "Grossiste Azur"]
    assert form.soup.select_one("select[name=provider] option[selected]").get("value") == ""

    refused = sales.submit(form, "#form", email=ODILE, provider=str(make.organization("alizes.example").public_id), status=422)
    assert refused.errors["provider"]
    people(RESELLER).post(f"/partnerships/{active().public_id}/ending", {})
    assert not sales.get("/relationship-requests/new").soup.select("[name=provider]")
    late = sales.submit(form, "#form", email=ODILE, provider=str(make.organization(AZUR).public_id), status=422)
    assert late.errors[""]


@pytest.mark.parametrize("who", ["sales@atelier-nuage.example", "sales@grossiste-azur.example"])
def test_other_partners_have_no_provider(people, who):
    visitor = people(who)
    form = visitor.get("/relationship-requests/new")
    assert not form.soup.select("[name=provider]")

    visitor.post("/relationship-requests", {"email": ODILE, "language": "en", "provider": str(make.organization(AZUR).public_id)}, 422)
    visitor.post("/relationship-requests", {"email": ODILE, "language": "en"}, 303)


def test_a_draft_takes_the_provider_in_and_leaves_it_out(people):
    """R20: the template's words follow what is asked for."""
    row = request(ODILE, by=SALES, draft=True)
    sales, url = people(SALES), f"/relationship-requests/{row.public_id}"

    sales.submit(sales.get(f"{url}/edit"), "#form", provider=str(make.organization(AZUR).public_id))
    assert fresh(row).provider_id == make.organization(AZUR).id
    assert "Grossiste Azur" in fresh(row).body
    page = sales.get(f"{url}/edit")
    assert page.soup.select_one("select[name=provider] option[selected]").get_text() == "Grossiste Azur"
    sales.submit(page, "#form", provider="")

    assert fresh(row).provider_id is None
    assert "Grossiste Azur" not in fresh(row).body
    assert "Grossiste Azur" in people(RESELLER).get("/activity").text


def test_several_at_once_can_be_for_the_provider_too(people):
    sales = people(SALES)
    form = sales.get("/relationship-requests/several")

    done = sales.submit(form, "#form", addresses=f"{ODILE}\nit@scierie.example", provider=str(make.organization(AZUR).public_id))

    assert "2 of 2 sent" in done.text
    db.session.rollback()
    with scoped(EVERYTHING):
        assert {row.provider_id for row in db.session.query(RelationshipRequest)} == {make.organization(AZUR).id}
    db.session.rollback()
    assert "For you and your provider" in sales.get("/relationship-requests").text


def test_a_request_from_the_customers_page_can_be_for_the_provider_too(people):
    """R22: it names the customer."""
    customer = make.customer("Crêperie Marec", "creperie-marec.example", by=SALES)
    sales = people(SALES)

    draft = sales.submit(sales.get(f"/relationship-requests/new?customer={customer.public_id}"), "#form", provider=str(make.organization(AZUR).public_id))

    assert "Also for Grossiste Azur" in draft.text
    assert "Only the company that the request names" in draft.text


def test_a_provider_sees_nothing_of_its_resellers_requests(people):
    """R2"""
    row = joint()

    people(PROVIDER).get(f"/relationship-requests/{row.public_id}", 404)
    assert ODILE not in people(PROVIDER).get("/relationship-requests").text


# --- what the pages cost


def statements(visitor, url: str) -> list[str]:
    visitor.client.get(url)
    with Counted(db.engine) as counted:
        response = visitor.client.get(url, buffered=True)
    assert response.status_code == 200
    return counted.statements


def test_pages_of_partners_who_work_together_cost_at_most_six_statements(people):
    share("Crêperie Marec", "creperie-marec.example")
    row, provider, reseller, odile = joint(), people(PROVIDER), people(RESELLER), people(ODILE)
    odile.get(make.link_of(row), 303)
    waiting = partnership("it@cap-nuage.example")
    both, customer = f"/partnerships/{active().public_id}", f"/customers/{make.organization('creperie-marec.example').public_id}"
    relais, azur = make.organization(RELAIS).public_id, make.organization(AZUR).public_id
    for who, urls in {
        provider: [
            "/partnerships?q=e&state=active", "/partnerships/new", both, f"{both}/ending", f"/partnerships/{waiting.public_id}", customer, f"{customer}/account",
            f"{customer}/account/reseller", "/customers", f"/customers?reseller={relais}", f"/customers?reseller={relais}&q=marec", "/customers/new",
        ],
        reseller: [
            "/partnerships?q=e&state=active", both, f"{both}/ending", customer, f"{customer}/account", "/customers", "/customers?q=marec",
            f"/relationship-requests/new?provider={azur}", f"/relationship-requests/{row.public_id}", f"/relationship-requests/new?customer={customer[11:]}",
        ],
        odile: [page_of(row), "/my/partners"],
    }.items():  # fmt: skip
        for url in urls:
            asked = statements(who, url)
            assert len(asked) <= 6, "\n".join([url, *asked])
