"""Forms of business profiles: what a profile says, its logo, and its locations."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import Field, StringField
from wtforms.validators import Length, Optional, StopValidation
from wtforms.widgets import TextInput

from portal.accounts.forms import AddressForm, city, district, postal_code, region, street
from portal.core import forms, words
from portal.core.db import uuid7
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.places import country_name
from portal.directory import gazetteer, logos, taxonomy
from portal.directory.gazetteer import City
from portal.directory.models import LONGEST_DESCRIPTION, WIDEST_LOGO, TagKind
from portal.directory.service import AboutEntry, LocationEntry
from portal.leads.texts import SIZE_NAMES

MOST_SKILLS = 20
LONGEST_SKILL = 40


def _web_address(form: Any, field: Any) -> None:
    """A page that everybody reaches by https."""
    try:
        parts = urlsplit(field.data)
        good = parts.scheme == "https" and parts.username is None and not re.search(r"[\s<>\"\\]", field.data) and (parts.port or 443)
        words.domain_name(parts.hostname or "")
    except ValueError:
        good = False
    if not good:
        raise StopValidation(str(_l("This is not the address of a page. It should look like https://company.example.")))


def _linkedin(form: Any, field: Any) -> None:
    parts = urlsplit(field.data)
    host = (parts.hostname or "").lower()
    if (host != "linkedin.com" and not host.endswith(".linkedin.com")) or len(parts.path) < 2:
        raise StopValidation(str(_l("This is not a page of LinkedIn. It should look like https://www.linkedin.com/company/name.")))


def _with_scheme(value: str | None) -> str:
    typed = words.clean(value or "")
    return f"https://{typed}" if typed and "://" not in typed else typed


def web_address(label: Any, *further: Any, hint: Any = "") -> Any:
    return StringField(
        label,
        description=hint,
        filters=[_with_scheme],
        validators=[Optional(), Length(max=300, message=_l("This is too long: at most %(longest)s characters.", longest=300)), _web_address, *further],
        render_kw={"autocomplete": "off", "inputmode": "url", "type": "url", "autocapitalize": "none", "spellcheck": "false", "maxlength": 300},
    )


class skills_field(Field):
    """Free words with commas between them; its data is the list of the different ones."""

    widget = TextInput()
    data: list[str]

    def process_data(self, value: Any) -> None:
        self.data = list(value or [])
        self.typed = ", ".join(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.typed = words.clean(valuelist[0]) if valuelist else ""
        typed = (skill.strip() for skill in self.typed.split(","))
        self.data = list({skill.casefold(): skill for skill in reversed(list(filter(None, typed)))}.values())[::-1]

    def pre_validate(self, form: Any) -> None:
        if len(self.data) > MOST_SKILLS:
            raise StopValidation(str(_l("These are too many: at most %(most)s. Keep those that matter most.", most=MOST_SKILLS)))
        for skill in self.data:
            if len(skill) > LONGEST_SKILL:
                raise StopValidation(_("“%(word)s” is too long: at most %(most)s characters each.", word=skill, most=LONGEST_SKILL))

    def _value(self) -> str:
        return self.typed


class degrees_field(Field):
    """An angle in decimal degrees, with a comma or a full stop; None when left empty."""

    widget = TextInput()

    def __init__(self, label: Any, *, most: int, **options: Any) -> None:
        super().__init__(label, render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": 20}, **options)
        self.most = most

    def process_data(self, value: Any) -> None:
        self.data: float | None = value
        self.typed = "" if value is None else str(value)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.typed, self.data = words.clean(valuelist[0]) if valuelist else "", None

    def pre_validate(self, form: Any) -> None:
        if not self.typed:
            raise StopValidation(str(_l("Look the city up, or type the degrees.")))
        number = self.typed.replace(",", ".").replace("\u2212", "-").rstrip("° ")
        if not re.fullmatch(r"[+-]?\d{1,3}(\.\d{1,12})?", number) or abs(float(number)) > self.most:
            raise StopValidation(str(_l("Give decimal degrees from -%(most)s to %(most)s, such as 47.2184.", most=self.most)))
        self.data = round(float(number), 6)

    def _value(self) -> str:
        return self.typed


class logo_field(FileField):
    """A picture, judged by its content and never by its name (S38); its data is a Picture."""

    data: Any

    def pre_validate(self, form: Any) -> None:
        upload: Any = self.data
        self.data = None
        content = upload.read(logos.HEAVIEST + 1) if hasattr(upload, "read") else b""
        if not content:
            raise StopValidation(str(_l("Choose a file.")))
        try:
            self.data = logos.read(content)
        except Refused as refusal:
            raise StopValidation(str(refusal.message)) from None


class NewProfileForm(forms.Form):
    country = forms.select(_l("Country"), [], hint=_l("A profile for each country that you sell in."))
    name = forms.text(_l("Name"), length=200, shortest=2, hint=_l("Customers see you under this name there."), autocomplete="organization")

    def offer(self, countries: list[str]) -> "NewProfileForm":
        self.country.choices = [(code, country_name(code, language())) for code in countries]
        return self


class AboutForm(forms.Form):
    Entry = AboutEntry

    name = forms.text(_l("Name"), length=200, shortest=2, autocomplete="organization")
    description = forms.text(
        _l("Description"),
        length=LONGEST_DESCRIPTION,
        required=False,
        multiline=True,
    )
    website = web_address(_l("Website"))
    linkedin = web_address(_l("LinkedIn page"), _linkedin)
    industries = forms.checkboxes(_l("Industries"), lambda: taxonomy.choices(TagKind.INDUSTRY))
    products = forms.checkboxes(_l("Products"), lambda: taxonomy.choices(TagKind.PRODUCT))
    services = forms.checkboxes(_l("Services"), lambda: taxonomy.choices(TagKind.SERVICE))
    skills = skills_field(
        _l("Skills"),
        description=_l("Your own words, with commas between them: at most %(most)s, of %(longest)s characters each.", most=MOST_SKILLS, longest=LONGEST_SKILL),
        render_kw={"autocomplete": "off"},
    )
    sizes = forms.checkboxes(
        _l("Target customers"), lambda: [(size.value, str(name)) for size, name in SIZE_NAMES.items()], hint=_l("How many people work there.")
    )
    version = forms.version_field()


class LogoForm(forms.Form):
    logo = logo_field(
        _l("Picture"),
        description=_l("GIF, JPEG or PNG, at most %(most)s pixels wide and high, and %(size)s KB.", most=WIDEST_LOGO, size=logos.HEAVIEST // 1024),
        render_kw={"accept": "image/gif,image/jpeg,image/png"},
    )


class LocationForm(AddressForm):
    """A location: its address as the country writes it, and its coordinates, typed or taken from a city."""

    Entry = LocationEntry

    name = forms.text(_l("Name"), length=100, required=False, autocomplete="off", hint=_l("Such as Head office. Customers see it before the city."))
    street = street()
    district = district()
    city = city()
    region = region()
    postal_code = postal_code()
    phone = forms.phone(_l("Telephone"))
    place = forms.text(
        _l("City to look up"),
        length=100,
        required=False,
        autocomplete="off",
        hint=_l("The nearest one of 5,000 people or more. The list is that of GeoNames (CC BY 4.0)."),
    )
    latitude = degrees_field(_l("Latitude"), most=90)
    longitude = degrees_field(_l("Longitude"), most=180)
    looked_up = forms.hidden()
    key = forms.hidden()
    version = forms.version_field()

    @property
    def own_key(self) -> UUID:
        """The key that a new location gets: the form's, so that sending it twice makes one."""
        try:
            return UUID(self.key.data or "")
        except ValueError:
            return uuid7()

    @property
    def looking_up(self) -> bool:
        """Whether cities were asked for, or one was chosen: show the form again, check and save nothing.

        The button may also be pressed by the Enter key, so it counts only when there is something new to look up.
        """
        return "city_id" in request.form or ("look_up" in request.form and self.place.data not in ("", self.looked_up.data))

    def cities(self) -> list[City]:
        """What fits the words typed; a chosen city fills its coordinates in, and the address's city if that is empty."""
        chosen = request.form.get("city_id", "")
        city = gazetteer.city(int(chosen)) if chosen.isascii() and chosen.isdigit() and len(chosen) < 12 else None
        if city is not None and city.country == self.chosen_country:
            self.latitude.process_data(city.latitude)
            self.longitude.process_data(city.longitude)
            self.place.data = self.looked_up.data = city.name
            self.city.data = self.city.data or city.name
            return []
        self.looked_up.data = self.place.data
        return gazetteer.find(self.place.data, [self.chosen_country])

    def without_coordinates(self) -> list[City]:
        """The cities to choose from when a form came without coordinates: those of its address."""
        if self.latitude.typed or self.longitude.typed or not self.city.data:
            return []
        self.place.data = self.looked_up.data = self.city.data
        return gazetteer.find(self.city.data, [self.chosen_country])
