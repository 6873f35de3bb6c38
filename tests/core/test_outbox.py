"""Mail over real SMTP: at least once, with the link put in on the way out (R103, S22, S37)."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from portal.core import clock, delivery, jobs, outbox, tokens
from portal.core.db import Base, db, writing
from portal.core.outbox import Mail, MailState
from tests.support import databases
from tests.support.smtp import STEPS

TO = "camille@papeterie.example"
TEXT = "Good day,\n\nOpen this address:\n\n{link}\n\nIt works once.\nÀ bientôt & <thanks>.\n"


@pytest.fixture(autouse=True)
def quiet_world(app):
    """Without what the world itself had to write."""
    with writing():
        db.session.execute(sa.delete(Mail))
        db.session.commit()


def post(to=TO, *, subject="A question", text=TEXT, linked=True, **options):
    """A message in the outbox; returns its key."""
    with writing():
        link = tokens.issue("activation", at=clock.now(), lifetime=timedelta(days=14)) if linked else None
        mail = outbox.post_text(
            "test", to=to, organization_id=None, at=clock.now(), in_language="fr", subject=subject, text=text, link=link, path="/activation/", **options
        )
        db.session.commit()
        return mail.id


def row(mail_id):
    db.session.rollback()
    return db.session.get_one(Mail, mail_id, populate_existing=True)


def invite(people, name="Jade Morel"):
    admin = people("admin@atelier-nuage.example")
    admin.submit(admin.get("/users/new"), "#form", name=name, email="jade@atelier-nuage.example", roles=["sales_agent"])
    return admin


def deliver(later=timedelta(0)):
    with clock.shifted(later), writing():
        return delivery.deliver()


# --- the message


def test_a_message_arrives_with_everything_a_reader_and_a_program_needs(smtp):
    mail_id = post(reply_to=("Inès Caradec", "sales@atelier-nuage.example"))

    assert deliver() == 1

    (received,) = smtp.received
    message = received.message
    assert received.recipients == [TO]
    assert message["To"] == TO
    assert message["From"] == "portal@localhost"
    assert message["Subject"] == "A question"
    assert message["Reply-To"] == "Inès Caradec <sales@atelier-nuage.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "fr"
    assert received.id == row(mail_id).message_id
    assert received.id.endswith("@localhost>")
    assert abs(parsedate_to_datetime(message["Date"]) - clock.now()) < timedelta(minutes=1)
    assert row(mail_id).state is MailState.SENT
    assert row(mail_id).sent_at is not None


def test_text_and_html_say_the_same(smtp):
    post()

    deliver()

    (received,) = smtp.received
    soup = BeautifulSoup(received.html, "html.parser")
    words = " ".join(soup.body.get_text(" ").split())
    for line in filter(None, received.text.split("\n")):
        assert line in words
    assert soup.select_one("a")["href"] == received.link
    assert soup.html["lang"] == "fr"
    assert not soup.select("img, script, link")


def test_a_paragraph_longer_than_a_line_of_mail_may_be_arrives_whole(smtp):
    """RFC 5321 ends a line at 998 bytes."""
    text = "Élan vital, " * 400
    post(text=f"{text.strip()}\n\n{{link}}")

    deliver()

    (received,) = smtp.received
    assert received.text.split("\n")[0] == text.strip()
    assert max(map(len, received.raw.split(b"\r\n"))) < 100
    assert received.raw.isascii()


def test_the_database_holds_no_working_link_and_the_message_does(smtp):
    """S22: a copy of the database yields neither link nor code."""
    mail_id = post(text="Open this:\n\n{link}\n\nand type:\n\n{code}")

    deliver()

    (received,) = smtp.received
    token = received.link.rpartition("/")[2]
    assert tokens.look_up("activation", token).id == row(mail_id).link_id
    for table in Base.metadata.sorted_tables:
        for values in db.session.connection().execute(sa.select(table)):
            kept = " ".join(map(str, values))
            assert token not in kept
            assert received.code not in [str(value) for value in values]


@pytest.mark.parametrize(
    "name", ["Jade\r\nBcc: all@evil.example", "Jade\nContent-Type: text/html\n\n<b>", 'Jade" <x@evil.example>, "y', "Jade\u2028Bcc: x@evil.example"]
)
def test_a_name_adds_no_headers_recipients_or_parts(smtp, name):
    """S37"""
    post(subject=f"{name} asks", reply_to=(name, "sales@atelier-nuage.example"))

    deliver()

    (received,) = smtp.received
    assert received.recipients == [TO]
    assert received.message["Bcc"] is None
    assert received.message["Subject"] == f"{' '.join(name.split())} asks"
    assert [part.get_content_type() for part in received.message.walk() if not part.is_multipart()] == ["text/plain", "text/html"]
    (address,) = received.message["Reply-To"].addresses
    assert address.addr_spec == "sales@atelier-nuage.example"


def test_names_typed_in_forms_add_no_headers_either(smtp, people):
    """S37"""
    invite(people, name="Jade\r\nBcc: all@evil.example")

    deliver()

    (received,) = smtp.to("jade@atelier-nuage.example")
    assert received.recipients == ["jade@atelier-nuage.example"]
    assert received.message["Bcc"] is None


def test_an_address_with_a_line_break_in_it_fails_alone(smtp):
    """S37"""
    bad, good = post("x@papeterie.example\r\nRCPT TO:<all@evil.example>"), post()

    deliver()

    assert row(bad).state is MailState.FAILED
    assert row(good).state is MailState.SENT
    assert [received.recipients for received in smtp.received] == [[TO]]


# --- when it goes out


def test_without_a_mail_server_mail_waits_and_goes_out_once_one_is_set(app):
    mail_id = post()
    assert deliver() == 0
    assert row(mail_id).state is MailState.QUEUED
    assert row(mail_id).attempts == 0


def test_mail_of_a_change_that_was_rolled_back_is_never_sent(smtp):
    outbox.post_text("test", to=TO, organization_id=None, at=clock.now(), in_language="en", subject="No", text="Nothing")
    db.session.rollback()

    assert deliver() == 0


def test_a_link_replaced_before_delivery_is_not_sent(smtp):
    mail_id = post()
    with writing():
        tokens.renew(row(mail_id).link, at=clock.now(), lifetime=timedelta(days=1))
        db.session.commit()

    assert deliver() == 0
    assert row(mail_id).state is MailState.SUPERSEDED
    assert smtp.received == []


def test_a_link_that_ran_out_before_delivery_is_not_sent(smtp):
    mail_id = post()

    assert deliver(later=timedelta(days=15)) == 0
    assert row(mail_id).state is MailState.SUPERSEDED


# --- a server in trouble


def test_a_server_that_is_down_delays_mail_and_loses_none(smtp):
    """R103: however long it lasts."""
    first, second = post(linked=False), post("other@papeterie.example", linked=False)
    smtp.stop()
    for days in (0, 1, 30):
        assert deliver(later=timedelta(days=days)) == 0
    assert {row(first).state, row(second).state} == {MailState.QUEUED}
    assert "refused" in row(first).error
    assert row(first).attempts == 0

    smtp.start()

    assert deliver(later=timedelta(days=30, minutes=1)) == 2
    assert row(first).error is None
    assert not row(first).uncertain


def test_a_server_that_comes_back_gets_everything_within_a_minute(smtp):
    post()
    post("other@papeterie.example")
    smtp.stop()
    for minutes in range(1, 90, 7):
        deliver(later=timedelta(minutes=minutes))

    smtp.start()

    assert deliver(later=timedelta(minutes=87)) == 2
    assert {received.recipients[0] for received in smtp.received} == {TO, "other@papeterie.example"}


def test_a_clock_that_ran_ahead_holds_up_no_mail_when_it_is_set_right(smtp):
    """R103: what waits until next year, and what was claimed then, goes out now."""
    with clock.shifted(timedelta(days=365)):
        waiting, claimed = post(), post("other@papeterie.example")
        held = row(claimed)
        held.state, held.claimed_at = MailState.SENDING, clock.now()
        db.session.commit()

    assert deliver() == 2
    assert [row(waiting).uncertain, row(claimed).uncertain] == [False, True]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("answer", ["421 closing", "451 later"])
def test_a_temporary_refusal_at_any_step_delays(smtp, step, answer):
    mail_id = post()
    smtp.answers[step] = answer
    assert deliver() == 0
    assert row(mail_id).state is MailState.QUEUED
    assert answer in row(mail_id).error
    assert deliver() == 0  # not at once again

    smtp.behave()

    assert deliver(later=timedelta(minutes=2)) == 1
    assert [received.id for received in smtp.received] == [row(mail_id).message_id]
    assert not row(mail_id).uncertain


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail"])
def test_a_server_that_takes_nothing_from_the_portal_fails_no_message(smtp, step):
    """The operator mends it; nobody has to send each message again."""
    mail_id = post()
    smtp.answers[step] = "554 no service for you"

    deliver()

    assert row(mail_id).state is MailState.QUEUED
    assert "554" in row(mail_id).error


@pytest.mark.parametrize("step", ["rcpt", "data"])
def test_a_refusal_for_good_fails_the_message_with_its_reason(smtp, step):
    mail_id = post()
    smtp.answers[step] = "550 5.1.1 no such mailbox"

    deliver()

    assert row(mail_id).state is MailState.FAILED
    assert row(mail_id).error == "550 5.1.1 no such mailbox"
    assert row(mail_id).attempts == 1


def test_one_refused_recipient_does_not_hold_up_the_others(smtp):
    good = [post(f"n{number}@papeterie.example") for number in range(3)]
    gone, full = post("gone@papeterie.example"), post("full@papeterie.example")
    more = post("last@papeterie.example")
    smtp.recipients = {"gone@": "550 unknown", "full@": "452 mailbox full"}

    assert deliver() == 4

    assert {row(mail_id).state for mail_id in (*good, more)} == {MailState.SENT}
    assert row(gone).state is MailState.FAILED
    assert row(full).state is MailState.QUEUED


def test_attempts_are_further_and_further_apart_and_end_after_days(smtp):
    mail_id = post(linked=False)
    smtp.recipients = {TO: "450 greylisted"}
    waits, passed = [], timedelta(0)
    for _ in range(6):
        deliver(later=passed)
        wait = row(mail_id).next_attempt_at - clock.now() - passed
        waits.append(wait)
        passed += wait + timedelta(seconds=1)
    assert waits == sorted(waits)
    assert waits[0] > timedelta(seconds=30)
    assert waits[-1] > timedelta(minutes=30)

    deliver(later=timedelta(days=6))

    assert row(mail_id).state is MailState.FAILED
    assert "greylisted" in row(mail_id).error


def test_a_failed_message_sent_again_keeps_its_message_id(smtp):
    mail_id = post()
    smtp.recipients = {TO: "550 unknown"}
    deliver()
    smtp.behave()

    with writing():
        outbox.retry(row(mail_id), at=clock.now())
        db.session.commit()

    assert deliver() == 1
    assert smtp.received[0].id == row(mail_id).message_id


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail", "rcpt"])
def test_a_server_that_hangs_up_early_delays(smtp, step):
    mail_id = post()
    smtp.hang_up_at = step

    deliver()

    assert row(mail_id).state is MailState.QUEUED
    assert not row(mail_id).uncertain
    smtp.behave()
    assert deliver(later=timedelta(minutes=2)) == 1
    assert len(smtp.received) == 1


@pytest.mark.parametrize("step", ["body", "data"])
def test_a_server_that_hangs_up_in_mid_message_gets_it_again_and_the_outbox_says_so(smtp, step):
    """R103: it may have been accepted; Message-ID and link repeat."""
    mail_id = post(text="x" * 200_000 + "\n\n{link}")
    smtp.hang_up_at = step
    deliver()
    assert row(mail_id).state is MailState.QUEUED
    assert row(mail_id).uncertain

    smtp.behave()

    assert deliver(later=timedelta(minutes=2)) == 1
    assert {received.id for received in smtp.received} == {row(mail_id).message_id}
    assert len({received.link for received in smtp.received}) == 1
    assert row(mail_id).uncertain


def test_a_slow_server_is_waited_for(smtp):
    mail_id = post()
    smtp.pauses = dict.fromkeys(STEPS, 0.2)

    assert deliver() == 1
    assert len(smtp.received) == 1
    assert not row(mail_id).uncertain


def test_a_server_slower_than_the_time_out_delays(smtp, monkeypatch):
    mail_id = post()
    monkeypatch.setattr(delivery, "TIMEOUT", 0.3)
    smtp.pauses = {"rcpt": 2}

    assert deliver() == 0

    assert row(mail_id).state is MailState.QUEUED
    assert not row(mail_id).uncertain


def test_the_answer_to_a_whole_message_is_waited_for_longer_than_each_step(smtp, monkeypatch):
    """A server that takes its time over a message has it already: giving up would send it twice."""
    post()
    monkeypatch.setattr(delivery, "TIMEOUT", 0.5)
    smtp.pauses = {"data": 1.5}

    assert deliver() == 1

    assert len(smtp.received) == 1


def test_the_lease_outlasts_the_conversation():
    """From claim to answer: MAIL, RCPT, RSET or so, then the message."""
    assert timedelta(seconds=3 * delivery.TIMEOUT + delivery.ANSWER_TIMEOUT) < delivery.LEASE


# --- workers


def test_workers_at_the_same_time_send_each_message_once(app, smtp):
    """S29: a claim is a conditional UPDATE."""
    expected = {post(f"n{number}@papeterie.example", linked=False) for number in range(24)}
    smtp.pauses = {"data": 0.01}
    start = threading.Barrier(4)
    sent, problems = [], []

    def work():
        with app.app_context():
            start.wait()
            try:
                with writing():
                    sent.append(delivery.deliver())
            except Exception as problem:
                problems.append(problem)

    db.session.remove()
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert problems == []
    assert sum(sent) == len(expected)
    assert sorted(received.recipients[0] for received in smtp.received) == sorted(f"n{number}@papeterie.example" for number in range(24))
    assert {row(mail_id).state for mail_id in expected} == {MailState.SENT}


WORKER = """
import sys
from pathlib import Path
from portal import create_app
from portal.core import jobs
from tests.support.databases import settings
app = create_app(settings(sys.argv[1], Path(sys.argv[2]), mail_server="127.0.0.1", mail_port=int(sys.argv[3])))
with app.app_context():
    jobs.run("deliver_mail")
"""


def test_a_worker_killed_between_acceptance_and_mark_sends_once_more_after_its_lease(app, smtp, tmp_path):
    """R103: the one case of a second copy: same Message-ID and link, and the outbox shows it."""
    mail_id = post()
    db.session.remove()
    url = db.engine.url.render_as_string(hide_password=False)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, url, str(tmp_path), str(smtp.port)], cwd=databases.cli.ROOT)
    smtp.accepted = lambda received: os.kill(worker.pid, signal.SIGKILL)

    assert worker.wait(60) == -signal.SIGKILL

    smtp.accepted = lambda received: None
    assert len(smtp.received) == 1
    assert row(mail_id).state is MailState.SENDING
    assert deliver() == 0  # its claim stands
    assert deliver(later=delivery.LEASE + timedelta(seconds=5)) == 1
    first, second = smtp.received
    assert first.id == second.id
    assert first.link == second.link
    assert row(mail_id).state is MailState.SENT
    assert row(mail_id).uncertain


def test_a_database_that_does_not_answer_after_acceptance_does_not_make_it_two(smtp, monkeypatch):
    """The mark is written as soon as the database is there again."""
    post()
    mark, failures = delivery._mark, iter(range(2))

    def broken_twice(mail, **values):
        for _ in failures:
            raise sa.exc.OperationalError("UPDATE mail", {}, Exception("database is locked"))
        return mark(mail, **values)

    monkeypatch.setattr(delivery, "_mark", broken_twice)

    assert deliver() == 1
    assert deliver(later=delivery.LEASE * 2) == 0
    assert len(smtp.received) == 1


def test_a_worker_that_lost_its_claim_marks_nothing(smtp):
    """A worker that slept past its lease leaves the message to the one that took over."""
    mail_id = post()
    mail = delivery._claim_next()
    with clock.shifted(delivery.LEASE * 2):
        delivery._release_lapsed_claims()

    assert not delivery._mark(mail, state=MailState.FAILED, error="too late")
    assert row(mail_id).state is MailState.QUEUED


def test_the_outbox_page_says_that_a_message_may_have_gone_out_twice(smtp, people):
    admin = invite(people)
    smtp.hang_up_at = "data"
    deliver()
    smtp.behave()
    deliver(later=timedelta(minutes=2))

    assert "May have been sent twice" in admin.get("/outbox").text


def test_a_commit_with_mail_in_it_wakes_the_delivery(app, monkeypatch):
    woken = []
    monkeypatch.setattr(jobs, "wake", woken.append)

    post()

    assert woken == ["deliver_mail"]
