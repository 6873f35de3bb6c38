"""Jobs of accounts: one call each."""

from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.accounts import signing_in
from portal.core import clock, jobs


@jobs.every(minutes=1)
def answer_reset_wishes() -> None:
    """Mail reset links to those who forgot their password."""
    signing_in.answer_reset_wishes(at=clock.now())


@event.listens_for(Session, "after_commit")
def _wake(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop("wishes", None):
        jobs.wake("answer_reset_wishes")
