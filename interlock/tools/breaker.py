"""How a circuit breaker changes: closed, open, half-open, closed again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from interlock.audit.contract import BreakerRow, BreakerState
from interlock.errors import ConfigError
from interlock.tools.contract import Breaker, ToolContract

Counts = Mapping[int, tuple[int, int]]
"""Calls and failures by the second of the epoch."""


def breakers_of(contracts: Iterable[ToolContract]) -> dict[str, Breaker]:
    """Return the breaker of each dependency that tools name.

    Raises:
        ConfigError: two tools have different ones for the same dependency.
    """
    given: dict[str, set[Breaker]] = {}
    for contract in contracts:
        if contract.dependency:
            found = given.setdefault(contract.dependency, set())
            found |= {contract.breaker} if contract.breaker else set()
    for dependency, breakers in given.items():
        if len(breakers) > 1:
            raise ConfigError(
                f"the tools of dependency {dependency!r} have different breakers. It is one for all "
                "of them: give it to one tool, or the same to each.",
                dependency=dependency,
            )
    return {name: next(iter(breakers), Breaker()) for name, breakers in given.items()}


def counted(
    row: BreakerRow, terms: Breaker, counts: Counts, now: datetime, why: str = ""
) -> BreakerRow:
    """Add calls to a closed breaker, and open it when too many of its window have failed."""
    if row.state is not BreakerState.CLOSED:
        return row  # a call that began before says nothing of the time since
    merged = {second: (calls, failures) for second, calls, failures in row.counts}
    for second, (calls, failures) in counts.items():
        before = merged.get(second, (0, 0))
        merged[second] = (before[0] + calls, before[1] + failures)
    first = now.timestamp() - terms.window_seconds
    kept = tuple((second, *merged[second]) for second in sorted(merged) if second > first)
    row = row.model_copy(update={"counts": kept, "why": why or row.why})
    calls, failures = (sum(item[place] for item in kept) for place in (1, 2))
    if calls < terms.min_calls or failures < terms.failure_rate * calls:
        return row
    return _changed(row, BreakerState.OPEN, now, _after(now, terms.open_seconds))


def probing(row: BreakerRow, now: datetime, patience: float) -> BreakerRow:
    """Let one call through when the time is come; the same row when it is not."""
    if not may_probe(row, now):
        return row
    return _changed(row, BreakerState.HALF_OPEN, now, _after(now, patience))


def probed(
    row: BreakerRow, terms: Breaker, token: int, failed: bool | None, now: datetime, why: str = ""
) -> BreakerRow:
    """Close or open a breaker as its probe went; None: the probe says nothing, the next may go.

    A probe that comes later than it was waited for changes nothing.
    """
    if row.state is not BreakerState.HALF_OPEN or row.token != token:
        return row
    if failed is None:
        return row.model_copy(update={"until": now})
    if failed:
        row = row.model_copy(update={"why": why or row.why})
        return _changed(row, BreakerState.OPEN, now, _after(now, terms.open_seconds))
    return _changed(row, BreakerState.CLOSED, now, None)


def may_probe(row: BreakerRow, now: datetime) -> bool:
    """Whether the next call would be a probe."""
    return row.until is not None and row.state is not BreakerState.CLOSED and now >= row.until


def seconds_left(row: BreakerRow, now: datetime) -> float:
    """Return how long no call is made; 0 when one may be."""
    if row.state is BreakerState.CLOSED or row.until is None or may_probe(row, now):
        return 0.0
    return (row.until - now).total_seconds()


def has_failures(row: BreakerRow, terms: Breaker, now: datetime) -> bool:
    """Whether any call failed within the window, as far as it was written."""
    first = now.timestamp() - terms.window_seconds
    return any(failures and second > first for second, _, failures in row.counts)


def _changed(
    row: BreakerRow, state: BreakerState, now: datetime, until: datetime | None
) -> BreakerRow:
    update: dict[str, Any] = {"state": state, "token": row.token + 1, "until": until}
    return row.model_copy(update=update | {"changed_at": now, "counts": ()})


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
