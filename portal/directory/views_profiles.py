"""Business profiles as their partner edits and publishes them: one per country (R60)."""

from typing import Any
from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused, Stale
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.places import country_name
from portal.core.routing import Feature
from portal.core.words import normalise
from portal.customers.service import edition
from portal.directory import display, profiles, service, texts
from portal.directory.forms import AboutForm, LogoForm, NewProfileForm
from portal.directory.models import LONGEST_DESCRIPTION, MOST_LOCATIONS, BusinessProfile

P = Permission
feature = Feature("profiles", __name__, url_prefix="/business-profiles")
WORDS: dict[str, Any] = {"state_names": texts.STATE_NAMES, "state_tones": texts.STATE_TONES, "to_do": texts.TO_DO}


@feature.get("", permission=P.PROFILE_EDIT)
def index() -> ResponseReturnValue:
    free = profiles.free_countries(g.actor)
    standings = sorted(profiles.of_partner(clock.now()), key=lambda standing: normalise(country_name(standing.profile.country, language())))
    return page("directory/profiles/index.html", standings=standings, free=len(free), **WORDS)


@feature.get("/new", permission=P.PROFILE_EDIT)
def new() -> ResponseReturnValue:
    free = profiles.free_countries(g.actor)
    form = NewProfileForm(data={"country": free[0] if free else "", "name": g.actor.organization_name}).offer(free)
    return page("directory/profiles/new.html", form=form, free=len(free))


@feature.post("/new", permission=P.PROFILE_EDIT)
def create() -> ResponseReturnValue:
    free = profiles.free_countries(g.actor)
    form = NewProfileForm().offer(free)
    if not form.validate_on_submit():
        return invalid("directory/profiles/new.html", form=form, free=len(free))
    profile = service.create(form.country.data, form.name.data, by=g.actor, at=clock.now())
    flash(_("The draft is made. Fill it in, look at the preview, then publish it."), "success")
    return see_other(url_for(".edit", profile_id=profile.public_id))


@feature.get("/<uuid:profile_id>", permission=P.PROFILE_EDIT)
def edit(profile_id: UUID) -> ResponseReturnValue:
    return page("directory/profiles/edit.html", **_context(find(BusinessProfile, profile_id)))


@feature.post("/<uuid:profile_id>", permission=P.PROFILE_EDIT)
def update(profile_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    form = AboutForm()
    if not form.validate_on_submit():
        return invalid("directory/profiles/edit.html", **_context(profile, form=form))
    try:
        service.change(profile, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, edition(service.about(profile)))
        return page("directory/profiles/edit.html", swaps=("form",), status=409, **_context(profile, form=form))
    flash(_("Saved."), "success")
    return see_other(url_for(".edit", profile_id=profile_id))


@feature.post("/<uuid:profile_id>/logo", permission=P.PROFILE_EDIT)
def create_logo(profile_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    form = LogoForm()
    if not form.validate_on_submit():
        return invalid("directory/profiles/edit.html", **_context(profile, logo_form=form))
    service.set_logo(profile, form.logo.data, by=g.actor, at=clock.now())
    flash(_("The logo is saved."), "success")
    return see_other(url_for(".edit", profile_id=profile_id, _anchor="picture"))


@feature.post("/<uuid:profile_id>/logo/removal", permission=P.PROFILE_EDIT)
def delete_logo(profile_id: UUID) -> ResponseReturnValue:
    service.set_logo(find(BusinessProfile, profile_id, lock=True), None, by=g.actor, at=clock.now())
    flash(_("The logo is removed."), "success")
    return see_other(url_for(".edit", profile_id=profile_id, _anchor="picture"))


@feature.get("/<uuid:profile_id>/preview", permission=P.PROFILE_EDIT)
def preview(profile_id: UUID) -> ResponseReturnValue:
    """As a customer would see it if it were published now."""
    context = _context(find(BusinessProfile, profile_id))
    standing = context["standing"]
    shown = display.profile(standing.content, standing.logo.public_id if standing.logo else None)
    return page("directory/profiles/preview.html", shown=shown, **context)


@feature.post("/<uuid:profile_id>/publication", permission=P.PROFILE_EDIT)
def create_publication(profile_id: UUID) -> ResponseReturnValue:
    profile = find(BusinessProfile, profile_id, lock=True)
    try:
        service.publish(profile, by=g.actor, at=clock.now())
    except Refused as refusal:
        return page("directory/profiles/edit.html", status=409, **_context(profile, refusal=refusal))
    flash(_("The profile is published. The directory shows it as it is now."), "success")
    return see_other(url_for(".edit", profile_id=profile_id))


@feature.get("/<uuid:profile_id>/publication/removal", permission=P.PROFILE_EDIT)
def taking_back(profile_id: UUID) -> ResponseReturnValue:
    return page("directory/profiles/taking_back.html", profile=find(BusinessProfile, profile_id))


@feature.post("/<uuid:profile_id>/publication/removal", permission=P.PROFILE_EDIT)
def delete_publication(profile_id: UUID) -> ResponseReturnValue:
    service.take_back(find(BusinessProfile, profile_id, lock=True), by=g.actor, at=clock.now())
    flash(_("The directory shows this profile no longer."), "success")
    return see_other(url_for(".edit", profile_id=profile_id))


@feature.post("/<uuid:profile_id>/confirmation", permission=P.PROFILE_EDIT)
def create_confirmation(profile_id: UUID) -> ResponseReturnValue:
    service.confirm(find(BusinessProfile, profile_id, lock=True), by=g.actor, at=clock.now())
    flash(_("Thank you. The profile counts as up to date from today."), "success")
    return see_other(url_for(".edit", profile_id=profile_id))


@feature.get("/<uuid:profile_id>/deletion", permission=P.PROFILE_EDIT)
def deleting(profile_id: UUID) -> ResponseReturnValue:
    return page("directory/profiles/deleting.html", profile=find(BusinessProfile, profile_id))


@feature.post("/<uuid:profile_id>/deletion", permission=P.PROFILE_EDIT)
def delete(profile_id: UUID) -> ResponseReturnValue:
    service.delete(find(BusinessProfile, profile_id, lock=True), by=g.actor, at=clock.now())
    flash(_("The draft is deleted."), "success")
    return see_other(url_for(".index"))


def _context(profile: BusinessProfile, *, form: AboutForm | None = None, logo_form: LogoForm | None = None, refusal: Refused | None = None) -> dict[str, Any]:
    if form is None:
        about = service.about(profile)
        form = AboutForm(formdata=None, data={**about, "version": edition(about)})
    return {
        "profile": profile,
        "standing": profiles.standing(profile, clock.now()),
        "form": form,
        "logo_form": logo_form or LogoForm(formdata=None),
        "refusal": refusal,
        "most_locations": MOST_LOCATIONS,
        "longest": LONGEST_DESCRIPTION,
        **WORDS,
    }
