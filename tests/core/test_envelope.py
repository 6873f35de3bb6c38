"""The envelope: one transaction a request, and one template in two shapes (R104, R105, S31)."""

import pytest
import sqlalchemy as sa
from werkzeug.datastructures import MultiDict

from portal.accounts.models import User
from portal.core.db import db
from tests.support.page import Visitor

ADMIN = "admin@atelier-nuage.example"
PERSON = {"name": "Jade Morel", "email": "jade@atelier-nuage.example", "roles": ["sales_agent"], "language": "en"}


def names():
    db.session.rollback()
    return set(db.session.scalars(sa.select(User.name)))


def with_view(app, monkeypatch, endpoint, view):
    """Another view in this one's place, inside the same envelope."""
    from portal.core.routing import enveloped

    monkeypatch.setitem(app.view_functions, endpoint, enveloped(view, (app.view_functions[endpoint].permission,)))


CHANGES = {
    "statement": lambda: db.session.execute(sa.update(User).values(name="Changed by reading")),
    "row": lambda: setattr(db.session.scalars(sa.select(User).limit(1)).one(), "name", "Changed by reading"),
    "text": lambda: db.session.execute(sa.text("UPDATE \"user\" SET name = 'Changed by reading'")),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_safe_request_changes_nothing_whatever_its_view_tries(app, people, monkeypatch, kind):
    """S31"""

    def careless(**arguments):
        CHANGES[kind]()
        db.session.flush()
        return "done"

    with_view(app, monkeypatch, "account.edit", careless)
    visitor = people(ADMIN)
    with pytest.raises(RuntimeError, match="safe request"):
        visitor.client.get("/account")

    assert "Changed by reading" not in names()


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_change_leaves_nothing_half_done(app, people, monkeypatch, status):
    def half_done(**arguments):
        db.session.execute(sa.update(User).values(name="Half done"))
        return "no", status

    with_view(app, monkeypatch, "account.update", half_done)

    people(ADMIN).post("/account", status=status)
    assert "Half done" not in names()


def test_an_error_leaves_nothing_half_done(app, people, monkeypatch):
    def broken(**arguments):
        db.session.execute(sa.update(User).values(name="Half done"))
        raise RuntimeError("in the middle")

    with_view(app, monkeypatch, "account.update", broken)
    visitor = people(ADMIN)

    with pytest.raises(RuntimeError):
        visitor.post("/account")
    assert "Half done" not in names()


def test_two_who_claim_the_same_thing_at_once_are_told_so(app, people, monkeypatch):
    """A constraint of the database is an answer, not a crash."""

    def doubled(**arguments):
        raise sa.exc.IntegrityError("INSERT", {}, Exception("UNIQUE"))

    with_view(app, monkeypatch, "account.update", doubled)

    assert people(ADMIN).post("/account", status=409).h1 == "That was not done"


# --- two shapes


def test_done_is_a_redirect_for_a_browser_and_a_location_for_htmx(people):
    visitor = people(ADMIN)

    whole = visitor.post("/users", PERSON)
    part = visitor.post("/users", {**PERSON, "email": "jade2@atelier-nuage.example"}, status=200, htmx=True)

    assert whole.response.location.startswith("/users/")
    assert part.response.headers["HX-Location"].startswith("/users/")
    assert "Location" not in part.response.headers
    assert part.response.data == b""


def test_a_fragment_is_the_block_and_a_history_restore_the_page(people):
    visitor = people(ADMIN)

    fragment = visitor.get("/customers", htmx=True)
    restored = visitor.client.get("/customers", headers={"HX-History-Restore-Request": "true"})
    other_target = visitor.client.get("/customers", headers={"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#something"})

    assert fragment.soup.find(True)["id"] == "results"
    assert not fragment.soup.find("html")
    assert len(fragment.response.data) < len(restored.data)
    assert b"<html" in restored.data
    assert b"<html" in other_target.data


@pytest.mark.parametrize(("url", "status"), [("/nothing", 404), ("/my", 403), ("/customers/018f0000-0000-7000-8000-000000000000", 404)])
def test_an_error_is_a_short_message_for_htmx_and_the_page_stays(people, url, status):
    page = people(ADMIN).get(url, status=status, htmx=True)

    assert page.response.headers["HX-Retarget"] == "#flash"
    assert page.response.headers["HX-Push-Url"] == "false"
    assert not page.soup.find("html")
    assert page.flashes


def test_somebody_not_signed_in_is_led_to_sign_in_and_back(people):
    visitor = people.visitor()

    whole = visitor.client.get("/customers?q=a&sort=-name")
    part = visitor.client.get("/customers?q=a", headers={"HX-Request": "true"})

    assert (whole.status_code, whole.location) == (303, "/sign-in?next=/customers?q%3Da%26sort%3D-name")
    assert part.headers["HX-Redirect"].startswith("/sign-in?next=/customers")
    signed_in = visitor.submit(visitor.get(whole.location), "/sign-in", email=ADMIN, password="demo portal 2026")
    assert signed_in.url == "/customers?q=a&sort=-name"


def test_extra_fields_are_ignored(people):
    """S27: nobody sets what the form does not have."""
    visitor = people(ADMIN)
    visitor.post("/users", MultiDict([*PERSON.items(), ("state", "active"), ("organization_id", "1"), ("id", "1"), ("password_hash", "x"), ("version", "99")]))
    db.session.rollback()

    user = db.session.scalars(sa.select(User).where(User.email_key == PERSON["email"])).one()
    assert (user.state, user.version, user.password_hash, user.organization.domain) == ("invited", 1, None, "atelier-nuage.example")


@pytest.mark.parametrize("url", ["/users/not-a-uuid", "/customers/1", "/customers/%00", "/relationship-requests/..%2f..", "/outbox/018f0000"])
def test_a_malformed_key_is_not_found(people, url):
    people(ADMIN).get(url, status=404)


def test_bytes_that_are_no_text_are_refused_or_ignored(app, people):
    visitor = people(ADMIN)

    for data, kind in (
        (b"\xff\xfe=%ff&name=%C3%28", "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ):
        response = visitor.client.post("/users", data=data, content_type=kind, headers={"X-CSRF-Token": visitor.csrf_token()})
        assert response.status_code in (400, 422), (kind, response.status_code)
    assert isinstance(visitor, Visitor)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_a_database_that_is_away_is_said_in_words(app, people, monkeypatch, method, htmx):
    """Nobody can even be recognised then: the page that says so asks the database for nothing."""

    def gone(*arguments, **options):
        raise sa.exc.OperationalError("SELECT", {}, Exception("connection is bad"))

    visitor = people(ADMIN)
    token = visitor.csrf_token()
    monkeypatch.setattr(app.login_manager, "_user_callback", gone)
    headers = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#form"} if htmx else {}

    response = visitor.client.open("/account", method=method, data={"csrf_token": token} if method == "POST" else None, headers=headers)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database does not answer" in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("http://localhost/customers?q=tell", "/customers?q=tell"),
        ("http://localhost/nowhere", None),  # a page that was loaded again
        ("http://elsewhere.example/customers", None),
        ("https://localhost/customers", None),
        ("http://localhost//elsewhere.example", None),
        ("javascript:alert(1)", None),
        ("http://[localhost/customers", None),
        ("", None),
    ],
)
def test_an_error_leads_back_to_the_page_before(people, came_from, back):
    """S32"""
    page = people(ADMIN).get("/nowhere", 404, Referer=came_from)

    assert [link["href"] for link in page.soup.select("main .cluster a")] == [*([back] if back else []), "/"]
