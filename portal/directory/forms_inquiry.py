"""The form of an inquiry."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _l
from wtforms.validators import StopValidation, ValidationError

from portal.core import forms
from portal.core.i18n import language
from portal.core.places import country_names
from portal.directory import inquiries
from portal.directory.inquiries import LONGEST_MESSAGE, MOST_LINKS, SHORTEST_MESSAGE, InquiryEntry
from portal.leads.texts import SIZE_NAMES

AGAIN = _l("Nothing was sent yet. Please press Send once more.")


def _sizes() -> list[tuple[str, str]]:
    return [("", str(_l("Choose"))), *((size.value, str(name)) for size, name in SIZE_NAMES.items())]


def _few_links(form: Any, field: Any) -> None:
    if inquiries.links_in(field.data) > MOST_LINKS:
        raise ValidationError(_l("Leave out some of the links: at most %(number)s.", number=MOST_LINKS))


def _needed_for_a_call(form: Any, field: Any) -> None:
    if form.wants_contact.data and not field.data:
        raise StopValidation(_l("Give your telephone number, so that you can be called."))


class InquiryForm(forms.Form):
    Entry = InquiryEntry

    message = forms.text(
        _l("What do you need?"), length=LONGEST_MESSAGE, shortest=SHORTEST_MESSAGE, multiline=True, validators=[_few_links],
        hint=_l("A few sentences: what for, how many people, until when."),
    )  # fmt: skip
    company = forms.text(_l("Company name"), length=200, shortest=2, autocomplete="organization")
    first_name = forms.text(_l("First name"), length=100, autocomplete="given-name")
    last_name = forms.text(_l("Last name"), length=100, autocomplete="family-name")
    email = forms.email(_l("E-mail address"), hint=_l("We send a link to it: your message goes out once you have opened it."))
    phone = forms.phone(_l("Telephone"), validators=[_needed_for_a_call])
    country = forms.select(_l("Country"), lambda: country_names(language()), autocomplete="country")
    city = forms.text(_l("City"), length=100, required=False, autocomplete="address-level2")
    size = forms.select(_l("People in your company"), _sizes, required=False)
    wants_contact = forms.checkbox(_l("Please contact me directly, by telephone"))
    topic = forms.text(_l("Leave this empty"), length=10_000, required=False, autocomplete="off")  # people do not see it; bots fill it in
    proof = forms.hidden()

    def is_of_a_bot(self) -> bool:
        return bool(self.topic.data)

    def prove(self, profile_id: UUID, *, at: datetime) -> bool:
        """Whether the form is one of ours, neither sent at once nor left for days; else it says to send it again."""
        age = inquiries.age(self.proof.data or "", profile_id, at=at)
        if age is not None and inquiries.SOONEST <= age <= inquiries.LATEST:
            return True
        if age is None or age > inquiries.LATEST:
            self.proof.data = inquiries.proof(profile_id, at=at)
        self.form_errors.append(str(AGAIN))
        return False
