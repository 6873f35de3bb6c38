"""Business profiles: one per country, edited, previewed, published, taken back, and a reminder when they grow old (R60, R62)."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.core import clock, jobs
from portal.core.audit import LogEntry
from portal.core.db import db, uuid7, writing
from portal.core.outbox import Mail
from portal.core.places import MARKETS
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.directory import publishing, service, taxonomy
from portal.directory.models import BusinessProfile, DirectoryEntry, DirectoryPlace, ProfileLocation, ProfileState, TagKind
from portal.directory.states import PROFILE
from tests.directory.pictures import picture
from tests.support import databases, make

REFERRALS, COMPETITOR = "referrals@atelier-nuage.example", "admin@studio-cumulus.example"
PLACE = {"street": "14 rue des Carmes", "postal_code": "44000", "city": "Nantes", "latitude": "47,2159", "longitude": "-1.5526"}


@pytest.fixture
def visitor(people):
    return people(REFERRALS)


def url_of(made: BusinessProfile) -> str:
    return f"/business-profiles/{made.public_id}"


def all_of(model):
    db.session.rollback()
    with scoped(EVERYTHING):
        rows = list(db.session.scalars(sa.select(model).order_by(model.id)))
        db.session.expunge_all()
    db.session.rollback()
    return rows


def actions():
    db.session.rollback()
    found = db.session.scalars(sa.select(LogEntry.action).where(LogEntry.action.startswith("profile.")).order_by(LogEntry.id)).all()
    db.session.rollback()
    return [action.removeprefix("profile.") for action in found]


# --- the whole way, with and without a script


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_profile_is_drafted_filled_in_looked_at_and_published(visitor, htmx):
    """R60"""
    page = visitor.submit(visitor.open("/business-profiles/new"), country="FR")
    url = page.url
    assert page.h1 == "Atelier Nuage: France"
    assert [item.get_text() for item in page.soup.select(".notice.info a")] == [
        "Write a description", "Choose at least one tag", "Choose the sizes of your customers", "Add at least one location",
    ]  # fmt: skip

    typed = {
        "description": "Cloud for craftsmen.\n\nAnd for bakers.", "website": "www.atelier-nuage.example", "linkedin": "https://www.linkedin.com/company/atelier",
        "industries": ["retail", "trades"], "skills": "Power BI, power bi , Terraform", "sizes": ["1-9", "1000+"],
    }  # fmt: skip
    page = visitor.submit(page, "#form", htmx=htmx, **typed)
    if htmx:
        assert page.response.headers["HX-Location"] == url
    page = visitor.submit(visitor.open(f"{url}/locations/new"), name="Head office", htmx=htmx, **PLACE)
    page = visitor.open(f"{url}/preview")
    assert "And for bakers." in page.text and "Retail and wholesale" in page.text and "Head office, Nantes" in page.text
    page = visitor.submit(page, f"{url}/publication")

    assert page.flashes == ["The profile is published. The directory shows it as it is now."]
    [entry] = all_of(DirectoryEntry)
    [profile] = all_of(BusinessProfile)
    assert entry.public_id == profile.public_id and entry.rank == publishing.FIRST_RANK
    assert entry.content["description"] == "Cloud for craftsmen.\n\nAnd for bakers."
    assert entry.content["website"] == "https://www.atelier-nuage.example"
    assert entry.content["tags"] == {"industry": ["retail", "trades"], "skill": ["Power BI", "Terraform"]}
    assert entry.content["sizes"] == ["1-9", "1000+"]
    [place] = all_of(DirectoryPlace)
    assert (place.city, place.latitude, place.longitude) == ("Nantes", 47.2159, -1.5526)
    assert actions() == ["created", "updated", "updated", "published"]


def test_the_list_shows_each_country_and_how_it_stands(visitor):
    """R60"""
    make.profile("BE", state="draft", locations=0)
    make.profile("FR", at=clock.now() - timedelta(days=200))
    make.profile("DE", state="taken_back")

    page = visitor.open("/business-profiles")

    rows = [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr")]
    assert [row.split()[0] for row in rows] == ["Belgium", "France", "Germany"]
    assert "Draft" in rows[0] and "Add at least one location" in rows[0]
    assert "Published" in rows[1] and "May be out of date" in rows[1]
    assert "Taken back" in rows[2]
    assert page.has_link("/business-profiles/new")


def test_there_is_one_profile_for_each_country_of_one_s_own_market(visitor):
    """R60, R27"""
    make.profile("FR", state="draft")
    page = visitor.open("/business-profiles/new")
    offered = {option["value"] for option in page.soup.select("select[name=country] option")}

    assert offered == set(MARKETS["EU"].split()) - {"FR"}
    for taken in ("FR", "US", "XX", ""):
        assert visitor.submit(page, country=taken, status=422).errors["country"]
    assert len(all_of(BusinessProfile)) == 1


def test_two_at_once_make_one_profile(visitor):
    page = visitor.open("/business-profiles/new")

    visitor.submit(page, country="FR")
    again = visitor.submit(page, country="FR", status=422)

    assert again.errors["country"]
    assert len(all_of(BusinessProfile)) == 1


def test_a_partner_with_a_profile_everywhere_is_told_so(visitor):
    who = make.actor(REFERRALS)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        for country in MARKETS["EU"].split():
            service.create(country, "Everywhere", by=who, at=clock.now())
        db.session.commit()

    assert not visitor.open("/business-profiles").has_link("/business-profiles/new")
    assert "a profile for every country" in visitor.open("/business-profiles/new").text


# --- limits


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "Fill this in"),
        ("name", "n" * 201, "200"),
        ("description", "d" * 2501, "at most 2500"),
        ("website", "http://atelier.example", "https://"),
        ("website", "javascript:alert(1)", "https://"),
        ("website", "https://user:secret@atelier.example", "https://"),
        ("website", "https://127.0.0.1/", "https://"),
        ("website", "https://atelier.example/" + "x" * 300, "at most 300"),
        ("website", "https://[::1", "https://"),
        ("website", "https://atelier.example:99999", "https://"),
        ("linkedin", "https://linkedin.com.evil.example/company/x", "LinkedIn"),
        ("linkedin", "https://evillinkedin.com/company/x", "LinkedIn"),
        ("linkedin", "https://www.linkedin.com", "LinkedIn"),
        ("linkedin", "http://www.linkedin.com/company/x", "https://"),
        ("skills", ", ".join(f"skill {number}" for number in range(21)), "at most 20"),
        ("skills", "s" * 41, "at most 40"),
        ("sizes", ["7-8"], "Choose one of the list"),
        ("industries", ["retail", "piracy"], "Choose one of the list"),
    ],
)
def test_what_is_beyond_a_limit_is_told_beside_its_field_and_nothing_is_lost(visitor, field, value, told):
    """R60"""
    url = url_of(make.profile(state="draft"))
    kept = {"name": "Kept", "description": "All that was typed stays.", "skills": "Rust", "website": "https://kept.example"}

    page = visitor.submit(visitor.open(url), "#form", status=422, **{**kept, field: value})

    assert told in page.errors.get(field, page.errors[""])
    texts = [str(control.get("value") or control.get_text()) for control in page.soup.select("#form [name]")]
    assert all(text in "".join(texts) for name, text in kept.items() if name != field)
    assert [profile.description for profile in all_of(BusinessProfile)] == ["We move mail and files."]


def test_what_is_just_within_the_limits_is_kept(visitor):
    """R60: 2,500 characters count as people count them."""
    url = url_of(make.profile(state="draft"))
    skills = [f"{number:02}" + "s" * 38 for number in range(20)]

    visitor.submit(visitor.open(url), "#form", description="é\r\n" * 1249 + "éé", skills=", ".join(skills), website="https://atelier.example/" + "x" * 276)

    [profile] = all_of(BusinessProfile)
    assert len(profile.description) == 2500
    assert profile.tags["skill"] == skills
    assert len(profile.website) == 300


def test_a_description_is_plain_text(visitor):
    """S34"""
    made = make.profile(state="draft", description="<script>alert(1)</script> **bold** [link](https://x.example)")

    page = visitor.open(url_of(made) + "/preview")

    assert "<script>alert(1)</script> **bold**" in page.text
    assert "<script>alert" not in page.response.get_data(as_text=True)


@pytest.mark.parametrize("lacking", ["description", "industries", "sizes", "locations"])
def test_what_lacks_something_is_not_published_and_says_what(visitor, lacking):
    """R60"""
    lacks = {"description": {"description": ""}, "industries": {"industries": []}, "sizes": {"sizes": []}, "locations": {"locations": 0}}[lacking]
    made = make.profile(state="draft", **lacks)

    page = visitor.post(url_of(made) + "/publication", status=409)

    assert "not published" in page.text
    [link] = page.soup.select(".notice.bad li a")
    assert page.soup.select_one(str(link["href"])) is not None
    assert all_of(DirectoryEntry) == []
    assert [profile.state for profile in all_of(BusinessProfile)] == [ProfileState.DRAFT]


def test_every_tag_has_a_name_and_fits_where_it_is_kept():
    """R60"""
    with databases.database(databases.ENGINES[0]).app.app_context():
        for kind, names in taxonomy.LISTS.items():
            assert all(taxonomy.name(kind, code) and len(f"{kind}/{code}") <= 80 for code in names)
            assert len(set(map(str, names.values()))) == len(names)
        assert "Migration to the cloud" in taxonomy.labels({"service": ["migration", "unknown"]})
        assert taxonomy.name(TagKind.SKILL, "anything") == ""


# --- locations


def test_a_profile_has_at_most_five_locations(visitor):
    """R60"""
    made = make.profile(state="draft", locations=5)
    url = url_of(made)
    assert not visitor.open(url).has_link(f"{url}/locations/new")

    page = visitor.submit(visitor.open(f"{url}/locations/new"), status=422, **PLACE)

    assert "at most 5" in page.errors[""]
    assert len(all_of(ProfileLocation)) == 5


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("street", "", "Fill this in"),
        ("postal_code", "4400", "postal"),
        ("city", "", "Fill this in"),
        ("latitude", "95", "from -90 to 90"),
        ("latitude", "north", "from -90 to 90"),
        ("longitude", "-180.5", "from -180 to 180"),
        ("longitude", "1e2", "from -180 to 180"),
        ("latitude", "nan", "from -90 to 90"),
        ("latitude", "", "Look the city up"),
        ("phone", "none", "telephone"),
        ("name", "n" * 101, "at most 100"),
    ],
)
def test_an_address_is_checked_as_registered_ones_are(visitor, field, value, told):
    """R60, R10"""
    url = url_of(make.profile(state="draft", locations=0)) + "/locations/new"

    page = visitor.submit(visitor.open(url), status=422, **{**PLACE, field: value})

    assert told in page.errors[field]
    assert all_of(ProfileLocation) == []
    for name, typed in PLACE.items():
        if name != field:
            assert page.soup.select_one(f"#form [name={name}]")["value"] == typed


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_coordinates_are_taken_from_a_city_and_nothing_typed_is_lost(visitor, htmx):
    """R60: without a script by a round trip."""
    url = url_of(make.profile(state="draft", locations=0)) + "/locations/new"
    page = visitor.submit(visitor.open(url), button="Look up", htmx=htmx, name="Shop", street="1 rue X", place="nant")

    assert [button.get_text(strip=True) for button in page.soup.select("[name=city_id]")][:2] == ["Nantes", "Nanterre"]
    page = visitor.submit(page, "#form", button="Nantes", htmx=htmx, postal_code="44000")
    values = {control["name"]: control.get("value", "") for control in page.soup.select("#form input[name]")}
    assert (values["name"], values["street"], values["postal_code"], values["city"]) == ("Shop", "1 rue X", "44000", "Nantes")
    assert (values["latitude"], values["longitude"]) == ("47.21725", "-1.55336")
    assert all_of(ProfileLocation) == []
    visitor.submit(page, "#form", htmx=htmx)

    assert [(place.name, place.city, place.latitude) for place in all_of(ProfileLocation)] == [("Shop", "Nantes", 47.21725)]


def test_without_coordinates_the_cities_of_the_address_are_offered(visitor):
    url = url_of(make.profile(state="draft", locations=0)) + "/locations/new"

    page = visitor.submit(visitor.open(url), status=422, **{**PLACE, "latitude": "", "longitude": ""})

    assert [button.get_text(strip=True) for button in page.soup.select("[name=city_id]")] == ["Nantes"]


def test_an_unknown_city_is_told(visitor):
    url = url_of(make.profile("BE", state="draft", locations=0)) + "/locations/new"

    page = visitor.submit(visitor.open(url), button="Look up", place="Nantes")  # not in Belgium

    assert "No city is called that in Belgium" in page.text
    for wrong in ("2990969", "0", "x", "9" * 30):  # Nantes's number, and none
        assert visitor.post(url, {"city_id": wrong, "place": "Gent"}, status=200).soup.select_one("[name=latitude]")["value"] == ""


def test_a_location_sent_twice_is_one(visitor):
    url = url_of(make.profile(state="draft", locations=0)) + "/locations/new"
    page = visitor.open(url)

    visitor.submit(page, **PLACE)
    visitor.submit(page, **PLACE)

    assert len(all_of(ProfileLocation)) == 1


def test_a_location_is_changed_and_removed(visitor):
    made = make.profile(state="draft", locations=2)
    url = url_of(made)
    first = all_of(ProfileLocation)[0].public_id

    page = visitor.submit(visitor.open(f"{url}/locations/{first}"), name="Other", phone="+32 2 537 12 40")
    assert page.flashes == ["The location is saved."]
    assert [place.name for place in all_of(ProfileLocation)] == ["Other", "Place 2"]
    page = visitor.open(f"{url}/locations/{first}/removal")
    assert "Other" in page.text
    visitor.submit(page)

    assert [place.name for place in all_of(ProfileLocation)] == ["Place 2"]
    visitor.get(f"{url}/locations/{first}", 404)


def test_a_location_belongs_to_its_own_profile(visitor):
    french, belgian = make.profile("FR", state="draft").public_id, make.profile("BE", state="draft").public_id
    place = all_of(ProfileLocation)[0].public_id

    visitor.get(f"/business-profiles/{french}/locations/{place}")
    visitor.get(f"/business-profiles/{belgian}/locations/{place}", 404)
    visitor.post(f"/business-profiles/{belgian}/locations/{place}/removal", status=404)
    assert len(all_of(ProfileLocation)) == 2


# --- two people at once


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_the_second_editor_is_told_and_may_then_save(people, visitor, htmx):
    """R104"""
    url = url_of(make.profile(state="draft"))
    other = people("admin@atelier-nuage.example")
    theirs = other.open(url)
    visitor.submit(visitor.open(url), "#form", description="First.", products=["office"])

    page = other.submit(theirs, "#form", status=409, htmx=htmx, description="Second.")

    assert "It now says “First.”" in page.errors["description"]
    assert "Office and collaboration" in page.errors[""]
    assert "Second." in page.soup.select_one("textarea").get_text()
    other.submit(page, "#form", htmx=htmx)
    assert [profile.description for profile in all_of(BusinessProfile)] == ["Second."]


def test_logo_and_locations_are_changed_beside_an_open_form(visitor):
    """R104: what somebody else changed elsewhere in the profile makes nothing stale."""
    url = url_of(make.profile(state="draft"))
    page = visitor.open(url)
    visitor.submit(visitor.open(f"{url}/locations/new"), **PLACE)

    visitor.submit(page, "#form", description="Still mine.")

    assert [profile.description for profile in all_of(BusinessProfile)] == ["Still mine."]


def test_the_second_editor_of_a_location_is_told(people, visitor):
    """R104"""
    made = make.profile(state="draft")
    url = f"{url_of(made)}/locations/{all_of(ProfileLocation)[0].public_id}"
    other = people("admin@atelier-nuage.example")
    theirs = other.open(url)
    visitor.submit(visitor.open(url), street="2 rue Neuve")

    page = other.submit(theirs, status=409, street="3 rue Vieille")

    assert "2 rue Neuve" in page.errors["street"]


# --- published, changed, taken back


def test_changes_wait_until_they_are_published(visitor):
    """R60"""
    made = make.profile()
    url = url_of(made)

    page = visitor.submit(visitor.open(url), "#form", description="Better words.")

    assert "Changes not published" in page.text
    assert [entry.content["description"] for entry in all_of(DirectoryEntry)] == ["We move mail and files."]
    page = visitor.submit(page, f"{url}/publication")
    assert "Changes not published" not in page.text
    assert [entry.content["description"] for entry in all_of(DirectoryEntry)] == ["Better words."]


def test_a_change_that_is_undone_leaves_nothing_to_publish(visitor):
    url = url_of(make.profile())
    page = visitor.submit(visitor.open(url), "#form", description="Other words.")

    page = visitor.submit(page, "#form", description="We move mail and files.")

    assert "Changes not published" not in page.text
    assert not page.soup.select(f"form[action='{url}/publication']")


def test_publishing_anew_keeps_addresses_and_rank(visitor):
    """R61, R57"""
    made = make.profile(locations=2)
    url = url_of(made)
    entry, places = all_of(DirectoryEntry)[0].public_id, [place.public_id for place in all_of(DirectoryPlace)]
    with writing():
        db.session.execute(sa.update(DirectoryEntry).values(rank=730))
        db.session.commit()

    page = visitor.submit(visitor.open(url), "#form", name="Another name")
    visitor.submit(page, f"{url}/publication")
    assert [(row.public_id, row.rank, row.name) for row in all_of(DirectoryEntry)] == [(entry, 730, "Another name")]
    visitor.submit(visitor.open(f"{url}/publication/removal"))
    assert all_of(DirectoryEntry) == [] == all_of(DirectoryPlace)
    visitor.submit(visitor.open(url), f"{url}/publication")

    assert [row.public_id for row in all_of(DirectoryEntry)] == [entry] == [UUID(url.rpartition("/")[2])]
    assert [row.public_id for row in all_of(DirectoryPlace)] == places
    assert actions()[-4:] == ["updated", "published", "taken_back", "published"]


def test_publishing_twice_is_once(visitor):
    url = url_of(make.profile())

    visitor.post(f"{url}/publication")

    assert actions().count("published") == 1
    visitor.post(f"{url}/publication/removal")
    visitor.post(f"{url}/publication/removal", status=409)
    assert actions().count("taken_back") == 1


def test_only_a_draft_is_deleted(visitor):
    """R60"""
    url = url_of(make.profile("BE", state="draft", logo=picture()))
    kept = url_of(make.profile("FR"))

    page = visitor.submit(visitor.open(f"{url}/deletion"))
    assert page.flashes == ["The draft is deleted."]
    visitor.get(url, 404)
    assert "it is kept" in visitor.open(f"{kept}/deletion").text
    visitor.post(f"{kept}/deletion", status=409)

    assert [profile.country for profile in all_of(BusinessProfile)] == ["FR"]
    assert len(all_of(ProfileLocation)) == 1


def test_every_state_is_reached():
    assert set(PROFILE.transitions.values()) | {ProfileState.DRAFT} == set(ProfileState)
    assert PROFILE.final() == set()


# --- growing old


def reminders():
    db.session.rollback()
    found = [mail.recipient for mail in db.session.scalars(sa.select(Mail).where(Mail.kind == "directory/stale"))]
    db.session.rollback()
    return found


def test_a_profile_unchanged_for_six_months_is_brought_to_mind_once(visitor):
    """R60"""
    url = url_of(make.profile())

    with clock.shifted(timedelta(days=170)):
        jobs.run("remind_of_profiles")
    assert reminders() == []
    for day in (184, 185, 300):
        with clock.shifted(timedelta(days=day)):
            jobs.run("remind_of_profiles")
    assert reminders() == [REFERRALS]
    mail = db.session.scalars(sa.select(Mail).where(Mail.kind == "directory/stale")).one()
    assert "France" in mail.subject and url in mail.text
    with clock.shifted(timedelta(days=370)):
        jobs.run("remind_of_profiles")
    assert reminders() == [REFERRALS] * 2


def test_still_right_starts_the_six_months_anew(visitor, monkeypatch):
    """R60"""
    url = url_of(make.profile(at=clock.now() - timedelta(days=190)))
    page = visitor.open(url)
    assert "Unchanged for six months" in page.text

    page = visitor.submit(page, f"{url}/confirmation")

    assert "Unchanged for six months" not in page.text
    db.session.rollback()
    jobs.run("remind_of_profiles")
    assert reminders() == []
    assert actions()[-1] == "confirmed"
    assert "Changes not published" not in page.text


def test_without_a_referrals_admin_the_global_admins_are_reminded(app):
    """R60"""
    make.profile(by=COMPETITOR, at=clock.now() - timedelta(days=190))
    db.session.rollback()

    jobs.run("remind_of_profiles")

    assert reminders() == [COMPETITOR]


@pytest.mark.parametrize("state", ["draft", "taken_back"])
def test_what_nobody_sees_grows_not_old(visitor, state):
    url = url_of(make.profile(state=state, at=clock.now() - timedelta(days=400)))
    db.session.rollback()

    jobs.run("remind_of_profiles")

    assert reminders() == []
    assert "Unchanged for six months" not in visitor.open(url).text


# --- who sees what


def test_partners_do_not_see_each_other_s_profiles(people, visitor):
    """R2"""
    url = url_of(make.profile(state="draft"))
    other = people(COMPETITOR)

    assert url not in other.open("/business-profiles").response.get_data(as_text=True)
    for page in ("", "/preview", "/locations/new", "/publication/removal", "/deletion"):
        other.get(url + page, 404)
    for action in ("", "/logo", "/logo/removal", "/locations/new", "/publication", "/publication/removal", "/confirmation", "/deletion"):
        other.post(url + action, status=404)
    assert [profile.state for profile in all_of(BusinessProfile)] == [ProfileState.DRAFT]


def test_the_government_cloud_has_no_profiles(people):
    """R62"""
    visitor = people("admin@potomac-stratus.example")

    assert not visitor.open("/").has_link("/business-profiles")
    for page in ("", "/new", f"/{uuid7()}"):
        visitor.get(f"/business-profiles{page}", 404)


def test_only_those_who_look_after_referrals_have_it_in_their_menu(people):
    assert people(REFERRALS).open("/").has_link("/business-profiles")
    assert not people("sales@atelier-nuage.example").open("/").has_link("/business-profiles")


def test_the_log_names_what_changed_in_words(people, visitor):
    """R95"""
    visitor.submit(visitor.open(url_of(make.profile(state="draft"))), "#form", industries=["banking"], sizes=["10-49"], skills="Rust")

    text = people("admin@atelier-nuage.example").open("/activity").text

    assert "Business profile changed" in text
    for word in ("Banking and insurance", "10 to 49 people", "Rust"):
        assert word in text
    assert not re.search("industry/|profile_tags", text)
