"""What a published profile says on its pages, in the words of the reader's language: for the directory and for the editor's preview."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.i18n import language, show_number
from portal.core.places import Address, country_name
from portal.directory import taxonomy
from portal.directory.gazetteer import City
from portal.directory.models import TagKind
from portal.directory.queries import Hit
from portal.leads.texts import SIZE_NAMES

TAG_KINDS = {TagKind.INDUSTRY: _l("Industries"), TagKind.PRODUCT: _l("Products"), TagKind.SERVICE: _l("Services"), TagKind.SKILL: _l("Skills")}


MOST_RANK = 1000
SHOWN_TAGS = 6
PROMPTNESS = {1: _l("Usually answers within a day"), 3: _l("Usually answers within three days"), 7: _l("Usually answers within a week")}  # days


@dataclass(frozen=True)
class Place:
    """A location as its page and its profile's show it."""

    id: str
    title: str
    city: str
    phone: str
    address: Address
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Profile:
    """`content` of entries.py in words; `tags` are pairs of a kind's name and its tags' names."""

    name: str
    country: str
    description: str
    website: str
    website_name: str
    linkedin: str
    logo_url: str | None
    sizes: list[str]
    tags: list[tuple[str, list[str]]]
    places: list[Place]


def profile(content: dict[str, Any], logo_public_id: UUID | None) -> Profile:
    website = _web(content["website"])
    return Profile(
        name=content["name"],
        country=content["country"],
        description=content["description"],
        website=website,
        website_name=(urlsplit(website).hostname or "").removeprefix("www."),
        linkedin=_web(content["linkedin"]),
        logo_url=logo_url(logo_public_id),
        sizes=sizes(content["sizes"]),
        tags=[(str(TAG_KINDS[kind]), tag_names(content["tags"], kind)) for kind in TagKind if content["tags"].get(kind)],
        places=[place(location, content["country"]) for location in content["locations"]],
    )


def place(location: dict[str, Any], country: str) -> Place:
    address = Address(location["street"], location["city"], location["region"], location["postal_code"], country, location["district"])
    title = f"{location['name']}, {location['city']}" if location["name"] else location["city"]
    return Place(location["id"], title, location["city"], location["phone"], address, location["latitude"], location["longitude"])


@dataclass(frozen=True)
class Card:
    """A profile in a list of results."""

    id: str
    name: str
    teaser: str
    logo_url: str | None
    places: str
    distance: str
    tags: list[str]
    more_tags: int
    promptness: str


def card(hit: Hit) -> Card:
    tags = tag_names(hit.card["tags"], *TagKind)
    cities = hit.card["cities"]
    return Card(
        id=str(hit.public_id),
        name=hit.name,
        teaser=hit.card["teaser"],
        logo_url=logo_url(hit.logo_public_id),
        places=f"{', '.join(cities)} · {country_name(hit.country, language())}",
        distance=_distance(*hit.near) if hit.near else "",
        tags=tags[:SHOWN_TAGS],
        more_tags=max(0, len(tags) - SHOWN_TAGS),
        promptness=promptness(hit.rank),
    )


def promptness(rank: int) -> str:
    """How soon the partner usually answers, as far as its rank is proof of it: leads.figures.responsiveness() tells how days make a rank."""
    days = 14 * (min(MOST_RANK, MOST_RANK - rank) * 2 / MOST_RANK) ** 2
    return str(next((text for most, text in PROMPTNESS.items() if days <= most), ""))


def _distance(city: str, kilometres: float) -> str:
    if kilometres < 1:
        return _("In %(city)s, less than 1 km away", city=city)
    return _("In %(city)s, %(number)s km away", city=city, number=show_number(round(kilometres)))


def city_name(city: City) -> str:
    """Told apart from others of its name."""
    return ", ".join(filter(None, (city.name, city.region, country_name(city.country, language()))))


def sizes(values: list[str]) -> list[str]:
    """Names of the target customers' sizes, in their order."""
    return [str(name) for size, name in SIZE_NAMES.items() if size.value in values]


def tag_names(tags: dict[str, list[str]], *kinds: TagKind) -> list[str]:
    """Names of the tags of these kinds; what the lists no longer know is left out."""
    return [name for kind in kinds for code in tags.get(kind, ()) if (name := code if kind is TagKind.SKILL else taxonomy.name(kind, code))]


def logo_url(public_id: UUID | None) -> str | None:
    return f"/directory/logos/{public_id}" if public_id else None


def _web(address: str) -> str:
    """An address that a link may lead to, else nothing."""
    return address if address.startswith(("https://", "http://")) else ""
