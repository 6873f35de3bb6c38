"""Forms of the catalog: an offer, a price, a withdrawal, a file to import."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core import forms, sheets
from portal.core.access import Cloud
from portal.customers.texts import SEGMENT_NAMES
from portal.subscriptions.catalog import LENGTHS, LONGEST_TRIAL, MOST_PIECES, OfferEntry
from portal.subscriptions.catalog_table import codes_in
from portal.subscriptions.texts_catalog import BILLING_NAMES, CLOUD_NAMES, CYCLE_NAMES, TERM_NAMES


def _named(names: Mapping[Any, Any]) -> Any:
    return lambda: [(str(code), str(name)) for code, name in names.items()]


class OfferForm(forms.Form):
    """Every field of R80."""

    sku = forms.text(
        _l("SKU"), length=LENGTHS["sku"], autocomplete="off", hint=_l("Your own or the publisher's number of the offer; each only once in your catalog.")
    )
    name = forms.text(_l("Name"), length=LENGTHS["name"], autocomplete="off")
    publisher = forms.text(_l("Publisher"), length=LENGTHS["publisher"], autocomplete="off")
    category = forms.text(_l("Category"), length=LENGTHS["category"], autocomplete="off")
    description = forms.text(_l("Description"), length=LENGTHS["description"], required=False, multiline=True)
    billing = forms.select(_l("Billing"), _named(BILLING_NAMES))
    cycle = forms.select(_l("Billing cycle"), _named(CYCLE_NAMES))
    term_months = forms.select(_l("Term"), _named(TERM_NAMES))
    minimum = forms.whole_number(_l("Minimum quantity"), least=1, most=MOST_PIECES, default=1)
    maximum = forms.whole_number(_l("Maximum quantity"), least=1, most=MOST_PIECES, default=10_000)
    one_per_customer = forms.checkbox(
        _l("Each customer can have it only once"), hint=_l("Not for reservations: customers buy those as often as they need one; renewing is buying again.")
    )
    trial_days = forms.whole_number(
        _l("Trial days"), least=0, most=LONGEST_TRIAL, default=0, hint=_l("Days without charge before it is paid for; 0 for no trial.")
    )
    segment = forms.select(_l("Segment"), lambda: [("", _l("All")), *_named(SEGMENT_NAMES)()], required=False)
    add_on_of = forms.text(
        _l("Add-on of"), length=LENGTHS["sku"], required=False, autocomplete="off", hint=_l("The SKU of the offer that a customer must have first.")
    )
    instance_type = forms.text(_l("Instance type"), length=LENGTHS["instance_type"], required=False, autocomplete="off")
    region = forms.text(_l("Region"), length=LENGTHS["region"], required=False, autocomplete="off")
    clouds = forms.checkboxes(_l("Clouds"), _named(CLOUD_NAMES), hint=_l("Without a tick: your own."))
    markets = forms.text(
        _l("Markets"), length=400, required=False, autocomplete="off", hint=_l("Codes such as EU, US or JP, with commas between them. Empty: your own.")
    )
    version = forms.version_field()

    @classmethod
    def of(cls, entry: OfferEntry, **values: Any) -> "OfferForm":
        return cls(data={**vars(entry), "term_months": str(entry.term_months), "markets": ", ".join(entry.markets), **values})

    def entry(self) -> OfferEntry:
        read = {name: self[name].data for name in OfferEntry.__dataclass_fields__ if name not in ("term_months", "markets", "clouds")}
        markets = sorted(set(codes_in(self.markets.data or "")))
        return OfferEntry(**read, term_months=int(self.term_months.data), clouds=sorted(Cloud(code).value for code in self.clouds.data or ()), markets=markets)


class PriceForm(forms.Form):
    currency = forms.currency(_l("Currency"))
    price = forms.amount(_l("Price of one piece"))
    cost = forms.amount(_l("Cost of one piece"), required=False, hint=_l("What you pay for it yourself: only people who edit the catalog see it."))
    from_on = forms.day(_l("Holds from"), hint=_l("From this day on, for new orders and for renewals."))


class WithdrawalForm(forms.Form):
    reason = forms.text(_l("Reason"), length=LENGTHS["withdrawn_reason"], autocomplete="off", hint=_l("Your colleagues see it in the catalog."))


class ImportForm(forms.Form):
    file = forms.any_file(
        _l("File"),
        most=sheets.MOST_BYTES,
        accept=".csv,.xlsx,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        required=True,
        hint=_l("CSV or XLSX, with the names of the columns in the first line."),
    )
