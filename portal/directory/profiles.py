"""Reads of business profiles by their own partner, and of logos."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core.access import Actor
from portal.core.db import db, find
from portal.core.errors import NotFound
from portal.core.places import COUNTRIES, market
from portal.core.scope import EVERYTHING, scoped
from portal.directory.models import BusinessProfile, DirectoryEntry, ProfileLocation, ProfileLogo, ProfileState
from portal.directory.publishing import Piece, content_of, missing

STALE_AFTER = timedelta(days=183)


@dataclass(frozen=True)
class Standing:
    """A profile with what hangs on it, and how it stands."""

    profile: Any
    locations: list[Any]
    logo: Any
    content: dict[str, Any]
    missing: list[Piece]
    published_at: datetime | None
    changed: bool  # since it was published
    stale: bool


def of_partner(at: datetime) -> list[Standing]:
    """All profiles of the scope's partner, as rows."""
    return _standings(db.session.execute(sa.select(*_columns(BusinessProfile))).all(), at)


def standing(profile: BusinessProfile, at: datetime) -> Standing:
    return _standings([profile], at)[0]


def free_countries(actor: Actor) -> list[str]:
    """The countries of the partner's market that it has no profile for yet; its own comes first."""
    taken = set(db.session.scalars(sa.select(BusinessProfile.country)))
    codes = (code for code in COUNTRIES if market(code) == market(actor.country) and code not in taken)
    return sorted(codes, key=lambda code: code != actor.country)


def locations_of(profile: BusinessProfile) -> list[ProfileLocation]:
    L = ProfileLocation
    return list(db.session.scalars(sa.select(L).where(L.profile_id == profile.id).order_by(L.position, L.id)))


def location(profile: BusinessProfile, public_id: UUID) -> ProfileLocation:
    found = find(ProfileLocation, public_id)
    if found.profile_id != profile.id:
        raise NotFound(public_id)
    return found


def logo(public_id: UUID, viewer: Actor | None) -> tuple[Any, bool]:
    """A logo, and whether the directory shows it; NotFound when it does not and the viewer is not of its partner."""
    with scoped(EVERYTHING):
        found = db.session.execute(sa.select(ProfileLogo.partner_id, ProfileLogo.content, ProfileLogo.media_type).where(ProfileLogo.public_id == public_id))
        row = found.one_or_none()
    if row is None:
        raise NotFound(public_id)
    shown = sa.select(DirectoryEntry.id).where(DirectoryEntry.partner_id == row.partner_id, DirectoryEntry.logo_public_id == public_id)
    open_ones = shown.join(Organization, Organization.id == DirectoryEntry.partner_id).where(Organization.suspended_at.is_(None))
    published = db.session.scalar(open_ones.limit(1)) is not None
    if not published and (viewer is None or viewer.organization_id != row.partner_id):
        raise NotFound(public_id)
    return row, published


def _columns(model: type[Any]) -> list[Any]:
    return [getattr(model, attribute.key) for attribute in model.__mapper__.column_attrs]


def _standings(profiles: Sequence[Any], at: datetime) -> list[Standing]:
    L, E, G = ProfileLocation, DirectoryEntry, ProfileLogo
    locations: dict[int, list[Any]] = defaultdict(list)
    columns = sa.select(*_columns(L)).where(L.profile_id.in_([profile.id for profile in profiles]))
    for row in db.session.execute(columns.order_by(L.profile_id, L.position, L.id)):
        locations[row.profile_id].append(row)
    shown = sa.select(E.public_id, E.content, E.logo_public_id, E.published_at).where(E.public_id.in_([profile.public_id for profile in profiles]))
    entries = {row.public_id: row for row in db.session.execute(shown)}
    pictures = sa.select(G.id, G.public_id, G.width, G.height).where(G.id.in_([profile.logo_id for profile in profiles if profile.logo_id]))
    logos = {row.id: row for row in db.session.execute(pictures)}
    return [_standing(profile, locations[profile.id], logos.get(profile.logo_id), entries.get(profile.public_id), at) for profile in profiles]


def _standing(profile: Any, locations: list[Any], logo: Any, entry: Any, at: datetime) -> Standing:
    content = content_of(profile, locations)
    return Standing(
        profile=profile,
        locations=locations,
        logo=logo,
        content=content,
        missing=missing(profile, locations),
        published_at=entry.published_at if entry else None,
        changed=entry is not None and (entry.content, entry.logo_public_id) != (content, logo.public_id if logo else None),
        stale=profile.state is ProfileState.PUBLISHED and profile.changed_at <= at - STALE_AFTER,
    )
