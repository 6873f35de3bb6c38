"""Forms of a lead: accepting and the deal, declining, winning, losing, notes and people."""

from typing import Any

import wtforms
from flask_babel import lazy_gettext as _l

from portal.core import forms
from portal.core.forms import REQUIRED, Form
from portal.leads.models import Lead, LeadSource, PersonKind
from portal.leads.service import DealEntry, DeclineEntry, LossEntry, PersonEntry, WinEntry
from portal.leads.texts import DECLINE_REASONS, LOSS_REASONS, PERSON_NAMES

CONTACTS = 5  # rows of further contacts in the form; more come later, one by one


class ContactRow(wtforms.Form):
    """A person, or nobody: an empty row counts for nothing."""

    name = forms.text(_l("Name"), required=False, autocomplete="off")
    email = forms.email(_l("E-mail address"), required=False, autocomplete="off")
    phone = forms.phone(_l("Telephone"), autocomplete="off")

    def validate(self, extra_validators: Any = None) -> bool:
        valid = super().validate(extra_validators)
        if not self.name.data and (self.email.data or self.phone.data):
            self.name.errors = [str(REQUIRED)]
            return False
        return valid


class DealForm(Form):
    """What accepting asks for (R52); edited in the same form, but for the contacts."""

    Entry = DealEntry

    deal_name = forms.text(_l("Deal name"), autocomplete="off")
    value = forms.amount(_l("Estimated value"))
    currency = forms.currency(_l("Currency"))
    purchase_on = forms.day(_l("Estimated purchase date"))
    wishes = forms.text(_l("What the customer wants"), length=5000, multiline=True)
    crm_id = forms.text(_l("CRM ID"), length=100, required=False, autocomplete="off")
    campaign_id = forms.text(_l("Campaign ID"), length=100, required=False, autocomplete="off")
    version = forms.version_field()

    @classmethod
    def of(cls, lead: Lead) -> "DealForm":
        return cls(obj=lead)


class AcceptanceForm(DealForm):
    contacts = wtforms.FieldList(wtforms.FormField(ContactRow, _l("Contact")), _l("Further contacts"), min_entries=CONTACTS, max_entries=CONTACTS)

    def entry(self) -> DealEntry:
        typed = {name: self._fields[name].data for name in ("deal_name", "value", "purchase_on", "wishes", "crm_id", "campaign_id")}
        rows = [row.form for row in self.contacts]
        return DealEntry(**typed, contacts=tuple(PersonEntry(row.name.data, row.phone.data, row.email.data) for row in rows if row.name.data))


class DecliningForm(Form):
    Entry = DeclineEntry

    reason = forms.select(_l("Reason"), [("", _l("Choose a reason")), *DECLINE_REASONS.items()])
    notes = forms.text(
        _l("Notes"), length=2000, multiline=True, hint=_l("For your own people: neither the customer nor a partner that referred the lead sees them.")
    )
    tell = forms.checkbox(_l("Ask the customer by e-mail to choose another partner"), default=True)

    def __init__(self, lead: Lead, **options: Any) -> None:
        super().__init__(**options)
        if lead.source is LeadSource.INQUIRY or not lead.email:  # who asked gets an answer
            del self.tell


class WinningForm(Form):
    Entry = WinEntry

    value = forms.amount(_l("Final value"), required=False, hint=_l("Leave it as it is when the estimate was right."))
    currency = forms.currency(_l("Currency"))


class LosingForm(Form):
    Entry = LossEntry

    reason = forms.select(_l("Reason"), [("", _l("Choose a reason")), *LOSS_REASONS.items()])
    notes = forms.text(_l("Notes"), length=2000, multiline=True)


class NoteForm(Form):
    text = forms.text(_l("Note"), length=5000, multiline=True)


class PersonForm(Form):
    Entry = PersonEntry

    kind = forms.select(_l("Who this is"), list(PERSON_NAMES.items()))
    name = forms.text(_l("Name"), autocomplete="off")
    email = forms.email(_l("E-mail address"), required=False, autocomplete="off")
    phone = forms.phone(_l("Telephone"), autocomplete="off")

    @property
    def chosen(self) -> PersonKind:
        return PersonKind(self.kind.data)
