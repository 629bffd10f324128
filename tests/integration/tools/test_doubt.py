"""Calls that end without an answer: what the ledger says, who is asked, what is repeated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from interlock.audit.contract import LedgerState
from interlock.errors import ToolUnavailable
from interlock.tools import Effect, tool
from tests.integration.tools.bench import Bench


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
    outcome = await gateway.run(bench.call())
    row = await bench.row()
    assert (outcome.status, outcome.code) == ("unknown", "OUTCOME_UNKNOWN")
    assert "ConnectionError: reset" in outcome.message
    assert outcome.known["token"] == row.token == 1
    assert outcome.known["effect_key"] == row.effect_key
    assert row.state is LedgerState.UNKNOWN
    assert "ConnectionError: reset" in row.error
    again = await gateway.run(bench.call(), attempt=2)
    assert again.status == "unknown"
    assert bench.shop.attempts == 1


async def test_reconcile_finds_what_happened(bench: Bench) -> None:
    """The answer was lost, the effect was not: the row is DONE with the found result."""
    bench.shop.behave = breaking("after")
    outcome = await bench.gateway(bench.tool("reconciling")).run(bench.call())
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert (await bench.row()).state is LedgerState.DONE
    assert (len(bench.shop.paid), bench.shop.asked) == (1, 1)


async def test_reconcile_finds_that_nothing_happened(bench: Bench) -> None:
    """None counts when it is said again after the grace; then another attempt may be made."""
    bench.shop.behave = breaking("before", times=1)
    gateway = bench.gateway(bench.tool("reconciling"))
    with pytest.raises(ToolUnavailable, match="did not happen"):
        await gateway.run(bench.call())
    assert (await bench.row()).state is LedgerState.FAILED
    assert bench.shop.asked == 2
    outcome = await gateway.run(bench.call(), attempt=2)
    assert outcome.status == "done"
    assert len(bench.shop.paid) == 1


async def test_an_effect_that_comes_late_is_found_after_the_grace(bench: Bench) -> None:
    """The other side was still at work when it was asked first: nothing is called twice."""
    call = bench.call()
    find = bench.shop.find

    async def find_later(key: str) -> dict[str, Any] | None:
        found = await find(key)
        if found is None:
            bench.shop.paid.append((key, 7))
        return found

    bench.shop.behave = breaking("before")
    bench.shop.find = find_later  # type: ignore[method-assign]
    outcome = await bench.gateway(bench.tool("reconciling")).run(call)
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert bench.shop.attempts == 1


async def test_a_reconcile_that_cannot_tell_leaves_it_unknown(bench: Bench) -> None:
    """An error of `reconcile` is no answer."""
    bench.shop.behave = breaking("after")
    bench.shop.cannot_tell = LookupError("no index")
    outcome = await bench.gateway(bench.tool("reconciling")).run(bench.call())
    assert outcome.status == "unknown"
    assert "LookupError: no index" in outcome.known["why"]
    assert (await bench.row()).state is LedgerState.UNKNOWN


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
    outcome = await bench.gateway(made).run(bench.call())
    assert outcome.status == status
    assert len(bench.shop.paid) == 1


async def test_a_thread_that_runs_on_keeps_the_doubt(
    bench: Bench, release: threading.Event
) -> None:
    """'Did not happen' is not believed while the call is still running."""

    @tool(effect=Effect.EXTERNAL, timeout_seconds=0.05, reconcile=lambda key: None)
    def pay(amount: int) -> int:
        """Hang in a thread."""
        release.wait()
        return amount

    outcome = await bench.gateway(pay).run(bench.call())
    assert outcome.status == "unknown"


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
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call(), attempt=1)
    outcome = await gateway.run(bench.call(), attempt=2)
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert "did not happen" in outcome.message
    assert (await bench.row()).state is LedgerState.FAILED
    assert bench.shop.paid == []


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
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call(), attempt=1)
    outcome = await gateway.run(bench.call(), attempt=2)
    assert outcome.status == "unknown"
    assert (await gateway.run(bench.call(), attempt=3)).status == "unknown"
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
    with pytest.raises(ToolUnavailable):
        await gateway.run(bench.call(), attempt=1)
    outcome = await gateway.run(bench.call(), attempt=2)
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
