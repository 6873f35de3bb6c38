"""The locations of a business profile: added, changed and removed (R60)."""

from typing import Any
from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.db import find, uuid7
from portal.core.errors import Refused, Stale
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers.service import edition
from portal.directory import profiles, service
from portal.directory.forms import LocationForm
from portal.directory.models import BusinessProfile, ProfileLocation

P = Permission
feature = Feature("profile_locations", __name__, url_prefix="/business-profiles/<uuid:profile_id>/locations")


@feature.get("/new", permission=P.PROFILE_EDIT)
def new(profile_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id)
    return page("directory/profiles/location.html", **_context(profile, LocationForm.for_country(profile.country, key=str(uuid7()))))


@feature.post("/new", permission=P.PROFILE_EDIT)
def create(profile_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    form = LocationForm.for_country(profile.country)
    if (answer := _unfinished(profile, form)) is not None:
        return answer
    try:
        service.add_location(profile, form.entry(), key=form.own_key, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("directory/profiles/location.html", **_context(profile, form))
    flash(_("The location is added."), "success")
    return _back(profile)


@feature.get("/<uuid:location_id>", permission=P.PROFILE_EDIT)
def edit(profile_id: UUID, location_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id)
    location = profiles.location(profile, location_id)
    part = service.part_of(location)
    return page("directory/profiles/location.html", **_context(profile, LocationForm.for_country(profile.country, **part, version=edition(part)), location))


@feature.post("/<uuid:location_id>", permission=P.PROFILE_EDIT)
def update(profile_id: UUID, location_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    location = profiles.location(profile, location_id)
    form = LocationForm.for_country(profile.country)
    if (answer := _unfinished(profile, form, location)) is not None:
        return answer
    try:
        service.change_location(profile, location, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, edition(service.part_of(location)))
        return page("directory/profiles/location.html", swaps=("form",), status=409, **_context(profile, form, location))
    flash(_("The location is saved."), "success")
    return _back(profile)


@feature.get("/<uuid:location_id>/removal", permission=P.PROFILE_EDIT)
def removing(profile_id: UUID, location_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id)
    return page("directory/profiles/removing.html", profile=profile, location=profiles.location(profile, location_id))


@feature.post("/<uuid:location_id>/removal", permission=P.PROFILE_EDIT)
def delete(profile_id: UUID, location_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    service.remove_location(profile, profiles.location(profile, location_id), by=g.actor, at=clock.now())
    flash(_("The location is removed."), "success")
    return _back(profile)


def _unfinished(profile: BusinessProfile, form: LocationForm, location: ProfileLocation | None = None) -> ResponseReturnValue | None:
    """The form again, with the cities that were asked for or with its errors; None when it is to be saved."""
    if form.looking_up:
        return page("directory/profiles/location.html", swaps=("form",), **_context(profile, form, location, form.cities()))
    if not form.validate_on_submit():
        return invalid("directory/profiles/location.html", **_context(profile, form, location, form.without_coordinates()))
    return None


def _back(profile: BusinessProfile) -> ResponseReturnValue:
    return see_other(url_for("profiles.edit", profile_id=profile.public_id, _anchor="locations"))


def _context(profile: BusinessProfile, form: LocationForm, location: ProfileLocation | None = None, cities: list[Any] | None = None) -> dict[str, Any]:
    url = url_for(".new", profile_id=profile.public_id) if location is None else url_for(".edit", profile_id=profile.public_id, location_id=location.public_id)
    return {"profile": profile, "form": form, "location": location, "cities": cities, "url": url}
