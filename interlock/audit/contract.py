"""Audit events and the effect ledger: data and ports, safe in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from interlock.context import CallContext

EventKind = Literal[
    "run",
    "model_call",
    "tool_call",
    "verdict",
    "decision",
    "refusal",
    "feedback",
    "incident",
    "breaker",
    "reveal",
    "delegation",
]
"""What an audit event is about. reveal: somebody asked to see personal data that is masked.
delegation: somebody let another decide in their place, or that was ended; it is of no run."""


class AuditEvent(BaseModel):
    """One thing that happened. Writing the same id twice is one event."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Unique: made from the lineage and the call, so a retried activity writes no second event."""
    kind: EventKind
    name: str
    """Tool, role, verb or other name of the thing within its kind."""
    outcome: str
    """For example `done`, `failed`, `unknown`, `allow`, `ask`, `approve`, `started`, `completed`."""
    workflow_id: str
    run_id: str = ""
    context: CallContext
    started_at: AwareDatetime
    ended_at: AwareDatetime
    cost_usd: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    refs: dict[str, str] = Field(default_factory=dict)
    """References into the payload store, for example `prompt` and `answer`."""
    details: dict[str, Any] = Field(default_factory=dict)
    """Small JSON data: arguments, reviewer, code, message. Never a secret."""


class EventFilter(BaseModel):
    """Which events to read; unset fields do not filter."""

    model_config = ConfigDict(frozen=True)

    workflow_id: str | None = None
    kind: EventKind | None = None
    name: str | None = None
    """Of what it is about, for example a tool."""
    outcomes: tuple[str, ...] = ()
    tenant: str | None = None
    since: AwareDatetime | None = None
    newest_first: bool = False
    limit: int = Field(default=100, ge=1, le=10_000)
    offset: int = Field(default=0, ge=0)


class AuditBatch(BaseModel):
    """Events that one activity records together."""

    model_config = ConfigDict(frozen=True)

    events: tuple[AuditEvent, ...]


class ModelUsage(BaseModel):
    """What the model calls of one workflow used."""

    model_config = ConfigDict(frozen=True)

    workflow_id: str
    calls: int
    unpriced_calls: int
    """Calls whose price is unknown; `cost_usd` leaves them out."""
    cost_usd: float
    input_tokens: int
    output_tokens: int


class AuditStore(Protocol):
    """Where events are kept."""

    def record(self, events: Sequence[AuditEvent]) -> Awaitable[int]:
        """Write events and return how many were new."""
        ...

    def events(self, where: EventFilter) -> Awaitable[list[AuditEvent]]:
        """Read events, oldest first."""
        ...

    def count(self, where: EventFilter) -> Awaitable[int]:
        """Count the events that match, whatever `limit` and `offset` say."""
        ...

    def usage(self, where: EventFilter) -> Awaitable[list[ModelUsage]]:
        """Add up the matching model calls of each workflow, by workflow id.

        `limit` and `offset` count workflows.
        """
        ...


class LedgerState(StrEnum):
    """State of one effect."""

    CLAIMED = "CLAIMED"
    """An attempt holds it: it may happen until the row's deadline."""
    DONE = "DONE"
    """It happened; the row has its result."""
    FAILED = "FAILED"
    """It did not happen, for certain; the next claim may make it."""
    UNKNOWN = "UNKNOWN"
    """Nobody can tell; the tool, the next call with its key, or a person has to."""
    ABORTED = "ABORTED"
    """A person ended it while nobody could tell; it is never called again."""


class Claim(BaseModel):
    """An attempt's wish to make an effect."""

    model_config = ConfigDict(frozen=True)

    effect_key: str
    call_id: str
    tool: str
    arguments: dict[str, Any]
    workflow_id: str
    context: CallContext
    deadline: AwareDatetime
    """When this attempt's call is over for certain; nobody takes the row over before it."""
    request_id: str | None = None
    """The approval request whose decision this effect consumes."""


class LedgerRow(BaseModel):
    """One effect as the ledger knows it."""

    model_config = ConfigDict(frozen=True)

    effect_key: str
    call_id: str
    tool: str
    arguments: dict[str, Any]
    workflow_id: str
    context: CallContext
    state: LedgerState
    token: int
    """Fencing token: counts the claims of this key. Only its holder may settle."""
    deadline: AwareDatetime
    request_id: str | None = None
    result: Any = None
    error: str = ""
    """Why it has no result. On a CLAIMED row: why its call ended without an answer; '' while the
    call runs, and when the attempt was lost."""
    claimed_at: AwareDatetime
    settled_at: AwareDatetime | None = None


class ClaimResult(BaseModel):
    """`won`: this attempt holds the row under `row.token` and may call. Otherwise `row` says why."""

    model_config = ConfigDict(frozen=True)

    won: bool
    row: LedgerRow


class Ledger(Protocol):
    """Compare-and-set states of effects, shared by all workers."""

    def claim(self, claim: Claim, *, events: Sequence[AuditEvent] = ()) -> Awaitable[ClaimResult]:
        """Insert the key as CLAIMED with token 1, or take over a FAILED row with the next token.

        Consumes the decision of `request_id` in the same transaction: the same effect may consume
        it again. A claim that does not win consumes nothing. Requests are told apart within the
        lineage of the claim's context.

        `events` are recorded in the same transaction, whether it wins or not.

        Raises:
            LedgerConflict: the decision was consumed by another effect (details: `held_by`).
        """
        ...

    def take_over(self, effect_key: str, token: int, deadline: datetime) -> Awaitable[ClaimResult]:
        """Make a CLAIMED or UNKNOWN row this attempt's own, if it still has `token`.

        For a row of a lost attempt, after its deadline and a grace (the caller checks both), and
        for an UNKNOWN row that a person has said did not happen.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        ...

    def note(self, effect_key: str, token: int, why: str) -> Awaitable[bool]:
        """Keep why the holder's call ended without an answer; the row stays CLAIMED.

        Changes nothing unless the row is CLAIMED under `token`; says whether it is.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        ...

    def settle(
        self,
        effect_key: str,
        token: int,
        state: LedgerState,
        *,
        result: Any = None,
        error: str = "",
        events: Sequence[AuditEvent] = (),
    ) -> Awaitable[bool]:
        """Write DONE, FAILED or UNKNOWN if the row still has `token`; say whether it has.

        DONE and FAILED are final. Saying the same again is no error, for an attempt that does not
        know whether it was heard; anything else changes nothing. `events` are recorded in the same
        transaction, and only if the row has `token` and the state.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        ...

    def resolve(
        self, effect_key: str, state: LedgerState, *, result: Any = None, error: str = ""
    ) -> Awaitable[bool]:
        """Write a person's word (DONE or ABORTED) on an UNKNOWN row; say whether it was UNKNOWN.

        Raises the token, so a late attempt settles nothing.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        ...

    def find(self, effect_key: str) -> Awaitable[LedgerRow | None]:
        """Return the row of a key."""
        ...

    def rows(
        self,
        *,
        workflow_id: str | None = None,
        state: LedgerState | None = None,
        beginning: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Awaitable[list[LedgerRow]]:
        """Return rows whose key has this beginning, oldest first."""
        ...


class BreakerState(StrEnum):
    """State of the circuit breaker of a dependency."""

    CLOSED = "closed"
    """Calls are made."""
    OPEN = "open"
    """No call is made until the row's time is over."""
    HALF_OPEN = "half_open"
    """One call is made, a probe; what becomes of it decides."""


class BreakerRow(BaseModel):
    """The circuit breaker of one dependency, as all workers share it."""

    model_config = ConfigDict(frozen=True)

    dependency: str
    state: BreakerState = BreakerState.CLOSED
    token: int = 0
    """Counts the changes of state: only the probe that has it says how the probe ended."""
    until: AwareDatetime | None = None
    """Open: when a probe may be made. Half-open: until when its probe is waited for."""
    changed_at: AwareDatetime | None = None
    why: str = ""
    """The last failure that was counted."""
    counts: tuple[tuple[int, int, int], ...] = ()
    """Second (of the epoch), calls and failures in it, oldest first. Whoever has seen no failure
    lately has not written its calls yet."""


class BreakerStore(Protocol):
    """Where breakers are kept."""

    def read(self) -> Awaitable[list[BreakerRow]]:
        """Return every breaker that was ever written, by dependency."""
        ...

    def change(
        self, dependency: str, change: Callable[[BreakerRow], BreakerRow]
    ) -> Awaitable[tuple[BreakerRow, BreakerRow]]:
        """Put what `change` makes of a row in its place, at once; return the row before and after.

        A dependency that has no row yet begins closed.
        """
        ...


class EffectFilter(BaseModel):
    """Which effects to read."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    subject: str | None = None
    """None: of every subject."""
    since: AwareDatetime
    """Claimed at this time or later."""


class Effects(Protocol):
    """Effects that were made, or may have been, across all runs."""

    def made(self, where: EffectFilter) -> Awaitable[list[tuple[str, dict[str, Any]]]]:
        """Return tool and arguments of each that is CLAIMED, DONE or UNKNOWN."""
        ...
