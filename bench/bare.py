"""The yardstick: one route, one Core select of the same columns for 50 rows, one template with the same 50-row table."""

import gzip
import os

import sqlalchemy as sa
from flask import Flask, Response, render_template_string
from sqlalchemy import event

TEMPLATE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Customers</title></head><body><h1>Customers</h1><table>
<thead><tr><th>Company</th><th>Primary domain</th><th>Relationship</th><th>Agreement</th></tr></thead><tbody>
{% for row in rows %}<tr><td class="title"><details class="unfold"><summary>{{ row.name }}</summary><p class="small"><span class="muted">Customer ID</span> <code>{{ row.public_id }}</code></p><p class="cluster"><a href="/customers/{{ row.public_id }}">Overview</a><a href="/customers/{{ row.public_id }}/account">Account</a><a href="/customers/{{ row.public_id }}/activity">Activity</a><a href="/customers/{{ row.public_id }}/agreement">Agreement</a></p></details></td><td data-label="Primary domain"><a href="/customers/{{ row.public_id }}">{{ row.domain }}</a></td><td data-label="Relationship"><span class="badge good">{{ row.state }}</span></td><td data-label="Agreement"><span class="badge good">{{ row.agreement }}</span></td></tr>
{% endfor %}</tbody></table></body></html>"""


def create() -> Flask:
    app = Flask(__name__)
    url = os.environ["BENCH_DATABASE_URL"]
    engine = sa.create_engine(url)
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def connect(connection, record):
            for pragma in ("journal_mode=WAL", "cache_size=-4000"):
                connection.execute(f"PRAGMA {pragma}")

    customer = sa.table(
        "customer",
        *(sa.column(name) for name in ("id", "name", "name_key", "domain", "state", "agreement", "partner_id", "ended")),
        sa.column("public_id", sa.Uuid()),
    )
    columns = [customer.c[name] for name in ("id", "public_id", "name", "name_key", "domain", "state", "agreement")]
    statement = (
        sa.select(*columns)
        .where(customer.c.partner_id == int(os.environ["BENCH_PARTNER"]), customer.c.ended == 0)
        .order_by(customer.c.name_key, customer.c.id)
        .limit(50)
    )

    @app.get("/")
    def index() -> Response:
        with engine.connect() as connection:
            rows = connection.execute(statement).all()
        response = Response(render_template_string(TEMPLATE, rows=rows), mimetype="text/html")
        response.set_data(gzip.compress(response.get_data(), 4, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        return response

    return app
