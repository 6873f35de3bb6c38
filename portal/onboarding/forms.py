"""The account information of a customer that is being added, and the word that it accepted the agreement."""

from typing import Any

from flask import g
from flask_babel import lazy_gettext as _l

from portal.accounts.forms import CompanyForm
from portal.core import clock, forms, places
from portal.core.i18n import language, languages, zone
from portal.customers.forms import reseller_field
from portal.customers.texts import SEGMENT_NAMES
from portal.onboarding.service import AccountEntry


def market_countries() -> list[tuple[str, str]]:
    """A partner sells only inside its own market (R27)."""
    mine = places.market(g.actor.country)
    return [(code, name) for code, name in places.country_names(language()) if places.market(code) == mine]


class AccountForm(CompanyForm):
    Entry = AccountEntry  # type: ignore[assignment]  # the company is one part of it

    country = forms.select(_l("Country"), market_countries, autocomplete="off")
    domain = forms.domain(_l("Primary domain"), hint=_l("The customer's own domain, such as company.example. A web address or an e-mail address is fine too."))
    first_name = forms.text(_l("First name"), length=100, autocomplete="off")
    last_name = forms.text(_l("Last name"), length=100, autocomplete="off")
    email = forms.email(_l("E-mail address"), autocomplete="off", hint=_l("This person becomes the first customer admin."))
    phone = forms.phone(_l("Telephone"), autocomplete="off")
    language = forms.select(_l("Language"), languages, hint=_l("For messages to the customer."))
    order = forms.hidden()  # when this was sent, set by the script: saves may overtake each other on the way
    segment = forms.select(_l("Segment"), lambda: [(segment.value, str(name)) for segment, name in SEGMENT_NAMES.items()])
    reseller = reseller_field()  # for an indirect provider, which may add a customer on behalf of one (R41)

    def typed(self) -> dict[str, Any]:
        """Everything as typed, for the draft."""
        return {name: field.data for name, field in self._fields.items() if name not in ("version", "fields_of")}


class AttestedForm(forms.Form):
    """Ticked, it attests the agreement for the primary contact, so that what was chosen can be ordered at once (R17)."""

    attested = forms.checkbox(_l("The customer has accepted the customer agreement: attest that, and order now"))
    accepted_on = forms.day(_l("Accepted on"))

    @classmethod
    def proposed(cls) -> "AttestedForm":
        return cls(formdata=None, data={"accepted_on": clock.now().astimezone(zone(g.actor.time_zone)).date()})
