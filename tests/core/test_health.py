"""What monitoring asks, and what the log does not say (S23, S40)."""

from dataclasses import replace

import sqlalchemy as sa

from portal.core import logs
from portal.core.db import db

AWAY = {"REMOTE_ADDR": "203.0.113.7"}


def test_the_process_lives_and_can_serve(people):
    visitor = people.visitor()

    assert visitor.client.get("/healthz").data == b"ok\n"
    assert visitor.client.get("/readyz").data == b"ready\n"


def test_without_a_migrated_database_it_lives_and_cannot_serve(app, people, monkeypatch):
    def broken(*arguments, **options):
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    visitor = people("sales@atelier-nuage.example")  # whose browser brings a session along
    monkeypatch.setattr(db.session, "execute", broken)
    monkeypatch.setattr(db.session, "connection", broken)

    assert visitor.client.get("/healthz").status_code == 200
    response = visitor.client.get("/readyz")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_metrics_are_for_this_machine_or_the_token_only(app, people, monkeypatch):
    visitor = people.visitor()
    assert b"portal_mail" in visitor.client.get("/metrics").data
    assert visitor.client.get("/metrics", environ_overrides=AWAY).status_code == 404
    assert visitor.client.get("/metrics", environ_overrides=AWAY, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404

    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], metrics_token="a token for metrics"))

    for given, status in (("Bearer a token for metrics", 200), ("Bearer ä", 404), ("Bearer ", 404), ("", 404)):
        assert visitor.client.get("/metrics", environ_overrides=AWAY, headers={"Authorization": given.encode().decode("latin-1")}).status_code == status


def test_a_personal_link_loses_its_token_in_the_log():
    """S23"""
    entry = logs._without_tokens(None, "info", {"event": "GET /connect/abcdefghijklmnopqrstuvwxyz0 and /activation/ABCDEFGHIJKLMNOPQRSTUV_-123", "number": 3})

    assert entry == {"event": "GET /connect/… and /activation/…", "number": 3}
