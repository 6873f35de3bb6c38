"""CSP and the other response headers, compression, and static files under hashed names (S39)."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from whitenoise import WhiteNoise

from portal.config import Settings

_STATIC = Path(__file__).parents[1] / "static"
_YEAR = 31_536_000
_POLICY = (
    "default-src 'self'; img-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_GUARDS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_COMPRESSED_FROM = 600  # bytes: below, compressing makes it longer


def init_app(app: Flask, settings: Settings) -> None:
    names = _publish(settings.instance / "static")
    guards = _GUARDS | ({"Strict-Transport-Security": f"max-age={_YEAR}; includeSubDomains"} if settings.secure else {})

    def guard(headers: Any, path: str, url: str) -> None:
        for name, value in guards.items():
            headers[name] = value

    whitenoise = WhiteNoise(app.wsgi_app, max_age=_YEAR, immutable_file_test=lambda path, url: True, allow_all_origins=False, add_headers_function=guard)
    whitenoise.add_files(str(settings.instance / "static"), prefix="static/")
    app.wsgi_app = whitenoise  # type: ignore[method-assign]
    urls = {name: f"/static/{published}" for name, published in names.items()}
    app.jinja_env.globals["static_url"] = urls.__getitem__

    @app.after_request
    def finish(response: Response) -> Response:
        headers = response.headers
        for name, value in guards.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if response.mimetype == "text/html":
            headers["Vary"] = "HX-Request, HX-Request-Type, HX-Target, Accept-Language, Cookie, Accept-Encoding"
            _compress(response)
        return response


def _compress(response: Response) -> None:
    if response.is_streamed or "gzip" not in request.headers.get("Accept-Encoding", "") or "Content-Encoding" in response.headers:
        return
    body = response.get_data()
    if len(body) >= _COMPRESSED_FROM:
        response.set_data(gzip.compress(body, 4, mtime=0))
        response.headers["Content-Encoding"] = "gzip"


def _publish(target: Path) -> dict[str, str]:
    """Copy every static file to a name that carries its hash, compressed ahead; returns name → published name."""
    names = {}
    sources = {path.relative_to(_STATIC).as_posix(): path.read_bytes() for path in sorted(_STATIC.rglob("*")) if path.is_file()}
    for name, content in sources.items():
        path = Path(name)
        published = path.with_name(f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}").as_posix()
        names[name] = published
        _write(target / published, content)
        packed = gzip.compress(content, 9, mtime=0)
        if len(packed) < len(content):
            _write(target / f"{published}.gz", packed)
    return names


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{hashlib.sha256(content).hexdigest()[:8]}")
    fresh.write_bytes(content)
    fresh.replace(path)
