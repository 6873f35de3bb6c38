"""Forms of relationship requests, their answers, ending, the registration on the way in, and partnerships."""

from collections.abc import Iterable
from typing import Any

from flask import g, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts.forms import CompanyForm, new_password, time_zone_field
from portal.accounts.service import CompanyEntry
from portal.core import forms, words
from portal.core.access import PartnerType
from portal.core.forms import Form
from portal.core.i18n import languages
from portal.relationships import queries
from portal.relationships.delegation import EXTENSION_DAYS, LONGEST_DAYS, PROPOSED_DAYS
from portal.relationships.models import SendingWay
from portal.relationships.partnerships import PartnershipEntry
from portal.relationships.registration import RegistrationEntry
from portal.relationships.service import RequestEntry
from portal.relationships.texts import ROLE_MEANINGS, ROLE_NAMES, draft_partnership


def _role_choices() -> Iterable[tuple[str, str]]:
    return [(role.value, _("%(role)s: %(meaning)s", role=ROLE_NAMES[role], meaning=ROLE_MEANINGS[role])) for role in ROLE_NAMES]


def _provider_choices() -> list[tuple[str, str]]:
    known = queries.active_providers(by=g.actor) if g.actor.partner_type is PartnerType.INDIRECT_RESELLER else []
    return [("", _("No, only for us")), *((str(row.public_id), row.name) for row in known)]


def _provider() -> Any:
    """For an indirect reseller with an active partnership (R28)."""
    hint = _l("One link and one acceptance then start both relationships, or neither. Delegated administration is yours alone.")
    return forms.select(_l("Also for your provider"), _provider_choices, required=False, default="", hint=hint)


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
    provider = _provider()
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
    provider = _provider()
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
        terms = {name: self._fields[name].data for name in ("provider", "language", "delegated_administration", "roles", "duration_days", "auto_extend")}
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


class PartnershipForm(Form):
    """A request for a partnership, with the words that go out; another language brings its template, unless they were changed."""

    Entry = PartnershipEntry

    email = forms.email(
        _l("E-mail address"), autocomplete="off", hint=_l("Somebody at the reseller. The message may be forwarded there: a global admin accepts.")
    )
    organization = forms.text(_l("Company name"), autocomplete="off", hint=_l("The reseller, as your list should call it until it accepts."))
    language = _language()
    subject = forms.text(_l("Subject"), autocomplete="off")
    body = forms.text(_l("Text"), length=10_000, multiline=True, hint=_l("Keep {link} in it, once: there the reseller's personal link comes in."))
    words_of = forms.hidden()  # the language whose template the form was filled with

    @property
    def updating(self) -> bool:
        """Whether only the template of another language was asked for; the button may also be pressed by the Enter key."""
        return "update_words" in request.form and self.words_of.data != self.language.data

    def fill(self) -> None:
        """With the template of the chosen language, in place of another template or of nothing."""
        chosen = self.language.data if self.language.data in dict(languages()) else "en"
        former = _partnership_words(self.words_of.data) if self.words_of.data in dict(languages()) else ("", "")
        if not self.body.data or (self.subject.data, _bare(self.body.data)) == (former[0], _bare(former[1])):
            self.subject.data, self.body.data = _partnership_words(chosen)
        self.words_of.data = chosen


def _partnership_words(chosen: str) -> tuple[str, str]:
    return draft_partnership(language=chosen, provider=g.actor.organization_name, author=g.actor.name)


def _bare(text: str) -> str:
    return "\n".join(text.split())


class PartnershipAcceptanceForm(Form):
    confirmed = forms.checkbox(_l("Yes, my organization wants this partnership"))


class PartnershipEndingForm(Form):
    reason = forms.text(_l("Reason"), length=1000, required=False, multiline=True, hint=_l("Optional. The other side reads it too."))
