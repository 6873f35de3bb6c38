"""The main navigation: what each side's people reach, in the order they need it."""

from dataclasses import dataclass
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l

from portal.core.access import Actor, Cloud, PartnerType, Permission, Side

P = Permission


@dataclass(frozen=True)
class NavItem:
    label: Any
    url: str
    icon: str
    current: bool


_ITEMS = {
    Side.PARTNER: (
        (_l("Home"), "/", "house", P.SIGNED_IN),
        (_l("Customers"), "/customers", "building-2", P.CUSTOMER_READ),
        (_l("Requests"), "/relationship-requests", "send", P.REQUEST_READ),
        (_l("Leads"), "/leads", "funnel", P.LEAD_WORK),
        (_l("Subscriptions"), "/subscriptions", "package", P.SUBSCRIPTION_READ),
        (_l("Purchases"), "/purchases", "shopping-cart", P.BUYING_READ),
        (_l("Catalog"), "/catalog", "tag", P.CATALOG_READ),
        (_l("Business profile"), "/business-profiles", "store", P.PROFILE_EDIT),
        (_l("Partnerships"), "/partnerships", "handshake", P.PARTNERSHIP_READ),
        (_l("Coming up"), "/coming-up", "calendar-days", P.CUSTOMER_READ),
        (_l("Activity"), "/activity", "history", P.ACTIVITY_READ),
        (_l("People"), "/users", "users", P.USER_MANAGE),
        (_l("Outbox"), "/outbox", "mail", P.OUTBOX_READ),
        (_l("Settings"), "/settings", "settings", P.SETTINGS_EDIT),
    ),
    Side.CUSTOMER: (
        (_l("Home"), "/my", "house", P.MY_HOME),
        (_l("Partners"), "/my/partners", "handshake", P.MY_CONSENT),
        (_l("Subscriptions"), "/my/subscriptions", "package", P.MY_SUBSCRIPTIONS),
        (_l("Shop"), "/my/shop", "shopping-cart", P.MY_BUY),
        (_l("Orders"), "/my/orders", "receipt", P.MY_ORDERS),
        (_l("Reservations"), "/my/reservations", "clock", P.MY_ORDERS),
        (_l("Find a partner"), "/directory", "search", P.MY_HOME),
        (_l("Agreement"), "/my/agreement", "file-text", P.MY_CONSENT),
        (_l("People"), "/my/users", "users", P.MY_USERS),
        (_l("Company"), "/my/company", "building-2", P.MY_DETAILS),
        (_l("Activity"), "/my/activity", "history", P.MY_ACTIVITY),
    ),
}


_PROVIDERS = ("/catalog", "/purchases")  # a reseller sells from its provider's


def navigation(actor: Actor) -> list[NavItem]:
    """The entries that this person may open; the one whose address the page's begins with is current."""
    path = request.path
    return [
        NavItem(label, url, icon, path == url or (url not in ("/", "/my") and path.startswith(url + "/")))
        for label, url, icon, permission in _ITEMS[actor.side]
        if permission in actor.permissions
        and (url != "/directory" or actor.cloud is Cloud.PUBLIC)  # R62
        and (url not in _PROVIDERS or actor.partner_type is not PartnerType.INDIRECT_RESELLER)
    ]
