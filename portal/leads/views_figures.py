"""A partner's own figures of its leads, as charts and as CSV (R57)."""

from datetime import datetime, timedelta
from typing import Any

from flask import g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, lists, throttle
from portal.core.access import Permission
from portal.core.i18n import show_money, show_number, zone
from portal.core.pages import page
from portal.core.routing import Feature, later
from portal.leads import figures
from portal.leads.figures import Figures, Response, percent
from portal.leads.texts import FUNNEL, duration, month_name

P = Permission
feature = Feature("lead_figures", __name__, url_prefix="/leads/figures")


@feature.get("", permission=P.LEAD_WORK)
def index() -> ResponseReturnValue:
    shown = _figures()
    return page("leads/figures.html", figures=shown, charts=_charts(shown), duration=duration, iso_duration=_iso)


@feature.get("/export", permission=P.LEAD_WORK, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    later("lead.exported", words=_("Figures"))
    return lists.small_csv("lead-figures", ("Figure", "Month", "Currency", "Value"), figures.table(_figures()))


def _figures() -> Figures:
    return figures.figures(at=clock.now(), zone=zone(g.actor.time_zone))


def _charts(shown: Figures) -> list[dict[str, Any]]:
    """What `ui.bar_chart` draws, in order."""
    whole = shown.funnel["received"]
    stages = [_bar(number, show_number(number), label=FUNNEL[stage], note=_shared(number, whole)) for stage, number in shown.funnel.items()]
    months = [part for part in shown.by_month if part.month]
    speed = [_bar(_seconds(part), duration(part.median), month=part.month, duration=_iso(part.median)) for part in months]
    answered = [_bar(part.percent, _shared(part.in_time, part.leads) or "–", month=part.month, note=_counted(part.in_time, part.leads)) for part in months]
    charts = [
        _chart(_("From lead to customer"), (_("Stage"), _("Leads")), stages),
        _chart(_("Median response time by month"), (_("Month"), _("Median response time")), speed),
        _chart(_("Answered within 14 days by month"), (_("Month"), _("Answered within 14 days")), answered, longest=100),
    ]
    for currency, won in shown.won.items():
        value = [_bar(part.value.minor, show_money(part.value) if part.leads else "–", month=part.month) for part in won]
        charts.append(_chart(_("Value won by month, in %(currency)s", currency=currency), (_("Month"), _("Value")), value))
    return charts


def _bar(drawn: float, text: str, *, label: Any = None, month: datetime | None = None, duration: str = "", note: str = "") -> dict[str, Any]:
    """One row; `drawn` is the value that the bar's length shows."""
    if month is not None:
        return {"label": month_name(month), "month": f"{month:%Y-%m}", "drawn": drawn, "text": text, "duration": duration, "note": note}
    return {"label": label, "drawn": drawn, "text": text, "note": note}


def _chart(title: str, columns: tuple[str, str], rows: list[dict[str, Any]], longest: float = 0) -> dict[str, Any]:
    """The longest bar fills the line unless `longest` says what does."""
    longest = longest or max((row["drawn"] for row in rows), default=0)
    return {"title": title, "columns": columns, "rows": [{**row, "share": round(100 * row["drawn"] / longest, 1) if longest else 0} for row in rows]}


def _seconds(part: Response) -> float:
    return part.median.total_seconds() if part.median else 0


def _iso(value: timedelta | None) -> str:
    return f"PT{int(value.total_seconds() // 60)}M" if value is not None else ""


def _counted(part: int, whole: int) -> str:
    return _("%(part)s of %(whole)s", part=show_number(part), whole=show_number(whole)) if whole else ""


def _shared(part: int, whole: int) -> str:
    return _("%(percent)s%%", percent=percent(part, whole)) if whole else ""
