"""Settings: read once, refused when unsafe, with words that say how to mend them (S20)."""

import threading

import pytest

from portal.config import ConfigurationError, Settings, from_environment

GOOD = "k7VZ0u2Lw9sQe4RtY1uI8oP3aSdF6gHj"


def read(tmp_path, **env):
    return from_environment({"PORTAL_INSTANCE": str(tmp_path), **env})


def test_without_any_setting_it_runs_on_this_machine_only(tmp_path):
    settings = from_environment({"PORTAL_INSTANCE": str(tmp_path)}, port=8123)

    assert settings.base_url == "http://127.0.0.1:8123"
    assert not settings.production
    assert settings.sqlite
    assert settings.mail_server is None
    assert settings.trusted_proxies == 0
    assert settings.languages == ("en", "fr")


@pytest.mark.parametrize(
    ("base_url", "production", "secure"),
    [
        ("http://127.0.0.1:8000", False, False),
        ("http://localhost", False, False),
        ("http://[::1]:8000", False, False),
        ("https://localhost", True, True),
        ("http://portal.example", True, False),
        ("https://portal.example/", True, True),
        ("http://127.0.0.1.evil.example", True, False),
    ],
)
def test_it_is_in_production_unless_on_plain_http_on_loopback(tmp_path, base_url, production, secure):
    settings = read(tmp_path, PORTAL_BASE_URL=base_url, PORTAL_SECRET_KEY=GOOD)

    assert settings.production is production
    assert settings.secure is secure
    assert not settings.base_url.endswith("/")


@pytest.mark.parametrize(
    "base_url",
    [
        "portal.example",
        "ftp://portal.example",
        "https://",
        "https://portal.example/path",
        "https://portal.example?x=1",
        "https://a:b@portal.example",
        "https://[",
        "https://portal.example:port",
        "https://portal.example#x",
    ],
)
def test_a_base_url_that_is_none_is_refused(tmp_path, base_url):
    with pytest.raises(ConfigurationError, match=r"PORTAL_BASE_URL must be like https://portal\.example"):
        read(tmp_path, PORTAL_BASE_URL=base_url, PORTAL_SECRET_KEY=GOOD)


@pytest.mark.parametrize("secret", ["", "secret", "changeme", "change-me", "short but mixed 1!", "a" * 64, "abcabc" * 8])
def test_production_does_not_start_with_a_missing_or_weak_secret(tmp_path, secret):
    """S20: and says how to make one."""
    with pytest.raises(ConfigurationError, match=r"token_urlsafe\(48\)"):
        read(tmp_path, PORTAL_BASE_URL="https://portal.example", PORTAL_SECRET_KEY=secret)


def test_production_starts_with_a_good_one(tmp_path):
    assert read(tmp_path, PORTAL_BASE_URL="https://portal.example", PORTAL_SECRET_KEY=GOOD).secret_key == GOOD


def test_outside_production_a_secret_is_made_once_and_kept_to_oneself(tmp_path):
    """S20: no default secret; sessions survive a restart."""
    first = read(tmp_path).secret_key

    assert len(first) >= 64
    assert read(tmp_path).secret_key == first
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path / "elsewhere").secret_key != first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["secret"]


def test_processes_that_start_together_share_one_secret(tmp_path):
    start, found = threading.Barrier(8), []

    def work(number):
        start.wait()
        found.append(read(tmp_path).secret_key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert len(found) == 8


def test_secrets_are_not_in_what_is_printed(tmp_path):
    settings = read(tmp_path, PORTAL_SECRET_KEY=GOOD, PORTAL_MAIL_PASSWORD="hunter2hunter2", PORTAL_METRICS_TOKEN="metrics-token")

    assert GOOD not in repr(settings)
    assert "hunter2" not in repr(settings)
    assert "metrics-token" not in repr(settings)


@pytest.mark.parametrize(("text", "languages"), [("fr", ("fr",)), ("fr, en", ("fr", "en")), ("en,en", ("en",)), (" ", ("en",)), ("", ("en", "fr"))])
def test_languages(tmp_path, text, languages):
    assert read(tmp_path, PORTAL_LANGUAGES=text).languages == languages


@pytest.mark.parametrize("text", ["xx", "en,../etc", "de"])
def test_a_language_without_a_translation_is_refused(tmp_path, text):
    with pytest.raises(ConfigurationError, match="PORTAL_LANGUAGES: there is no translation into"):
        read(tmp_path, PORTAL_LANGUAGES=text)


@pytest.mark.parametrize("name", ["PORTAL_MAIL_PORT", "PORTAL_TRUSTED_PROXIES"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5", " "])
def test_a_number_that_is_none_is_refused(tmp_path, name, value):
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
        read(tmp_path, **{name: value})


def test_a_switch_is_on_off_or_refused(tmp_path):
    """TLS that was meant to be on is never off by a misspelling."""
    assert read(tmp_path, PORTAL_MAIL_USE_TLS="True").mail_use_tls
    assert not read(tmp_path, PORTAL_MAIL_USE_TLS="0").mail_use_tls
    with pytest.raises(ConfigurationError, match="PORTAL_MAIL_USE_TLS must be yes or no"):
        read(tmp_path, PORTAL_MAIL_USE_TLS="enabled")


def test_mail_comes_from_the_host_of_the_portal_unless_told_otherwise(tmp_path):
    assert read(tmp_path, PORTAL_BASE_URL="https://portal.example", PORTAL_SECRET_KEY=GOOD).mail_default_sender == "portal@portal.example"
    assert read(tmp_path, PORTAL_MAIL_DEFAULT_SENDER="desk@cumulus.example").mail_default_sender == "desk@cumulus.example"


def test_settings_do_not_change_after_the_start(tmp_path):
    with pytest.raises(AttributeError):
        read(tmp_path).secret_key = "other"
    assert isinstance(read(tmp_path), Settings)
