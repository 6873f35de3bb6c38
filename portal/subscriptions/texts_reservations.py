"""How reservations, and what customers ask about them, read."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.core import clock
from portal.core.access import Side
from portal.core.i18n import language, show_day, show_money
from portal.core.money import Money
from portal.subscriptions.models import AskedState, Offer, RequestKind, Reservation, ReservationScope, ReservationState, Subscription
from portal.subscriptions.texts import count, day, left, money
from portal.subscriptions.texts_catalog import TERM_NAMES

VIEW_NAMES = {"": lazy_pgettext("reservation", "All"), "ending": _l("Ending within 90 days"), "asked": _l("Customer asks")}
KIND_NAMES = {
    RequestKind.EXCHANGE: _l("Exchange for another reservation"),
    RequestKind.CANCEL: _l("Cancel the reservation"),
    RequestKind.RENEW: _l("Renew the reservation"),
    RequestKind.RESCOPE: _l("Change which subscriptions use it"),
}
ASKED_NAMES = {
    AskedState.OPEN: lazy_pgettext("request", "Waiting for an answer"),
    AskedState.DONE: lazy_pgettext("request", "Done"),
    AskedState.DECLINED: lazy_pgettext("request", "Declined"),
    AskedState.WITHDRAWN: lazy_pgettext("request", "Taken back"),
}
ASKED_TONES = {AskedState.OPEN: "warn", AskedState.DONE: "good", AskedState.DECLINED: "bad", AskedState.WITHDRAWN: "neutral"}
# The page where the partner does what was asked for.
PAGES = {RequestKind.EXCHANGE: "exchange", RequestKind.CANCEL: "cancellation", RequestKind.RENEW: "renewal", RequestKind.RESCOPE: "scope"}
# The export's words stay the same in every language: other programs read them (R15).
EXPORT_HEADER = (
    "Reservation ID", "Reservation", "Instance type", "Region", "Term in months", "Scope", "Quantity", "State", "Starts", "Ends", "Currency", "Paid", "Refunded",
    "Bought by", "Side",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """What a row of a list says, ready to print; `row` is where it comes from."""

    row: Any
    key: str
    about: str
    quantity: str
    day: str
    left: str
    begins: str
    paid: str
    ends_on: date


class Wording:
    """Puts the rows of a list into words."""

    def __init__(self) -> None:
        self.spoken, self.today = language(), clock.today()
        self._terms = {months: str(name) for months, name in TERM_NAMES.items()}

    def lines(self, rows: Iterable[Any]) -> Iterator[Line]:
        spoken, today = self.spoken, self.today
        for row in rows:
            active = row.state is ReservationState.ACTIVE
            ends_on = row.ends_on if active or row.state is ReservationState.EXPIRED else row.state_at.date()
            yield Line(
                row,
                str(row.public_id),
                f"{row.instance_type} · {row.region} · {self._terms.get(row.term_months, row.term_months)}",
                count(row.quantity, spoken),
                day(ends_on, spoken),
                left(ends_on, today, spoken) if active else "",
                _begins(row.starts_on, spoken) if active and row.starts_on > today else "",
                money(row.paid_minor, row.currency, spoken),
                ends_on,
            )


@functools.lru_cache(maxsize=1024)
def _begins(value: date, spoken: str) -> str:
    return _("begins on %(day)s", day=show_day(value))


def offer_choice(offer: Offer, price: Money) -> str:
    """An offer in a list to choose from: name, what it is, how long, and what one costs."""
    return f"{offer.name} · {offer.instance_type} · {offer.region} · {TERM_NAMES[offer.term_months]} · {show_money(price)}"


def scope_choices(subscriptions: Iterable[Subscription]) -> list[tuple[str, str]]:
    return [("", _("Shared by all subscriptions"))] + [
        (str(subscription.public_id), _("Only %(name)s", name=subscription.shown_name)) for subscription in subscriptions
    ]


def scope_of(reservation: Reservation, subscription_name: str | None) -> str:
    if reservation.scope is ReservationScope.SINGLE and subscription_name:
        return _("Only %(name)s", name=subscription_name)
    return _("Shared by all subscriptions")


def exported(row: Iterable[Any]) -> tuple[Any, ...]:
    """A row of the export."""
    public_id, name, instance, region, months, scope, quantity, state, starts, ends, paid, refund, currency, side, buyer = row
    amounts = (Money(paid, currency).amount, Money(refund, currency).amount if refund is not None else "")
    return (str(public_id), name, instance, region, months, _WRITTEN[scope], quantity, _WRITTEN[state], starts, ends, currency, *amounts, buyer, _WRITTEN[side])


# The export's words stay the same in every language: other programs read them (R15).
_WRITTEN: dict[str, str] = {code: code.value.capitalize() for code in (*ReservationScope, *ReservationState, *Side)}
