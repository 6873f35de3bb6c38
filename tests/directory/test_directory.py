"""The public directory: what a search finds and in which order, the pages of profiles and locations, what search engines read (R57, R61, R62)."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.accounts.models import Organization
from portal.core import clock, jobs
from portal.core.db import db, uuid7, writing
from portal.core.events import ask
from portal.core.words import search_text, search_words
from portal.directory import entries, queries, taxonomy
from portal.directory.models import DirectoryEntry, DirectoryPlace
from portal.directory.queries import Around, Search
from portal.leads.events import PartnersToRefer
from tests.directory import entry_rows as rows
from tests.support import make

ADMIN, GOVERNMENT, TELLIER = "admin@atelier-nuage.example", "admin@potomac-stratus.example", "admin@maison-tellier.example"
NAME = 'Nuage & <b>Fils</b> "</script><script>alert(1)</script>'


def names(page):
    return [heading.get_text() for heading in page.soup.select(".hit h2")]


def found(search, **options):
    return [hit.name for hit in queries.search(search, **options).hits]


# --- a model: every profile looked at, one after the other

VOCABULARY = ["cloud", "clou", "nuage", "tellier", "n-tellier", "ab", "a", "Éclair", "东京", "Москва", "50%", "_x", "power bi"]
SPOTS = [(47.2, -1.55), (47.47, -0.55), (48.85, 2.35), (48.86, 2.36), (-16.8, 179.9), (-16.9, -179.9), (89.5, 0.0), (89.6, 179.0), (0.0, 0.0)]
TAGS = [("industry", "retail"), ("product", "backup"), ("service", "migration")]
texts = st.lists(st.sampled_from(VOCABULARY), max_size=3).map(" ".join)
profiles = st.lists(
    st.fixed_dictionaries(
        {
            "name": texts, "description": texts, "rank": st.integers(0, 3), "tags": st.sets(st.sampled_from(TAGS)), "country": st.sampled_from(["FR", "DE"]),
            "sizes": st.sets(st.sampled_from(["1-9", "10-49"])), "spots": st.lists(st.sampled_from(SPOTS), min_size=1, max_size=3),
        }
    ),
    max_size=12,
)  # fmt: skip
searches = st.builds(
    Search,
    words=st.lists(st.sampled_from([*VOCABULARY, "zzz", "c", "cl", "%", "mos", "d"]), max_size=3).map(" ".join),
    tags=st.sets(st.sampled_from(TAGS), max_size=2).map(tuple),
    size=st.sampled_from(["", "", "10-49"]),
    countries=st.sampled_from([(), (), ("FR",), ("FR", "DE")]),
    around=st.none() | st.builds(lambda spot, radius: Around(*spot, radius), st.sampled_from(SPOTS), st.sampled_from([10, 25, 50, 100, 250])),
)


def has_all(words, text):
    present = search_text(text).split()
    return all(any(word.startswith(asked) for word in present) for asked in words)


def distance(here, there):
    """The haversine formula, apart from the portal's own way."""
    (a, b), (c, d) = ((math.radians(value) for value in spot) for spot in (here, there))
    return 2 * entries.EARTH * math.asin(math.sqrt(math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2))


def expected(made, search):
    words, hits = search_words(search.words), []
    if search.words.strip() and not words:
        return []
    for number, profile in made:
        headline = f"{profile['name']} {' '.join(taxonomy.labels(by_kind(profile['tags'])))}"
        whole = f"{headline} {profile['description']} Somewhere"
        near = [distance((search.around.latitude, search.around.longitude), spot) for spot in profile["spots"]] if search.around else [0]
        if (
            has_all(words, whole)
            and set(search.tags) <= profile["tags"]
            and (not search.size or search.size in profile["sizes"])
            and (not search.countries or profile["country"] in search.countries)
            and (not search.around or min(near) <= search.around.radius)
        ):
            hits.append((bool(words) and has_all(words, headline), profile["rank"], number, round(min(near), 3) if search.around else None))
    return [(number, near) for _headline, _rank, number, near in sorted(hits, reverse=True)]


def by_kind(tags):
    return {kind: [code for other, code in sorted(tags) if other == kind] for kind, _code in tags}


def publish_all(made):
    """Plain rows, quicker than one publication after the other; returns them with their ids."""
    partner_id = make.organization("atelier-nuage.example").id
    db.session.rollback()
    with writing():
        db.session.execute(sa.delete(DirectoryPlace))
        db.session.execute(sa.delete(DirectoryEntry))
        numbered = []
        for profile in made:
            content = rows.content(
                profile["name"], cities=[("Somewhere", *spot) for spot in profile["spots"]], description=profile["description"], tags=by_kind(profile["tags"]),
                sizes=sorted(profile["sizes"]), country=profile["country"],
            )  # fmt: skip
            labels = taxonomy.labels(content["tags"])
            entry = entries.put(
                uuid7(),
                partner_id=partner_id,
                country=profile["country"],
                content=content,
                labels=labels,
                logo_public_id=None,
                rank=profile["rank"],
                at=clock.now(),
            )
            numbered.append((entry.id, profile))
        db.session.commit()
    return numbered


@pytest.fixture
def directory(app):
    """One database for all examples."""
    with app.test_request_context():
        yield


@pytest.mark.parametrize("window", [2, 2000])  # entries that PostgreSQL looks at first
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=profiles, asked=st.lists(searches, min_size=1, max_size=6))
def test_a_search_finds_what_looking_at_every_profile_finds_in_the_same_order(directory, monkeypatch, window, made, asked):
    """R57, R61: the same hits, order and distances."""
    monkeypatch.setattr(queries, "WINDOW", window)
    monkeypatch.setattr(queries, "PAGE_SIZE", 20 if window > 20 else 1)
    queries._end_of_window.cache_clear()
    numbered = publish_all(made)
    ids = dict(db.session.execute(sa.select(DirectoryEntry.public_id, DirectoryEntry.id)).all())

    for search in asked:
        hits = [(ids[hit.public_id], round(hit.near[1], 3) if hit.near else None) for hit in queries.search(search).hits]
        assert hits == expected(numbered, search)[: queries.PAGE_SIZE], search


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=profiles.filter(lambda made: len(made) > 4), asked=searches, size=st.integers(1, 4))
def test_pages_joined_together_are_the_whole_list(directory, made, asked, size):
    publish_all(made * 2)
    whole = [hit.public_id for hit in queries.search(asked).hits][:20]

    joined, after = [], None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "PAGE_SIZE", size)
        while True:
            page = queries.search(asked, after)
            joined += [hit.public_id for hit in page.hits]
            if page.next is None:
                break
            after = page.next

    assert joined[:20] == whole
    assert len(joined) == len(set(joined))


@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    bearing=st.floats(0, 2 * math.pi),
    share=st.floats(0, 1),
    radius=st.sampled_from([10, 25, 50, 100, 250]),
)
def test_whatever_is_near_lies_in_one_of_the_cells(latitude, longitude, bearing, share, radius):
    """Also at the poles and where the date changes."""
    away, north = share * radius / entries.EARTH, math.radians(latitude)
    there = math.asin(max(-1, min(1, math.sin(north) * math.cos(away) + math.cos(north) * math.sin(away) * math.cos(bearing))))
    east = math.radians(longitude) + math.atan2(math.sin(bearing) * math.sin(away) * math.cos(north), math.cos(away) - math.sin(north) * math.sin(there))
    spot = math.degrees(there), (math.degrees(east) + 540) % 360 - 180
    kind = next(kind for kind, (_degrees, serves) in entries.CELLS.items() if radius <= serves)
    cells = entries.cells(latitude, longitude, radius)

    edge = distance((latitude, longitude), spot) > radius - 1e-6  # rounding decides there
    assert edge or entries.cell(*spot, kind) in cells
    assert len(cells) < 300 or abs(latitude) > 80


@given(text=st.text(max_size=80))
def test_a_term_is_letters_digits_and_underscores_whatever_it_stands_for(text):
    """No index and no query language reads it as something else (S35)."""
    assert re.fullmatch(r"[a-z0-9_]+", entries.term("t", text))


# --- examples


def test_names_and_tags_come_before_descriptions_and_prompt_partners_before_slow_ones(app):
    """R57."""
    with app.test_request_context():
        rows.publish("Slow telephony", rank=200)
        rows.publish("Talks of it", description="We do telephony.", rank=900, tags={})
        rows.publish("Tagged", tags={"product": ["telephony"]}, rank=700)
        rows.publish("Skilled", tags={"skill": ["Telephony"]}, rank=700)

        assert found(Search("telephony")) == ["Skilled", "Tagged", "Slow telephony", "Talks of it"]


def test_tags_are_found_in_every_language(app):
    with app.test_request_context():
        rows.publish("Tagged", tags={"industry": ["retail"]})

        assert found(Search("retail")) == ["Tagged"]


def test_all_conditions_must_be_met(app):
    with app.test_request_context():
        rows.publish("Both", tags={"industry": ["retail"], "service": ["migration"]}, sizes=["10-49"])
        rows.publish("One", tags={"industry": ["retail"]}, sizes=["1-9"])

        assert found(Search(tags=(("industry", "retail"), ("service", "migration")))) == ["Both"]
        assert found(Search(tags=(("industry", "retail"),), size="1-9")) == ["One"]
        assert found(Search(countries=("DE",))) == []


def test_the_nearest_location_tells_the_distance(people):
    rows.publish("Far and near", cities=(rows.PARIS, rows.ANGERS))

    page = people.visitor().get("/directory?near=Nantes&radius=100")

    assert names(page) == ["Far and near"]
    assert "In Angers, 81 km away" in page.text
    assert round(entries.kilometres(rows.NANTES[1:], rows.ANGERS[1:])) == 81
    assert round(entries.kilometres(rows.PARIS[1:], rows.NANTES[1:])) == 342
    assert names(people.visitor().get("/directory?near=Nantes&radius=50")) == []


def test_a_name_that_several_cities_have_offers_a_choice(people):
    rows.publish(cities=(rows.PARIS,))
    visitor = people.visitor()

    page = visitor.get("/directory?near=Paris")
    other = next(str(link["href"]) for link in page.soup.select("#results a") if "United States" in link.get_text())

    assert names(page) == ["Atelier Nuage"]
    assert "Within 50 km of Paris, France." in page.text
    assert names(visitor.get(other)) == []
    assert "km of Paris, TX, United States." in visitor.get(other).text


def test_a_city_that_nobody_knows_is_told(people):
    rows.publish()

    page = people.visitor().get("/directory?near=Zzzzyx")

    assert "We know no city called “Zzzzyx”" in page.text
    assert names(page) == ["Atelier Nuage"]


def test_a_search_works_as_a_page_and_in_place(people):
    """R105."""
    rows.publish()
    rows.publish("Studio Cumulus", partner="studio-cumulus.example")
    visitor = people.visitor()

    page = visitor.submit(visitor.get("/directory"), "/directory", q="studio")
    fragment = visitor.get("/directory?q=studio", htmx=True)

    assert names(page) == names(fragment) == ["Studio Cumulus"]
    assert fragment.soup.find("h1") is None


def test_pages_follow_each_other(people):
    for number in range(23):
        rows.publish(f"Partner {number}", rank=number % 5)
    visitor = people.visitor()

    first = visitor.get("/directory?q=partner")
    second = visitor.get(str(first.soup.select_one("a[rel=next]")["href"]))

    assert len(names(first)) == 20
    assert "More than 20 partners" in first.text
    assert len(set(names(first) + names(second))) == 23
    assert second.has_link("/directory?q=partner")


def test_nonsense_in_the_address_counts_as_not_given(people):
    rows.publish()

    for query in (
        "after=9-9-9",
        "after=1-9999-99999999999",
        "tag=skill/x&tag=a&tag=industry/nothing",
        "size=7&country=XX&radius=1",
        "q=%00&near=%00",
        "after=%D9%A1-1-1",
        "q=%22%20OR%201",
    ):
        people.visitor().get(f"/directory?{query}")


def test_a_partner_is_said_to_be_prompt_only_when_its_rank_proves_it(people):
    """R57: no figure of another partner, only what its rank is proof of."""
    for rank, name in ((867, "A"), (866, "B"), (768, "C"), (647, "D"), (646, "E"), (500, "F")):
        rows.publish(name, rank=rank)

    cards = people.visitor().get("/directory").soup.select(".hit")

    said = {card.h2.get_text().strip(): prompt.get_text().strip() for card in cards if (prompt := card.select_one(".prompt"))}
    assert said == {
        "A": "Usually answers within a day", "B": "Usually answers within three days", "C": "Usually answers within a week", "D": "Usually answers within a week",
    }  # fmt: skip


def test_ranks_follow_the_answers_to_leads(app):
    """R57: the hourly job."""
    with app.test_request_context():
        rows.publish("Prompt", rank=500)
        rows.publish("Idle", partner="studio-cumulus.example", rank=900)
        make.accepted_lead()

        jobs.run("rank_directory")

        ranks = dict(db.session.execute(sa.select(DirectoryEntry.name, DirectoryEntry.rank)).all())
        assert ranks["Prompt"] > 500
        assert ranks["Idle"] == 500
        assert found(Search()) == found(Search(countries=("FR",))) == ["Prompt", "Idle"]


def test_where_very_many_ranks_change_all_have_their_turn(app, monkeypatch):
    monkeypatch.setattr(entries, "RANKED_AT_ONCE", 1)
    for name in ("A", "B", "C"):
        rows.publish(name, rank=0)

    for turn in range(60):
        with writing():
            entries.rank({}, otherwise=1 + turn)
            db.session.commit()

    assert db.session.scalar(sa.select(sa.func.min(DirectoryEntry.rank))) > 0


def test_an_entry_that_goes_while_ranks_are_written_holds_up_no_other(app, engine):
    """Publishing anew puts another entry in its place."""
    if engine == "sqlite":
        pytest.skip("there nobody else writes meanwhile")
    for name in ("A", "B", "C"):
        rows.publish(name, rank=0)
    gone = []

    class Ranks(dict):
        def get(self, partner_id, otherwise):
            if not gone:
                gone.append("A")
                with db.engine.begin() as other:
                    for statement in (sa.delete(DirectoryPlace), sa.delete(DirectoryEntry).where(DirectoryEntry.name == "A")):
                        other.execute(statement)
            return otherwise

    entries.rank(Ranks(), otherwise=7)
    db.session.commit()

    assert db.session.execute(sa.select(DirectoryEntry.name, DirectoryEntry.rank).order_by(DirectoryEntry.name)).all() == [("B", 7), ("C", 7)]


def test_a_suspended_organization_is_not_shown(people, app):
    profile = rows.publish()
    with writing():
        db.session.execute(sa.update(Organization).where(Organization.domain == "atelier-nuage.example").values(suspended_at=clock.now()))
        db.session.commit()
    visitor = people.visitor()

    assert names(visitor.get("/directory")) == names(visitor.get("/directory?q=nuage")) == names(visitor.get("/directory?near=Nantes")) == []
    visitor.get(f"/directory/{profile}", 404)
    assert str(profile) not in visitor.client.get("/sitemap/0.xml").text


# --- pages


def test_a_profile_shows_text_as_text_and_tells_search_engines_what_it_is(people):
    """S34: names and descriptions with markup."""
    profile = rows.publish(NAME, description="One line.\n<script>alert(1)</script>\nAnother.", cities=(rows.NANTES, rows.ANGERS))

    page = people.visitor().get(f"/directory/{profile}")

    thing = page.soup.select_one("[itemtype='https://schema.org/Organization']")
    assert page.h1 == re.sub(r"\s+", " ", NAME)
    assert thing.select_one("meta[itemprop=name]")["content"] == NAME
    assert thing.select_one("[itemprop=description]").get_text() == "One line.\n<script>alert(1)</script>\nAnother."
    assert [tag.get_text() for tag in thing.select("[itemprop=knowsAbout]")] == ["Retail and wholesale", "Migration to the cloud", "power bi"]
    assert [place.get_text() for place in thing.select("[itemprop=location] [itemprop=name]")] == ["Nantes", "Angers"]
    assert [city["content"] for city in thing.select("[itemprop=addressLocality]")] == ["Nantes", "Angers"]
    assert thing.select_one("[itemprop=url]")["rel"] == ["nofollow", "noopener"]
    assert page.soup.select_one("meta[name=description]")["content"].startswith("One line.")
    assert page.soup.select_one("meta[property='og:title']")["content"] == NAME
    assert page.soup.select_one("meta[property='og:image']")["content"].startswith("http://localhost/static/images/share.")
    assert {link["hreflang"] for link in page.soup.select("link[rel=alternate]")} == {"en", "fr", "x-default"}


def test_each_location_has_its_own_page(people):
    """R61."""
    profile = rows.publish(cities=(rows.NANTES, rows.ANGERS))
    visitor = people.visitor()
    links = [str(link["href"]) for link in visitor.get(f"/directory/{profile}").soup.select(".places h3 a")]

    page = visitor.get(links[1])

    assert len(links) == 2
    assert page.h1 == "Atelier Nuage in Angers"
    assert page.soup.select_one("[itemtype='https://schema.org/LocalBusiness'] [itemprop=latitude]")["content"] == "47.47156"
    assert page.has_link(f"/directory/{profile}/inquiry")
    visitor.get(f"/directory/{rows.publish('Other')}/locations/{links[1].rsplit('/')[-1]}", 404)


def test_a_website_is_a_link_only_when_it_is_one(people):
    profile = rows.publish(website="javascript:alert(1)", linkedin="data:text/html,x")

    assert "javascript:" not in people.visitor().client.get(f"/directory/{profile}").text


def test_addresses_do_not_follow_a_forged_host(people):
    """S33."""
    profile = rows.publish()
    client = people.visitor().client

    for url in (f"/directory/{profile}", "/directory", "/robots.txt", "/sitemap.xml", "/sitemap/0.xml"):
        text = client.get(url, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).text
        assert "evil.example" not in text
        assert "http://localhost" in text


def test_what_was_taken_back_is_gone(people):
    profile = rows.publish()
    rows.take_back(profile)

    people.visitor().get(f"/directory/{profile}", 404)
    assert names(people.visitor().get("/directory?q=nuage")) == []


def test_a_profile_that_changes_its_words_is_found_under_the_new_ones_only(app):
    with app.test_request_context():
        profile = rows.publish("Before")
        rows.publish("After", public_id=profile)

        assert found(Search("before")) == []
        assert found(Search("after")) == ["After"]
        assert rows.count() == 1


def test_search_engines_find_every_page_and_nothing_else(people, monkeypatch):
    profiles = [rows.publish(f"Partner {number}", cities=(rows.NANTES, rows.ANGERS)) for number in range(3)]
    monkeypatch.setattr(queries, "IN_SITEMAP", 1)
    monkeypatch.setattr(queries, "_SITEMAPS", queries._hops(queries._sitemap_after))
    client = people.visitor().client

    index = ET.fromstring(client.get("/sitemap.xml").data)
    lists = [element.text.removeprefix("http://localhost") for element in index.iter() if element.tag.endswith("loc")]
    urls = [element.text for url in lists for element in ET.fromstring(client.get(url).data).iter() if element.tag.endswith("loc")]

    assert len(lists) == 3
    assert len(urls) == 9
    assert [url for url in urls if "locations" not in url] == [f"http://localhost/directory/{profile}" for profile in profiles]
    assert all(client.get(url.removeprefix("http://localhost")).status_code == 200 for url in urls)
    assert client.get("/sitemap/999.xml").status_code == 404


def test_an_empty_directory_says_so(people):
    page = people.visitor().get("/directory")

    assert "No partners yet" in page.text
    assert people.visitor().client.get("/sitemap.xml").text.count("<sitemap>") == 0


def test_the_government_cloud_has_no_directory(people):
    """R62."""
    profile = rows.publish()
    government = people(GOVERNMENT)

    for url in ("/directory", f"/directory/{profile}", f"/directory/{profile}/inquiry", "/sitemap.xml", "/sitemap/0.xml"):
        government.get(url, 404)
    assert not government.get("/").has_link("/directory")
    assert people(TELLIER).get("/my").has_link("/directory")
    assert people.visitor().get("/sign-in").has_link("/directory")


# --- for leads


def test_partners_with_a_profile_can_be_referred_to(app):
    """R50: of the actor's market, by name."""
    with app.test_request_context():
        rows.publish("Studio Cumulus", partner="studio-cumulus.example", rank=900)
        rows.publish("Studio Cumulus Berlin", partner="studio-cumulus.example", country="DE", rank=800)
        rows.publish("Relais", partner="relais-breton.example")
        by = make.actor(ADMIN)
        cumulus, relais = make.organization("studio-cumulus.example").id, make.organization("relais-breton.example").id

        assert ask(PartnersToRefer(by)) == [(cumulus, "Studio Cumulus"), (relais, "Relais Breton")]
        assert ask(PartnersToRefer(by, "relais")) == [(relais, "Relais Breton")]
        assert ask(PartnersToRefer(by, "cloud")) == []
        assert ask(PartnersToRefer(by, organization_id=relais)) == [(relais, "Relais Breton")]
        assert ask(PartnersToRefer(by, organization_id=by.organization_id)) == []
        assert ask(PartnersToRefer(replace(by, country="US"))) == []
        assert ask(PartnersToRefer(by, most=1)) == [(cumulus, "Studio Cumulus")]
