"""The columns of the catalog as a table: what an export writes in them, and how the cells of an import are read (R80)."""

import contextlib
import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _

from portal.core import money, sheets, words
from portal.core.access import Cloud
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.money import Money
from portal.customers.texts import SEGMENT_NAMES
from portal.subscriptions import catalog
from portal.subscriptions.catalog import LENGTHS, LONGEST_TRIAL, MOST_PIECES
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
OF_OFFER = tuple(COLUMNS)[1:19]
OF_PRICE = tuple(COLUMNS)[19:]
NEEDED = ("publisher", "name", "category", "billing", "cycle", "term_months")
_KNOWN = {words.normalise(name): key for key, name in COLUMNS.items()}
_TEXTS = ("sku", "publisher", "name", "description", "category", "instance_type", "region", "withdrawn_reason")
Readers = dict[str, Callable[[Any], Any]]


# --- out


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


# --- in


def columns_in(header: Sequence[Any]) -> dict[int, str]:
    """Position and name of the columns that are understood."""
    found = {number: _KNOWN[name] for number, cell in enumerate(header) if (name := words.normalise(str(cell or ""))) in _KNOWN}
    if "sku" not in found.values():
        raise Refused(_("The first line names the columns, and one of them must be “SKU”. An export of your catalog shows them all."))
    twice = [COLUMNS[key] for key, number in Counter(found.values()).items() if number > 1]
    if twice:
        raise Refused(_("Two columns are called “%(name)s”. Remove one of them.", name=twice[0]))
    return found


def cell_readers() -> Readers:
    """How each column is read, with its messages in the reader's language."""
    texts = {key: _text(LENGTHS[key], needed=key in (*NEEDED, "sku"), multiline=key == "description") for key in _TEXTS}
    readers: Readers = {
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


def is_filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def amount_in(cell: Any, currency: str) -> Money | None:
    """What a cell says something costs; None when it is empty. TooMuch, or ValueError for anything else."""
    if not is_filled(cell):
        return None
    if isinstance(cell, str):
        return money.parse(sheets.unmarked(cell), currency, language())
    minor = Decimal(str(round(cell, 6))).scaleb(money.digits(currency))
    if isinstance(cell, bool) or minor != int(minor) or minor < 0:
        raise ValueError(cell)
    if minor > money.MOST:
        raise money.TooMuch(currency)
    return Money(int(minor), currency)


def codes_in(text: str) -> list[str]:
    """Codes of markets as people write them in a row."""
    return [code.upper() for code in re.split(r"[\s,;]+", text) if code]


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
        if not is_filled(cell) and default is not None:
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
