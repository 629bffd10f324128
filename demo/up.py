"""`make up`: the shop's CRM and payment service, Temporal, its web UI and a worker, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from demo.processes import payment_service
from interlock.cli.leaving import leave
from interlock.connection import data_folder
from interlock.settings import load_settings
from tools.service.seed import seed

_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run until a signal ends it, with the exit code of `interlock up`, which gets the arguments."""
    os.chdir(_ROOT)
    leave(asyncio.run(_up(sys.argv[1:])))


async def _up(arguments: list[str]) -> int:
    shop = data_folder(load_settings(_ROOT)) / "shop"
    os.environ["SHOP_CRM_URL"] = f"sqlite+aiosqlite:///{shop / 'crm.db'}"
    await seed(datetime.now(UTC).date())
    async with payment_service(shop) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "interlock",
            "up",
            *arguments,
            env={**os.environ, "SHOP_PAYMENTS_URL": url},
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, _end, process)
        return await process.wait()


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()


if __name__ == "__main__":
    main()
