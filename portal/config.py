"""Settings: read once from the environment; unsafe production values are refused."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
SAMPLE_SECRETS = {"changeme", "change-me", "secret", "dev", "development", "password", "portal", "your-secret-key"}
SHORTEST_SECRET = 32
TRANSLATIONS = Path(__file__).parent / "translations"


class ConfigurationError(Exception):
    """The environment asks for something the portal will not start with; the message says how to mend it."""


@dataclass(frozen=True)
class Settings:
    """Everything an operator can set; `docs` are the names in README's table."""

    secret_key: str = field(repr=False)
    database_url: str = field(repr=False)
    base_url: str
    instance: Path
    redis_url: str | None = field(default=None, repr=False)
    mail_server: str | None = None
    mail_port: int = 25
    mail_username: str | None = None
    mail_password: str | None = field(default=None, repr=False)
    mail_use_tls: bool = False
    mail_default_sender: str = "portal@localhost"
    languages: tuple[str, ...] = ("en", "fr")
    demo_password: str = "demo portal 2026"  # noqa: S105  (public on purpose: the demo world refuses production)
    trusted_proxies: int = 0
    metrics_token: str | None = field(default=None, repr=False)
    password_cost: str = "production"  # noqa: S105  (how much work a password hash is)

    @property
    def production(self) -> bool:
        """In production unless the base URL is plain http on loopback."""
        parts = urlsplit(self.base_url)
        return not (parts.scheme == "http" and parts.hostname in LOOPBACK)

    @property
    def secure(self) -> bool:
        """Whether people reach the portal over https (cookies are then `Secure` and `__Host-`)."""
        return self.base_url.startswith("https://")

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def from_environment(environ: Mapping[str, str] | None = None, *, port: int = 8000) -> Settings:
    """Read `PORTAL_*`; raises ConfigurationError with a message that says what to set."""
    env = os.environ if environ is None else environ
    instance = Path(env.get("PORTAL_INSTANCE", "instance")).absolute()
    base_url = env.get("PORTAL_BASE_URL", f"http://127.0.0.1:{port}").rstrip("/")
    host = _host(base_url)
    settings = Settings(
        secret_key=env.get("PORTAL_SECRET_KEY", ""),
        database_url=env.get("PORTAL_DATABASE_URL") or f"sqlite:///{instance / 'portal.sqlite3'}",
        base_url=base_url,
        instance=instance,
        redis_url=env.get("PORTAL_REDIS_URL") or None,
        mail_server=env.get("PORTAL_MAIL_SERVER") or None,
        mail_port=_whole_number(env, "PORTAL_MAIL_PORT", 25),
        mail_username=env.get("PORTAL_MAIL_USERNAME") or None,
        mail_password=env.get("PORTAL_MAIL_PASSWORD") or None,
        mail_use_tls=_switch(env, "PORTAL_MAIL_USE_TLS"),
        mail_default_sender=env.get("PORTAL_MAIL_DEFAULT_SENDER") or f"portal@{host}",
        languages=_languages(env.get("PORTAL_LANGUAGES") or "en,fr"),
        demo_password=env.get("PORTAL_DEMO_PASSWORD") or "demo portal 2026",
        trusted_proxies=_whole_number(env, "PORTAL_TRUSTED_PROXIES", 0),
        metrics_token=env.get("PORTAL_METRICS_TOKEN") or None,
    )
    return _with_secret(settings)


def _with_secret(settings: Settings) -> Settings:
    if settings.production:
        weak = len(settings.secret_key) < SHORTEST_SECRET or settings.secret_key.lower() in SAMPLE_SECRETS
        if weak or len(set(settings.secret_key)) < 8:
            raise ConfigurationError(
                "PORTAL_SECRET_KEY is missing or too weak for production. Make one with\n"
                '  python3 -c "import secrets; print(secrets.token_urlsafe(48))"\n'
                "and keep it: links already sent and open sessions depend on it."
            )
        return settings
    if settings.secret_key:
        return settings
    return Settings(**{**settings.__dict__, "secret_key": _kept_secret(settings.instance)})


def _kept_secret(instance: Path) -> str:
    """A secret for use outside production, made once and kept beside the database."""
    path, fresh = instance / "secret", instance / f".secret-{secrets.token_hex(4)}"
    if not path.exists():
        instance.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):  # another process was a moment faster: its secret counts
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_text().strip()


def _host(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        good = (
            parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and base_url == f"{parts.scheme}://{parts.netloc}" and not parts.username
        )
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"PORTAL_BASE_URL must be like https://portal.example, not {base_url!r}.")
    return str(parts.hostname)


def _languages(text: str) -> tuple[str, ...]:
    offered = ["en", *sorted(path.parent.name for path in TRANSLATIONS.glob("*/LC_MESSAGES"))]
    chosen = tuple(dict.fromkeys(filter(None, text.replace(" ", "").split(","))))
    for code in chosen:
        if code not in offered:
            raise ConfigurationError(f"PORTAL_LANGUAGES: there is no translation into {code!r}, only {', '.join(offered)}.")
    return chosen or ("en",)


def _switch(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").lower()
    if value not in ("", "0", "false", "no", "off", "1", "true", "yes", "on"):
        raise ConfigurationError(f"{name} must be yes or no, not {env[name]!r}.")
    return value in ("1", "true", "yes", "on")


def _whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal():
        raise ConfigurationError(f"{name} must be a whole number, not {text!r}.")
    return int(text)
