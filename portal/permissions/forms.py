"""Forms of what a partner permits a customer to buy: limits, and the reason for declining a purchase."""

from types import SimpleNamespace
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core import forms
from portal.permissions.models import BuyingPermission, Notice
from portal.permissions.texts import NOTICE_NAMES


class LimitsForm(forms.Form):
    """Amounts in the customer's currency; an empty one is no limit (R76)."""

    monthly_limit = forms.amount(_l("Monthly limit"), required=False)
    approval_above = forms.amount(_l("Approval above"), required=False)
    notice = forms.select(_l("Who is told of each purchase"), lambda: [(notice.value, str(name)) for notice, name in NOTICE_NAMES.items()])
    version = forms.version_field()

    def __init__(self, currency: str, **values: Any) -> None:
        self.currency = SimpleNamespace(data=currency)  # the customer's, never typed
        super().__init__(**values)

    @classmethod
    def of(cls, permission: BuyingPermission | None, currency: str, version: int) -> "LimitsForm":
        if permission is None:
            return cls(currency, data={"notice": Notice.WHO_TURNED_IT_ON.value, "version": version})
        limits = {"monthly_limit": permission.monthly_limit, "approval_above": permission.approval_above}
        return cls(currency, data={**limits, "notice": permission.notice.value, "version": version})


class DecliningForm(forms.Form):
    reason = forms.text(_l("Reason"), length=1000, multiline=True, hint=_l("The buyer reads it."))
