"""Makes a partner with very many leads, quickly and always the same."""

import random
from datetime import timedelta

import sqlalchemy as sa

from bench.data import BATCH, FIRST, SECOND, THIRD
from bench.loading import loading
from portal.accounts.models import Organization
from portal.core import clock
from portal.core.db import db, uuid7
from portal.core.words import normalise, search_text
from portal.leads.models import ANSWER_WITHIN, Lead, LeadSource, LeadState


def load(number: int) -> None:
    """`number` leads of Atelier Nuage, most of them inquiries that were declined or lost; one in 5,000 is a rare one."""
    partner = db.session.scalars(sa.select(Organization.id).where(Organization.domain == "atelier-nuage.example")).one()
    dice = random.Random(13)
    start, step = clock.now() - timedelta(days=1000), timedelta(minutes=14)
    columns = {column.name: column for column in Lead.__table__.columns}
    empty = {
        name: "" for name, column in columns.items() if isinstance(column.type, sa.String) and not column.nullable and not isinstance(column.type, sa.Enum)
    }
    with loading(Lead) as insert:
        for begin in range(0, number, BATCH):
            rows = []
            for index in range(begin, min(begin + BATCH, number)):
                word = "Zymotechnik" if index % 5000 == 77 else dice.choice(FIRST)
                company = f"{word} {dice.choice(SECOND)} {dice.choice(THIRD)} {dice.randrange(1000)}"
                email, received = f"contact@lead-{index}.example", start + index * step
                state = (
                    LeadState.RECEIVED
                    if index % 50 == 9
                    else LeadState.ACCEPTED
                    if index % 50 == 8
                    else dice.choice([LeadState.LOST, LeadState.DECLINED, LeadState.WON])
                )
                rows.append({
                    **empty, "public_id": uuid7(), "partner_id": partner, "version": 1, "state": state, "state_at": received, "source": LeadSource.SALES_QUALIFIED if index % 5 == 0 else LeadSource.INQUIRY,
                    "received_at": received, "due_at": received + ANSWER_WITHIN, "search_text": search_text(company, email, "Jo Blin"), "company": company, "company_key": normalise(company),
                    "country": "FR", "first_name": "Jo", "last_name": "Blin", "email": email, "language": "fr", "wants_contact": index % 7 == 0,
                })  # fmt: skip
            insert(Lead, rows)
