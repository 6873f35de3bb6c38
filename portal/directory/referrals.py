"""What the directory answers when leads ask for partners to refer to."""

from typing import Any

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core.events import on
from portal.directory import queries
from portal.directory.models import DirectoryEntry
from portal.leads.events import PartnersToRefer, PublishedPartners


@on(PartnersToRefer)
def partners_with_a_profile(question: PartnersToRefer) -> list[tuple[int, str]]:
    """Those of the actor's market, the most prompt first."""
    return queries.partners(question.words, question.by.country, organization_id=question.organization_id, most=question.most)


@on(PublishedPartners)
def published_partners(question: PublishedPartners) -> list[sa.Select[Any]]:
    open_ones = sa.select(DirectoryEntry.partner_id).join(Organization, Organization.id == DirectoryEntry.partner_id)
    return [open_ones.where(Organization.suspended_at.is_(None))]
