"""Reads the outbox as the recipient would read the message."""

import re
from dataclasses import dataclass

import sqlalchemy as sa

from portal.core import delivery
from portal.core.db import db
from portal.core.outbox import Mail


@dataclass
class Sent:
    subject: str
    text: str
    html: str
    mail: Mail

    @property
    def link(self) -> str:
        """The address in the message that carries a token, without the host."""
        found = re.search(r"http://localhost(/(?:activation|connect|forgotten-password|partnerships/links|directory/inquiries/links)/[\w-]+)", self.text)
        assert found, self.text
        return found.group(1)

    @property
    def code(self) -> str:
        found = re.search(r"\b(\d{6})\b", self.text)
        assert found, self.text
        return found.group(1)


def all_to(to: str | None = None) -> list[Sent]:
    """Messages, oldest first."""
    db.session.rollback()
    statement = sa.select(Mail).order_by(Mail.id)
    if to:
        statement = statement.where(Mail.recipient == to)
    return [_read(mail) for mail in db.session.scalars(statement)]


def latest(to: str | None = None) -> Sent:
    found = all_to(to)
    assert found, f"no mail to {to}"
    return found[-1]


def _read(mail: Mail) -> Sent:
    message = delivery.as_message(mail)
    return Sent(mail.subject, message.body or "", message.html or "", mail)
