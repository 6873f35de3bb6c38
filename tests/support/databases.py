"""The two databases of the tests: a template with the small world in it, made once a process, and a fresh copy for each test.

A copy instead of an outer transaction: commits are real, hooks after the commit run, several connections may work at once.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from flask import Flask

from portal import cli, create_app
from portal.config import Settings
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from tests.support import postgres, world

REQUIRED = set(filter(None, os.environ.get("PORTAL_REQUIRE", "").split(",")))
ENGINES = os.environ.get("PORTAL_TEST_ENGINES", "sqlite,postgres").split(",")
PASSWORD = "demo portal 2026"


def settings(url: str, instance: Path, **changes: object) -> Settings:
    values: dict[str, object] = {
        "secret_key": "a secret for the tests, long enough to be one",
        "database_url": url,
        "base_url": "http://localhost",
        "instance": instance,
        "password_cost": "test",
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


class Database:
    """One engine: its application, its template, and the copy that the present test uses."""

    def __init__(self) -> None:
        base = "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None
        self.home = Path(tempfile.mkdtemp(prefix="portal-test-", dir=base))
        self.app = self._make_app()

    def _make_app(self) -> Flask:
        raise NotImplementedError

    def fresh(self) -> None:
        """A new copy of the template for this test."""
        raise NotImplementedError

    def _fill(self) -> None:
        cli.migrate(self.app)
        with self.app.app_context():
            with writing(), scoped(EVERYTHING):
                world.load(PASSWORD)
                db.session.commit()
            db.session.remove()
            db.engine.dispose()

    def _configured(self, url: str) -> Flask:
        app = create_app(settings(url, self.home))
        app.config["TESTING"] = True
        app.config["JOBS_MUTED"] = True
        return app

    def dispose(self) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


class Sqlite(Database):
    def _make_app(self) -> Flask:
        self.path = self.home / "portal.sqlite3"
        self.app = self._configured(f"sqlite:///{self.path}")
        self._fill()
        self._remove_journals()
        shutil.copy(self.path, self.home / "template.sqlite3")
        return self.app

    def fresh(self) -> None:
        self.dispose()
        self._remove_journals()
        self.path.unlink()
        shutil.copy(self.home / "template.sqlite3", self.path)

    def _remove_journals(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


class Postgres(Database):
    def _make_app(self) -> Flask:
        self.cluster = postgres.Cluster()
        self.cluster.execute("CREATE DATABASE work")
        self.app = self._configured(self.cluster.url("work"))
        self._fill()
        self.cluster.execute("ALTER DATABASE work RENAME TO world")
        self.missing = True
        return self.app

    def fresh(self) -> None:
        self.dispose()
        self.cluster.execute("DROP DATABASE IF EXISTS work WITH (FORCE)", "CREATE DATABASE work TEMPLATE world")


_made: dict[str, Database] = {}


def database(engine: str) -> Database:
    """The database of this engine; a missing PostgreSQL skips, or fails where it is required."""
    if engine not in _made:
        if engine == "postgres" and not postgres.available():
            if "postgres" in REQUIRED:
                pytest.fail("PostgreSQL is required and not installed: apt-get install postgresql")
            pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
        _made[engine] = Sqlite() if engine == "sqlite" else Postgres()
    return _made[engine]
