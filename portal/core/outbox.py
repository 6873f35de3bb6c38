"""Mail to send: rows written with the change they report, delivered after the commit (R103).

Personal links and codes are put in at delivery, so that the database never holds a working one (S22).
"""

from datetime import datetime
from email.utils import formataddr
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import current_app, render_template
from sqlalchemy import event
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from portal.core.db import Base, Public, choice, db, uuid7
from portal.core.i18n import language, speaking
from portal.core.tokens import OneTimeLink

LINK, CODE = "{link}", "{code}"


class MailState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Mail(Base, Public):
    """One message to one person. `organization_id` is whose outbox shows it."""

    __tablename__ = "mail"
    __table_args__ = (
        sa.Index("ix_mail_due", "state", "next_attempt_at", "id"),
        sa.Index("ix_mail_outbox", "organization_id", "id"),
    )
    organization_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    kind: Mapped[str] = mapped_column(sa.Unicode(64))
    message_id: Mapped[str] = mapped_column(sa.Unicode(200), unique=True)
    recipient: Mapped[str] = mapped_column(sa.Unicode(320))
    reply_to: Mapped[str | None] = mapped_column(sa.Unicode(600))
    language: Mapped[str] = mapped_column(sa.Unicode(8))
    subject: Mapped[str] = mapped_column(sa.Unicode(300))
    text: Mapped[str] = mapped_column(sa.UnicodeText)
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"))
    link_generation: Mapped[int | None]
    link_path: Mapped[str | None] = mapped_column(sa.Unicode(100))
    state: Mapped[MailState] = mapped_column(choice(MailState), default=MailState.QUEUED)
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    claim: Mapped[str | None] = mapped_column(sa.Unicode(64))
    claimed_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    uncertain: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(sa.Unicode(500))
    link: Mapped[OneTimeLink | None] = relationship(lazy="joined")


def post(
    template: str,
    *,
    to: str,
    organization_id: int | None,
    at: datetime,
    in_language: str | None,
    reply_to: tuple[str, str] | None = None,
    link: OneTimeLink | None = None,
    path: str | None = None,
    **context: Any,
) -> Mail:
    """Write a message from `mail/<template>/subject.txt` and `body.txt`, in the recipient's language.

    The body says `{link}` or `{code}` where the personal one comes in at delivery; `path` is the link's address before the token.
    """
    with speaking(in_language):
        subject = render_template(f"mail/{template}/subject.txt", **context)
        text = render_template(f"mail/{template}/body.txt", **context)
        spoken = language()
    return post_text(
        template, to=to, organization_id=organization_id, at=at, in_language=spoken, subject=subject, text=text, reply_to=reply_to, link=link, path=path
    )


def post_text(
    kind: str,
    *,
    to: str,
    organization_id: int | None,
    at: datetime,
    in_language: str,
    subject: str,
    text: str,
    reply_to: tuple[str, str] | None = None,
    link: OneTimeLink | None = None,
    path: str | None = None,
) -> Mail:
    """Write a message whose words are given, such as a request that its sender has edited."""
    host = urlsplit(current_app.config["MAIL_BASE_URL"]).hostname
    public_id = uuid7()
    mail = Mail(
        public_id=public_id,
        organization_id=organization_id,
        kind=kind,
        message_id=f"<{public_id}@{host}>",
        recipient=to,
        reply_to=formataddr((_one_line(reply_to[0]), reply_to[1])) if reply_to else None,
        language=in_language,
        subject=_one_line(subject)[:300],
        text=text.strip() + "\n",
        link=link,
        link_generation=link.generation if link else None,
        link_path=path,
        created_at=at,
        next_attempt_at=at,
    )
    db.session.add(mail)
    db.session.info["mail"] = True
    return mail


def retry(mail: Mail, *, at: datetime) -> None:
    """Put a failed message back into the queue."""
    mail.state, mail.next_attempt_at, mail.error, mail.attempts = MailState.QUEUED, at, None, 0
    mail.created_at = at
    db.session.info["mail"] = True


def personal(mail: Mail, text: str, *, hidden: bool = False) -> str:
    """The text with the personal link or code in it; `hidden` masks them instead."""
    if mail.link is None or mail.link.generation != mail.link_generation:
        return text
    mask = "••••••"
    address = f"{current_app.config['MAIL_BASE_URL']}{mail.link_path}"
    return text.replace(LINK, address + (mask if hidden else mail.link.token)).replace(CODE, mask if hidden else mail.link.code)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@event.listens_for(Session, "after_commit")
def _wake(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop("mail", None):
        from portal.core import jobs

        jobs.wake("deliver_mail")


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("mail", None)
