"""Takes mail from the outbox to the server, at least once (R103).

One worker claims a row by a conditional UPDATE; Message-ID and link stay the same over retries.
"""

import logging
import os
import smtplib
import socket
import threading
import time
from datetime import datetime, timedelta
from email.charset import QP, Charset
from email.mime.text import MIMEText
from typing import Any

import flask_mail
import sqlalchemy as sa
from flask import Flask, current_app, render_template

from portal.config import Settings
from portal.core import clock
from portal.core.db import db
from portal.core.i18n import speaking
from portal.core.outbox import Mail, MailState, personal

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=3)  # longer than the steps from claim to answer, each at its time-out
TIMEOUT = 20  # seconds for each step of the conversation
ANSWER_TIMEOUT = 90  # seconds for the answer to a whole message: giving up too soon would send it twice
OUTAGE_PAUSE = timedelta(seconds=30)  # so that the job of every minute finds the mail due
BACK_OFF = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 240)]
GIVE_UP_AFTER = timedelta(days=5)


class _Message(flask_mail.Message):
    """Flask-Mail's, as seven-bit text in short lines: paragraphs may be longer than a line of mail can be."""

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        quoted = Charset("utf-8")
        quoted.body_encoding = QP
        return MIMEText(text or "", subtype, quoted)  # type: ignore[arg-type]


class _Client(smtplib.SMTP):
    """Waits longer for the answer to a whole message, and knows whether that answer is still due."""

    answer_due = False

    def data(self, msg: Any) -> Any:
        assert self.sock is not None
        self.answer_due = True
        self.sock.settimeout(ANSWER_TIMEOUT)
        answer = super().data(msg)
        self.sock.settimeout(TIMEOUT)
        self.answer_due = False
        return answer


class SmtpConnection(flask_mail.Connection):
    """Flask-Mail's conversation, with a time-out for each of its steps."""

    host: _Client | None

    def configure_host(self) -> _Client:
        settings = self.mail
        host = _Client(settings.server, settings.port, timeout=TIMEOUT)
        try:
            if settings.use_tls:
                import ssl

                host.starttls(context=ssl.create_default_context())
            if settings.username:
                host.login(settings.username, settings.password or "")
            host.ehlo_or_helo_if_needed()
        except BaseException:
            host.close()
            raise
        return host


def init_app(app: Flask, settings: Settings) -> None:
    app.config.update(
        MAIL_SERVER=settings.mail_server,
        MAIL_PORT=settings.mail_port,
        MAIL_USERNAME=settings.mail_username,
        MAIL_PASSWORD=settings.mail_password,
        MAIL_USE_TLS=settings.mail_use_tls,
        MAIL_DEFAULT_SENDER=settings.mail_default_sender,
        MAIL_BASE_URL=settings.base_url,
        MAIL_SUPPRESS_SEND=False,
    )
    flask_mail.Mail(app)


def deliver(limit: int = 200) -> int:
    """Send what is due, each message claimed by one worker; returns how many were sent."""
    if not current_app.config["MAIL_SERVER"]:
        return 0
    from portal.core import jobs

    _release_lapsed_claims()
    sent = 0
    connection: SmtpConnection | None = None
    try:
        for _ in range(limit):
            if jobs.stopping.is_set():
                break
            if connection is None:
                if _next_due(clock.now()) is None:
                    break
                connection = _connected()
            mail = _claim_next() if connection else None
            if mail is None or connection is None:
                break
            try:
                connection.send(as_message(mail))
            except Exception as error:
                _note_failure(mail, error, uncertain=_answer_lost(connection, error))
                _hang_up(connection)
                connection = None
                if not _refusal(error):
                    break
            else:
                sent += _mark_sent(mail)
    finally:
        db.session.rollback()
        _hang_up(connection)
    return sent


def as_message(mail: Mail) -> flask_mail.Message:
    """The message as it goes out: text and HTML say the same, since one is made from the other."""
    text = personal(mail, mail.text)
    with speaking(mail.language):
        html = render_template("mail/layout.html", subject=mail.subject, paragraphs=_paragraphs(text), language=mail.language)
    headers = {"Auto-Submitted": "auto-generated", "Content-Language": mail.language, "X-Auto-Response-Suppress": "All"}
    if mail.reply_to:  # past Flask-Mail, which takes the quotes off a name
        headers["Reply-To"] = mail.reply_to
    message = _Message(subject=mail.subject, recipients=[mail.recipient], body=text, html=html, date=mail.created_at.timestamp(), extra_headers=headers)
    message.msgId = mail.message_id
    return message


def _connected() -> SmtpConnection | None:
    """A conversation with the server; None when there is none to be had: then all mail waits, and no message is to blame."""
    db.session.rollback()
    try:
        return SmtpConnection(current_app.extensions["mail"]).__enter__()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("the mail server does not take mail: %s", _reason(error))
        at = clock.now()
        db.session.execute(
            sa.update(Mail)
            .where(Mail.state == MailState.QUEUED, Mail.next_attempt_at <= at)
            .values(error=_reason(error), next_attempt_at=at + OUTAGE_PAUSE)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        return None


def _paragraphs(text: str) -> list[list[str]]:
    """Paragraphs of lines; the template makes a line that is an address a link."""
    return [block.split("\n") for block in text.strip().split("\n\n")]


def _next_due(at: datetime) -> int | None:
    due = sa.select(Mail.id).where(Mail.state == MailState.QUEUED, Mail.next_attempt_at <= at)
    return db.session.scalar(due.order_by(Mail.next_attempt_at, Mail.id).limit(1))


def _claim_next() -> Mail | None:
    """Take the next due message for this worker, or None."""
    claim = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}"[:64]
    while True:
        at = clock.now()
        mail_id = _next_due(at)
        if mail_id is None:
            db.session.rollback()
            return None
        taken = db.session.execute(
            sa.update(Mail)
            .where(Mail.id == mail_id, Mail.state == MailState.QUEUED)
            .values(state=MailState.SENDING, claim=claim, claimed_at=at, attempts=Mail.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        if not taken.rowcount:  # type: ignore[attr-defined]
            continue
        mail = db.session.get_one(Mail, mail_id, populate_existing=True)
        if mail.link is not None and (mail.link.generation != mail.link_generation or not mail.link.usable(at)):
            _mark(mail, state=MailState.SUPERSEDED)
            continue
        db.session.expunge_all()
        db.session.rollback()
        return mail


def _mark(mail: Mail, **values: Any) -> bool:
    """Write the outcome, if the claim is still ours."""
    done = db.session.execute(
        sa.update(Mail).where(Mail.id == mail.id, Mail.claim == mail.claim).values(claim=None, **values).execution_options(synchronize_session=False)
    )
    db.session.commit()
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _mark_sent(mail: Mail) -> bool:
    """The server has it: write so, for as long as it takes a database that does not answer just now, or the message goes out again."""
    while True:
        try:
            return _mark(mail, state=MailState.SENT, sent_at=clock.now(), error=None)
        except sa.exc.OperationalError:
            db.session.rollback()
            if mail.claimed_at is None or clock.now() > mail.claimed_at + LEASE:
                raise
            time.sleep(0.5)


def _note_failure(mail: Mail, error: Exception, *, uncertain: bool) -> None:
    """A refusal for good fails the message; anything else delays it. `uncertain`: it may have arrived all the same."""
    at = clock.now()
    reason = _reason(error)
    log.warning("mail %s to its recipient was not delivered: %s", mail.public_id, reason)
    uncertain = mail.uncertain or uncertain
    if _permanent(error) or at - mail.created_at > GIVE_UP_AFTER:
        _mark(mail, state=MailState.FAILED, error=reason, uncertain=uncertain)
    else:
        wait = BACK_OFF[min(mail.attempts, len(BACK_OFF)) - 1]
        _mark(mail, state=MailState.QUEUED, error=reason, next_attempt_at=at + wait, uncertain=uncertain)


def _answer_lost(connection: SmtpConnection, error: Exception) -> bool:
    """Whether the conversation broke after the message had gone out and before the server's answer came in."""
    return connection.host is not None and connection.host.answer_due and not isinstance(error, smtplib.SMTPResponseException)


def _refusal(error: Exception) -> bool:
    """Whether it concerns this message only: the next one may go through."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return False
    return _permanent(error) or isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused)


def _permanent(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPSenderRefused):
        return False  # the portal's own address: for the operator to mend, and no fault of the message
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return isinstance(error, flask_mail.BadHeaderError | UnicodeError)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()))
        return f"{code} {answer.decode('utf-8', 'replace')}"[:500]
    if isinstance(error, smtplib.SMTPResponseException):
        said: Any = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"[:500]
    return f"{type(error).__name__}: {error}"[:500]


def _hang_up(connection: SmtpConnection | None) -> None:
    if connection is None or connection.host is None:
        return
    try:
        if not connection.host.answer_due:
            connection.host.quit()
    except (smtplib.SMTPException, OSError):
        pass
    finally:
        connection.host.close()


def _release_lapsed_claims() -> None:
    """A worker died over these: they may have gone out, and will go (again) now; the outbox says so. What waits for a time that no pause reaches is due as well."""
    at = clock.now()
    lapsed = sa.or_(Mail.claimed_at < at - LEASE, Mail.claimed_at > at + LEASE)  # later: the clock ran ahead then
    released = db.session.execute(
        sa.update(Mail)
        .where(Mail.state == MailState.SENDING, lapsed)
        .values(state=MailState.QUEUED, uncertain=True, claim=None, next_attempt_at=at)
        .execution_options(synchronize_session=False)
    )
    early = db.session.execute(
        sa.update(Mail)
        .where(Mail.state == MailState.QUEUED, Mail.next_attempt_at > at + BACK_OFF[-1] + LEASE)
        .values(next_attempt_at=at)
        .execution_options(synchronize_session=False)
    )
    db.session.commit() if released.rowcount or early.rowcount else db.session.rollback()  # type: ignore[attr-defined]
