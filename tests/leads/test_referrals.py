"""Leads referred to other partners: to whom, what travels, and what the referrer sees of them (R2, R41, R50, R54)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock, events, jobs
from portal.core.audit import LogEntry
from portal.core.db import db, find, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.directory import service as directory
from portal.directory.models import BusinessProfile
from portal.leads import service
from portal.leads.events import PartnersToRefer
from portal.leads.models import Lead, LeadState
from portal.leads.service import DealEntry, DeclineEntry, LossEntry, WinEntry
from portal.relationships import partnerships
from portal.relationships import queries as relationships
from tests.relationships import rows
from tests.support import mail, make

AZUR, RELAIS, CUMULUS = "sales@grossiste-azur.example", "sales@relais-breton.example", "admin@studio-cumulus.example"
SALES = "sales@atelier-nuage.example"
NEW = {"company": "Verger Lanvaux", "last_name": "Le Goff", "email": "anne@verger-lanvaux.example", "message": "25 mailboxes", "source": "sales_qualified"}


@pytest.fixture
def partnership(app):
    """Grossiste Azur and Relais Breton work together."""
    azur = make.actor(AZUR)
    if not relationships.active_resellers(by=azur):
        make.partnership(accepted_by="admin@relais-breton.example")
    db.session.rollback()


@pytest.fixture
def profiles(app, monkeypatch):
    """Partners with a published profile, as the directory would answer; returns the domains."""
    published = ["studio-cumulus.example"]

    def answer(question):
        found = [make.organization(domain) for domain in published]
        return [(row.id, row.name) for row in found if question.words.lower() in row.name.lower() and question.organization_id in (None, row.id)]

    monkeypatch.setitem(events._handlers, PartnersToRefer, [answer])
    return published


def lead(owner="grossiste-azur.example", **details):
    return rows.fresh(make.lead("Verger Lanvaux", owner=owner, **{"email": "anne@verger-lanvaux.example", "message": "25 mailboxes", **details}))


def refer(visitor, made, status=200, partner="relais-breton.example", **fields):
    url = f"/leads/{made.public_id}/referral"
    return visitor.submit(visitor.get(url), "#form", status=status, partner=str(make.organization(partner).public_id), **fields)


def theirs(owner="relais-breton.example"):
    """The leads of the partner that it was referred to."""
    db.session.rollback()
    partner_id = make.organization(owner).id
    with scoped(Scope(partner_id=partner_id)):
        found = list(db.session.scalars(sa.select(Lead).order_by(Lead.id)))
        db.session.expunge_all()
        return found


def change(made, work, by=RELAIS):
    """Somebody does something with a lead."""
    who, at = make.actor(by), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=made.partner_id)):
        work(find(Lead, made.public_id, lock=True), who, at)
        db.session.commit()


def accept(row, by, at):
    service.accept_lead(row, DealEntry("Secret deal", Money(99_900, "EUR"), at.date(), "Secret wishes"), by=by, at=at)


def win(row, by, at):
    service.win_lead(row, WinEntry(), by=by, at=at)


def lose(row, by, at):
    service.lose_lead(row, LossEntry("price", "Secret notes"), by=by, at=at)


def decline(row, by, at):
    service.decline_lead(row, DeclineEntry("no_capacity", "Secret notes"), by=by, at=at)


# --- referring one's own


def test_the_partner_gets_a_lead_of_its_own(people, partnership):
    """R41, R50: with who asks and what for."""
    azur = people(AZUR)

    page = refer(azur, lead(), source="sales_qualified", note="They hope for an answer this week.")

    (made,) = theirs()
    assert (made.company, made.email, made.message, made.source) == ("Verger Lanvaux", "anne@verger-lanvaux.example", "25 mailboxes", "sales_qualified")
    assert made.due_at - made.received_at == timedelta(days=14)
    assert page.flashes == ["Verger Lanvaux is referred to Relais Breton. You see here what becomes of it."]
    relais = people(RELAIS).get(f"/leads/{made.public_id}")
    assert "They hope for an answer this week." in relais.text
    assert "Grossiste Azur" in relais.text


@pytest.mark.parametrize("accepted", [False, True])
def test_our_own_lead_is_closed_with_the_reason(people, partnership, accepted):
    """R51: declined when it was received, lost when it was accepted."""
    ours = lead()
    if accepted:
        change(ours, accept, by=AZUR)

    refer(people(AZUR), ours)

    ours = rows.fresh(ours)
    assert ours.state is (LeadState.LOST if accepted else LeadState.DECLINED)
    assert (ours.loss_reason if accepted else ours.decline_reason) == "referred"
    assert ours.referred_to_id == theirs()[0].id


def test_the_deal_stays(people, partnership):
    """R2: value, notes and people of the referrer are its own."""
    ours = lead()
    change(ours, accept, by=AZUR)

    refer(people(AZUR), ours)

    (made,) = theirs()
    assert (made.deal_name, made.value_minor, made.wishes) == ("", None, "")
    assert "Secret" not in people(RELAIS).get(f"/leads/{made.public_id}").text


def test_everybody_concerned_is_told(people, partnership):
    """The customer who will answer, and not to choose another partner; the receiving partner that there is a lead."""
    refer(people(AZUR), lead())

    customer = mail.all_to("anne@verger-lanvaux.example")
    assert [message.subject for message in customer] == ["Relais Breton will answer you"]
    assert "Grossiste Azur" in customer[0].text
    assert "Verger Lanvaux" in mail.latest("admin@relais-breton.example").subject


def test_a_second_click_refers_once(people, partnership):
    """S29"""
    azur, ours = people(AZUR), lead()
    page = azur.get(f"/leads/{ours.public_id}/referral")
    partner = str(make.organization("relais-breton.example").public_id)

    azur.submit(page, "#form", partner=partner)
    azur.submit(page, "#form", partner=partner)

    assert len(theirs()) == 1


@pytest.mark.parametrize("state", ["won", "lost", "declined"])
def test_a_closed_lead_is_referred_to_nobody(people, partnership, state):
    azur, ours = people(AZUR), lead()
    for step in {"won": (accept, win), "lost": (accept, lose), "declined": (decline,)}[state]:
        change(ours, step, by=AZUR)

    assert azur.get(f"/leads/{ours.public_id}/referral", 303).response.location == f"/leads/{ours.public_id}"
    page = azur.post(
        f"/leads/{ours.public_id}/referral", {"partner": str(make.organization("relais-breton.example").public_id), "source": "sales_qualified"}, 422
    )
    assert "closed" in page.text
    assert not theirs()


def test_after_the_deadline_it_cannot_be_passed_on(people, partnership):
    """R54: it expires, and its sender is told."""
    ours = lead(at=clock.now() - timedelta(days=15))

    assert "time to answer is over" in refer(people(AZUR), ours, status=422).text
    assert not theirs()


# --- to whom


@pytest.mark.parametrize("partner", ["studio-cumulus.example", "potomac-stratus.example", "grossiste-azur.example", "maison-tellier.example"])
def test_only_partners_that_one_works_with_are_offered_and_taken(people, partnership, partner):
    """R2, R41, R62: never a stranger, the government cloud, oneself, or a customer."""
    azur, ours = people(AZUR), lead()
    page = azur.get(f"/leads/{ours.public_id}/referral")
    assert [option.get_text() for option in page.soup.select("#partner option")] == ["Choose a partner", "Relais Breton"]

    refused = azur.submit(page, "#form", status=422, partner=str(make.organization(partner).public_id))

    assert "partner" in refused.errors
    assert rows.fresh(ours).state is LeadState.RECEIVED


def test_a_reseller_refers_to_its_provider(people, partnership):
    refer(people(RELAIS), lead("relais-breton.example"), partner="grossiste-azur.example")

    assert len(theirs("grossiste-azur.example")) == 1


def test_partners_of_the_directory_are_found_by_name(people, profiles):
    """A direct-bill partner has no partnerships; what was typed stays while it looks."""
    sales, ours = people(SALES), lead("atelier-nuage.example")
    url = f"/leads/{ours.public_id}/referral"

    nobody = sales.submit(sales.get(url), "#form", button="Find", q="nobody", note="Kept")
    found = sales.submit(nobody, "#form", button="Find", q="cumulus")
    assert [option.get_text() for option in found.soup.select("#partner option")] == ["Choose a partner", "Studio Cumulus"]
    assert found.form("#form").select_one("#note").get_text(strip=True) == "Kept"
    sales.submit(found, "#form", partner=str(make.organization("studio-cumulus.example").public_id))

    assert len(theirs("studio-cumulus.example")) == 1


@pytest.mark.parametrize("domain", ["potomac-stratus.example", "atelier-nuage.example", "maison-tellier.example"])
def test_whatever_the_directory_answers_strangers_stay_out(people, profiles, domain):
    """R27, R62: other clouds, other markets, customers, and oneself."""
    profiles[:] = [domain]
    sales, ours = people(SALES), lead("atelier-nuage.example")

    page = sales.get(f"/leads/{ours.public_id}/referral")

    assert [option.get_text() for option in page.soup.select("#partner option")] == ["Choose a partner"]


def test_the_enter_key_refers_rather_than_looks_again(people, partnership):
    """It presses the first button of the form, which is the one beside the partner's name."""
    azur, ours = people(AZUR), lead()

    azur.submit(azur.get(f"/leads/{ours.public_id}/referral"), "#form", button="Find", partner=str(make.organization("relais-breton.example").public_id))

    assert len(theirs()) == 1


# --- a lead for another partner from the start


def test_a_lead_is_entered_for_another_partner(people, partnership):
    azur = people(AZUR)
    page = azur.get("/leads/referrals/new")

    page = azur.submit(page, "#form", partner=str(make.organization("relais-breton.example").public_id), note="A friend.", **NEW)

    assert page.h1 == "Referred leads"
    assert "Verger Lanvaux" in page.text
    (made,) = theirs()
    assert (made.message, made.referrer_id) == ("25 mailboxes", make.organization("grossiste-azur.example").id)
    assert not theirs("grossiste-azur.example")


def test_sending_it_twice_refers_one(people, partnership):
    """S29"""
    azur = people(AZUR)
    form, partner = azur.get("/leads/referrals/new"), str(make.organization("relais-breton.example").public_id)

    azur.submit(form, "#form", partner=partner, **NEW)
    azur.submit(form, "#form", partner=partner, **NEW)

    assert len(theirs()) == 1


@pytest.mark.parametrize(
    ("changes", "field"), [({"company": ""}, "company"), ({"email": ""}, "email"), ({"country": "US"}, "country"), ({"partner": ""}, "partner")]
)
def test_what_is_wrong_is_said_beside_the_field(people, partnership, changes, field):
    azur = people(AZUR)
    typed = {"partner": str(make.organization("relais-breton.example").public_id), **NEW, **changes}

    page = azur.submit(azur.get("/leads/referrals/new"), "#form", status=422, **typed)

    assert field in page.errors
    assert not theirs()


# --- what the referrer sees


@pytest.fixture
def referred(people, partnership):
    """A lead of Grossiste Azur's that it referred to Relais Breton: its own row, and theirs."""
    ours = lead()
    refer(people(AZUR), ours)
    return ours, theirs()[0]


@pytest.mark.parametrize(
    ("steps", "stage"), [((), "Received"), ((accept,), "Accepted"), ((accept, win), "Won"), ((accept, lose), "Lost"), ((decline,), "Declined")]
)
def test_the_referrer_sees_how_far_it_has_come(people, referred, steps, stage):
    """In its list and on its own lead; and no more than company, partner, stage and dates (R2)."""
    ours, made = referred
    for step in steps:
        change(made, step)
    azur = people(AZUR)

    listed, own = azur.get("/leads/referrals"), azur.get(f"/leads/{ours.public_id}")

    assert [stage in cell.get_text() for cell in listed.soup.select("td[data-label=Stage]")] == [True]
    assert stage in own.soup.select_one("#referral").get_text()
    for page in (listed, own):
        assert "Relais Breton" in page.text
        assert "Secret" not in page.text
        assert "999" not in page.text


def test_the_list_is_filtered_by_stage(people, referred):
    change(referred[1], decline)
    azur = people(AZUR)

    assert "Verger Lanvaux" in azur.get("/leads/referrals?state=declined").text
    assert "No referred lead fits" in azur.get("/leads/referrals?state=won").text


def test_their_lead_stays_closed_to_the_referrer(people, referred):
    """R2: 404, also for what it knows the address of."""
    azur = people(AZUR)

    for rest in ("", "/referral", "/conversion", "/acceptance"):
        azur.get(f"/leads/{referred[1].public_id}{rest}", 404)
    azur.post(f"/leads/{referred[1].public_id}/referral", {}, 404)


def test_nobody_else_sees_the_referral(people, referred):
    """R2"""
    for other in (RELAIS, SALES, CUMULUS):
        assert "Verger Lanvaux" not in people(other).get("/leads/referrals").text


@pytest.mark.parametrize(
    ("steps", "words"),
    [((accept, win), "has won the lead"), ((accept, lose), "has lost the lead"), ((decline,), "has declined the lead")],
    ids=["won", "lost", "declined"],
)
def test_the_referrer_is_told_of_the_end(referred, steps, words):
    """With the fact alone: no value, no notes, no reason."""
    for step in steps:
        change(referred[1], step)

    message = mail.latest(AZUR)

    assert words in message.subject
    assert "Secret" not in message.text
    assert "999" not in message.text


def test_the_referrer_is_told_when_nobody_answers(referred):
    """R54"""
    with clock.shifted(timedelta(days=15)):
        jobs.run("expire_leads")

    assert "Relais Breton" in mail.latest(AZUR).text
    assert rows.fresh(referred[1]).state is LeadState.EXPIRED


def test_the_referrers_log_holds_no_secret(referred):
    """R2, R95"""
    for step in (accept, win):
        change(referred[1], step)
    db.session.rollback()
    azur = make.organization("grossiste-azur.example").id

    entries = db.session.scalars(sa.select(LogEntry).where(LogEntry.organization_id == azur, LogEntry.action.like("lead.%")))

    told = str([entry.details for entry in entries])
    assert "Verger Lanvaux" in told
    assert "Secret" not in told
    assert "999" not in told


def test_referring_on_tells_the_first_referrer_and_no_more(people, referred, profiles):
    """Relais Breton passes it on: Grossiste Azur sees that it was declined, not to whom it went."""
    refer(people(RELAIS), rows.fresh(referred[1]), partner="studio-cumulus.example", q="cumulus")

    page = people(AZUR).get("/leads/referrals")

    assert "Declined" in page.text
    assert "Studio Cumulus" not in page.text
    assert len(theirs("studio-cumulus.example")) == 1


def test_what_is_referred_counts_for_the_answering_partner(app, referred):
    with scoped(EVERYTHING):
        assert referred[1].entered_by_id == make.actor(AZUR).user_id


# --- when nothing connects the two any more


def part(by="admin@grossiste-azur.example"):
    """The partnership ends."""
    who = make.actor(by)
    db.session.rollback()
    with writing():
        row = relationships.in_force(who.organization_id, make.organization("relais-breton.example").id)
        partnerships.end(row, reason="", by=who, at=clock.now())
        db.session.commit()


@pytest.mark.parametrize("steps", [(), (accept,), (accept, win), (decline,)])
def test_after_the_end_of_the_partnership_the_state_is_no_longer_shared(people, referred, steps):
    """R2: neither on a page, nor by a filter, nor by mail, nor in the log."""
    ours, made = referred
    part()
    told, azur = len(mail.all_to(AZUR)), people(AZUR)
    for step in steps:
        change(made, step)

    listed, own = azur.get("/leads/referrals"), azur.get(f"/leads/{ours.public_id}")

    assert [cell.get_text(strip=True) for cell in listed.soup.select("td[data-label=Stage]")] == ["No longer shared"]
    assert "No longer shared" in own.soup.select_one("#referral").get_text()
    for state in LeadState:
        assert "No referred lead fits" in azur.get(f"/leads/referrals?state={state}").text
    assert len(mail.all_to(AZUR)) == told
    db.session.rollback()
    since = sa.select(LogEntry).where(LogEntry.organization_id == make.organization("grossiste-azur.example").id, LogEntry.actor_name == "Relais Breton")
    assert not db.session.scalars(since).all()


def test_after_it_nobody_is_told_of_expiry_either(people, referred):
    part()
    told = len(mail.all_to(AZUR))

    with clock.shifted(timedelta(days=15)):
        jobs.run("expire_leads")

    assert rows.fresh(referred[1]).state is LeadState.EXPIRED
    assert len(mail.all_to(AZUR)) == told


def test_a_partnership_that_begins_again_shows_the_state_again(people, referred):
    part()
    change(referred[1], accept)
    make.partnership(accepted_by="admin@relais-breton.example")

    assert [cell.get_text(strip=True) for cell in people(AZUR).get("/leads/referrals").soup.select("td[data-label=Stage]")] == ["Accepted"]


def test_a_published_profile_connects_too_until_it_is_taken_back(people, app):
    make.profile(by=CUMULUS)
    ours, sales = lead("atelier-nuage.example"), people(SALES)
    refer(sales, ours, partner="studio-cumulus.example", q="cumulus")
    (made,) = theirs("studio-cumulus.example")
    change(made, accept, by=CUMULUS)
    assert "Accepted" in sales.get(f"/leads/{ours.public_id}").soup.select_one("#referral").get_text()
    with writing(), scoped(Scope(partner_id=made.partner_id)):
        directory.take_back(db.session.scalars(sa.select(BusinessProfile).with_for_update()).one(), by=make.actor(CUMULUS), at=clock.now())
        db.session.commit()

    own = sales.get(f"/leads/{ours.public_id}").soup.select_one("#referral").get_text()

    assert "No longer shared" in own
    assert "Accepted" not in own


# --- jobs


def test_a_lead_that_cannot_expire_holds_up_no_other(app, monkeypatch, caplog):
    """Each is undone alone; the log tells which."""
    poisoned, good = ([rows.fresh(make.lead(f"{name} {number}", source="sales_qualified", by=SALES)) for number in range(3)] for name in ("Poisoned", "Good"))
    real = service._move

    def move(row, action, **options):
        real(row, action, **options)
        if row.company.startswith("Poisoned"):
            db.session.flush()
            raise ValueError("always")

    monkeypatch.setattr(service, "_move", move)
    with clock.shifted(timedelta(days=15)):
        jobs.run("expire_leads")

    assert {rows.fresh(row).state for row in good} == {LeadState.EXPIRED}
    assert {rows.fresh(row).state for row in poisoned} == {LeadState.RECEIVED}
    assert f"Lead {poisoned[0].public_id} failed" in caplog.text
    told = mail.latest(SALES).text
    assert ("Good 2" in told, "Poisoned" in told) == (True, False)
    db.session.rollback()
    logged = db.session.scalars(sa.select(LogEntry.details).where(LogEntry.action == "lead.expired"))
    assert sorted(details["after"]["company"] for details in logged) == ["Good 0", "Good 1", "Good 2"]
