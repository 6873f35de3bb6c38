"""Forms of accounts, and the company form that every feature with a postal address builds on."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, SelectField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import TextInput

from portal.accounts import queries
from portal.accounts.passwords import SHORTEST
from portal.accounts.service import Colleague, CompanyEntry
from portal.core import forms, places
from portal.core.access import Role
from portal.core.forms import Form
from portal.core.i18n import language, languages, time_zones
from portal.core.places import Address, AddressField, Problem
from portal.core.words import clean

_PLAIN_ADDRESS = (
    AddressField("street", "Street address", required=True),
    AddressField("postal_code", "Postal code", required=False),
    AddressField("city", "City", required=True),
)
UPDATE = "update_fields"


class region_field(SelectField):
    """A list where the country has one, else a line of text."""

    def __init__(self, label: Any, *, length: int = 100, **options: Any) -> None:
        options.setdefault("render_kw", {"autocomplete": "address-level1"})
        too_long = Length(max=length, message=_l("This is too long: at most %(longest)s characters.", longest=length))
        super().__init__(label, choices=[], validate_choice=False, filters=[lambda value: clean(value) if value else ""], validators=[too_long], **options)

    def offer(self, choices: list[tuple[str, str]]) -> None:
        if choices:
            self.choices, self.widget = [("", _("Choose…")), *choices], forms.HouseSelect()
        else:
            self.choices, self.widget = [], TextInput()

    def _value(self) -> str:
        return str(self.data or "")


class time_zone_field(HiddenField):
    """Filled in by the browser; without a script it stays UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default="UTC", filters=[lambda value: value if value in time_zones() else "UTC"], render_kw={"data-timezone": True}, **options)


def new_password(label: Any) -> Any:
    hint = _l("At least %(number)s characters. A few unrelated words are easy to remember.", number=SHORTEST)
    return forms.password(label, autocomplete="new-password", hint=hint)


def role_boxes() -> Any:
    return forms.checkboxes(_l("Roles"), [], validators=[InputRequired(_l("Choose at least one role."))])


class AddressForm(Form):
    """A form with a postal address: the country decides which fields there are, their labels and what is right in them.

    The fields are called street, district, city, region and postal_code, behind `address_prefix`; the country is the form's own
    field, or given once by `for_country()`. Templates show `form.address`.
    """

    address_prefix: ClassVar[str] = ""
    address_required: ClassVar[bool] = True
    fixed_country: str = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.fixed_country = options.pop("fixed_country", "")
        super().__init__(*args, **options)
        self.shown_for = request.form.get("fields_of", "")
        if "fields_of" in self._fields:
            self._fields["fields_of"].data = self.chosen_country
        self._shape()

    @classmethod
    def for_country(cls, country: str, **defaults: Any) -> Any:
        """The form as it is first shown, for this country; what was posted takes precedence."""
        return cls(data={"country": country, **defaults}, fixed_country=country)

    @property
    def chosen_country(self) -> str:
        """The country that decides: typed, or fixed."""
        field = self._fields.get("country")
        return str(field.data or "") if field is not None else self.fixed_country

    @property
    def updating(self) -> bool:
        """Whether only the fields of another country were asked for: show the form again, check and save nothing.

        The button may also be pressed by the Enter key, so it counts only when the fields are those of another country.
        """
        return UPDATE in request.form and self.shown_for != self.chosen_country

    @property
    def address(self) -> list[Any]:
        """The address fields of this country in its own order."""
        return [self._of(field.name) for field in self._layout()]

    def validate(self, extra_validators: Any = None) -> bool:
        good = bool(super().validate(extra_validators))
        country = self.chosen_country
        if country not in places.COUNTRIES:
            return False
        used = {field.name for field in self._layout()}
        for name in ("street", "district", "city", "region", "postal_code"):
            field = self._of(name)
            field.data = (field.data or "") if name in used else ""
        self._of("postal_code").data = self._of("postal_code").data.upper()
        typed = {name: self._of(name).data for name in ("street", "district", "city", "region", "postal_code")}
        if not self.address_required and not any(typed.values()):
            return good
        for name, problem in places.check_address(Address(country=country, **typed)).items():
            field = self._of(name)
            if not field.errors:
                field.errors = [_address_message(name, problem, country)]
                good = False
        return good

    def _of(self, name: str) -> Any:
        return self._fields[self.address_prefix + name]

    def _layout(self) -> tuple[AddressField, ...]:
        country = self.chosen_country
        return places.address_fields(country) if country in places.COUNTRIES else _PLAIN_ADDRESS

    def _shape(self) -> None:
        country = self.chosen_country
        for described in self._layout():
            field = self._of(described.name)
            field.label.text = _(described.label)
            field.flags.required = described.required and self.address_required
        self._of("region").offer(places.region_choices(country) if country in places.COUNTRIES else [])


def street() -> Any:
    return forms.text(_l("Street address"), length=300, required=False, autocomplete="address-line1")


def district() -> Any:
    return forms.text(_l("District"), length=100, required=False, autocomplete="address-level3")


def city() -> Any:
    return forms.text(_l("City"), length=100, required=False, autocomplete="address-level2")


def region() -> Any:
    return region_field(_l("Region"))


def postal_code() -> Any:
    return forms.text(_l("Postal code"), length=20, required=False, autocomplete="postal-code")


class CompanyForm(AddressForm):
    """The organization half of an account (R10): legal name, registered address, tax number."""

    Entry = CompanyEntry

    name = forms.text(_l("Legal company name"), length=200, shortest=2, autocomplete="organization")
    country = forms.select(_l("Country"), lambda: places.country_names(language()), autocomplete="country")
    street = street()
    district = district()
    city = city()
    region = region()
    postal_code = postal_code()
    tax_id = forms.text(_l("Tax number"), length=40, required=False, autocomplete="off")
    fields_of = forms.hidden()
    version = forms.version_field()

    @property
    def has_tax_id(self) -> bool:
        return places.has_tax_id(self.chosen_country)

    def validate(self, extra_validators: Any = None) -> bool:
        good = bool(super().validate(extra_validators))
        if not self.has_tax_id:
            self.tax_id.data = ""
            return good
        try:
            self.tax_id.data = places.tax_id(self.chosen_country, self.tax_id.data or "") or ""
        except ValueError:
            name = self.tax_id.label.text
            self.tax_id.errors = [_("This is not a valid %(name)s of this country. Check the digits, or leave it empty.", name=name)]
            return False
        return good

    def _shape(self) -> None:
        super()._shape()
        if self.has_tax_id:
            self.tax_id.label.text = _(places.tax_id_name(self.chosen_country))


class SignInForm(Form):
    email = forms.email(_l("E-mail address"), autocomplete="username")
    password = forms.password(_l("Password"), autocomplete="current-password")
    next = forms.hidden()
    typed = forms.hidden()  # of a form that the end of a session interrupted; sealed


class ForgottenForm(Form):
    email = forms.email(_l("E-mail address"))


class NewPasswordForm(Form):
    password = new_password(_l("New password"))


class ActivationForm(Form):
    code = forms.text(_l("Code from the mail"), length=12, autocomplete="one-time-code", inputmode="numeric", hint=_l("Six digits."))
    password = new_password(_l("Choose a password"))
    time_zone = time_zone_field()


class ChangePasswordForm(Form):
    current = forms.password(_l("Current password"), autocomplete="current-password")
    password = new_password(_l("New password"))


class ProfileForm(Form):
    """One's own account."""

    name = forms.text(_l("Your name"), length=120, autocomplete="name")
    phone = forms.phone(_l("Telephone"))
    language = forms.select(_l("Language"), lambda: [("", _("As my browser says")), *languages()], required=False)
    time_zone = forms.select(_l("Time zone"), time_zones)
    version = forms.version_field()


class InvitationForm(Form):
    """A colleague to invite; the roles offered are those that the inviter may grant (R3)."""

    Entry = Colleague

    name = forms.text(_l("Name"), length=120, autocomplete="off")
    email = forms.email(_l("E-mail address"), autocomplete="off", hint=_l("The invitation goes there. It cannot be changed later."))
    language = forms.select(_l("Language of the invitation"), languages)
    roles = role_boxes()

    def offer(self, roles: Iterable[Role]) -> Self:
        _offer(self, roles)
        return self


class RolesForm(Form):
    roles = role_boxes()
    version = forms.version_field()

    def offer(self, roles: Iterable[Role]) -> Self:
        _offer(self, roles)
        return self


def _offer(form: Any, roles: Iterable[Role]) -> None:
    form.roles.choices = [(role.value, _("%(role)s: %(what)s", role=queries.ROLE_NAMES[role], what=queries.ROLE_HINTS[role])) for role in roles]


def _address_message(name: str, problem: Problem, country: str) -> str:
    if problem is Problem.REQUIRED:
        return str(forms.REQUIRED)
    shown = places.country_name(country, language())
    if name == "postal_code":
        if problem is Problem.INVALID:
            return str(_("This is not a postal code. Check it."))
        return str(_("This postal code does not belong to %(country)s, or not to the region chosen. Check both.", country=shown))
    if name == "region":
        return str(_("%(country)s has no such region. Choose one of the list.", country=shown))
    return str(_("This cannot be part of an address. Write it in letters and numbers."))
