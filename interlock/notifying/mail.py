"""E-mail over SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal, NamedTuple

from pydantic import SecretStr

from interlock.errors import NotTold
from interlock.notifying import words
from interlock.notifying.contract import Message

_SECONDS = 10.0
_ARGUMENTS = 20_000

Security = Literal["starttls", "tls", "none"]


class Login(NamedTuple):
    """Who logs in at the server."""

    username: str
    password: SecretStr


class Server(NamedTuple):
    """Where mail is handed in."""

    host: str
    port: int
    security: Security
    login: Login | None = None


class Email:
    """Mails one person.

    Args:
        name: Its name.
        server: Where mail is handed in.
        sender: Address of the sender.
        to: Address of the person.
        tls: What certificates are trusted.
    """

    def __init__(
        self, name: str, server: Server, *, sender: str, to: str, tls: ssl.SSLContext
    ) -> None:
        self.name = name
        self._server = server
        self._sender = sender
        self._to = to
        self._tls = tls

    async def send(self, message: Message, key: str) -> None:
        """Carry one message: see `Channel`. The key is in its `Message-ID`."""
        mail = self._mail(message, key)
        try:
            await asyncio.to_thread(self._hand_in, mail)
        except (OSError, smtplib.SMTPException) as error:
            raise NotTold(f"{self.name!r}: {_reason(error)}") from None

    def _mail(self, message: Message, key: str) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = words.title(message)
        mail["From"], mail["To"] = self._sender, self._to
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{key}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_text(message))
        return mail

    def _hand_in(self, mail: EmailMessage) -> None:
        with self._connected() as smtp:
            if self._server.security == "starttls":
                smtp.starttls(context=self._tls)
            if self._server.login is not None:
                username, password = self._server.login
                smtp.login(username, password.get_secret_value())
            smtp.send_message(mail)

    def _connected(self) -> smtplib.SMTP:
        host, port, security, _ = self._server
        if security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=self._tls)
        return smtplib.SMTP(host, port, timeout=_SECONDS)


def _text(message: Message) -> str:
    lines = [f"{words.title(message)}.", ""]
    if message.link:
        lines += ["Look at it, and decide there:", message.link, ""]
    lines += [f"{label:<9}{value}" for label, value in words.facts(message)]
    arguments = words.arguments(message, _ARGUMENTS)
    if arguments:
        lines += ["", "arguments", arguments]
    return "\n".join(lines) + "\n"


def _reason(error: Exception) -> str:
    """Return why mail was not taken, without what the server repeats of it."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}."
