"""Calls that end without an answer: what the ledger says, who is asked, what is repeated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from interlock.audit.contract import LedgerState
from interlock.errors import LedgerConflict, ToolUnavailable
from interlock.tools import Effect, tool
from tests.integration.tools.bench import GRACE, Bench


def breaking(at: str, times: int = 99, error: Exception | None = None) -> Callable[[str], None]:
    """Return a behaviour that raises at a point, some times."""
    left = [error or ConnectionError("reset")] * times

    def behave(point: str) -> None:
        if point == at and left:
            raise left.pop()

    return behave


def hanging(at: str) -> Callable[[str], Any]:
    """Return a behaviour that waits for ever at a point."""

    def behave(point: str) -> Any:
        return asyncio.Event().wait() if point == at else None

    return behave


@pytest.mark.parametrize("point", ["before", "after"])
async def test_an_external_effect_in_doubt_is_unknown(bench: Bench, point: str) -> None:
    """Whether the other side paid or not, this side cannot tell, and a person is told so."""
    bench.shop.behave = breaking(point)
    gateway = bench.gateway(bench.tool("external"))
    outcome = await bench.carry_out(gateway)
    row = await bench.row()
    assert (outcome.status, outcome.code) == ("unknown", "OUTCOME_UNKNOWN")
    assert "ConnectionError: reset, and the tool cannot tell" in outcome.message
    assert outcome.known["token"] == row.token == 2
    assert outcome.known["effect_key"] == row.effect_key
    assert row.state is LedgerState.UNKNOWN
    assert "ConnectionError: reset" in row.error
    again = await gateway.run(bench.call(), attempt=3)
    assert again.status == "unknown"
    assert bench.shop.attempts == 1


@pytest.mark.parametrize("kind", ["external", "reconciling"])
async def test_nothing_is_settled_while_the_effect_may_still_happen(
    bench: Bench, kind: str
) -> None:
    """The row stays CLAIMED and says why; who comes back before deadline and grace has to wait."""
    bench.shop.behave = breaking("before")
    gateway = bench.gateway(bench.tool(kind))
    bench.clock.advance(1)
    for attempt, passed, left in ((1, 0.0, 5 + GRACE), (2, 4.0, 1 + GRACE), (3, 1.0, GRACE)):
        bench.clock.advance(passed)
        with pytest.raises(LedgerConflict) as conflict:
            await gateway.run(bench.call(), attempt=attempt)
        assert conflict.value.details["retry_after_seconds"] == pytest.approx(left)
        row = await bench.row()
        assert (row.state, row.token) == (LedgerState.CLAIMED, 1)
        assert row.error == "ConnectionError: reset"
    assert bench.shop.attempts == 1
    assert bench.shop.asked == (1 if kind == "reconciling" else 0)
    assert bench.observer.calls == []


async def test_the_first_conflict_says_what_is_in_doubt(bench: Bench) -> None:
    """Whoever looks at the waiting call in Temporal reads what it waits for."""
    bench.shop.behave = breaking("before")
    with pytest.raises(LedgerConflict, match=r"'pay'.*ConnectionError: reset.*may still happen"):
        await bench.gateway(bench.tool("reconciling")).run(bench.call())


async def test_reconcile_finds_what_happened(bench: Bench) -> None:
    """The answer was lost, the effect was not: the row is DONE at once, with the found result."""
    bench.shop.behave = breaking("after")
    outcome = await bench.gateway(bench.tool("reconciling")).run(bench.call())
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert (await bench.row()).state is LedgerState.DONE
    assert (len(bench.shop.paid), bench.shop.asked) == (1, 1)


async def test_reconcile_finds_that_nothing_happened(bench: Bench) -> None:
    """None counts when it is said after deadline and grace; then the call is made again."""
    bench.shop.behave = breaking("before", times=1)
    outcome = await bench.carry_out(bench.gateway(bench.tool("reconciling")))
    assert outcome.status == "done"
    assert (len(bench.shop.paid), bench.shop.attempts, bench.shop.asked) == (1, 2, 2)
    assert (await bench.row()).token == 2


@pytest.mark.parametrize("idempotent", [False, True])
async def test_an_effect_that_comes_late_is_found(bench: Bench, idempotent: bool) -> None:
    """A slow other side does it after the caller has left and asked: it is not called again."""
    call = bench.call()
    bench.shop.behave = breaking("before")
    kind = "idempotent_asked" if idempotent else "reconciling"
    gateway = bench.gateway(bench.tool(kind, attempts=1))
    with pytest.raises(LedgerConflict) as conflict:
        await gateway.run(call)
    assert bench.shop.asked == 1
    bench.shop.paid.append((call.effect_key, 7))
    bench.clock.advance(conflict.value.details["retry_after_seconds"])
    outcome = await gateway.run(call, attempt=2)
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert (len(bench.shop.paid), bench.shop.attempts) == (1, 1)


async def test_the_other_side_is_told_when_to_refuse(bench: Bench) -> None:
    """Each call has the deadline of its claim: what was refused after it is safe to make again."""
    begun = bench.clock.now
    bench.shop.behave = breaking("before", times=1)
    await bench.carry_out(bench.gateway(bench.tool("reconciling")))
    first, second = (one.deadline for one in bench.shop.calls)
    assert first is not None
    assert second is not None
    assert (first - begun).total_seconds() == 5
    # Taken over when that was over; asking what happened comes before the call.
    assert (second - first).total_seconds() == pytest.approx(GRACE + 10)
    assert (await bench.row()).deadline == second


async def test_a_tool_that_changes_nothing_has_no_deadline(bench: Bench) -> None:
    """It may be made again whenever it ends."""
    await bench.gateway(bench.tool("read")).run(bench.call())
    assert [one.deadline for one in bench.shop.calls] == [None]


async def test_a_reconcile_that_cannot_tell_leaves_it_unknown(bench: Bench) -> None:
    """An error of `reconcile` is no answer, before the deadline and after it."""
    bench.shop.behave = breaking("after")
    bench.shop.cannot_tell = LookupError("no index")
    outcome = await bench.carry_out(bench.gateway(bench.tool("reconciling")))
    assert outcome.status == "unknown"
    assert "ConnectionError: reset" in outcome.known["why"]
    assert "LookupError: no index" in outcome.known["why"]
    assert (await bench.row()).state is LedgerState.UNKNOWN
    assert (bench.shop.attempts, bench.shop.asked) == (1, 2)


async def test_a_reconcile_that_can_tell_later_is_believed(bench: Bench) -> None:
    """It is asked anew after the deadline, so a short outage of it asks nobody."""
    bench.shop.behave = breaking("after")
    bench.shop.cannot_tell = ConnectionError("refused")
    gateway = bench.gateway(bench.tool("reconciling"))
    with pytest.raises(LedgerConflict):
        await gateway.run(bench.call())
    bench.shop.cannot_tell = None
    outcome = await bench.carry_out(gateway)
    assert (outcome.status, bench.shop.attempts) == ("done", 1)


async def test_a_reconciled_result_is_checked(bench: Bench) -> None:
    """What `reconcile` returns has to fit, too; the effect counts as made."""

    @tool(effect=Effect.EXTERNAL, reconcile=lambda key: "paid")
    def pay(amount: int) -> int:
        """Pay."""
        raise ConnectionError("reset")

    outcome = await bench.gateway(pay).run(bench.call())
    assert (outcome.status, outcome.code) == ("failed", "BAD_RESULT")
    assert (await bench.row()).state is LedgerState.DONE


@pytest.mark.parametrize(("kind", "status"), [("external", "unknown"), ("reconciling", "done")])
async def test_a_call_over_its_time_is_in_doubt(bench: Bench, kind: str, status: str) -> None:
    """The deadline ends the call; what became of it is found out as after an error."""
    bench.shop.behave = hanging("after")
    made = bench.tool(kind, timeout_seconds=0.05)
    outcome = await bench.carry_out(bench.gateway(made))
    assert outcome.status == status
    assert len(bench.shop.paid) == 1


async def test_a_thread_that_runs_on_keeps_the_doubt(
    bench: Bench, release: threading.Event
) -> None:
    """What its deadline did not end may happen after it: a person is told, and told that."""

    @tool(effect=Effect.EXTERNAL, timeout_seconds=0.05, reconcile=lambda key: None)
    def pay(amount: int) -> int:
        """Hang in a thread."""
        release.wait()
        return amount

    outcome = await bench.gateway(pay).run(bench.call())
    assert outcome.status == "unknown"
    assert "no answer within 0.05 s, and it still runs" in outcome.known["why"]


async def test_unavailable_is_a_tools_word_that_nothing_happened(bench: Bench) -> None:
    """A tool that knows it did nothing says so, and no doubt is left even without reconcile."""
    bench.shop.behave = breaking("before", times=1, error=ToolUnavailable("no connection"))
    gateway = bench.gateway(bench.tool("external"))
    with pytest.raises(ToolUnavailable, match="did not happen: no connection"):
        await gateway.run(bench.call())
    assert (await bench.row()).state is LedgerState.FAILED
    assert (await gateway.run(bench.call(), attempt=2)).status == "done"


@pytest.mark.parametrize(
    ("kind", "error"),
    [("external", ToolUnavailable("down")), ("reconciling", ConnectionError("reset"))],
)
async def test_the_last_attempt_ends_the_call_as_failed(
    bench: Bench, kind: str, error: Exception
) -> None:
    """Attempts are used up and nothing happened: that is an outcome."""
    bench.shop.behave = breaking("before", error=error)
    gateway = bench.gateway(bench.tool(kind, attempts=2))
    outcome = await bench.carry_out(gateway)
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert f"did not happen: {error}" in outcome.message.replace("ConnectionError: ", "")
    assert (await bench.row()).state is LedgerState.FAILED
    assert (bench.shop.attempts, bench.shop.paid) == (2, [])


async def test_an_idempotent_effect_in_doubt_is_called_again(bench: Bench) -> None:
    """The same key goes out again; the ledger does not say FAILED in between."""
    bench.shop.behave = breaking("after", times=1)
    gateway = bench.gateway(bench.tool("idempotent"))
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call())
    assert (await bench.row()).state is LedgerState.UNKNOWN
    outcome = await gateway.run(bench.call(), attempt=2)
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert (bench.shop.attempts, len(bench.shop.paid)) == (2, 1)
    assert (await bench.row()).token == 2


async def test_an_idempotent_effect_stays_in_doubt_when_its_attempts_are_used(
    bench: Bench,
) -> None:
    """An agent that is told 'failed' would ask again under a new key: so nobody tells it that."""
    bench.shop.behave = breaking("after")
    gateway = bench.gateway(bench.tool("idempotent", attempts=2))
    outcome = await bench.carry_out(gateway)
    assert outcome.status == "unknown"
    assert (await gateway.run(bench.call(), attempt=4)).status == "unknown"
    assert bench.shop.attempts == 2


async def test_an_idempotent_effect_that_never_happened_has_failed(bench: Bench) -> None:
    """Its attempts are used, and the tool says so when the last one's time is over."""
    bench.shop.behave = breaking("before")
    outcome = await bench.carry_out(bench.gateway(bench.tool("idempotent_asked", attempts=2)))
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert (await bench.row()).state is LedgerState.FAILED
    assert bench.shop.attempts == 2


async def test_an_idempotent_effect_with_reconcile_is_looked_up_at_last(bench: Bench) -> None:
    """After the last attempt the tool is asked before a person is."""
    bench.shop.behave = breaking("after")
    gateway = bench.gateway(bench.tool("idempotent_asked", attempts=1))
    outcome = await gateway.run(bench.call())
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})


async def test_unavailable_says_nothing_of_an_earlier_call(bench: Bench) -> None:
    """The first call is still in doubt when the second one finds nobody there."""
    errors: list[tuple[str, Exception]] = [
        ("before", ToolUnavailable("no connection")),
        ("after", ConnectionError("reset")),
    ]

    def behave(point: str) -> None:
        if errors and errors[-1][0] == point:
            raise errors.pop()[1]

    bench.shop.behave = behave
    gateway = bench.gateway(bench.tool("idempotent", attempts=2))
    outcome = await bench.carry_out(gateway)
    assert outcome.status == "unknown"
    assert (await bench.row()).state is LedgerState.UNKNOWN


async def test_conflicts_are_no_attempts(bench: Bench) -> None:
    """The activity's number grows with every conflict; the ledger's token counts the calls."""
    bench.shop.behave = breaking("before", times=1, error=ToolUnavailable("down"))
    gateway = bench.gateway(bench.tool("external", attempts=2))
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call(), attempt=9)
    assert (await gateway.run(bench.call(), attempt=10)).status == "done"


async def test_no_call_begins_after_its_deadline(bench: Bench) -> None:
    """A process that slept after its claim does not call any more."""

    async def sleep_over(point: str, _: object) -> None:
        if point == "after_claim":
            bench.clock.advance(5)

    gateway = bench.gateway(bench.tool("external"), probe=sleep_over)
    with pytest.raises(ToolUnavailable, match="no time was left"):
        await gateway.run(bench.call())
    assert bench.shop.attempts == 0
