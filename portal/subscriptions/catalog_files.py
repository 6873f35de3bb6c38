"""The catalog as a table: what an export writes and an import understands, a result for each line, and then all of it at once (R80).

A file is looked through as often as one likes; only apply() changes anything. An offer is known by its SKU within the partner's own
catalog, so no line reaches anybody else's (S25).
"""

import contextlib
import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import aliased

from portal.core import audit, money, sheets, words
from portal.core.access import Actor, Cloud
from portal.core.db import db, uuid7
from portal.core.errors import Refused
from portal.core.i18n import language, show_money
from portal.core.money import Money
from portal.core.scope import insert_many
from portal.customers.texts import SEGMENT_NAMES
from portal.subscriptions import catalog
from portal.subscriptions.catalog import LENGTHS, LONGEST_TRIAL, MOST_PIECES, OfferEntry
from portal.subscriptions.models import CatalogImport, Offer, OfferPrice
from portal.subscriptions.texts_catalog import BILLING_NAMES, CYCLE_NAMES

# What the columns are called stays the same in every language: other programs read them.
COLUMNS = {
    "sku": "SKU",
    "publisher": "Publisher",
    "name": "Name",
    "description": "Description",
    "category": "Category",
    "segment": "Segment",
    "billing": "Billing",
    "cycle": "Billing cycle",
    "term_months": "Term in months",
    "minimum": "Minimum",
    "maximum": "Maximum",
    "one_per_customer": "One per customer",
    "trial_days": "Trial days",
    "add_on_of": "Add-on of",
    "clouds": "Clouds",
    "markets": "Markets",
    "instance_type": "Instance type",
    "region": "Region",
    "withdrawn_reason": "Withdrawn",
    "currency": "Currency",
    "price": "Price",
    "cost": "Cost",
    "from_on": "From",
}
HEADER = tuple(COLUMNS.values())
_OF_OFFER = tuple(COLUMNS)[1:19]
_OF_PRICE = tuple(COLUMNS)[19:]
_KNOWN = {words.normalise(name): key for key, name in COLUMNS.items()}
_NEEDED = ("publisher", "name", "category", "billing", "cycle", "term_months")
_AT_ONCE = 5000  # rows looked up in one statement


class Result(StrEnum):
    WRONG = "wrong"
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class Problem:
    """What is wrong in which column, and how to mend it."""

    column: str
    message: str


@dataclass
class Line:
    """A line of the file, numbered as a spreadsheet does, and what its import would do."""

    number: int
    sku: str = ""
    name: str = ""
    result: Result = Result.SAME
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, column: str, message: Any) -> None:
        self.problems.append(Problem(COLUMNS[column], str(message)))
        self.result = Result.WRONG


@dataclass
class _Price:
    """What a line says an offer costs from a day on."""

    line: Line
    money: Money
    cost: Money | None
    from_on: date

    @property
    def told(self) -> tuple[Money, Money | None]:
        return self.money, self.cost


@dataclass
class _Offer:
    """An offer as the file would have it, beside what it is. What add-ons ask of their base is `id` and `add_on_of_id`."""

    entry: OfferEntry
    withdrawn_reason: str = ""
    present: OfferEntry | None = None  # none: the offer is new
    present_reason: str = ""
    id: int | None = None
    public_id: UUID = field(default_factory=uuid7)
    lines: list[Line] = field(default_factory=list)
    described_by: Line | None = None
    prices: dict[tuple[str, date], _Price] = field(default_factory=dict)
    present_prices: dict[tuple[str, date], Any] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return self.present is None

    @property
    def is_wrong(self) -> bool:
        return self.described_by is not None and self.described_by.result is Result.WRONG

    @property
    def is_changed(self) -> bool:
        return (self.present, self.present_reason) != (self.entry, self.withdrawn_reason)

    @property
    def add_on_of_id(self) -> object:
        return self.entry.add_on_of or None

    def held(self, currency: str, day: date) -> Any:
        """The price that holds on this day."""
        return max(
            (row for (known, start), row in self.present_prices.items() if known == currency and start <= day), key=lambda row: row.from_on, default=None
        )

    def present_price(self, price: _Price) -> tuple[Money, Money | None] | None:
        row = self.present_prices.get((price.money.currency, price.from_on))
        return (Money(row.price_minor, row.currency), _cost(row)) if row is not None else None


@dataclass
class Plan:
    """What an import would do: a result for each line. `unknown` are columns that nobody reads."""

    lines: list[Line]
    unknown: list[str]
    offers: list[_Offer] = field(repr=False)

    @property
    def counts(self) -> dict[Result, int]:
        counted = Counter(line.result for line in self.lines)
        return {result: counted[result] for result in Result}


def exporting() -> Callable[[Any], tuple[Any, ...]]:
    """Turns a row of catalog_queries.export() into the columns of the file; an offer is put into words once for all of its prices, which follow each other."""
    sku, offer = None, ()

    def exported(row: Any) -> tuple[Any, ...]:
        nonlocal sku, offer
        if row.sku != sku:
            sku, offer = row.sku, _cells_of(row)
        if row.currency is None:
            return (*offer, "", "", "", "")
        cost = Money(row.cost_minor, row.currency).amount if row.cost_minor is not None else ""
        return (*offer, row.currency, Money(row.price_minor, row.currency).amount, cost, row.from_on)

    return exported


def _cells_of(row: Any) -> tuple[Any, ...]:
    reason = row.withdrawn_reason if row.withdrawn else ""
    texts = (row.sku, row.publisher, row.name, row.description, row.category)
    return (
        *map(sheets.marked, texts),
        row.segment.value if row.segment else "",
        row.billing.value,
        row.cycle.value,
        row.term_months,
        row.minimum,
        row.maximum,
        "yes" if row.one_per_customer else "no",
        row.trial_days,
        sheets.marked(row.base_sku or ""),
        _together(row.clouds),
        _together(row.markets),
        *map(sheets.marked, (row.instance_type or "", row.region or "", reason)),
    )


@functools.lru_cache(maxsize=1000)
def _together(codes: str) -> str:
    return ", ".join(json.loads(codes))


# --- the upload


def save(content: bytes, *, by: Actor, at: datetime) -> CatalogImport:
    """Keep a file's rows until they are imported; what the same person left lying is thrown away. Refused when the file cannot be read."""
    rows = sheets.rows(content)
    columns_in(rows[0])
    db.session.execute(sa.delete(CatalogImport).where(CatalogImport.author_id == by.user_id).execution_options(synchronize_session=False))
    upload = CatalogImport(partner_id=by.organization_id, author_id=by.user_id, rows=rows, saved_at=at)
    db.session.add(upload)
    db.session.flush()
    return upload


def columns_in(header: Sequence[Any]) -> dict[int, str]:
    """Position and name of the columns that are understood."""
    found = {number: _KNOWN[name] for number, cell in enumerate(header) if (name := words.normalise(str(cell or ""))) in _KNOWN}
    if "sku" not in found.values():
        raise Refused(_("The first line names the columns, and one of them must be “SKU”. An export of your catalog shows them all."))
    twice = [COLUMNS[key] for key, number in Counter(found.values()).items() if number > 1]
    if twice:
        raise Refused(_("Two columns are called “%(name)s”. Remove one of them.", name=twice[0]))
    return found


# --- the plan


def plan(rows: list[list[Any]], *, at: datetime, lock: bool = False) -> Plan:
    """What an import of these rows would do now. `lock` holds the offers concerned until the commit."""
    columns = columns_in(rows[0])
    unknown = [str(cell) for number, cell in enumerate(rows[0]) if number not in columns and _is_filled(cell)]
    readers = _readers()
    lines: list[tuple[Line, dict[str, Any]]] = []
    for number, row in enumerate(rows[1:], 2):
        cells = {key: row[position] if position < len(row) else "" for position, key in columns.items()}
        if any(map(_is_filled, cells.values())):
            line = Line(number)
            line.sku = _read(readers, "sku", cells, line) or ""
            lines.append((line, cells))
    offers = _present([line.sku for line, _cells in lines if line.sku], lock=lock)
    for line, cells in lines:
        if line.sku:
            offer = offers.setdefault(line.sku, _Offer(catalog.blank(line.sku)))
            offer.lines.append(line)
            _describe(offer, line, cells, readers)
            _add_price(offer, line, cells, readers, at.date())
    concerned = [offer for offer in offers.values() if offer.lines]
    _check(concerned, offers)
    for offer in concerned:
        _conclude(offer)
    return Plan([line for line, _cells in lines], unknown, concerned)


def _describe(offer: _Offer, line: Line, cells: dict[str, Any], readers: "_Readers") -> None:
    """Take over what the line says of the offer itself; a line with a price only says nothing of it."""
    if any(_is_filled(cells[key]) for key in _OF_OFFER if key in cells):
        values = {key: _read(readers, key, cells, line) for key in _OF_OFFER if key in cells}
        for key in _NEEDED:
            if offer.is_new and key not in values:
                line.wrong(key, _("A new offer needs this column."))
        read = {key: value for key, value in values.items() if value is not None}
        reason = read.pop("withdrawn_reason", offer.withdrawn_reason)
        entry = replace(offer.entry, **read)
        if offer.described_by is None:
            offer.entry, offer.withdrawn_reason, offer.described_by = entry, reason, line
        elif (entry, reason) != (offer.entry, offer.withdrawn_reason):
            told, known = vars(entry) | {"withdrawn_reason": reason}, vars(offer.entry) | {"withdrawn_reason": offer.withdrawn_reason}
            for key in _OF_OFFER:
                if told[key] != known[key]:
                    line.wrong(key, _("Line %(number)s says something else about the same offer.", number=offer.described_by.number))
    line.name = offer.entry.name


def _add_price(offer: _Offer, line: Line, cells: dict[str, Any], readers: "_Readers", today: date) -> None:
    if not any(_is_filled(cells.get(key)) for key in _OF_PRICE):
        return
    currency, from_on = _read(readers, "currency", cells, line), _read(readers, "from_on", cells, line)
    amounts: dict[str, Money | None] = {"price": None, "cost": None}
    for key in amounts:
        try:
            amounts[key] = _amount(cells.get(key), currency or "EUR")
        except money.TooMuch as wrong:
            line.wrong(key, _("This is too much: at most %(most)s.", most=show_money(wrong.most)))
        except ValueError:
            line.wrong(key, _("Write an amount, such as 1250 or 1250.50."))
    given = amounts["price"]
    if given is None:
        if not _is_filled(cells.get("price")):
            line.wrong("price", _("Fill this in."))
        return
    if line.problems:
        return
    price = _Price(line, given, amounts["cost"], from_on or today)
    held = offer.held(given.currency, today) if from_on is None else None
    if held is not None and held.price_minor == given.minor and (price.cost is None or price.cost == _cost(held)):
        price.from_on, price.cost = held.from_on, _cost(held)  # no day and nothing new: the price as it is, whenever it began
    if "cost" not in cells:
        price.cost = (offer.present_price(price) or (None, None))[1]
    first = offer.prices.setdefault((given.currency, price.from_on), price)
    if first.told != price.told:
        line.wrong("price", _("Line %(number)s gives another price for the same day.", number=first.line.number))
    elif not offer.is_new and price.from_on < today and price.told != offer.present_price(price):
        line.wrong("from_on", _("A price holds from today on, or from a later day."))


def _check(offers: list[_Offer], by_sku: dict[str, _Offer]) -> None:
    """The rules that look at an offer as a whole, and at its base."""
    missing = sorted({offer.entry.add_on_of for offer in offers} - set(by_sku) - {""})
    others = {row.sku: row for some in _chunks(missing) for row in db.session.execute(_BASES.where(Offer.sku.in_(some)))}
    turned = [offer.id for offer in offers if offer.present is not None and offer.entry.add_on_of and not offer.present.add_on_of]
    with_add_ons = catalog.with_add_ons([number for number in turned if number is not None]) if turned else set()
    for offer in offers:
        line = offer.described_by
        if line is None:
            for price_line in offer.lines if offer.is_new else ():
                price_line.wrong("sku", _("Your catalog has no offer with this SKU. To add it, fill in what describes it."))
            continue
        base = by_sku.get(offer.entry.add_on_of) or others.get(offer.entry.add_on_of)
        try:
            if base is offer or offer.id in with_add_ons:
                raise Refused(_("This offer has add-ons, so it cannot be one itself."), field="add_on_of")
            catalog.check(offer.entry, base)
        except Refused as refusal:
            if not line.problems:
                line.wrong(refusal.field or "sku", refusal.message)
    for offer in offers:
        base = by_sku.get(offer.entry.add_on_of)
        left_as_it_is = base is not None and base.is_wrong and (base.present is None or base.present.add_on_of)
        if left_as_it_is and offer.described_by is not None and not offer.is_wrong:
            offer.described_by.wrong("add_on_of", _("The line of the offer that this is an add-on of is wrong. Mend that line first."))


def _conclude(offer: _Offer) -> None:
    """What each line of an offer does, now that it is known whether the offer is right."""
    for line in offer.lines:
        if offer.is_new and offer.is_wrong and line is not offer.described_by:
            line.wrong("sku", _("The line that describes this new offer is wrong. Mend that line first."))
        elif line.result is Result.SAME and offer.is_new:
            line.result = Result.NEW
        elif line.result is Result.SAME and line is offer.described_by and offer.is_changed:
            line.result = Result.CHANGED
    for price in offer.prices.values():
        if price.line.result is Result.SAME and price.told != offer.present_price(price):
            price.line.result = Result.CHANGED


# --- the import


def apply(upload: CatalogImport, *, by: Actor, at: datetime) -> dict[str, int]:
    """Import what is right and leave out what is wrong; a second try finds that it is done (R81). The upload is locked by the caller."""
    if upload.imported_at is None:
        planned = plan(upload.rows, at=at, lock=True)
        right = [offer for offer in planned.offers if not offer.is_wrong]
        new = [offer for offer in right if offer.is_new and offer.described_by is not None]
        _add([offer for offer in new if not offer.entry.add_on_of], by=by, at=at)
        _add([offer for offer in new if offer.entry.add_on_of], by=by, at=at)
        _change([offer for offer in right if not offer.is_new and offer.is_changed], by=by, at=at)
        _set_prices([offer for offer in planned.offers if offer.id is not None], by=by, at=at)
        upload.result = {result.value: number for result, number in planned.counts.items()}
        upload.imported_at, upload.rows = at, []
        audit.record("catalog.imported", by=by, at=at, after=upload.result)
    return upload.result


def _add(offers: list[_Offer], *, by: Actor, at: datetime) -> None:
    bases = _ids({offer.entry.add_on_of for offer in offers})
    rows = [
        {
            **catalog.columns_of(offer.entry, bases.get(offer.entry.add_on_of)),
            "public_id": offer.public_id,
            "version": 1,
            "created_at": at,
            "withdrawn": bool(offer.withdrawn_reason),
            "withdrawn_reason": offer.withdrawn_reason,
        }
        for offer in offers
    ]
    if rows:
        insert_many(Offer, rows)
    ids = _ids({offer.entry.sku for offer in offers})
    for offer in offers:
        offer.id = ids[offer.entry.sku]
        prices = [(price.money, price.from_on) for price in offer.prices.values() if price.line.result is not Result.WRONG]
        catalog.log_addition(offer.public_id, offer.entry, prices, by=by, at=at)


def _change(offers: list[_Offer], *, by: Actor, at: datetime) -> None:
    bases = _ids({offer.entry.add_on_of for offer in offers})
    by_id = {offer.id: offer for offer in offers}
    for some in _chunks(list(by_id)):
        for row in db.session.scalars(sa.select(Offer).where(Offer.id.in_(some))):
            offer = by_id[row.id]
            assert offer.present is not None
            catalog.write(row, offer.present, offer.entry, base_id=bases.get(offer.entry.add_on_of), by=by, at=at)
            if offer.withdrawn_reason:
                catalog.withdraw(row, reason=offer.withdrawn_reason, by=by, at=at)
            elif offer.present_reason:
                catalog.restore(row, by=by, at=at)
    db.session.flush()


def _set_prices(offers: list[_Offer], *, by: Actor, at: datetime) -> None:
    new, replaced = [], {}
    for offer in offers:
        for place, price in offer.prices.items():
            before = offer.present_price(price)
            if price.line.result is Result.WRONG or before == price.told:
                continue
            amounts = {"price_minor": price.money.minor, "cost_minor": price.cost.minor if price.cost else None}
            if before is None:
                new.append({"offer_id": offer.id, "currency": place[0], "from_on": place[1], **amounts})
            else:
                replaced[offer.present_prices[place].id] = amounts
            if not offer.is_new:
                catalog.log_price(offer.public_id, offer.entry.sku, before, price.told, price.from_on, by=by, at=at)
    if new:
        insert_many(OfferPrice, new)
    for some in _chunks(list(replaced)):
        for row in db.session.scalars(sa.select(OfferPrice).where(OfferPrice.id.in_(some)).with_for_update()):
            for name, value in replaced[row.id].items():
                setattr(row, name, value)
    db.session.flush()


# --- what is there

_BASE = aliased(Offer)
_BASES = sa.select(Offer.id, Offer.sku, Offer.add_on_of_id)
_SHOWN = [getattr(Offer, name) for name in catalog.PLAIN_FIELDS]
_PRESENT = sa.select(Offer.id, Offer.public_id, Offer.withdrawn_reason, Offer.add_on_of_id, *_SHOWN, _BASE.sku.label("base_sku")).outerjoin(
    _BASE, _BASE.id == Offer.add_on_of_id
)
_PRICES = sa.select(OfferPrice.id, OfferPrice.offer_id, OfferPrice.currency, OfferPrice.from_on, OfferPrice.price_minor, OfferPrice.cost_minor)


def _present(skus: list[str], *, lock: bool) -> dict[str, _Offer]:
    """The offers of these SKUs with their prices, as if nothing were to change."""
    found: dict[str, _Offer] = {}
    for some in _chunks(sorted(set(skus))):
        statement = _PRESENT.where(Offer.sku.in_(some))
        for row in db.session.execute(statement.with_for_update(of=Offer) if lock else statement):
            entry = catalog.entry_of(row, row.base_sku)
            found[row.sku] = _Offer(entry, row.withdrawn_reason, entry, row.withdrawn_reason, row.id, row.public_id)
    by_id = {offer.id: offer for offer in found.values()}
    for numbers in _chunks(list(by_id)):
        for row in db.session.execute(_PRICES.where(OfferPrice.offer_id.in_(numbers))):
            by_id[row.offer_id].present_prices[row.currency, row.from_on] = row
    return found


def _ids(skus: set[str]) -> dict[str, int]:
    wanted = sorted(skus - {""})
    return {sku: number for some in _chunks(wanted) for sku, number in db.session.execute(sa.select(Offer.sku, Offer.id).where(Offer.sku.in_(some)))}


def _cost(row: Any) -> Money | None:
    return Money(row.cost_minor, row.currency) if row.cost_minor is not None else None


def _chunks(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


# --- cells

_Readers = dict[str, Callable[[Any], Any]]


def _read(readers: _Readers, key: str, cells: dict[str, Any], line: Line) -> Any:
    """The value of a cell; None, with the reason in the line, when it is none."""
    try:
        return readers[key](cells.get(key))
    except ValueError as wrong:
        line.wrong(key, wrong)
        return None


def _readers() -> _Readers:
    """How each column is read, with its messages in the reader's language."""
    texts = {key: _text(LENGTHS[key], needed=key in (*_NEEDED, "sku"), multiline=key == "description") for key in _TEXTS}
    readers: _Readers = {
        **texts,
        "segment": _one_of(SEGMENT_NAMES, needed=False),
        "billing": _one_of(BILLING_NAMES),
        "cycle": _one_of(CYCLE_NAMES),
        "term_months": _number(1, max(catalog.TERMS)),
        "minimum": _number(1, MOST_PIECES, default=1),
        "maximum": _number(1, MOST_PIECES, default=catalog.blank("").maximum),
        "one_per_customer": _yes_or_no,
        "trial_days": _number(0, LONGEST_TRIAL, default=0),
        "add_on_of": _text(LENGTHS["sku"], needed=False),
        "clouds": _clouds,
        "markets": lambda cell: sorted(set(codes_in(_plain(cell)))),
        "currency": _currency,
        "from_on": _day,
    }
    # Line after line says the same in most of its cells. A number is no truth value, so cells are told apart by type.
    return {key: functools.lru_cache(maxsize=1000, typed=True)(reader) for key, reader in readers.items()}


_TEXTS = ("sku", "publisher", "name", "description", "category", "instance_type", "region", "withdrawn_reason")


def codes_in(text: str) -> list[str]:
    """Codes of markets as people write them in a row."""
    return [code.upper() for code in re.split(r"[\s,;]+", text) if code]


def _is_filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def _plain(cell: Any) -> str:
    return sheets.unmarked(cell.strip()) if isinstance(cell, str) else "" if cell is None else str(cell)


def _text(length: int, *, needed: bool, multiline: bool = False) -> Callable[[Any], str]:
    def read(cell: Any) -> str:
        text = words.clean(_plain(cell), multiline=multiline)
        if needed and not text:
            raise ValueError(_("Fill this in."))
        if len(text) > length:
            raise ValueError(_("This is too long: at most %(longest)s characters.", longest=length))
        return text

    return read


def _one_of(names: Mapping[Any, Any], *, needed: bool = True) -> Callable[[Any], str]:
    """One of these codes; their names in the reader's language are understood too."""
    known = {code.value: code.value for code in names} | {str(name).casefold(): code.value for code, name in names.items()}

    def read(cell: Any) -> str:
        text = _plain(cell).casefold()
        if not text and not needed:
            return ""
        if text not in known:
            raise ValueError(_("Write one of these: %(codes)s.", codes=", ".join(code.value for code in names)))
        return known[text]

    return read


def _number(least: int, most: int, *, default: int | None = None) -> Callable[[Any], int]:
    def read(cell: Any) -> int:
        if not _is_filled(cell) and default is not None:
            return default
        text = _plain(cell)
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise ValueError(_("Give a whole number from %(least)s to %(most)s.", least=least, most=most))
        return int(text)

    return read


def _yes_or_no(cell: Any) -> bool:
    text = _plain(cell).casefold()
    if text in ("", "no", "false", "0", _("No").casefold()):
        return False
    if text in ("yes", "true", "1", "x", _("Yes").casefold()):
        return True
    raise ValueError(_("Write one of these: %(codes)s.", codes="yes, no"))


def _clouds(cell: Any) -> list[str]:
    codes = sorted({code.lower() for code in codes_in(_plain(cell))})
    if not set(codes) <= set(Cloud):
        raise ValueError(_("Write one of these: %(codes)s.", codes=", ".join(Cloud)))
    return codes


def _currency(cell: Any) -> str:
    code = _plain(cell).upper()
    if code not in money.currencies():
        raise ValueError(_("Write a currency's code, such as EUR, CHF, GBP or USD."))
    return code


def _day(cell: Any) -> date | None:
    """A day as ISO 8601 writes it, or as spreadsheets of the reader's language do where that leaves no doubt."""
    text = _plain(cell)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        parts = re.fullmatch(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})", text)
    if parts and (parts[2] == "." or language() == "fr" or int(parts[1]) > 12):
        with contextlib.suppress(ValueError):
            return date(int(parts[4]), int(parts[3]), int(parts[1]))
    raise ValueError(_("Write the day as year, month and day, such as 2027-04-01."))


def _amount(cell: Any, currency: str) -> Money | None:
    """What a cell says something costs; None when it is empty. TooMuch, or ValueError for anything else."""
    if not _is_filled(cell):
        return None
    if isinstance(cell, str):
        return money.parse(sheets.unmarked(cell), currency, language())
    minor = Decimal(str(round(cell, 6))).scaleb(money.digits(currency))
    if isinstance(cell, bool) or minor != int(minor) or minor < 0:
        raise ValueError(cell)
    if minor > money.MOST:
        raise money.TooMuch(currency)
    return Money(int(minor), currency)
