"""The form of a reservation that a customer buys."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _l

from portal.core import forms
from portal.core.db import uuid7
from portal.permissions.shop import Choice, Counter
from portal.subscriptions.models import Offer, ReservationScope
from portal.subscriptions.texts import SCOPE_NAMES


class ShopForm(forms.Form):
    """`key` comes with the page, so that a form buys once."""

    Entry = Choice

    subscription = forms.select(_l("For the subscription"), list)
    scope = forms.select(
        _l("Scope"),
        lambda: [(scope.value, SCOPE_NAMES[scope]) for scope in (ReservationScope.SHARED, ReservationScope.SINGLE)],
        hint=_l("A shared one lowers the price of whatever fits it, in all subscriptions of your company with this partner."),
    )
    quantity = forms.whole_number(_l("Quantity"))
    key = forms.hidden()

    @classmethod
    def of(cls, here: Counter, offer: Offer, typed: Mapping[str, str] | None) -> "ShopForm":
        """With what was typed, or with what most people want."""
        form = cls(formdata=typed, data={"quantity": offer.minimum, "scope": ReservationScope.SHARED.value})
        form.subscription.choices = [(str(row.subscription_id), row.subscription) for row in here.subscriptions]
        form.key.data = str(form.once)
        return form

    @property
    def once(self) -> UUID:
        """The key, or a new one for what is none."""
        try:
            return UUID(self.key.data or "")
        except ValueError:
            return uuid7()

    def entry(self) -> Any:
        return Choice(self.once, UUID(self.subscription.data), self.quantity.data, ReservationScope(self.scope.data))
