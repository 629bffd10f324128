"""What `interlock up` and `interlock worker` do until a signal ends them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from temporalio.client import Client

from interlock.app import App
from interlock.cli.knowledge import fill_if_empty
from interlock.cli.logs import log_warnings
from interlock.cli.output import Output
from interlock.cli.requests import reviewer_name
from interlock.cli.signals import Stop, signals
from interlock.connection import connect, data_folder, metrics_runtime, note_server
from interlock.errors import StoreLocked, StoreUnwritable, TemporalUnreachable
from interlock.runs.client import Runs
from interlock.server import Server, running_server
from interlock.settings import Settings, load_settings
from interlock.worker import keep_what_is_loaded, running_workers

if TYPE_CHECKING:
    from interlock.inbox.serving import Address

_LOOK_SECONDS = 0.05
_POLL_SECONDS = 30.0
"""How long the server may take to see a worker that has started."""


async def serve_all(out: Output, *, port: int | None, ui: bool, worker: bool, inbox: bool) -> None:
    """Run a server and, unless told otherwise, a worker and the inbox, until SIGINT or SIGTERM.

    Raises:
        StoreLocked: another `interlock up` runs on the same data folder.
        TemporalUnreachable: the server did not start.
    """
    settings = load_settings()
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(signals())
        stack.enter_context(_one_for(settings))
        address = _address(stack, settings) if inbox and find_spec("fastapi") is not None else None
        out.note("starting the Temporal server")
        server = await stack.enter_async_context(_server(settings, port, ui))
        stack.enter_context(_noted(settings, server))
        here = _at(settings, server.address)
        client = await connect(here, runtime=metrics_runtime(settings) if worker else None)
        if worker:
            await stack.enter_async_context(_worker(out, _deployment(out, here), client))
        told: dict[str, object] = {"address": server.address, "ui": server.ui, "worker": worker}
        if address is not None:
            told |= await stack.enter_async_context(_inbox(here, client, address))
        await _ready(out, stop, {"status": "ready", **told})


async def serve_worker(out: Output) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Raises:
        ConfigError: the deployment is not whole: a setting, a key, an agent or a tool is wrong.
        TemporalUnreachable: the deployment's server does not answer.
        StoreLocked: another process owns the embedded memory.
    """
    settings = load_settings()
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(signals())
        app = _deployment(out, settings)
        client = await connect(settings, runtime=metrics_runtime(settings))
        await stack.enter_async_context(_worker(out, app, client))
        address = client.service_client.config.target_host
        await _ready(out, stop, {"status": "ready", "address": address, "worker": True})


async def _ready(out: Output, stop: Stop, told: dict[str, object]) -> None:
    parts = [f"ready: temporal {told['address']}"]
    if told.get("ui"):
        parts.append(f"ui {told['ui']}")
    parts.append("worker polls" if told["worker"] else "no worker")
    if told.get("inbox"):
        parts.append(f"inbox {told['inbox']}")
    lines = [", ".join(parts)] + ([f"sign in once: {told['link']}"] if "link" in told else [])
    out.answer({**told, "pid": os.getpid()}, *lines, one_line=True)
    await stop.wait()
    out.note("stopping: what runs now is finished, the rest waits for the next start.")


def _deployment(out: Output, settings: Settings) -> App:
    log_warnings()
    with out.working("opening the deployment"):
        return App(settings)


@asynccontextmanager
async def _worker(out: Output, app: App, client: Client) -> AsyncIterator[None]:
    """Run workers; the context begins when the server has seen them poll."""
    async with app:
        await fill_if_empty(out, app)
        async with running_workers(app, client):
            await _polled(Runs(app.settings, client))
            keep_what_is_loaded()
            yield


def _address(stack: AsyncExitStack, settings: Settings) -> Address:
    """Take the inbox's address, until `stack` closes."""
    from interlock.inbox.serving import taken_address

    return stack.enter_context(taken_address(settings, any_port=True))


@asynccontextmanager
async def _inbox(
    settings: Settings, client: Client, address: Address
) -> AsyncIterator[dict[str, object]]:
    """Serve the inbox, and give its address and a link for whoever started it."""
    from interlock.inbox.serving import login_link, served_inbox

    async with served_inbox(settings, Runs(settings, client), address) as inbox:
        told: dict[str, object] = {"inbox": inbox.origin}
        if inbox.provider is None and inbox.sessions.owners:
            subject = reviewer_name()
            told["link"] = await login_link(inbox.sessions, inbox.people, inbox.origin, subject)
        yield told


async def _polled(runs: Runs) -> None:
    """Wait until the server has seen a worker on the workflow queue."""
    try:
        async with asyncio.timeout(_POLL_SECONDS):
            while not await runs.has_worker():  # noqa: ASYNC110  only the server can tell
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise TemporalUnreachable(
            f"the server has not seen the worker on queue {runs.queue!r} in {_POLL_SECONDS:.0f} s. "
            "Look at the messages above, and at `interlock doctor`."
        ) from error


@asynccontextmanager
async def _server(settings: Settings, port: int | None, ui: bool) -> AsyncIterator[Server]:
    folder = data_folder(settings)
    async with AsyncExitStack() as stack:
        try:
            with _printing_to(folder / "temporal.log"):
                server = await stack.enter_async_context(
                    running_server(
                        folder / "temporal.db",
                        namespace=settings.temporal.namespace,
                        port=port,
                        ui=ui,
                    )
                )
        except RuntimeError as error:
            raise TemporalUnreachable(
                f"the Temporal server did not start: {error}. Is the port taken? Its own words are in "
                f"{str(folder / 'temporal.log')!r}; `interlock doctor` says which binary is used."
            ) from error
        yield server


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Let a child process that starts in the block print to a file: ours has an answer to give."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("a") as file:
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            for stream, was in zip((1, 2), kept, strict=True):
                os.dup2(was, stream)
                os.close(was)


@contextmanager
def _one_for(settings: Settings) -> Iterator[None]:
    """Be the only `interlock up` of a data folder."""
    folder = data_folder(settings)
    lock = FileLock(folder / "up.lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreLocked(
            f"another `interlock up` runs on {str(folder)!r}. Use it, or stop it first.",
            folder=str(folder),
        ) from error
    except OSError as error:
        raise StoreUnwritable(
            f"data folder {str(folder)!r} cannot be written: {error}. Make it writable, or set "
            "'data_dir' to another folder.",
            folder=str(folder),
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _noted(settings: Settings, server: Server) -> Iterator[None]:
    note_server(settings, server.address, server.ui)
    try:
        yield
    finally:
        note_server(settings, None)


def _at(settings: Settings, address: str) -> Settings:
    """Return the settings with the address of the server that runs here."""
    temporal = settings.temporal.model_copy(update={"address": address})
    return settings.model_copy(update={"temporal": temporal})
