"""What tools call, each behind the circuit breaker that all workers share.

Healthy calls write nothing: a process counts them in memory. Its counts are written with a failure
it sees, and once a second while others have seen one, so that the rate is that of all workers. What
others wrote is read at most once a second, all breakers together, and not when nothing is called.
So a call costs no transaction of its own until something fails.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from interlock.audit.contract import BreakerRow, BreakerState, BreakerStore
from interlock.errors import (
    CircuitOpen,
    ConfigError,
    InterlockError,
    OperatorError,
    ToolUnavailable,
    said,
)
from interlock.tools.blame import is_dependencys_failure
from interlock.tools.breaker import (
    counted,
    has_failures,
    may_probe,
    probed,
    probing,
    seconds_left,
)
from interlock.tools.contract import Breaker, ToolCall, ToolContract, ToolObserver

T = TypeVar("T")

_FRESH = timedelta(seconds=1)
"""How old what a process knows of breakers may be, and how often it writes what it has counted."""
_PROBE_SECONDS = 1.0
"""How soon a call that waits for another one's probe looks again."""
_GRACE_SECONDS = 5.0
"""How much longer than its tool's timeout a probe is waited for."""
_WHY = 300
"""Characters of a failure that are kept."""

_log = logging.getLogger(__name__)


class Dependencies:
    """The dependencies of a gateway's tools.

    Args:
        terms: The breaker of each dependency.
        store: Where breakers are kept.
        observer: Who is told when one opens or closes.
        clock: The time now, with its zone.

    Raises:
        ConfigError: there are breakers and no store.
    """

    def __init__(
        self,
        terms: Mapping[str, Breaker],
        store: BreakerStore | None,
        observer: ToolObserver,
        clock: Callable[[], datetime],
    ) -> None:
        if terms and store is None:
            raise ConfigError(
                f"dependencies {', '.join(sorted(terms))} have breakers: give the gateway `breakers`."
            )
        self._terms = terms
        self._store = store
        self._observer = observer
        self._clock = clock
        self._rows: dict[str, BreakerRow] = {}
        self._read_at: datetime | None = None
        self._counts: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in terms}
        self._written_at: dict[str, datetime] = {}

    async def refusal(self, contract: ToolContract) -> CircuitOpen | None:
        """Return why a tool is not called now, as far as this process knows; None if it may be."""
        if contract.dependency not in self._terms:
            return None
        row = await self._row(contract.dependency)
        left = seconds_left(row, self._clock())
        return _refusal(contract, row, left) if left > 0 else None

    async def call(
        self, contract: ToolContract, call: ToolCall, make: Callable[[], Awaitable[T]]
    ) -> T:
        """Return what `make` returns, and take note of how it went.

        Raises:
            CircuitOpen: the breaker is open, and nothing was called.
            ToolUnavailable: nothing was called, since the breakers' database does not answer.
            Exception: what `make` raises.
        """
        if contract.dependency not in self._terms:
            return await make()
        try:
            token = await self._enter(contract)
        except OperatorError as error:
            raise ToolUnavailable(
                f"nothing was called, since the breaker of {contract.dependency!r} could not be "
                f"asked: {error.message}"
            ) from error
        try:
            value = await make()
        except Exception as error:
            failed, why = is_dependencys_failure(error), said(error)[:_WHY]
            await self._leave(contract.dependency, call, token, failed, why)
            raise
        await self._leave(contract.dependency, call, token, False, "")
        return value

    async def _enter(self, contract: ToolContract) -> int:
        """Let a call through: 0, or the token of the probe that it is."""
        refusal = await self.refusal(contract)
        if refusal is not None:
            raise refusal
        name, now = contract.dependency, self._clock()
        if not may_probe(self._rows[name], now):
            return 0
        patience = contract.timeout_seconds + _GRACE_SECONDS
        before, row = await self._change(name, lambda found: probing(found, now, patience))
        if row.token != before.token:
            return row.token
        left = seconds_left(row, now)
        if left > 0:
            raise _refusal(contract, row, left)
        return 0  # another one's probe went well meanwhile

    async def _leave(
        self, name: str, call: ToolCall, token: int, failed: bool | None, why: str
    ) -> None:
        """Count a call, whatever it takes: what became of it does not depend on the breaker."""
        try:
            if token:
                await self._end_probe(name, call, token, failed, why)
            elif failed is not None:
                await self._count(name, call, failed, why)
        except InterlockError as error:
            _log.warning("the breaker of %r was not written: %s", name, error)

    async def _end_probe(
        self, name: str, call: ToolCall, token: int, failed: bool | None, why: str
    ) -> None:
        terms, now = self._terms[name], self._clock()
        _, row = await self._change(
            name, lambda found: probed(found, terms, token, failed, now, why)
        )
        if row.state is BreakerState.CLOSED and row.token == token + 1:
            await self._observer.breaker_changed(call, row, at=now)

    async def _count(self, name: str, call: ToolCall, failed: bool, why: str) -> None:
        terms, now, counts = self._terms[name], self._clock(), self._counts[name]
        second = int(now.timestamp())
        calls, failures = counts.get(second, (0, 0))
        counts[second] = (calls + 1, failures + failed)
        if len(counts) > terms.window_seconds:
            counts.pop(min(counts))
        if not failed and not self._has_to_tell(name, now):
            return
        self._counts[name] = {}
        self._written_at[name] = now
        before, row = await self._change(
            name, lambda found: counted(found, terms, counts, now, why)
        )
        if row.state is not before.state:
            await self._observer.breaker_changed(call, row, at=now)

    def _has_to_tell(self, name: str, now: datetime) -> bool:
        """Whether others have seen failures, so that they need to know of this one's successes."""
        written_at = self._written_at.get(name)
        if written_at is not None and now - written_at < _FRESH:
            return False
        return has_failures(self._rows[name], self._terms[name], now)

    async def _row(self, name: str) -> BreakerRow:
        now = self._clock()
        if self._store is not None and (self._read_at is None or now - self._read_at >= _FRESH):
            self._read_at = now  # before the reading: calls that begin meanwhile do not read too
            await self._read(self._store)
        return self._rows.setdefault(name, BreakerRow(dependency=name))

    async def _read(self, store: BreakerStore) -> None:
        try:
            found = await store.read()
        except InterlockError as error:
            _log.warning("breakers were not read, so what was known of them holds: %s", error)
            return
        for row in found:
            known = self._rows.get(row.dependency)
            if known is None or known.token <= row.token:  # not older than what was just written
                self._know(row)

    async def _change(
        self, name: str, change: Callable[[BreakerRow], BreakerRow]
    ) -> tuple[BreakerRow, BreakerRow]:
        if self._store is None:
            raise ConfigError(f"dependency {name!r} has no store of breakers.")
        before, after = await self._store.change(name, change)
        self._know(after)
        return before, after

    def _know(self, row: BreakerRow) -> None:
        self._rows[row.dependency] = row
        self._observer.breaker_seen(row)


def _refusal(contract: ToolContract, row: BreakerRow, left: float) -> CircuitOpen:
    is_probed = row.state is BreakerState.HALF_OPEN
    return CircuitOpen(
        f"{contract.name!r} was not called: {contract.dependency!r} fails too often and is "
        "left alone for now. Nothing happened. Do something else, or say that it cannot be done now.",
        tool=contract.name,
        dependency=contract.dependency,
        retry_after_seconds=min(left, _PROBE_SECONDS) if is_probed else left,
    )
