"""Leads from a CSV file: a result for each line first, then one confirmed step."""

from typing import Any

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core import clock, lists, throttle
from portal.core.access import Permission
from portal.core.errors import Refused
from portal.core.i18n import language, languages, show_number
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.leads import imports
from portal.leads.forms_more import ImportForm
from portal.leads.models import LeadSource

P = Permission
feature = Feature("lead_import", __name__, url_prefix="/leads/import")
SHOWN = 200  # lines of each kind that the preview lists; the rest is counted


@feature.get("", permission=P.LEAD_WORK)
def new() -> ResponseReturnValue:
    return page("leads/import.html", form=ImportForm(), most_lines=imports.MOST_LINES, most_bytes=imports.MOST_BYTES)


@feature.get("/template", permission=P.LEAD_WORK)
def template() -> ResponseReturnValue:
    return lists.small_csv("leads-template", imports.HEADER, [imports.EXAMPLE])


@feature.post("", permission=P.LEAD_WORK, limit=throttle.IMPORTS)
def create() -> ResponseReturnValue:
    """A file is looked through and nothing else; its text, sent again by the page that shows the result, is brought in."""
    form = ImportForm()
    valid = form.validate_on_submit()
    confirmed = not form.file.data and bool(form.text.data)
    if valid and not (confirmed or form.file.data):
        form.file.errors = [_("Choose a file.")]
        valid = False
    if not valid:
        return _invalid(form)
    text = form.text.data if confirmed else form.file.data
    try:
        known_languages = [code for code, _name in languages()]
        lines = imports.read(text, source=LeadSource(form.source.data), by=g.actor, languages=known_languages, spoken=language())
    except Refused as refusal:
        form.refuse(refusal)
        return _invalid(form)
    if not confirmed:
        kinds: dict[str, Any] = {kind: [line for line in lines if getattr(line, kind)] for kind in ("good", "known", "wrong")}
        return page("leads/import_preview.html", form=form, text=text, most=SHOWN, **kinds)
    brought_in, known_already, faulty = imports.bring_in(lines, by=g.actor, at=clock.now())
    _tell(brought_in, known_already, faulty)
    return see_other(url_for("leads.index", tab="qualified"))


def _tell(brought_in: int, known: int, wrong: int) -> None:
    flash(
        ngettext("One lead was brought in.", "%(number)s leads were brought in.", brought_in, number=show_number(brought_in)),
        "success" if brought_in else "info",
    )
    if known:
        flash(ngettext("One line was here already.", "%(number)s lines were here already.", known, number=show_number(known)), "info")
    if wrong:
        flash(ngettext("One line was left out.", "%(number)s lines were left out.", wrong, number=show_number(wrong)), "warning")


def _invalid(form: ImportForm) -> ResponseReturnValue:
    return invalid("leads/import.html", form=form, most_lines=imports.MOST_LINES, most_bytes=imports.MOST_BYTES)
