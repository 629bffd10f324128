"""SIGINT and SIGTERM as something that a program which stays can wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """What SIGINT and SIGTERM do: end the waiting of a ready program, or cancel its start."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._starting = asyncio.current_task()

    def ask(self) -> None:
        """Take a signal."""
        self._asked.set()
        if self._starting is not None:
            self._starting.cancel()

    async def wait(self) -> None:
        """Wait for a signal; from now on it cancels nothing."""
        self._starting = None
        await self._asked.wait()


@contextmanager
def signals() -> Iterator[Stop]:
    """Take SIGINT and SIGTERM while the context is open."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
