"""One lead: received, accepted or declined, edited, won or lost, expired; its notes, people, deadline and flame (R50-R55)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal.accounts.models import User, UserState
from portal.core import audit, clock, jobs, throttle
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from portal.leads import service
from portal.leads.models import Lead, LeadEntry, LeadPerson, LeadState
from tests.support import mail, make

SALES, ADMIN, REFERRALS = "sales@atelier-nuage.example", "admin@atelier-nuage.example", "referrals@atelier-nuage.example"
CUSTOMER = "aline@tissages-morel.example"
DEAL = {"deal_name": "Sixty seats", "value": "12500.50", "currency": "EUR", "wishes": "Mail and files for 60 people.\nBackup."}


def expire() -> None:
    db.session.rollback()
    jobs.run("expire_leads")


def soon(days: int = 30) -> str:
    return (clock.today() + timedelta(days=days)).isoformat()


def now_of(lead: Lead) -> Lead:
    """The lead as the database has it now."""
    db.session.rollback()
    db.session.expunge_all()
    with scoped(EVERYTHING):
        row = db.session.scalars(sa.select(Lead).where(Lead.public_id == lead.public_id)).one()
    db.session.expunge(row)
    return row


def people_of(lead: Lead):
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalars(sa.select(LeadPerson).where(LeadPerson.lead_id == lead.id).order_by(LeadPerson.id)).all()


def history(lead: Lead):
    db.session.rollback()
    with scoped(EVERYTHING):
        return [row.action for row in db.session.scalars(sa.select(LeadEntry).where(LeadEntry.lead_id == lead.id).order_by(LeadEntry.id))]


def logged(domain: str):
    db.session.rollback()
    return [entry.action for entry in reversed(audit.recent(make.organization(domain).id, limit=20))]


def step(visitor, lead, name, status=200, **fields):
    return visitor.submit(visitor.get(f"/leads/{lead.public_id}/{name}"), f"/leads/{lead.public_id}/{name}", status=status, **fields)


def accept(visitor, lead, status=200, **fields):
    return step(visitor, lead, "acceptance", status, **{**DEAL, "purchase_on": soon(), **fields})


# --- received


def test_an_inquiry_is_announced_to_the_referrals_admins(app):
    """R50"""
    lead = make.lead("Tissages Morel", phone="+33 3 44 00 00 00", message="Sixty seats,\n\nplease.")

    message = mail.latest(REFERRALS)

    assert message.subject == "New lead: Tissages Morel"
    for told in ("Tissages Morel", "Aline Morel", CUSTOMER, "+33 3 44 00 00 00", "“Sixty seats, please.”", f"/leads/{lead.public_id}"):
        assert told in message.text
    assert "Accept or decline it by" in message.text
    assert not mail.all_to(ADMIN)


def test_an_urgent_one_says_so(app):
    """R55"""
    make.lead(wants_contact=True)

    message = mail.latest(REFERRALS)

    assert message.subject.startswith("Urgent:")
    assert "within 72 hours" in message.text


def test_without_referrals_admins_the_global_admins_are_told(app):
    make.lead(owner="studio-cumulus.example")

    assert mail.latest("admin@studio-cumulus.example").subject.startswith("New lead")


def test_a_referred_lead_names_who_referred_it(people):
    """R50"""
    lead = make.lead(owner="relais-breton.example", source="sales_qualified", by="sales@grossiste-azur.example", referrer="grossiste-azur.example")

    assert "Grossiste Azur has referred a lead to you." in mail.latest("admin@relais-breton.example").text
    assert "Referred by Grossiste Azur" in people("sales@relais-breton.example").get(f"/leads/{lead.public_id}").text


def test_what_our_own_people_enter_is_not_announced(app):
    make.lead(source="sales_qualified", by=SALES)

    assert not mail.all_to(REFERRALS)


def test_receipt_is_in_the_log_of_the_owner_and_of_the_one_who_referred(app):
    """R95"""
    lead = make.lead(owner="relais-breton.example", source="sales_qualified", by="sales@grossiste-azur.example", referrer="grossiste-azur.example")

    assert "lead.received" in logged("relais-breton.example")
    assert "lead.received" in logged("grossiste-azur.example")
    assert history(lead) == ["lead.received"]


def test_what_a_stranger_wrote_shows_as_text(people):
    """S34"""
    lead = make.lead("<b>Morel</b>", message="<script>alert(1)</script>\n\nhttps://evil.example/", first_name="<i>Aline")

    page = people(SALES).get(f"/leads/{lead.public_id}")

    assert page.h1 == "<b>Morel</b>"
    assert "<script>alert(1)</script>" in page.text
    assert "https://evil.example" not in [link.get("href") for link in page.soup.select("a")]
    assert 'href="https://evil' not in mail.latest(REFERRALS).html


def test_the_page_shows_who_asks_and_how_to_reach_them(people):
    lead = make.lead(phone="+33 3 44 00 00 00", city="Beauvais", size="10-49", message="Sixty seats")

    page = people(SALES).get(f"/leads/{lead.public_id}")

    assert page.has_link(f"mailto:{CUSTOMER}")
    assert page.has_link("tel:+33344000000")
    for told in ("Beauvais, France", "10 to 49 people", "Sixty seats", "Customer inquiry", "13 days left"):
        assert told in page.text


def test_the_page_offers_what_the_stage_allows(people):
    """R51"""
    received, accepted, won = make.lead(), make.accepted_lead(), make.won_lead()
    sales = people(SALES)

    def offered(lead):
        page = sales.get(f"/leads/{lead.public_id}")
        return {name for name in ("acceptance", "declining", "winning", "losing", "deal") if page.has_link(f"/leads/{lead.public_id}/{name}")}

    assert offered(received) == {"acceptance", "declining"}
    assert offered(accepted) == {"winning", "losing", "deal"}
    assert offered(won) == set()


# --- accepting


def test_accepting_takes_the_deal_and_further_contacts(people):
    """R52"""
    lead = make.lead()
    sales = people(SALES)
    contacts = {
        "contacts-0-name": "Paul Morel",
        "contacts-0-email": "paul@tissages-morel.example",
        "contacts-3-name": "Zoé",
        "contacts-3-phone": "+33 1 02 03 04 05",
    }

    page = accept(sales, lead, crm_id="CRM-7", campaign_id="Fair", **contacts)

    row = now_of(lead)
    assert page.flashes == ["You have accepted Tissages Morel."]
    assert (row.state, row.deal_name, row.value_minor, row.currency) == (LeadState.ACCEPTED, "Sixty seats", 1250050, "EUR")
    assert (row.purchase_on.isoformat(), row.wishes, row.crm_id, row.campaign_id) == (soon(), DEAL["wishes"], "CRM-7", "Fair")
    assert row.answered_at is not None
    assert [(person.name, person.kind) for person in people_of(lead)] == [("Paul Morel", "contact"), ("Zoé", "contact")]
    assert history(lead) == ["lead.received", "lead.accepted", "lead.person_added", "lead.person_added"]
    assert "€12,500.50" in page.text


def test_the_form_starts_with_the_company_and_the_partners_own_money(people):
    lead = make.lead(owner="studio-cumulus.example")
    form = people("admin@studio-cumulus.example").get(f"/leads/{lead.public_id}/acceptance")

    assert form.soup.select_one("[name=deal_name]")["value"] == "Tissages Morel"
    assert form.soup.select_one("[name=currency] [selected]")["value"] == "EUR"


@pytest.mark.parametrize("missing", ["deal_name", "value", "purchase_on", "wishes"])
def test_four_things_are_needed_to_accept(people, missing):
    """R52"""
    lead = make.lead()

    page = accept(people(SALES), lead, status=422, **{missing: ""})

    assert page.errors[missing] == "Fill this in."
    assert now_of(lead).state is LeadState.RECEIVED
    assert page.soup.select_one("[name=crm_id]") is not None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("value", "a lot", "Write an amount, such as 1250 or 1250.50."),
        ("value", "-5", "Write an amount, such as 1250 or 1250.50."),
        ("currency", "XXX", "Choose one of the list."),
        ("purchase_on", "soon", "Give a date."),
        ("purchase_on", "2020-01-31", "This day is over."),
        ("contacts-1-email", "nobody", "This is not an e-mail address."),
        ("contacts-1-phone", "+33 3 44 00 00 00", "Fill this in."),
        ("deal_name", "x" * 201, "This is too long"),
    ],
)
def test_odd_input_is_answered_next_to_its_field(people, field, value, message):
    lead = make.lead()

    page = accept(people(SALES), lead, status=422, **{field: value})

    named = "contacts-1-name" if field == "contacts-1-phone" else field
    assert message in page.errors[named]
    assert now_of(lead).state is LeadState.RECEIVED
    assert people_of(lead) == []


@pytest.mark.parametrize("name", ["acceptance", "declining"])
def test_with_htmx_an_invalid_answer_is_the_form_again(people, name):
    """R105"""
    lead = make.lead()
    sales = people(SALES)
    page = sales.get(f"/leads/{lead.public_id}/{name}")

    answer = sales.submit(page, f"/leads/{lead.public_id}/{name}", status=422, htmx=True, target="form")

    assert answer.soup.find("html") is None
    assert "" in answer.errors


def test_an_answer_is_in_the_log_of_who_referred_it_without_the_deal(people):
    """R95: what a deal is worth is nobody else's business."""
    lead = make.lead(owner="relais-breton.example", source="sales_qualified", by="sales@grossiste-azur.example", referrer="grossiste-azur.example")
    accept(people("sales@relais-breton.example"), lead)

    assert {"lead.accepted", "lead.updated"} <= set(logged("relais-breton.example"))
    azur = logged("grossiste-azur.example")
    assert "lead.accepted" in azur
    assert "lead.updated" not in azur
    page = people("admin@grossiste-azur.example").get("/activity")
    assert "Sixty seats" not in page.text


# --- declining


def test_declining_sends_the_customer_to_the_directory(people):
    """R53"""
    lead = make.lead(language="en")
    sales = people(SALES)
    before = sales.get(f"/leads/{lead.public_id}/declining")
    assert "asked by e-mail to choose another partner" in before.text
    assert before.soup.select_one("[name=tell]") is None

    page = sales.submit(before, f"/leads/{lead.public_id}/declining", reason="no_capacity", notes="Busy until May. Rude caller.")

    row = now_of(lead)
    message = mail.latest(CUSTOMER)
    assert page.flashes == ["You have declined Tissages Morel."]
    assert (row.state, row.decline_reason, row.closing_notes) == (LeadState.DECLINED, "no_capacity", "Busy until May. Rude caller.")
    assert row.answered_at is not None
    assert "Please choose another partner." in message.text
    assert "http://localhost/directory" in message.text
    assert "Busy" not in message.text
    assert history(lead)[-1] == "lead.declined"
    assert "We have no capacity" in page.text


def test_nobody_bombs_addresses_with_mail_by_declining(people):
    """S10: an address that our own people enter is proven by nobody."""
    lead, who = make.lead(source="sales_qualified", by=SALES), make.actor(SALES)
    throttle.hit(throttle.INVITATIONS, f"{who.organization_id}/{who.user_id}", times=300)

    people(SALES).post(f"/leads/{lead.public_id}/declining", {"reason": "no_capacity", "notes": "Busy.", "tell": "y"}, 429)

    assert now_of(lead).state is LeadState.RECEIVED


@pytest.mark.parametrize(("zone", "day"), [("America/Los_Angeles", "Dec 14, 2026"), ("Europe/Paris", "Dec 15, 2026")])
def test_the_mail_names_the_day_of_the_deadline_in_its_reader_s_zone(app, zone, day):
    """R54, R100"""
    with writing():
        db.session.execute(sa.update(User).where(User.email == REFERRALS).values(time_zone=zone, language="en"))
        db.session.commit()

    make.lead(at=datetime(2026, 12, 1, 2, tzinfo=UTC))

    assert f"by {day}." in mail.latest(REFERRALS).text


def test_declining_asks_for_a_reason_and_notes(people):
    """R53"""
    lead = make.lead()

    page = step(people(SALES), lead, "declining", status=422)

    assert set(page.errors) == {"", "reason", "notes"}
    assert not mail.all_to(CUSTOMER)


@pytest.mark.parametrize("tell", [True, False])
def test_somebody_who_did_not_ask_here_may_be_spared_the_mail(people, tell):
    """R53: whoever inquired is told in any case."""
    lead = make.lead(source="sales_qualified", by=SALES)

    step(people(SALES), lead, "declining", reason="other", notes="x", tell=tell)

    assert len(mail.all_to(CUSTOMER)) == tell


def test_an_inquirer_is_told_whatever_the_form_is_made_to_say(people):
    """S27"""
    lead = make.lead()

    people(SALES).post(f"/leads/{lead.public_id}/declining", {"reason": "other", "notes": "x", "tell": ""})

    assert len(mail.all_to(CUSTOMER)) == 1


def test_whoever_referred_a_lead_is_told_that_it_was_declined(people):
    """R53"""
    lead = make.lead(owner="relais-breton.example", source="sales_qualified", by="sales@grossiste-azur.example", referrer="grossiste-azur.example")

    step(people("sales@relais-breton.example"), lead, "declining", reason="other", notes="Secret reason.")

    message = mail.latest("sales@grossiste-azur.example")
    assert "Relais Breton has declined the lead Tissages Morel" in message.subject
    assert "Secret" not in message.text


# --- editing


def test_the_deal_can_be_edited_while_the_lead_is_accepted(people):
    """R52"""
    lead = make.accepted_lead("Faïences Kerjean")
    sales = people(SALES)

    page = step(sales, lead, "deal", deal_name="Seventy seats", value="1 300", purchase_on=soon(60))

    row = now_of(lead)
    assert page.flashes == ["Saved."]
    assert (row.deal_name, row.value_minor) == ("Seventy seats", 130000)
    assert history(lead)[-1] == "lead.updated"
    assert "Deal name: Faïences Kerjean, now Seventy seats" in page.text
    entry = next(entry for entry in audit.recent(make.organization("atelier-nuage.example").id) if entry.action == "lead.updated")
    assert entry.details["before"]["value"] == "1200.00 EUR"
    assert entry.details["after"]["value"] == "1300.00 EUR"


def test_saving_without_a_change_leaves_no_trace(people):
    lead = make.accepted_lead()
    before = history(lead)

    step(people(SALES), lead, "deal")

    assert history(lead) == before


def test_a_purchase_day_that_has_passed_meanwhile_may_stay(people):
    lead = make.accepted_lead()

    with clock.shifted(timedelta(days=40)):
        page = step(people(SALES), lead, "deal", deal_name="Still open")

    assert page.flashes == ["Saved."]


def test_the_second_editor_is_told_what_changed(people):
    """R104"""
    lead = make.accepted_lead("Faïences Kerjean")
    sales, admin = people(SALES), people(ADMIN)
    form = admin.get(f"/leads/{lead.public_id}/deal")
    step(sales, lead, "deal", deal_name="Seventy seats")

    page = admin.submit(form, f"/leads/{lead.public_id}/deal", status=409, deal_name="Eighty seats")

    assert "It now says “Seventy seats”." in page.errors["deal_name"]
    assert page.soup.select_one("[name=deal_name]")["value"] == "Eighty seats"
    assert now_of(lead).deal_name == "Seventy seats"
    admin.submit(page, f"/leads/{lead.public_id}/deal", deal_name="Eighty seats")
    assert now_of(lead).deal_name == "Eighty seats"


def test_a_form_without_its_version_overwrites_nothing(people):
    """R104"""
    lead = make.accepted_lead()

    people(SALES).post(f"/leads/{lead.public_id}/deal", {**DEAL, "purchase_on": soon()}, status=409)

    assert now_of(lead).deal_name == "Faïences Kerjean"


def test_extra_fields_change_nothing(people):
    """S27"""
    lead = make.lead()

    people(SALES).post(
        f"/leads/{lead.public_id}/acceptance",
        {**DEAL, "purchase_on": soon(), "state": "won", "partner_id": "4", "company": "Mine", "due_at": "2099-01-01", "customer_id": "1"},
    )

    row = now_of(lead)
    assert (row.state, row.company, row.customer_id, row.partner_id) == (LeadState.ACCEPTED, "Tissages Morel", None, lead.partner_id)


# --- won and lost


def test_winning_may_correct_the_value(people):
    """R51"""
    lead = make.accepted_lead()
    sales = people(SALES)
    form = sales.get(f"/leads/{lead.public_id}/winning")
    assert "for good" in form.text
    assert form.soup.select_one("[name=value]")["value"] == "1,200"

    page = sales.submit(form, f"/leads/{lead.public_id}/winning", value="999.99")

    row = now_of(lead)
    assert (row.state, row.value_minor) == (LeadState.WON, 99999)
    assert history(lead)[-2:] == ["lead.won", "lead.updated"]
    assert "Value: €1,200.00, now €999.99" in page.text


def test_without_a_final_value_the_estimate_stands(people):
    lead = make.accepted_lead()

    step(people(SALES), lead, "winning", value="")

    row = now_of(lead)
    assert (row.state, row.value_minor) == (LeadState.WON, 120000)


def test_losing_asks_for_a_reason_and_notes(people):
    """R51"""
    lead = make.accepted_lead()
    sales = people(SALES)

    assert set(step(sales, lead, "losing", status=422).errors) == {"", "reason", "notes"}
    page = step(sales, lead, "losing", reason="price", notes="Ten percent too dear.")

    row = now_of(lead)
    assert (row.state, row.loss_reason, row.closing_notes) == (LeadState.LOST, "price", "Ten percent too dear.")
    assert "Ten percent too dear." in page.text
    assert not mail.all_to(CUSTOMER)


@pytest.mark.parametrize("name", ["acceptance", "declining", "deal", "winning", "losing"])
def test_archived_is_final(people, name):
    """R51"""
    lead = make.won_lead()
    sales = people(SALES)
    fields = {**DEAL, "purchase_on": soon(), "reason": "other", "notes": "x", "version": now_of(lead).version}

    page = sales.get(f"/leads/{lead.public_id}/{name}")
    assert "This step is not open now" in page.text
    assert page.soup.select_one("main form[method=post]") is None
    sales.post(f"/leads/{lead.public_id}/{name}", fields, status=422)

    assert now_of(lead).state is LeadState.WON
    assert now_of(lead).deal_name == "Tissages Morel"


@pytest.mark.parametrize("name", ["deal", "winning", "losing"])
def test_what_was_not_accepted_is_neither_won_nor_lost(people, name):
    """R51"""
    lead = make.lead()
    sales = people(SALES)

    assert "Accept it first." in sales.get(f"/leads/{lead.public_id}/{name}").text
    sales.post(f"/leads/{lead.public_id}/{name}", {**DEAL, "purchase_on": soon(), "reason": "other", "notes": "x", "version": lead.version}, status=422)

    assert now_of(lead).state is LeadState.RECEIVED


# --- at the same time


def test_of_two_answers_one_wins_and_the_other_is_told(people):
    """S29"""
    lead = make.lead()
    sales, admin = people(SALES), people(ADMIN)
    form = admin.get(f"/leads/{lead.public_id}/declining")
    accept(sales, lead)

    page = admin.submit(form, f"/leads/{lead.public_id}/declining", status=422, reason="other", notes="Typed with care.")

    assert "This has changed meanwhile" in page.errors[""]
    assert "Typed with care." in page.text
    assert now_of(lead).state is LeadState.ACCEPTED
    assert now_of(lead).decline_reason is None
    assert not mail.all_to(CUSTOMER)


def test_a_double_click_accepts_once(people):
    """S29"""
    lead = make.lead()
    sales = people(SALES)
    fields = {**DEAL, "purchase_on": soon(), "contacts-0-name": "Paul"}

    sales.post(f"/leads/{lead.public_id}/acceptance", fields)
    sales.post(f"/leads/{lead.public_id}/acceptance", fields, status=422)

    assert len(people_of(lead)) == 1
    assert history(lead).count("lead.accepted") == 1


def test_who_accepts_after_the_deadline_comes_too_late_even_before_the_job(people):
    """R54"""
    lead = make.lead(at=clock.now() - timedelta(days=14, seconds=1))
    sales = people(SALES)

    shown = sales.get(f"/leads/{lead.public_id}")
    assert "The time to answer is over" in shown.text
    assert not shown.has_link(f"/leads/{lead.public_id}/acceptance")
    sales.post(f"/leads/{lead.public_id}/acceptance", {**DEAL, "purchase_on": soon()}, status=422)
    expire()

    assert now_of(lead).state is LeadState.EXPIRED


def test_the_job_leaves_alone_what_was_answered_in_time(people):
    """R54"""
    lead = make.lead()
    accept(people(SALES), lead)

    with clock.shifted(timedelta(days=15)):
        expire()

    assert now_of(lead).state is LeadState.ACCEPTED


# --- expiry


def test_after_14_days_an_inquiry_expires_and_the_customer_is_told_once(people):
    """R54"""
    lead = make.lead()
    with clock.shifted(timedelta(days=13, hours=23)):
        expire()
        assert now_of(lead).state is LeadState.RECEIVED

    with clock.shifted(timedelta(days=14, minutes=1)):
        expire()
        expire()

    row = now_of(lead)
    assert (row.state, row.answered_at) == (LeadState.EXPIRED, None)
    assert [message.subject for message in mail.all_to(CUSTOMER)] == ["Atelier Nuage has not answered your inquiry"]
    assert "http://localhost/directory" in mail.latest(CUSTOMER).text
    assert history(lead) == ["lead.received", "lead.expired"]
    assert "lead.expired" in logged("atelier-nuage.example")


def test_the_partner_that_referred_it_is_told(app):
    """R54"""
    make.lead(owner="relais-breton.example", source="sales_qualified", by="sales@grossiste-azur.example", referrer="grossiste-azur.example")

    with clock.shifted(timedelta(days=15)):
        expire()

    message = mail.latest("sales@grossiste-azur.example")
    assert message.subject == "A lead has expired without an answer"
    assert "Relais Breton has not answered" in message.text
    assert "Tissages Morel" in message.text
    assert not mail.all_to(CUSTOMER)


def test_whoever_entered_leads_gets_one_message_about_all_that_lapse_together(app):
    """R54"""
    for number in range(23):
        make.lead(f"Série {number:02}", source="marketing_qualified", by=SALES)

    with clock.shifted(timedelta(days=15)):
        expire()

    messages = mail.all_to(SALES)
    assert [message.subject for message in messages] == ["23 leads have expired without an answer"]
    assert "Série 00" in messages[0].text
    assert "and 3 more" in messages[0].text


def test_when_that_person_has_left_the_referrals_admins_are_told(app):
    make.lead(source="sales_qualified", by=SALES)
    with writing():
        db.session.execute(sa.update(User).where(User.email_key == SALES).values(state=UserState.DEACTIVATED))
        db.session.commit()

    with clock.shifted(timedelta(days=15)):
        expire()

    assert mail.latest(REFERRALS).subject == "A lead has expired without an answer"


# --- the flame


@pytest.mark.parametrize(
    ("hours", "hot", "text"),
    [
        (0, True, "Asked to be contacted directly: call or write within 72 hours."),
        (71.5, True, "Asked to be contacted directly: call or write within 1 hour."),
        (72.1, False, "Asked to be contacted directly; the first 72 hours are over. Still open: answer by"),
    ],
)
def test_the_flame_burns_for_72_hours_and_then_the_mark_and_the_message_change(people, hours, hot, text):
    """R55"""
    lead = make.lead(wants_contact=True, at=clock.now() - timedelta(hours=hours))
    sales = people(SALES)

    page, row = sales.get(f"/leads/{lead.public_id}"), sales.get("/leads").soup.select_one(".flame")

    assert text in page.text
    icon = page.soup.select_one(".notice .icon use")["href"]
    assert icon.endswith("#i-flame") == hot
    assert row.select_one("use")["href"].endswith("#i-flame") == hot
    assert ("Contact directly within" in row.get_text()) == hot
    assert now_of(lead).state is LeadState.RECEIVED
    assert page.has_link(f"/leads/{lead.public_id}/acceptance")


def test_a_lead_that_asked_for_nothing_has_no_flame(people):
    lead = make.lead()
    sales = people(SALES)

    assert "contacted directly" not in sales.get(f"/leads/{lead.public_id}").text
    assert sales.get("/leads").soup.select_one(".flame") is None


def test_an_accepted_lead_burns_on_and_a_closed_one_does_not(people):
    """R55"""
    accepted, won = make.accepted_lead(wants_contact=True), make.won_lead(wants_contact=True)
    sales = people(SALES)

    assert "call or write within 72 hours" in sales.get(f"/leads/{accepted.public_id}").text
    assert "call or write" not in sales.get(f"/leads/{won.public_id}").text


# --- notes and history


def test_notes_are_kept_with_who_wrote_them_also_on_archived_leads(people):
    lead = make.won_lead()
    sales = people(SALES)

    page = sales.submit(sales.get(f"/leads/{lead.public_id}"), f"/leads/{lead.public_id}/notes", text="They thanked us.\n<b>Warmly</b>")

    newest = page.soup.select_one("#history .entry")
    assert "Inès Caradec" in newest.get_text()
    assert "They thanked us.\n<b>Warmly</b>" in newest.select_one(".letter").get_text()
    assert history(lead)[-1] is None
    assert "lead.noted" in logged("atelier-nuage.example")


def test_a_note_appears_in_place(people):
    """R105"""
    lead = make.lead()
    sales = people(SALES)
    page = sales.get(f"/leads/{lead.public_id}")

    answer = sales.submit(page, f"/leads/{lead.public_id}/notes", htmx=True, target="history", text="Called.")

    assert answer.soup.find("html") is None
    assert "Called." in answer.text
    assert answer.soup.select_one("textarea").get_text().strip() == ""


def test_an_empty_note_is_refused(people):
    lead = make.lead()

    page = people(SALES).post(f"/leads/{lead.public_id}/notes", {"text": "  "}, status=422)

    assert page.errors["text"] == "Fill this in."
    assert history(lead) == ["lead.received"]


def test_a_long_history_comes_in_pages(people):
    """R101"""
    lead = make.lead()
    sales = people(SALES)
    for number in range(55):
        sales.post(f"/leads/{lead.public_id}/notes", {"text": f"Note {number:02}"})

    page = sales.get(f"/leads/{lead.public_id}")
    older = sales.get(page.soup.select_one("#history a[rel=next]")["href"])

    assert len(page.soup.select("#history .entry")) == 50
    assert "Note 54" in page.text
    assert "Note 00" in older.text
    assert "Lead received" in older.text


# --- people


def test_members_of_the_team_and_contacts_come_and_go(people):
    """R52"""
    lead = make.accepted_lead()
    sales = people(SALES)
    url = f"/leads/{lead.public_id}"

    page = sales.submit(sales.get(url), f"{url}/people", kind="team", name="Théo Marchand", phone="+33 2 40 12 34 56", email="agent@atelier-nuage.example")
    assert page.flashes == ["Théo Marchand is on this lead now."]
    member = people_of(lead)[-1]
    assert (member.kind, member.phone) == ("team", "+33 2 40 12 34 56")
    assert "The history keeps the name." in page.text

    page = sales.submit(page, f"{url}/people/{member.public_id}/removal")
    db.session.rollback()
    assert [person.name for person in people_of(lead)] == ["Paul Kerjean"]
    assert history(lead)[-2:] == ["lead.person_added", "lead.person_removed"]
    assert "Théo Marchand" in page.text


def test_people_change_in_place(people):
    """R105"""
    lead = make.accepted_lead()
    sales = people(SALES)
    page = sales.get(f"/leads/{lead.public_id}")

    wrong = sales.submit(page, f"/leads/{lead.public_id}/people", htmx=True, target="people", status=422, name="", email="x")
    right = sales.submit(page, f"/leads/{lead.public_id}/people", htmx=True, target="people", name="Théo")

    assert set(wrong.errors) == {"", "name", "email"}
    assert wrong.soup.select_one("details[open] form")
    assert right.soup.find("html") is None
    assert "Théo" in right.text


@pytest.mark.parametrize("maker", [make.lead, make.won_lead])
def test_people_change_only_while_the_lead_is_worked_on(people, maker):
    """R52"""
    lead = maker()
    sales = people(SALES)

    assert sales.get(f"/leads/{lead.public_id}").soup.select_one(f'form[action="/leads/{lead.public_id}/people"]') is None
    page = sales.post(f"/leads/{lead.public_id}/people", {"kind": "team", "name": "Théo"}, status=422)

    assert "This lead is not being worked on now" in page.text


def test_a_person_of_another_lead_is_not_found(people):
    """S25"""
    one, other = make.accepted_lead(), make.accepted_lead("Verger Blanc")
    foreign = people_of(other)[0].public_id

    people(SALES).post(f"/leads/{one.public_id}/people/{foreign}/removal", status=404)

    db.session.rollback()
    assert len(people_of(other)) == 1


def test_a_lead_holds_a_limited_number_of_people(people, monkeypatch):
    monkeypatch.setattr(service, "MOST_PEOPLE", 1)
    lead, fresh = make.accepted_lead(), make.lead()
    sales = people(SALES)

    page = sales.post(f"/leads/{lead.public_id}/people", {"kind": "team", "name": "Théo"}, status=422)
    assert "at most 1 people" in page.text
    accept(sales, fresh, status=422, **{"contacts-0-name": "A", "contacts-1-name": "B"})
    assert now_of(fresh).state is LeadState.RECEIVED


# --- everything in the log


def test_every_change_is_in_the_log_in_words(people):
    """R95"""
    lead = make.lead()
    sales = people(SALES)
    accept(sales, lead, **{"contacts-0-name": "Paul"})
    step(sales, lead, "deal", deal_name="Seventy seats")
    sales.post(f"/leads/{lead.public_id}/notes", {"text": "Called."})
    step(sales, lead, "losing", reason="price", notes="Too dear")

    text = people(ADMIN).get("/activity").text

    for said in ("Lead received", "Lead accepted", "Lead changed", "Person added to a lead", "Note on a lead written", "Lead lost", "Price", "Tissages Morel"):
        assert said in text, said
    assert not re.search(r"\b(deal_name|purchase_on|loss_reason)\b", text)
