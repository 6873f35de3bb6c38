"""What buying adds to the first page of a customer's people."""

from portal.core.access import Permission
from portal.core.events import on
from portal.customers.events import Panel
from portal.permissions import shop
from portal.permissions.texts import PURCHASE_NAMES
from portal.relationships.events import HomeShown
from portal.subscriptions.texts_reservations import KIND_NAMES


@on(HomeShown)
def asked(event: HomeShown) -> list[Panel]:
    """What the company has asked its partners for, and they have not answered yet."""
    lines = shop.asked() if event.actor.may(Permission.MY_ORDERS) else []
    return [Panel("shop/_asked.html", {"lines": lines, "most": shop.MOST_ASKED, "wishes": KIND_NAMES, "states": PURCHASE_NAMES})] if lines else []
