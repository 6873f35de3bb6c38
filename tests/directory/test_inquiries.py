"""Asking a partner: the form and what keeps bots out, the link that proves the mailbox, and the lead that comes of it (R50, R55, R61)."""

import re
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import clock, jobs, throttle
from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.directory import inquiries
from portal.directory.models import Inquiry
from portal.leads.models import Lead, LeadSource
from tests.directory import entry_rows as rows
from tests.support import mail
from tests.support.page import Visitor

ALINE, SALES, GOVERNMENT = rows.ASKED["email"], "sales@atelier-nuage.example", "admin@potomac-stratus.example"
SENT = "Look into your mailbox"


def later(seconds=10):
    return clock.shifted(timedelta(seconds=seconds))


def send(visitor, profile, status=200, **fields):
    """Fill in the form as a person does, who takes some seconds."""
    page = visitor.get(f"/directory/{profile}/inquiry")
    with later():
        return visitor.submit(page, f"/directory/{profile}/inquiry", status=status, **{**rows.ASKED, **fields})


def waiting():
    db.session.rollback()
    return db.session.scalars(sa.select(Inquiry)).all()


def leads():
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalars(sa.select(Lead)).all()


def mails():
    return [sent.mail.kind for sent in mail.all_to()]


# --- the way that works


def test_an_inquiry_becomes_a_lead_once_its_mail_was_followed(people):
    """R50, R55, R61: the partner learns of it after the confirmation, and not before."""
    profile = rows.publish()
    visitor = people.visitor()

    page = send(visitor, profile)
    assert page.h1 == SENT
    assert leads() == []
    assert mails() == ["directory/confirm"]

    sent = mail.latest(ALINE)
    assert sent.subject == "Confirm your message to Atelier Nuage"
    assert sent.mail.organization_id is None
    shown = visitor.open(sent.link)
    assert sent.link not in shown.url
    assert rows.ASKED["message"] in shown.text
    assert leads() == []
    done = visitor.submit(shown)

    assert done.h1 == "Your message is sent"
    (lead,) = leads()
    assert (lead.source, lead.company, lead.email, lead.wants_contact, lead.message, lead.language) == (
        LeadSource.INQUIRY, "Tissages Morel", ALINE, True, rows.ASKED["message"], "en",
    )  # fmt: skip
    assert lead.due_at - lead.received_at == timedelta(days=14)
    (inquiry,) = waiting()
    assert inquiry.typed == {}
    assert "leads/received" in mails()


def test_the_mail_says_nothing_that_the_visitor_typed(people):
    """Its reader may never have heard of us: nobody sends words of their own through the portal."""
    typed = {"company": "Prizes at https://evil.example/prize", "last_name": "Click", "message": "Buy this evil thing at once."}

    send(people.visitor(), rows.publish(), **typed)

    sent = mail.latest(ALINE)
    assert not any(word in sent.subject + sent.text for word in ("evil", "Prizes", "Click"))


def test_the_mail_and_the_lead_speak_the_visitor_s_language(people):
    profile = rows.publish()
    visitor = people.visitor()
    visitor.get(f"/directory/{profile}?lang=fr")

    page = visitor.get(f"/directory/{profile}/inquiry")
    with later():
        visitor.submit(page, f"/directory/{profile}/inquiry", **rows.ASKED)

    assert mail.latest(ALINE).mail.language == "fr"
    visitor.submit(visitor.open(mail.latest(ALINE).link))
    assert leads()[0].language == "fr"


def test_a_person_signed_in_finds_the_form_filled_in(people):
    profile = rows.publish()

    page = people("admin@maison-tellier.example").get(f"/directory/{profile}/inquiry")

    assert page.soup.find(id="email")["value"] == "admin@maison-tellier.example"
    assert page.soup.find(id="company")["value"] == "Maison Tellier"


def test_in_place_it_works_as_well(people):
    profile = rows.publish()
    visitor = people.visitor()
    page = visitor.get(f"/directory/{profile}/inquiry")

    with later():
        refused = visitor.submit(page, status=422, htmx=True, **{**rows.ASKED, "message": "Short."})
        sent = visitor.submit(page, status=200, htmx=True, **rows.ASKED)

    assert "Write 20 to 5000 characters." in refused.text
    assert sent.response.headers["HX-Location"] == f"/directory/{profile}/inquiry/sent"
    assert len(waiting()) == 1


# --- what the form asks for


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("message", "Too short", "Write 20 to 5000 characters."),
        ("message", "See http://a.example http://b.example www.c.example for what we need", "Leave out some of the links"),
        ("company", "", "Fill this in."),
        ("last_name", "", "Fill this in."),
        ("email", "aline@", "This is not an e-mail address."),
        ("email", "aline@tissages-morel.example\r\nBcc: x@evil.example", "This is not an e-mail address."),
        ("phone", "call me", "This is not a telephone number."),
        ("phone", "", "Give your telephone number, so that you can be called."),
        ("country", "XX", "Choose one of the list."),
        ("size", "a million", "Choose one of the list."),
    ],
)
def test_bad_input_is_answered_beside_the_field_and_nothing_is_lost(people, field, value, message):
    """R55: a telephone number for those who wish to be called."""
    profile = rows.publish()

    page = send(people.visitor(), profile, 422, **{field: value})

    assert message in page.errors[field]
    assert len(page.soup.select("#errors li")) == 1
    assert waiting() == []
    kept = {name: value for name, value in rows.ASKED.items() if name not in (field, "message", "size", "country", "wants_contact")}
    assert all(page.soup.find(id=name)["value"] == value for name, value in kept.items())


# --- bots


def test_who_fills_in_the_hidden_field_gets_the_same_page_and_nothing_happens(people, caplog):
    profile = rows.publish()

    page = send(people.visitor(), profile, topic="Buy now")

    assert page.h1 == SENT
    assert waiting() == []
    assert mails() == []
    assert "taken for a bot's" in caplog.text


def test_the_hidden_field_is_hidden_from_everybody(people):
    """Also from screen readers and from the keyboard."""
    page = people.visitor().get(f"/directory/{rows.publish()}/inquiry")

    field = page.soup.find(attrs={"name": "topic"})
    assert field["tabindex"] == "-1"
    assert field["autocomplete"] == "off"
    assert field.find_parent(attrs={"aria-hidden": "true"})


def test_a_form_that_comes_back_at_once_is_asked_for_again(people):
    profile = rows.publish()
    visitor = people.visitor()

    page = visitor.submit(visitor.get(f"/directory/{profile}/inquiry"), status=422, **rows.ASKED)

    assert "Nothing was sent yet. Please press Send once more." in page.text
    assert waiting() == []
    with later():
        assert visitor.submit(page).h1 == SENT


def test_a_form_left_for_a_day_is_asked_for_again_and_nothing_is_lost(people):
    profile = rows.publish()
    visitor = people.visitor()
    page = visitor.get(f"/directory/{profile}/inquiry")

    with clock.shifted(timedelta(hours=25)):
        page = visitor.submit(page, status=422, **rows.ASKED)
        assert page.soup.find(id="message").get_text().strip() == rows.ASKED["message"]
        with later():
            assert visitor.submit(page).h1 == SENT

    assert len(waiting()) == 1


@pytest.mark.parametrize("change", ["", "x", "1.2.3", "cut", "older", "foreign"])
def test_a_proof_that_is_not_ours_is_refused(people, change):
    profile, other = rows.publish(), rows.publish("Other")
    visitor = people.visitor()
    page = visitor.get(f"/directory/{profile}/inquiry")
    proof = str(page.soup.find(id="proof")["value"])
    forged = {
        "cut": proof[:-1],
        "older": str(int(proof[:10]) - 60) + proof[10:],
        "foreign": str(visitor.get(f"/directory/{other}/inquiry").soup.find(id="proof")["value"]),
    }.get(change, change)

    with later():
        visitor.submit(page, status=422, **rows.ASKED, proof=forged)

    assert waiting() == []


def test_the_same_form_sent_twice_has_one_effect(people):
    """S29: double clicks and retries."""
    profile = rows.publish()
    visitor = people.visitor()
    page = visitor.get(f"/directory/{profile}/inquiry")

    with later():
        first, second = (visitor.submit(page, **rows.ASKED) for _time in range(2))

    assert first.h1 == second.h1 == SENT
    assert len(waiting()) == len(mails()) == 1


def test_an_address_is_not_bombed_with_mail(people):
    """S10: whoever asks, from wherever."""
    profile = rows.publish()
    for _time in range(6):
        send(people.visitor(), profile)

    page = send(people.visitor(), profile, 429)

    assert page.response.headers["Retry-After"]
    assert len(mails()) == 6
    send(people.visitor(), profile, email="somebody@else.example")


def test_one_computer_does_not_ask_everybody(people, monkeypatch):
    """S10."""
    monkeypatch.setattr(throttle, "INQUIRY_ADDRESS", throttle.Limit("inquiry-address", "2/hour"))
    profile = rows.publish()
    for number in range(2):
        send(people.visitor(), profile, email=f"somebody{number}@else.example")

    send(people.visitor(), profile, 429, email="third@else.example")


# --- the link


def test_opening_the_link_changes_nothing_and_leaves_no_token_behind(people):
    """S23, S31."""
    inquiry = rows.inquiry(rows.publish())
    visitor = people.visitor()
    link = f"/directory/inquiries/links/{inquiry.link.token}"

    response = visitor.client.get(link)

    assert response.status_code == 303
    assert response.location == f"/directory/inquiries/{inquiry.public_id}"
    for _time in range(2):
        visitor.open(link)
    assert leads() == []
    visitor.client.head(link)
    assert waiting()[0].confirmed_at is None


def test_only_who_opened_the_link_sees_and_confirms(people):
    """R2: the same page, whether there is such an inquiry or not."""
    inquiry = rows.inquiry(rows.publish())
    stranger = people.visitor()

    page = stranger.get(f"/directory/inquiries/{inquiry.public_id}", 404)
    none = stranger.get("/directory/inquiries/018f0000-0000-7000-8000-000000000000", 404)
    stranger.post(f"/directory/inquiries/{inquiry.public_id}/confirmation", status=404)
    unknown = stranger.get("/directory/inquiries/links/abcdefghijklmnopqrstuvwxyz0", 404)

    assert page.text == none.text == unknown.text
    assert "Tissages" not in page.text
    assert leads() == []


def test_confirming_again_has_no_further_effect(people):
    inquiry = rows.inquiry(rows.publish())
    visitor = people.visitor()
    visitor.open(f"/directory/inquiries/links/{inquiry.link.token}")

    for _time in range(2):
        visitor.post(f"/directory/inquiries/{inquiry.public_id}/confirmation")

    assert len(leads()) == 1
    assert visitor.open(f"/directory/inquiries/links/{inquiry.link.token}").h1 == "Your message is sent"


def test_confirming_twice_at_the_same_moment_makes_one_lead(app, people):
    """S29."""
    inquiry = rows.inquiry(rows.publish())
    visitors = [people.visitor() for _each in range(2)]
    for visitor in visitors:
        visitor.open(f"/directory/inquiries/links/{inquiry.link.token}")
    db.session.remove()
    start, answers = threading.Barrier(2), []

    def confirm(visitor: Visitor) -> None:
        token = visitor.csrf_token()
        start.wait()
        answers.append(visitor.client.post(f"/directory/inquiries/{inquiry.public_id}/confirmation", data={"csrf_token": token}).status_code)

    threads = [threading.Thread(target=confirm, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [303, 303]
    assert len(leads()) == 1


def test_a_link_lasts_two_days(people):
    inquiry = rows.inquiry(rows.publish())
    visitor = people.visitor()

    with clock.shifted(timedelta(hours=49)):
        page = visitor.client.get(f"/directory/inquiries/links/{inquiry.link.token}", follow_redirects=True)
        visitor.post(f"/directory/inquiries/{inquiry.public_id}/confirmation")

    assert page.status_code == 410
    assert "This link has expired" in page.text
    assert leads() == []


def test_a_profile_taken_back_meanwhile_is_told(people):
    profile = rows.publish()
    inquiry = rows.inquiry(profile)
    rows.take_back(profile)
    visitor = people.visitor()

    page = visitor.client.get(f"/directory/inquiries/links/{inquiry.link.token}", follow_redirects=True)
    visitor.post(f"/directory/inquiries/{inquiry.public_id}/confirmation")

    assert page.status_code == 410
    assert "This partner is no longer listed" in page.text
    assert leads() == []
    visitor.get(f"/directory/{profile}/inquiry", 404)


def test_what_nobody_confirms_is_forgotten(people):
    profile = rows.publish()
    rows.inquiry(profile)
    confirmed = rows.inquiry(profile, company="Confirmed")
    visitor = people.visitor()
    visitor.submit(visitor.open(f"/directory/inquiries/links/{confirmed.link.token}"))

    for days, left in ((6, 2), (8, 1), (31, 0)):
        db.session.rollback()
        with clock.shifted(timedelta(days=days)):
            jobs.run("forget_inquiries")
        assert len(waiting()) == left


def test_the_partner_sees_nothing_of_what_is_not_confirmed(people):
    rows.inquiry(rows.publish())

    assert "Tissages" not in people(SALES).get("/leads").text
    assert "Tissages" not in people("admin@atelier-nuage.example").get("/outbox").text


# --- whatever is written


@pytest.fixture
def asking(people):
    """A visitor before the form of a profile, as often as asked."""
    profile = rows.publish()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "hit", lambda *arguments, **options: None)
        yield people.visitor(), profile


nasty = st.text(max_size=60) | st.sampled_from(
    [
        "\x00",
        "a\r\nBcc: x@evil.example",
        "<script>alert(1)</script>",
        "{% print(7*7) %}{link}{code}",
        "x" * 9000,
        "\u202eevil",
        "'; DROP TABLE lead; --",
        "\ud7ff😀",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    typed=st.fixed_dictionaries(
        dict.fromkeys(("company", "first_name", "last_name", "phone", "city", "message", "proof", "topic", "email", "country", "size"), nasty)
    ),
    whole=st.booleans(),
)
def test_whatever_is_sent_is_refused_or_kept_as_text(asking, typed, whole):
    """S34, S37: never an error of ours, no header, nobody else's mail."""
    visitor, profile = asking
    page = visitor.get(f"/directory/{profile}/inquiry")
    proof = str(page.soup.find(id="proof")["value"])
    data = {
        **rows.ASKED,
        **typed,
        **({"proof": proof, "topic": "", "email": ALINE, "country": "FR", "size": "", "phone": ""} if whole else {}),
        "wants_contact": "",
    }
    before = len(mail.all_to())

    with later():
        response = visitor.client.post(f"/directory/{profile}/inquiry", data={**data, "csrf_token": visitor.csrf_token()})

    assert response.status_code in (303, 422)
    assert "<script>alert" not in response.text
    for sent in [sent for sent in mail.all_to()[before:] if sent.mail.kind == "directory/confirm"]:
        assert sent.mail.recipient == (ALINE if whole else sent.mail.recipient)
        assert not re.search(r"[\r\n\x00]", sent.mail.subject)
        assert "<script>" not in sent.html
        shown = visitor.open(sent.link)
        assert shown.status == 200
        assert "<script>alert" not in shown.response.text
        assert visitor.submit(shown).h1 == "Your message is sent"


@given(text=st.text(max_size=120))
def test_no_proof_but_ours_has_an_age(app_once, text):
    assert inquiries.age(text, rows.uuid7(), at=clock.now()) is None


@pytest.fixture(scope="module")
def app_once():
    from tests.support import databases

    database = databases.database(databases.ENGINES[0])
    with database.app.app_context():
        yield
