"""A real mail server on loopback that keeps what it takes, and misbehaves at any step of the conversation when told to.

`with Server() as server:` gives one by itself; the fixture `smtp` is one that the application under test sends through.
"""

import asyncio
import email.policy
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, Self

import flask_mail
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from flask import Flask

logging.getLogger("mail.log").setLevel(logging.WARNING)
STEPS = ("connect", "ehlo", "mail", "rcpt", "data")


@dataclass
class Received:
    """One message as it came in."""

    sender: str
    recipients: list[str]
    raw: bytes
    message: EmailMessage = field(init=False)

    def __post_init__(self) -> None:
        self.message = BytesParser(policy=email.policy.default).parsebytes(self.raw)  # type: ignore[assignment]

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def link(self) -> str:
        """The personal address in the text."""
        found = re.search(r"https?://\S+/(?:activation|connect|forgotten-password|links)/[\w-]{16,}", self.text)
        assert found, self.text
        return found.group(0)

    @property
    def code(self) -> str:
        found = re.search(r"^\d{6}$", self.text, re.MULTILINE)
        assert found, self.text
        return found.group(0)

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


class Server:
    """`answers` refuses at a step ("451 later"), `recipients` one address, `pauses` waits; `hang_up_at` closes at a step, or at "body": in mid-message."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.received: list[Received] = []
        self.answers: dict[str, str] = {}
        self.recipients: dict[str, str] = {}
        self.pauses: dict[str, float] = {}
        self.hang_up_at = ""
        self.accepted: Callable[[Received], object] = lambda received: None
        self._controller: Controller | None = None

    def start(self) -> Self:
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=20)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def behave(self) -> None:
        """Take everything again."""
        self.answers, self.recipients, self.pauses, self.hang_up_at = {}, {}, {}, ""

    def to(self, recipient: str) -> list[Received]:
        return [received for received in self.received if recipient in received.recipients]

    def wait_for(self, recipient: str, number: int = 1, seconds: float = 30) -> Received:
        """The latest message to this address, once there are so many."""
        until = time.monotonic() + seconds
        while len(self.to(recipient)) < number:
            assert time.monotonic() < until, (
                f"{len(self.to(recipient))} messages to {recipient}; received: {[received.recipients for received in self.received]}"
            )
            time.sleep(0.05)
        return self.to(recipient)[-1]

    async def handle_DATA(self, conversation: SMTP, session: object, envelope: Any) -> str:
        await asyncio.sleep(self.pauses.get("data", 0))
        if self.answers.get("data"):
            return self.answers["data"]
        received = Received(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content)
        self.received.append(received)
        self.accepted(received)
        if self.hang_up_at == "data" and conversation.transport is not None:
            conversation.transport.close()
        return "250 taken"


class _Conversation(SMTP):
    """aiosmtpd's, with the server's misbehaviour before each step."""

    async def _handle_client(self) -> None:
        if await self._goes_well("connect"):
            await super()._handle_client()
        elif self.transport is not None:
            self.transport.close()

    async def smtp_EHLO(self, arg: str) -> None:
        if await self._goes_well("ehlo"):
            await super().smtp_EHLO(arg)

    async def smtp_HELO(self, arg: str) -> None:
        if await self._goes_well("ehlo"):
            await super().smtp_HELO(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self._goes_well("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        refused = next((answer for address, answer in self.event_handler.recipients.items() if address in (arg or "")), None)
        if refused:
            await self.push(refused)
        elif await self._goes_well("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if self.event_handler.hang_up_at == "body" and self.transport is not None:
            await self.push("354 go on")
            self.transport.close()
        else:
            await super().smtp_DATA(arg)

    async def _goes_well(self, step: str) -> bool:
        server: Server = self.event_handler
        await asyncio.sleep(server.pauses.get(step, 0))
        if server.hang_up_at == step and self.transport is not None:
            self.transport.close()
            return False
        if step in server.answers:
            await self.push(server.answers[step])
            return False
        return True


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Conversation(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def smtp(app: Flask) -> Iterator[Server]:
    """A running server that the application's outbox delivers to."""
    before = {name: app.config[name] for name in ("MAIL_SERVER", "MAIL_PORT")}
    with Server() as server:
        app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=server.port)
        flask_mail.Mail(app)
        yield server
    app.config.update(before)
    flask_mail.Mail(app)
