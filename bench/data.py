"""Makes a partner with very many customers, quickly and always the same."""

import random
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from bench.loading import loading
from portal.accounts.models import Organization
from portal.agreements.models import AgreementState
from portal.core import clock
from portal.core.access import Cloud, Side
from portal.core.db import db, uuid7
from portal.core.words import normalise, search_text
from portal.customers.models import Customer, CustomerTag, RelationshipState, Segment

FIRST = [
    "Atelier",
    "Boulangerie",
    "Cabinet",
    "Domaine",
    "Établissements",
    "Fonderie",
    "Garage",
    "Hôtel",
    "Imprimerie",
    "Jardins",
    "Librairie",
    "Menuiserie",
    "Pharmacie",
    "Société",
    "Transports",
]
SECOND = [
    "Moreau",
    "Delacroix",
    "Brandt",
    "Köhler",
    "Ferraro",
    "Ibáñez",
    "Jansen",
    "Whitcombe",
    "Perret",
    "Lambert",
    "Novak",
    "Olsen",
    "Quesnel",
    "Rossi",
    "Schäfer",
    "Tanguy",
    "Urbain",
    "Vidal",
    "Weiß",
    "Zeller",
]
THIRD = ["Nord", "Sud", "Ouest", "Est", "Centre", "Rive", "Plage", "Mont", "Val", "Port"]
BATCH = 5000


def load(number: int) -> UUID:
    """`number` customers of Atelier Nuage; one in 5,000 is a rare one. Returns the ID of one in the middle."""
    partner = db.session.scalars(sa.select(Organization.id).where(Organization.domain == "atelier-nuage.example")).one()
    dice = random.Random(7)
    at = clock.now() - timedelta(days=100)
    first_id = (db.session.scalar(sa.select(sa.func.max(Organization.id))) or 0) + 1
    middle = None
    with loading(Organization, Customer, CustomerTag) as insert:
        for start in range(0, number, BATCH):
            organizations, customers, tags = [], [], []
            for index in range(start, min(start + BATCH, number)):
                word = "Zymotechnik" if index % 5000 == 77 else dice.choice(FIRST)
                name = f"{word} {dice.choice(SECOND)} {dice.choice(THIRD)} {dice.randrange(1000)}"
                domain = f"{normalise(name).replace(' ', '-')}-{index}.example"
                organization_id, public_id = first_id + index, uuid7()
                middle = public_id if index == number // 2 else middle
                organizations.append({
                    "id": organization_id, "public_id": public_id, "side": Side.CUSTOMER, "partner_type": None, "cloud": Cloud.PUBLIC, "name": name, "domain": domain,
                    "country": "FR", "street": "1 rue Haute", "city": "Nantes", "postal_code": "44000", "district": "", "region": "", "tax_id": "", "added_by_id": partner, "created_at": at, "version": 1,
                })  # fmt: skip
                state = RelationshipState.PENDING if index % 40 == 3 else RelationshipState.ENDED if index % 90 == 8 else RelationshipState.ACTIVE
                customers.append({
                    "id": organization_id, "partner_id": partner, "customer_id": organization_id, "public_id": public_id, "name": name, "name_key": normalise(name), "domain": domain, "country": "FR",
                    "search_text": search_text(name, domain), "state": state, "state_at": at, "agreement": dice.choice(list(AgreementState)), "created_at": at, "started_at": at,
                    "first_name": "Jo", "last_name": "Blin", "email": f"contact@{domain}", "phone": "", "language": "fr", "segment": Segment.COMMERCIAL, "notes": "", "version": 1,
                    "billing_contact": "", "billing_email": "", "billing_street": "", "billing_district": "", "billing_city": "", "billing_region": "", "billing_postal_code": "",
                })  # fmt: skip
                if index % 10 == 0:
                    tags.append({"partner_id": partner, "record_id": organization_id, "tag": f"tag {index % 70}"})
            insert(Organization, organizations)
            insert(Customer, customers)
            insert(CustomerTag, tags)
    assert middle is not None
    return middle
