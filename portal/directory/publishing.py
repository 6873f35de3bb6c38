"""From the working copy of a business profile to what the directory shows of it, and back."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from portal.core.db import db
from portal.core.places import country_name
from portal.directory import entries, taxonomy
from portal.directory.models import BusinessProfile, DirectoryEntry, ProfileLocation, ProfileLogo
from portal.leads.models import CompanySize

FIRST_RANK = 500  # until the partner has answered enough leads to be compared (R57)


class Piece(StrEnum):
    """What a profile must have before it is published (R60); its name it always has."""

    DESCRIPTION = "description"
    TAGS = "tags"
    SIZES = "sizes"
    LOCATIONS = "locations"


def missing(profile: Any, locations: Sequence[Any]) -> list[Piece]:
    """What is still to be filled in."""
    there = {
        Piece.DESCRIPTION: profile.description,
        Piece.TAGS: any(profile.tags.values()),
        Piece.SIZES: profile.sizes,
        Piece.LOCATIONS: locations,
    }
    return [piece for piece, value in there.items() if not value]


def content_of(profile: Any, locations: Sequence[Any]) -> dict[str, Any]:
    """What the directory shows of it, as entries.py describes."""
    return {
        "name": profile.name,
        "country": profile.country,
        "description": profile.description,
        "website": profile.website,
        "linkedin": profile.linkedin,
        "sizes": [size.value for size in CompanySize if size in profile.sizes],
        "tags": {kind: tags for kind, tags in profile.tags.items() if tags},
        "locations": [_location(location, profile.country) for location in locations],
    }


def write_entry(profile: BusinessProfile, locations: Sequence[ProfileLocation], at: datetime) -> None:
    """Show the profile in the directory as it is now; its addresses there stay the same, and so does its rank."""
    content = content_of(profile, locations)
    rank = db.session.scalar(sa.select(DirectoryEntry.rank).where(DirectoryEntry.public_id == profile.public_id))
    entries.put(
        profile.public_id,
        partner_id=profile.partner_id,
        country=profile.country,
        content=content,
        labels=taxonomy.labels(content["tags"]),
        logo_public_id=db.session.scalar(sa.select(ProfileLogo.public_id).where(ProfileLogo.id == profile.logo_id)),
        rank=FIRST_RANK if rank is None else rank,
        at=at,
    )


def remove_entry(profile: BusinessProfile) -> None:
    """The directory shows it no longer."""
    entries.remove(profile.public_id)


def _location(location: Any, country: str) -> dict[str, Any]:
    return {
        "id": str(location.public_id),
        "name": location.name,
        "street": location.street,
        "district": location.district,
        "city": location.city or country_name(country, "en"),  # the addresses of Singapore name no city
        "region": location.region,
        "postal_code": location.postal_code,
        "phone": location.phone,
        "latitude": location.latitude,
        "longitude": location.longitude,
    }
