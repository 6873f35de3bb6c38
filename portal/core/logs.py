"""The program's own log: one JSON object a line on standard error, without secrets or forged lines (S40)."""

import logging
import re
import sys

import structlog
from flask import Flask

_TOKEN = re.compile(r"(/(?:connect|activation|forgotten-password)/)[\w-]{16,}")


def init_app(app: Flask) -> None:
    """Send everything through structlog's JSON, once per process."""
    root = logging.getLogger()
    if any(isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, structlog.processors.TimeStamper(fmt="iso", utc=True)],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_tokens,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("huey", "huey.consumer", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _without_tokens(logger: object, name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """A personal link in a logged address loses its token (S23)."""
    return {key: _TOKEN.sub(r"\1…", value) if isinstance(value, str) else value for key, value in event.items()}
