"""The lifecycle of a business profile (R60)."""

from portal.core.states import Machine
from portal.directory.models import ProfileState

S = ProfileState
PROFILE = Machine(
    "profile",
    {
        ("publish", S.DRAFT): S.PUBLISHED,
        ("publish", S.PUBLISHED): S.PUBLISHED,  # its changes
        ("publish", S.TAKEN_BACK): S.PUBLISHED,
        ("take_back", S.PUBLISHED): S.TAKEN_BACK,
    },
)
