"""How categories, notices and the states of a customer's purchases read."""

from datetime import date

from babel import dates
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.core.i18n import language, show_money
from portal.permissions.models import BuyingPermission, Category, Notice, Purchase, PurchaseState
from portal.permissions.queries import EVERY, Checklist, Spending

CATEGORY_NAMES = {Category.RESERVATIONS: _l("Reservations")}
NOTICE_NAMES = {
    Notice.NOBODY: _l("Nobody"),
    Notice.WHO_TURNED_IT_ON: _l("Whoever turned the permission on"),
    Notice.ALL_AGENTS: _l("Everybody who may approve purchases"),
}
PURCHASE_NAMES = {
    PurchaseState.WAITING: lazy_pgettext("purchase", "Waits for approval"),
    PurchaseState.PLACED: lazy_pgettext("purchase", "Bought"),
    PurchaseState.DECLINED: lazy_pgettext("purchase", "Declined"),
    PurchaseState.WITHDRAWN: lazy_pgettext("purchase", "Taken back"),
}
PURCHASE_TONES = {PurchaseState.WAITING: "info", PurchaseState.PLACED: "good", PurchaseState.DECLINED: "bad", PurchaseState.WITHDRAWN: "neutral"}
# What the list of purchases can be narrowed to; nothing chosen shows what waits.
LISTED = {
    "": PURCHASE_NAMES[PurchaseState.WAITING],
    PurchaseState.PLACED: PURCHASE_NAMES[PurchaseState.PLACED],
    PurchaseState.DECLINED: PURCHASE_NAMES[PurchaseState.DECLINED],
    PurchaseState.WITHDRAWN: PURCHASE_NAMES[PurchaseState.WITHDRAWN],
    EVERY: lazy_pgettext("state", "All"),
}


def month(written: str) -> str:
    """'March 2027' for "2027-03"."""
    return str(dates.format_skeleton("yMMMM", date.fromisoformat(f"{written}-01"), locale=language()))


def obstacle(permission: BuyingPermission | None, checklist: Checklist) -> str | None:
    """Why a purchase that waits cannot be approved now."""
    if permission is None or not permission.on:
        return _("The permission to buy was switched off. This purchase can be approved when it is on again.")
    if not checklist.complete:
        return _("The permission to buy is on, but something that it needs is missing. This purchase can be approved once that is mended.")
    return None


def over_limit(permission: BuyingPermission, purchase: Purchase, spending: Spending) -> str | None:
    """Why a purchase that waits cannot be approved in the month of this `spending`: it passes the limit. What else waits does not stand in its way (R76)."""
    limit = permission.monthly_limit
    if limit is None:
        return None
    if purchase.currency != limit.currency:
        return _("The monthly limit is in another currency. Set it anew first, or decline.")
    if (spending.placed + purchase.total).minor <= limit.minor:
        return None
    return _(
        "This passes the monthly limit of %(limit)s: %(placed)s is bought already this month. Raise the limit first, wait for next month, or decline.",
        limit=show_money(limit),
        placed=show_money(spending.placed),
    )
