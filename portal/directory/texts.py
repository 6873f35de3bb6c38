"""The words of business profiles: names of states, and what is still missing."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.directory.models import ProfileState
from portal.directory.publishing import Piece

STATE_NAMES = {
    ProfileState.DRAFT: lazy_pgettext("profile", "Draft"),
    ProfileState.PUBLISHED: lazy_pgettext("profile", "Published"),
    ProfileState.TAKEN_BACK: lazy_pgettext("profile", "Taken back"),
}
STATE_TONES = {ProfileState.DRAFT: "neutral", ProfileState.PUBLISHED: "good", ProfileState.TAKEN_BACK: "warn"}
TO_DO = {
    Piece.DESCRIPTION: _l("Write a description"),
    Piece.TAGS: _l("Choose at least one tag"),
    Piece.SIZES: _l("Choose the sizes of your customers"),
    Piece.LOCATIONS: _l("Add at least one location"),
}
