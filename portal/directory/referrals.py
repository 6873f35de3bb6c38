"""What the directory answers when leads ask for partners to refer to."""

from portal.core.events import on
from portal.directory import queries
from portal.leads.events import PartnersToRefer


@on(PartnersToRefer)
def partners_with_a_profile(question: PartnersToRefer) -> list[tuple[int, str]]:
    """Those of the actor's market, the most prompt first."""
    return queries.partners(question.words, question.by.country, organization_id=question.organization_id, most=question.most)
