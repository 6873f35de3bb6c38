"""The small fixed world: the organizations and accounts of the demo, and three customers of Atelier Nuage in each state."""

from datetime import timedelta

from portal import demo
from portal.accounts import service as accounts
from portal.core import clock
from portal.core.access import Side
from portal.core.scope import Scope, scoped
from portal.customers.models import RelationshipState
from portal.customers.service import enter_record
from portal.relationships import ending


def load(password: str) -> None:
    at = clock.now()
    demo.load_organizations(password, at=at)
    sales, admin = demo.actor("sales@atelier-nuage.example"), demo.actor("admin@atelier-nuage.example")
    with scoped(Scope(partner_id=sales.organization_id)):
        for name, domain, state in (
            ("Brasserie Pendante", "brasserie-pendante.example", RelationshipState.PENDING),
            ("Ancienne Forge", "ancienne-forge.example", RelationshipState.ACTIVE),
        ):
            organization = accounts.create_organization(
                name=name, domain=domain, side=Side.CUSTOMER, country="FR", by=sales, at=at - timedelta(days=90), added_by_id=sales.organization_id,
                street="9 rue Haute", postal_code="67000", city="Strasbourg",
            )  # fmt: skip
            customer = enter_record(
                organization, partner_id=sales.organization_id or 0, state=state, by=sales, at=at - timedelta(days=90), email=f"contact@{domain}", language="fr"
            )
        ending.end_relationship(customer, typed_name="Ancienne Forge", reason="Closed its workshop.", by=admin, at=at - timedelta(days=30))
