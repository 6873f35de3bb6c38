"""Leads entered by hand and imported from CSV (R50, S10, S29, S38)."""

import threading
import time

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads import imports
from portal.leads.models import Lead, LeadEntry, LeadSource, LeadState
from tests.relationships import rows
from tests.support import make
from tests.support.page import Page

SALES = "sales@atelier-nuage.example"
ENTRY = {"company": "Verger Lanvaux", "domain": "verger-lanvaux.example", "city": "Vannes", "last_name": "Le Goff", "email": "anne@verger-lanvaux.example"}
ENGLISH = "Company,E-mail,Country\nVerger Lanvaux,anne@verger-lanvaux.example,FR\nMoulin Bleu,it@moulin-bleu.example,\n"
FRENCH = "Pays;Courriel;Société;Prénom;Nom;Effectif;Téléphone;Langue;Origine;Domaine principal\nBelgique;luc@brasserie.example;Brasserie Étoile;Luc;Maes;60;+32 2 555 12 12;FR;ventes;www.brasserie.example\n"


def leads(partner="atelier-nuage.example"):
    db.session.rollback()
    owner = make.organization(partner).id
    with scoped(Scope(partner_id=owner)):
        found = list(db.session.scalars(sa.select(Lead).order_by(Lead.id)))
        db.session.expunge_all()
        return found


def read(text, source=LeadSource.MARKETING_QUALIFIED, by=SALES):
    db.session.rollback()
    who = make.actor(by)
    with scoped(Scope(partner_id=who.organization_id)):
        return imports.read(text, source=source, by=who, languages=["en", "fr"], spoken="fr")


def upload(visitor, text, status=200, source="marketing_qualified"):
    """A file through the form; sent as bytes, since werkzeug's client leaves the temporary files of large ones open."""
    content = text if isinstance(text, bytes) else text.encode()
    fields = {"csrf_token": visitor.csrf_token(), "source": source}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts.append(b'--x\r\nContent-Disposition: form-data; name="file"; filename="leads.csv"\r\nContent-Type: text/csv\r\n\r\n' + content + b"\r\n--x--\r\n")
    page = Page(visitor.client.post("/leads/import", data=b"".join(parts), content_type="multipart/form-data; boundary=x"), "/leads/import")
    assert page.status == status, page
    return page


# --- by hand


def test_a_lead_entered_by_hand_stands_among_the_qualified(people):
    """R50"""
    sales = people(SALES)

    page = sales.submit(sales.get("/leads/new"), "#form", **ENTRY, source="sales_qualified", size="10-49", message="25 mailboxes")

    assert page.h1 == "Verger Lanvaux"
    (lead,) = leads()
    assert (lead.source, lead.state, lead.qualified) == (LeadSource.SALES_QUALIFIED, LeadState.RECEIVED, 1)
    assert lead.entered_by_id == make.actor(SALES).user_id


def test_sending_the_form_twice_makes_one_lead(people):
    """S29"""
    sales = people(SALES)
    form = sales.get("/leads/new")

    first = sales.submit(form, "#form", **ENTRY)
    second = sales.submit(form, "#form", **ENTRY)

    assert first.url == second.url
    assert len(leads()) == 1


@pytest.mark.parametrize("known", [{"email": "ANNE@verger-lanvaux.example", "domain": ""}, {"email": "other@elsewhere.example"}], ids=["address", "domain"])
def test_an_open_lead_of_the_same_company_draws_a_warning(people, known):
    sales = people(SALES)
    sales.submit(sales.get("/leads/new"), "#form", **ENTRY)

    again = sales.submit(sales.get("/leads/new"), "#form", status=422, **{**ENTRY, **known})

    assert again.has_link(f"/leads/{leads()[0].public_id}")
    sales.submit(again, "#form", meant=True)
    assert len(leads()) == 2


def test_a_customer_of_the_same_domain_draws_a_warning(people):
    sales = people(SALES)

    page = sales.submit(sales.get("/leads/new"), "#form", status=422, **{**ENTRY, "domain": "maison-tellier.example"})

    assert "Already your customer" in page.text
    assert not leads()


def test_a_referrals_admin_is_told_of_the_customer_without_a_way_to_it(people):
    """It sees no customers."""
    referrals = people("referrals@atelier-nuage.example")

    page = referrals.submit(referrals.get("/leads/new"), "#form", status=422, **{**ENTRY, "domain": "maison-tellier.example"})

    assert "Maison Tellier" in page.text
    assert not page.soup.select("main a[href^='/customers']")


def test_free_mail_is_no_match(people):
    """R11"""
    sales = people(SALES)
    sales.submit(sales.get("/leads/new"), "#form", company="Anne Le Goff", email="anne@gmail.com")

    assert sales.submit(sales.get("/leads/new"), "#form", company="Luc Maes", email="luc@gmail.com").h1 == "Luc Maes"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"company": ""}, "company"),
        ({"country": "US"}, "country"),
        ({"email": "nobody"}, "email"),
        ({"email": "", "phone": ""}, "email"),
        ({"phone": "12"}, "phone"),
        ({"domain": "co.uk"}, "domain"),
        ({"source": "inquiry"}, "source"),
        ({"size": "9000"}, "size"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(people, changes, field):
    """Nothing of what was typed is lost."""
    sales = people(SALES)

    page = sales.submit(sales.get("/leads/new"), "#form", status=422, **{**ENTRY, **changes})

    assert field in page.errors
    assert page.form("#form").select_one("#city")["value"] == "Vannes"
    assert not leads()


# --- from a file


def test_the_preview_changes_nothing_and_the_confirmation_brings_in_the_good_lines(people):
    sales = people(SALES)

    preview = upload(sales, ENGLISH + "No Way,,\n", source="sales_qualified")
    assert "Give an e-mail address or a telephone number" in preview.text
    assert not leads()
    done = sales.submit(preview, "#form")

    assert done.url == "/leads?tab=qualified"
    assert done.flashes == ["2 leads were brought in.", "One line was left out."]
    assert [(lead.company, lead.country, lead.source) for lead in leads()] == [
        ("Verger Lanvaux", "FR", "sales_qualified"),
        ("Moulin Bleu", "FR", "sales_qualified"),
    ]


def test_the_same_file_twice_doubles_nothing(people):
    """S29: neither by hand nor by a second click."""
    sales = people(SALES)
    preview = upload(sales, ENGLISH)
    sales.submit(preview, "#form")

    again = sales.submit(preview, "#form")
    third = upload(sales, ENGLISH)

    assert "2 lines were here already." in again.flashes
    assert "All of it is here already." in third.text
    assert len(leads()) == 2


def test_two_people_with_the_same_file_at_once_bring_it_in_once(app, people):
    """S29"""
    visitors = [people(SALES), people("admin@atelier-nuage.example")]
    previews = [upload(visitor, ENGLISH) for visitor in visitors]
    threads = [threading.Thread(target=visitor.submit, args=(preview, "#form")) for visitor, preview in zip(visitors, previews, strict=True)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(leads()) == 2


def test_columns_in_french_in_any_order_with_semicolons(app):
    (line,) = read(FRENCH)

    entry = line.entry
    assert (entry.company, entry.first_name, entry.last_name, entry.country) == ("Brasserie Étoile", "Luc", "Maes", "BE")
    assert (entry.size, entry.domain, entry.phone, entry.language) == ("50-249", "brasserie.example", "+32 2 555 12 12", "fr")
    assert line.source is LeadSource.SALES_QUALIFIED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_files_of_excel_are_read(people, encoding):
    assert "Brasserie Étoile" in upload(people(SALES), FRENCH.encode(encoding)).text


def test_our_own_export_and_template_are_taken_back(people):
    """Also what stands behind an apostrophe against formulas (R15)."""
    sales = people(SALES)
    template = sales.get("/leads/import/template").response.get_data()
    assert b"'+33" in template

    sales.submit(upload(sales, template), "#form")

    (lead,) = leads()
    assert (lead.company, lead.phone, lead.size, lead.source) == ("Verger Lanvaux", "+33 2 97 00 00 00", "10-49", "sales_qualified")
    assert "All of it is here already." in upload(sales, sales.get("/leads/export?tab=qualified").response.get_data()).text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",a@b.example,FR", "name is missing"),
        ("Moulin,nobody,FR", "is not an e-mail address"),
        ("Moulin,a@b.example,Atlantis", "is no country"),
        ("Moulin,a@b.example,US", "outside your market"),
        ("Moulin,,FR", "Give an e-mail address or a telephone number"),
        (f"{'x' * 201},a@b.example,FR", "at most 200 characters"),
    ],
)
def test_each_line_says_what_is_wrong_and_how_to_mend_it(app, line, message):
    (read_line,) = read(f"company,e-mail,country\n{line}\n")

    assert message in read_line.wrong
    assert not read_line.good


def test_a_line_twice_in_the_file_counts_once(app):
    first, second = read("company;email\nMoulin Bleu;it@moulin.example\nMOULIN BLEU ;IT@moulin.example\n")

    assert first.good
    assert second.known


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Choose a file"),
        (b"\x00\x01\x02", "not a text file"),
        (b"PK\x03\x04 a spreadsheet\n", "must name the columns"),
        (b"name of nothing,else\n1,2\n", "must name the columns"),
        (b"company,email\n", "no lines below"),
        (b"company,email\n" + b"x,y@z.example\n" * 5001, "At most 5000 lines"),
        (b"company,email\n" + b"x" * 1_000_001, "too large"),
        (b'company,email\n"' + b"x" * 200_000, "cannot be read as CSV"),
    ],
    ids=["empty", "binary", "zip", "no company", "no lines", "many lines", "large", "open quote"],
)
def test_what_is_no_such_file_is_refused_with_a_reason(people, content, message):
    """S38"""
    page = upload(people(SALES), content, status=422)

    assert message in page.errors["file"]
    assert not leads()


def test_the_text_sent_along_is_checked_again(people):
    """S25, S27: it is as good as a file, and no better."""
    sales = people(SALES)

    assert "must name the columns" in sales.post("/leads/import", {"text": "nothing", "source": "sales_qualified"}, 422).errors["file"]
    sales.post("/leads/import", {"text": "company,email\n" + "x" * 1_100_000, "source": "sales_qualified"}, 422)
    sales.post("/leads/import", {"text": ENGLISH, "source": "inquiry"}, 422)
    sales.post("/leads/import", {"text": "company,email,partner_id,state\nMoulin,a@b.example,1,won\n", "source": "sales_qualified"})

    assert [lead.state for lead in leads()] == ["received"]


def test_what_was_imported_is_logged_with_counts(people):
    """R95"""
    sales = people(SALES)
    sales.submit(upload(sales, ENGLISH + "No Way,,\n"), "#form")
    db.session.rollback()

    (entry,) = db.session.scalars(sa.select(LogEntry).where(LogEntry.action == "lead.imported"))
    assert entry.details["after"] == {"brought_in": 2, "known_already": 0, "wrong": 1}
    assert rows.count(LeadEntry) == 2
    assert "Leads imported" in sales.get(f"/leads/{leads()[0].public_id}").text


def test_imports_have_a_limit(app, people):
    """S10"""
    sales = people(SALES)
    for _ in range(60):
        sales.post("/leads/import", {}, 422)

    assert sales.post("/leads/import", {}, 429).response.headers["Retry-After"]


def test_nothing_is_brought_in_for_anybody_else(people):
    """R2: another partner's lead of the same name is no match and no obstacle."""
    make.lead("Moulin Bleu", owner="studio-cumulus.example", email="it@moulin-bleu.example")
    sales = people(SALES)

    sales.submit(upload(sales, ENGLISH), "#form")

    assert len(leads()) == 2
    assert len(leads("studio-cumulus.example")) == 1


def test_five_thousand_lines_take_about_a_second(app):
    """Quality: 5,000 lines a second; generous here, since other tests run at the same time."""
    lines = [
        f"Moulin {number},moulin-{number}.example,anne{number}@moulin-{number}.example,+33 2 97 00 {number % 90 + 10} 00,FR,Vannes" for number in range(5000)
    ]
    text = "company,domain,email,phone,country,city\n" + "\n".join(lines)
    who = make.actor(SALES)
    db.session.rollback()
    started = time.process_time()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        found = imports.read(text, source=LeadSource.MARKETING_QUALIFIED, by=who, languages=["en"], spoken="en")
        counts = imports.bring_in(found, by=who, at=clock.now())
        db.session.commit()

    assert counts == (5000, 0, 0)
    assert time.process_time() - started < 6


def test_a_refusal_brings_in_nothing(app):
    with pytest.raises(Refused), scoped(EVERYTHING):
        read("company\n")


@pytest.mark.parametrize(("contact", "names"), [("Anne Le Goff", ("Anne", "Le Goff")), ("", ("Anne", "")), ("Anne", ("Anne", ""))])
def test_a_contact_in_one_column_is_taken_apart(app, contact, names):
    with app.test_request_context():
        (line,) = read(f"Company,E-mail,First name,Contact\nVerger,it@verger.example,Anne,{contact}\n")

    assert (line.entry.first_name, line.entry.last_name) == names


@pytest.mark.parametrize("contact", ["A" * 101, f"Anne {'A' * 101}"])
def test_a_contact_with_too_long_a_name_is_told_before_anything_is_done(app, contact):
    with app.test_request_context():
        (line,) = read(f"Company,E-mail,Contact\nVerger,it@verger.example,{contact}\n")

    assert "at most 100 characters" in line.wrong
