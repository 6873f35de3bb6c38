"""/healthz says the process lives, /readyz that it can serve, /metrics what it does."""

import hmac

import sqlalchemy as sa
from flask import Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from portal.core.access import Permission
from portal.core.db import db
from portal.core.errors import NotFound
from portal.core.outbox import Mail
from portal.core.routing import Feature

feature = Feature("health", __name__)
LOOPBACK = ("127.0.0.1", "::1")


def healthz() -> Response:
    """Outside the envelope, which begins with the database: the process lives, also while that is away."""
    return Response("ok\n", mimetype="text/plain")


healthz.permission = Permission.ANYONE  # type: ignore[attr-defined]
feature.add_url_rule("/healthz", view_func=healthz, methods=["GET"])


@feature.get("/readyz", permission=Permission.ANYONE)
def readyz() -> Response:
    try:
        db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    except sa.exc.SQLAlchemyError as problem:
        if getattr(problem, "connection_invalidated", False):
            raise  # a connection from before a restart: the envelope tries once more
        db.session.rollback()
        return Response("the database does not answer, or is not migrated\n", 503, mimetype="text/plain", headers={"Retry-After": "5"})
    return Response("ready\n", mimetype="text/plain")


@feature.get("/metrics", permission=Permission.ANYONE)
def metrics() -> Response:
    """For loopback or the token only; everybody else learns nothing of it."""
    token = current_app.config["SETTINGS"].metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if request.remote_addr not in LOOPBACK and not (token and hmac.compare_digest(given.encode(), token.encode())):
        raise NotFound("metrics")
    registry = CollectorRegistry()
    mail = Gauge("portal_mail", "Messages in the outbox by state", ["state"], registry=registry)
    for state, number in db.session.execute(sa.select(Mail.state, sa.func.count()).group_by(Mail.state)):
        mail.labels(state.value).set(number)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
