"""Forms of a reservation: each step with what was reviewed before it, and what a customer asks."""

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core import forms
from portal.subscriptions.forms import ReviewedForm
from portal.subscriptions.texts_reservations import KIND_NAMES


class StepForm(ReviewedForm):
    version = forms.version_field()


class ExchangeForm(StepForm):
    offer = forms.select(_l("Exchange for"), list)
    quantity = forms.whole_number(_l("Quantity"))
    scope = forms.select(_l("Scope"), list, required=False)

    def offered(self, offers: list[tuple[str, str]], scopes: list[tuple[str, str]]) -> None:
        self.offer.choices, self.scope.choices = [("", str(_l("Choose an offer"))), *offers], scopes


class ScopeForm(StepForm):
    scope = forms.select(_l("Scope"), list, required=False)


class AskForm(forms.Form):
    kind = forms.select(_l("What your partner is to do"), lambda: [("", str(_l("Choose")))] + [(kind.value, str(name)) for kind, name in KIND_NAMES.items()])
    message = forms.text(_l("Message"), length=2000, multiline=True, hint=_l("What exactly you need, and by when."))


class AnswerForm(forms.Form):
    """`asked` names the request that the page showed."""

    reason = forms.text(_l("Reason"), length=1000, multiline=True, hint=_l("The customer reads it."))
    asked = forms.hidden()


def seen(form: Any, request: Any) -> bool:
    """Whether this is the request that the form's page showed."""
    return request is not None and form.asked.data == str(request.public_id)
