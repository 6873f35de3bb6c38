"""A throw-away PostgreSQL cluster: unix socket only, no fsync, run by somebody who is not root."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Cluster:
    """Started once per test process; `url(name)` names a database in it."""

    def __init__(self) -> None:
        self.bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.home = Path(tempfile.mkdtemp(prefix="portal-pg-"))
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(self.home, self.user)
        self.home.chmod(0o755)
        self._run("initdb", "-D", str(self.home / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.home}' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60 -c shared_buffers=32MB"
        self._run("pg_ctl", "-D", str(self.home / "data"), "-w", "-l", str(self.home / "log"), "-o", options, "start")
        atexit.register(self.stop)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.home}"

    def execute(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(f"host={self.home} user=postgres dbname=postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def restart(self) -> None:
        self._run("pg_ctl", "-D", str(self.home / "data"), "-w", "-m", "immediate", "-l", str(self.home / "log"), "restart")

    def stop(self) -> None:
        subprocess.run([self.bin / "pg_ctl", "-D", self.home / "data", "-m", "immediate", "stop"], user=self.user, check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.bin / program, *arguments], user=self.user, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", text=True
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout[-2000:]}")


def available() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
