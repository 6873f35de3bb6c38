"""Cities by the beginning of their names, with their coordinates, and without a list in memory."""

import subprocess
import sys

import pytest

from portal.directory import gazetteer


def names(text, *countries):
    return [city.name for city in gazetteer.find(text, countries or None)]


@pytest.mark.parametrize("typed", ["Nantes", "nantes", "NANTE", "Nantes, France", "  nantes "])
def test_a_city_is_found_by_the_beginning_of_its_name(app, typed):
    city = gazetteer.find(typed)[0]

    assert (city.name, city.country, city.region) == ("Nantes", "FR", "")
    assert (round(city.latitude, 1), round(city.longitude, 1)) == (47.2, -1.6)
    assert gazetteer.city(city.id) == city


@pytest.mark.parametrize(
    ("typed", "country", "name"),
    [
        ("saint etienne", "FR", "Saint-Étienne"),
        ("St-Denis", "FR", "Saint-Denis"),
        ("bruxelles", "BE", "Brussels"),
        ("Londres", "GB", "London"),
        ("KOLN", "DE", "Köln"),
        ("s'hertogen", "NL", "'s-Hertogenbosch"),
    ],
)
def test_accents_abbreviations_and_other_languages_make_no_difference(app, typed, country, name):
    assert names(typed, country)[0] == name


def test_the_whole_name_comes_first_then_the_largest(app):
    found = gazetteer.find("Paris")

    assert (found[0].country, found[0].name) == ("FR", "Paris")
    assert all(city.name != "Paris" or city.population <= found[0].population for city in found)
    populations = [city.population for city in gazetteer.find("mar", ["FR"])]
    assert populations == sorted(populations, reverse=True)


def test_only_cities_of_the_countries_asked_for_are_found(app):
    assert {city.country for city in gazetteer.find("par", ["BE", "IT"])} <= {"BE", "IT"}
    assert gazetteer.find("Paris", []) == []
    assert gazetteer.find("Paris", ["US"])[0].region == "TX"


@pytest.mark.parametrize("typed", ["", "x", "?!", "%", "' OR 1=1 --", "zzzzzz", "a" * 5000, "\x00\x00", "🎈🎈"])
def test_what_is_no_beginning_of_a_name_finds_nothing(app, typed):
    assert gazetteer.find(typed, ["FR"]) == []


def test_an_unknown_number_is_no_city(app):
    assert gazetteer.city(0) is None


def test_the_list_costs_a_process_little_memory(tmp_path):
    """At most a tenth of what the list itself would take."""
    program = f"""
import resource
from flask import Flask
from portal.directory import gazetteer
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Flask("x", instance_path={str(tmp_path)!r}).app_context():
    assert gazetteer.find("nantes")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 12  # MB
