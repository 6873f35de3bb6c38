"""How orders, and what a cart costs, read."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from flask_babel import get_timezone, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.access import Side
from portal.core.i18n import language, show_day, show_money, show_number
from portal.core.money import Money
from portal.subscriptions.models import Billing, Cycle
from portal.subscriptions.texts import PRICES, day
from portal.subscriptions.texts_catalog import UNAVAILABLE

SIDE_NAMES = {Side.PARTNER: _l("Partner"), Side.CUSTOMER: _l("Customer")}
# For whom the offers of a cart are shown.
SHOWN = {"": _l("Those this customer can have"), "others": _l("All others, and why not")}
_WHOLE_TERM = _l("%(amount)s for the whole term")
_BY_USE = _l("%(amount)s a unit, by use")


def number(row: Any) -> str:
    """What people call an order: its day, and the end of its key."""
    return f"{row.ordered_at:%y%m%d}-{row.public_id.hex[-8:].upper()}"


def each(amount: Money, cycle: Cycle) -> str:
    """An amount with how often it is due."""
    return str(PRICES[cycle]) % {"amount": show_money(amount)}


def unit(amount: Money, offer: Any) -> str:
    """What one piece of an offer costs, and for how long."""
    if offer.instance_type is not None:
        return str(_WHOLE_TERM) % {"amount": show_money(amount)}
    if offer.billing is Billing.USAGE:
        return str(_BY_USE) % {"amount": show_money(amount)}
    return each(amount, offer.cycle)


@functools.lru_cache(maxsize=8192)
def money(minor: int, currency: str, spoken: str) -> str:
    """An amount, formatted once for a language."""
    return show_money(Money(minor, currency))


class Wording:
    """Puts the rows of a list of orders into words."""

    def __init__(self) -> None:
        self.spoken, self.zone = language(), get_timezone()

    def day(self, row: Any) -> str:
        return day(row.ordered_at.astimezone(self.zone).date(), self.spoken)

    def total(self, row: Any) -> str:
        """What it charged at once."""
        return money(row.total_minor, row.currency, self.spoken)

    def summary(self, row: Any) -> str:
        """What it is about."""
        if row.lines < 2:
            return row.first_line or "–"
        return ngettext("%(name)s and %(num)s more", "%(name)s and %(num)s more", row.lines - 1, name=row.first_line)


def unit_of(line: Any, currency: str) -> str:
    """What one piece of an ordered line cost."""
    amount = Money(line.unit_minor, currency)
    return unit(amount, line) if line.billing or line.instance_type else show_money(amount)


def then_of(line: Any, currency: str) -> str:
    """What an ordered line charges for each period; nothing when it is billed by use, or paid."""
    if line.billing is not Billing.LICENCE:
        return ""
    return each(Money(line.unit_minor * line.quantity, currency), line.cycle)


def why_not(line: Any) -> str:
    """Why a line cannot be ordered; nothing when it can."""
    if line.reason is not None:
        return str(UNAVAILABLE[line.reason])
    if line.out_of_range:
        return _("Give a number from %(least)s to %(most)s.", least=show_number(line.offer.minimum), most=show_number(line.offer.maximum))
    return ""


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
