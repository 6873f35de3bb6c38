"""The activity that concerns a customer, for its admins."""

from flask import url_for
from flask.typing import ResponseReturnValue

from portal.activity import views
from portal.core import throttle
from portal.core.access import Permission
from portal.core.routing import Feature

feature = Feature("my_activity", __name__, url_prefix="/my/activity")


@feature.get("", permission=Permission.MY_ACTIVITY)
def index() -> ResponseReturnValue:
    return views.feed(url_for(".index"), export=url_for(".export"))


@feature.get("/export", permission=Permission.MY_ACTIVITY, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    return views.download(url_for(".export"))
