"""Locale of the request; translations, and the filters that show money, numbers, dates and places in the user's language."""

import functools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, dates, numbers
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_app_context, has_request_context, request, session
from flask_babel import Babel, Domain, force_locale
from flask_babel import get_locale as _flask_locale
from flask_babel import gettext as _
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from portal.core import clock, places
from portal.core.money import Money

SOURCE_LANGUAGE = "en"
_DIRECTORY = Path(__file__).parents[1] / "translations"


def init_app(app: Flask, languages: tuple[str, ...]) -> None:
    _compile_catalogs()
    app.config["LANGUAGES"] = languages
    _Babel(app, locale_selector=_selected_language, timezone_selector=_selected_zone, default_translation_directories=str(_DIRECTORY))
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(_gettext, _ngettext, newstyle=True, pgettext=_pgettext)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(gettext=_said, _=_said)
    app.jinja_env.filters.update(
        datetime=show_datetime, day=show_day, ago=ago, iso=iso, number=show_number, percent=show_percent, country=show_country, money=show_money
    )
    app.before_request(_choose_language)


def language() -> str:
    """The language of this page or mail: 'en' or 'fr'."""
    if not has_app_context():
        return SOURCE_LANGUAGE
    spoken: str | None = g.get("spoken")  # asked for with every word of a page
    if spoken is None:
        spoken = str(_flask_locale() or SOURCE_LANGUAGE)
        if "actor" in g:  # whose language it is
            g.spoken = spoken
    return spoken


def languages() -> list[tuple[str, str]]:
    """The languages the portal is offered in: code and own name."""
    return [(code, _own_name(code)) for code in current_app.config["LANGUAGES"]]


@contextmanager
def speaking(code: str | None) -> Iterator[None]:
    """Inside, texts come in this language: for mail, which is written in the recipient's."""
    outer, spoken = g.get("spoken"), code if code in current_app.config["LANGUAGES"] else SOURCE_LANGUAGE
    with force_locale(spoken):
        g.spoken = spoken
        try:
            yield
        finally:
            g.spoken = outer


@functools.cache
def _own_name(code: str) -> str:
    return str(Locale.parse(code).get_display_name(code)).capitalize()


def _choose_language() -> None:
    """A visitor's `?lang=` stays for the visit; only for pages before sign-in, a user's own choice stands on the account."""
    wanted = request.args.get("lang")
    if wanted in current_app.config["LANGUAGES"] and request.method == "GET":
        session["language"] = wanted


def _selected_language() -> str:
    actor = g.get("actor")
    if actor is not None and actor.language in current_app.config["LANGUAGES"]:
        return str(actor.language)
    if not has_request_context():
        return SOURCE_LANGUAGE
    chosen = session.get("language")
    if chosen in current_app.config["LANGUAGES"]:
        return str(chosen)
    return request.accept_languages.best_match(current_app.config["LANGUAGES"]) or SOURCE_LANGUAGE


def _selected_zone() -> str:
    actor = g.get("actor")
    return actor.time_zone if actor is not None else "UTC"


@functools.cache
def _catalog(code: str) -> NullTranslations:
    return Translations.load(str(_DIRECTORY), [code]) if code != SOURCE_LANGUAGE else NullTranslations()


# Flask-Babel looks everything up anew for each of a page's words; these do it in one step.
class _Domain(Domain):
    def get_translations(self) -> NullTranslations:
        return _catalog(language())


class _Babel(Babel):
    domain_instance = functools.cached_property(lambda self: _Domain())


def _gettext(message: str) -> str:
    return _catalog(language()).ugettext(message)


@pass_eval_context
def _said(context: EvalContext, message: str, /, **values: Any) -> str:
    """gettext for templates, with the values put in: as Jinja's own, which takes longer for the many words of a page."""
    text = _markup(language(), message) if context.autoescape else _gettext(message)
    return text % values if values or "%" in text else text


@functools.lru_cache(maxsize=8192)
def _markup(code: str, message: str) -> Markup:
    return Markup(_catalog(code).ugettext(message))  # noqa: S704  (what the source and the catalogues say is markup; the values are escaped)


def _ngettext(singular: str, plural: str, number: int) -> str:
    return _catalog(language()).ungettext(singular, plural, number)


def _pgettext(context: str, message: str) -> str:
    return _catalog(language()).upgettext(context, message)


@functools.lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def show_datetime(value: datetime | None, in_zone: str | None = None) -> str:
    """Date and time, to the minute, in the user's language, and in the user's zone unless another one is given."""
    if value is None:
        return ""
    return _datetime(value, in_zone or _selected_zone(), language())


@functools.lru_cache(maxsize=1024)
def _datetime(value: datetime, zone_name: str, spoken: str) -> str:
    there = value.astimezone(zone(zone_name))
    day, time = dates.format_date(there, "medium", locale=spoken), dates.format_time(there, "short", locale=spoken)
    return str(dates.get_datetime_format("medium", locale=spoken)).replace("'", "").format(time, day)


def show_day(value: date | datetime | None, in_zone: str | None = None) -> str:
    """The day in the user's language, of a moment in the user's zone unless another one is given."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.astimezone(zone(in_zone or _selected_zone())).date()
    return _day(value, language())


@functools.lru_cache(maxsize=1024)
def _day(value: date, spoken: str) -> str:
    return dates.format_date(value, "medium", locale=spoken)


def ago(value: datetime | date | None, today: date | None = None) -> str:
    """'3 days ago', 'in 2 hours', and of a day also 'today': that of UTC, unless another one is given."""
    if value is None:
        return ""
    if not isinstance(value, datetime):
        away = value - (today or clock.today())
        return dates.format_timedelta(away, add_direction=True, granularity="day", locale=language()) if away else _("today")
    return dates.format_timedelta(value - clock.now(), add_direction=True, threshold=1.1, locale=language())


def iso(value: datetime | date | None) -> str:
    if value is None:
        return ""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()


def show_country(code: str) -> str:
    return places.country_name(code, language())


def show_number(value: int) -> str:
    return _number(value, language())


@functools.lru_cache(maxsize=1024)
def _number(value: int, spoken: str) -> str:
    return numbers.format_decimal(value, locale=spoken)


def show_percent(value: Decimal) -> str:
    """12.5 as '12.5%'."""
    return numbers.format_percent(value / 100, locale=language(), decimal_quantization=False)


def show_money(value: Money | None) -> str:
    return _money(value, language()) if value is not None else ""


@functools.lru_cache(maxsize=4096)
def _money(value: Money, spoken: str) -> str:
    return numbers.format_currency(value.amount, value.currency, locale=spoken)


@functools.cache
def time_zones() -> list[str]:
    """Zones a person may choose: one for every place that keeps its own time."""
    import zoneinfo

    return sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/", "right/", "SystemV/"))) + ["UTC"]


def _compile_catalogs() -> None:
    """Make the binary catalogs from the text ones where they are missing or older; several processes may do so at once."""
    for text in _DIRECTORY.glob("*/LC_MESSAGES/messages.po"):
        binary = text.with_suffix(".mo")
        if binary.exists() and binary.stat().st_mtime >= text.stat().st_mtime:
            continue
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po

        with text.open("rb") as source:
            catalog = read_po(source)
        made = binary.with_name(f"{binary.name}.{secrets.token_hex(4)}")
        with made.open("wb") as target:
            write_mo(target, catalog)
        made.replace(binary)


def translated(value: Any) -> str:
    """A lazy string as it reads now, in the language of the moment."""
    return str(value)
