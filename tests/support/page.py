"""A visitor who opens pages and fills the forms that are really on them; every page opened is checked on the way."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

UNLABELLED = {"hidden", "submit", "button", "image"}


class Page:
    """A response, read as a person would."""

    def __init__(self, response: TestResponse, url: str, *, fragment: bool = False) -> None:
        self.response = response
        self.status = response.status_code
        self.url = url
        self.soup = BeautifulSoup(response.get_data(as_text=True) if "html" in (response.mimetype or "") else "", "html.parser")
        if self.soup.find("html") and not fragment:
            check(self)

    @property
    def h1(self) -> str:
        heading = self.soup.find("h1")
        return _words(heading.get_text(" ")) if heading else ""

    @property
    def text(self) -> str:
        return _words(self.soup.get_text(" "))

    @property
    def flashes(self) -> list[str]:
        return [_words(item.get_text(" ")) for item in self.soup.select("#flash .notice .notice-text")]

    @property
    def errors(self) -> dict[str, str]:
        """Messages beside the fields, by field name; those above the form under ''."""
        found = {}
        for control in self.soup.select("[aria-invalid=true]"):
            described = str(control.get("aria-describedby", "")).split()
            texts = [_words(item.get_text(" ")) for name in described if name.endswith("error") and (item := self.soup.find(id=name))]
            field = control if control.get("name") else control.find(attrs={"name": True})
            found[str(field.get("name")) if isinstance(field, Tag) else str(control.get("id"))] = " ".join(texts)
        summary = self.soup.select_one(".errors")
        if summary is not None:
            found[""] = _words(summary.get_text(" "))
        return found

    def has_link(self, url: str) -> bool:
        return any(urlsplit(str(link["href"]))._replace(fragment="").geturl() in (url, url.rstrip("?")) for link in self.soup.select("a[href]"))

    def form(self, selector: str | None = None) -> Tag:
        """The form with this id, or that goes to this address; the only one of the main part when not said."""
        forms = [form for form in self.soup.select("main form, #dialog form, form") if str(form.get("action")) not in ("/sign-out", "/language")]
        if selector is None:
            posting = [form for form in dict.fromkeys(forms) if str(form.get("method", "get")).lower() == "post"] or forms
            assert posting, f"no form on {self.url}"
            return posting[0]
        if selector.startswith("#"):
            found = self.soup.select_one(selector)
            form = found if found is not None and found.name == "form" else found.find("form") if found is not None else None
        else:
            form = next((form for form in forms if str(form.get("action")).split("?")[0] == selector or form.get("action") == selector), None)
        assert isinstance(form, Tag), f"no form {selector} on {self.url}: {[form.get('action') for form in forms]}"
        return form

    def __repr__(self) -> str:
        return f"<Page {self.status} {self.url}: {self.text[:600]}>"


class _Client(FlaskClient):
    """Each request in an application context of its own, as on a server: `g` and the session of the test are not the request's."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*arguments, **options)


class Visitor:
    """One browser, one person."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = _Client(app, app.response_class)

    def get(self, url: str, status: int = 200, *, htmx: bool = False, target: str = "results", **headers: str) -> Page:
        response = self.client.get(url, headers=_headers(htmx, target) | headers)
        page = Page(response, url, fragment=htmx)
        assert page.status == status, f"{page.status} instead of {status}: {page!r} {response.location or ''}"
        return page

    def open(self, url: str) -> Page:
        """Like get, following redirects."""
        return self._followed(self.client.get(url), url)

    def post(self, url: str, data: Any = None, status: int = 303, *, htmx: bool = False, target: str = "form", token: bool = True) -> Page:
        """A bare POST, with the session's token unless told otherwise."""
        values = dict(data or {})
        if token:
            values.setdefault("csrf_token", self.csrf_token())
        page = Page(self.client.post(url, data=values, headers=_headers(htmx, target)), url, fragment=htmx)
        assert page.status == status, f"{page.status} instead of {status}: {page!r} {page.response.location or ''}"
        return page

    def submit(
        self, page: Page, form: str | None = None, button: str | None = None, status: int = 200, *, htmx: bool = False, target: str = "form", **fields: Any
    ) -> Page:
        """Fill in and send the form that is on the page, then follow where it leads. `button` is a submit button's value or text."""
        element = page.form(form)
        values = _filled(element, button)
        names = {name for name, _ in values} | {str(field.get("name")) for field in element.select("[name]")}
        for name, value in fields.items():
            assert name in names, f"no field {name} in the form: {sorted(names)}"
            values = [(key, old) for key, old in values if key != name]
            values += [
                (name, item)
                for item in (value if isinstance(value, list | tuple) and not _is_file(value) else [value])
                if item is not None and item is not False
            ]
        action = urljoin(page.url, str(element.get("action") or page.url))
        data: dict[str, Any] = {}
        for name, value in values:
            data.setdefault(name, []).append("y" if value is True else value)
        method = str(element.get("method", "get")).lower()
        if method == "get":
            response = self.client.get(action, query_string=data, headers=_headers(htmx, target))
        else:
            assert data.get("csrf_token"), f"the form to {action} carries no token"
            response = self.client.post(
                action, data=data, headers=_headers(htmx, target), content_type="multipart/form-data" if element.get("enctype") else None
            )
        result = Page(response, action, fragment=htmx) if htmx else self._followed(response, action)
        assert result.status == status, f"{result.status} instead of {status}: {result!r}"
        return result

    def csrf_token(self) -> str:
        from portal.core import csrf

        with self.client.session_transaction() as session:
            if "csrf" not in session:
                session["csrf"] = csrf.base64.urlsafe_b64encode(b"0123456789abcdef0123456789abcdef").decode()
            secret = csrf.base64.urlsafe_b64decode(session["csrf"])
        pad = b"p" * 32
        return csrf.base64.urlsafe_b64encode(pad + csrf._mixed(pad, secret)).decode()

    def _followed(self, response: TestResponse, url: str) -> Page:
        for _ in range(5):
            if response.status_code not in (301, 302, 303, 307):
                break
            url = urljoin(url, response.location)
            parts = urlsplit(url)
            url = parts._replace(scheme="", netloc="").geturl() if parts.netloc else url
            response = self.client.get(url.split("#")[0])
        return Page(response, url)


def check(page: Page) -> None:
    """What must hold on every page."""
    soup = page.soup
    assert len(soup.find_all("h1")) == 1, f"{page.url}: {len(soup.find_all('h1'))} h1"
    title = _words(soup.title.get_text()) if soup.title else ""
    assert title.startswith(page.h1), f"{page.url}: title {title!r} does not start with {page.h1!r}"
    assert soup.html is not None
    assert soup.html.get("lang"), page.url
    ids = [str(element["id"]) for element in soup.select("[id]")]
    assert len(ids) == len(set(ids)), f"{page.url}: doubled ids {sorted({name for name in ids if ids.count(name) > 1})}"
    for label in soup.select("label[for]"):
        assert label["for"] in ids, f"{page.url}: label for {label['for']}"
    for field in soup.select("input, select, textarea"):
        if field.get("type") in UNLABELLED:
            continue
        labelled = field.get("aria-label") or field.get("aria-labelledby") or field.find_parent("label") or soup.select_one(f'label[for="{field.get("id")}"]')
        assert labelled, f"{page.url}: {field} has no label"
    for field in soup.select("[required]"):
        assert field["required"] == "", f"{page.url}: {field['name']} is required: {field['required']}"
        first = field.find("option")
        assert field.name != "select" or (first and first.get("value") == ""), f"{page.url}: {field['name']} is required, and has no empty option to begin with"
    for reference in _references(soup):
        assert reference in ids, f"{page.url}: nothing has the id {reference}"
    for form in soup.find_all("form"):
        assert form.get("action"), f"{page.url}: a form without action"
        if str(form.get("method", "get")).lower() == "post":
            assert form.select_one("[name=csrf_token]"), f"{page.url}: the form to {form['action']} has no token"
        for attribute in ("data-hx-post", "data-hx-get"):
            if form.get(attribute):
                assert form[attribute] == form["action"], f"{page.url}: {form[attribute]} and {form['action']}"
    for element in soup.select("[data-hx-target]"):
        target = str(element["data-hx-target"])
        if target.startswith("#"):
            assert target[1:] in ids, f"{page.url}: swap target {target}"
    assert not soup.select("[style], style, script:not([src])"), f"{page.url}: inline style or script"
    assert not [name for element in soup.find_all(True) for name in element.attrs if name.startswith("on")], page.url
    assert all(image.get("alt") is not None for image in soup.find_all("img")), page.url
    assert "{{" not in page.text and "None" not in page.text.split(), f"{page.url}: {page.text[:400]}"


def _references(soup: BeautifulSoup) -> Iterable[str]:
    for attribute in ("aria-describedby", "aria-labelledby", "aria-controls"):
        for element in soup.select(f"[{attribute}]"):
            yield from str(element[attribute]).split()


def _filled(form: Tag, button: str | None) -> list[tuple[str, Any]]:
    """What a browser would send of this form as it stands."""
    values: list[tuple[str, Any]] = []
    for field in form.select("input[name], select[name], textarea[name]"):
        name, kind = str(field["name"]), str(field.get("type", "")).lower()
        if field.has_attr("disabled") or kind in ("submit", "button", "image", "file"):
            continue
        if field.name == "select":
            chosen = field.select("option[selected]") or ([] if field.has_attr("multiple") else field.select("option")[:1])
            values += [(name, str(option.get("value", option.get_text()))) for option in chosen]
        elif field.name == "textarea":
            values.append((name, field.get_text().replace("\r\n", "\n").removeprefix("\n")))
        elif kind in ("checkbox", "radio"):
            if field.has_attr("checked"):
                values.append((name, str(field.get("value", "on"))))
        else:
            values.append((name, str(field.get("value", ""))))
    for candidate in form.select("button[name]"):
        if button is not None and button in (candidate.get("value"), _words(candidate.get_text(" "))):
            values.append((str(candidate["name"]), str(candidate.get("value", ""))))
    return values


def _headers(htmx: bool, target: str) -> dict[str, str]:
    if not htmx:
        return {}
    return {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": f"div#{target}", "HX-Source": "form#form"}


def _is_file(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) in (2, 3) and hasattr(value[0], "read")


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
