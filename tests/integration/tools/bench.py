"""A gateway on the real ledger, and another side that remembers what was done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.audit.breakers import SqlBreakers
from interlock.audit.contract import (
    AuditEvent,
    BreakerRow,
    Claim,
    ClaimResult,
    EventKind,
    LedgerRow,
)
from interlock.audit.ledger import SqlLedger
from interlock.context import CallContext
from interlock.errors import LedgerConflict, ToolUnavailable
from interlock.tools import Effect, Tool, ToolCall, tool
from interlock.tools.contract import Grant, ToolOutcome, action_digest, effect_key
from interlock.tools.gateway import ToolGateway

LINEAGE = "default/case/42/first-run"
RELEASE = "r1"
POLICY = "p1"
GRACE = 0.05


class Killed(BaseException):
    """The process ended here: nothing after this point happens."""


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def event(key: str, kind: EventKind, call: ToolCall, outcome: str, at: datetime) -> AuditEvent:
    """Return an audit event about a call."""
    return AuditEvent(
        id=key,
        kind=kind,
        name=call.tool,
        outcome=outcome,
        workflow_id="case/42",
        run_id="first",
        context=call.context,
        started_at=at,
        ended_at=at,
    )


@dataclass
class Observer:
    """Keeps what the audit would be told."""

    calls: list[tuple[ToolCall, ToolOutcome, int]] = field(default_factory=list)
    """Calls whose event was recorded."""
    made: dict[str, tuple[ToolCall, ToolOutcome, int]] = field(default_factory=dict)
    """Calls by the id of the event that was made of them."""
    recorded: list[str] = field(default_factory=list)
    """Kinds of all events, in their order."""
    incidents: list[tuple[str, int]] = field(default_factory=list)
    breakers: list[tuple[str, str]] = field(default_factory=list)

    def tool_called(
        self,
        call: ToolCall,
        outcome: ToolOutcome,
        *,
        started_at: datetime,
        ended_at: datetime,
        token: int,
    ) -> AuditEvent:
        assert started_at <= ended_at
        found = event(str(len(self.made)), "tool_call", call, outcome.status, ended_at)
        self.made[found.id] = (call, outcome, token)
        return found

    async def record(self, events: Sequence[AuditEvent]) -> None:
        self.recorded += [event.kind for event in events]
        self.calls += [self.made[event.id] for event in events if event.id in self.made]

    async def incident(self, call: ToolCall, what: str, *, at: datetime, token: int) -> None:
        self.incidents.append((what, token))

    def breaker_seen(self, breaker: BreakerRow) -> None:
        """Take no note."""

    async def breaker_changed(self, call: ToolCall, breaker: BreakerRow, *, at: datetime) -> None:
        self.breakers.append((breaker.dependency, str(breaker.state)))


class TellingLedger(SqlLedger):
    """Tells the observer of the events that it has recorded with a row."""

    observer: Observer

    async def claim(self, claim: Claim, *, events: Sequence[AuditEvent] = ()) -> ClaimResult:
        claimed = await super().claim(claim, events=events)
        await self.observer.record(events)
        return claimed

    async def settle(self, *row: Any, events: Sequence[AuditEvent] = (), **values: Any) -> bool:
        is_settled = await super().settle(*row, events=events, **values)
        if is_settled:
            await self.observer.record(events)
        return is_settled


class Shop:
    """The other side: it pays, by a reference it may honour as a key, and can be asked.

    `behave` is awaited in each call with the point 'before' or 'after' the payment, and may raise.
    """

    def __init__(self) -> None:
        self.paid: list[tuple[str, int]] = []
        self.calls: list[ToolCall] = []
        """What each call was given, the newest last."""
        self.asked = 0
        self.behave: Callable[[str], Any] | None = None
        self.cannot_tell: Exception | None = None

    @property
    def attempts(self) -> int:
        """How often it was called."""
        return len(self.calls)

    async def pay(self, amount: int, call: ToolCall) -> dict[str, Any]:
        """Pay, again for each call."""
        return await self._pay(amount, call, honour_key=False)

    async def pay_once(self, amount: int, call: ToolCall) -> dict[str, Any]:
        """Pay once for each key."""
        return await self._pay(amount, call, honour_key=True)

    async def find(self, key: str) -> dict[str, Any] | None:
        """Say what happened to a key."""
        self.asked += 1
        if self.cannot_tell is not None:
            raise self.cannot_tell
        found = [amount for reference, amount in self.paid if reference == key]
        return {"paid": found[0]} if found else None

    async def _pay(self, amount: int, call: ToolCall, *, honour_key: bool) -> dict[str, Any]:
        key = call.effect_key
        self.calls.append(call)
        await self._point("before")
        if not (honour_key and any(reference == key for reference, _ in self.paid)):
            self.paid.append((key, amount))
        await self._point("after")
        return {"paid": amount}

    async def _point(self, name: str) -> None:
        if self.behave is not None:
            done = self.behave(name)
            if asyncio.iscoroutine(done):
                await done


class Bench:
    """Everything a test of the gateway needs."""

    def __init__(self, ledger: TellingLedger, breakers: SqlBreakers) -> None:
        self.ledger = ledger
        self.breakers = breakers
        self.clock = Clock()
        self.observer = ledger.observer = Observer()
        self.shop = Shop()

    def tool(self, kind: str, **options: Any) -> Tool:
        """Return a paying tool: external, reconciling, idempotent, idempotent_asked, read."""
        shop = self.shop
        terms: dict[str, dict[str, Any]] = {
            "external": {"effect": Effect.EXTERNAL},
            "reconciling": {"effect": Effect.EXTERNAL, "reconcile": shop.find},
            "idempotent": {"effect": Effect.IDEMPOTENT},
            "idempotent_asked": {"effect": Effect.IDEMPOTENT, "reconcile": shop.find},
            "read": {"effect": Effect.READ},
        }
        given = {"timeout_seconds": 5, **terms[kind], **options}
        act = shop.pay_once if kind.startswith("idempotent") else shop.pay

        @tool(name="pay", **given)
        async def pay(amount: int, call: ToolCall) -> dict[str, int]:
            """Pay."""
            return await act(amount, call)

        return pay

    def gateway(self, *tools: Tool, **options: Any) -> ToolGateway:
        """Return a gateway as one worker has it."""
        given = {
            "clock": self.clock,
            "grace_seconds": GRACE,
            "breakers": self.breakers,
            **options,
        }
        return ToolGateway(tools, self.ledger, self.observer, **given)

    def context(self) -> CallContext:
        """Return the context of the run that the calls belong to."""
        return CallContext(agent="support", tenant="t", release=RELEASE, lineage=LINEAGE)

    def call(self, amount: int = 7, *, call_id: str = "c1", **fields: Any) -> ToolCall:
        """Return a call of the paying tool."""
        arguments = {"amount": amount}
        return ToolCall.model_validate(
            {
                "call_id": call_id,
                "tool": "pay",
                "arguments": arguments,
                "effect_key": effect_key(LINEAGE, "pay", arguments, 0),
                "context": self.context(),
                "policy": POLICY,
                **fields,
            }
        )

    def grant(self, amount: int = 7, *, seconds: float = 60, **fields: Any) -> Grant:
        """Return a grant of a call with this amount, valid for some seconds."""
        given = {"tenant": "t", "release": RELEASE, "policy": POLICY}
        return Grant.model_validate(
            {
                "request_id": "c1:request",
                "digest": action_digest("pay", {"amount": amount}, **given),
                "reviewer": "rita",
                "decided_at": self.clock(),
                "expires_at": self.clock() + timedelta(seconds=seconds),
                **fields,
            }
        )

    async def lost_claim(self, call: ToolCall, seconds: float = 5) -> int:
        """Claim as an attempt whose worker is then lost, and return its token."""
        claimed = await self.ledger.claim(
            Claim(
                effect_key=call.effect_key,
                call_id=call.call_id,
                tool=call.tool,
                arguments=call.arguments,
                workflow_id="case/42",
                context=call.context,
                deadline=self.clock() + timedelta(seconds=seconds),
            )
        )
        assert claimed.won
        return claimed.row.token

    def pass_deadline(self, seconds: float = 5) -> None:
        """Let a lost attempt's deadline and the grace pass."""
        self.clock.advance(seconds + GRACE)

    async def carry_out(self, gateway: ToolGateway, call: ToolCall | None = None) -> ToolOutcome:
        """Make attempts as Temporal does, by the clock of the bench, until there is an outcome."""
        for attempt in range(1, 30):
            try:
                return await gateway.run(call or self.call(), attempt=attempt)
            except LedgerConflict as conflict:
                self.clock.advance(conflict.details["retry_after_seconds"])
            except ToolUnavailable:
                continue
        raise AssertionError("the call does not come to an end")

    async def row(self, call: ToolCall | None = None) -> LedgerRow:
        """Return the ledger's row of a call."""
        found = await self.ledger.find((call or self.call()).effect_key)
        assert found is not None
        return found
