"""A failing dependency: who is called, who waits, and what the ledger and the others know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from interlock.approvals import RiskPolicy
from interlock.approvals.direct import DirectTools
from interlock.audit.breakers import SqlBreakers
from interlock.audit.contract import BreakerRow, LedgerState
from interlock.context import CallContext
from interlock.errors import (
    CircuitOpen,
    ConfigError,
    DatabaseBusy,
    LedgerConflict,
    ToolFailed,
    ToolUnavailable,
)
from interlock.tools import Breaker, Tool
from interlock.tools.activities import ToolActivities
from interlock.tools.contract import ToolCall
from interlock.tools.gateway import ToolGateway
from tests.integration.tools.bench import Bench, Killed
from tests.integration.tools.test_activities import OneCall, environment, real_time, working

TERMS = Breaker(failure_rate=0.5, window_seconds=30, min_calls=4, open_seconds=20)


class Watched:
    """Breakers in the database, and how often they were read and written."""

    def __init__(self, store: SqlBreakers) -> None:
        self._store = store
        self.reads = 0
        self.writes = 0
        self.busy = False

    async def read(self) -> list[BreakerRow]:
        """Read, or find the database busy."""
        self.reads += 1
        if self.busy:
            raise DatabaseBusy("busy")
        return await self._store.read()

    async def change(self, *args: Any) -> tuple[BreakerRow, BreakerRow]:
        """Write, or find the database busy."""
        self.writes += 1
        if self.busy:
            raise DatabaseBusy("busy")
        return await self._store.change(*args)


def watched(bench: Bench, kind: str = "read", **terms: Any) -> Tool:
    """Return a tool that calls the dependency 'payments' once for each attempt it gets."""
    given = {"dependency": "payments", "breaker": TERMS, "attempts": 1, **terms}
    return bench.tool(kind, **given)


def fail_with(error: Exception | None) -> Callable[[str], None]:
    """Return the behaviour of a side that fails before the effect, or works."""

    def behave(point: str) -> None:
        if point == "before" and error is not None:
            raise error

    return behave


def calls(bench: Bench, count: int, first: int = 0) -> list[ToolCall]:
    """Return different calls."""
    return [
        bench.call(call_id=f"c{number}", effect_key=f"key-{number}")
        for number in range(first, first + count)
    ]


async def open_it(bench: Bench, gateway: ToolGateway, first: int = 1000) -> None:
    """Let the dependency fail until its breaker opens."""
    bench.shop.behave = fail_with(ConnectionError("refused"))
    for call in calls(bench, TERMS.min_calls, first):
        try:
            await gateway.run(call)
        except (ToolUnavailable, LedgerConflict):
            continue
    assert await state(bench) == "open"
    bench.shop.behave = None


async def state(bench: Bench) -> str:
    """Return the state of the breaker of 'payments'."""
    (row,) = [row for row in await bench.breakers.read() if row.dependency == "payments"]
    return str(row.state)


async def test_an_open_breaker_calls_nothing_and_tells_the_model(bench: Bench) -> None:
    """After enough failures the next call fails at once, for each worker, with a clear code."""
    gateways = [bench.gateway(watched(bench)) for _ in range(2)]
    await open_it(bench, gateways[0])
    bench.clock.advance(1)
    attempts = bench.shop.attempts
    for gateway in gateways:
        outcome = await gateway.run(bench.call())
        assert (outcome.status, outcome.code) == ("failed", "CIRCUIT_OPEN")
        assert "'pay' was not called: 'payments' fails too often" in outcome.message
        assert "refused" not in outcome.message, "another tenant's error is none of this one's"
    assert bench.shop.attempts == attempts
    assert bench.observer.breakers == [("payments", "open")]


async def test_healthy_calls_cost_no_transaction(bench: Bench) -> None:
    """A hundred calls within a second are one reading and no writing."""
    store = Watched(bench.breakers)
    gateway = bench.gateway(watched(bench), breakers=store)
    for call in calls(bench, 100):
        assert (await gateway.run(call)).status == "done"
    assert (store.reads, store.writes) == (1, 0)
    bench.clock.advance(10)
    await gateway.run(bench.call())
    assert (store.reads, store.writes) == (2, 0)


async def test_the_rate_is_that_of_all_workers(bench: Bench) -> None:
    """One worker whose own network is broken stops nobody: the others tell of their successes."""
    healthy, broken = (bench.gateway(watched(bench)) for _ in range(2))
    bench.shop.behave = fail_with(ConnectionError("refused"))
    await broken.run(bench.call())
    bench.shop.behave = None
    for call in calls(bench, 20):
        bench.clock.advance(0.1)
        await healthy.run(call)
    bench.shop.behave = fail_with(ConnectionError("refused"))
    for call in calls(bench, 5, 100):
        await broken.run(call)
    assert await state(bench) == "closed"


@pytest.mark.parametrize("error", [ToolFailed("declined"), KeyError("total")])
async def test_only_failures_of_the_dependency_count(bench: Bench, error: Exception) -> None:
    """A clear no and a mistake in the tool open nothing, however many there are."""
    gateway = bench.gateway(watched(bench))
    bench.shop.behave = fail_with(error)
    for call in calls(bench, 20):
        await gateway.run(call)
    assert await bench.breakers.read() == []


async def test_one_probe_closes_it_for_all(bench: Bench) -> None:
    """When its time is over one call is let through; the others wait, and then everyone calls."""
    gateways = [bench.gateway(watched(bench)) for _ in range(3)]
    await open_it(bench, gateways[0])
    bench.clock.advance(20)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def behave(point: str) -> None:
        if point == "before":
            begun.set()
            await go_on.wait()

    bench.shop.behave = behave
    probe = asyncio.create_task(gateways[1].run(bench.call()))
    await begun.wait()
    attempts = bench.shop.attempts
    for gateway in gateways:
        assert (await gateway.run(bench.call(call_id="c2"))).code == "CIRCUIT_OPEN"
    assert bench.shop.attempts == attempts
    go_on.set()
    assert (await probe).status == "done"
    assert await state(bench) == "closed"
    bench.clock.advance(1)
    for gateway in gateways:
        assert (await gateway.run(bench.call(call_id="c3"))).status == "done"
    assert bench.observer.breakers == [("payments", "open"), ("payments", "closed")]


async def test_a_probe_that_fails_opens_it_again(bench: Bench) -> None:
    """It stays open for as long again, and the next probe may close it."""
    gateway = bench.gateway(watched(bench))
    await open_it(bench, gateway)
    bench.clock.advance(20)
    bench.shop.behave = fail_with(TimeoutError())
    assert (await gateway.run(bench.call())).code == "TOOL_UNAVAILABLE"
    bench.shop.behave = None
    bench.clock.advance(19)
    assert (await gateway.run(bench.call())).code == "CIRCUIT_OPEN"
    bench.clock.advance(1)
    assert (await gateway.run(bench.call())).status == "done"
    assert await state(bench) == "closed"


async def test_a_probe_whose_worker_is_lost_is_given_up(bench: Bench) -> None:
    """After its tool's timeout and five seconds the next call is the probe."""
    gateway = bench.gateway(watched(bench))
    await open_it(bench, gateway)
    bench.clock.advance(20)

    def die(_: str) -> None:
        raise Killed

    bench.shop.behave = die
    with pytest.raises(Killed):
        await gateway.run(bench.call())
    bench.shop.behave = None
    bench.clock.advance(9)
    assert (await gateway.run(bench.call())).code == "CIRCUIT_OPEN"
    bench.clock.advance(1)
    assert (await gateway.run(bench.call())).status == "done"


async def test_a_call_that_waits_is_made_later(bench: Bench) -> None:
    """Temporal gets the time that is left as the next delay; no row is claimed meanwhile."""
    gateway = bench.gateway(watched(bench, "external", while_open="wait"))
    await open_it(bench, gateway)
    bench.clock.advance(5)
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ToolActivities(gateway).call_tool, bench.call())
    assert caught.value.next_retry_delay == timedelta(seconds=15)
    assert (caught.value.type, caught.value.non_retryable) == ("CIRCUIT_OPEN", False)
    assert await bench.ledger.find(bench.call().effect_key) is None
    bench.clock.advance(15)
    assert (await gateway.run(bench.call())).status == "done"


@pytest.mark.parametrize("kind", ["external", "idempotent"])
async def test_a_failed_call_leaves_no_row(bench: Bench, kind: str) -> None:
    """An effect that is refused at once is not in the ledger, and its decision is not consumed."""
    gateway = bench.gateway(watched(bench, kind))
    await open_it(bench, gateway)
    call = bench.call(grant=bench.grant())
    assert (await gateway.run(call)).code == "CIRCUIT_OPEN"
    assert await bench.ledger.find(call.effect_key) is None
    bench.clock.advance(20)
    assert (await gateway.run(call)).status == "done"


async def test_an_effect_in_doubt_is_never_failed_fast(bench: Bench) -> None:
    """Its earlier call may have happened: to say 'nothing was called' would hide that."""
    gateway = bench.gateway(watched(bench, "idempotent", attempts=3))
    bench.shop.behave = lambda point: (
        (_ for _ in ()).throw(TimeoutError()) if point == "after" else None
    )
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call())
    await open_it(bench, gateway)
    before = await bench.row()
    assert before.state is LedgerState.UNKNOWN
    with pytest.raises(CircuitOpen):
        await gateway.run(bench.call(), attempt=2)
    assert await bench.row() == before
    bench.clock.advance(20)
    assert (await gateway.run(bench.call(), attempt=2)).status == "done"
    assert [key for key, _ in bench.shop.paid].count(bench.call().effect_key) == 1


async def test_what_is_known_is_told_while_it_is_open(bench: Bench) -> None:
    """A DONE effect is read from the ledger, a blind one is put before a person, a word counts."""
    gateway = bench.gateway(watched(bench, "external"))
    done = bench.call(call_id="d", effect_key="done")
    await gateway.run(done)
    await bench.lost_claim(bench.call())
    await open_it(bench, gateway)
    bench.pass_deadline()
    assert (await gateway.run(done)).replayed
    unknown = await gateway.run(bench.call())
    assert unknown.status == "unknown"
    token = unknown.known["token"]
    with pytest.raises(CircuitOpen):
        await gateway.run(bench.call(resolution="did_not_happen", resolved_token=token), attempt=2)
    happened = bench.call(resolution="happened", resolved_result={"paid": 7}, resolved_token=token)
    assert (await gateway.run(happened)).status == "done"


async def test_another_worker_was_quicker_to_probe(bench: Bench) -> None:
    """A worker that learns it in the transaction gives its row back as FAILED, and calls later."""
    first = bench.gateway(watched(bench, "external"))
    begun, go_on = asyncio.Event(), asyncio.Event()
    running: list[asyncio.Task[Any]] = []

    async def behave(point: str) -> None:
        if point == "before":
            begun.set()
            await go_on.wait()

    async def overtake(point: str, _: ToolCall) -> None:
        if point == "after_claim" and not running:
            other = bench.call(call_id="p", effect_key="probe")
            running.append(asyncio.create_task(first.run(other)))
            await begun.wait()

    late = bench.gateway(watched(bench, "external"), probe=overtake)
    await open_it(bench, first)
    bench.clock.advance(20)
    bench.shop.behave = behave
    assert (await late.run(bench.call())).code == "CIRCUIT_OPEN"
    assert (await bench.row()).state is LedgerState.FAILED
    go_on.set()
    assert (await running[0]).status == "done"
    bench.clock.advance(1)
    assert (await late.run(bench.call(), attempt=2)).status == "done"
    assert bench.observer.breakers == [("payments", "open"), ("payments", "closed")]


async def test_a_breaker_that_cannot_be_written_changes_no_call(bench: Bench) -> None:
    """What became of a call is what it returned or raised, also when the database is busy."""
    store = Watched(bench.breakers)
    gateway = bench.gateway(watched(bench), breakers=store)
    store.busy = True
    assert (await gateway.run(bench.call())).status == "done"
    bench.shop.behave = fail_with(ConnectionError("refused"))
    outcome = await gateway.run(bench.call())
    assert (outcome.code, store.writes) == ("TOOL_UNAVAILABLE", 1)


async def test_a_breaker_needs_a_place(bench: Bench) -> None:
    """A gateway without a store refuses tools that have one."""
    with pytest.raises(ConfigError, match="give the gateway"):
        bench.gateway(watched(bench), breakers=None)


async def test_waiting_outside_a_workflow(bench: Bench) -> None:
    """In a notebook the call sleeps until the breaker lets it, and is then made."""
    made = watched(
        bench, "read", while_open="wait", breaker=TERMS.model_copy(update={"open_seconds": 0.2})
    )
    real_time(bench)
    gateway = bench.gateway(made)
    await open_it(bench, gateway)
    context = CallContext(agent="outside", tenant="t", lineage="outside/notebook/1")
    policy = RiskPolicy(low="allow", medium="ask", high="deny")
    port = DirectTools(
        gateway, policy, context, clock=bench.clock, deadline_seconds=60, grant_seconds=60
    )
    assert await port.call_tool(made.contract, {"amount": 7}, "c1") == {"paid": 7}


async def test_waiting_is_no_attempt(bench: Bench, server: Client) -> None:
    """On a real server a read that waited still has all of its attempts."""
    real_time(bench)
    terms = TERMS.model_copy(update={"open_seconds": 1})
    made = watched(bench, while_open="wait", breaker=terms, attempts=2)
    gateway = bench.gateway(made)
    before = TERMS.min_calls
    errors: list[Exception] = [ConnectionError("refused")]

    def behave(point: str) -> None:
        if point == "before" and errors:
            raise errors.pop()

    async with working(server, gateway) as (client, queue):
        await open_it(bench, gateway)
        bench.shop.behave = behave
        handle = await client.start_workflow(
            OneCall.run, bench.call(), id=f"waits-{queue}", task_queue=queue
        )
        outcome = await handle.result()
    started = [
        event.activity_task_started_event_attributes.attempt
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_started_event_attributes")
    ]
    assert started > [2], "it never waited"
    # It waited, was the probe and failed, waited again, and was the next probe.
    assert (outcome.status, bench.shop.attempts - before) == ("done", 2)
    assert await state(bench) == "closed"


@pytest.mark.parametrize(("attempts", "code"), [(1, "TOOL_UNAVAILABLE"), (2, None)])
async def test_a_probe_that_cannot_be_noted_calls_nothing(
    bench: Bench, attempts: int, code: str | None
) -> None:
    """The breaker may be tried again, and the database is busy: nobody has to ask what happened."""
    store = Watched(bench.breakers)
    gateway = bench.gateway(watched(bench, "external", attempts=attempts), breakers=store)
    await open_it(bench, gateway)
    bench.clock.advance(TERMS.open_seconds + 1)
    called, store.busy = bench.shop.attempts, True
    if code is None:
        with pytest.raises(ToolUnavailable, match="nothing was called"):
            await gateway.run(bench.call())
    else:
        assert (await gateway.run(bench.call())).code == code
    assert bench.shop.attempts == called
    assert (await bench.row()).state is LedgerState.FAILED


async def test_a_call_ends_by_its_deadline_however_long_the_breaker_took(bench: Bench) -> None:
    """What is left is looked at when the tool is called: nobody may take over while it still runs."""
    store = Watched(bench.breakers)
    gateway = bench.gateway(watched(bench, "external", timeout_seconds=5), breakers=store)
    await open_it(bench, gateway)
    bench.clock.advance(TERMS.open_seconds + 1)
    called = bench.shop.attempts

    async def slowly(*args: Any) -> tuple[BreakerRow, BreakerRow]:
        bench.clock.advance(6)
        return await bench.breakers.change(*args)

    store.change = slowly  # type: ignore[method-assign]
    outcome = await gateway.run(bench.call())
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert "no time was left" in outcome.message
    assert bench.shop.attempts == called
    assert await state(bench) == "half_open", "the dependency was not called, so it did not fail"
    store.change = bench.breakers.change  # type: ignore[method-assign]
    assert (await gateway.run(bench.call(), attempt=2)).status == "done"
    assert await state(bench) == "closed"
