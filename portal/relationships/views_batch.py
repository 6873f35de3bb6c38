"""Several relationship requests at once: addresses pasted or uploaded, one request each, a result per line."""

from typing import Any

from flask import g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import read_and_write
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page
from portal.core.routing import Feature
from portal.relationships import service
from portal.relationships.forms import BatchForm

P = Permission
feature = Feature("batch", __name__, url_prefix="/relationship-requests/several")


@feature.get("", permission=P.REQUEST_SEND)
def new() -> ResponseReturnValue:
    return _page(BatchForm(data={"language": language()}))


@feature.post("", permission=P.REQUEST_SEND)
def create() -> ResponseReturnValue:
    form = BatchForm()
    if not form.validate_on_submit():
        return _invalid(form)
    try:
        addresses = _addresses(form)
        read_and_write()  # nothing is changed yet, and counting needs SQLite's one writer
        throttle.hit(throttle.INVITATIONS, f"{g.actor.organization_id}/{g.actor.user_id}", times=len(addresses))
        results = service.send_many(addresses, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return _invalid(form)
    return page("relationships/results.html", results=results, sent=sum(result.done for result in results))


def _addresses(form: BatchForm) -> list[str]:
    try:
        addresses = form.found()
    except ValueError:
        addresses = [""] * (service.MOST_AT_ONCE + 1)
    if not addresses:
        raise Refused(_("Paste at least one e-mail address, or choose a file."), field="addresses")
    service.check_number(addresses)
    return addresses


def _page(form: BatchForm, **options: Any) -> ResponseReturnValue:
    return page("relationships/several.html", form=form, most=service.MOST_AT_ONCE, **options)


def _invalid(form: BatchForm) -> ResponseReturnValue:
    return invalid("relationships/several.html", form=form, most=service.MOST_AT_ONCE)
