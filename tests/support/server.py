"""The real `portal serve` in a process of its own, over SQLite with the demo world in it, and a real mail server beside it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from portal import cli, create_app, demo
from portal.accounts import queries, signing_in
from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from tests.support import databases, smtp


class Portal:
    """`url` answers; `mail` keeps what was sent; inside `inside()` the test itself works on the same database."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="portal-serve-"))
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.mail = smtp.Server()
        settings = databases.settings(f"sqlite:///{self.home / 'portal.sqlite3'}", self.home, base_url=self.url)
        self.secret = settings.secret_key
        self.app = create_app(settings)
        self.app.config["JOBS_MUTED"] = True
        cli.migrate(self.app)
        with self.inside(), writing(), scoped(EVERYTHING):
            demo.load(databases.PASSWORD)

    def start(self) -> Self:
        self.mail.start()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")},
            "PORTAL_INSTANCE": str(self.home),
            "PORTAL_BASE_URL": self.url,
            "PORTAL_SECRET_KEY": self.secret,
            "PORTAL_MAIL_SERVER": "127.0.0.1",
            "PORTAL_MAIL_PORT": str(self.mail.port),
        }
        command = [sys.executable, "-c", "from portal.cli import main; main()", "serve", "--port", str(self.port), "--workers", "1"]
        with (self.home / "serve.log").open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + 30
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"portal serve does not answer:\n{self.log}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.mail.stop()
        with self.inside():
            db.engine.dispose()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def log(self) -> str:
        return (self.home / "serve.log").read_text()

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        with self.app.app_context():
            try:
                yield
            finally:
                db.session.rollback()
                db.session.remove()

    def cookie(self, email: str) -> dict[str, Any]:
        """What a browser holds once this person has signed in."""
        with self.inside(), writing():
            user = queries.user_by_email(email)
            assert user is not None, email
            token = signing_in.open_session(user, at=clock.now(), device="Test browser", address="127.0.0.1")
            values = {"_user_id": token, "_fresh": True, "user": user.id}
            db.session.commit()
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
        return {"name": "portal", "value": serializer.dumps(values), "url": self.url, "httpOnly": True, "sameSite": "Lax"}

    def _ready(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
