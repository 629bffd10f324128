"""How a circuit breaker changes, by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.contract import BreakerRow, BreakerState
from interlock.errors import ConfigError
from interlock.tools import Breaker, Effect, Tool, tool
from interlock.tools.breaker import (
    breakers_of,
    counted,
    has_failures,
    may_probe,
    probed,
    probing,
    seconds_left,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
TERMS = Breaker(failure_rate=0.5, window_seconds=10, min_calls=4, open_seconds=20)
CLOSED = BreakerRow(dependency="payments")


def at(seconds: float) -> datetime:
    """Return a time after now."""
    return NOW + timedelta(seconds=seconds)


def opened() -> BreakerRow:
    """Return a breaker that has opened now."""
    return counted(CLOSED, TERMS, {SECOND: (4, 4)}, NOW, "TimeoutError: no answer")


@pytest.mark.parametrize(
    ("calls", "failures", "state"),
    [(3, 3, "closed"), (4, 1, "closed"), (4, 2, "open"), (100, 49, "closed"), (100, 50, "open")],
)
def test_it_opens_at_the_rate_and_not_for_a_few_calls(
    calls: int, failures: int, state: str
) -> None:
    """The rate counts from `min_calls` on, and reaching it is enough."""
    row = counted(CLOSED, TERMS, {SECOND: (calls, failures)}, NOW, "boom")
    assert row.state == state
    assert row.why == "boom"


def test_calls_of_several_reports_add_up() -> None:
    """Each worker writes its own; seconds that are equal are one."""
    row = counted(CLOSED, TERMS, {SECOND: (2, 1), SECOND - 1: (1, 0)}, NOW)
    row = counted(row, TERMS, {SECOND: (1, 1)}, NOW)
    assert row.state is BreakerState.OPEN
    assert counted(row, TERMS, {SECOND: (9, 0)}, NOW) is row


def test_old_calls_do_not_count() -> None:
    """What is older than the window is forgotten, also in the row."""
    row = counted(CLOSED, TERMS, {SECOND: (3, 3)}, NOW)
    assert has_failures(row, TERMS, at(9))
    assert not has_failures(row, TERMS, at(10))
    later = counted(row, TERMS, {SECOND + 11: (1, 1)}, at(11))
    assert (later.state, later.counts) == (BreakerState.CLOSED, ((SECOND + 11, 1, 1),))


def test_an_open_one_lets_one_call_through_when_its_time_is_over() -> None:
    """The first that asks is the probe; the others wait for it, until it is given up."""
    row = opened()
    assert (row.until, row.counts, row.token) == (at(20), (), 1)
    assert seconds_left(row, at(5)) == 15
    assert probing(row, at(19.9), 3) is row
    assert may_probe(row, at(20))
    probe = probing(row, at(20), 3)
    assert (probe.state, probe.token, probe.until) == (BreakerState.HALF_OPEN, 2, at(23))
    assert probing(probe, at(21), 3) is probe
    assert seconds_left(probe, at(21)) == 2
    assert probing(probe, at(23), 3).token == 3


@pytest.mark.parametrize(
    ("failed", "state", "until"),
    [(False, "closed", None), (True, "open", at(41)), (None, "half_open", at(21))],
)
def test_a_probe_decides(failed: bool | None, state: str, until: datetime | None) -> None:
    """It closes or opens; one that says nothing makes room for the next."""
    row = probed(probing(opened(), at(20), 3), TERMS, 2, failed, at(21), "again")
    assert (row.state, row.until) == (state, until)
    assert row.why == ("again" if failed else "TimeoutError: no answer")


def test_a_probe_that_was_given_up_decides_nothing() -> None:
    """Its token is old, whatever it found; nor does it reopen what is closed."""
    second = probing(probing(opened(), at(20), 3), at(23), 3)
    assert probed(second, TERMS, 2, False, at(24)) is second
    closed = probed(second, TERMS, 3, False, at(24))
    assert probed(closed, TERMS, 3, True, at(25)) is closed


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60))
def test_it_opens_exactly_when_a_window_has_the_rate(calls: list[tuple[int, bool]]) -> None:
    """Counted one by one, it does what counting each window anew says."""
    row, done = CLOSED, list[tuple[int, bool]]()
    for second, failed in sorted(calls):
        now = at(second)
        done.append((second, failed))
        inside = [bad for moment, bad in done if moment > second - TERMS.window_seconds]
        row = counted(row, TERMS, {int(now.timestamp()): (1, int(failed))}, now)
        expected = len(inside) >= 4 and sum(inside) >= 0.5 * len(inside)
        assert (row.state is BreakerState.OPEN) is expected
        if expected:
            return


def watched(name: str, **terms: object) -> Tool:
    """Return a tool with terms."""

    @tool(effect=Effect.READ, name=name, **terms)  # type: ignore[call-overload, untyped-decorator]
    def look(place: str) -> str:
        """Look."""
        return place

    found: Tool = look
    return found


def test_tools_share_the_breaker_of_a_dependency() -> None:
    """One that names it without terms takes the other's; alone it has the default."""
    tools = [
        watched("a", dependency="payments"),
        watched("b", dependency="payments", breaker=TERMS),
        watched("c", breaker=Breaker(min_calls=3)),
        watched("d", dependency="crm"),
        watched("e"),
    ]
    assert breakers_of(item.contract for item in tools) == {
        "payments": TERMS,
        "c": Breaker(min_calls=3),
        "crm": Breaker(),
    }


def test_two_breakers_of_one_dependency_are_refused() -> None:
    """Which of them holds would depend on who calls."""
    tools = [
        watched("a", dependency="payments", breaker=Breaker()),
        watched("b", dependency="payments", breaker=TERMS),
    ]
    with pytest.raises(ConfigError, match="'payments' have different breakers"):
        breakers_of(item.contract for item in tools)


@pytest.mark.parametrize("terms", [{}, {"dependency": "crm", "local": True}])
def test_waiting_needs_a_dependency_and_an_activity(terms: dict[str, object]) -> None:
    """A local activity has no place to wait in, and nothing to wait for is a mistake."""
    with pytest.raises(ConfigError, match="while_open='wait' needs"):
        watched("a", while_open="wait", **terms)
