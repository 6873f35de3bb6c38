"""Logos, as everybody may see them who sees the profile."""

from uuid import UUID

from flask import Response, g
from flask.typing import ResponseReturnValue

from portal.core.access import Permission
from portal.core.routing import Feature
from portal.directory import profiles
from portal.directory.views import for_the_public_cloud

feature = Feature("logos", __name__, url_prefix="/directory/logos")
KEPT = "public, max-age=31536000, immutable"  # another logo has another address


@feature.get("/<uuid:logo_id>", permission=Permission.ANYONE)
def show(logo_id: UUID) -> ResponseReturnValue:
    for_the_public_cloud()
    logo, published = profiles.logo(logo_id, g.actor)
    response = Response(logo.content, mimetype=logo.media_type)
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    if published:
        response.headers["Cache-Control"] = KEPT
    return response
