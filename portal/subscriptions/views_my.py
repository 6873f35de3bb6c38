"""A customer's own subscriptions, over all its partners; read only."""

from uuid import UUID

from flask import request
from flask.typing import ResponseReturnValue

from portal.core.access import Permission
from portal.core.lists import ListQuery
from portal.core.pages import page
from portal.core.routing import Feature
from portal.subscriptions import queries, texts, texts_catalog

P = Permission
feature = Feature("my_subscriptions", __name__, url_prefix="/my/subscriptions")


@feature.get("", permission=P.MY_SUBSCRIPTIONS)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/my/subscriptions", request.args, sorts=["newest"], filters={"state": queries.STATES})
    return page(
        "my/subscriptions.html",
        swaps=("results",),
        query=query,
        found=queries.of_my_partners(query),
        names=texts.SUBSCRIPTION_NAMES,
        tones=texts.SUBSCRIPTION_TONES,
        wording=texts.Wording(),
    )


@feature.get("/<uuid:subscription_id>", permission=P.MY_SUBSCRIPTIONS)
def show(subscription_id: UUID) -> ResponseReturnValue:
    row = queries.of_mine(subscription_id)
    subscription = row.Subscription
    return page(
        "my/subscription.html",
        row=row,
        subscription=subscription,
        add_ons=queries.add_ons(subscription) if subscription.base_id is None else [],
        coming=texts.coming(subscription, ends_with_base=row.ends_with_base),
        price=texts.price(subscription),
        names=texts.SUBSCRIPTION_NAMES,
        tones=texts.SUBSCRIPTION_TONES,
        wording=texts.Wording(),
        billing_names=texts_catalog.BILLING_NAMES,
        term_names=texts_catalog.TERM_NAMES,
    )
