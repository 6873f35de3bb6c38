"""Invitations and activation, forgotten passwords, and what they prove and never tell."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.accounts import passwords
from portal.accounts.models import User
from portal.core import clock, jobs
from portal.core.audit import LogEntry
from portal.core.db import db
from portal.core.outbox import Mail
from portal.core.tokens import OneTimeLink
from tests.support import mail

ADMIN = "admin@atelier-nuage.example"
SALES = "sales@atelier-nuage.example"
NEWCOMER = "jade@atelier-nuage.example"
PASSWORD = "demo portal 2026"
FRESH = "seven unrelated geese"


def invite(people, email=NEWCOMER, roles=("sales_agent",), by=ADMIN):
    admin = people(by)
    admin.submit(admin.get("/users/new"), "#form", name="Jade Morel", email=email, roles=list(roles))
    return mail.latest(email).link


def opened(people, link):
    visitor = people.visitor()
    page = visitor.open(link)
    return visitor, page


def with_code(people, link, email=NEWCOMER):
    visitor, page = opened(people, link)
    page = visitor.submit(page)
    return visitor, page, mail.latest(email).code


def test_an_invited_person_proves_the_mailbox_chooses_a_password_and_is_in(people):
    link = invite(people)

    visitor, page, code = with_code(people, link)
    home = visitor.submit(page, "#form", code=f" {code[:3]} {code[3:]}", password=FRESH, time_zone="Europe/Paris")

    assert "Welcome, Jade Morel." in " ".join(home.flashes)
    account = visitor.get("/account")
    assert account.soup.select_one("#time_zone option[selected]")["value"] == "Europe/Paris"


def test_whom_nobody_chose_a_language_for_keeps_that_of_the_page(people):
    """The first admin of a partner reads mail in the language of the browser, until another one is chosen."""
    link = invite(people)
    db.session.execute(sa.update(User).where(User.email == NEWCOMER).values(language=None))
    db.session.commit()
    visitor, _ = opened(people, link)
    page = visitor.submit(visitor.get("/activation?lang=fr"))
    code = mail.latest(NEWCOMER)
    assert "Ne le donnez à personne" in code.text

    visitor.submit(page, "#form", code=code.code, password=FRESH)

    db.session.rollback()
    assert db.session.scalar(sa.select(User.language).where(User.email == NEWCOMER)) == "fr"


def test_opening_the_link_changes_nothing_and_leads_to_an_address_without_it(people):
    """S15, S23, S31"""
    link = invite(people)
    visitor = people.visitor()

    for _ in range(3):
        answer = visitor.get(link, status=303)

    assert answer.response.location == "/activation"
    page = visitor.get("/activation")
    token = link.rpartition("/")[2]
    assert token not in page.response.get_data(as_text=True)
    assert "Atelier Nuage" in page.text
    assert NEWCOMER in page.text


def test_the_link_alone_opens_no_account(people):
    """R23: a link proves no mailbox."""
    link = invite(people)
    visitor, page, _code = with_code(people, link)

    refused = visitor.submit(page, "#form", code="000000", password=FRESH, status=422)

    assert "not the code" in refused.errors["code"]


def test_guessing_the_code_is_stopped(people):
    """S18: six wrong guesses, and the code is dead."""
    link = invite(people)
    visitor, page, code = with_code(people, link)
    wrong = "111111" if code != "111111" else "222222"

    for _ in range(6):
        visitor.submit(page, "#form", code=wrong, password=FRESH, status=422)

    visitor.submit(page, "#form", code=code, password=FRESH, status=422)


def test_a_weak_password_does_not_use_up_the_code(people):
    link = invite(people)
    visitor, page, code = with_code(people, link)

    weak = visitor.submit(page, "#form", code=code, password="short", status=422)
    assert "At least" in weak.text or "at least" in weak.errors["password"]

    visitor.submit(weak, "#form", code=code, password=FRESH)


def test_the_link_works_once(people):
    """S15"""
    link = invite(people)
    visitor, page, code = with_code(people, link)
    visitor.submit(page, "#form", code=code, password=FRESH)

    dead = people.visitor().get(link, status=410)

    assert dead.h1 == "This link does not work any more"
    visitor.get("/activation", status=410)


def test_the_link_expires(people):
    """S15"""
    link = invite(people)

    with clock.shifted(timedelta(days=14, minutes=1)):
        people.visitor().get(link, status=410)


def test_sending_again_kills_the_former_link_even_where_it_is_open(people):
    """S15"""
    admin = people(ADMIN)
    link = invite(people)
    visitor, page = opened(people, link)
    user = admin.get(admin.get("/users?q=jade").soup.select_one("td.title a")["href"])

    admin.submit(user, f"{user.url}/invitation")

    assert mail.latest(NEWCOMER).link != link
    people.visitor().get(link, status=410)
    visitor.submit(page, status=410)


def test_withdrawing_kills_the_link(people):
    """S15"""
    admin = people(ADMIN)
    link = invite(people)
    user = admin.get(admin.get("/users?q=jade").soup.select_one("td.title a")["href"])

    asked = admin.get(f"{user.url}/deactivation")
    gone = admin.submit(asked, "#form")

    assert "withdrawn" in " ".join(gone.flashes)
    people.visitor().get(link, status=410)


@pytest.mark.parametrize("token", ["x", "a" * 27, "é" * 27, "a" * 5000, "%00", "..%2f.."])
def test_a_malformed_link_is_a_dead_one(people, token):
    page = people.visitor().client.get(f"/activation/{token}")

    assert page.status_code in (404, 410)


def test_codes_are_limited_for_each_address(people):
    """S10"""
    link = invite(people)
    visitor, _page = opened(people, link)

    for _ in range(6):
        visitor.post("/activation/code")

    assert visitor.post("/activation/code", status=429).response.headers["Retry-After"]


def test_an_address_with_an_account_elsewhere_is_invited_like_any_other(people):
    """S12: the answer tells nothing; only who proves the mailbox learns it."""
    admin = people(ADMIN)
    taken = "admin@studio-cumulus.example"

    page = admin.submit(admin.get("/users/new"), "#form", name="Bastien", email=taken, roles=["sales_agent"])
    assert f"The invitation to {taken} is on its way" in " ".join(page.flashes)

    visitor, form, code = with_code(people, mail.latest(taken).link, taken)
    refused = visitor.submit(form, "#form", code=code, password=FRESH, status=422)
    assert "another organization" in refused.text


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("short", False),
        ("password1234", False),
        ("aaaaaaaaaaaa", False),
        ("admin@atelier-nuage.example", False),
        ("  spaces around  ", True),
        ("ÜnïcödeKennwort", True),
        ("x1!" + "longer than sixty-four characters " * 5, True),
        ("alllowercaseletters", True),
    ],
)
def test_passwords_are_long_uncommon_and_kept_as_typed(people, password, good):
    """S13"""
    admin = people.visitor()
    admin.submit(admin.get("/sign-in"), email=ADMIN, password=PASSWORD)

    answer = admin.submit(admin.get("/account/password"), "#form", current=PASSWORD, password=password, status=200 if good else 422)

    if good:
        people.visitor().post("/sign-in", {"email": ADMIN, "password": password})
        people.visitor().post("/sign-in", {"email": ADMIN, "password": password.strip() + "?"}, status=422)
    else:
        assert "password" in answer.errors


def test_passwords_are_kept_as_argon2id(people):
    """S14: at a current cost, with a salt each."""
    for email in (SALES, ADMIN):
        person = people(email)
        person.submit(person.get("/account/password"), "#form", current=PASSWORD, password=FRESH)

    hashes = [row.password_hash for row in db.session.query(User).filter(User.email_key.in_([SALES, ADMIN]))]

    assert all(value.startswith("$argon2id$") for value in hashes)
    assert len(set(hashes)) == 2
    production = passwords._hasher_for("production")
    assert (production.memory_cost, production.time_cost) >= (19456, 2)


def test_the_database_holds_no_working_link_or_code(people):
    """S21, S22: only nonce, generation and hash; queued mail gets its link at delivery."""
    link = invite(people)
    _visitor, _page, code = with_code(people, link)
    token = link.rpartition("/")[2]

    assert len(token) >= 27
    for model in (OneTimeLink, User, Mail, LogEntry):
        for row in db.session.query(model):
            assert token not in " ".join(str(getattr(row, column.key)) for column in model.__mapper__.columns)
    sent = mail.latest(NEWCOMER)
    assert code in sent.text
    assert code not in sent.mail.text
    assert "{code}" in sent.mail.text


# --- forgotten password


def forgot(people, email):
    visitor = people.visitor()
    answer = visitor.submit(visitor.get("/forgotten-password"), "#form", email=email)
    db.session.rollback()
    jobs.run("answer_reset_wishes")
    return visitor, answer


def test_who_forgot_the_password_sets_a_new_one_by_a_mailed_link(people):
    """S4, S16"""
    before = people(SALES)
    visitor, _ = forgot(people, SALES)

    form = visitor.open(mail.latest(SALES).link)
    signed_out = visitor.submit(form, "#form", password=FRESH)

    assert signed_out.h1 == "Sign in"
    before.get("/account", status=303)
    people.visitor().post("/sign-in", {"email": SALES, "password": PASSWORD}, status=422)
    people.visitor().post("/sign-in", {"email": SALES, "password": FRESH})
    assert "was changed" in mail.latest(SALES).text


def test_the_answer_is_the_same_for_every_address(people):
    """S12"""
    known = forgot(people, SALES)[1]
    unknown = forgot(people, "noone@atelier-nuage.example")[1]

    assert known.flashes[0].replace(SALES, "") == unknown.flashes[0].replace("noone@atelier-nuage.example", "")
    assert not mail.all_to("noone@atelier-nuage.example")


def test_asking_again_cancels_the_older_link_and_each_works_once(people):
    """S16"""
    forgot(people, SALES)
    first = mail.latest(SALES).link
    visitor, _ = forgot(people, SALES)
    second = mail.latest(SALES).link

    people.visitor().get(first, status=410)
    form = visitor.open(second)
    visitor.submit(form, "#form", password=FRESH)

    people.visitor().get(second, status=410)
    visitor.post("/forgotten-password/new", {"password": FRESH + "!"}, status=410)


def test_a_reset_link_is_good_for_one_hour(people):
    """S16"""
    forgot(people, SALES)

    with clock.shifted(timedelta(minutes=61)):
        people.visitor().get(mail.latest(SALES).link, status=410)


def test_a_changed_password_cancels_reset_links_and_other_sessions(people):
    """S4, S19"""
    forgot(people, SALES)
    link = mail.latest(SALES).link
    here, elsewhere = people(SALES), people(SALES)

    saved = here.submit(here.get("/account/password"), "#form", current=PASSWORD, password=FRESH)

    assert saved.flashes == ["Your password is changed. Your other sessions have ended."]
    elsewhere.get("/account", status=303)
    people.visitor().get(link, status=410)
    assert mail.latest(SALES).subject == "Your password was changed"


def test_resets_are_limited_for_each_address_known_or_not(people):
    """S10, S12"""
    visitor = people.visitor()

    for email in (SALES, "noone@nowhere.example"):
        for _ in range(5):
            visitor.post("/forgotten-password", {"email": email})
        visitor.post("/forgotten-password", {"email": email}, status=429)


def test_the_mail_says_the_same_in_both_parts_and_names_its_host(people):
    invite(people)
    sent = mail.latest(NEWCOMER)

    assert "http://localhost/activation/" in sent.text
    assert "Open localhost" in sent.html
    assert "<img" not in sent.html
    assert sent.mail.reply_to.endswith(f"<{ADMIN}>")


def test_names_stay_text_in_mail(people):
    """S34"""
    admin = people(ADMIN)
    admin.submit(admin.get("/users/new"), "#form", name="O'Hara <b>& Co", email=NEWCOMER, roles=["sales_agent"])
    sent = mail.latest(NEWCOMER)

    assert "O'Hara <b>& Co" in sent.text
    assert "<b>" not in sent.html


def test_the_first_admin_of_an_added_customer_is_told_who_added_it_and_why(people):
    """R16, R18: the adding partner is told when its customer's first admin is in."""
    from portal.accounts import service
    from portal.accounts.service import Colleague
    from portal.core.db import writing
    from portal.core.scope import EVERYTHING, scoped
    from tests.support import make

    added = make.customer()
    customer_id = added.public_id
    email = "patron@fonderie-sarrault.example"
    with writing(), scoped(EVERYTHING):
        entry = Colleague("Paul Sarrault", email, ["customer_admin"], "en")
        service.invite_user(added.organization, entry, by=make.actor(SALES), at=clock.now(), about="first_admin")
        db.session.commit()
    invitation = mail.latest(email)
    assert "Atelier Nuage added Fonderie Sarrault as a customer and names you its first admin." in invitation.text

    visitor, page, code = with_code(people, invitation.link, email)
    visitor.submit(page, "#form", code=code, password=FRESH, status=200)

    told = mail.latest(ADMIN)
    assert told.subject == "Fonderie Sarrault: the first admin is in"
    assert f"http://localhost/customers/{customer_id}" in told.text


def test_somebody_who_has_an_account_is_told_where_to_sign_in(app):
    from portal.accounts import mails
    from portal.core.db import writing

    with writing():
        mails.already_known("known@elsewhere.example", organization_id=None, language="en", at=clock.now())
        db.session.commit()

    assert "http://localhost/sign-in" in mail.latest("known@elsewhere.example").text
