"""Serves an inbox on a socket, beside whatever else the process does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from interlock.errors import BadInput, ConfigError
from interlock.inbox.app import application
from interlock.inbox.opening import check_secrets, open_inbox
from interlock.inbox.people import People, whoever_started
from interlock.inbox.services import Inbox, origin_of
from interlock.inbox.sessions import Sessions
from interlock.runs.client import Runs
from interlock.settings import InboxSettings, Settings
from interlock.workflows.runtime import Runtime

_GOODBYE_SECONDS = 3
"""How long open streams of events may take to end."""


@dataclass(frozen=True)
class Address:
    """Where an inbox will be: its port is taken, and nobody is answered yet."""

    listener: socket.socket
    origin: str


@contextmanager
def taken_address(settings: Settings, *, any_port: bool = False) -> Iterator[Address]:
    """Take the address of an inbox, so that what is wrong with it is told before anything starts.

    Args:
        settings: What `load_settings` read.
        any_port: Take another port when the one of the settings is taken, unless others know it:
            what ends TLS before the inbox, or an identity provider.

    Raises:
        ConfigError: the address cannot be listened on, or a key or secret of the inbox is missing.
    """
    given = settings.inbox
    known = given.public_url is not None or settings.oidc.issuer is not None
    with _listener(given, any_port and not known) as listener:
        origin = origin_of(settings, listener.getsockname()[1])
        check_secrets(settings)
        yield Address(listener, origin)


@asynccontextmanager
async def served_inbox(
    settings: Settings, runs: Runs, address: Address, *, runtime: Runtime | None = None
) -> AsyncIterator[Inbox]:
    """Serve the inbox of a deployment while the context is open.

    Args:
        settings: What `load_settings` read.
        runs: The deployment's runs.
        address: Where.
        runtime: The deployment's agents and tools; those that the settings name by default.

    Raises:
        ConfigError: a setting is wrong.
    """
    async with open_inbox(settings, runs, origin=address.origin, runtime=runtime) as inbox:
        server = _Server(_config(inbox, settings.inbox))
        serving = asyncio.create_task(server.serve(sockets=[address.listener]))
        try:
            await server.ready(serving)
            yield inbox
        finally:
            await inbox.board.close()  # open streams would keep the server waiting
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._up.set()

    async def ready(self, serving: asyncio.Task[None]) -> None:
        """Wait until connections are taken, or raise why they never will be."""
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait([serving, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if serving.done():
            await serving


async def login_link(sessions: Sessions, people: People, origin: str, subject: str) -> str:
    """Return an address that signs a person in once.

    Somebody that the configuration does not name may do everything, where unsigned decisions count
    too: only who can read the deployment's files gets here.

    Raises:
        BadInput: only signed decisions count, and the configuration does not name the person.
    """
    person = people.named(subject)
    if person is None and not sessions.owners:
        raise BadInput(
            f"{subject!r} is not in 'people', and where only signed decisions count a link signs in "
            "nobody else. Name somebody of 'people' with --as SUBJECT, or let people sign in by "
            "'oidc' and machines by an API key (`interlock inbox key create`)."
        )
    person = person or whoever_started(subject)
    return f"{origin}/login/link?token={await sessions.link(people.kept(person))}"


def _config(inbox: Inbox, settings: InboxSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application(inbox),
        access_log=False,  # addresses may hold a link's secret
        log_config=None,  # its words go where those of the process go
        log_level="warning",
        server_header=False,
        proxy_headers=settings.public_url is not None,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )


def _listener(settings: InboxSettings, any_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    ports = [settings.port, 0] if any_port else [settings.port]
    failure: OSError | None = None
    for port in ports:
        made = socket.socket(family)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((settings.host, port))
            # Until somebody listens others may bind it too, and then whoever is first has it.
            made.listen()
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise ConfigError(
        f"the inbox cannot listen on {settings.host}:{settings.port}: {failure}. Set 'inbox.port' "
        "(INTERLOCK_INBOX__PORT) to a free one."
    )
