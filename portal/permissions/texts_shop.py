"""How the customer's shop says what can be bought, and why something cannot."""

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.i18n import language
from portal.core.money import currency_of
from portal.subscriptions.catalog import Unavailable
from portal.subscriptions.texts import money


class Obstacle(StrEnum):
    """Why a person can buy nothing from a partner."""

    ENDED = "ended"
    NOT_PERMITTED = "not_permitted"
    NOT_OWNER = "not_owner"
    NOT_ACTIVE = "not_active"


OBSTACLES = {
    Obstacle.ENDED: _l("Your company does not work with %(partner)s any more, so nothing can be bought from it."),
    Obstacle.NOT_PERMITTED: _l("%(partner)s does not let your company buy for itself. Ask %(partner)s to turn that on, or to order for you."),
    Obstacle.NOT_OWNER: _l("You are not an owner of a usage-based subscription from %(partner)s, and only owners buy. Ask %(partner)s to name you."),
    Obstacle.NOT_ACTIVE: _l("Your subscription from %(partner)s is suspended. Ask %(partner)s to reactivate it; then you can buy for it."),
}
# The same reasons as the partner reads them are in subscriptions.texts_catalog.
UNAVAILABLE = {
    Unavailable.WITHDRAWN: _l("This is no longer sold. Choose another one."),
    Unavailable.CLOUD: _l("This is not sold in your cloud. Choose another one."),
    Unavailable.MARKET: _l("This is not sold in your country. Choose another one."),
    Unavailable.SEGMENT: _l("This is sold to other kinds of organizations only. Choose another one."),
    Unavailable.NO_PRICE: _l("This has no price in your currency yet. Choose another one, or ask your partner."),
    Unavailable.ALREADY_THERE: _l("Your company has this already, and can have it only once."),
    Unavailable.NO_BASE: _l("This adds to a subscription that your company does not have. Choose another one."),
}
TERMS = {"12": _l("1 year"), "36": _l("3 years")}


def why_not(counter: Any) -> str:
    """What stands between a person and buying from this partner, and what to do."""
    return str(OBSTACLES[counter.obstacle]) % {"partner": counter.name}


def price(row: Any, counter: Any) -> str:
    """Of one piece of an offer, for its whole term."""
    return money(row.price_minor, currency_of(counter.customer.country), language())


def unit(purchase: Any) -> str:
    return money(purchase.unit_minor, purchase.currency, language())


def total(row: Any) -> str:
    """Of a purchase in a list."""
    return money(row.total_minor, row.currency, language())
