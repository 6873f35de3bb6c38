"""A relationship that ends takes the customer's permissions to buy along, and what waits: a reinstated one begins with all of them off (R36, R70)."""

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.core.access import PORTAL
from portal.core.db import db
from portal.core.events import on
from portal.customers.events import CustomerMoved
from portal.permissions import service
from portal.permissions.models import BuyingPermission, Category, Purchase
from portal.relationships.events import RelationshipEnded


@on(RelationshipEnded)
def leave(event: RelationshipEnded) -> None:
    for category in Category:
        service.turn_off(event.customer, category, by=event.by, at=event.at)
    service.decline_all(event.customer, reason=_("The relationship has ended."), by=event.by, at=event.at)


@on(CustomerMoved)
def follow(event: CustomerMoved) -> None:
    """Permissions and purchases follow the record to the company that proved the domain (R11); nobody has permitted that one anything yet (R70)."""
    for model in (BuyingPermission, Purchase):
        moved = sa.update(model).where(model.partner_id == event.customer.partner_id, model.customer_id == event.former_id)
        db.session.execute(moved.values(customer_id=event.customer.customer_id), execution_options={"synchronize_session": False})
    for category in Category:
        service.turn_off(event.customer, category, by=PORTAL, at=event.at)
