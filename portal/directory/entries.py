"""The directory's own rows: what publishing puts there and takes away, and how a search finds it again (ADR 0007).

`content` of an entry, all plain values:
    name, country, description, website, linkedin
    sizes      values of CompanySize
    tags       TagKind value -> list of codes, or of words for skills
    locations  each: id (text of its public id), name, street, district, city, region, postal_code, phone, latitude, longitude
`card` is the part of it that a list shows: teaser, sizes, tags, cities.
"""

import itertools
import math
import operator
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.core import words
from portal.core.db import db
from portal.directory.models import DirectoryEntry, DirectoryPlace

EARTH = 6371.0088  # mean radius in kilometres
TEASER = 180  # characters
RANKED_AT_ONCE = 5000
CELLS = {"x": (0.25, 25.0), "y": (1.0, 100.0), "z": (3.0, math.inf)}  # sizes of grid cells: degrees, and up to which radius (km) they serve


def put(
    public_id: UUID, *, partner_id: int, country: str, content: dict[str, Any], labels: Iterable[str], logo_public_id: UUID | None, rank: int, at: datetime
) -> DirectoryEntry:
    """Show this content from now on, in place of what the profile showed before.

    `labels` are the names of its listed tags, in every language that the portal speaks.
    """
    remove(public_id)
    entry = DirectoryEntry(
        public_id=public_id,
        partner_id=partner_id,
        country=country,
        name=content["name"],
        rank=rank,
        logo_public_id=logo_public_id,
        published_at=at,
        card=card(content),
        terms=terms(content, labels),
        content=content,
    )
    db.session.add(entry)
    db.session.flush()
    for location in content["locations"]:
        x, y, z = point(location["latitude"], location["longitude"])
        place = DirectoryPlace(
            public_id=UUID(location["id"]), entry_id=entry.id, city=location["city"], latitude=location["latitude"], longitude=location["longitude"],
            x=x, y=y, z=z, content=location,
        )  # fmt: skip
        db.session.add(place)
    db.session.flush()
    return entry


def remove(public_id: UUID) -> None:
    """Take the profile's entry away, if there is one."""
    entry_id = db.session.scalar(sa.select(DirectoryEntry.id).where(DirectoryEntry.public_id == public_id))
    if entry_id is not None:
        db.session.execute(sa.delete(DirectoryPlace).where(DirectoryPlace.entry_id == entry_id))
        db.session.execute(sa.delete(DirectoryEntry).where(DirectoryEntry.id == entry_id))


def rank(ranks: Mapping[int, int], *, otherwise: int) -> None:
    """Put new ranks, by partner, on their entries: RANKED_AT_ONCE of them at most, and the rest the next time."""
    # In another order each time: where very many change, all have their turn.
    statement = sa.select(DirectoryEntry.id, DirectoryEntry.partner_id, DirectoryEntry.rank).order_by(sa.func.random())
    rows = db.session.execute(statement.execution_options(yield_per=1000))
    changed = ({"entry_id": key, "new_rank": ranks.get(partner_id, otherwise)} for key, partner_id, old in rows if ranks.get(partner_id, otherwise) != old)
    found = list(itertools.islice(changed, RANKED_AT_ONCE))
    rows.close()
    if found:
        table: Any = DirectoryEntry.__table__  # not through the ORM, which raises for an entry that is gone by now: its profile was just published anew
        change = sa.update(table).where(table.c.id == sa.bindparam("entry_id")).values(rank=sa.bindparam("new_rank"))
        db.session.connection().execute(change, sorted(found, key=operator.itemgetter("entry_id")))  # two runs lock them in one order


def terms(content: dict[str, Any], labels: Iterable[str]) -> str:
    """Everything that a search may ask for, as terms between spaces.

    Text is h… for a word of the headline, which is name and tags, and w… for any word; i… and j… for the first letters of those. The facts are
    t… (a tag of a list), s… (a size of customers), c… (the country), and the grid cells of its locations, see CELLS.
    """
    tags, places = content["tags"], content["locations"]
    headline = words.search_text(content["name"], *labels, *tags.get("skill", ())).split()
    text = words.search_text(content["description"], *(place[part] for place in places for part in ("name", "city"))).split()
    found = [found for word in headline for found in (word_term(word, headline=True), word_term(word[0], headline=True))]
    found += [found for word in (*headline, *text) for found in (word_term(word), word_term(word[0]))]
    found += [term("t", f"{kind}/{code}") for kind, codes in tags.items() if kind != "skill" for code in codes]
    found += [term("s", size) for size in content["sizes"]] + [term("c", content["country"])]
    found += [cell(place["latitude"], place["longitude"], kind) for place in places for kind in CELLS]
    return f" {' '.join(dict.fromkeys(found))} "


def word_term(word: str, *, headline: bool = False) -> str:
    """The term of a word, or of its beginning. So many words begin with the same letter that a letter has terms of its own."""
    return term(("i" if headline else "j") if len(word) == 1 else ("h" if headline else "w"), word)


def card(content: dict[str, Any]) -> dict[str, Any]:
    """What a list shows of it."""
    text = " ".join(content["description"].split())
    teaser = text if len(text) <= TEASER else text[:TEASER].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
    cities = list(dict.fromkeys(place["city"] for place in content["locations"]))
    return {"teaser": teaser, "sizes": content["sizes"], "tags": content["tags"], "cities": cities}


def term(kind: str, text: str) -> str:
    """One term: ASCII letters, digits and underscores only, so that no index and no query language cuts it or reads it as something else.

    It is made letter by letter: the term of a word's beginning is the beginning of the word's term.
    """
    return kind + "".join(letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):06x}" for letter in text[: words.MAX_WORD].lower())


def cell(latitude: float, longitude: float, kind: str) -> str:
    """The term of the grid cell of this kind that a place lies in."""
    degrees, _radius = CELLS[kind]
    return _cell(math.floor((latitude + 90) / degrees), math.floor((longitude + 180) / degrees), kind)


def cells(latitude: float, longitude: float, radius: float) -> list[str]:
    """The terms of all cells that have something within `radius` km of the place: at most some dozens."""
    kind = next(kind for kind, (_degrees, serves) in CELLS.items() if radius <= serves)
    degrees, _radius = CELLS[kind]
    high = math.degrees(radius / EARTH)
    is_at_pole = abs(latitude) + high >= 90
    wide = 180.0 if is_at_pole else math.degrees(math.asin(math.sin(math.radians(high)) / math.cos(math.radians(latitude))))
    rows = range(math.floor((max(-90.0, latitude - high) + 90) / degrees), math.floor((min(90.0, latitude + high) + 90) / degrees) + 1)
    columns = range(math.floor((longitude - wide + 180) / degrees), math.floor((longitude + wide + 180) / degrees) + 1)
    return list(dict.fromkeys(_cell(row, column, kind) for row in rows for column in columns))


def point(latitude: float, longitude: float) -> tuple[float, float, float]:
    """On a sphere of radius 1."""
    north, east = math.radians(latitude), math.radians(longitude)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def kilometres(here: tuple[float, float], there: tuple[float, float]) -> float:
    """The great-circle distance of two places given as (latitude, longitude)."""
    (x, y, z), (u, v, w) = point(*here), point(*there)
    return 2 * EARTH * math.asin(min(1.0, math.sqrt((x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2) / 2))


def _cell(row: int, column: int, kind: str) -> str:
    degrees, _radius = CELLS[kind]
    return f"{kind}{row}_{column % round(360 / degrees)}"
