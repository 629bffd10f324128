"""`python -m tools.payment_service --port 0 --database PATH`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import uvicorn

from tools.payment_service.app import create_app
from tools.payment_service.store import open_store

_GRACE_SECONDS = 3


def main() -> None:
    """Open the database, say `ready URL` on standard output, and serve."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server raises the signal again after it has shut down; this makes that exit code 0.
        signal.signal(number, _leave)
    asyncio.run(_prepare(options.database))
    config = uvicorn.Config(
        create_app(options.database, options.hold_dir),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with socket.create_server(("127.0.0.1", options.port)) as listening:
        # The socket takes connections from here on, so the line below is true when it is read.
        port = listening.getsockname()[1]
        sys.stdout.write(f"ready http://127.0.0.1:{port}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listening])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.payment_service", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file")
    parser.add_argument("--hold-dir", type=Path, help="folder of crash-test hooks")
    return parser.parse_args()


async def _prepare(database: Path) -> None:
    """Fail before the ready line when the database cannot be used."""
    async with open_store(database):
        pass


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
