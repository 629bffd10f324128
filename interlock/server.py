"""A real Temporal server on this machine, for `interlock up`, the demo and tests."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from interlock.workflows import search

OPTIONS = (
    # No banner: standard output belongs to the program that runs the server.
    "--output",
    "none",
    # The default of 20 polls a second makes each step of a sequential run wait 50 ms.
    "--dynamic-config-value",
    "history.transferProcessorMaxPollRPS=5000",
    # By default a timer of less than a second fires when that second is over: a turn, a retry, and
    # the handing on of a lost worker's run.
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="100ms"',
    "--dynamic-config-value",
    "history.timerProcessorMaxPollRPS=5000",
    # One partition: a queue's rate limit is split over its partitions.
    "--dynamic-config-value",
    "matching.numTaskqueueReadPartitions=1",
    "--dynamic-config-value",
    "matching.numTaskqueueWritePartitions=1",
    # Tenants are served in turn, whoever queued most.
    "--dynamic-config-value",
    "matching.enableFairness=true",
    # An update over Temporal's payload limit of 2 MB is let in by the server and can then be neither
    # accepted nor rejected: the run would try for ever. This refuses it at the door.
    "--dynamic-config-value",
    "history.maxInFlightUpdatePayloads=2000000",
    "--sqlite-pragma",
    "journal_mode=wal",
    "--sqlite-pragma",
    "synchronous=normal",
)
"""Options of `temporal server start-dev` that every server here is started with."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    client: Client
    address: str
    ui: str | None


def find_temporal() -> str | None:
    """Return the path of a Temporal CLI: TEMPORAL_CLI, beside this Python, or on PATH.

    None leaves it to the SDK, which downloads one.
    """
    named = os.environ.get("TEMPORAL_CLI")
    if named:
        return named
    return shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which(
        "temporal"
    )


@asynccontextmanager
async def running_server(
    database: Path | None = None,
    *,
    namespace: str = "default",
    port: int | None = None,
    ui: bool = False,
    log_level: str = "error",
) -> AsyncIterator[Server]:
    """Run a server until the context ends; with `database` its state outlives it.

    Args:
        database: SQLite file, or None to keep everything in memory.
        namespace: Namespace to register and use.
        port: Port of the front end; None lets the system choose.
        ui: Whether Temporal's web UI runs too, on a port the system chooses.
        log_level: Log level of the server.
    """
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    # Without a port of its own the UI takes the front end's plus 1000, whoever has that already.
    ui_port = free_port() if ui else None
    environment = await WorkflowEnvironment.start_local(
        namespace=namespace,
        port=port,
        ui=ui,
        ui_port=ui_port,
        search_attributes=search.ALL,
        dev_server_existing_path=find_temporal(),
        dev_server_database_filename=str(database) if database else None,
        dev_server_log_level=log_level,
        dev_server_extra_args=OPTIONS,
    )
    try:
        address = environment.client.service_client.config.target_host
        yield Server(
            client=environment.client,
            address=address,
            ui=f"http://127.0.0.1:{ui_port}" if ui_port else None,
        )
    finally:
        await environment.shutdown()


def free_port() -> int:
    """Return a port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
