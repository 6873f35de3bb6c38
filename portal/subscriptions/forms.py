"""Forms of a subscription: its quantity, its nickname, an owner; what was reviewed before a step."""

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core import forms


class QuantityForm(forms.Form):
    """`confirmed` is the quantity whose price was shown last: only that one is ordered."""

    quantity = forms.whole_number(_l("Quantity"))
    confirmed = forms.hidden()
    version = forms.version_field()

    @property
    def is_confirmed(self) -> bool:
        return str(self.quantity.data) == self.confirmed.data


class ReviewedForm(forms.Form):
    """`reviewed` is what the page showed last: only that is done."""

    reviewed = forms.hidden()

    def show(self, seal: str) -> None:
        """What is on the page now, and comes back with the next try."""
        self.reviewed.data, self.reviewed.raw_data = seal, None


class NicknameForm(forms.Form):
    nickname = forms.text(
        _l("Nickname"), length=100, required=False, hint=_l("What you and the customer call it, when the product's name alone does not tell it apart.")
    )
    version = forms.version_field()


class ResellerForm(forms.Form):
    reseller = forms.select(_l("Reseller"), list, required=False, default="")


class ContactForm(forms.Form):
    contact = forms.select(_l("Support contact"), list, required=False, default="")


class DecliningForm(forms.Form):
    reason = forms.text(_l("Reason"), length=1000, multiline=True, hint=_l("The reseller reads it."))


class OwnerForm(forms.Form):
    user = forms.select(_l("Owner"), list)

    @classmethod
    def of(cls, people: list[Any]) -> "OwnerForm":
        """With those who could be named and are not yet."""
        form = cls()
        form.user.choices = [("", str(_l("Choose a person")))] + [(str(person.public_id), person.name) for person in people if not person.owner]
        return form
