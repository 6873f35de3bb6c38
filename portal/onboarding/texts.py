"""What draws a warning that may be overridden (R12)."""

from flask_babel import lazy_gettext as _l

from portal.core.words import Caution

CAUTION_TEXTS = {
    Caution.TEST_NAME: _l("The company name looks like a test."),
    Caution.ACRONYM: _l("The company name is only an acronym. Publishers may ask for the full legal name."),
    Caution.INCOMPLETE_ADDRESS: _l("The street address looks incomplete: it has no house number, or is very short."),
}
