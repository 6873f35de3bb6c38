"""The catalog as CSV and XLSX: out and in again unchanged, a result for each line, nothing done twice (R80, R15, S25, S29, S36, S38)."""

import contextlib
import csv
import io
import struct
import threading
import time
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from portal.core import clock, sheets, words
from portal.core.db import db, find, writing
from portal.core.errors import Refused
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.core.words import formula_safe
from portal.subscriptions import catalog, catalog_import, catalog_plan, catalog_table
from portal.subscriptions.catalog_plan import Result
from portal.subscriptions.models import CatalogImport, Offer, OfferPrice
from tests.conftest import People
from tests.subscriptions.test_catalog import BILLING, RIVAL, SALES, add, names, prices, stored
from tests.support import databases, make
from tests.support.page import Page
from tests.test_surface import Counted

FULL = ",".join(catalog_table.HEADER)
NEW = "SKU,Publisher,Name,Category,Billing,Billing cycle,Term in months,Currency,Price"


def upload(visitor, content, status=200):
    """Choose this file; the preview."""
    page = visitor.get("/catalog/import")
    token = page.soup.select_one("#form input[name=csrf_token]")["value"]
    part = '--limit\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    body = (part % ("csrf_token", "") + token + "\r\n" + part % ("file", '; filename="anything.bin"')).encode()
    body += (content.encode() if isinstance(content, str) else content) + b"\r\n--limit--\r\n"
    response = visitor.client.post("/catalog/import", data=body, content_type="multipart/form-data; boundary=limit")
    page = visitor.get(response.location) if response.status_code == 303 else Page(response, "/catalog/import")
    assert page.status == status, page
    return page


def results(page):
    return [row.get_text(strip=True) for row in page.soup.select("td[data-label=Result]")]


def problems(page):
    return " ".join(cell.get_text(" ", strip=True) for cell in page.soup.select("td[data-label='What to mend']"))


def confirm(visitor, page):
    return visitor.submit(page, page.soup.select_one("main form")["action"])


def rows_of(response):
    return list(csv.reader(io.StringIO(response.get_data().decode("utf-8-sig"))))


def exported(visitor, query=""):
    response = visitor.client.get(f"/catalog/export{query}")
    assert response.status_code == 200
    return response.get_data()


def skus():
    with scoped(EVERYTHING):
        db.session.rollback()
        return list(db.session.scalars(sa.select(Offer.sku).order_by(Offer.partner_id, Offer.sku)))


def workbook(*lines):
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made)
    sheet = book.add_worksheet()
    for number, line in enumerate(lines):
        sheet.write_row(number, 0, line)
    book.close()
    return made.getvalue()


# --- out


def test_the_export_has_a_line_for_each_offer_and_price_and_withdrawn_ones_too(people):
    """R80"""
    add(("A", {"name": "Été; bien sûr", "maximum": 5}), ("B", {"add_on_of": "A", "price": None}))
    billing = people(BILLING)
    billing.post(f"/catalog/{stored_id('A')}/prices", {"currency": "CHF", "price": "13", "cost": "9.50", "from_on": clock.today().isoformat()})
    billing.post(f"/catalog/{stored_id('B')}/withdrawal", {"reason": "Nobody wants it."})

    lines = rows_of(billing.client.get("/catalog/export"))

    assert lines[0] == list(catalog_table.HEADER)
    today = clock.today().isoformat()
    described = ["A", "Nordlicht", "Été; bien sûr", "", "Productivity", "", "licence", "monthly", "12", "1", "5", "no", "0", "", "", "", "", "", ""]
    assert lines[1] == [*described, "CHF", "13.00", "9.50", today]
    assert lines[2] == [*described, "EUR", "12.00", "", today]
    assert lines[3][0] == "B"
    assert lines[3][13:] == ["A", "", "", "", "", "Nobody wants it.", "", "", "", ""]


def stored_id(sku):
    with scoped(EVERYTHING):
        db.session.rollback()
        return db.session.scalar(sa.select(Offer.public_id).where(Offer.sku == sku))


def test_the_export_is_the_list_that_was_looked_for(people):
    add(("A", {}), ("B", {"publisher": "Calanque"}), ("C", {"billing": "usage"}))
    add(("D", {"publisher": "Calanque"}), by=RIVAL)
    billing = people(BILLING)

    for query, found in (
        ("", ["A", "B", "C"]),
        ("?publisher=Calanque", ["B"]),
        ("?q=calanq", ["B"]),
        ("?billing=usage&currency=USD", ["C"]),
        ("?state=withdrawn", []),
    ):
        assert [line[0] for line in rows_of(billing.client.get(f"/catalog/export{query}"))[1:]] == found


def test_a_workbook_holds_numbers_and_days_as_such(people):
    add(("007", {}))

    sheet = CalamineWorkbook.from_filelike(io.BytesIO(exported(people(BILLING), "?format=xlsx"))).get_sheet_by_index(0).to_python()

    assert tuple(sheet[0]) == catalog_table.HEADER
    assert (sheet[1][0], sheet[1][8], sheet[1][20], sheet[1][22]) == ("007", 12.0, 12.0, clock.today())


@pytest.mark.parametrize("query", ["", "?format=xlsx"])
def test_no_exported_cell_runs_as_a_formula_and_each_comes_back_as_it_was(people, query):
    """S36"""
    add(("=SKU()", {"name": "'=1+1", "publisher": "@you", "category": "-x", "description": "+33"}))
    billing = people(BILLING)
    content = exported(billing, query)

    cells = (
        rows_of(billing.client.get("/catalog/export")) if not query else CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    )[1]
    assert not [cell for cell in cells if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@"))]
    assert results(upload(billing, content)) == ["Same"]


def test_exports_and_imports_stand_in_the_log_with_their_numbers(people):
    """R95"""
    add(("A", {}), ("B", {}))
    billing = people(BILLING)
    exported(billing, "?q=offer")
    confirm(billing, upload(billing, "SKU,Currency,Price\nA,EUR,13\nB,EUR,12\nC,EUR,1"))

    entries = rows_of(people("admin@atelier-nuage.example").client.get("/activity/export"))

    told = {cell: " ".join(entry) for entry in entries for cell in entry if cell.startswith("Catalog ")}
    assert "Words: offer; Offers: 2; Lines: 2" in told["Catalog exported"]
    assert "Left out: 1; New: 0; Changed: 1; Same: 1" in told["Catalog imported"]


# --- in


def test_first_a_preview_then_one_step(people):
    """R80"""
    add(("A", {"price": 1000}))
    billing = people(BILLING)

    page = upload(
        billing, f"{NEW}\nA,,,,,,,EUR,11\nB,Calanque,Shield,Security,licence,annual,36,EUR,30\nB,,,,,,,GBP,26\nC,Calanque,,Security,rent,annual,12,EUR,x\n"
    )

    assert results(page) == ["Wrong"]
    for part in ("Name: Fill this in.", "Billing: Write one of these: licence, usage.", "Price: Write an amount"):
        assert part in problems(page)
    everything = billing.get(f"{page.url}?result=all")
    assert results(everything) == ["Changed", "New", "New", "Wrong"]
    assert skus() == ["A"]

    done = confirm(billing, everything)

    assert done.h1 == "The import is done"
    assert skus() == ["A", "B"]
    assert [row[:2] for row in prices(stored_id("B"))] == [("EUR", 3000), ("GBP", 2600)]
    assert prices(stored_id("A")) == [("EUR", 1100, None, clock.today())]
    entries = billing.get(f"/catalog/{stored_id('B')}").text
    for part in ("Offer added to the catalog", "€30.00", "£26.00"):
        assert part in entries


def test_importing_twice_doubles_nothing(people):
    """S29"""
    billing = people(BILLING)
    content = f"{NEW}\nB,Calanque,Shield,Security,licence,annual,36,EUR,30\n"
    page = upload(billing, content)
    confirm(billing, page)

    again = confirm(billing, page)
    assert again.h1 == "The import is done"
    page = upload(billing, content)
    assert results(page) == ["Same"]
    assert "There is nothing to import" in page.text
    assert skus() == ["B"]
    assert len(prices(stored_id("B"))) == 1


def test_two_clicks_at_once_import_once(app):
    """S29"""
    by, at = make.actor(BILLING), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=by.organization_id)):
        key = catalog_import.save(f"{NEW}\nB,Calanque,Shield,Security,licence,annual,36,EUR,30\n".encode(), by=by, at=at).public_id
        db.session.commit()
    db.session.rollback()
    barrier, done = threading.Barrier(4), []

    def click():
        with app.app_context(), writing(), scoped(Scope(partner_id=by.organization_id)):
            barrier.wait()
            done.append(catalog_import.apply(find(CatalogImport, key, lock=True), by=by, at=at)["new"])
            db.session.commit()
            db.session.remove()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [1, 1, 1, 1]
    assert skus() == ["B"]


def test_a_line_that_names_a_foreign_offer_changes_nothing_of_it(people):
    """S25"""
    theirs = add(("THEIRS", {"name": "Their name", "price": 1000}), by=RIVAL)
    billing = people(BILLING)

    page = upload(billing, f"{NEW}\nTHEIRS,Me,My name,Security,licence,annual,36,EUR,1\n")
    assert results(page) == ["New"]
    confirm(billing, page)
    assert results(upload(billing, "SKU,Currency,Price\nTHEIRS,EUR,1")) == ["Same"]
    assert results(upload(billing, f"SKU,Name,Currency,Price\n{theirs},,EUR,1")) == ["Wrong"]

    assert (stored(theirs).name, prices(theirs)[0][1]) == ("Their name", 1000)


def test_a_preview_is_its_authors_alone(people):
    """S24"""
    url = upload(people(BILLING), "SKU\nA").url

    for other in (RIVAL, "admin@atelier-nuage.example"):
        people(other).get(url, 404)
        people(other).post(url, status=404)


def all_imports():
    with scoped(EVERYTHING):
        db.session.rollback()
        return list(db.session.scalars(sa.select(CatalogImport.public_id)))


def test_a_new_file_replaces_the_one_that_was_left_lying(people):
    billing = people(BILLING)
    upload(billing, "SKU\nA")
    upload(billing, "SKU\nB")
    upload(people(RIVAL), "SKU\nC")

    assert len(all_imports()) == 2


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("X,P,N,,C,,licence,monthly,7,,,,,,,,,,,,,,", "Term in months"),
        ("X,P,N,,C,,licence,annual,1,,,,,,,,,,,,,,", "Term in months"),
        ("X,P,N,,C,pirates,licence,annual,12,,,,,,,,,,,,,,", "Segment"),
        ("X,P,N,,C,,licence,annual,12,5,4,,,,,,,,,,,,", "Maximum"),
        ("X,P,N,,C,,licence,annual,12,none,,,,,,,,,,,,,", "Minimum"),
        ("X,P,N,,C,,licence,annual,12,,,maybe,,,,,,,,,,,", "One per customer"),
        ("X,P,N,,C,,licence,annual,12,,,,-1,,,,,,,,,,", "Trial days"),
        ("X,P,N,,C,,licence,annual,12,,,,,NOWHERE,,,,,,,,,", "Add-on of"),
        ("X,P,N,,C,,licence,annual,12,,,,,X,,,,,,,,,", "Add-on of"),
        ("X,P,N,,C,,licence,annual,12,,,,,,sky,,,,,,,,", "Clouds"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,Mars,,,,,,,", "Markets"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,D4,,,,,,", "Region"),
        ("X,P,N,,C,,licence,monthly,1,,,,,,,,D4,West,,,,,", "Term in months"),
        ("X,P,N,,C,,licence,annual,12,,,yes,,,,,D4,West,,,,,", "One per customer"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EURO,1,,", "Currency"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EUR,,5,", "Price"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EUR,-5,,", "Price"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EUR,5.001,,", "Price"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EUR,5,x,", "Cost"),
        ("X,P,N,,C,,licence,annual,12,,,,,,,,,,,EUR,5,,01/02/2031", "From"),
        ("A,,,,,,,,,,,,,,,,,,,EUR,5,,2001-01-01", "From"),
        ("BASE,P,N,,C,,licence,annual,12,,,,,A,,,,,,,,,", "Add-on of"),
        ("X,P,N,,C,,licence,annual,12,,,,,EXTRA,,,,,,,,,", "Add-on of"),
        ("X,,,,,,,,,,,,,,,,,,,EUR,5,,", "SKU"),
        (",P,N,,C,,licence,annual,12,,,,,,,,,,,,,,", "SKU"),
        (f"{'x' * 65},P,N,,C,,licence,annual,12,,,,,,,,,,,,,,", "SKU"),
        (f"X,P,{'n' * 201},,C,,licence,annual,12,,,,,,,,,,,,,,", "Name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_column_and_left_out(people, line, column):
    """R80; nothing half-done."""
    add(("A", {}), ("BASE", {}), ("EXTRA", {"add_on_of": "BASE"}))
    billing = people(BILLING)
    before = exported(billing)

    page = upload(billing, f"{FULL}\n{line}\nOK,P,N,,C,,licence,annual,12,,,,,,,,,,,,,,\n")

    assert results(page) == ["Wrong"]
    assert f"{column}: " in problems(page)
    confirm(billing, page)
    assert skus() == ["A", "BASE", "EXTRA", "OK"]
    kept = [row for row in rows_of(billing.client.get("/catalog/export")) if row[0] != "OK"]
    assert kept == list(csv.reader(io.StringIO(before.decode("utf-8-sig"))))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["X,P,N,C,licence,monthly,12,,", "X,P,Other,C,licence,monthly,12,,"], "Name: Line 2 says something else"),
        (["A,,,,,,,EUR,13", "A,,,,,,,EUR,14"], "Price: Line 2 gives another price"),
        (["X,P,,C,licence,monthly,12,EUR,1", "X,,,,,,,GBP,1"], "Mend that line first"),
    ],
)
def test_lines_that_contradict_each_other_are_told_so(people, lines, told):
    add(("A", {}))

    assert told in problems(upload(people(BILLING), "\n".join([NEW, *lines])))


def test_an_add_on_may_come_before_its_base_and_falls_with_it(people):
    billing = people(BILLING)
    header = "SKU,Publisher,Name,Category,Billing,Billing cycle,Term in months,Add-on of"
    good = f"{header}\nEXTRA,P,Extra,C,licence,monthly,12,BASE\nBASE,P,Base,C,licence,monthly,12,\n"

    page = upload(billing, good.replace("BASE,P,Base", "BASE,P,"))
    assert results(page) == ["Wrong", "Wrong"]
    assert not page.soup.select("main form")

    confirm(billing, upload(billing, good))
    assert stored(stored_id("EXTRA")).add_on_of_id == stored(stored_id("BASE")).id


def test_columns_that_the_file_leaves_out_stay_and_unknown_ones_are_named(people):
    offer_id = add(("A", {"maximum": 7, "segment": "education", "price": 1000}))
    billing = people(BILLING)
    billing.post(f"/catalog/{offer_id}/prices", {"currency": "EUR", "price": "10", "cost": "8", "from_on": clock.today().isoformat()})

    page = upload(billing, "SKU;Name;Colour;Currency;Price\nA;New name;blue;EUR;11\n")
    assert "Colour" in page.text
    confirm(billing, page)

    offer = stored(offer_id)
    assert (offer.name, offer.maximum, offer.segment) == ("New name", 7, "education")
    assert [row[1:3] for row in prices(offer_id)] == [(1100, 800)]


@pytest.mark.parametrize(
    "cells", [f"{NEW}\nA,,,,,,,EUR,99999999999999", workbook(NEW.split(","), ("A", "", "", "", "", "", "", "EUR", 99999999999999))], ids=["csv", "xlsx"]
)
def test_an_absurd_price_is_told_with_the_most_that_there_is(people, cells):
    add(("A", {}))

    assert "Price: This is too much: at most €10,000,000,000,000.00." in problems(upload(people(BILLING), cells))


def test_a_price_without_a_day_is_the_present_one(people):
    """The same file on a later day is still the same."""
    offer_id = add(("A", {"price": 1000}))

    with clock.shifted(timedelta(days=30)):
        billing = people(BILLING)
        assert results(upload(billing, "SKU,Currency,Price\nA,EUR,10.00")) == ["Same"]
        page = upload(billing, "SKU,Currency,Price\nA,EUR,10.50")
        assert results(page) == ["Changed"]
        confirm(billing, page)

    assert [row[1] for row in prices(offer_id)] == [1000, 1050]


def test_an_import_withdraws_and_restores(people):
    offer_id = add(("A", {}))
    billing = people(BILLING)

    confirm(billing, upload(billing, "SKU,Withdrawn,Name\nA,End of sale.,Offer A"))
    assert stored(offer_id).withdrawn_reason == "End of sale."
    confirm(billing, upload(billing, "SKU,Withdrawn,Name\nA,,Offer A"))
    assert not stored(offer_id).withdrawn


def test_a_whole_catalog_moves_to_another_partner_with_its_past_prices(people):
    add(("A", {"price": 1000}), ("B", {"add_on_of": "A"}))
    with clock.shifted(timedelta(days=9)):
        content = exported(people(BILLING))
        rival = people(RIVAL)
        page = upload(rival, content)
        assert results(page) == ["New", "New"]
        confirm(rival, page)

        assert exported(rival) == content
    assert skus() == ["A", "B", "A", "B"]


# --- files of every kind


@pytest.mark.parametrize(
    "content",
    [
        "SKU;Currency;Price;From\nA;EUR;1 250,50;01.02.2031\n".encode("cp1252"),
        "SKU\tCurrency\tPrice\tFrom\r\nA\tEUR\t1250.5\t2031-02-01\r\n".encode("utf-16"),
        "\ufeffsku,CURRENCY,price,from\nA,eur,1250.50,2031-02-01".encode(),
        workbook(["SKU", "Currency", "Price", "From"], ["A", "EUR", 1250.5, "2031-02-01"], [], ["", "", "", ""]),
    ],
    ids=["semicolons", "utf-16", "utf-8 with a mark", "workbook"],
)
def test_tables_are_understood_as_spreadsheets_save_them(people, content):
    offer_id = add(("A", {"price": 1000}))
    billing = people(BILLING)

    page = upload(billing, content)

    assert results(page) == ["Changed"], problems(page)
    confirm(billing, page)
    assert prices(offer_id)[-1][1] == 125_050
    assert str(prices(offer_id)[-1][3]) == "2031-02-01"


def bomb(size):
    """A workbook whose sheet unpacks to this many bytes."""
    made = io.BytesIO(workbook(["SKU"], ["A"]))
    out = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename == "xl/worksheets/sheet1.xml":
                content = content.replace(b"</sheetData>", b"<row r='3'>" + b"<c t='inlineStr'><is><t>" + b"x" * size + b"</t></is></c></row></sheetData>")
            target.writestr(item, content)
    return out.getvalue()


def far_cell():
    """A workbook of two cells with all others between them."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made)
    sheet = book.add_worksheet()
    sheet.write(0, 0, "SKU")
    sheet.write(1_048_575, 16_383, "far")
    book.close()
    return made.getvalue()


def lying():
    """A workbook that claims to unpack to less than it does."""
    content = bytearray(bomb(40_000_000))
    place = content.find(b"xl/worksheets/sheet1.xml", len(content) // 2) - 46
    struct.pack_into("<I", content, place + 24, 100)
    return bytes(content)


@pytest.mark.parametrize(
    "make_content",
    [
        lambda: b"",
        lambda: b"   \n\n",
        lambda: b"Name,Price\nA,1",
        lambda: b"SKU,SKU\nA,A",
        lambda: b"\x89PNG\r\n\x1a\n\x00\x00",
        lambda: b"PK\x03\x04 no workbook",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600,
        lambda: b'SKU,Name\n"A,b\nc',
        lambda: b"SKU\n" + b'"' + b"x" * 200_000 + b'"',
        lambda: b"SKU" + b",x" * 200 + b"\nA",
        lambda: b"SKU\n" + b"A\n" * (sheets.MOST_ROWS + 1),
        lambda: b"SKU\n" + b"A" * sheets.MOST_BYTES,
        lambda: bomb(150_000_000),
        lying,
        far_cell,
    ],
    ids=[
        "empty",
        "blank",
        "no SKU",
        "SKU twice",
        "picture",
        "broken workbook",
        "old workbook",
        "open quote",
        "long cell",
        "columns",
        "rows",
        "size",
        "bomb",
        "lie",
        "far cell",
    ],
)
def test_a_file_that_is_none_is_refused_beside_the_field(people, make_content):
    """S38: judged by content, bounded in size, rows, columns, memory and time."""
    billing = people(BILLING)
    content, begun = make_content(), time.monotonic()

    page = upload(billing, content, status=422)

    assert page.errors["file"]
    assert time.monotonic() - begun < 15
    assert all_imports() == []


def test_a_file_beyond_what_a_request_may_hold_is_refused(people):
    upload(people(BILLING), b"SKU\n" + b"A" * 5_000_000, status=413)


def test_no_file_at_all_is_said_so(people):
    billing = people(BILLING)

    assert "Choose a file" in billing.submit(billing.get("/catalog/import"), status=422).errors["file"]


# --- round trips

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Cn")), max_size=12)


@st.composite
def offers(draw):
    """A catalog of a few offers, the strangest that the editor would take."""
    cleaned = TEXT.map(lambda text: words.clean(text))
    needed = cleaned.filter(bool)
    made = []
    names_of = draw(st.lists(needed, min_size=1, max_size=4, unique=True))
    for number, sku in enumerate(names_of):
        reserved = draw(st.booleans())
        minimum = draw(st.integers(1, 50))
        made.append(
            {
                "sku": sku,
                "name": draw(needed),
                "publisher": draw(needed),
                "category": draw(needed),
                "description": "\n".join(filter(None, draw(st.lists(cleaned, max_size=3)))),
                "billing": draw(st.sampled_from(["licence", "usage"])),
                "segment": draw(st.sampled_from(["", "education", "nonprofit"])),
                "minimum": minimum,
                "maximum": draw(st.integers(minimum, 100_000)),
                "one_per_customer": draw(st.booleans()) and not reserved,
                "markets": draw(st.sampled_from([[], ["EU"], ["EU", "JP"]])),
                "clouds": draw(st.sampled_from([[], ["public"]])),
                "add_on_of": draw(st.sampled_from(["", names_of[0]])) if number else "",
                "instance_type": "D4" if reserved else "",
                "region": draw(needed) if reserved else "",
                "prices": draw(
                    st.dictionaries(st.tuples(st.sampled_from(["EUR", "CHF", "JPY"]), st.integers(-400, 400)), st.tuples(MINOR, st.none() | MINOR), max_size=3)
                ),
                "withdrawn": draw(cleaned),
            }
        )
    return made


MINOR = st.integers(0, 10**11)


def fill(made, who):
    """Into the emptied catalog of this person's partner."""
    db.session.execute(sa.delete(OfferPrice))
    for condition in (Offer.add_on_of_id.is_not(None), sa.true()):
        db.session.execute(sa.delete(Offer).where(condition))
    for item in made:
        values = {key: value for key, value in item.items() if key not in ("prices", "withdrawn")}
        offer = catalog.add_offer(catalog.OfferEntry(cycle="monthly", term_months=12, **values), by=who, at=clock.now())
        for (currency, days), (minor, cost) in item["prices"].items():
            at = clock.now() + timedelta(days=min(days, 0))
            day = clock.today() + timedelta(days=days)
            catalog.set_price(offer, Money(minor, currency), cost=Money(cost, currency) if cost is not None else None, from_on=day, by=who, at=at)
        if item["withdrawn"]:
            catalog.withdraw(offer, reason=item["withdrawn"], by=who, at=clock.now())


@given(made=offers(), kind=st.sampled_from(["csv", "xlsx"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_was_exported_goes_back_in_unchanged(app, made, kind):
    """R80: “same” on every line, and on every line of a second export."""
    who = make.actor(BILLING)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        fill(made, who)
        db.session.commit()
    content = exported(People(app)(BILLING), "?format=xlsx" if kind == "xlsx" else "")
    with scoped(Scope(partner_id=who.organization_id)):
        plan = catalog_plan.plan(sheets.rows(content), at=clock.now())
        assert {line.result for line in plan.lines} == {Result.SAME}, [line for line in plan.lines if line.result is not Result.SAME]
        assert len({line.sku for line in plan.lines}) == len(made)
        db.session.rollback()


@given(st.text(max_size=40))
def test_a_mark_against_formulas_comes_off_again(text):
    """S36"""
    assert sheets.unmarked(sheets.marked(text)) == text
    assert formula_safe(sheets.marked(text)) == sheets.marked(text)


@given(st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_whatever_the_bytes_the_answer_is_rows_or_a_refusal(content):
    """S38"""
    app = databases.database(databases.ENGINES[0]).app
    with app.test_request_context(), contextlib.suppress(Refused):
        assert isinstance(sheets.rows(content), list)


# --- what it costs


def test_a_preview_costs_at_most_six_statements(people):
    """However many lines and offers there are."""
    add(*((f"A{number}", {}) for number in range(9)))
    billing = people(BILLING)
    lines = [f"A{number},A8,EUR,{number}" for number in range(8)] + ["X,A7,EUR,1", "A8,NOWHERE,,"]
    page = upload(billing, "\n".join(["SKU,Add-on of,Currency,Price", *lines]))

    with Counted(db.engine) as counted:
        billing.get(page.url)

    assert len(counted.statements) <= 6, "\n".join(counted.statements)


def test_five_thousand_lines_are_quick(people):
    """5,000 lines/s, looked through and imported; the bound here leaves room for a busy machine."""
    lines = [f"N{number:05},Maker {number % 9},Offer number {number},Category {number % 5},licence,monthly,12,EUR,{number % 900}.50" for number in range(5000)]
    who, at = make.actor(BILLING), clock.now()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        begun = time.process_time()
        made = catalog_import.save("\n".join([NEW, *lines]).encode(), by=who, at=at)
        assert catalog_plan.plan(made.rows, at=at).counts[Result.NEW] == 5000
        catalog_import.apply(made, by=who, at=at)
        db.session.commit()
        spent = time.process_time() - begun

    assert spent < 6
    assert len(skus()) == 5000
    assert names(people(SALES).get("/catalog?q=number+4999")) == ["Offer number 4999"]
