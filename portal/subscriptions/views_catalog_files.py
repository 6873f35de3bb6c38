"""The catalog as CSV or XLSX: out, and in by a preview and one confirmed step."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, lists, sheets, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import NotFound, Refused
from portal.core.i18n import show_number
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature, later, scope_of
from portal.subscriptions import catalog_import, catalog_plan, catalog_table
from portal.subscriptions import catalog_queries as queries
from portal.subscriptions.catalog_plan import Plan, Result
from portal.subscriptions.forms_catalog import ImportForm
from portal.subscriptions.models import CatalogImport
from portal.subscriptions.texts_catalog import COLUMN_HINTS, RESULT_NAMES, RESULT_TONES
from portal.subscriptions.views_catalog import parsed

P = Permission
feature = Feature("catalog_files", __name__, url_prefix="/catalog")


@feature.get("/export", permission=P.CATALOG_EDIT, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    """Everything, or exactly the current search and filter; costs too."""
    query = parsed("/catalog/export")
    statement, values = queries.export(query)
    stream = lists.stream_xlsx if request.args.get("format") == "xlsx" else lists.stream_csv
    filters = {name: value for name, value in query.filters.items() if name != "currency"}
    later("catalog.exported", words=query.words, **filters, **queries.counted(statement, values))
    return stream("catalog", catalog_table.HEADER, statement, scope_of(g.actor), convert=catalog_table.exporting(), values=values)


@feature.get("/import", permission=P.CATALOG_EDIT)
def new() -> ResponseReturnValue:
    return page("catalog/import.html", form=ImportForm(), hints=COLUMN_HINTS, most=sheets.MOST_ROWS)


@feature.post("/import", permission=P.CATALOG_EDIT, limit=throttle.IMPORTS)
def create() -> ResponseReturnValue:
    form = ImportForm()
    if form.validate_on_submit():
        try:
            upload = catalog_import.save(form.file.data, by=g.actor, at=clock.now())
        except Refused as refusal:
            form.refuse(Refused(refusal.message, field="file"))
        else:
            return see_other(url_for(".show", import_id=upload.public_id))
    return invalid("catalog/import.html", form=form, hints=COLUMN_HINTS, most=sheets.MOST_ROWS)


@feature.get("/import/<uuid:import_id>", permission=P.CATALOG_EDIT)
def show(import_id: UUID) -> ResponseReturnValue:
    """What the import would do, a result for each line; or, once it is done, what it did."""
    upload = _mine(import_id)
    if upload.imported_at is not None:
        return page("catalog/imported.html", upload=upload, result_names=RESULT_NAMES, result_tones=RESULT_TONES)
    plan = catalog_plan.plan(upload.rows, at=clock.now())
    return page(
        "catalog/import_preview.html",
        swaps=("results",),
        upload=upload,
        plan=plan,
        result_names=RESULT_NAMES,
        result_tones=RESULT_TONES,
        **_shown(plan, url_for(".show", import_id=import_id)),
    )


@feature.post("/import/<uuid:import_id>", permission=P.CATALOG_EDIT)
def update(import_id: UUID) -> ResponseReturnValue:
    """Bring the file into the catalog; a second click finds it done."""
    upload = _mine(import_id, lock=True)
    result = catalog_import.apply(upload, by=g.actor, at=clock.now())
    flash(_("Imported: %(new)s lines new, %(changed)s changed.", new=result[Result.NEW], changed=result[Result.CHANGED]), "success")
    return see_other(url_for(".show", import_id=import_id))


def _mine(import_id: UUID, *, lock: bool = False) -> CatalogImport:
    upload = find(CatalogImport, import_id, lock=lock)
    if upload.author_id != g.actor.user_id:
        raise NotFound(import_id)
    return upload


def _shown(plan: Plan, url: str) -> dict[str, Any]:
    """The page of lines that was asked for: all, or those of one result."""
    counts = plan.counts
    wanted = request.args.get("result", "")
    chosen = next((result for result in Result if result == wanted), Result.WRONG if counts[Result.WRONG] and wanted != "all" else None)
    lines = [line for line in plan.lines if chosen in (None, line.result)]
    first = request.args.get("from", "0")
    start = int(first) // lists.PAGE_SIZE * lists.PAGE_SIZE if first.isascii() and first.isdecimal() and len(first) < 7 else 0
    here = f"{url}?result={chosen or 'all'}"
    found = lists.Page(
        lines[start : start + lists.PAGE_SIZE],
        first_url=here if start else None,
        previous_url=f"{here}&from={start - lists.PAGE_SIZE}" if start else None,
        next_url=f"{here}&from={start + lists.PAGE_SIZE}" if start + lists.PAGE_SIZE < len(lines) else None,
        total=len(lines),
    )
    tabs = [
        {"label": RESULT_NAMES[result], "url": f"{url}?result={result}", "current": result == chosen, "count": show_number(counts[result])}
        for result in Result
        if counts[result]
    ]
    return {"counts": counts, "chosen": chosen, "found": found, "url": url, "preview_tabs": tabs}
