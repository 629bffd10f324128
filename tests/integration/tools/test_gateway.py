"""The gateway: what is checked before a call, how reads and effects end, what the audit hears."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from interlock.audit.contract import LedgerState
from interlock.errors import ConfigError, ToolFailed, ToolRetry, ToolUnavailable, UnknownTool
from interlock.tools import Effect, Risk, ToolCall, tool
from tests.integration.tools.bench import Bench


async def test_an_effect_is_claimed_made_and_settled(bench: Bench) -> None:
    """The row has the result, the deadline and the run; the audit hears of it once."""
    call = bench.call()
    outcome = await bench.gateway(bench.tool("external")).run(call)
    assert (outcome.status, outcome.result, outcome.replayed) == ("done", {"paid": 7}, False)
    row = await bench.row()
    assert (row.state, row.result, row.token) == (LedgerState.DONE, {"paid": 7}, 1)
    assert row.workflow_id == "case/42"
    assert (row.deadline - bench.clock()).total_seconds() == 5
    assert bench.observer.calls == [(call, outcome, 1)]


@pytest.mark.parametrize("kind", ["external", "reconciling", "idempotent"])
async def test_a_second_attempt_gets_the_stored_result(bench: Bench, kind: str) -> None:
    """DONE is answered from the ledger, on any worker, and nothing is called."""
    made = bench.tool(kind)
    await bench.gateway(made).run(bench.call())
    again = await bench.gateway(made).run(bench.call(), attempt=2)
    assert (again.status, again.result, again.replayed) == ("done", {"paid": 7}, True)
    assert bench.shop.attempts == 1


async def test_equal_arguments_of_two_logical_calls_are_two_effects(bench: Bench) -> None:
    """The effect key alone tells them apart."""
    gateway = bench.gateway(bench.tool("external"))
    await gateway.run(bench.call())
    await gateway.run(bench.call(call_id="c2", effect_key="another"))
    assert len(bench.shop.paid) == 2


async def test_a_read_is_called_each_time(bench: Bench) -> None:
    """What changes nothing leaves no row."""
    gateway = bench.gateway(bench.tool("read"))
    await gateway.run(bench.call())
    await gateway.run(bench.call())
    assert bench.shop.attempts == 2
    assert await bench.ledger.rows() == []
    assert [token for _, _, token in bench.observer.calls] == [0, 0]


async def test_arguments_are_checked_again(bench: Bench) -> None:
    """Arguments that do not fit this worker's tool go back to the model; nothing is claimed."""
    outcome = await bench.gateway(bench.tool("external")).run(
        bench.call(arguments={"amount": "much"})
    )
    assert (outcome.status, outcome.code) == ("retry", "BAD_ARGUMENTS")
    assert "'amount'" in outcome.message
    assert await bench.ledger.rows() == []


async def test_an_unknown_tool_is_no_call(bench: Bench) -> None:
    """The error lists what the worker has."""
    with pytest.raises(UnknownTool, match=r"no tool 'refund'\. It has: pay"):
        await bench.gateway(bench.tool("external")).run(bench.call(tool="refund"))


async def test_two_tools_of_one_name_are_refused(bench: Bench) -> None:
    """A name must say which tool is called."""
    with pytest.raises(ConfigError, match="two tools are named 'pay'"):
        bench.gateway(bench.tool("external"), bench.tool("read"))


async def test_a_worker_loads_every_implementation(bench: Bench) -> None:
    """A wrong reference is found when the worker starts."""

    @tool(effect=Effect.READ, runs="no.such.module:look")
    def look(at: str) -> str:
        """Look."""
        raise AssertionError

    gateway = bench.gateway(look)
    assert gateway.tools["look"] is look
    with pytest.raises(ConfigError, match="no module"):
        gateway.load()


async def test_without_the_grant_it_must_have_nothing_is_called(bench: Bench) -> None:
    """A verdict of `ask` and no decision is a refusal, and is heard."""
    outcome = await bench.gateway(bench.tool("external")).run(bench.call(must_have_grant=True))
    assert (outcome.status, outcome.code) == ("refused", "NO_GRANT")
    assert bench.shop.attempts == 0
    assert [one.status for _, one, _ in bench.observer.calls] == ["refused"]


async def test_a_grant_lets_exactly_its_action_pass(bench: Bench) -> None:
    """The decision is bound to tool, arguments, tenant, release and policy."""
    gateway = bench.gateway(bench.tool("external"))
    other_policy = bench.call(grant=bench.grant(), must_have_grant=True, policy="p2")
    other_amount = bench.call(grant=bench.grant(8), must_have_grant=True)
    for call in (other_policy, other_amount):
        outcome = await gateway.run(call)
        assert (outcome.status, outcome.code) == ("refused", "DIGEST_MISMATCH")
    assert bench.shop.attempts == 0
    good = await gateway.run(bench.call(grant=bench.grant(), must_have_grant=True))
    assert good.status == "done"
    assert (await bench.row()).request_id == "c1:request"


async def test_an_argument_that_the_reviewer_did_not_see_breaks_the_digest(bench: Bench) -> None:
    """A worker whose tool has a new default would do something else than was decided on."""

    @tool(effect=Effect.EXTERNAL)
    def pay(amount: int, express: bool = True) -> int:
        """Pay."""
        raise AssertionError

    outcome = await bench.gateway(pay).run(bench.call(grant=bench.grant(), must_have_grant=True))
    assert outcome.code == "DIGEST_MISMATCH"


async def test_an_expired_grant_makes_no_effect(bench: Bench) -> None:
    """The clock is the worker's; the row says that nothing happened."""
    call = bench.call(grant=bench.grant(seconds=60), must_have_grant=True)
    bench.clock.advance(60)
    outcome = await bench.gateway(bench.tool("external")).run(call)
    assert (outcome.status, outcome.code) == ("refused", "APPROVAL_EXPIRED")
    assert bench.shop.attempts == 0
    assert (await bench.row()).state is LedgerState.FAILED


async def test_an_effect_made_in_time_is_told_after_the_grant_expired(bench: Bench) -> None:
    """What happened under a valid grant stays what happened."""
    call = bench.call(grant=bench.grant(seconds=60), must_have_grant=True)
    gateway = bench.gateway(bench.tool("external"))
    await gateway.run(call)
    bench.clock.advance(3600)
    assert (await gateway.run(call, attempt=2)).status == "done"


async def test_a_decision_counts_for_one_effect(bench: Bench) -> None:
    """Another effect with the same decision is refused; the same one may read it again."""
    gateway = bench.gateway(bench.tool("external"))
    first = bench.call(grant=bench.grant(), must_have_grant=True)
    await gateway.run(first)
    second = first.model_copy(update={"effect_key": "another"})
    outcome = await gateway.run(second)
    assert (outcome.status, outcome.code) == ("refused", "DECISION_USED")
    assert len(bench.shop.paid) == 1


@pytest.mark.parametrize("kind", ["external", "idempotent", "read"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ToolRetry("pay in euro"), "retry", "TOOL_RETRY"),
        (ToolFailed("no money"), "failed", "TOOL_FAILED"),
    ],
)
async def test_a_tools_own_word_ends_the_call(
    bench: Bench, kind: str, error: Exception, status: str, code: str
) -> None:
    """ToolRetry and ToolFailed say for certain that nothing happened."""

    def behave(_: str) -> None:
        raise error

    bench.shop.behave = behave
    outcome = await bench.gateway(bench.tool(kind)).run(bench.call())
    assert (outcome.status, outcome.code, outcome.message) == (status, code, str(error))
    assert bench.shop.attempts == 1
    if kind != "read":
        assert (await bench.row()).state is LedgerState.FAILED


async def test_a_failed_row_may_be_tried_again(bench: Bench) -> None:
    """FAILED is certain, so the next claim takes the next token and calls."""
    gateway = bench.gateway(bench.tool("external"))
    refuse: list[Exception] = [ToolFailed("closed")]

    def behave(_: str) -> None:
        if refuse:
            raise refuse.pop()

    bench.shop.behave = behave
    await gateway.run(bench.call())
    outcome = await gateway.run(bench.call())
    assert outcome.status == "done"
    assert (await bench.row()).token == 2


async def test_a_read_is_tried_until_its_attempts_are_used(bench: Bench) -> None:
    """Before the last attempt the error is for Temporal to retry; then the call has failed."""

    def behave(_: str) -> None:
        raise ConnectionError("reset")

    bench.shop.behave = behave
    gateway = bench.gateway(bench.tool("read", attempts=2))
    with pytest.raises(ToolUnavailable, match="ConnectionError: reset"):
        await gateway.run(bench.call(), attempt=1)
    outcome = await gateway.run(bench.call(), attempt=2)
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert "2 attempts" in outcome.message
    assert len(bench.observer.calls) == 1


async def test_a_read_that_kills_its_workers_is_given_up(bench: Bench) -> None:
    """Attempts that are lost with their workers are not repeated for ever."""
    gateway = bench.gateway(bench.tool("read", attempts=1))
    assert (await gateway.run(bench.call(), attempt=6)).status == "done"
    outcome = await gateway.run(bench.call(), attempt=7)
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert bench.shop.attempts == 1


async def test_a_read_that_hangs_is_ended(bench: Bench, release: threading.Event) -> None:
    """The tool's timeout bounds one attempt."""

    @tool(effect=Effect.READ, timeout_seconds=0.05, attempts=1)
    def pay(amount: int) -> bool:
        """Hang."""
        return release.wait()

    outcome = await bench.gateway(pay).run(bench.call())
    assert outcome.code == "TOOL_UNAVAILABLE"
    assert "no answer within 0.05 s" in outcome.message


@pytest.mark.parametrize(
    ("value", "limit", "code"), [("many", 1000, "BAD_RESULT"), (10**99, 50, "RESULT_TOO_LARGE")]
)
@pytest.mark.parametrize("effect", [Effect.EXTERNAL, Effect.READ])
async def test_a_result_that_cannot_be_used_is_no_reason_to_call_again(
    bench: Bench, value: Any, limit: int, code: str, effect: Effect
) -> None:
    """The effect did happen: the row is DONE and keeps what came back, with the error."""
    calls: list[int] = []

    @tool(effect=effect, risk=Risk.HIGH)
    def pay(amount: int) -> int:
        """Answer oddly."""
        calls.append(amount)
        return value  # type: ignore[no-any-return]

    gateway = bench.gateway(pay, result_bytes=limit)
    outcome = await gateway.run(bench.call())
    assert (outcome.status, outcome.code) == ("failed", code)
    if effect is Effect.EXTERNAL:
        row = await bench.row()
        assert row.state is LedgerState.DONE
        assert str(row.result) == str(value)
        again = await gateway.run(bench.call(), attempt=2)
        assert (again.status, again.code, again.replayed) == ("failed", code, True)
        assert again.message == outcome.message
    assert len(calls) == 1


async def test_calls_that_hang_delay_no_other(bench: Bench, release: threading.Event) -> None:
    """Sync tools that block have threads of their own; the next effect is made at once, and once."""
    paid: list[int] = []

    @tool(effect=Effect.EXTERNAL, timeout_seconds=20)
    def pay(amount: int) -> int:
        """Hang, or pay."""
        if amount == 0:
            release.wait()
        paid.append(amount)
        return amount

    async def count(point: str, call: ToolCall) -> None:
        if point == "before_call":
            begun.append(call.effect_key)
            if len(begun) == many:
                all_begun.set()

    many, begun, all_begun = 40, list[str](), asyncio.Event()  # more than the loop's own threads
    gateway = bench.gateway(pay, probe=count)
    hanging = [
        asyncio.ensure_future(gateway.run(bench.call(0, effect_key=f"hangs {number}")))
        for number in range(many)
    ]
    await all_begun.wait()
    outcome = await gateway.run(bench.call(7))
    assert (outcome.status, paid) == ("done", [7])
    release.set()
    assert {one.status for one in await asyncio.gather(*hanging)} == {"done"}
    assert Counter(paid) == {7: 1, 0: many}
