"""What subscriptions add to a customer's page."""

from portal.core.access import Permission
from portal.core.events import on
from portal.customers.events import CustomerShown, Panel
from portal.customers.models import RelationshipState
from portal.subscriptions import order_queries, reselling, texts

LATEST = 5


@on(CustomerShown)
def latest(event: CustomerShown) -> list[Panel]:
    """The latest subscriptions, and the way to sell more; a reseller finds what its providers sold one page further."""
    customer, actor = event.customer, event.actor
    if customer.state is RelationshipState.PENDING or not actor.may(Permission.SUBSCRIPTION_READ):
        return []
    resells = reselling.resells(actor)
    rows = [] if resells else order_queries.latest_subscriptions(customer, LATEST)
    words = {"names": texts.SUBSCRIPTION_NAMES, "tones": texts.SUBSCRIPTION_TONES, "wording": texts.Wording()}
    return [Panel("orders/_panel.html", {"rows": rows, "resells": resells, **words})]
