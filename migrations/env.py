"""Alembic's environment: the application's own engine and metadata; batch mode for SQLite."""

from alembic import context
from flask import current_app

import portal.core.audit
import portal.core.outbox
import portal.core.throttle  # noqa: F401  (tables of the kernel)
from portal.core.db import Base, db

SEARCH = "_search"


def _ours(thing: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Trigram search tables and indexes are made by SQL of their own; huey keeps its own tables."""
    return not (name and (SEARCH in name or name.startswith("huey_")))


def run() -> None:
    current_app.logger.debug("migrating")
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_type=True,
            include_object=_ours,
            user_module_prefix="portal_types.",
        )
        with context.begin_transaction():
            context.run_migrations()


run()
