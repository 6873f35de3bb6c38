"""Forms of the customer account's sections, and of the attestation."""

from typing import Any

from flask import g
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts.forms import AddressForm, CompanyForm, city, district, postal_code, region, street
from portal.agreements.service import AttestationEntry
from portal.core import clock, forms
from portal.core.i18n import languages, zone
from portal.customers import queries
from portal.customers.service import BillingEntry, ContactEntry, ProfileEntry, ResellerEntry
from portal.customers.texts import SEGMENT_NAMES

__all__ = ["AttestationForm", "BillingForm", "CompanyForm", "ContactForm", "FirstAdminForm", "ProfileForm", "ResellerForm", "reseller_field"]


class BillingForm(AddressForm):
    """How this partner bills the customer; without an address, invoices go to the registered one."""

    Entry = BillingEntry
    address_prefix = "billing_"
    address_required = False

    name = forms.text(_l("Billing company name"), length=200, shortest=2, hint=_l("The customer stands under this name in your list and on your invoices."))
    billing_contact = forms.text(_l("Billing contact"), length=200, required=False)
    billing_email = forms.email(_l("Billing e-mail"), required=False)
    billing_street = street()
    billing_district = district()
    billing_city = city()
    billing_region = region()
    billing_postal_code = postal_code()
    version = forms.version_field()


class ContactForm(forms.Form):
    Entry = ContactEntry

    first_name = forms.text(_l("First name"), length=100, required=False, autocomplete="off")
    last_name = forms.text(_l("Last name"), length=100, required=False, autocomplete="off")
    email = forms.email(_l("E-mail address"), required=False, autocomplete="off")
    phone = forms.phone(_l("Telephone"), autocomplete="off")
    language = forms.select(_l("Language"), languages, hint=_l("For messages to the customer."))
    version = forms.version_field()


class ProfileForm(forms.Form):
    segment = forms.select(_l("Segment"), lambda: [(segment.value, str(name)) for segment, name in SEGMENT_NAMES.items()])
    tags = forms.text(_l("Tags"), length=800, required=False, hint=_l("Your own words, with commas between them."))
    notes = forms.text(_l("Notes"), length=5000, required=False, multiline=True, hint=_l("Only people of your organization see them."))
    version = forms.version_field()

    def entry(self) -> ProfileEntry:
        typed = [" ".join(tag.split())[:40].strip() for tag in (self.tags.data or "").split(",")]
        tags = {tag.casefold(): tag for tag in reversed(typed) if tag}  # the same word in another case is the same tag
        return ProfileEntry(self.segment.data, tuple(sorted(tags.values())), self.notes.data or "")


def reseller_choices() -> list[tuple[str, str]]:
    """Whom the provider may name; nobody for other partners."""
    return [("", _("No reseller")), *((str(reseller.public_id), reseller.name) for reseller in queries.resellers(g.actor) if reseller.active)]


def reseller_field() -> Any:
    hint = _l("Who looks after this customer day to day. When both of you have a relationship with it, the reseller sees that you share it.")
    return forms.select(_l("Reseller"), reseller_choices, required=False, default="", hint=hint)


class ResellerForm(forms.Form):
    Entry = ResellerEntry

    reseller = reseller_field()
    version = forms.version_field()

    def keep(self, reseller: Any) -> None:
        """Whoever stands there may stay, also when the partnership is over (R42)."""
        if reseller is not None and str(reseller.public_id) not in dict(self.reseller.choices):
            self.reseller.choices.append((str(reseller.public_id), _("%(name)s (former)", name=reseller.name)))


class FirstAdminForm(forms.Form):
    name = forms.text(_l("Name"), length=120, autocomplete="off")
    email = forms.email(_l("E-mail address"), autocomplete="off")


class AttestationForm(forms.Form):
    """Who of the customer accepted, and when (R17)."""

    Entry = AttestationEntry

    first_name = forms.text(_l("First name"), length=100)
    last_name = forms.text(_l("Last name"), length=100)
    email = forms.email(_l("E-mail address"))
    phone = forms.phone(_l("Telephone"))
    accepted_on = forms.day(_l("Accepted on"), hint=_l("The day on which this person accepted the customer agreement."))

    @classmethod
    def for_customer(cls, customer: Any) -> "AttestationForm":
        return cls(
            data={
                "first_name": customer.first_name,
                "last_name": customer.last_name,
                "email": customer.email,
                "phone": customer.phone,
                "accepted_on": clock.now().astimezone(zone(g.actor.time_zone)).date(),
            }
        )
