"""What a system that hosts runs in the caller's process offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.load import Kept, Pause, Run


async def _nothing_stored() -> Kept | None:
    return None


def _no_server() -> float | None:
    return None


@dataclass(frozen=True)
class Hosted:
    """A system that is open."""

    run: Run
    pause: Pause
    stored: Callable[[], Awaitable[Kept | None]] = _nothing_stored
    """Returns what its store holds now; None for a system without one."""
    server_cpu: Callable[[], float | None] = _no_server
    """Returns the CPU seconds of its database server; None for a system without one."""
