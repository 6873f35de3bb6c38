"""What every answer carries, static files, forged hosts, the token of each form, and where a redirect may lead (S8, S30-S33, S39)."""

import base64
import gzip
import re
from datetime import timedelta

import pytest

from portal import create_app
from portal.core import clock, pages
from portal.core.db import db
from tests.support import databases, mail, make
from tests.support.page import Page, Visitor

ADMIN = "admin@atelier-nuage.example"
EVIL = "evil.example"
ANSWERS = {
    "page": ("/customers", 200),
    "page for anybody": ("/forgotten-password", 200),
    "csv": ("/customers/export", 200),
    "redirect": ("/sign-in", 303),
    "not found": ("/nothing-here", 404),
    "dead link": ("/activation/abcdefghijklmnopqrstuvwxyz0", 410),
    "unknown customer": ("/customers/018f0000-0000-7000-8000-000000000000", 404),
    "not permitted": ("/my", 403),
    "wrong method": ("/customers/export?", 405),
    "plain text": ("/healthz", 200),
}


def guarded(headers):
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert part in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers or "/" not in headers["Server"]


def another_app(tmp_path, **changes):
    """The portal over the same database with other settings; not in testing mode."""
    url = db.engine.url.render_as_string(hide_password=False)
    db.session.remove()
    other = create_app(databases.settings(url, tmp_path, **changes))
    other.config["JOBS_MUTED"] = True
    return other


def closed(app):
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


# --- S39


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_is_guarded(people, name):
    """S39"""
    url, status = ANSWERS[name]
    visitor = people(ADMIN)
    request = visitor.client.put if status == 405 else visitor.client.get

    response = request(url, headers={"Origin": f"https://{EVIL}"})

    assert response.status_code == status
    guarded(response.headers)
    assert response.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in response.headers


def test_fragments_and_refused_forms_are_guarded_too(people):
    visitor = people(ADMIN)

    for page in (visitor.get("/customers", htmx=True), visitor.post("/users", {}, status=422), visitor.post("/users", {}, status=400, token=False)):
        guarded(page.response.headers)
        assert page.response.headers["Cache-Control"] == "no-store"
        for name in ("HX-Request", "HX-Target", "Cookie", "Accept-Language"):
            assert name in page.response.headers["Vary"]


def test_something_too_large_is_refused_with_a_page(people):
    visitor = people.visitor()

    page = visitor.post("/sign-in", {"email": "x" * (5 * 1024 * 1024)}, status=413)

    assert page.h1 == "Too large"
    guarded(page.response.headers)


def test_an_error_is_a_plain_page_with_a_reference_that_the_log_has_too(app, tmp_path, monkeypatch, caplog):
    """S40: never a trace."""
    served = another_app(tmp_path)

    def broken(**arguments):
        raise RuntimeError("the secret inside")

    broken.permission = served.view_functions["health.healthz"].permission
    monkeypatch.setitem(served.view_functions, "health.healthz", broken)

    page = Visitor(served).get("/healthz", status=500)

    reference = re.search(r"\b[0-9a-f]{8}\b", page.text).group(0)
    assert "secret inside" not in page.text
    assert "Traceback" not in page.text
    assert reference in caplog.text
    guarded(page.response.headers)
    closed(served)


def test_over_https_browsers_are_told_to_stay_with_it_and_cookies_are_bound_to_the_host(app, tmp_path):
    """S8, S39"""
    served = another_app(tmp_path, base_url="https://portal.example")
    visitor = Visitor(served)

    response = visitor.client.get("/sign-in", base_url="https://portal.example")

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-portal=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    closed(served)


def test_over_plain_http_the_cookie_is_kept_from_scripts_and_other_sites(people):
    """S8"""
    cookie = people.visitor().client.get("/sign-in").headers["Set-Cookie"]

    assert cookie.startswith("portal=")
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie


# --- static files and weight


def static_urls(page):
    found = [str(tag.get("href") or tag.get("src")) for tag in page.soup.select("link[href], script[src]")]
    found += [str(tag["href"]).partition("#")[0] for tag in page.soup.select("use[href]")]
    return {url for url in found if url.startswith("/static/")}


def test_static_files_are_hashed_compressed_ahead_and_kept_for_a_year(people):
    visitor = people(ADMIN)
    urls = static_urls(visitor.get("/customers"))
    assert len(urls) >= 4

    for url in urls:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", url), url
        plain = visitor.client.get(url, buffered=True)
        packed = visitor.client.get(url, headers={"Accept-Encoding": "gzip"}, buffered=True)
        for response in (plain, packed):
            assert response.status_code == 200
            guarded(response.headers)
            assert "max-age=31536000" in response.headers["Cache-Control"]
            assert "immutable" in response.headers["Cache-Control"]
            assert "Accept-Encoding" in response.headers["Vary"] or len(plain.data) < 600
        if packed.headers.get("Content-Encoding") == "gzip":
            assert gzip.decompress(packed.data) == plain.data
        else:
            assert len(plain.data) < 600


@pytest.mark.parametrize(
    "path", ["/static/app.css", "/static/app.000000000000.css", "/static/../portal.sqlite3", "/static/%2e%2e/secret", "/static/", "/static//etc/passwd"]
)
def test_nothing_else_lies_under_static(people, path):
    assert people.visitor().client.get(path).status_code in (403, 404)


def test_pages_are_compressed_for_whom_it_suits(people):
    visitor = people(ADMIN)

    packed = visitor.client.get("/customers", headers={"Accept-Encoding": "br, gzip"})
    plain = visitor.client.get("/customers")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert b"Maison Tellier" in gzip.decompress(packed.data)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_the_first_load_of_the_customer_list_weighs_at_most_60_kb_and_later_pages_15(people):
    visitor = people(ADMIN)
    for number in range(60):
        make.customer(f"Fonderie Sarrault Numéro {number}", f"fonderie-{number}.example")

    def weight(url):
        response = visitor.client.get(url, headers={"Accept-Encoding": "gzip"}, buffered=True)
        return len(response.data) + sum(len(name) + len(value) + 4 for name, value in response.headers)

    page = visitor.get("/customers")
    assert len(page.soup.select("tbody tr")) >= 50
    assert weight("/customers") <= 15_000
    assert weight("/customers") + sum(weight(url) for url in static_urls(page)) <= 60_000
    assert not [url for url in re.findall(r"(?:src|href)=\"(https?://[^\"]+)", page.response.get_data(as_text=True)) if not url.startswith("mailto")]


# --- S33


@pytest.mark.parametrize(
    "headers", [{"Host": EVIL}, {"X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil.example"}, {"Forwarded": f"host={EVIL}"}]
)
@pytest.mark.parametrize("url", ["/sign-in", "/", "/customers", "/nothing", "/forgotten-password"])
def test_a_forged_host_gets_into_no_page_and_no_redirect(people, headers, url):
    """S33"""
    for visitor in (people.visitor(), people(ADMIN)):
        response = visitor.client.get(url, headers=headers)

        assert EVIL not in response.get_data(as_text=True)
        assert EVIL not in str(response.headers)


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_forged_host_gets_into_no_mail(app, tmp_path, proxies):
    """S33: links in mail name the configured address, also behind a trusted proxy."""
    served = another_app(tmp_path, trusted_proxies=proxies)
    visitor = Visitor(served)
    headers = {"Host": EVIL, "X-Forwarded-Host": EVIL}

    form = Page(visitor.client.get("/forgotten-password", headers=headers), "/forgotten-password")
    response = visitor.client.post("/forgotten-password", data={"email": ADMIN, "csrf_token": token_of(form)}, headers=headers)

    assert response.status_code in (200, 303)
    with served.app_context():
        from portal.core import jobs

        jobs.run("answer_reset_wishes")
        sent = mail.latest(ADMIN)
        assert "http://localhost/forgotten-password/" in sent.text
        assert EVIL not in sent.text + sent.html + sent.mail.message_id
    closed(served)


def test_no_foreign_origin_is_granted_anything(people):
    """S33"""
    visitor = people(ADMIN)

    for response in (
        visitor.client.get("/customers", headers={"Origin": f"https://{EVIL}"}),
        visitor.client.options("/customers", headers={"Origin": f"https://{EVIL}", "Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


# --- S30


def token_of(page):
    return str(page.soup.select_one("[name=csrf_token]")["value"])


def test_the_token_differs_in_each_response_and_every_one_works(people):
    """Compression tells nothing about it (BREACH)."""
    visitor = people(ADMIN)
    tokens = [token_of(visitor.get("/users/new")) for _ in range(3)]

    assert len(set(tokens)) == 3
    for token in tokens:
        visitor.post("/users", {"csrf_token": token}, status=422)


def test_a_change_without_a_good_token_is_refused_and_does_nothing(people):
    """S30"""
    visitor = people(ADMIN)
    good = token_of(visitor.get("/users/new"))
    person = {"name": "Jade Morel", "email": "jade@atelier-nuage.example", "roles": ["sales_agent"], "language": "en"}
    raw = bytearray(base64.urlsafe_b64decode(good))
    raw[40] ^= 1
    foreign = token_of(people("agent@atelier-nuage.example").get("/account"))
    for token in ("", "x", "é" * 20, good[:-8], base64.urlsafe_b64encode(raw).decode(), "A" * 88, foreign, token_of(people.visitor().get("/sign-in"))):
        page = visitor.post("/users", {**person, "csrf_token": token}, status=400)
        assert page.h1 == "This page is out of date"

    assert "jade" not in visitor.get("/users").text
    visitor.post("/users", {**person, "csrf_token": good})


@pytest.mark.parametrize(("site", "status"), [("same-origin", 422), ("none", 422), ("same-site", 400), ("cross-site", 400), ("nonsense", 400)])
def test_a_browser_that_says_another_site_asked_is_believed(people, site, status):
    """S30"""
    visitor = people(ADMIN)

    response = visitor.client.post("/users", data={"csrf_token": visitor.csrf_token()}, headers={"Sec-Fetch-Site": site})

    assert response.status_code == status


def test_the_token_may_come_in_a_header(people):
    visitor = people(ADMIN)

    assert visitor.client.post("/users", headers={"X-CSRF-Token": visitor.csrf_token()}).status_code == 422
    assert visitor.client.post("/users", headers={"X-CSRF-Token": "x" * 88}).status_code == 400


def test_signing_in_needs_a_token_too(people):
    """S30: nobody is signed in unknowingly to somebody else's account."""
    visitor = people.visitor()

    visitor.post("/sign-in", {"email": ADMIN, "password": databases.PASSWORD}, status=400, token=False)
    visitor.post("/sign-in", {"email": ADMIN, "password": databases.PASSWORD, "csrf_token": token_of(people.visitor().get("/sign-in"))}, status=400)

    visitor.post("/sign-in", {"email": ADMIN, "password": databases.PASSWORD})


# --- S31, S32


@pytest.mark.parametrize("method", ["get", "head", "options"])
@pytest.mark.parametrize("url", ["/sign-out", "/users/new", "/customers/new", "/relationship-requests/new"])
def test_safe_methods_change_nothing(app, people, method, url):
    """S31"""
    visitor = people(ADMIN)
    before = dump()

    assert getattr(visitor.client, method)(url).status_code == 200

    assert dump() == before
    visitor.get("/customers")


def dump():
    """Every row but the moment a session was last seen."""
    from portal.core.db import Base

    db.session.rollback()
    return {
        table.name: sorted(map(repr, db.session.connection().execute(table.select()))) for table in Base.metadata.sorted_tables if table.name != "user_session"
    }


OFF_SITE = [
    f"https://{EVIL}",
    f"//{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"/\t/{EVIL}",
    f"\t//{EVIL}",
    f"http:{EVIL}",
    f"javascript:alert(1)//{EVIL}",
    f"///{EVIL}",
    f"/%09/{EVIL}\n",
    EVIL,
]


@pytest.mark.parametrize("wanted", OFF_SITE)
def test_a_way_back_leads_nowhere_else(people, wanted):
    """S32"""
    assert pages.on_this_host(wanted, "/home") == "/home"
    visitor = people.visitor()
    signed_in = visitor.post("/sign-in", {"email": ADMIN, "password": databases.PASSWORD, "next": wanted})
    assert signed_in.response.location == "/"
    chosen = visitor.post("/language", {"language": "en", "next": wanted})
    assert chosen.response.location == "/"


@pytest.mark.parametrize("wanted", ["/customers", "/customers?q=a%20b&sort=-name", "/connect/requests/018f0000-0000-7000-8000-000000000000"])
def test_a_way_back_on_this_host_is_kept(people, wanted):
    signed_in = people.visitor().post("/sign-in", {"email": ADMIN, "password": databases.PASSWORD, "next": wanted})

    assert signed_in.response.location == wanted


def test_last_seen_is_written_now_and_then_only(people):
    """The only write of a safe request, and a short one."""
    visitor = people(ADMIN)
    before = dump()
    with clock.shifted(timedelta(minutes=6)):
        visitor.get("/customers")

    assert dump() == before
