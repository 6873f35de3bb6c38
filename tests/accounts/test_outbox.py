"""The outbox page: what stands there, for whom, and trying again."""

import pytest

from portal.core.db import db
from portal.core.outbox import Mail, MailState
from tests.support import mail

ADMIN = "admin@atelier-nuage.example"
NEWCOMER = "jade@atelier-nuage.example"


@pytest.fixture
def invited(people):
    admin = people(ADMIN)
    admin.submit(admin.get("/users/new"), "#form", name="Jade Morel", email=NEWCOMER, roles=["sales_agent"])
    return admin


def change(**values):
    db.session.query(Mail).filter_by(recipient=NEWCOMER).update(values)
    db.session.commit()


def open_mail(visitor):
    return visitor.get(visitor.get(f"/outbox?q={NEWCOMER}").soup.select_one("td.title a")["href"])


def test_mail_is_listed_searched_and_filtered(invited):
    assert NEWCOMER in invited.get("/outbox").text
    assert NEWCOMER in invited.get("/outbox?q=JADE&state=queued", htmx=True).text
    assert "No mail matches" in invited.get("/outbox?state=failed").text
    assert "No mail server is set" in invited.get("/outbox").text


def test_outside_production_the_personal_link_can_be_read_and_used(invited, people):
    page = open_mail(invited)

    link = page.soup.select_one("#text a")["href"]

    assert people.visitor().open(link.removeprefix("http://localhost")).h1 == "Activate your account"


def test_in_production_the_personal_link_is_masked(app, invited, monkeypatch):
    """S22"""
    from dataclasses import replace

    token = mail.latest(NEWCOMER).link.rpartition("/")[2]
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], base_url="https://portal.example"))

    page = open_mail(invited)

    assert token not in page.response.get_data(as_text=True)
    assert "shown to the recipient only" in page.text


def test_only_a_failed_message_is_tried_again(invited):
    page = open_mail(invited)
    assert not page.soup.select("main form")
    invited.post(f"{page.url}/sending", status=409)

    change(state=MailState.FAILED, error="550 no such mailbox", attempts=1)
    failed = open_mail(invited)
    assert "550 no such mailbox" in failed.text
    again = invited.submit(failed, f"{page.url}/sending")

    assert "in the queue again" in again.flashes[0]
    assert mail.latest(NEWCOMER).mail.state is MailState.QUEUED


def test_what_may_have_been_sent_twice_says_so(invited):
    """R103"""
    change(uncertain=True)

    assert "May have been sent twice" in invited.get("/outbox").text
    assert "May have been sent twice" in open_mail(invited).text


def test_each_organization_sees_its_own_mail_only(invited, people):
    """R2, S24"""
    url = open_mail(invited).url
    stranger = people("admin@studio-cumulus.example")

    assert NEWCOMER not in stranger.get("/outbox").text
    stranger.get(url, status=404)
    stranger.post(f"{url}/sending", status=404)
    people("sales@atelier-nuage.example").get("/outbox", status=403)
