"""Forms that bring leads in and on: entering, import, referral, and the request that a won lead leads to."""

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import FileField

from portal.core import forms
from portal.core.forms import Form
from portal.core.i18n import languages
from portal.leads.entering import QUALIFIED
from portal.leads.imports import MOST_BYTES
from portal.leads.models import LeadSource
from portal.leads.referrals import ReferralEntry
from portal.leads.service import NewLead
from portal.leads.texts import SIZE_NAMES, SOURCE_NAMES
from portal.onboarding.forms import market_countries
from portal.relationships.forms import RequestForm


def _source(hint: Any) -> Any:
    return forms.select(_l("Source"), lambda: [(source.value, str(SOURCE_NAMES[source])) for source in QUALIFIED], hint=hint)


def _sizes() -> Iterable[tuple[str, str]]:
    return [("", str(_l("Not known"))), *((size.value, str(name)) for size, name in SIZE_NAMES.items())]


class LeadForm(Form):
    """A lead that one of our people enters."""

    Entry = NewLead

    company = forms.text(_l("Company name"), length=200, shortest=2, autocomplete="off")
    domain = forms.domain(_l("Primary domain"), required=False, hint=_l("The company's own domain, such as company.example. A web address is fine too."))
    country = forms.select(_l("Country"), market_countries, autocomplete="off")
    city = forms.text(_l("City"), length=100, required=False, autocomplete="off")
    size = forms.select(_l("Company size"), _sizes, required=False, autocomplete="off")
    first_name = forms.text(_l("First name"), length=100, required=False, autocomplete="off")
    last_name = forms.text(_l("Last name"), length=100, required=False, autocomplete="off")
    email = forms.email(_l("E-mail address"), required=False, autocomplete="off", hint=_l("Give an address or a telephone number, or both."))
    phone = forms.phone(_l("Telephone"), autocomplete="off")
    language = forms.select(_l("Language"), languages, hint=_l("For messages to the customer."))
    message = forms.text(_l("What the customer wants"), length=10_000, required=False, multiline=True)
    source = _source(_l("Marketing-qualified: showed interest. Sales-qualified: somebody has spoken with the customer."))
    key = forms.hidden()

    @property
    def chosen_source(self) -> LeadSource:
        return LeadSource(self.source.data)


class ReferralForm(Form):
    """To whom a lead goes; the choices are put in by the view, since they depend on what was searched for."""

    Entry = ReferralEntry

    partner = forms.select(_l("Partner"), [])
    source = _source(_l("As the other partner will see it."))
    note = forms.text(
        _l("Note for the partner"),
        length=2000,
        required=False,
        multiline=True,
        hint=_l("Only the partner's people see it. Your own notes and the deal stay with you."),
    )


class NewReferralForm(LeadForm):
    partner = forms.select(_l("Partner"), [])
    note = forms.text(_l("Note for the partner"), length=2000, required=False, multiline=True, hint=_l("Only the partner's people see it."))

    def referral(self) -> ReferralEntry:
        return ReferralEntry(self.partner.data, self.source.data, self.note.data or "")


class ImportForm(Form):
    """A file first; then, with its text carried along in the page, the confirmation."""

    file: FileField = forms.text_file(_l("CSV file"), most=MOST_BYTES)
    text = forms.text(_l("Text of the file"), length=MOST_BYTES, required=False, multiline=True)
    source = _source(_l("For lines that name none."))


class ConversionRequestForm(RequestForm):
    """The relationship request to a lead's contact; the lead says whom it names."""
