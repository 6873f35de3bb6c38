"""What an import of the catalog would do, line by line (R80).

A file is looked through as often as one likes, and nothing changes. An offer is known by its SKU within the partner's own catalog, so no line reaches
anybody else's (S25).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import aliased

from portal.core import money
from portal.core.db import db, uuid7
from portal.core.errors import Refused
from portal.core.i18n import show_money
from portal.core.money import Money
from portal.subscriptions import catalog
from portal.subscriptions.catalog import OfferEntry
from portal.subscriptions.catalog_table import COLUMNS, NEEDED, OF_OFFER, OF_PRICE, Readers, amount_in, cell_readers, columns_in, is_filled
from portal.subscriptions.models import Offer, OfferPrice

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
class PlannedPrice:
    """What a line says an offer costs from a day on."""

    line: Line
    money: Money
    cost: Money | None
    from_on: date

    @property
    def told(self) -> tuple[Money, Money | None]:
        return self.money, self.cost


@dataclass
class PlannedOffer:
    """An offer as the file would have it, beside what it is. What add-ons ask of their base is `id` and `add_on_of_id`."""

    entry: OfferEntry
    withdrawn_reason: str = ""
    present: OfferEntry | None = None  # none: the offer is new
    present_reason: str = ""
    id: int | None = None
    public_id: UUID = field(default_factory=uuid7)
    lines: list[Line] = field(default_factory=list)
    described_by: Line | None = None
    prices: dict[tuple[str, date], PlannedPrice] = field(default_factory=dict)
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

    def present_price(self, price: PlannedPrice) -> tuple[Money, Money | None] | None:
        row = self.present_prices.get((price.money.currency, price.from_on))
        return (Money(row.price_minor, row.currency), _cost(row)) if row is not None else None


@dataclass
class Plan:
    """What an import would do: a result for each line. `unknown` are columns that nobody reads."""

    lines: list[Line]
    unknown: list[str]
    offers: list[PlannedOffer] = field(repr=False)

    @property
    def counts(self) -> dict[Result, int]:
        counted = Counter(line.result for line in self.lines)
        return {result: counted[result] for result in Result}


def plan(rows: list[list[Any]], *, at: datetime, lock: bool = False) -> Plan:
    """What an import of these rows would do now. `lock` holds the offers concerned until the commit."""
    columns = columns_in(rows[0])
    unknown = [str(cell) for number, cell in enumerate(rows[0]) if number not in columns and is_filled(cell)]
    readers = cell_readers()
    lines: list[tuple[Line, dict[str, Any]]] = []
    for number, row in enumerate(rows[1:], 2):
        cells = {key: row[position] if position < len(row) else "" for position, key in columns.items()}
        if any(map(is_filled, cells.values())):
            line = Line(number)
            line.sku = _read(readers, "sku", cells, line) or ""
            lines.append((line, cells))
    offers = _present([line.sku for line, _cells in lines if line.sku], lock=lock)
    for line, cells in lines:
        if line.sku:
            offer = offers.setdefault(line.sku, PlannedOffer(catalog.blank(line.sku)))
            offer.lines.append(line)
            _describe(offer, line, cells, readers)
            _add_price(offer, line, cells, readers, at.date())
    concerned = [offer for offer in offers.values() if offer.lines]
    _check(concerned, offers)
    for offer in concerned:
        _conclude(offer)
    return Plan([line for line, _cells in lines], unknown, concerned)


def _describe(offer: PlannedOffer, line: Line, cells: dict[str, Any], readers: "Readers") -> None:
    """Take over what the line says of the offer itself; a line with a price only says nothing of it."""
    if any(is_filled(cells[key]) for key in OF_OFFER if key in cells):
        values = {key: _read(readers, key, cells, line) for key in OF_OFFER if key in cells}
        for key in NEEDED:
            if offer.is_new and key not in values:
                line.wrong(key, _("A new offer needs this column."))
        read = {key: value for key, value in values.items() if value is not None}
        reason = read.pop("withdrawn_reason", offer.withdrawn_reason)
        entry = replace(offer.entry, **read)
        if offer.described_by is None:
            offer.entry, offer.withdrawn_reason, offer.described_by = entry, reason, line
        elif (entry, reason) != (offer.entry, offer.withdrawn_reason):
            told, known = vars(entry) | {"withdrawn_reason": reason}, vars(offer.entry) | {"withdrawn_reason": offer.withdrawn_reason}
            for key in OF_OFFER:
                if told[key] != known[key]:
                    line.wrong(key, _("Line %(number)s says something else about the same offer.", number=offer.described_by.number))
    line.name = offer.entry.name


def _add_price(offer: PlannedOffer, line: Line, cells: dict[str, Any], readers: "Readers", today: date) -> None:
    if not any(is_filled(cells.get(key)) for key in OF_PRICE):
        return
    currency, from_on = _read(readers, "currency", cells, line), _read(readers, "from_on", cells, line)
    amounts: dict[str, Money | None] = {"price": None, "cost": None}
    for key in amounts:
        try:
            amounts[key] = amount_in(cells.get(key), currency or "EUR")
        except money.TooMuch as wrong:
            line.wrong(key, _("This is too much: at most %(most)s.", most=show_money(wrong.most)))
        except ValueError:
            line.wrong(key, _("Write an amount, such as 1250 or 1250.50."))
    given = amounts["price"]
    if given is None:
        if not is_filled(cells.get("price")):
            line.wrong("price", _("Fill this in."))
        return
    if line.problems:
        return
    price = PlannedPrice(line, given, amounts["cost"], from_on or today)
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


def _check(offers: list[PlannedOffer], by_sku: dict[str, PlannedOffer]) -> None:
    """The rules that look at an offer as a whole, and at its base."""
    missing = sorted({offer.entry.add_on_of for offer in offers} - set(by_sku) - {""})
    others = {row.sku: row for some in chunks(missing) for row in db.session.execute(_BASES.where(Offer.sku.in_(some)))}
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


def _conclude(offer: PlannedOffer) -> None:
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


def _read(readers: Readers, key: str, cells: dict[str, Any], line: Line) -> Any:
    """The value of a cell; None, with the reason in the line, when it is none."""
    try:
        return readers[key](cells.get(key))
    except ValueError as wrong:
        line.wrong(key, wrong)
        return None


# --- what is there

_BASE = aliased(Offer)
_BASES = sa.select(Offer.id, Offer.sku, Offer.add_on_of_id)
_SHOWN = [getattr(Offer, name) for name in catalog.PLAIN_FIELDS]
_PRESENT = sa.select(Offer.id, Offer.public_id, Offer.withdrawn_reason, Offer.add_on_of_id, *_SHOWN, _BASE.sku.label("base_sku")).outerjoin(
    _BASE, _BASE.id == Offer.add_on_of_id
)
_PRICES = sa.select(OfferPrice.id, OfferPrice.offer_id, OfferPrice.currency, OfferPrice.from_on, OfferPrice.price_minor, OfferPrice.cost_minor)


def _present(skus: list[str], *, lock: bool) -> dict[str, PlannedOffer]:
    """The offers of these SKUs with their prices, as if nothing were to change."""
    found: dict[str, PlannedOffer] = {}
    for some in chunks(sorted(set(skus))):
        statement = _PRESENT.where(Offer.sku.in_(some))
        for row in db.session.execute(statement.with_for_update(of=Offer) if lock else statement):
            entry = catalog.entry_of(row, row.base_sku)
            found[row.sku] = PlannedOffer(entry, row.withdrawn_reason, entry, row.withdrawn_reason, row.id, row.public_id)
    by_id = {offer.id: offer for offer in found.values()}
    for numbers in chunks(list(by_id)):
        for row in db.session.execute(_PRICES.where(OfferPrice.offer_id.in_(numbers))):
            by_id[row.offer_id].present_prices[row.currency, row.from_on] = row
    return found


def _cost(row: Any) -> Money | None:
    return Money(row.cost_minor, row.currency) if row.cost_minor is not None else None


def chunks(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
