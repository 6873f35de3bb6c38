"""How the states of customers read."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.agreements.models import AgreementState
from portal.customers.models import RelationshipState, Segment

RELATIONSHIP_NAMES = {
    RelationshipState.PENDING: _l("Pending"),
    RelationshipState.ACTIVE: _l("Reseller"),
    RelationshipState.ENDED: _l("Ended"),
}
RELATIONSHIP_TONES = {RelationshipState.PENDING: "warn", RelationshipState.ACTIVE: "good", RelationshipState.ENDED: "neutral"}
# The export's words stay the same in every language: other programs read them (R25).
EXPORT_NAMES = {RelationshipState.PENDING: "Pending", RelationshipState.ACTIVE: "Reseller", RelationshipState.ENDED: "Ended"}
AGREEMENT_NAMES = {
    AgreementState.MISSING: _l("Not accepted"),
    AgreementState.ATTESTED: _l("Attested"),
    AgreementState.ACCEPTED: lazy_pgettext("agreement", "Accepted"),
    AgreementState.OUTDATED: _l("Outdated"),
}
AGREEMENT_TONES = {AgreementState.MISSING: "neutral", AgreementState.ATTESTED: "good", AgreementState.ACCEPTED: "good", AgreementState.OUTDATED: "warn"}
SEGMENT_NAMES = {
    Segment.COMMERCIAL: _l("Commercial"),
    Segment.EDUCATION: _l("Education"),
    Segment.GOVERNMENT: _l("Government"),
    Segment.NONPROFIT: _l("Nonprofit"),
}
EXPORT_HEADER = ("Customer ID", "Company name", "Primary domain name", "Relationship")
