"""Fixtures for every test: a fresh copy of the small world on both databases, and its people."""

import functools
import gc
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.activity.texts import FIELDS
from portal.core import lists
from portal.core.db import db, writing
from tests.support import databases
from tests.support.page import Visitor

# No test is timed: a busy machine says nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    try:
        from pytest_socket import disable_socket  # noqa: F401
    except ImportError:
        return
    config.option.allow_hosts = "127.0.0.1,localhost,::1"
    config.option.allow_unix_socket = True


@pytest.fixture(autouse=True)
def _labelled() -> Iterator[None]:
    """Whatever a test logs, people can read it: the keys of its details stand in the log's vocabulary."""
    event.listen(Session, "before_commit", _check_labels, insert=True)
    yield
    event.remove(Session, "before_commit", _check_labels)


def _check_labels(session: Session) -> None:
    for entry in session.info.get("log", ()):
        unknown = {key for side in entry.details.values() for key in side} - FIELDS.keys()
        assert not unknown, f"{entry.action} tells {unknown}, which portal/activity/texts.py gives no label"


@pytest.fixture(params=databases.ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(engine: str) -> Iterator[Flask]:
    """The application over a fresh copy of the world; with an application context."""
    database = databases.database(engine)
    database.fresh()
    database.app.extensions["throttle"][True].storage.reset()
    with database.app.app_context():
        yield database.app
        db.session.rollback()
        db.session.remove()


class People:
    """People of the world, each with a browser of their own."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def visitor(self) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(self.app)

    def __call__(self, email: str) -> Visitor:
        """This person, signed in."""
        from portal.accounts import queries, signing_in
        from portal.core import clock

        visitor = Visitor(self.app)
        with self.app.app_context(), writing():
            user = queries.user_by_email(email)
            assert user is not None, email
            token = signing_in.open_session(user, at=clock.now(), device="Test browser", address="127.0.0.1")
            user_id = user.id
            db.session.commit()
        with visitor.client.session_transaction() as session:
            session["_user_id"] = token
            session["_fresh"] = True
            session["user"] = user_id
        return visitor


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lists with so many rows a page, in statements that are built for them alone."""

    def shorten(rows: int) -> None:
        monkeypatch.setattr(lists, "PAGE_SIZE", rows)
        _forget_statements()

    yield shorten
    _forget_statements()


def _forget_statements() -> None:
    for found in gc.get_objects():
        if isinstance(found, functools._lru_cache_wrapper) and str(getattr(found, "__module__", "")).startswith("portal."):
            found.cache_clear()


@pytest.fixture
def people(app: Flask) -> Callable[[str], Visitor]:
    return People(app)
