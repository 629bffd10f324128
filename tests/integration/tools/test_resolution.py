"""A person's word on an UNKNOWN effect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from interlock.audit.contract import LedgerState
from interlock.errors import LedgerConflict, ToolFailed, ToolUnavailable
from interlock.tools import ToolCall
from interlock.tools.gateway import ToolGateway
from tests.integration.tools.bench import GRACE, Bench, Killed


async def in_doubt(
    bench: Bench, kind: str = "external", attempts: int = 1
) -> tuple[ToolGateway, dict[str, Any]]:
    """Make a call whose outcome nobody knows; return the gateway and what is known."""

    def behave(point: str) -> None:
        if point == "before":
            raise ConnectionError("reset")

    bench.shop.behave = behave
    gateway = bench.gateway(bench.tool(kind, attempts=attempts))
    outcome = await bench.carry_out(gateway)
    assert outcome.status == "unknown"
    bench.shop.behave = None
    bench.clock.advance(GRACE)
    return gateway, outcome.known


def word(bench: Bench, known: dict[str, Any], resolution: str, result: Any = None) -> ToolCall:
    """Return the call with a person's word, as the door sends it."""
    return bench.call(resolution=resolution, resolved_token=known["token"], resolved_result=result)


async def test_happened_is_written_with_its_result(bench: Bench) -> None:
    """The person's result is checked and becomes the call's; saying it twice changes nothing."""
    gateway, known = await in_doubt(bench)
    call = word(bench, known, "happened", {"paid": 7})
    outcome = await gateway.run(call)
    assert (outcome.status, outcome.result, outcome.replayed) == ("done", {"paid": 7}, True)
    assert (await bench.row()).state is LedgerState.DONE
    assert await gateway.run(call, attempt=2) == outcome
    assert bench.shop.attempts == 1
    told = [token for _, _, token in bench.observer.calls[-2:]]
    assert told == [(await bench.row()).token] * 2, "the audit would have the call twice"


async def test_happened_with_a_result_that_does_not_fit_is_asked_again(bench: Bench) -> None:
    """The person is told what is wrong; the row stays UNKNOWN."""
    gateway, known = await in_doubt(bench)
    outcome = await gateway.run(word(bench, known, "happened", {"paid": "much"}))
    assert outcome.status == "unknown"
    assert "'paid'" in outcome.known["why"]
    assert (await bench.row()).state is LedgerState.UNKNOWN


@pytest.mark.parametrize("kind", ["external", "idempotent"])
async def test_did_not_happen_makes_the_call(bench: Bench, kind: str) -> None:
    """The call is made now, once, and its retry reads the result."""
    gateway, known = await in_doubt(bench, kind)
    call = word(bench, known, "did_not_happen")
    outcome = await gateway.run(call)
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    again = await gateway.run(call, attempt=2)
    assert (again.result, again.replayed) == ({"paid": 7}, True)
    assert len(bench.shop.paid) == 1


@pytest.mark.parametrize("error", [ToolUnavailable("down"), ConnectionError("reset")])
async def test_the_call_after_did_not_happen_has_its_own_attempts(
    bench: Bench, error: Exception
) -> None:
    """Calls that were made before the person was asked are not counted against it."""
    bench.shop.cannot_tell = LookupError("no index")
    gateway, known = await in_doubt(bench, "reconciling", attempts=2)
    bench.shop.cannot_tell = None
    bench.pass_deadline(10)
    failures: list[Exception] = [error]

    def behave(point: str) -> None:
        if point == "before" and failures:
            raise failures.pop()

    bench.shop.behave = behave
    call = word(bench, known, "did_not_happen")
    assert (await bench.carry_out(gateway, call)).status == "done"


async def test_did_not_happen_is_about_the_call_that_was_judged(bench: Bench) -> None:
    """When the new call ends in doubt too, the old word does not make a third one."""
    gateway, known = await in_doubt(bench)

    def lose_the_answer(point: str) -> None:
        if point == "after":
            raise ConnectionError("reset")

    bench.shop.behave = lose_the_answer
    call = word(bench, known, "did_not_happen")
    first = await bench.carry_out(gateway, call)
    assert first.status == "unknown"
    assert first.known["token"] > known["token"]
    assert (await gateway.run(call, attempt=2)).status == "unknown"
    assert (await gateway.run(call, attempt=1)).status == "unknown"
    assert len(bench.shop.paid) == 1


async def test_did_not_happen_without_the_judged_token_calls_nothing(bench: Bench) -> None:
    """A word that is not about a row is no reason to call."""
    gateway, _ = await in_doubt(bench)
    outcome = await gateway.run(bench.call(resolution="did_not_happen"))
    assert outcome.status == "unknown"
    assert bench.shop.attempts == 1


async def test_a_worker_killed_after_did_not_happen_is_asked_about(bench: Bench) -> None:
    """The new call was lost as well: it is a new question."""
    _, known = await in_doubt(bench)

    async def probe(point: str, _: ToolCall) -> None:
        if point == "after_call":
            raise Killed

    call = word(bench, known, "did_not_happen")
    with pytest.raises(Killed):
        await bench.gateway(bench.tool("external"), probe=probe).run(call)
    bench.pass_deadline(10)
    outcome = await bench.gateway(bench.tool("external")).run(call, attempt=2)
    assert outcome.status == "unknown"
    assert outcome.known["token"] > known["token"]
    assert len(bench.shop.paid) == 1


async def test_did_not_happen_counts_from_the_deadline_on(bench: Bench) -> None:
    """What a person says while the effect may still happen is no reason yet to call again."""
    begun = asyncio.Event()

    async def hang(_: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    bench.shop.behave = hang
    running = asyncio.ensure_future(bench.gateway(bench.tool("reconciling")).run(bench.call()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    bench.shop.behave = None
    gateway = bench.gateway(bench.tool("reconciling"))
    outcome = await gateway.run(bench.call())  # as after a reset of the cancelled run
    assert outcome.status == "unknown"
    call = word(bench, outcome.known, "did_not_happen")
    with pytest.raises(LedgerConflict) as conflict:
        await gateway.run(call)
    assert bench.shop.attempts == 1
    bench.clock.advance(conflict.value.details["retry_after_seconds"])
    assert (await gateway.run(call, attempt=2)).status == "done"
    assert bench.shop.attempts == 2


async def test_abort_ends_the_effect_for_good(bench: Bench) -> None:
    """Nothing is called, also not when the activity runs again on the ABORTED row."""
    gateway, known = await in_doubt(bench)
    call = word(bench, known, "abort")
    outcome = await gateway.run(call)
    assert (outcome.status, outcome.code) == ("failed", "EFFECT_ABORTED")
    assert "a reviewer ended 'pay': nobody knows whether it happened" in outcome.message
    assert "Do not call it again" in outcome.message
    assert (await bench.row()).state is LedgerState.ABORTED
    assert await gateway.run(call, attempt=2) == outcome
    assert bench.shop.attempts == 1


async def test_an_aborted_effect_is_not_made_by_a_later_call(bench: Bench) -> None:
    """A reset makes the same effect again: it is told why not, and its new decision is not spent."""
    gateway, known = await in_doubt(bench)
    await gateway.run(word(bench, known, "abort"))
    grant = bench.grant(request_id="asked again")
    again = await gateway.run(bench.call(grant=grant, must_have_grant=True))
    assert (again.status, again.code) == ("failed", "EFFECT_ABORTED")
    assert "nobody knows whether it happened" in again.message
    row = await bench.row()
    assert (row.state, row.request_id) == (LedgerState.ABORTED, None)
    assert bench.shop.attempts == 1


async def test_a_word_on_an_effect_that_has_failed_calls_nothing(bench: Bench) -> None:
    """Certain is certain: the ledger's word stands against a person's."""

    def refuse(_: str) -> None:
        raise ToolFailed("closed")

    bench.shop.behave = refuse
    gateway = bench.gateway(bench.tool("external"))
    await gateway.run(bench.call())
    for resolution in ("happened", "abort"):
        outcome = await gateway.run(word(bench, {"token": 1}, resolution, {"paid": 7}))
        assert (outcome.status, outcome.code) == ("failed", "TOOL_FAILED")
        assert "did not happen: closed" in outcome.message
    assert (await bench.row()).state is LedgerState.FAILED
    assert bench.shop.attempts == 1


@pytest.mark.parametrize("resolution", ["happened", "abort"])
async def test_a_word_on_a_lost_attempt_waits_for_its_deadline(
    bench: Bench, resolution: str
) -> None:
    """A row in somebody's hands is first taken over, then written."""
    await bench.lost_claim(bench.call())
    gateway = bench.gateway(bench.tool("reconciling"))
    call = word(bench, {"token": 1}, resolution, {"paid": 7})
    with pytest.raises(LedgerConflict):
        await gateway.run(call)
    bench.pass_deadline()
    outcome = await gateway.run(call, attempt=2)
    assert outcome.status == ("done" if resolution == "happened" else "failed")
    assert bench.shop.attempts == bench.shop.asked == 0


async def test_a_word_on_an_effect_that_is_done_changes_nothing(bench: Bench) -> None:
    """The ledger's result stands against a late word."""
    gateway = bench.gateway(bench.tool("external"))
    await gateway.run(bench.call())
    for resolution in ("happened", "abort", "did_not_happen"):
        outcome = await gateway.run(word(bench, {"token": 1}, resolution, {"paid": 1}))
        assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert len(bench.shop.paid) == 1


async def test_a_word_on_an_effect_nobody_knows_is_a_conflict(bench: Bench) -> None:
    """A ledger without the row is the wrong database, and nothing is invented in it."""
    gateway = bench.gateway(bench.tool("external"))
    with pytest.raises(LedgerConflict, match="right database"):
        await gateway.run(word(bench, {"token": 1}, "happened", {"paid": 7}))
    assert await bench.ledger.rows() == []
