"""How orders, and what a cart costs, read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask_babel import get_timezone, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.access import Side
from portal.core.i18n import language, show_day, show_money, show_number
from portal.core.money import Money
from portal.subscriptions import catalog
from portal.subscriptions.models import Billing, Cycle, ReservationScope
from portal.subscriptions.texts import PRICES, SCOPE_NAMES, count, day, money
from portal.subscriptions.texts_catalog import TERM_NAMES, UNAVAILABLE

SIDE_NAMES = {Side.PARTNER: _l("Partner"), Side.CUSTOMER: _l("Customer")}
# For whom the offers of a cart are shown.
SHOWN = {"": _l("Those this customer can have"), "others": _l("All others, and why not")}
# Why a reseller's order cannot be placed, whatever its lines are.
NOT_TO_BE_PLACED = {
    "relationship": _l("The relationship with this customer is not active, so nothing can be ordered."),
    "reseller": _l(
        "You no longer share this customer with the reseller: the partnership, its relationship with the customer, or its name on your record is gone."
    ),
    "currency": _l("The customer is billed in another currency now. Decline this, so that it is asked for anew."),
}
_WHOLE_TERM = _l("%(amount)s for the whole term")
_BY_USE = _l("%(amount)s a unit, by use")


def number(row: Any) -> str:
    """What people call an order: its day, and the end of its key."""
    return number_of(row.ordered_at, row.public_id)


def number_of(ordered_at: datetime, public_id: UUID) -> str:
    return f"{ordered_at:%y%m%d}-{public_id.hex[-8:].upper()}"


def each(amount: Money, cycle: Cycle) -> str:
    """An amount with how often it is due."""
    return str(PRICES[cycle]) % {"amount": _said(amount)}


def unit(amount: Money, offer: Any) -> str:
    """What one piece of an offer costs, and for how long."""
    text = _WHOLE_TERM if offer.instance_type is not None else _BY_USE if offer.billing is Billing.USAGE else PRICES[offer.cycle]
    return str(text) % {"amount": _said(amount)}


@dataclass(frozen=True, slots=True)
class Offered:
    """What a row of the offers says, ready to print; `row` is where it comes from, `reason` why it cannot be had."""

    row: Any
    key: str
    about: str
    price: str
    range: str
    label: str
    reason: str
    chosen: int | None


def offered(shop: Any, spoken: str) -> Iterator[Offered]:
    """The offers of a page in words; what many of them say alike is said once."""
    terms = {months: str(name) for months, name in TERM_NAMES.items()}
    label, between = _("Quantity of %(name)s"), _("%(least)s to %(most)s")
    reasons: dict[Any, str] = {None: ""}
    for row in shop.found.rows:
        price, reason = shop.price(row), shop.reason(row)
        said = reasons.get(reason) or reasons.setdefault(reason, str(UNAVAILABLE[reason]) if reason else "")
        yield Offered(
            row,
            str(row.public_id),
            f"{row.publisher} · {row.category} · {terms[row.term_months]}",
            unit(price, row) if price else "",
            between % {"least": count(row.minimum, spoken), "most": count(row.maximum, spoken)},
            label % {"name": row.name},
            f"{said} {row.withdrawn_reason}".rstrip(),
            shop.chosen.get(row.id),
        )


@dataclass(frozen=True, slots=True)
class Line:
    """What a row of a list of orders says, ready to print; `row` is where it comes from."""

    row: Any
    key: str
    number: str
    summary: str
    date: date
    day: str
    total: str


class Wording:
    """Puts the rows of a list of orders into words."""

    def __init__(self) -> None:
        self.spoken, self.zone = language(), get_timezone()
        self._summaries: dict[int, str] = {}

    def lines(self, rows: Iterable[Any]) -> Iterator[Line]:
        for row in rows:
            ordered_on = row.ordered_at.astimezone(self.zone).date()
            yield Line(
                row,
                str(row.public_id),
                number(row),
                self._summary(row.lines - 1) % {"name": row.first_line} if row.lines > 1 else row.first_line or "–",
                ordered_on,
                day(ordered_on, self.spoken),
                money(row.total_minor, row.currency, self.spoken),
            )

    def _summary(self, more: int) -> str:
        if more not in self._summaries:
            self._summaries[more] = ngettext("%(name)s and %(num)s more", "%(name)s and %(num)s more", more, name="%(name)s")
        return self._summaries[more]


def unit_of(line: Any, currency: str) -> str:
    """What one piece of an ordered line cost."""
    amount = Money(line.unit_minor, currency)
    return unit(amount, line) if line.billing or line.instance_type else show_money(amount)


def then_of(line: Any, currency: str) -> str:
    """What an ordered line charges for each period; nothing when it is billed by use, and for a reservation, which is paid at once."""
    if line.billing is not Billing.LICENCE or line.instance_type is not None:
        return ""
    return each(Money(line.unit_minor * line.quantity, currency), line.cycle)


def out_of_range(offer: Any, unit: Money | None = None) -> str:
    """Which numbers can be ordered, at this price of one."""
    least, most = catalog.quantities(offer, unit)
    if most < least:
        return _("Even the least number costs more than an order can hold. The price has to change first.")
    if most == least:
        return _("Give %(number)s: no other number can be ordered.", number=show_number(most))
    return _("Give a number from %(least)s to %(most)s.", least=show_number(least), most=show_number(most))


def why_not(line: Any) -> str:
    """Why a line cannot be ordered; nothing when it can."""
    if line.reason is not None:
        return str(UNAVAILABLE[line.reason])
    if line.out_of_range:
        return out_of_range(line.offer, line.unit)
    if line.lacks_its_user:
        return _("%(name)s, which alone is to use it, is not active any more.", name=line.used_by.shown_name)
    return ""


def used_by(line: Any) -> str:
    """Who uses a reservation that was ordered, or is asked for; nothing for other lines."""
    if line.scope is ReservationScope.SINGLE and line.used_by:
        return _("Only %(name)s", name=line.used_by)
    return str(SCOPE_NAMES[line.scope]) if line.scope else ""


def differences(reviewed: Iterable[str], lines: Sequence[Any]) -> list[str]:
    """What is not as the review showed it: seals of lines as they came back with the form, against the present lines."""
    former = {parts[0]: parts[1:] for seal in reviewed if len(parts := seal.split(" ")) == 5}
    found = []
    for line in lines:
        known = former.pop(str(line.offer.public_id), None)
        if known is None:
            found.append(_("%(name)s is new in the cart.", name=line.offer.name))
        else:
            found += _changes(line, known)
    if former:
        found.append(_("Something is no longer in the cart."))
    return found


def _changes(line: Any, known: list[str]) -> Iterable[str]:
    name = line.offer.name
    quantity, price, today, ends_on = known
    if quantity != str(line.quantity):
        yield _("%(name)s: the quantity is %(now)s now. You reviewed %(before)s.", name=name, now=show_number(line.quantity), before=quantity)
    elif line.unit is not None and (former := _money(price, line.unit)) != line.unit:
        yield _("%(name)s: the price of one is %(now)s now. You reviewed %(before)s.", name=name, now=show_money(line.unit), before=show_money(former) or "–")
    elif line.today is not None and (former := _money(today, line.today)) != line.today:
        yield _("%(name)s: %(now)s is charged today. You reviewed %(before)s.", name=name, now=show_money(line.today), before=show_money(former) or "–")
    elif line.ends_on is not None and ends_on != str(line.ends_on):
        yield _("%(name)s: the term ends on %(now)s now.", name=name, now=show_day(line.ends_on))


def _money(minor: str, like: Money) -> Money | None:
    return Money(int(minor), like.currency) if minor.isascii() and minor.isdecimal() and len(minor) < 20 else None


def _said(amount: Money) -> str:
    return money(amount.minor, amount.currency, language())
