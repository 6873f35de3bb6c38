"""Settings of one's own organization: its legal details."""

from typing import Any

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import queries, service
from portal.accounts.forms import CompanyForm
from portal.core import clock
from portal.core.access import PartnerType, Permission
from portal.core.errors import Refused, Stale
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature

feature = Feature("settings", __name__, url_prefix="/settings")

TYPES = {
    PartnerType.DIRECT_BILL: _l("Direct-bill partner"),
    PartnerType.INDIRECT_PROVIDER: _l("Indirect provider"),
    PartnerType.INDIRECT_RESELLER: _l("Indirect reseller"),
}


@feature.get("", permission=Permission.SETTINGS_EDIT)
def edit() -> ResponseReturnValue:
    organization = queries.organization(g.actor.organization_id)
    return page("accounts/settings.html", form=CompanyForm(obj=organization), organization=organization, types=TYPES)


@feature.post("", permission=Permission.SETTINGS_EDIT)
def update() -> ResponseReturnValue:
    organization = queries.organization(g.actor.organization_id)
    form = CompanyForm()
    context: dict[str, Any] = {"form": form, "organization": organization, "types": TYPES}
    if form.updating:
        return page("accounts/settings.html", swaps=("form",), **context)
    if not form.validate_on_submit():
        return invalid("accounts/settings.html", **context)
    try:
        service.change_organization(organization, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, organization.version)
        return page("accounts/settings.html", swaps=("form",), status=409, **context)
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/settings.html", **context)
    flash(_("The details of your organization are saved."), "success")
    return see_other(url_for(".edit"))
