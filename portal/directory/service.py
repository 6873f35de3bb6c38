"""Editing business profiles, publishing them and taking them back, and the reminder that one may be out of date (R60)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.service import stale
from portal.core import audit, jobs
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, scoped
from portal.customers.service import edition
from portal.directory import mails, profiles, publishing, taxonomy
from portal.directory.logos import Picture
from portal.directory.models import MOST_LOCATIONS, BusinessProfile, DirectoryEntry, ProfileLocation, ProfileLogo, ProfileState, TagKind
from portal.directory.states import PROFILE
from portal.leads.texts import SIZE_NAMES


@dataclass(frozen=True)
class AboutEntry:
    """What a profile says, but for its logo and locations."""

    name: str
    description: str
    website: str
    linkedin: str
    industries: Sequence[str]
    products: Sequence[str]
    services: Sequence[str]
    skills: Sequence[str]
    sizes: Sequence[str]


@dataclass(frozen=True)
class LocationEntry:
    name: str
    street: str
    district: str
    city: str
    region: str
    postal_code: str
    phone: str
    latitude: float
    longitude: float


_KINDS = {"industries": TagKind.INDUSTRY, "products": TagKind.PRODUCT, "services": TagKind.SERVICE, "skills": TagKind.SKILL}
_TEXTS = ("name", "description", "website", "linkedin")


def create(country: str, name: str, *, by: Actor, at: datetime) -> BusinessProfile:
    """A draft for one more country of the partner's market."""
    if country not in profiles.free_countries(by):
        raise Refused(_("You have a profile for this country already, or it is outside of your market."), field="country")
    profile = BusinessProfile(partner_id=by.organization_id, country=country, name=name, state_at=at, created_at=at, changed_at=at)
    db.session.add(profile)
    db.session.flush()
    audit.record("profile.created", by=by, at=at, after={"country": country, "name": name})
    return profile


def about(profile: BusinessProfile) -> dict[str, Any]:
    """The fields that an AboutEntry fills."""
    texts = {name: getattr(profile, name) for name in _TEXTS}
    return texts | {name: profile.tags.get(kind, []) for name, kind in _KINDS.items()} | {"sizes": profile.sizes}


def change(profile: BusinessProfile, entry: AboutEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """`version` is the edition() of about() that the form was filled from: logo and locations are changed beside it (R104)."""
    present = about(profile)
    typed = {name: list(value) if isinstance(value, list | tuple) else value for name, value in asdict(entry).items()}
    if edition(present) != version:
        raise stale({name: (_said(name, present[name]), _said(name, value)) for name, value in typed.items() if present[name] != value})
    if typed == present:
        return
    for name in _TEXTS:
        setattr(profile, name, typed[name])
    profile.tags = {kind.value: typed[name] for name, kind in _KINDS.items()}
    profile.sizes = typed["sizes"]
    before, after = audit.changes(_logged(present), _logged(typed))
    _changed(profile, by=by, at=at, before=before, after=after)


def part_of(location: ProfileLocation) -> dict[str, Any]:
    """The fields that a LocationEntry fills."""
    return {name: getattr(location, name) for name in LocationEntry.__dataclass_fields__}


def add_location(profile: BusinessProfile, entry: LocationEntry, *, key: UUID, by: Actor, at: datetime) -> ProfileLocation:
    """`key` is the form's own: the same one sent twice makes one location."""
    present = profiles.locations_of(profile)
    for location in present:
        if location.public_id == key:
            return location
    if len(present) >= MOST_LOCATIONS:
        raise Refused(_("A profile has at most %(most)s locations. Remove one first.", most=MOST_LOCATIONS))
    position = present[-1].position + 1 if present else 1
    made = ProfileLocation(public_id=key, partner_id=profile.partner_id, profile_id=profile.id, position=position, **asdict(entry))
    db.session.add(made)
    _changed(profile, by=by, at=at, after={"location": _title(entry)})
    return made


def change_location(profile: BusinessProfile, location: ProfileLocation, entry: LocationEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    present, typed = part_of(location), asdict(entry)
    before, after = audit.changes(present, typed)
    if edition(present) != version:
        raise stale({name: (str(before[name]), str(value)) for name, value in after.items()})
    if not after:
        return
    for name, value in after.items():
        setattr(location, name, value)
    _changed(profile, by=by, at=at, before={"location": _title(present), **before}, after={"location": _title(entry), **after})


def remove_location(profile: BusinessProfile, location: ProfileLocation, *, by: Actor, at: datetime) -> None:
    """The directory shows it until the profile is published again."""
    db.session.delete(location)
    _changed(profile, by=by, at=at, before={"location": _title(part_of(location))})


def set_logo(profile: BusinessProfile, picture: Picture | None, *, by: Actor, at: datetime) -> None:
    """This logo from now on, or none."""
    if picture is None and profile.logo_id is None:
        return
    former, profile.logo_id = profile.logo_id, None
    if picture is not None:
        logo = ProfileLogo(
            partner_id=profile.partner_id, content=picture.content, media_type=picture.media_type, width=picture.width, height=picture.height, uploaded_at=at
        )
        db.session.add(logo)
        db.session.flush()
        profile.logo_id = logo.id
    profile.changed_at = at
    db.session.flush()
    _forget_logo(former)
    audit.record("profile.logo_changed", by=by, at=at, after={"country": profile.country, "name": profile.name, "removed": picture is None})


def publish(profile: BusinessProfile, *, by: Actor, at: datetime) -> None:
    """Show it in the directory as it is now (R60)."""
    locations = profiles.locations_of(profile)
    if publishing.missing(profile, locations):
        raise Refused(_("Something is still missing, so the profile was not published."))
    standing = profiles.standing(profile, at)
    if standing.published_at is not None and not standing.changed:
        return
    former = _shown_logo(profile)
    PROFILE.apply(profile, "publish", by=by, at=at, details=_which(profile))
    profile.changed_at = at
    db.session.flush()
    publishing.write_entry(profile, locations, at)
    _forget_logo(former)


def take_back(profile: BusinessProfile, *, by: Actor, at: datetime) -> None:
    """Out of the directory; everything stays to be edited and published again."""
    former = _shown_logo(profile)
    PROFILE.apply(profile, "take_back", by=by, at=at, details=_which(profile))
    db.session.flush()
    publishing.remove_entry(profile)
    _forget_logo(former)


def confirm(profile: BusinessProfile, *, by: Actor, at: datetime) -> None:
    """Somebody looked: it is still right."""
    profile.changed_at = at
    audit.record("profile.confirmed", by=by, at=at, after=_which(profile))


def delete(profile: BusinessProfile, *, by: Actor, at: datetime) -> None:
    """A draft that nobody outside has seen."""
    if profile.state is not ProfileState.DRAFT:
        raise Refused(_("This profile was published, so it is kept. Take it back from the directory instead."))
    audit.record("profile.deleted", by=by, at=at, before=_which(profile))
    logo_id = profile.logo_id
    db.session.execute(sa.delete(ProfileLocation).where(ProfileLocation.profile_id == profile.id))
    db.session.delete(profile)
    db.session.flush()
    _forget_logo(logo_id)


def remind(*, at: datetime) -> int:
    """Once in six months, of what is published and was neither changed nor confirmed for six months."""
    B, before = BusinessProfile, at - profiles.STALE_AFTER

    def tell(profile: BusinessProfile) -> None:
        profile.reminded_at = at
        mails.stale(profile, at=at)

    with scoped(EVERYTHING):
        unheeded = sa.or_(B.reminded_at.is_(None), B.reminded_at <= before)
        due = sa.select(B).where(B.state == ProfileState.PUBLISHED, B.changed_at <= before, unheeded).order_by(B.changed_at, B.id)
        return len(jobs.each(due, tell))


def _changed(profile: BusinessProfile, *, by: Actor, at: datetime, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> None:
    profile.changed_at = at
    db.session.flush()
    audit.record("profile.updated", by=by, at=at, before=before, after=(after or {}) | {"country": profile.country})


def _shown_logo(profile: BusinessProfile) -> int | None:
    """The logo that the directory shows."""
    shown = sa.select(ProfileLogo.id).join(DirectoryEntry, DirectoryEntry.logo_public_id == ProfileLogo.public_id)
    return db.session.scalar(shown.where(DirectoryEntry.public_id == profile.public_id))


def _forget_logo(logo_id: int | None) -> None:
    """Delete a logo that neither a profile nor the directory shows any more."""
    if logo_id is None:
        return
    used = sa.or_(
        sa.exists().where(BusinessProfile.logo_id == ProfileLogo.id),
        sa.exists().where(DirectoryEntry.partner_id == ProfileLogo.partner_id, DirectoryEntry.logo_public_id == ProfileLogo.public_id),
    )
    db.session.execute(sa.delete(ProfileLogo).where(ProfileLogo.id == logo_id, ~used).execution_options(synchronize_session=False))


def _which(profile: BusinessProfile) -> dict[str, str]:
    return {"country": profile.country, "name": profile.name}


def _title(location: Any) -> str:
    part = location if isinstance(location, dict) else asdict(location)
    return ", ".join(filter(None, (part["name"], part["street"], part["city"])))


def _said(name: str, value: Any) -> str:
    """A value as the form's reader knows it."""
    if name == "sizes":
        return ", ".join(str(text) for size, text in SIZE_NAMES.items() if size in value)
    if name == "skills":
        return ", ".join(value)
    return ", ".join(taxonomy.name(_KINDS[name], code) for code in value) if name in _KINDS else value


def _logged(part: dict[str, Any]) -> dict[str, Any]:
    """Listed tags with their kind, as the log's vocabulary knows them."""
    texts = {name: part[name] for name in (*_TEXTS, "skills", "sizes")}
    return texts | {"profile_tags": [f"{_KINDS[name]}/{code}" for name in ("industries", "products", "services") for code in part[name]]}
