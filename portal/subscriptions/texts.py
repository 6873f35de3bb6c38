"""How the states of orders, subscriptions and reservations read, and what comes next for a subscription."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.core import clock
from portal.core.i18n import ago, language, show_day, show_money, show_number
from portal.core.money import Money
from portal.subscriptions.models import Billing, ChargeKind, Cycle, OrderState, ReservationScope, ReservationState, SubscriptionState

SUBSCRIPTION_NAMES = {
    SubscriptionState.ACTIVE: lazy_pgettext("subscription", "Active"),
    SubscriptionState.SUSPENDED: lazy_pgettext("subscription", "Suspended"),
    SubscriptionState.EXPIRED: lazy_pgettext("subscription", "Expired"),
    SubscriptionState.CANCELLED: lazy_pgettext("subscription", "Cancelled"),
}
SUBSCRIPTION_TONES = {
    SubscriptionState.ACTIVE: "good",
    SubscriptionState.SUSPENDED: "warn",
    SubscriptionState.EXPIRED: "neutral",
    SubscriptionState.CANCELLED: "neutral",
}
ORDER_NAMES = {
    OrderState.REQUESTED: lazy_pgettext("order", "Requested"),
    OrderState.PLACED: lazy_pgettext("order", "Placed"),
    OrderState.DECLINED: lazy_pgettext("order", "Declined"),
    OrderState.WITHDRAWN: lazy_pgettext("order", "Withdrawn"),
}
ORDER_TONES = {OrderState.REQUESTED: "info", OrderState.PLACED: "good", OrderState.DECLINED: "bad", OrderState.WITHDRAWN: "neutral"}
RESERVATION_NAMES = {
    ReservationState.ACTIVE: lazy_pgettext("reservation", "Active"),
    ReservationState.EXPIRED: lazy_pgettext("reservation", "Expired"),
    ReservationState.CANCELLED: lazy_pgettext("reservation", "Cancelled"),
    ReservationState.EXCHANGED: lazy_pgettext("reservation", "Exchanged"),
}
RESERVATION_TONES = {
    ReservationState.ACTIVE: "good",
    ReservationState.EXPIRED: "neutral",
    ReservationState.CANCELLED: "neutral",
    ReservationState.EXCHANGED: "neutral",
}
SCOPE_NAMES = {ReservationScope.SINGLE: _l("One subscription"), ReservationScope.SHARED: _l("Shared by all subscriptions")}
CHARGE_NAMES = {
    ChargeKind.PERIOD: _l("Billing period"),
    ChargeKind.INCREASE: _l("Licences added"),
    ChargeKind.CREDIT: _l("Credit"),
    ChargeKind.RESERVATION: _l("Reservation"),
    ChargeKind.REFUND: _l("Refund"),
}
# The export's words stay the same in every language: other programs read them (R15).
EXPORT_STATES = {
    SubscriptionState.ACTIVE: "Active",
    SubscriptionState.SUSPENDED: "Suspended",
    SubscriptionState.EXPIRED: "Expired",
    SubscriptionState.CANCELLED: "Cancelled",
}
EXPORT_HEADER = ("Subscription ID", "Subscription", "Quantity", "State", "Reseller")
VIEW_NAMES = {
    "": lazy_pgettext("subscription", "All"),
    "renewing": _l("Renewing within 30 days"),
    "ending": _l("Ending within 30 days"),
    "trials": _l("Trials"),
}
CHANGE_NAMES = {"suspend": _l("Suspend"), "renewal_on": _l("Turn auto-renewal on"), "renewal_off": _l("Turn auto-renewal off")}
CHANGE_HINTS = {
    "suspend": _l(
        "Sign-in stops at once for everybody who uses these, and for their add-ons. What is not reactivated within 90 days expires, and its data is deleted."
    ),
    "renewal_on": _l("These renew themselves at the end of their term, at the price of that day. A cancellation that was asked for is taken back."),
    "renewal_off": _l("These expire at the end of their term, and their add-ons with them."),
}
PRICES = {Cycle.MONTHLY: _l("%(amount)s a month"), Cycle.ANNUAL: _l("%(amount)s a year")}

_LIVE = (SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED)


def coming(row: Any, *, ends_with_base: bool) -> Any:
    """What happens to a subscription on the day that `turns_on` names."""
    if row.state is SubscriptionState.SUSPENDED:
        return _l("Expires")
    if row.state is not SubscriptionState.ACTIVE:
        return lazy_pgettext("subscription", "Ended")
    if row.trial_ends_on is not None:
        return _l("Trial, then paid") if row.auto_renew else _l("Trial ends")
    if row.cancels:
        return _l("Cancelled, stops")
    return _l("Renews") if row.auto_renew and not ends_with_base else _l("Ends")


def price(row: Any) -> str:
    """Of all pieces for one billing cycle."""
    return _by_use() if row.billing is Billing.USAGE else _priced(row.unit_minor * row.quantity, row.currency, row.cycle, language())


@dataclass(frozen=True, slots=True)
class Line:
    """What a row of a list says, ready to print; `row` is where it comes from."""

    row: Any
    name: str
    quantity: str
    then: str
    coming: str
    day: str
    left: str
    price: str


class Wording:
    """Puts the rows of a list into words; what many of them say alike is said once a page."""

    def __init__(self) -> None:
        self.spoken, self.today = language(), clock.today()
        self.by_use = _by_use()
        self._coming: dict[Any, str] = {}

    def lines(self, rows: Iterable[Any]) -> list[Line]:
        return [self.line(row) for row in rows]

    def line(self, row: Any) -> Line:
        spoken = self.spoken
        live = row.state in _LIVE
        key = (row.state, row.trial_ends_on is None, row.auto_renew, row.cancels, row.ends_with_base)
        said = self._coming.get(key) or self._coming.setdefault(key, str(coming(row, ends_with_base=row.ends_with_base)))
        return Line(
            row,
            row.nickname or row.name,
            count(row.quantity, spoken),
            count(row.next_quantity, spoken) if row.next_quantity and live else "",
            said,
            day(row.turns_on, spoken),
            left(row.turns_on, self.today, spoken) if live else "",
            self.by_use if row.billing is Billing.USAGE else _priced(row.unit_minor * row.quantity, row.currency, row.cycle, spoken),
        )


# The same few values stand on page after page; each is formatted once for a language.


@functools.lru_cache(maxsize=4096)
def left(value: date, today: date, spoken: str) -> str:
    """How far away a day is: 'in 3 months', 'today'."""
    return ago(value, today)


@functools.lru_cache(maxsize=4096)
def day(value: date, spoken: str) -> str:
    return show_day(value)


@functools.lru_cache(maxsize=4096)
def count(value: int, spoken: str) -> str:
    return show_number(value)


@functools.lru_cache(maxsize=8192)
def money(minor: int, currency: str, spoken: str) -> str:
    return show_money(Money(minor, currency))


def _priced(minor: int, currency: str, cycle: Cycle, spoken: str) -> str:
    return str(PRICES[cycle]) % {"amount": money(minor, currency, spoken)}


def _by_use() -> str:
    return _("By use")
