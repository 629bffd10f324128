"""Fakes of those who carry messages to people: a web service and a mail server, real on the wire."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


class Posted(NamedTuple):
    """A request that the web service got."""

    path: str
    headers: dict[str, str]
    """By names in small letters."""
    body: bytes
    status: int
    """What it was answered."""


class FakeReceiver:
    """A web service that takes what is posted to it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.posted: list[Posted] = []
        self._answers: dict[str, deque[int]] = defaultdict(deque)
        self._always: dict[str, int] = {}

    def answer(self, path: str, *statuses: int) -> None:
        """Give these answers to the next requests of a path, and then 200."""
        self._answers[path].extend(statuses)

    def always(self, path: str, status: int) -> None:
        """Give one answer to every request of a path."""
        self._always[path] = status

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Take a request and return the answer."""
        waiting = self._answers[path]
        status = waiting.popleft() if waiting else self._always.get(path, 200)
        self.posted.append(Posted(path, headers, body, status))
        return status

    def taken(self, path: str = "") -> list[Posted]:
        """What was answered with 200, to one path when it is given."""
        return [item for item in self.posted if item.status == 200 and path in ("", item.path)]


class _Handler(BaseHTTPRequestHandler):
    receiver: FakeReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.receiver.take(self.path, headers, body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def fake_receiver() -> Iterator[FakeReceiver]:
    """Run a web service until the context ends."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        Handler.receiver = FakeReceiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Handler.receiver
        finally:
            server.shutdown()
            thread.join()


class FakeMailServer:
    """A mail server that takes mail over TLS, from whoever knows the password."""

    def __init__(self, port: int, trusted: ssl.SSLContext) -> None:
        self.port = port
        self.trusted = trusted
        """Trusts its certificate."""
        self.mail: list[EmailMessage] = []
        self.replies: deque[str] = deque()
        """Answers to the next messages; '250 OK' when there are none left."""

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a message."""
        reply = self.replies.popleft() if self.replies else "250 OK"
        if reply.startswith("250"):
            made = message_from_bytes(bytes(envelope.content or b""), policy=default)
            assert isinstance(made, EmailMessage)
            assert [str(made["To"])] == envelope.rcpt_tos
            self.mail.append(made)
        return reply


USERNAME, PASSWORD = "interlock", "correct horse"


@asynccontextmanager
async def fake_mail_server(folder: Path, *, tls: bool = True) -> AsyncIterator[FakeMailServer]:
    """Run a mail server until the context ends.

    Args:
        folder: Where its certificate is written.
        tls: It asks for STARTTLS and a login; else it takes anything from anybody.
    """
    key, trusted = _certificate(folder)
    found = FakeMailServer(0, trusted)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(key)

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        known = LoginPassword(USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=given == known, handled=False)

    def made() -> SMTP:
        if not tls:
            return SMTP(found, hostname="fake")
        return SMTP(
            found,
            hostname="fake",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(made, HOST, 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Write a key with its certificate, and return the file and who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake mail server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "mail.pem"
    path.write_bytes(private + public)
    return path, ssl.create_default_context(cadata=public.decode())


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])
