"""`portal serve`: gunicorn with threads, one application loaded once, the job runner embedded in the first worker that gets the lock."""

from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from portal.config import Settings
from portal.core import jobs


class PortalServer(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, *, host: str, port: int, workers: int, run_jobs: bool) -> None:
        self.application = app
        self.settings: Settings = app.config["SETTINGS"]
        self.bind = f"{host}:{port}"
        self.workers = workers
        self.run_jobs = run_jobs
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": self.bind,
            "workers": self.workers,
            "worker_class": "gthread",
            "threads": 8,
            "preload_app": True,
            "timeout": 60,
            "graceful_timeout": 15,
            "keepalive": 30,
            "limit_request_line": 8190,
            "accesslog": None,
            "loglevel": "warning",
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108  (heartbeats belong in memory)
            "control_socket_disable": True,
            "post_fork": self._forked,
            "worker_exit": self._exits,
            "forwarded_allow_ips": "" if not self.settings.trusted_proxies else "*",
            "proc_name": "portal",
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        with self.application.app_context():
            from portal.core.db import db

            db.engine.dispose()
        return self.application

    def _forked(self, server: object, worker: object) -> None:
        from portal.core.db import db

        with self.application.app_context():
            db.engine.dispose(close=False)
        if self.run_jobs:
            self.runner = jobs.Runner(self.application, self.settings.instance / "jobs.lock")
            self.runner.start()

    def _exits(self, server: object, worker: object) -> None:
        if self.run_jobs:
            self.runner.stop()
