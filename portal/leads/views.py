"""Leads: the list with its tabs, the board, export, and a lead's own page with notes, people and favorites."""

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, lists, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused
from portal.core.i18n import iso, language
from portal.core.lists import ListQuery
from portal.core.money import Money
from portal.core.pages import invalid, on_this_host, page, saved, see_other, swap_target
from portal.core.places import country_names
from portal.core.routing import Feature, later, scope_of
from portal.leads import conversion, queries, referrals, service, texts
from portal.leads.forms import NoteForm, PersonForm
from portal.leads.models import Lead, LeadPerson
from portal.leads.queries import LeadQuery, Tab
from portal.leads.states import LEAD

P = Permission
feature = Feature("leads", __name__, url_prefix="/leads")
for name, words in {
    "lead_state": texts.STATE_NAMES,
    "lead_tone": texts.STATE_TONES,
    "lead_source": texts.SOURCE_NAMES,
    "lead_size": texts.SIZE_NAMES,
    "decline_reason": texts.DECLINE_REASONS,
    "loss_reason": texts.LOSS_REASONS,
    "lead_person": texts.PERSON_NAMES,
}.items():
    feature.add_app_template_filter(lambda word, words=words: words.get(word, ""), name)


@feature.get("", permission=P.LEAD_WORK)
def index() -> ResponseReturnValue:
    query = _query("/leads")
    if query.words:
        throttle.hit(throttle.SEARCH, g.actor.user_id)
    return page("leads/index.html", swaps=("results",), **_around(query, functools.partial(queries.open_counts, g.actor)), found=queries.page(query))


@feature.get("/board", permission=P.LEAD_WORK)
def board() -> ResponseReturnValue:
    query = _query("/leads/board", "tab")
    counts, cards = queries.board(query)
    return page("leads/board.html", **_around(query, lambda: counts), cards=cards)


@feature.get("/export", permission=P.LEAD_WORK, limit=throttle.EXPORTS)
def export() -> ResponseReturnValue:
    """All leads of the tab, or exactly the current search and filter."""
    query = _query("/leads/export")
    later("lead.exported", words=query.words, **query.filters)
    statement, values = queries.export(query)
    return lists.stream_csv("leads", texts.EXPORT_HEADER, statement, scope_of(g.actor), convert=_exported, values=values)


@feature.get("/<uuid:lead_id>", permission=P.LEAD_WORK)
def show(lead_id: UUID) -> ResponseReturnValue:
    return page("leads/show.html", swaps=("history",), **_shown(lead_id))


@feature.post("/<uuid:lead_id>/notes", permission=P.LEAD_WORK)
def create_note(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    form = NoteForm()
    if not form.validate_on_submit():
        return invalid("leads/show.html", swaps=("history",), **_shown(lead_id, note=form))
    service.add_note(lead, form.text.data, by=g.actor, at=clock.now())
    flash(_("The note is kept."), "success")
    return saved(url_for(".show", lead_id=lead_id, _anchor="history"), "leads/show.html", swaps=("history",), **_shown(lead_id, note=NoteForm(formdata=None)))


@feature.post("/<uuid:lead_id>/people", permission=P.LEAD_WORK)
def create_person(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    form = PersonForm()
    if not form.validate_on_submit():
        return invalid("leads/show.html", swaps=("people",), **_shown(lead_id, person=form))
    try:
        made = service.add_person(lead, form.chosen, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("leads/show.html", swaps=("people",), **_shown(lead_id, person=form))
    flash(_("%(name)s is on this lead now.", name=made.name), "success")
    return saved(_people(lead_id), "leads/show.html", swaps=("people",), **_shown(lead_id, person=PersonForm(formdata=None)))


@feature.post("/<uuid:lead_id>/people/<uuid:person_id>/removal", permission=P.LEAD_WORK)
def remove_person(lead_id: UUID, person_id: UUID) -> ResponseReturnValue:
    lead, person = find(Lead, lead_id, lock=True), find(LeadPerson, person_id)
    service.remove_person(lead, person, by=g.actor, at=clock.now())
    flash(_("%(name)s is no longer on this lead.", name=person.name), "success")
    return saved(_people(lead_id), "leads/show.html", swaps=("people",), **_shown(lead_id))


@feature.post("/<uuid:lead_id>/favorite", permission=P.LEAD_WORK)
def create_favorite(lead_id: UUID) -> ResponseReturnValue:
    return _favorite(lead_id, True)


@feature.post("/<uuid:lead_id>/favorite/removal", permission=P.LEAD_WORK)
def remove_favorite(lead_id: UUID) -> ResponseReturnValue:
    return _favorite(lead_id, False)


def _favorite(lead_id: UUID, wanted: bool) -> ResponseReturnValue:
    """The heart anew in its place, or back to the list or the page that it was on."""
    lead = find(Lead, lead_id, lock=True)
    service.set_favorite(lead, wanted, by=g.actor)
    if swap_target() == f"heart-{lead_id}":
        return page("leads/_heart.html", row={"public_id": lead_id, "company": lead.company, "favorite": wanted})
    return see_other(on_this_host(request.form.get("next"), url_for(".show", lead_id=lead_id)))


def _people(lead_id: UUID) -> str:
    return url_for(".show", lead_id=lead_id, _anchor="people")


def _query(path: str, *filters: str) -> LeadQuery:
    """What the address asks for; of the filters only these, when some are named."""
    arguments = {name: value for name, value in request.args.items() if not filters or name in filters}
    return queries.parse(path, arguments, by=g.actor, at=clock.now())


def _around(query: LeadQuery, counts: Callable[[], dict[str, int]]) -> dict[str, Any]:
    """What list and board have in common; only a whole page asks for the counts."""
    wording = texts.Wording(query.at, g.actor.time_zone)
    return {
        "query": query,
        "counts": counts,
        "tab": query.tab,
        "tabs": Tab,
        "state_names": texts.STATE_NAMES,
        "state_tones": texts.STATE_TONES,
        "source_names": texts.SOURCE_NAMES,
        "number": lists.capped,
        "countries": dict(country_names(language())),
        "deadline": wording.deadline,
        "flame": wording.flame,
        "money": lambda row: Money(row.value_minor, row.currency) if row.value_minor is not None else None,
    }


def _shown(lead_id: UUID, note: NoteForm | None = None, person: PersonForm | None = None) -> dict[str, Any]:
    at = clock.now()
    wording = texts.Wording(at, g.actor.time_zone)
    lead, favorite, referrer = queries.lead_of(lead_id, by=g.actor)
    path = url_for(".show", lead_id=lead_id)
    query = ListQuery.parse(path, request.args, sorts=["newest"], filters={})
    return {
        "lead": lead,
        "referrer": referrer,
        "heart": {"public_id": lead.public_id, "company": lead.company, "favorite": favorite},
        "deadline": wording.deadline(lead),
        "flame": wording.flame(lead),
        "answerable": service.answerable(lead, at=at),
        "may": lambda action: LEAD.may(lead.state, action),
        "people": queries.people_of(lead),
        "history": queries.history_of(lead, query),
        "event": texts.event,
        "told": texts.told,
        "note": note or NoteForm(formdata=None),
        "person": person or PersonForm(formdata=None),
        **conversion.shown(lead, g.actor),
        **referrals.shown(lead, g.actor),
    }


def _exported(row: Any) -> tuple[Any, ...]:
    """A line of the CSV; its codes stay the same in every language, since other programs read them."""
    key, *who, source, state, received_at, due_at, deal, minor, currency, day, crm_id, campaign_id = row
    value = Money(minor, currency).amount if minor is not None else None
    return (str(key), *who, source.value, state.value, iso(received_at), iso(due_at), deal, _plain(value), currency, day, crm_id, campaign_id)


def _plain(value: Decimal | None) -> str:
    return f"{value:f}" if value is not None else ""
