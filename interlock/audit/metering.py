"""Limits that all workers share: what they are, and the arithmetic of a rate. Safe in a workflow.

A rate is kept by the generic cell rate algorithm (GCRA): a limit remembers one moment, the
theoretical arrival time (TAT) of the next call if calls came evenly.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict


class Limit(BaseModel):
    """What a call has to keep to."""

    model_config = ConfigDict(frozen=True)

    tool: str
    key: str
    """Who shares the rate; no personal data. The tool's name when all calls of the tool do."""
    per_second: float | None = None
    """Calls a second under `key`."""
    burst: int = 1
    """Calls that may start at once after a pause."""
    concurrency: int | None = None
    """Calls of the tool that may run at once."""
    lease_seconds: float = 0.0
    """How long a running call counts at most, when nobody says that it is over."""


class Turn(NamedTuple):
    """What a call is told that wants to start."""

    wait_seconds: float
    """0: it may start now. Otherwise it asks again after that time."""
    calls: int
    """How often it was let go, this time included."""
    busy: bool = False
    """It waits because enough calls run, not for the rate."""


class Limits(Protocol):
    """One state of every limit, shared by all workers."""

    def book(self, limit: Limit, call: str) -> Awaitable[float]:
        """Give a call its turn under the rate, and return how many seconds it is away.

        A call that has a turn keeps it: asking again books nothing.
        """
        ...

    def admit(self, limit: Limit, call: str) -> Awaitable[Turn]:
        """Let a call go whose turn has come, while few enough run; else say when to ask again."""
        ...

    def release(self, limit: Limit, call: str, *, over: bool) -> Awaitable[None]:
        """Take note that a call does not run any more; `over`: nor will it be tried again."""
        ...


def book(
    tat: float, now: float, per_second: float, burst: int, *, slack: float = 0.0
) -> tuple[float, float]:
    """Return when the next call may start, and the TAT that follows from it.

    Args:
        tat: The limit's theoretical arrival time; 0 at first.
        now: The time, in the same seconds.
        per_second: Calls a second.
        burst: Calls that may start at once after a pause.
        slack: How many seconds a call may be too early, because the one before it was late.
    """
    step = 1 / per_second
    return max(now, tat - (burst - 1) * step - slack), max(now, tat) + step
