"""The public directory: search, profiles, locations, and what search engines read (R61). Nobody needs to sign in."""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import throttle
from portal.core.access import Cloud, Permission
from portal.core.errors import NotFound
from portal.core.i18n import language, languages
from portal.core.pages import page
from portal.core.places import COUNTRIES, country_name
from portal.core.routing import Feature
from portal.core.words import normalise
from portal.directory import display, gazetteer, queries, taxonomy
from portal.directory.gazetteer import City
from portal.directory.models import TagKind
from portal.directory.queries import Around, Position, Search
from portal.leads.texts import SIZE_NAMES

P = Permission
RADII = (10, 25, 50, 100, 250)  # kilometres
RADIUS = 50
LISTED = (TagKind.INDUSTRY, TagKind.PRODUCT, TagKind.SERVICE)
MOST_TAGS = 20
MOST_CITIES = 6
feature = Feature("directory", __name__, url_prefix="/directory")
engines = Feature("engines", __name__)  # what search engines look for at the top


@dataclass(frozen=True)
class Asked:
    """What the query string asks for; what makes no sense in it counts as not given. `others` are cities of the same name."""

    words: str
    tags: tuple[tuple[TagKind, str], ...]
    size: str
    country: str
    near: str
    city: City | None
    others: tuple[City, ...]
    radius: int
    after: Position | None

    @classmethod
    def parse(cls) -> "Asked":
        args = request.args
        near = _text("near")
        cities = _cities(near) if near else []
        same = [city for city in cities if city.name == cities[0].name] if cities else []
        chosen = next((city for city in same if str(city.id) == args.get("city")), same[0] if same else None)
        size, country = args.get("size", ""), args.get("country", "")
        return cls(
            words=_text("q"),
            tags=tuple(dict.fromkeys(filter(None, map(_tag, args.getlist("tag")))))[:MOST_TAGS],
            size=size if size in SIZE_NAMES else "",
            country=country if country in COUNTRIES else "",
            near=near,
            city=chosen,
            others=tuple(city for city in same if city is not chosen),
            radius=next((radius for radius in RADII if str(radius) == args.get("radius")), RADIUS),
            after=_position(args.get("after", "")),
        )

    @property
    def search(self) -> Search:
        around = Around(self.city.latitude, self.city.longitude, self.radius) if self.city else None
        return Search(self.words, self.tags, self.size, (self.country,) if self.country else (), around)

    @property
    def narrowed(self) -> bool:
        return bool(self.words or self.tags or self.size or self.country or self.city)

    def url(self, after: Position | None = None, city: City | None = None, **changes: Any) -> str:
        """The same search changed in something, from its first page on or from `after`."""
        asked = replace(self, **changes)
        city = city or asked.city
        pairs = [("q", asked.words), *(("tag", f"{kind}/{code}") for kind, code in asked.tags), ("size", asked.size), ("country", asked.country)]
        if asked.near:
            pairs += [("near", asked.near), ("city", str(city.id) if city and (asked.others or city is not asked.city) else ""), ("radius", str(asked.radius))]
        if after is not None:
            pairs.append(("after", f"{after.relevance}-{after.rank}-{after.entry_id}"))
        query = urlencode([(name, value) for name, value in pairs if value])
        return f"/directory?{query}" if query else "/directory"

    def without(self, tag: tuple[TagKind, str]) -> str:
        return self.url(tags=tuple(other for other in self.tags if other != tag))


@feature.get("", permission=P.ANYONE, limit=throttle.SEARCH)
def index() -> ResponseReturnValue:
    for_the_public_cloud()
    asked = Asked.parse()
    found = queries.search(asked.search, asked.after)
    return page(
        "directory/index.html",
        swaps=("results",),
        asked=asked,
        found=found,
        hits=[display.card(hit) for hit in found.hits],
        head=heading(url_for(".index")),
        city_name=display.city_name,
        lists=lambda kind: _choices(kind, language()),
        tag_name=taxonomy.name,
        kinds=display.TAG_KINDS,
        listed=LISTED,
        sizes=[(size.value, name) for size, name in SIZE_NAMES.items()],
        countries=lambda: sorted(((code, country_name(code, language())) for code in queries.countries()), key=lambda item: normalise(item[1])),
        distances=[(radius, _("%(number)s km", number=radius)) for radius in RADII],
    )


@feature.get("/<uuid:profile_id>", permission=P.ANYONE)
def show(profile_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    row = queries.entry(profile_id)
    profile = display.profile(row.content, row.logo_public_id)
    head = heading(url_for(".show", profile_id=profile_id), row.card["teaser"], profile.logo_url)
    return page("directory/show.html", profile=profile, profile_id=profile_id, promptness=display.promptness(row.rank), head=head)


@feature.get("/<uuid:profile_id>/locations/<uuid:location_id>", permission=P.ANYONE)
def show_location(profile_id: UUID, location_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    row = queries.entry(profile_id)
    place = display.place(queries.place(row, location_id).content, row.country)
    profile = display.profile(row.content, row.logo_public_id)
    head = heading(url_for(".show_location", profile_id=profile_id, location_id=location_id), row.card["teaser"], profile.logo_url)
    return page("directory/location.html", profile=profile, profile_id=profile_id, place=place, head=head)


@engines.get("/robots.txt", permission=P.ANYONE)
def robots() -> ResponseReturnValue:
    lines = ["User-agent: *", "Allow: /directory", "Allow: /static/", "Allow: /sitemap", "Disallow: /", "", f"Sitemap: {_host()}/sitemap.xml", ""]
    return Response("\n".join(lines), mimetype="text/plain")


@engines.get("/sitemap.xml", permission=P.ANYONE)
def index_sitemap() -> ResponseReturnValue:
    for_the_public_cloud()
    addresses = (f"<sitemap><loc>{_host()}/sitemap/{number}.xml</loc></sitemap>" for number in queries.sitemaps())
    return _xml("sitemapindex", addresses)


@engines.get("/sitemap/<int:number>.xml", permission=P.ANYONE)
def show_sitemap(number: int) -> ResponseReturnValue:
    for_the_public_cloud()
    if number not in queries.sitemaps():
        raise NotFound(number)
    host = _host()
    addresses = (
        f"<url><loc>{host}/directory/{profile}{f'/locations/{location}' if location else ''}</loc><lastmod>{day:%Y-%m-%d}</lastmod></url>"
        for profile, location, day in queries.addresses(number)
    )
    return _xml("urlset", addresses)


def for_the_public_cloud() -> None:
    """For people of the government cloud there is no directory (R62)."""
    if g.actor and g.actor.cloud is Cloud.US_GOVERNMENT:
        raise NotFound("no directory in this cloud")


@dataclass(frozen=True)
class Heading:
    """What the head of a public page tells search engines and those who share it; whole addresses, on the portal's own name (S33)."""

    url: str
    description: str
    image: str
    languages: list[tuple[str, str]]


def heading(path: str, description: str = "", image: str | None = None) -> Heading:
    address = _host() + path
    return Heading(
        url=f"{address}?lang={language()}" if request.args.get("lang") == language() else address,
        description=description,
        image=_host() + (image or current_app.jinja_env.globals["static_url"]("images/share.png")),  # type: ignore[operator]
        languages=[(code, f"{address}?lang={code}") for code, _name in languages()] + [("x-default", address)],
    )


def _host() -> str:
    return str(current_app.config["MAIL_BASE_URL"])


def _xml(root: str, items: Iterable[str]) -> Response:
    def lines() -> Iterator[str]:
        yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        for item in items:
            yield item + "\n"
        yield f"</{root}>\n"

    return Response(lines(), mimetype="application/xml")


# The same for everybody, and asked for on each page.


@functools.lru_cache(maxsize=1000)
def _cities(near: str) -> list[City]:
    return gazetteer.find(near, limit=MOST_CITIES)


@functools.lru_cache(maxsize=50)
def _choices(kind: TagKind, _language: str) -> list[tuple[str, str]]:
    return taxonomy.choices(kind)


def _text(name: str) -> str:
    return " ".join(request.args.get(name, "").replace("\x00", "").split())[:200]


def _tag(text: str) -> tuple[TagKind, str] | None:
    kind, _slash, code = text.partition("/")
    return (TagKind(kind), code) if kind in LISTED and taxonomy.name(TagKind(kind), code) else None


def _position(text: str) -> Position | None:
    match = re.fullmatch(r"([01])-(\d{1,4})-(\d{1,12})", text, re.ASCII)
    return Position(*map(int, match.groups())) if match else None
