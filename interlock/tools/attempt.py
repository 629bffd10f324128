"""What one attempt at a tool call is, and what it works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from interlock.audit.contract import AuditEvent, Ledger
from interlock.errors import LedgerConflict
from interlock.tools.answers import AnswerCache
from interlock.tools.calling import Caller
from interlock.tools.contract import ToolCall, ToolObserver, ToolOutcome
from interlock.tools.definition import Tool
from interlock.tools.dependencies import Dependencies
from interlock.tools.retry_after import wanted_wait
from interlock.tools.signature import CALL_PARAMETER

Probe = Callable[[str, ToolCall], Awaitable[None]]
"""Told of each point of a call, so that a crash test can end the process there: before_claim,
after_claim, before_call, after_call, before_settle and after_settle."""


class GrantCheck(Protocol):
    """Verifies the decisions that a call rests on."""

    def refusal(self, call: ToolCall, tool: Tool) -> tuple[str, str] | None:
        """Return why they do not hold, as code and message, or None.

        Args:
            call: The call. Its arguments are valid.
            tool: Its tool, which knows the canonical form of arguments.
        """
        ...

    def word_refusal(self, call: ToolCall) -> tuple[str, str] | None:
        """Return why what a person said of an UNKNOWN effect does not count, or None."""
        ...


LOST_ATTEMPTS = 5
"""Attempts beyond a tool's own that may be lost with their worker before the call is given up."""


@dataclass(frozen=True)
class Parts:
    """What every attempt of a gateway works with."""

    ledger: Ledger
    observer: ToolObserver
    clock: Callable[[], datetime]
    probe: Probe
    grace: timedelta
    """How long after a call's deadline its row may be taken over."""
    result_bytes: int
    dependencies: Dependencies
    answers: AnswerCache | None
    longest_wait: timedelta
    """What a longer `Retry-After` is cut to."""
    grants: GrantCheck | None = None

    def event(self, job: Job, outcome: ToolOutcome, token: int) -> AuditEvent:
        """Return what is to be recorded of an attempt that ends now."""
        return self.observer.tool_called(
            job.call, outcome, started_at=job.started_at, ended_at=self.clock(), token=token
        )

    def wait_after(self, error: Exception, call: ToolCall) -> dict[str, float]:
        """Return how long the other side wants to be left alone, as details of an error.

        No longer than the call may still be made: a grant that expires is refused then, not later.
        """
        now, longest = self.clock(), self.longest_wait
        if call.grant is not None:
            longest = min(longest, call.grant.expires_at - now)
        return wanted_wait(error, now, longest)


@dataclass(frozen=True)
class Job:
    """One attempt at one call."""

    tool: Tool
    call: ToolCall
    attempt: int
    """Number of the activity's attempt, from 1."""
    caller: Caller
    started_at: datetime
    events: list[AuditEvent]
    """What is to be recorded with the next change of the ledger, or else at the end."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Everything the implementation takes, by keyword."""
    is_retry: bool = False
    """Whether Temporal makes it in place of one that has ended or is missed."""
    refusal: ToolOutcome | None = None
    """Why the call may not be made: its decisions do not hold, or its arguments do not fit."""
    is_heard: bool = True
    """Whether what a person said of an UNKNOWN effect, if it came along, counts."""

    def arguments_until(self, deadline: datetime) -> dict[str, Any]:
        """Return what the implementation takes, with the deadline if it takes the call."""
        if CALL_PARAMETER not in self.arguments:
            return self.arguments
        call = self.call.model_copy(update={"deadline": deadline})
        return {**self.arguments, CALL_PARAMETER: call}

    def is_last(self, token: int | None = None) -> bool:
        """Whether no attempt is left after this one.

        Both counters count more than calls: the activity's also its conflicts, the ledger's also
        the calls before a person sent this one on. The smaller is nearer the truth.
        """
        return self._count(token) >= self.tool.contract.attempts

    def is_over(self, token: int) -> bool:
        """Whether all attempts were made before this one."""
        return self._count(token) > self.tool.contract.attempts

    def is_spent(self, token: int | None = None) -> bool:
        """Whether so many attempts were lost with their workers that the call may be the cause."""
        return self._count(token) > self.tool.contract.attempts + LOST_ATTEMPTS

    def conflict(self, left: timedelta, why: str = "") -> LedgerConflict:
        """Return the error of an attempt that has to wait until a call is over for certain.

        Args:
            left: How long that is.
            why: Why this attempt's own call has no answer; without it, it is another attempt's.
        """
        waits = f"another attempt of {self.tool.name!r} holds {self.call.effect_key!r}"
        if why:
            waits = f"{self.tool.name!r} has no answer ({why}) and may still happen"
        return LedgerConflict(
            f"{waits}. The next attempt looks again when that call is over for certain.",
            retry_after_seconds=max(left.total_seconds(), 0.0),
        )

    def _count(self, token: int | None) -> int:
        return self.attempt if token is None else min(self.attempt, token)


class Ended(NamedTuple):
    """How an attempt ended."""

    outcome: ToolOutcome
    token: int = 0
    """The ledger's token it had."""
    recorded: bool = False
    """Whether the audit has it already, written together with the ledger's row."""
