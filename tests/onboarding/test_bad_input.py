"""What bad input gets: an answer beside where it belongs, nothing half-done, never a 500 (customers and adding one)."""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from portal.customers.models import Customer
from portal.onboarding.models import CustomerDraft
from tests.customers.test_account import account, edit, record
from tests.onboarding.test_adding import COMPANY, SALES, company, counted, everything, fill, submit
from tests.support import databases, make

# What only the form says is the same on every database.
ONCE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
RLO, ISOLATE, ZERO_WIDTH = "\u202e", "\u2066", "\u200b"
REST = {"country": "FR", "language": "en", "segment": "commercial"}


@ONCE
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        *[(name, "", "Fill this in.") for name in ("name", "domain", "street", "postal_code", "city", "first_name", "last_name", "email")],
        *[(name, " \t\u200b\x00 ", "Fill this in.") for name in ("name", "city", "email")],
        ("name", "X", "2 to 200 characters"),
        ("name", "x" * 201, "2 to 200 characters"),
        ("street", "x" * 301, "too long"),
        ("first_name", "x" * 101, "too long"),
        ("email", "x" * 300 + "@company.example", "too long"),
        ("phone", "1" * 41, "too long"),
        ("postal_code", "9" * 30, "too long"),
        ("tax_id", "9" * 41, "not a valid VAT number"),
        ("domain", "x" * 300, "This is too long"),
        ("domain", "localhost", "not a domain name"),
        ("domain", "a b.example", "not a domain name"),
        ("domain", "192.168.0.1", "address of a computer"),
        ("domain", "http://[2001:db8::1]/", "address of a computer"),
        ("domain", "co.uk", "Names are registered under this one"),
        ("domain", "p\u0430ypal.example", "letters of different alphabets"),
        ("domain", "xn--pypal-4ve.example", "letters of different alphabets"),
        ("domain", "'; DROP TABLE customer; --", "not a domain name"),
        ("email", "two@signs@company.example", "not an e-mail address"),
        ("email", "a\r\nBcc: all@world.example", "not an e-mail address"),
        ("postal_code", "SW1A 1AA", "does not belong to France"),
        ("segment", "military", "Choose one of the list."),
        ("language", "tlh", "Choose one of the list."),
        ("country", "\x00", "Choose one of the list."),
    ],
)
def test_bad_input_is_answered_beside_its_field_and_kept(people, field, value, says):
    before = everything()

    page = people(SALES).post("/customers/new", {**REST, **COMPANY, field: value}, 422)

    assert says in page.errors[field], page.errors
    others = [name for name in COMPANY if name != field]
    assert [page.soup.select_one(f"[name={name}]")["value"] for name in others] == [COMPANY[name] for name in others]
    assert everything() == before


@ONCE
@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", f"Acme{RLO}moc.live", "Acmemoc.live"),
        ("name", f"  A{ISOLATE}c{ZERO_WIDTH}me\x07  {RLO}SARL ", "Acme SARL"),
        ("name", "شركة المثال للتجارة", "شركة المثال للتجارة"),
        ("name", "<script>alert(1)</script> & Co", "<script>alert(1)</script> & Co"),
        ("name", "=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("name", "{% raw %} ${7*7} %(name)s", "{% raw %} ${7*7} %(name)s"),
        ("domain", " HTTPS://user@www.Scierie-Vosges.example:8443/path?a=b@c ", "scierie-vosges.example"),
        ("domain", "helene@scierie-vosges.example", "scierie-vosges.example"),
        ("domain", "scierie-vosges.example.", "scierie-vosges.example"),
        ("domain", "scierie-vosgès.example", "xn--scierie-vosgs-7gb.example"),
        ("domain", "пример.example", "xn--e1afmkfd.example"),
        ("email", "\t helene@scierie-vosges.example ", "helene@scierie-vosges.example"),
        ("city", "L'Haÿ-les-Roses", "L'Haÿ-les-Roses"),
    ],
)
def test_odd_input_that_is_right_is_taken_and_shown_as_text(people, field, value, kept):
    """S34"""
    sales = people(SALES)

    page = submit(sales, fill(sales, **{field: value}))

    assert page.status == 200
    with_domain = kept if field == "domain" else COMPANY["domain"]
    made = company(with_domain)
    values = {"name": made.name, "domain": made.domain, "city": made.city, "email": record(with_domain).email}
    assert values[field] == kept
    assert page.soup.select("script:not([src])") == []
    people(SALES).get(f"/customers/{made.public_id}")


def test_an_exported_name_runs_nothing(people):
    """R15, S36"""
    make.customer("=cmd|' /C calc'!A0", "formula.example")

    text = people("agent@atelier-nuage.example").client.get("/customers/export?q=cmd").get_data(as_text=True)

    assert ",'=cmd" in text or ",\"'=cmd" in text


NUL_FORMS = [
    ("/customers/new", dict.fromkeys([*COMPANY, *REST, "phone", "tax_id", "region", "district", "draft", "fields_of"], "a\x00b")),
    ("/customers/new/typed", dict.fromkeys([*COMPANY, *REST, "draft"], "a\x00b")),
    ("/customers/new/typed", {**COMPANY, **REST, "name": "half \ufffd and \x00", "country": "\x00"}),
]


@pytest.mark.parametrize(("path", "values"), NUL_FORMS)
def test_nul_bytes_in_a_form_break_nothing(people, path, values):
    sales = people(SALES)

    response = sales.client.post(path, data={**values, "csrf_token": sales.csrf_token()})

    assert response.status_code in (204, 422)


@pytest.mark.parametrize("section", ["company", "billing", "contact", "profile"])
def test_nul_bytes_in_a_section_break_nothing(people, section):
    make.customer()
    sales, at = people(SALES), f"{account()}/{section}"
    page = sales.get(at)
    values = {str(field["name"]): "a\x00b" for field in page.form(at).select("[name]")}
    values |= {"csrf_token": sales.csrf_token(), "version": page.soup.select_one("[name=version]")["value"]}

    response = sales.client.post(at, data=values)

    assert response.status_code in (303, 422)


NONSENSE = ["\x00", "a\x00b", "é" * 5000, "WyJcdWQ4MDAiLCAxXQ", "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwgMV0", "' OR 1=1 --", "%", "\\"]


@pytest.mark.parametrize("path", ["/customers", "/customers/former", "/customers/new"])
def test_nonsense_in_a_query_string_breaks_nothing(people, path):
    """A NUL, half a character and a number beyond 64 bits as a position too."""
    agent = people("agent@atelier-nuage.example")

    for name in ("q", "state", "agreement", "tag", "sort", "after", "before", "last", "draft"):
        for value in NONSENSE:
            for sort in ("name", "newest") if name in ("after", "before") else ("name",):
                assert agent.client.get(path, query_string={"sort": sort} | {name: value}).status_code == 200, (name, value)


def test_nonsense_exports_what_it_finds(people):
    agent = people("agent@atelier-nuage.example")

    for name in ("q", "state", "agreement", "tag", "sort"):
        for value in NONSENSE:
            assert agent.client.get("/customers/export", query_string={name: value}).get_data()[:15] == b"\xef\xbb\xbfCustomer ID,"


def test_a_long_search_finds_nothing_and_says_so(people):
    page = people(SALES).submit(people(SALES).get("/customers"), "/customers", q="scierie " * 2000)

    assert "No customer fits" in page.text


@ONCE
@pytest.mark.parametrize("notes", ["x" * 5001, "ligne\n" * 1000])
def test_too_long_notes_are_kept_in_the_form(people, notes):
    make.customer()

    page = edit(people(SALES), "profile", status=422, notes=notes)

    assert "too long" in page.errors["notes"]
    assert page.soup.select_one("[name=notes]").get_text().count("x") == notes.count("x")
    assert record().notes == ""


@pytest.mark.parametrize("path", ["/customers/new", "/customers/new/typed"])
def test_a_paste_of_20_mb_is_answered_and_saves_nothing(people, path):
    sales = people(SALES)

    page = sales.post(path, {**COMPANY, **REST, "name": "x" * 20_000_000}, 413)

    assert page.h1 == "Too large"
    assert "nothing was saved" in page.text
    assert counted(CustomerDraft) == 0


@ONCE
def test_the_browser_gets_that_answer_from_a_real_server_too(people, engine):
    """The server reads on to the end, else the browser would see a broken connection instead of the page."""
    sales = people(SALES)
    token, home = sales.csrf_token(), Path(tempfile.mkdtemp(prefix="portal-socket-"))
    cookie = sales.client.get_cookie("portal")
    database = databases.database(engine)
    database.dispose()
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{database.path}{suffix}").exists():
            shutil.copy(f"{database.path}{suffix}", home / f"portal.sqlite3{suffix}")
    environment = {"PATH": os.environ["PATH"], "PORTAL_INSTANCE": str(home), "PORTAL_SECRET_KEY": "a secret for the tests, long enough to be one"}
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "portal.cli", "serve", "--port", str(port), "--workers", "1", "--no-jobs"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        body = f"csrf_token={token}&name=".encode() + b"x" * 20_000_000
        headers = {"Cookie": f"portal={cookie.value}", "Content-Type": "application/x-www-form-urlencoded"}
        connection = _connected(port)
        connection.request("POST", "/customers/new", body, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.request("GET", "/customers", headers=headers)
        again = connection.getresponse()
        again.read()
        connection.close()
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(home, ignore_errors=True)

    assert answer.status == 413
    assert "Too large" in page
    assert again.status == 200  # on the same connection


def _free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _connected(port):
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.05)
        else:
            return connection
    raise AssertionError("portal serve does not answer")


def test_names_at_their_longest_fit_the_database(people):
    """Letters that grow when they are folded too."""
    sales = people(SALES)
    longest = {"name": "\ufdfa" * 200, "first_name": "\ufdfa" * 100, "last_name": "\ufdfa" * 100, "street": "ß1" * 150, "city": "ß" * 100}

    page = submit(sales, fill(sales, **longest))

    assert page.status == 200
    assert counted(Customer) == 4
