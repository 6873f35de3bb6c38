"""page(), invalid(), see_other(): the same template as a whole page or as the block that htmx asked to replace."""

from typing import Any

from flask import Response, current_app, g, make_response, redirect, render_template, request, session
from jinja2_fragments import render_block

from portal.core.i18n import language, languages


def page(template: str, /, *, swaps: tuple[str, ...] = (), status: int = 200, **context: Any) -> Response:
    """Render `template`, or only its block of the name that htmx asked to replace when that is one of `swaps`.

    Block name = element id = swap target. A fragment brings the flash region along, out of band.
    """
    target = swap_target()
    context = shell() | context
    if target is None or target not in swaps:
        return make_response(render_template(template, **context), status)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    app.update_template_context(context)
    fragment = render_block(app.jinja_env, template, target, **context)
    if "_flashes" in session:
        fragment += render_template("layouts/_flash.html", **(context | {"oob": True}))
    return make_response(fragment, status)


def invalid(template: str, /, *, swaps: tuple[str, ...] = ("form",), keep: bool = False, **context: Any) -> Response:
    """The form again with its errors: 422, nothing lost of what was typed. `keep` commits what the attempt must leave behind."""
    g.keep_changes = keep
    return page(template, swaps=swaps, status=422, **context)


def saved(url: str, template: str, /, *, swaps: tuple[str, ...], **context: Any) -> Response:
    """Done: the block that htmx asked to replace, shown anew in its place; else 303 to the page."""
    if swap_target() in swaps:
        return page(template, swaps=swaps, **context)
    return see_other(url)


def in_place(url: str, target: str) -> dict[str, str]:
    """Attributes that make a link replace one block of its page."""
    return {"data-hx-get": url, "data-hx-target": f"#{target}", "data-hx-swap": "outerHTML"}


def see_other(url: str) -> Response:
    """Go and look there: 303; for htmx the envelope makes it 200 with HX-Location."""
    return redirect(url, 303)  # type: ignore[return-value]


def query_string() -> str:
    """The query string that this request came with, to come back to the same part of a list."""
    return f"?{request.query_string.decode('ascii', 'replace')}".rstrip("?")


def on_this_host(url: str | None, otherwise: str) -> str:
    """An address taken from input, when it stays on this host (S32); else the other one."""
    safe = url and url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable() and len(url) <= 2000
    return url if url and safe else otherwise


def swap_target() -> str | None:
    """Id of the element that htmx wants to replace; None for a whole page."""
    if not is_htmx() or request.headers.get("HX-Request-Type") == "full":
        return None
    return request.headers.get("HX-Target", "").partition("#")[2] or None


def is_htmx() -> bool:
    """Asked by htmx for a part of the page (a history restore wants all of it)."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def into_flash(response: Response) -> Response:
    """Send this short answer into the flash region, whatever the request wanted to replace; the page stays."""
    response.headers["HX-Retarget"] = "#flash"
    response.headers["HX-Reswap"] = "innerHTML"
    response.headers["HX-Reselect"] = "#flash > *"
    response.headers["HX-Push-Url"] = "false"
    return response


def shell() -> dict[str, Any]:
    """What the layouts need, whatever the page."""
    actor = g.get("actor")
    return {
        "actor": actor,
        "nav": current_app.extensions["navigation"](actor) if actor else [],
        "locale": language(),
        "languages": languages(),
        "this_url": request.full_path.rstrip("?"),
        "oob": False,
    }
