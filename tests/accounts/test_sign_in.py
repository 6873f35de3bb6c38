"""Signing in and out, sessions, and coming back after a session has ended."""

import json
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import db

ADMIN = "admin@atelier-nuage.example"
SALES = "sales@atelier-nuage.example"
PASSWORD = "demo portal 2026"


def sign_in(visitor, email=SALES, password=PASSWORD, status=200, **fields):
    return visitor.submit(visitor.get("/sign-in"), email=email, password=password, status=status, **fields)


def cookie(visitor):
    return visitor.client.get_cookie("portal").value


def test_a_person_signs_in_and_lands_at_home(people):
    visitor = people.visitor()

    visitor.post("/sign-in", {"email": "Sales@Atelier-Nuage.example ", "password": PASSWORD})

    assert visitor.get("/account").h1 == "Your account"


def test_a_page_asked_for_before_sign_in_is_where_one_lands(people):
    visitor = people.visitor()

    landed = visitor.submit(visitor.open("/account/sessions"), email=SALES, password=PASSWORD)

    assert landed.h1 == "Your sessions"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/sign-out"])
def test_the_way_back_stays_on_this_host(people, target):
    """S32"""
    visitor = people.visitor()

    answer = visitor.post("/sign-in", {"email": SALES, "password": PASSWORD, "next": target})

    assert answer.response.location == "/"


@pytest.mark.parametrize(("email", "password"), [(SALES, "wrong password"), ("nobody@atelier-nuage.example", PASSWORD), ("nobody@nowhere.example", "x")])
def test_the_refusal_does_not_tell_whether_the_address_is_known(people, email, password):
    """S12"""
    refused = sign_in(people.visitor(), email, password, status=422)

    assert refused.errors == {"": "Please check what you entered E-mail address and password do not fit together. Check both, or set a new password."}


def test_sign_in_needs_the_token_of_the_visitors_own_session(people):
    """S30"""
    visitor = people.visitor()
    visitor.get("/sign-in")

    visitor.post("/sign-in", {"email": SALES, "password": PASSWORD}, status=400, token=False)


def test_a_cookie_from_before_sign_in_is_worthless_after_it(people):
    """S1"""
    visitor = people.visitor()
    visitor.get("/sign-in")
    before = cookie(visitor)
    sign_in(visitor)

    visitor.client.set_cookie("portal", before)

    visitor.get("/account", status=303)


def test_after_signing_out_a_copy_of_the_cookie_opens_nothing(people):
    """S2, S31"""
    visitor = people.visitor()
    sign_in(visitor)
    copy = cookie(visitor)
    assert visitor.get("/sign-out").h1 == "Sign out"
    visitor.get("/account")

    visitor.post("/sign-out")
    visitor.client.set_cookie("portal", copy)

    visitor.get("/account", status=303)


def test_a_deactivated_person_is_out_at_once(people):
    """S3"""
    admin, sales = people(ADMIN), people(SALES)
    page = admin.get("/users?q=Caradec")
    url = page.soup.select_one("td.title a")["href"]

    admin.post(f"{url}/deactivation")

    sales.get("/account", status=303)
    assert sign_in(people.visitor(), status=422).errors


def test_an_idle_session_ends_and_use_extends_it(people):
    """S5"""
    sales = people(SALES)

    with clock.shifted(timedelta(hours=11)):
        sales.get("/account")
    with clock.shifted(timedelta(hours=22)):
        sales.get("/account")
    with clock.shifted(timedelta(hours=35)):
        sales.get("/account", status=303)


def test_no_session_lives_longer_than_seven_days(people):
    """S6"""
    sales = people(SALES)

    for hours in range(10, 168, 10):
        with clock.shifted(timedelta(hours=hours)):
            sales.get("/account")
    with clock.shifted(timedelta(hours=169)):
        sales.get("/account", status=303)


def test_guessing_is_stopped_for_the_account_and_forged_addresses_do_not_help(people):
    """S11"""
    visitor = people.visitor()
    visitor.get("/sign-in")

    for number in range(10):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        data = {"email": SALES, "password": f"guess {number}", "csrf_token": visitor.csrf_token()}
        assert visitor.client.post("/sign-in", data=data, headers=headers).status_code == 422
    stopped = visitor.post("/sign-in", {"email": SALES, "password": PASSWORD}, status=429)

    assert int(stopped.response.headers["Retry-After"]) > 60
    visitor.post("/sign-in", {"email": ADMIN, "password": PASSWORD})


def test_the_owner_is_not_locked_out_by_somebody_elses_guesses(people):
    """S11: a browser that signed in there before is counted apart, and the window ends."""
    owner, other = people.visitor(), people.visitor()
    sign_in(owner)
    owner.post("/sign-out")

    for number in range(11):
        other.post("/sign-in", {"email": SALES, "password": f"guess {number}"}, status=422 if number < 10 else 429)

    owner.post("/sign-in", {"email": SALES, "password": PASSWORD})
    with clock.shifted(timedelta(minutes=16)):
        other.post("/sign-in", {"email": SALES, "password": PASSWORD})


def test_signing_in_well_uses_up_no_tries(people):
    visitor = people.visitor()

    for _ in range(45):
        visitor.post("/sign-in", {"email": SALES, "password": PASSWORD})


def test_counts_survive_a_restart(app, people):
    """S11: they are rows, keyed by a digest."""
    from portal.core.throttle import ThrottleCount

    people.visitor().post("/sign-in", {"email": SALES, "password": "wrong"}, status=422)

    keys = [key for (key,) in db.session.query(ThrottleCount.key)]
    assert len(keys) == 2
    assert not any("sales" in key for key in keys)


def test_the_database_holds_no_working_session_token(people):
    """S21, S22"""
    from portal.accounts.models import UserSession

    visitor = people.visitor()
    sign_in(visitor)

    with visitor.client.session_transaction() as session:
        token = session["_user_id"]
    assert len(token) >= 43
    assert token not in [row.token_hash for row in db.session.query(UserSession)]


def test_good_and_bad_sign_ins_are_logged(people):
    """S40"""
    from portal.core.audit import LogEntry

    visitor = people.visitor()
    visitor.post("/sign-in", {"email": SALES, "password": "wrong"}, status=422)
    sign_in(visitor)

    actions = [action for (action,) in db.session.query(LogEntry.action).order_by(LogEntry.id.desc()).limit(2)]
    assert actions == ["session.opened", "session.refused"]


def test_htmx_is_sent_to_the_sign_in_page_and_back(people):
    answer = people.visitor().client.get("/users?q=a", headers={"HX-Request": "true", "HX-Target": "div#results"})

    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/users?q%3Da"


def end_session_of(visitor):
    from portal.accounts.models import UserSession

    db.session.query(UserSession).update({"ended_at": clock.now()})
    db.session.commit()


def test_what_was_typed_when_the_session_ended_comes_back_to_its_author(people):
    sales = people.visitor()
    sign_in(sales)
    form = sales.get("/account")
    end_session_of(sales)

    again = sales.submit(form, "#form", name="Inès Caradec-Roux", status=401)
    assert "Caradec-Roux" not in str(again.soup)
    resumed = sales.submit(again, email=SALES, password=PASSWORD)
    assert "Inès Caradec-Roux" in resumed.text
    saved = sales.submit(resumed)

    assert saved.flashes == ["Your account is saved."]
    assert "Inès Caradec-Roux" in saved.text


def test_what_was_typed_is_given_to_nobody_else(people):
    sales = people.visitor()
    sign_in(sales)
    form = sales.get("/account")
    end_session_of(sales)

    again = sales.submit(form, "#form", name="A secret", status=401)
    other = sales.submit(again, email=ADMIN, password=PASSWORD)

    assert "A secret" not in str(other.soup)
    assert "somebody else" in " ".join(other.flashes)


def test_a_password_typed_into_an_interrupted_form_is_not_carried(people):
    sales = people.visitor()
    sign_in(sales)
    form = sales.get("/account/password")
    end_session_of(sales)

    again = sales.submit(form, "#form", current=PASSWORD, password="correct horse battery", status=401)
    resumed = sales.submit(again, email=SALES, password=PASSWORD)

    assert "correct horse" not in str(resumed.soup)


def test_htmx_gets_a_sign_in_dialog_and_the_page_stays(people):
    sales = people.visitor()
    sign_in(sales)
    form = sales.get("/account")
    end_session_of(sales)

    asked = sales.submit(form, "#form", name="Inès", status=401, htmx=True)
    assert asked.response.headers["HX-Retarget"] == "#dialog"
    assert asked.soup.find("h2").get_text() == "Sign in again"
    wrong = sales.submit(asked, "/sign-in", email=SALES, password="wrong", status=422, htmx=True, target="dialog")
    done = sales.submit(wrong, "/sign-in", email=SALES, password=PASSWORD, status=204, htmx=True, target="dialog")

    assert "portal:signed-in" in done.response.headers["HX-Trigger"]
    assert sales.submit(form, "#form", name="Inès C.", csrf_token=json.loads(done.response.headers["HX-Trigger"])["portal:signed-in"]["csrf"]).flashes


def test_somebody_else_who_signs_in_through_the_dialog_leaves_the_page(people):
    sales = people.visitor()
    sign_in(sales)
    form = sales.get("/account")
    end_session_of(sales)

    asked = sales.submit(form, "#form", name="Inès", status=401, htmx=True)
    done = sales.submit(asked, "/sign-in", email=ADMIN, password=PASSWORD, htmx=True, target="dialog")

    assert done.response.headers["HX-Redirect"] == "/"


def test_a_visitor_chooses_the_language(people):
    visitor = people.visitor()

    visitor.post("/language", {"language": "fr", "next": "/sign-in"})

    assert visitor.get("/sign-in").soup.html["lang"] == "fr"
    assert visitor.post("/language", {"language": "xx", "next": "//evil.example"}).response.location == "/"
