"""Form base class, house fields and validators: the shape of input, and messages that say what to do."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import phonenumbers
from babel import numbers
from email_validator import EmailNotValidError, validate_email
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from markupsafe import Markup, escape
from wtforms import BooleanField, DateField, Field, HiddenField, IntegerField, PasswordField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, StopValidation, ValidationError
from wtforms.widgets import Input, Select, TextInput
from wtforms.widgets.core import clean_key  # type: ignore[attr-defined]

from portal.core import money, words
from portal.core.errors import Refused, Stale
from portal.core.i18n import language, show_money, show_number
from portal.core.money import Money

REQUIRED = _l("Fill this in.")
NOT_LISTED = _l("Choose one of the list.")


def _parameters(**attributes: Any) -> Markup:
    """The attributes of an input, as WTForms writes them, in a third of its time: a form has many."""
    said = sorted(attributes.items())
    return Markup(" ".join(clean_key(key) if value is True else f'{clean_key(key)}="{escape(value)}"' for key, value in said if value is not False))  # noqa: S704


Input.html_params = staticmethod(_parameters)  # type: ignore[method-assign]


class Form(FlaskForm):
    """A page's form. The envelope checks the CSRF token; `entry()` hands the values on without the form."""

    class Meta:
        csrf = False

    Entry: ClassVar[type[Any]]

    def entry(self) -> Any:
        """The values as the form's frozen `Entry` dataclass."""
        wanted = self.Entry.__dataclass_fields__
        return self.Entry(**{name: field.data for name, field in self._fields.items() if name in wanted})

    def refuse(self, refusal: Refused) -> None:
        """Show a rule's answer beside its field, or above the form."""
        if refusal.field and refusal.field in self._fields:
            errors = self._fields[refusal.field].errors
            self._fields[refusal.field].errors = [*errors, str(refusal.message)]
        else:
            self.form_errors.append(str(refusal.message))

    def stale(self, refusal: Stale, version: int) -> None:
        """Say what changed meanwhile, and let the next try overwrite it knowingly (R104)."""
        self.form_errors.append(str(refusal.message))
        for name, (theirs, _mine) in refusal.changed.items():
            if name in self._fields:
                field = self._fields[name]
                said = dict(getattr(field, "choices", None) or ()).get(theirs, theirs)
                shown = _l("It now says “%(value)s”.", value=said) if theirs else _l("It is now empty.")
                field.errors = [*field.errors, str(shown)]
        if "version" in self._fields:
            self._fields["version"].data = version
            self._fields["version"].raw_data = None


class version_field(IntegerField):
    """Which version of the record the form was filled from.

    A form that comes back without it, or with nonsense, was filled from none that we know: it counts as stale, never as the present one.
    """

    def __init__(self, **options: Any) -> None:
        from wtforms.widgets import HiddenInput

        super().__init__(widget=HiddenInput(), **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            self.data = int(valuelist[0])
        except (IndexError, ValueError):
            self.data = 0


def text(
    label: Any,
    *,
    length: int = 200,
    shortest: int = 0,
    required: bool = True,
    multiline: bool = False,
    autocomplete: str | None = None,
    inputmode: str | None = None,
    hint: Any = "",
    validators: Iterable[Callable[..., None]] = (),
) -> Any:
    """One line, or several, without control or bidirectional override characters."""
    kind = TextAreaField if multiline else StringField
    return kind(
        label,
        description=hint,
        filters=[lambda value: words.clean(value, multiline=multiline) if value else ""],
        validators=[
            DataRequired(REQUIRED) if required else Optional(),
            Length(min=shortest, max=length, message=_length_message(shortest, length)),
            *validators,
        ],
        render_kw=_attributes(autocomplete=autocomplete, inputmode=inputmode, maxlength=None if multiline else length),
    )


def email(label: Any, *, required: bool = True, autocomplete: str = "email", hint: Any = "") -> Any:
    """As the name that somebody signs in with it is plain text, which is what a "username" fills in; the keyboard is the same."""
    plain = {"type": "text", "autocapitalize": "none", "spellcheck": "false"} if autocomplete == "username" else {"type": "email"}
    return StringField(
        label,
        description=hint,
        filters=[lambda value: words.clean(value) if value else ""],
        validators=[DataRequired(REQUIRED) if required else Optional(), Length(max=254, message=_length_message(0, 254)), _email],
        render_kw=_attributes(autocomplete=autocomplete, inputmode="email", maxlength=254) | plain,
    )


def phone(label: Any, *, autocomplete: str = "tel", validators: Iterable[Callable[..., None]] = ()) -> Any:
    """Optional unless `validators` stop at an empty one; kept as typed, checked to be possible."""
    return StringField(
        label,
        filters=[lambda value: words.clean(value) if value else ""],
        validators=[*validators, Optional(), Length(max=40, message=_length_message(0, 40)), _phone],
        render_kw=_attributes(autocomplete=autocomplete, inputmode="tel", type="tel", maxlength=40),
    )


def domain(label: Any, *, required: bool = True, hint: Any = "") -> Any:
    """A domain name; a URL or an e-mail address is understood too."""
    return StringField(
        label,
        description=hint,
        filters=[_domain_of],
        validators=[DataRequired(REQUIRED) if required else Optional(), Length(max=253, message=_length_message(0, 253)), _domain],
        render_kw=_attributes(autocomplete="off", inputmode="url", autocapitalize="none", spellcheck="false", maxlength=300),
    )


def password(label: Any, *, autocomplete: str, hint: Any = "") -> Any:
    """Never trimmed or changed (S13)."""
    return PasswordField(label, description=hint, validators=[InputRequired(REQUIRED)], render_kw=_attributes(autocomplete=autocomplete))


def select(label: Any, choices: Any, *, required: bool = True, hint: Any = "", autocomplete: str | None = None, default: str | None = None) -> Any:
    """`choices` is a list, or a function called when the form is made (for what depends on the language)."""
    return SelectField(
        label,
        description=hint,
        choices=choices,
        default=default,
        validators=[InputRequired(_l("Choose one."))] if required else [Optional()],
        render_kw=_attributes(autocomplete=autocomplete),
        validate_choice=True,
        invalid_choice_message=NOT_LISTED,  # type: ignore[call-arg]  # newer than the stubs
        widget=HouseSelect(),
    )


class HouseSelect(Select):
    """A list whose options are made once: those of countries are many, and the same on every page."""

    def __call__(self, field: Any, **kwargs: Any) -> Markup:
        """HTML asks an empty first option of what is required: without one there is nothing to forget."""
        first = next(iter(field.iter_choices()), None)
        kwargs.setdefault("required", bool(field.flags.required and first and not first.value))
        return super().__call__(field, **kwargs)

    @classmethod
    def render_option(cls, choice: Any, **kwargs: Any) -> Markup:  # type: ignore[override]  # the stubs are of an older release
        return _option(str(choice.value), str(choice.label), bool(choice.selected))


@functools.lru_cache(maxsize=4096)
def _option(value: str, label: str, selected: bool) -> Markup:
    return Markup('<option value="{}"{}>{}</option>').format(value, Markup(" selected") if selected else "", label)


def checkbox(label: Any, *, hint: Any = "", default: bool = False) -> Any:
    return BooleanField(label, description=hint, default=default)


def checkboxes(label: Any, choices: Any, *, hint: Any = "", validators: Iterable[Callable[..., None]] = ()) -> Any:
    from wtforms.widgets import CheckboxInput, ListWidget

    return SelectMultipleField(
        label,
        description=hint,
        choices=choices,
        validators=list(validators),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        invalid_choice_message=NOT_LISTED,  # type: ignore[call-arg]
    )


class _WholeNumber(IntegerField):
    """What only programmers take for a number, such as 1_0, is a slip of the finger."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([typed.replace("_", "?") for typed in valuelist])


def whole_number(label: Any, *, least: int | None = None, most: int | None = None, default: int | None = None, hint: Any = "", required: bool = True) -> Any:
    """Without `least` and `most` the service says which numbers will do, and the page passes `min` and `max`."""
    return _WholeNumber(
        label,
        description=hint,
        default=default,
        validators=[
            InputRequired(REQUIRED) if required else Optional(),
            _readable,
            *(() if least is None or most is None else (_within(least, most),)),
        ],
        render_kw=_attributes(inputmode="numeric", type="number", min=least, max=most),
        invalid_value_message=_l("Give a whole number."),  # type: ignore[call-arg]
    )


def _within(least: int, most: int) -> NumberRange:
    message = _l("Give a number from %(least)s to %(most)s.", least=LazyString(show_number, least), most=LazyString(show_number, most))
    return NumberRange(least, most, message=message)


class amount(Field):
    """An amount of zero or more as people write it, in the currency of the form's field `currency`; its data is Money, or None when left empty."""

    widget = TextInput()

    def __init__(self, label: Any, *, required: bool = True, hint: Any = "", **options: Any) -> None:
        super().__init__(label, description=hint, render_kw=_attributes(inputmode="decimal", autocomplete="off", maxlength=30), **options)
        if required:
            self.flags.required = True
        self.typed = ""
        self.data: Money | None = None

    def process_data(self, value: Money | None) -> None:
        self.data = value
        self.typed = numbers.format_decimal(value.amount, locale=language(), decimal_quantization=False) if value is not None else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.typed, self.data = (words.clean(valuelist[0]) if valuelist else ""), None

    def pre_validate(self, form: Any) -> None:
        if not self.typed:
            if self.flags.required:
                raise StopValidation(str(REQUIRED))
            return
        try:
            self.data = money.parse(self.typed, form.currency.data or "EUR", language())
        except money.TooMuch as wrong:
            raise StopValidation(str(_l("This is too much: at most %(most)s.", most=show_money(wrong.most)))) from None
        except ValueError:
            raise StopValidation(str(_l("Write an amount, such as 1250 or 1250.50."))) from None

    def _value(self) -> str:
        return self.typed


def currency(label: Any) -> Any:
    return select(label, lambda: [(code, f"{code} · {numbers.get_currency_name(code, locale=language())}") for code in money.currencies()], autocomplete="off")


class any_file(FileField):
    """A file, never judged by its name (S38); its data is the content, empty when no file was chosen."""

    def __init__(self, label: Any, *, most: int, accept: str, hint: Any = "", required: bool = False, **options: Any) -> None:
        self.data: Any = None
        self.most, self.needed = most, required
        super().__init__(label, description=hint, render_kw={"accept": accept}, **options)

    def pre_validate(self, form: Any) -> None:
        upload: Any = self.data
        self.data = content = upload.read(self.most + 1) if hasattr(upload, "read") else b""
        if self.needed and not content:
            raise StopValidation(str(_l("Choose a file.")))
        if len(content) > self.most:
            raise StopValidation(str(_l("This file is too large: at most %(size)s KB. Split it, or take fewer lines.", size=self.most // 1000)))


class text_file(any_file):
    """A text or CSV file; its data is the text."""

    def __init__(self, label: Any, *, most: int, hint: Any = "", accept: str = ".csv,.txt,text/csv,text/plain", required: bool = False, **options: Any) -> None:
        super().__init__(label, most=most, accept=accept, hint=hint, required=required, **options)

    def pre_validate(self, form: Any) -> None:
        super().pre_validate(form)
        content, self.data = self.data, ""
        try:
            self.data = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.data = content.decode("cp1252", "replace")
        if "\x00" in self.data:
            raise StopValidation(str(_l("This is not a text file. Save the list as CSV or plain text, then choose it again.")))


def day(label: Any, *, required: bool = True, hint: Any = "") -> Any:
    return DateField(
        label,
        description=hint,
        validators=[InputRequired(REQUIRED) if required else Optional()],
        render_kw=_attributes(type="date"),
        invalid_value_message=_l("Give a date."),  # type: ignore[call-arg]
    )


def hidden(default: str = "") -> Any:
    return HiddenField(default=default)


def _attributes(**attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _length_message(shortest: int, length: int) -> Any:
    if shortest:
        return _l("Write %(shortest)s to %(longest)s characters.", shortest=shortest, longest=length)
    return _l("This is too long: at most %(longest)s characters.", longest=length)


def valid_email(address: str) -> str | None:
    """The address, normalised, or None when it cannot be one."""
    try:
        return validate_email(address.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return None


def _readable(form: Any, field: Any) -> None:
    """What is no value at all is said once: no rule for values follows."""
    if field.process_errors:
        raise StopValidation


def _email(form: Any, field: Any) -> None:
    normalised = valid_email(field.data)
    if normalised is None:
        raise StopValidation(str(_l("This is not an e-mail address. It should look like name@company.example.")))
    field.data = normalised


def _phone(form: Any, field: Any) -> None:
    country = getattr(form, "country", None)
    region = country.data if country is not None and isinstance(country.data, str) else None
    try:
        known = phonenumbers.is_possible_number(phonenumbers.parse(field.data, region or "FR"))
    except phonenumbers.NumberParseException:
        known = False
    if not known:
        raise ValidationError(_l("This is not a telephone number. Start with + and the country's code."))


def _domain_of(value: str | None) -> str:
    if not value:
        return ""
    try:
        domain = words.domain_name(value)
    except ValueError:
        return words.clean(value)
    return words.clean(value) if words.domain_mixes_scripts(domain) else domain


_NO_DOMAIN = {
    "ip address": _l("This is the address of a computer. Give the domain name, such as company.example."),
    "public suffix": _l("Names are registered under this one, so it is no company's own. Give the whole name, such as company.example."),
}


def _domain(form: Any, field: Any) -> None:
    try:
        domain = words.domain_name(field.data)
    except ValueError as reason:
        message = _NO_DOMAIN.get(str(reason)) or _l("This is not a domain name. It should look like company.example.")
        raise StopValidation(str(message)) from None
    if words.domain_mixes_scripts(domain):
        raise StopValidation(str(_l("This mixes letters of different alphabets that look alike. Type the whole name in one alphabet.")))
