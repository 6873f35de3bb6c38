"""What leads ask the floors above."""

from dataclasses import dataclass

from portal.core.access import Actor


@dataclass(frozen=True)
class PartnersToRefer:
    """To whom may this person refer a lead, besides the partners with a partnership?

    Subscribers answer with pairs of organization id and name: partners with a published profile in the same cloud and market,
    whose name has all the `words` (any, when empty), at most `most`; only this one, when `organization_id` is given.
    """

    by: Actor
    words: str = ""
    organization_id: int | None = None
    most: int = 20


@dataclass(frozen=True)
class PublishedPartners:
    """Which partners does the directory show? Subscribers answer with selects of organization ids."""
