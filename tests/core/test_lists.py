"""Lists: what the query string asks for, and keyset pages that concatenate to the list (R14, R101)."""

import base64
import csv
import io
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.core import lists
from portal.core.db import UtcDateTime, db, sort_key, writing
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Sort, keyset, paged, place, stream_csv
from portal.core.scope import EVERYTHING

THINGS = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("name", sort_key(60), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
)
T = THINGS.c
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Few different values, so that many rows are equal; and letters that collations, quoting or packing could trip over.
names = st.sampled_from(["", "a", "A", "b", "é", "e\u0301", "z'--", '"', "%", "日本", "🦆", "a b"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3
)
moments = st.integers(0, 3).map(lambda number: EPOCH.replace(microsecond=number))
rows_of_things = st.lists(st.tuples(names, st.integers(-2, 2), moments), max_size=25)
sorts = st.sampled_from(["name", "-name", "number", "-number", "at", "-at", "id", "-id"])


@pytest.fixture
def things(app):
    db.session.rollback()
    with writing():
        THINGS.create(db.session.connection())
        db.session.commit()


def fill(rows):
    db.session.rollback()
    with writing():
        db.session.execute(THINGS.delete())
        if rows:
            db.session.execute(THINGS.insert(), [{"id": key, "name": name, "number": number, "at": at} for key, (name, number, at) in enumerate(rows, 1)])
        db.session.commit()


def sort_of(name):
    return Sort(T[name.removeprefix("-")], T.id, descending=name.startswith("-"))


def page_of(url, name, size):
    """One page as a view makes it, from the address alone."""
    arguments = MultiDict(parse_qs(urlsplit(url).query))
    query = ListQuery.parse("/things", arguments, sorts=["name", "-name", "number", "-number", "at", "-at", "id", "-id"], filters={})
    assert query.sort == name
    sort = sort_of(name)
    rows = db.session.execute(keyset(sa.select(THINGS), query.way, sort, limit=size + 1), place(query, sort)).all()
    return paged(rows, query, lambda row: (getattr(row, name.removeprefix("-")), row.id), None, size=size)


def expected(name):
    column = name.removeprefix("-")
    rows = db.session.execute(sa.select(THINGS)).all()
    return [row.id for row in sorted(rows, key=lambda row: (getattr(row, column), row.id), reverse=name.startswith("-"))]


# --- pages


@given(rows=rows_of_things, name=sorts, size=st.integers(1, 5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_concatenate_to_the_list_forwards_and_backwards(things, rows, name, size):
    """R101: equal values included."""
    fill(rows)
    whole = expected(name)

    forwards, url = [], f"/things?sort={name}"
    while url:
        page = page_of(url, name, size)
        assert len(page.rows) <= size
        forwards += [row.id for row in page.rows]
        url = page.next_url
    backwards, url = [], f"/things?sort={name}&last=1"
    while url:
        page = page_of(url, name, size)
        assert len(page.rows) <= size
        backwards = [row.id for row in page.rows] + backwards
        url = page.previous_url

    assert forwards == whole
    assert backwards == whole


@given(rows=rows_of_things.filter(lambda rows: len(rows) > 2), name=sorts, data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_there_and_back_again_is_the_same_page(things, rows, name, data):
    fill(rows)
    first = page_of(f"/things?sort={name}", name, 2)

    second = page_of(first.next_url, name, 2)
    back = page_of(second.previous_url, name, 2)

    assert [row.id for row in back.rows] == [row.id for row in first.rows]
    assert back.next_url == first.next_url
    assert second.first_url is not None
    assert first.previous_url is None
    assert first.first_url is None


@given(rows=rows_of_things.filter(lambda rows: len(rows) > 3), name=sorts, late=st.tuples(names, st.integers(-2, 2), moments))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_row_that_comes_in_between_repeats_and_hides_nothing(things, rows, name, late):
    fill(rows)
    whole = expected(name)
    first = page_of(f"/things?sort={name}", name, 2)
    with writing():
        db.session.rollback()
        db.session.execute(THINGS.insert().values(id=len(rows) + 1, name=late[0], number=late[1], at=late[2]))
        db.session.commit()

    seen, url = [row.id for row in first.rows], first.next_url
    while url:
        page = page_of(url, name, 2)
        seen += [row.id for row in page.rows]
        url = page.next_url

    assert len(seen) == len(set(seen))
    assert [key for key in seen if key in whole] == whole


def test_a_page_past_the_end_offers_the_way_back(things):
    fill([("a", 1, EPOCH)])
    after_everything = lists._packed(("z", 9))

    page = page_of(f"/things?sort=name&after={after_everything}", "name", 2)

    assert page.rows == []
    assert page.first_url == "/things"


@given(token=st.text(max_size=40) | st.binary(max_size=30).map(lambda raw: base64.urlsafe_b64encode(raw).decode()), name=sorts)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_forged_position_breaks_nothing(things, token, name):
    """S35"""
    query = ListQuery.parse("/things", MultiDict({"sort": name, "after": token}), sorts=[name], filters={})
    try:
        db.session.execute(keyset(sa.select(THINGS), query.way, sort_of(name)), place(query, sort_of(name))).all()
    except NotFound:
        assert query.after is not None


@pytest.mark.parametrize("value", ["x", "2026-01-01", "2026-13-01T00:00:00+00:00", 5, "2026-01-01T00:00:00", 10**30])
def test_a_position_of_another_list_is_not_found(things, value):
    """A position is the client's: whatever it says, the answer is a page or 404."""
    query = ListQuery.parse("/things", MultiDict({"after": lists._packed((value, 1))}), sorts=["at"], filters={})

    if query.after is not None:
        with pytest.raises(NotFound):
            place(query, sort_of("at"))


@pytest.mark.parametrize(
    "url", ["/customers", "/users", "/relationship-requests", "/activity", "/outbox", "/customers/former", "/coming-up", "/activity/export"]
)
@pytest.mark.parametrize(
    "query",
    ["after=x", "after=WyJhIiwxXQ", "before=WzEsMV0", "after=W251bGwsbnVsbF0", "after=WyJcdTAwMDAiLDFd", "last=1", "sort=;drop", "q=%00%27%25_", "q=" + "a" * 5000, "state=nonsense", "after=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OSwxXQ",
     "after=WyJhIiw5MjIzMzcyMDM2ODU0Nzc1ODA4XQ", "from=nonsense&to=9999-99-99", "role=%F0%9F%A6%86"],
)  # fmt: skip
def test_no_query_string_breaks_a_list(people, url, query):
    """S35: ignored, or not found."""
    response = people("admin@atelier-nuage.example").client.get(f"{url}?{query}", buffered=True)

    assert response.status_code in (200, 404, 422), f"{response.status_code} {url}?{query}"


# --- the query string


def parse(**arguments):
    return ListQuery.parse("/things", MultiDict(arguments), sorts=["name", "-name"], filters={"state": ["active", "ended"], "tag": None})


def test_what_is_not_offered_counts_as_not_given():
    query = parse(q="  two   words ", state="unknown", sort="evil", tag="VIP", other="x")

    assert query.words == "two words"
    assert query.filters == {"tag": "VIP"}
    assert query.sort == "name"
    assert query.way == "first"
    assert query.narrowed


def test_addresses_are_short_and_complete():
    query = parse(q="é & b", state="active", sort="-name", after=lists._packed(("x", 3)))

    assert query.url() == "/things?q=%C3%A9+%26+b&state=active&sort=-name"
    assert query.url(path="/things/export", state=None) == "/things/export?q=%C3%A9+%26+b&sort=-name"
    assert query.sort_url("name") == "/things?q=%C3%A9+%26+b&state=active"
    assert parse().url() == "/things"
    assert query.after == ("x", 3)


def test_words_are_bounded():
    assert len(parse(q="a" * 9000).words) <= 200
    assert parse(after="A" * 3000).after is None


# --- totals


def test_a_total_is_counted_no_further_than_a_thousand(things, app):
    fill([("a", 1, EPOCH)] * 1200)
    with app.test_request_context():
        assert lists.fetch(sa.select(T.id), parse(), Sort(T.id, T.id), lambda row: (row.id, row.id)).total == 1001
        assert lists.Page([], total=1001).total_text == "1,000+ in all"
        assert lists.Page([], total=12).total_text == "12 in all"


# --- export


@given(rows=st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8), st.integers(-5, 5)), max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_export_reads_back_as_what_it_was(things, app, rows):
    """R15, S36: RFC 4180, and no cell runs as a formula."""
    fill([(name[:60], number, EPOCH) for name, number in rows])
    with app.test_request_context():
        response = stream_csv("things", ["Name", "Number"], sa.select(T.name, T.number).order_by(T.id), EVERYTHING)
        data = b"".join(response.response)

    assert data.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert read[0] == ["Name", "Number"]
    assert len(read) == len(rows) + 1
    for (name, number), (cell, figure) in zip(rows, read[1:], strict=True):
        assert cell in (name, f"'{name}")
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert figure == str(number)


def test_an_export_abandoned_half_way_gives_its_connection_back(things, app):
    fill([("a" * 50, 1, EPOCH)] * 3000)
    db.session.rollback()
    before = db.engine.pool.checkedout()
    with app.test_request_context():
        response = stream_csv("things", ["Name"], sa.select(T.name), EVERYTHING)
        parts = iter(response.response)
        next(parts)
        next(parts)
        response.close()
        parts.close()

    assert db.engine.pool.checkedout() == before
