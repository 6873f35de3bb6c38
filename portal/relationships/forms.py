"""Forms of relationship requests, their answers, ending, and the registration on the way in."""

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts.forms import CompanyForm, new_password, time_zone_field
from portal.accounts.service import CompanyEntry
from portal.core import forms, words
from portal.core.forms import Form
from portal.core.i18n import languages
from portal.relationships.delegation import EXTENSION_DAYS, LONGEST_DAYS, PROPOSED_DAYS
from portal.relationships.models import SendingWay
from portal.relationships.registration import RegistrationEntry
from portal.relationships.service import RequestEntry
from portal.relationships.texts import ROLE_MEANINGS, ROLE_NAMES


def _role_choices() -> Iterable[tuple[str, str]]:
    return [(role.value, _("%(role)s: %(meaning)s", role=ROLE_NAMES[role], meaning=ROLE_MEANINGS[role])) for role in ROLE_NAMES]


def _language() -> Any:
    return forms.select(_l("Language of the message"), languages)


def _with_delegation() -> Any:
    return forms.checkbox(_l("Ask for delegated administration"), hint=_l("Your people may then work for the customer within the roles chosen, for a time."))


def _roles() -> Any:
    return forms.checkboxes(_l("Roles"), _role_choices, hint=_l("Ask for no more than you need: customers accept that more readily."))


def _days() -> Any:
    return forms.whole_number(_l("For how many days"), least=1, most=LONGEST_DAYS, default=PROPOSED_DAYS, required=False)


def _extends() -> Any:
    return forms.checkbox(
        _l("Extends itself by %(days)s days each time it ends", days=EXTENSION_DAYS),
        hint=_l("The customer agrees to that when it accepts, and can remove it at any time."),
    )


class TermsForm(Form):
    """What a request asks for; of delegated administration only when that is ticked."""

    def validate(self, extra_validators: Any = None) -> bool:
        super().validate(extra_validators)
        if not self._fields["delegated_administration"].data:
            self._fields["roles"].errors = self._fields["duration_days"].errors = []
        return not self.errors


class RequestForm(TermsForm):
    Entry = RequestEntry

    email = forms.email(_l("E-mail address"), autocomplete="off", hint=_l("Somebody at the customer. The message may be forwarded there: an admin accepts."))
    organization = forms.text(_l("Company name"), required=False, hint=_l("As the message should call the customer."), autocomplete="off")
    language = _language()
    delegated_administration = _with_delegation()
    roles = _roles()
    duration_days = _days()
    auto_extend = _extends()
    subject = forms.text(_l("Subject"), required=False, autocomplete="off")
    body = forms.text(
        _l("Text"), length=10_000, required=False, multiline=True, hint=_l("Keep {link} in it, once: there the customer's personal link comes in.")
    )
    version = forms.version_field()
    customer = forms.hidden()
    domain = forms.hidden()


class BatchForm(TermsForm):
    addresses = forms.text(
        _l("E-mail addresses"), length=words.MAX_EMAIL_LIST, required=False, multiline=True, hint=_l("One a line, or with commas or semicolons between them.")
    )
    file = forms.text_file(_l("Or a file"), most=2 * words.MAX_EMAIL_LIST, hint=_l("A text or CSV file with the addresses in it."))
    language = _language()
    delegated_administration = _with_delegation()
    roles = _roles()
    duration_days = _days()
    auto_extend = _extends()

    def found(self) -> list[str]:
        """The addresses of the text and of the file. Raises ValueError when there are too many."""
        uploaded = self.file.data or ""
        first, separator, rest = uploaded.partition("\n")
        listed = uploaded if "@" in first or not separator else rest  # without the line of column names
        return words.split_emails("\n".join((self.addresses.data or "", listed)))

    def entry(self) -> RequestEntry:
        terms = {name: self._fields[name].data for name in ("language", "delegated_administration", "roles", "duration_days", "auto_extend")}
        return RequestEntry(email="", organization="", **terms)


class SendingForm(Form):
    way = forms.select(_l("Way"), [(way.value, way.value) for way in SendingWay])


class AcceptanceForm(Form):
    agreement = forms.checkbox(_l("I have read the customer agreement and accept it for my organization"))


class DecliningForm(Form):
    reason = forms.text(_l("Reason"), length=1000, required=False, multiline=True, hint=_l("Optional. The person who asked will read it."))


class EndingForm(Form):
    typed_name = forms.text(_l("Company name"), length=200, hint=_l("Type it to confirm that you mean this customer."), autocomplete="off")
    reason = forms.text(_l("Reason"), length=1000, multiline=True, hint=_l("For your own records: it stays in the list of former customers and in the log."))


class RegistrationForm(CompanyForm):
    """A company that is new to the portal, and its first customer admin."""

    person = forms.text(_l("Your name"), length=120, autocomplete="name")
    email = forms.email(_l("Your e-mail address"), hint=_l("We send a code there, to be sure that it is yours."))
    domain = forms.domain(_l("Primary domain"), hint=_l("Your company's internet domain, such as company.example."))

    def entry(self) -> RegistrationEntry:
        company = CompanyEntry(**{name: self._fields[name].data for name in CompanyEntry.__dataclass_fields__})
        return RegistrationEntry(company, self.domain.data, self.person.data, self.email.data)


class ConfirmationForm(Form):
    code = forms.text(_l("Code"), length=20, autocomplete="one-time-code", inputmode="numeric")
    password = new_password(_l("Choose a password"))
    time_zone = time_zone_field()
