"""Reads of the public directory: its search (R57, R61, ADR 0007), profiles and locations, addresses for search engines."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY

from portal.accounts.models import Organization
from portal.core import clock, places
from portal.core.db import PLANNED_ANEW, Key, db
from portal.core.errors import NotFound
from portal.core.words import normalise, search_words
from portal.directory import entries
from portal.directory.models import DirectoryEntry, DirectoryPlace

PAGE_SIZE = 20
WINDOW = 2000  # entries in the order of results among which PostgreSQL looks first
SEVERAL = 4  # conditions: so many leave little, and all are looked at at once
WINDOW_LASTS = 600  # seconds, roughly: an old one is as right as a new one
IN_SITEMAP = 8000  # entries: with five locations each, less than the 50,000 addresses that a list may have
CANDIDATES = 300  # profiles looked through for partners of a name
IN_HEADLINE, ELSEWHERE = 1, 0  # relevance: where all words of a search are found
E, P = DirectoryEntry, DirectoryPlace
COLUMNS = (E.id, E.public_id, E.rank, E.name, E.country, E.logo_public_id, E.card)


@dataclass(frozen=True)
class Around:
    """A place, and how far from it, in degrees and kilometres."""

    latitude: float
    longitude: float
    radius: float


@dataclass(frozen=True)
class Position:
    """Where a page of results ends: the next begins behind it."""

    relevance: int
    rank: int
    entry_id: int

    @property
    def place(self) -> int:
        """As the rows of the full-text index on SQLite are numbered: see the migration."""
        return self.rank << 40 | self.entry_id


@dataclass(frozen=True)
class Search:
    """What is looked for: profiles with all of `words` (as typed) and of `tags` (pairs of kind and code), of one of `countries`, for customers of `size`."""

    words: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    size: str = ""
    countries: tuple[str, ...] = ()
    around: Around | None = None

    @property
    def facts(self) -> list[list[str]]:
        """Groups of terms: a profile has one of each."""
        found = [[entries.term("t", f"{kind}/{code}")] for kind, code in self.tags]
        found += [[entries.term("s", self.size)]] if self.size else []
        found += [[entries.term("c", country) for country in self.countries]] if self.countries else []
        return found

    @property
    def indexed(self) -> list[list[str]]:
        """The same with the grid cells around the place. They are only near enough: _within() says it exactly."""
        return self.facts + ([entries.cells(self.around.latitude, self.around.longitude, self.around.radius)] if self.around else [])


@dataclass(frozen=True)
class Hit:
    """A profile found. `near` is its nearest location and the distance in km, where a place was asked for."""

    public_id: UUID
    name: str
    country: str
    rank: int
    logo_public_id: UUID | None
    card: dict[str, Any]
    near: tuple[str, float] | None


@dataclass(frozen=True)
class Found:
    """A page of hits, and where the next page begins."""

    hits: list[Hit]
    next: Position | None


def search(wanted: Search, after: Position | None = None) -> Found:
    """Those with all words in name and tags before the others; then by responsiveness (R57); the later entry first when all that is equal."""
    typed = search_words(wanted.words)
    if wanted.words.strip() and not typed:
        return Found([], None)
    rows: list[tuple[int, Any]] = []
    for relevance in (IN_HEADLINE, ELSEWHERE) if typed else (ELSEWHERE,):
        if after is None or relevance <= after.relevance:
            begin = after if after is not None and relevance == after.relevance else None
            rows += [(relevance, row) for row in _rows(wanted, typed, relevance, begin, PAGE_SIZE + 1 - len(rows))]
        if len(rows) > PAGE_SIZE:
            break
    shown = rows[:PAGE_SIZE]
    nearest = _nearest(wanted.around, [row.id for _relevance, row in shown]) if wanted.around else {}
    hits = [Hit(row.public_id, row.name, row.country, row.rank, row.logo_public_id, row.card, nearest.get(row.id)) for _relevance, row in shown]
    if len(rows) <= PAGE_SIZE:
        return Found(hits, None)
    relevance, last = shown[-1]
    return Found(hits, Position(relevance, last.rank, last.id))


def _rows(wanted: Search, typed: Sequence[str], relevance: int, begin: Position | None, most: int) -> Sequence[Any]:
    groups = wanted.indexed
    values: dict[str, Any] = {"most": most, **_circle(wanted.around)}
    place = (wanted.around is not None, begin is not None)
    if begin is not None:
        values |= {"begin": begin.place, "begin_rank": begin.rank, "begin_id": begin.entry_id}
    if not (typed or groups):
        return db.session.execute(_plain(begin is not None), values).all()
    if db.engine.dialect.name == "sqlite":
        return db.session.execute(_in_order(*place), {**values, "match": _match(groups, typed, relevance)}).all()
    parts = _parts(groups, typed, relevance)
    values |= {f"part_{number}": part for number, part in enumerate(parts)}
    end = _end_of_window(db.engine.url.render_as_string(), int(clock.now().timestamp()) // WINDOW_LASTS)
    if end is not None and len(groups) + len(typed) < SEVERAL and (begin is None or (begin.rank, begin.entry_id) > end):
        rows = db.session.execute(_indexed(len(parts), *place, windowed=True), {**values, "end_rank": end[0], "end_id": end[1]}).all()
        if len(rows) == most:
            return rows
    return db.session.execute(_indexed(len(parts), *place, windowed=False), values).all()


@functools.lru_cache(maxsize=2)
def _end_of_window(database: str, moment: int) -> tuple[int, int] | None:
    """Rank and key of the last of the first WINDOW entries in the order of results, of late; None in a directory that is smaller."""
    statement = sa.select(E.rank, E.id).order_by(E.rank.desc(), E.id.desc()).offset(WINDOW).limit(1)
    row = db.session.execute(statement).one_or_none()
    return tuple(row) if row else None  # type: ignore[return-value]


# Statements are built once for each shape of a search; what is looked for comes in parameters.


@functools.cache
def _plain(begun: bool) -> sa.Select:
    return sa.select(*COLUMNS).where(_open(), *_behind(begun)).order_by(E.rank.desc(), E.id.desc()).limit(sa.bindparam("most"))


@functools.cache
def _in_order(around: bool, begun: bool) -> sa.Select:
    """SQLite: the rows of the full-text index lie in the order of results, so that the first hits are the ones wanted."""
    index = sa.table("directory_entry_search", sa.column("rowid", sa.BigInteger()), sa.column("directory_entry_search"))
    entry_id = index.c.rowid.op("&")(sa.literal_column(str((1 << 40) - 1)))
    statement = sa.select(*COLUMNS).select_from(index).join(E, E.id == entry_id)
    statement = statement.where(index.c.directory_entry_search.op("MATCH")(sa.bindparam("match")), _open(), *_within(around, entry_id))
    if begun:
        statement = statement.where(index.c.rowid < sa.bindparam("begin"))
    return statement.order_by(index.c.rowid.desc()).limit(sa.bindparam("most"))


def _match(groups: list[list[str]], typed: Sequence[str], relevance: int) -> str:
    """In the language of FTS5; terms are letters, digits and underscores."""
    parts = [f"({' OR '.join(group)})" for group in groups] + [_prefix(word, "*", relevance) for word in typed]
    match = " AND ".join(parts)
    if typed and relevance == ELSEWHERE:
        match = f"({match}) NOT ({' AND '.join(_prefix(word, '*', IN_HEADLINE) for word in typed)})"
    return match


@functools.cache
def _indexed(parts: int, around: bool, begun: bool, *, windowed: bool) -> sa.Select:
    """PostgreSQL: what the inverted index finds, put in order; then, until the page is full, those inside the circle.

    What is common fills a page from a window of the first entries; only what is rare is looked for among all, and gives few hits to sort.
    """
    terms = sa.func.directory_terms(E.terms)
    # One condition a term: the index joins these quicker than the parts of one.
    matches: list[sa.ColumnElement[bool]] = [terms.op("@@")(sa.cast(sa.bindparam(f"part_{number}"), TSQUERY)) for number in range(parts)]
    if windowed:
        matches.append(sa.tuple_(E.rank, E.id) >= sa.tuple_(sa.bindparam("end_rank", type_=sa.Integer()), sa.bindparam("end_id", type_=Key)))
    hits = sa.select(E.id, E.rank).where(*matches, _open(), *_behind(begun)).cte("hits").prefix_with("MATERIALIZED")
    ordered = sa.select(hits).order_by(hits.c.rank.desc(), hits.c.id.desc()).offset(0).subquery()
    chosen = sa.select(ordered.c.id).where(*_within(around, ordered.c.id)).order_by(ordered.c.rank.desc(), ordered.c.id.desc()).limit(sa.bindparam("most"))
    return sa.select(*COLUMNS).where(E.id.in_(chosen)).order_by(E.rank.desc(), E.id.desc()).execution_options(**PLANNED_ANEW)


def _parts(groups: list[list[str]], typed: Sequence[str], relevance: int) -> list[str]:
    """In the language of tsquery."""
    parts = [" | ".join(group) for group in groups] + [_prefix(word, ":*", relevance) for word in typed]
    if typed and relevance == ELSEWHERE:
        parts.append(f"!({' & '.join(_prefix(word, ':*', IN_HEADLINE) for word in typed)})")
    return parts


def _prefix(word: str, mark: str, relevance: int) -> str:
    """The word's term with the mark of a beginning; that of a single letter is whole."""
    return entries.word_term(word, headline=relevance == IN_HEADLINE) + (mark if len(word) > 1 else "")


def _behind(begun: bool) -> list[sa.ColumnElement[bool]]:
    return [sa.tuple_(E.rank, E.id) < sa.tuple_(sa.bindparam("begin_rank", type_=sa.Integer()), sa.bindparam("begin_id", type_=Key))] if begun else []


def _within(around: bool, entry_id: Any) -> list[sa.ColumnElement[bool]]:
    """One of its locations lies inside the circle: the square of the straight way through the earth tells, without trigonometry."""
    if not around:
        return []
    squares: Any = 0
    for column in (P.x, P.y, P.z):
        way = column - sa.bindparam(column.key, type_=sa.Double())
        squares = squares + way * way
    return [sa.select(sa.func.min(squares)).where(P.entry_id == entry_id).scalar_subquery() <= sa.bindparam("reach", type_=sa.Double())]


def _circle(around: Around | None) -> dict[str, float]:
    if around is None:
        return {}
    x, y, z = entries.point(around.latitude, around.longitude)
    return {"x": x, "y": y, "z": z, "reach": (2 * math.sin(around.radius / entries.EARTH / 2)) ** 2}


def _open() -> sa.ColumnElement[bool]:
    """A suspended organization is not shown. There are few of these, and an index knows them."""
    return E.partner_id.not_in(sa.select(Organization.id).where(Organization.suspended_at.is_not(None)))


def _nearest(around: Around, entry_ids: list[int]) -> dict[int, tuple[str, float]]:
    """City and distance of each entry's nearest location."""
    here = around.latitude, around.longitude
    found: dict[int, tuple[str, float]] = {}
    for entry_id, city, latitude, longitude in db.session.execute(sa.select(P.entry_id, P.city, P.latitude, P.longitude).where(P.entry_id.in_(entry_ids))):
        away = entries.kilometres(here, (latitude, longitude))
        if entry_id not in found or (away, city) < (found[entry_id][1], found[entry_id][0]):
            found[entry_id] = city, away
    return found


def published(public_id: UUID) -> DirectoryEntry | None:
    """A profile that the directory shows, else None: also for one of a suspended organization."""
    return db.session.scalar(sa.select(E).where(E.public_id == public_id, _open()))


def entry(public_id: UUID) -> DirectoryEntry:
    """The same, or NotFound."""
    row = published(public_id)
    if row is None:
        raise NotFound(public_id)
    return row


def place(row: DirectoryEntry, public_id: UUID) -> DirectoryPlace:
    """A location of this entry."""
    found = db.session.scalar(sa.select(P).where(P.public_id == public_id, P.entry_id == row.id))
    if found is None:
        raise NotFound(public_id)
    return found


def partners(words: str, country: str, *, organization_id: int | None = None, most: int) -> list[tuple[int, str]]:
    """Partners with a profile in the market of this country, whose name has all these words: id and name. Only this one, when it is named."""
    typed = search_words(words)
    countries = tuple(code for code in places.COUNTRIES if places.market(code) == places.market(country))
    statement = sa.select(E.partner_id, Organization.name, E.name).join(Organization, Organization.id == E.partner_id)
    if organization_id is None:
        rows = _rows(Search(countries=countries), typed, IN_HEADLINE, None, CANDIDATES)
        statement = statement.where(E.id.in_([row.id for row in rows]))
    else:
        statement = statement.where(E.partner_id == organization_id, E.country.in_(countries), _open())
    found = db.session.execute(statement.order_by(E.rank.desc(), E.id.desc())).all()
    named = {key: name for key, name, profile in found if all(f" {word}" in f" {normalise(f'{name} {profile}')}" for word in typed)}
    return list(named.items())[:most]


def countries() -> list[str]:
    """The codes of all countries in which the directory has profiles: hops from one to the next in the index."""
    return list(db.session.scalars(_COUNTRIES))


def sitemaps() -> list[int]:
    """The numbers of the lists of addresses that have any: each is of the entries with the next IN_SITEMAP keys."""
    return list(db.session.scalars(_SITEMAPS))


def addresses(sitemap: int) -> Iterator[tuple[UUID, UUID | None, datetime]]:
    """Profiles of one list and their locations: the profile's id, the location's or None for the profile itself, and the day of publication.

    They come in a session of their own, some at a time: it outlives the request.
    """
    statement = sa.select(E.public_id, P.public_id, E.published_at).outerjoin(P, P.entry_id == E.id)
    statement = statement.where(E.id >= sitemap * IN_SITEMAP, E.id < (sitemap + 1) * IN_SITEMAP, _open()).order_by(E.id, P.id)
    with sa.orm.Session(db.engine) as session, contextlib.closing(session.execute(statement.execution_options(yield_per=1000))) as rows:
        profile = None
        for profile_id, location_id, published_at in rows:
            if profile_id != profile:
                profile = profile_id
                yield profile_id, None, published_at
            if location_id is not None:
                yield profile_id, location_id, published_at


def _hops(following: Callable[[Any], sa.Select]) -> sa.Select:
    """The values that lead from one to the next: `following` gives the first, and the one after a value."""
    hop = following(None).cte("hop", recursive=True)
    hop = hop.union_all(sa.select(following(hop.c.value).scalar_subquery()).where(hop.c.value.is_not(None)))
    return sa.select(hop.c.value).where(hop.c.value.is_not(None))


def _country_after(value: Any) -> sa.Select:
    statement = sa.select(sa.func.min(E.country).label("value"))
    return statement if value is None else statement.where(E.country > value)


def _sitemap_after(value: Any) -> sa.Select:
    statement = sa.select(sa.func.min(E.id).op("/")(IN_SITEMAP).label("value"))
    return statement if value is None else statement.where(E.id >= (value + 1) * IN_SITEMAP)


_COUNTRIES = _hops(_country_after)
_SITEMAPS = _hops(_sitemap_after)
