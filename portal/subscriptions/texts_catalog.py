"""How offers, their terms and the reasons why one cannot be ordered read."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, ngettext

from portal.core.access import Cloud
from portal.core.i18n import language, show_percent
from portal.subscriptions.catalog import Unavailable
from portal.subscriptions.models import Billing, Cycle
from portal.subscriptions.texts import count, money

BILLING_NAMES = {Billing.LICENCE: _l("Licence"), Billing.USAGE: _l("Usage")}
CYCLE_NAMES = {Cycle.MONTHLY: _l("Monthly"), Cycle.ANNUAL: _l("Annual")}
TERM_NAMES = {1: _l("1 month"), 12: _l("1 year"), 36: _l("3 years")}
CLOUD_NAMES = {Cloud.PUBLIC: _l("Public"), Cloud.US_GOVERNMENT: _l("US government")}
KIND_NAMES = {"subscription": _l("Subscriptions"), "add_on": _l("Add-ons"), "reservation": _l("Reservations")}
UNAVAILABLE = {
    Unavailable.WITHDRAWN: _l("This offer was withdrawn from the catalog."),
    Unavailable.CLOUD: _l("This offer is not sold in the customer's cloud."),
    Unavailable.MARKET: _l("This offer is not sold in the customer's market."),
    Unavailable.SEGMENT: _l("This offer is for customers of another segment."),
    Unavailable.NO_PRICE: _l("This offer has no price in the customer's currency yet."),
    Unavailable.ALREADY_THERE: _l("The customer has this offer already, and can have it only once."),
    Unavailable.NO_BASE: _l("This is an add-on. The customer needs an active subscription of its base offer first."),
}
# What the columns of an import hold; their names are catalog_table.COLUMNS.
COLUMN_HINTS = {
    "SKU": _l("Which offer the line is about. The other lines of the same offer may leave its columns empty and give a further price."),
    "Publisher": _l("Needed for a new offer."),
    "Name": _l("Needed for a new offer."),
    "Description": _l("Any text."),
    "Category": _l("Needed for a new offer."),
    "Segment": _l("commercial, education, government or nonprofit; empty for all."),
    "Billing": _l("licence or usage."),
    "Billing cycle": _l("monthly or annual."),
    "Term in months": _l("1, 12 or 36; of a reservation, 12 or 36."),
    "Minimum": _l("The least number that can be ordered."),
    "Maximum": _l("The most that can be ordered."),
    "One per customer": _l("yes or no; of a reservation, no."),
    "Trial days": _l("0 for no trial."),
    "Add-on of": _l("The SKU of the base offer; empty when it is no add-on."),
    "Clouds": _l("public, us_government; empty for your own."),
    "Markets": _l("Codes such as EU, US or JP, with commas between them. Empty: your own."),
    "Instance type": _l("Of a reservation; empty for everything else."),
    "Region": _l("Of a reservation; empty for everything else."),
    "Withdrawn": _l("The reason why nobody can order it any more; empty when it can be ordered."),
    "Currency": _l("A code such as EUR, CHF, GBP or USD."),
    "Price": _l("Of one piece, for one billing cycle; of a reservation, for the whole term."),
    "Cost": _l("What you pay for it yourself."),
    "From": _l("The day from which the price holds, such as 2027-04-01; empty for today."),
}
RESULT_NAMES = {"wrong": _l("Wrong"), "new": lazy_pgettext("line", "New"), "changed": lazy_pgettext("line", "Changed"), "same": lazy_pgettext("line", "Same")}
RESULT_TONES = {"wrong": "bad", "new": "good", "changed": "warn", "same": "neutral"}
PRICE_NAMES = {"future": _l("Later"), "present": _l("Now"), "past": _l("Past")}
PRICE_TONES = {"future": "info", "present": "good", "past": "neutral"}


@dataclass(frozen=True, slots=True)
class Line:
    """What a row of the catalog says, ready to print; `row` is where it comes from."""

    row: Any
    key: str
    billing: str
    term: str
    range: str
    trial: str
    price: str
    margin: str


def lines(rows: Sequence[Any], prices: Mapping[int, Any]) -> Iterator[Line]:
    """The offers of a page in words; what many of them say alike is said once."""
    spoken, between = language(), _("%(least)s to %(most)s")
    sold: dict[Any, tuple[str, str]] = {}
    trials = {days: ngettext("%(num)s day of trial", "%(num)s days of trial", days) for days in {row.trial_days for row in rows} - {0}}
    for row in rows:
        kind = (row.instance_type is None, row.billing, row.add_on_of_id is None, row.trial_days > 0, row.cycle, row.term_months)
        billing, term = sold.get(kind) or sold.setdefault(kind, _sold(row))
        price = prices.get(row.id)
        yield Line(
            row,
            str(row.public_id),
            billing,
            term,
            between % {"least": count(row.minimum, spoken), "most": count(row.maximum, spoken)},
            trials.get(row.trial_days, ""),
            money(price.price.minor, price.price.currency, spoken) if price else "",
            _percent(price.margin, spoken) if price and price.margin is not None else "",
        )


def _sold(row: Any) -> tuple[str, str]:
    """How it is billed, and for how long."""
    term = str(TERM_NAMES[row.term_months])
    if row.instance_type is not None:
        return _("Reservation"), term
    extra = _("Add-on") if row.add_on_of_id is not None else _("Trial") if row.trial_days else ""
    return f"{BILLING_NAMES[row.billing]} · {extra}" if extra else str(BILLING_NAMES[row.billing]), f"{CYCLE_NAMES[row.cycle]} · {term}"


@functools.lru_cache(maxsize=4096)
def _percent(value: Decimal, spoken: str) -> str:
    return show_percent(value)
