"""`make bench`: prints one table and writes bench/results.json. BENCH_SIZES, BENCH_ENGINES and BENCH_ROUNDS narrow or widen it."""

import contextlib
import http.client
import itertools
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from bench import data, directory, leads, selling
from bench.selling import FRAGMENT
from portal import cli, create_app, demo
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped
from portal.core.sheets import MOST_ROWS
from portal.subscriptions.catalog_table import COLUMNS
from tests.support import postgres
from tests.support.databases import settings

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000,100000").split(",")]
ENGINES = os.environ.get("BENCH_ENGINES", "sqlite,postgres").split(",")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
REQUESTS = 40
PASSWORD = "demo portal 2026"
PROFILES, LEADS = 50_000, 100_000  # beside the largest number of customers
PEOPLE = ["admin", "users", "billing", "agent", "sales", "helpdesk"]
Rows = list[dict[str, object]]


def main() -> None:
    results: Rows = []
    for engine in ENGINES:
        if engine == "postgres" and not postgres.available():
            print("PostgreSQL is not installed; left out.")
            continue
        for size in SIZES:
            results += measured(engine, size)
    show(results)
    Path("bench/results.json").write_text(json.dumps(results, indent=1))


def measured(engine: str, size: int) -> Rows:
    home = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    cluster = postgres.Cluster() if engine == "postgres" else None
    if cluster is not None:
        cluster.execute("CREATE DATABASE bench")
    url = cluster.url("bench") if cluster else f"sqlite:///{home / 'portal.sqlite3'}"
    app = create_app(settings(url, home, password_cost="production"))
    cli.migrate(app)
    with app.app_context():
        with writing(), scoped(EVERYTHING):
            demo.load_organizations(PASSWORD, at=demo.clock.now())
            db.session.commit()
            partner = demo._organization(demo.ATELIER).id
            middle = data.load(size)
            made = directory.load(PROFILES) if size == max(SIZES) else None
            leads.load(LEADS if made else 0)
            tellier = demo._organization("maison-tellier.example").public_id
            sold = selling.load(partner, size, 5 * size)
            selling.let_buy(partner, size // 50)
            analyse()
        db.session.remove()
        db.engine.dispose()
    environment = os.environ | {
        "PORTAL_INSTANCE": str(home), "PORTAL_DATABASE_URL": url, "PORTAL_SECRET_KEY": "a secret for the benchmark, long enough", "BENCH_DATABASE_URL": url, "BENCH_PARTNER": str(partner),
    }  # fmt: skip
    ours, bare = free_port(), free_port()
    portal = subprocess.Popen(
        [sys.executable, "-m", "portal.cli", "serve", "--port", str(ours), "--workers", "1", "--no-jobs"], env=environment, stdout=subprocess.DEVNULL
    )
    yardstick = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-b",
            f"127.0.0.1:{bare}",
            "-k",
            "gthread",
            "--threads",
            "8",
            "--preload",
            "--log-level",
            "error",
            "--keep-alive",
            "300",
            "bench.bare:create()",
        ],
        env=environment,
    )
    try:
        wait_for(ours, "/readyz")
        wait_for(bare, "/")
        clients = [Client(ours) for _ in PEOPLE]
        for client, person in zip(clients, PEOPLE, strict=True):
            client.sign_in(f"{person}@atelier-nuage.example")
        client = clients[0]
        rows = compare(clients, Client(bare), portal.pid, yardstick.pid, customer_cases(middle))
        bare_row = rows[-1]
        readers = [client for person, client in zip(PEOPLE, clients, strict=True) if person != "users"]  # who sees no subscriptions
        rows += compare(readers, Client(bare), portal.pid, yardstick.pid, selling.reading(sold))[:-1]
        sellers = [clients[PEOPLE.index(person)] for person in ("admin", "agent", "sales")]
        fill(sellers[0], tellier, sold["offer"], 1)
        rows += compare(sellers, Client(bare), portal.pid, yardstick.pid, selling.ordering(sold, tellier))[:-1]
        buyer = Client(ours)
        buyer.sign_in(selling.BUYER)
        rows += compare([buyer, buyer], Client(bare), portal.pid, yardstick.pid, selling.shopping())[:-1]
        if made:
            visitors = [Client(ours, address=f"127.0.0.{number}") for number in range(2, 8)]
            rows += compare(visitors, Client(bare), portal.pid, yardstick.pid, {name: (url, {}) for name, url in directory.cases(made).items()})[:-1]
            rows += compare([clients[0].twin(), clients[PEOPLE.index("sales")].twin()], Client(bare), portal.pid, yardstick.pid, LEAD_CASES)[:-1]
        rows.append(placement(clients[4].twin(), portal.pid, tellier, sold["offer"], bare_row))
        rows += throughput(client, bare)
        rows += [
            exported(client.twin(), path, portal.pid) for path in ("/customers/export", "/subscriptions/export", "/reservations/export", "/catalog/export")
        ]
        rows += imported(client.twin())
    finally:
        for process in (portal, yardstick):
            process.terminate()
            process.wait()
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(home, ignore_errors=True)
    return [{"engine": engine, "customers": size, **row} for row in rows]


def analyse() -> None:
    """What PostgreSQL does by itself after a while."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as fresh:
            fresh.exec_driver_sql("VACUUM ANALYZE")


LEAD_CASES: dict[str, tuple[str, dict[str, str]]] = {
    "leads, first page": ("/leads", {}),
    "leads, last page": ("/leads?last=1", {}),
    "leads, one stage": ("/leads?state=received", {}),
    "leads, search, common (moreau)": ("/leads?q=moreau", FRAGMENT),
    "leads, search, rare (zymotechnik)": ("/leads?q=zymotechnik", FRAGMENT),
    "leads, search, none (tionelx)": ("/leads?q=tionelx", FRAGMENT),
    "leads, board": ("/leads/board", {}),
}


def customer_cases(middle: object) -> dict[str, tuple[str, dict[str, str]]]:
    return {
        "list, first page": ("/customers", {}),
        "list, first page, fragment": ("/customers", FRAGMENT),
        "list, last page": ("/customers?last=1", {}),
        "list, pending only": ("/customers?state=pending", {}),
        "search, common (moreau)": ("/customers?q=moreau", FRAGMENT),
        "search, rare (zymotechnik)": ("/customers?q=zymotechnik", FRAGMENT),
        "search, two words": ("/customers?q=atelier+vidal", FRAGMENT),
        "search, two letters (mo)": ("/customers?q=mo", FRAGMENT),
        "search, one letter (z)": ("/customers?q=z", FRAGMENT),
        "search, none (tionelx)": ("/customers?q=tionelx", FRAGMENT),
        "search, none in common parts (moreaudelacroix)": ("/customers?q=moreaudelacroix", FRAGMENT),
        "customer page": (f"/customers/{middle}", {}),
        "customer account": (f"/customers/{middle}/account", {}),
        "add a customer, form": ("/customers/new", {}),
        "requests": ("/relationship-requests", {}),
        "activity": ("/activity", {}),
        "home": ("/", {}),
    }


def compare(clients: list["Client"], bare: "Client", portal_pid: int, bare_pid: int, cases: dict[str, tuple[str, dict[str, str]]]) -> Rows:
    """Medians of interleaved rounds; the ratio is of medians, in wall and in CPU time."""
    turn = itertools.cycle(clients[1:])
    for path, headers in cases.values():
        clients[0].get(path, headers)
    bare.get("/", {})
    wall: dict[str, list[float]] = {name: [] for name in [*cases, "bare"]}
    cpu: dict[str, list[float]] = {name: [] for name in [*cases, "bare"]}
    for _ in range(ROUNDS):
        timed(bare_pid, lambda: bare.get("/", {}), wall["bare"], cpu["bare"])
        for name, (path, headers) in cases.items():
            client = next(turn) if "q=" in path or name.startswith("directory") else clients[0]  # a person's searches are limited
            timed(portal_pid, lambda path=path, headers=headers, client=client: client.get(path, headers), wall[name], cpu[name])
    base_wall, base_cpu = statistics.median(wall["bare"]), statistics.median(cpu["bare"])
    return [
        {"case": name, "ms": round(statistics.median(wall[name]), 2), "ratio": round(statistics.median(wall[name]) / base_wall, 2), "cpu ms": round(statistics.median(cpu[name]), 2), "cpu ratio": round(statistics.median(cpu[name]) / base_cpu, 2)}
        for name in wall
    ]  # fmt: skip


def placement(client: "Client", pid: int, customer: object, offer: object, bare: dict[str, object]) -> dict[str, object]:
    """Ordering a prepared cart, a new one each time, for a customer whose agreement is attested; the cart is filled before the clock starts."""
    wall: list[float] = []
    cpu: list[float] = []
    for number in range(REQUESTS):
        fill(client, customer, offer, number + 1)
        review = client.get(f"/customers/{customer}/cart/review", {"Accept-Encoding": "identity"}).decode()
        form = {name: field(review, name) for name in ("csrf_token", "cart", "line")}
        before, start = cpu_seconds(pid), time.perf_counter()
        client.post(f"/customers/{customer}/orders", form)
        wall.append((time.perf_counter() - start) * 1000)
        cpu.append((cpu_seconds(pid) - before) * 1000)
    ms, cpu_ms = statistics.median(wall), statistics.mean(cpu)
    ratios = {"ratio": round(ms / float(str(bare["ms"])), 2), "cpu ratio": round(cpu_ms / float(str(bare["cpu ms"])), 2)}
    return {"case": "order placement", "ms": round(ms, 2), "cpu ms": round(cpu_ms, 2), **ratios, "per second": round(1000 / ms)}


def fill(client: "Client", customer: object, offer: object, quantity: int) -> None:
    page = client.get(f"/customers/{customer}/cart?q=BENCH-0", {"Accept-Encoding": "identity"}).decode()
    client.post(f"/customers/{customer}/cart/lines/{offer}", {"csrf_token": field(page, "csrf_token"), "was": "0", "quantity": str(quantity)})


def field(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, name
    return found[1]


def timed(pid: int, request: Callable[[], object], wall: list[float], cpu: list[float]) -> None:
    before, times = cpu_seconds(pid), []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        request()
        times.append((time.perf_counter() - start) * 1000)
    wall.append(statistics.median(times))
    cpu.append((cpu_seconds(pid) - before) * 1000 / REQUESTS)


def throughput(client: "Client", bare_port: int) -> Rows:
    """Requests per second at 8 clients, portal and bare page in turn."""
    return [
        {"case": "8 clients: list", "per second": round(rate(lambda: client.twin(), "/customers"))},
        {"case": "8 clients: bare", "per second": round(rate(lambda: Client(bare_port), "/"))},
    ]


def rate(make: Callable[[], "Client"], path: str, seconds: float = 4.0) -> float:
    counts, stop = [0] * 8, time.perf_counter() + seconds

    def work(number: int) -> None:
        own = make()
        while time.perf_counter() < stop:
            own.get(path, {})
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def imported(client: "Client") -> Rows:
    """A file of as many lines as one may have, all new, into the catalog: looking through it, and the import itself."""
    header = [COLUMNS[name] for name in ("sku", "publisher", "name", "category", "billing", "cycle", "term_months", "currency", "price", "cost")]
    lines = [
        f"IMPORT-{number},Publisher {number % 9},Product {number},Category {number % 7},licence,monthly,12,{currency},{number % 90 + 10}.50,7.25"
        for number in range(MOST_ROWS // 2)
        for currency in ("EUR", "USD")
    ]
    token = field(client.get("/catalog/import", {"Accept-Encoding": "identity"}).decode(), "csrf_token")
    where = client.upload("/catalog/import", token, "\n".join([",".join(header), *lines]))
    rows: Rows = []
    for case, work in (
        ("catalog, import looked through", lambda: client.get(where, {})),
        ("catalog, import", lambda: client.post(where, {"csrf_token": token})),
    ):
        start = time.perf_counter()
        work()
        rows.append({"case": case, "lines": len(lines), "lines per second": round(len(lines) / (time.perf_counter() - start))})
    return rows


def exported(client: "Client", path: str, pid: int) -> dict[str, object]:
    """Export of all: rows a second, and by how much the server's memory grew at its peak."""
    before, peak, done = memory(pid), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, memory(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    lines = client.get(path, {}).count(b"\n") - 1
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {
        "case": f"export, {path}",
        "rows": lines,
        "rows per second": round(lines / seconds),
        "memory growth MB": round(max(0, peak - before) / 1024, 1),
        "resident MB": round(peak / 1024),
    }


class Client:
    """One connection, kept open; understands cookies and nothing else."""

    def __init__(self, port: int, cookie: str = "", *, address: str = "127.0.0.1") -> None:
        self.port, self.cookie = port, cookie
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def twin(self) -> "Client":
        return Client(self.port, self.cookie)

    def get(self, path: str, headers: dict[str, str]) -> bytes:
        return self.send("GET", path, None, {"Accept-Encoding": "gzip", **headers})

    def send(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> bytes:
        self.connection.request(method, path, body, {"Cookie": self.cookie, **headers})
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
        for header in response.headers.get_all("Set-Cookie") or []:
            self.cookie = header.split(";")[0]
        self.location = response.headers.get("Location", "")
        return content

    def upload(self, path: str, token: str, text: str) -> str:
        """A form with a file; returns where the answer leads."""
        parts = {'name="csrf_token"': token, 'name="file"; filename="catalog.csv"\r\nContent-Type: text/csv': text}
        body = "".join(f"--limit\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n" for head, content in parts.items()) + "--limit--\r\n"
        self.send("POST", path, body.encode(), {"Content-Type": "multipart/form-data; boundary=limit"})
        return self.location

    def post(self, path: str, form: dict[str, str]) -> bytes:
        return self.send("POST", path, urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})

    def sign_in(self, email: str) -> None:
        page = self.send("GET", "/sign-in", None, {}).decode()
        self.post("/sign-in", {"email": email, "password": PASSWORD, "csrf_token": field(page, "csrf_token")})


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] or [pid]


def cpu_seconds(pid: int) -> float:
    """Of all threads of the workers, to the nanosecond; one may end while it is looked at."""
    total = 0
    for path in (path for child in children(pid) for path in Path(f"/proc/{child}/task").glob("*/schedstat")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(path.read_text().split()[0])
    return total / 1e9


def memory(pid: int) -> int:
    """Resident kilobytes of the largest worker."""
    return max(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{child}/status").read_text())[1]) for child in children(pid))  # type: ignore[index]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, path: str) -> None:
    for _ in range(200):
        try:
            Client(port).get(path, {})
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers on port {port}")


def show(results: Rows) -> None:
    print(f"{'engine':9}{'customers':>10}  {'case':48}{'ms':>8}{'ratio':>7}{'cpu ms':>8}{'cpu r.':>7}  other")
    for row in results:
        other = ", ".join(f"{key} {value}" for key, value in row.items() if key not in ("engine", "customers", "case", "ms", "ratio", "cpu ms", "cpu ratio"))
        print(
            f"{row['engine']:9}{row['customers']:>10}  {row['case']:48}{row.get('ms', ''):>8}{row.get('ratio', ''):>7}{row.get('cpu ms', ''):>8}{row.get('cpu ratio', ''):>7}  {other}"
        )
    print(f"peak memory of this benchmark itself: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
