"""Cancelling an activity: the tool hears it, and the row is settled honestly before it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from interlock.audit.contract import LedgerState
from tests.integration.tools.bench import Bench


class Hanging:
    """A behaviour that waits at a point until it is cancelled."""

    def __init__(self, at: str) -> None:
        self.reached = asyncio.Event()
        self.cancelled = False
        self._at = at

    def __call__(self, point: str) -> Any:
        return self._wait() if point == self._at else None

    async def _wait(self) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@pytest.mark.parametrize(
    ("kind", "at", "state"),
    [
        ("external", "before", LedgerState.UNKNOWN),
        ("external", "after", LedgerState.UNKNOWN),
        ("idempotent", "after", LedgerState.UNKNOWN),
        ("reconciling", "before", LedgerState.UNKNOWN),
        ("idempotent_asked", "before", LedgerState.UNKNOWN),
        ("reconciling", "after", LedgerState.DONE),
    ],
)
async def test_a_cancelled_call_is_settled(
    bench: Bench, kind: str, at: str, state: LedgerState
) -> None:
    """The row says what is known, the audit hears of it, and the cancellation is raised."""
    hanging = Hanging(at)
    bench.shop.behave = hanging
    running = asyncio.ensure_future(bench.gateway(bench.tool(kind)).run(bench.call()))
    await hanging.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert hanging.cancelled
    assert (await bench.row()).state is state
    ((_, outcome, token),) = bench.observer.calls
    assert outcome.status == ("done" if state is LedgerState.DONE else "unknown")
    assert token == 1


async def test_a_cancelled_call_that_cannot_be_told_is_unknown(bench: Bench) -> None:
    """A tool that does not answer what happened is no reason to leave the row open."""
    hanging = Hanging("after")
    bench.shop.behave = hanging
    bench.shop.cannot_tell = LookupError("no index")
    running = asyncio.ensure_future(bench.gateway(bench.tool("reconciling")).run(bench.call()))
    await hanging.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    row = await bench.row()
    assert row.state is LedgerState.UNKNOWN
    assert "it was cancelled" in row.error
    assert "LookupError: no index" in row.error


async def test_a_cancellation_while_the_tool_is_asked_leaves_no_open_row(bench: Bench) -> None:
    """The call ended by itself in doubt; nobody comes back to find out, so the row says UNKNOWN."""
    asked, resume = asyncio.Event(), asyncio.Event()

    def lose(point: str) -> None:
        if point == "before":
            raise ConnectionError("reset")

    async def find_nothing(key: str) -> None:
        asked.set()
        await resume.wait()

    bench.shop.behave = lose
    bench.shop.find = find_nothing  # type: ignore[method-assign]
    running = asyncio.ensure_future(bench.gateway(bench.tool("reconciling")).run(bench.call()))
    await asked.wait()
    running.cancel()
    resume.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await bench.row()).state is LedgerState.UNKNOWN


async def test_a_cancelled_read_ends_at_once(bench: Bench) -> None:
    """There is nothing to settle."""
    hanging = Hanging("before")
    bench.shop.behave = hanging
    running = asyncio.ensure_future(bench.gateway(bench.tool("read")).run(bench.call()))
    await hanging.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert hanging.cancelled
    assert [one.code for _, one, _ in bench.observer.calls] == ["RUN_CANCELLED"]


@pytest.mark.parametrize("point", ["after_claim", "before_settle"])
async def test_a_cancellation_between_the_steps_leaves_no_open_row(
    bench: Bench, point: str
) -> None:
    """Before the call nothing happened; after it the result is kept."""
    reached, resume = asyncio.Event(), asyncio.Event()

    async def pause(at: str, _: object) -> None:
        if at == point:
            reached.set()
            await resume.wait()

    gateway = bench.gateway(bench.tool("external"), probe=pause)
    running = asyncio.ensure_future(gateway.run(bench.call()))
    await reached.wait()
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()  # a second one does not cut the settlement short
    resume.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    row = await bench.row()
    expected = LedgerState.FAILED if point == "after_claim" else LedgerState.DONE
    assert row.state is expected
    assert len(bench.shop.paid) == (0 if point == "after_claim" else 1)
