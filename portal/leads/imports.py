"""Leads from a CSV file: read line by line, each with its result; bringing in the same file twice doubles nothing (R50, S29)."""

import csv
import io
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import phonenumbers
import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core import audit
from portal.core.access import Actor
from portal.core.db import db, many_inserts, uuid7
from portal.core.errors import Refused
from portal.core.places import COUNTRIES, country_names, market
from portal.core.scope import insert_many
from portal.core.words import clean, domain_mixes_scripts, domain_name, normalise
from portal.customers.service import name_key
from portal.leads.entering import wait_for_others
from portal.leads.models import CompanySize, Lead, LeadEntry, LeadSource
from portal.leads.service import NewLead, row_of

MOST_BYTES = 1_000_000
MOST_LINES = 5000
AT_ONCE = 500
HEADER = ("Company", "Domain", "Country", "City", "Size", "First name", "Last name", "E-mail", "Telephone", "Language", "Message", "Source")
EXAMPLE = (
    "Verger Lanvaux", "verger-lanvaux.example", "FR", "Vannes", "10-49", "Anne", "Le Goff", "anne@verger-lanvaux.example", "+33 2 97 00 00 00", "fr",
    "Wants to move 25 mailboxes before summer.", "sales-qualified",
)  # fmt: skip
# What a column may be called, in English and French, without case, accents and punctuation.
_NAMES = {
    "company": "company|company name|organization|organisation|societe|entreprise|raison sociale|nom de la societe|nom de l entreprise",
    "domain": "domain|primary domain|primary domain name|website|web site|site|domaine|domaine principal|site web|site internet",
    "country": "country|country code|pays|code pays",
    "city": "city|town|ville|commune",
    "size": "size|company size|employees|people|taille|effectif|effectifs|salaries",
    "first_name": "first name|firstname|given name|prenom",
    "last_name": "last name|lastname|surname|family name|nom|nom de famille",
    "name": "name",
    "contact": "contact|contact name|full name|nom du contact|nom complet|interlocuteur",
    "email": "e mail|email|e mail address|email address|mail|courriel|adresse e mail|adresse mail|adresse electronique",
    "phone": "telephone|phone|phone number|telephone number|mobile|tel|numero de telephone|portable",
    "language": "language|langue",
    "message": "message|wishes|needs|notes|note|comment|comments|besoin|besoins|demande|commentaire|commentaires|remarques",
    "source": "source|origin|origine",
}
_COLUMNS = {name: column for column, names in _NAMES.items() for name in names.split("|")}
_LENGTHS = {"company": 200, "city": 100, "first_name": 100, "last_name": 100, "email": 254, "phone": 40, "message": 10_000, "domain": 253}
_LABELS = {
    "company": _l("Company"),
    "city": _l("City"),
    "first_name": _l("First name"),
    "last_name": _l("Last name"),
    "email": _l("E-mail address"),
    "phone": _l("Telephone"),
    "message": _l("Message"),
    "domain": _l("Domain"),
}
_SOURCES = {
    "marketing": LeadSource.MARKETING_QUALIFIED, "mql": LeadSource.MARKETING_QUALIFIED,
    "sales": LeadSource.SALES_QUALIFIED, "sql": LeadSource.SALES_QUALIFIED, "ventes": LeadSource.SALES_QUALIFIED, "commercial": LeadSource.SALES_QUALIFIED,
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the file, by its number there: a lead to bring in, one that is here already, or what is wrong and how to mend it."""

    number: int
    company: str
    entry: NewLead | None = None
    source: LeadSource = LeadSource.MARKETING_QUALIFIED
    wrong: str = ""
    known: bool = False

    @property
    def good(self) -> bool:
        return self.entry is not None and not self.known

    @property
    def identity(self) -> tuple[str, str]:
        """What makes a lead the same as another one: the company's name and the person's address."""
        assert self.entry is not None
        return name_key(self.entry.company), self.entry.email.casefold()


def read(text: str, *, source: LeadSource, by: Actor, languages: Iterable[str], spoken: str) -> list[Line]:
    """Every line with its result, before anything is done; Refused for what is no such file.

    `source` and the partner's own country stand where a line gives none; country names are understood in the language `spoken` too.
    """
    rows, columns = _rows(text)
    reader = _Reader(columns, source, by, set(languages), spoken)
    return _marked([reader.line(number, row) for number, row in rows])


def bring_in(lines: list[Line], *, by: Actor, at: datetime) -> tuple[int, int, int]:
    """The good lines become leads, all together or none; returns how many came in, were here already, were wrong.

    Who comes second with the same file waits here, and finds everything there (S29).
    """
    wait_for_others(by)
    lines = _marked(lines)
    good = [line for line in lines if line.good]
    with many_inserts():
        for some in _some(good):
            rows = [{"public_id": uuid7(), **row_of(line.entry, source=line.source, by=by, at=at)} for line in some if line.entry is not None]
            insert_many(Lead, rows)
            _begin_history(rows, by, at)
    known = sum(line.known for line in lines)
    counts = {"brought_in": len(good), "known_already": known, "wrong": len(lines) - len(good) - known}
    if good:
        audit.record("lead.imported", by=by, at=at, after=counts)
    return counts["brought_in"], counts["known_already"], counts["wrong"]


def _begin_history(rows: list[dict[str, Any]], by: Actor, at: datetime) -> None:
    keys = db.session.scalars(sa.select(Lead.id).where(Lead.public_id.in_([row["public_id"] for row in rows])))
    entry = {"at": at, "author_id": by.user_id, "author_name": by.name[:120], "action": "lead.imported"}
    insert_many(LeadEntry, [{"lead_id": key, **entry} for key in keys])


def _marked(lines: list[Line]) -> list[Line]:
    """The same lines; what is in the database, or stands further up in the file, is known already."""
    names = sorted({line.identity[0] for line in lines if line.entry is not None})
    here: set[tuple[str, str]] = set()
    for some in _some(names):
        # Both tabs are named so that the index of company names answers.
        statement = sa.select(Lead.company_key, Lead.email).where(Lead.qualified.in_((0, 1)), Lead.company_key.in_(some))
        here.update((company, email.casefold()) for company, email in db.session.execute(statement))
    marked = []
    for line in lines:
        known = line.entry is not None and line.identity in here
        if line.entry is not None:
            here.add(line.identity)
        marked.append(Line(line.number, line.company, line.entry, line.source, line.wrong, known) if known != line.known else line)
    return marked


def _some(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _rows(text: str) -> tuple[list[tuple[int, list[str]]], dict[str, int]]:
    """Lines that are not empty, by their number in the file, and where each known column stands."""
    if len(text.encode()) > MOST_BYTES:
        raise Refused(_("This file is too large: at most %(size)s KB. Split it, or take fewer lines.", size=MOST_BYTES // 1000), field="file")
    first = text.lstrip("\ufeff\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    try:
        found = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
        header = next(found, (0, []))[1]
        rows = list(itertools.islice(found, MOST_LINES + 1))
    except csv.Error:
        raise Refused(_("This file cannot be read as CSV. Save it as CSV in your spreadsheet program, then choose it again."), field="file") from None
    columns = {_COLUMNS[name]: index for index, name in reversed(list(enumerate(map(normalise, header)))) if name in _COLUMNS}
    if "name" in columns:  # the company's where no other column names it
        columns.setdefault("contact" if "company" in columns else "company", columns.pop("name"))
    if "company" not in columns:
        raise Refused(_("The first line must name the columns, and one of them the company. Take the template as an example."), field="file")
    if len(rows) > MOST_LINES:
        raise Refused(_("At most %(number)s lines at once. Bring in the first ones, then the rest.", number=MOST_LINES), field="file")
    if not rows:
        raise Refused(_("There are no lines below the names of the columns."), field="file")
    return rows, columns


class _Wrong(Exception):
    """What is wrong with a line, and how to mend it."""


class _Reader:
    """Reads one line after the other into leads."""

    def __init__(self, columns: dict[str, int], source: LeadSource, by: Actor, languages: set[str], spoken: str) -> None:
        self.columns, self.source, self.by, self.languages = columns, source, by, languages
        self.spoken = spoken if spoken in languages else "en"
        self.market = market(by.country)
        named = {normalise(name): code for language in {"en", "fr", spoken} for code, name in country_names(language)}
        self.countries = {code.lower(): code for code in COUNTRIES} | named | {"uk": "GB"}

    def line(self, number: int, row: list[str]) -> Line:
        cells = {column: row[index] if index < len(row) else "" for column, index in self.columns.items()}
        company = clean(cells["company"])
        try:
            return Line(number, company, self._entry(cells), self._source(cells.get("source", "")))
        except _Wrong as wrong:
            return Line(number, company[:200], wrong=str(wrong))

    def _entry(self, cells: dict[str, str]) -> NewLead:
        values = {name: self._text(name, cells.get(name, "")) for name in _LENGTHS}
        if len(values["company"]) < 2:
            raise _Wrong(_("The company's name is missing."))
        if not (values["email"] or values["phone"]):
            raise _Wrong(_("Give an e-mail address or a telephone number, so that somebody can answer."))
        contact = clean(cells.get("contact", ""))
        if contact and not values["last_name"]:
            first, _space, last = contact.partition(" ")
            values |= {"first_name": self._text("first_name", first), "last_name": self._text("last_name", last)}
        country = self._country(cells.get("country", ""))
        language = clean(cells.get("language", "")).lower()[:2]
        return NewLead(
            company=values["company"],
            first_name=values["first_name"],
            last_name=values["last_name"],
            email=_email(values["email"]),
            phone=_phone(values["phone"], country),
            domain=_domain(values["domain"]),
            city=values["city"],
            message=values["message"],
            country=country,
            size=_size(cells.get("size", "")),
            language=language if language in self.languages else self.spoken,
        )

    def _text(self, name: str, cell: str) -> str:
        """The apostrophe that our exports put before a formula goes again."""
        value = clean(cell, multiline=name == "message")
        value = value[1:] if value[:1] == "'" and value[1:2] in ("=", "+", "-", "@") else value
        if len(value) > _LENGTHS[name]:
            raise _Wrong(_("%(column)s: at most %(longest)s characters.", column=_LABELS[name], longest=_LENGTHS[name]))
        return value

    def _country(self, cell: str) -> str:
        name = normalise(clean(cell))
        code = self.countries.get(name) if name else self.by.country
        if code is None:
            raise _Wrong(_("“%(text)s” is no country that we know. Write its name or its two-letter code, such as FR.", text=clean(cell)[:60]))
        if market(code) != self.market:
            raise _Wrong(_("%(country)s is outside your market.", country=clean(cell)[:60]))
        return code

    def _source(self, cell: str) -> LeadSource:
        first = normalise(clean(cell)).partition(" ")[0]
        if first and first not in _SOURCES:
            raise _Wrong(_("The source is “marketing-qualified” or “sales-qualified”."))
        return _SOURCES[first] if first else self.source


def _email(value: str) -> str:
    from portal.core.forms import valid_email

    if not value:
        return ""
    email = valid_email(value)
    if email is None:
        raise _Wrong(_("“%(text)s” is not an e-mail address. It should look like name@company.example.", text=value[:60]))
    return email


def _phone(value: str, country: str) -> str:
    if not value:
        return ""
    try:
        known = phonenumbers.is_possible_number(phonenumbers.parse(value, country))
    except phonenumbers.NumberParseException:
        known = False
    if not known:
        raise _Wrong(_("“%(text)s” is not a telephone number. Start with + and the country's code.", text=value))
    return value


def _domain(value: str) -> str:
    if not value:
        return ""
    try:
        domain = domain_name(value)
    except ValueError:
        domain = ""
    if not domain or domain_mixes_scripts(domain):
        raise _Wrong(_("“%(text)s” is not a domain name. It should look like company.example.", text=value[:60]))
    return domain


def _size(cell: str) -> str | None:
    """One of our sizes, or a number of people."""
    value = clean(cell).replace(" ", "").replace("–", "-")
    if not value:
        return None
    if value in list(CompanySize):
        return value
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise _Wrong(_("The size is a number of people, or one of: %(sizes)s.", sizes=", ".join(CompanySize)))
    number = int(value)
    return next((size.value for size, most in zip(CompanySize, (9, 49, 249, 999), strict=False) if number <= most), CompanySize.MORE.value)
