"""What business profiles write by mail, and to whom."""

from datetime import datetime

from portal.core import outbox
from portal.directory.models import BusinessProfile
from portal.leads.mails import in_charge


def stale(profile: BusinessProfile, *, at: datetime) -> None:
    """That a profile may be out of date: to the partner's people who look after referrals (R60)."""
    for user in in_charge(profile.partner_id):
        outbox.post(
            "directory/stale",
            to=user.email,
            organization_id=profile.partner_id,
            at=at,
            in_language=user.language,
            name=user.name,
            zone=user.time_zone,
            title=profile.name,
            country=profile.country,
            profile_id=profile.public_id,
            since=profile.changed_at,
        )
