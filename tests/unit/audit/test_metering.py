"""The arithmetic of a rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.metering import book

RATES = st.floats(min_value=0.01, max_value=1000)
BURSTS = st.integers(min_value=1, max_value=50)
PAUSES = st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=60)
NOW = 1_800_000_000.0


def starts(
    pauses: list[float], per_second: float, burst: int, slack: float = 0.0
) -> list[tuple[float, float]]:
    """When calls asked that came after these pauses, and when each may start."""
    tat, now, found = 0.0, NOW, []
    for pause in pauses:
        now += pause
        due, tat = book(tat, now, per_second, burst, slack=slack)
        found.append((now, due))
    return found


@given(PAUSES, RATES, BURSTS, st.sampled_from([0.0, 0.1]))
def test_no_stretch_of_time_has_more_than_its_share(
    pauses: list[float], per_second: float, burst: int, slack: float
) -> None:
    """Any stretch of time has at most the burst and what the rate gives meanwhile and in the slack."""
    dues = [due for _, due in starts(pauses, per_second, burst, slack)]
    for first, begin in enumerate(dues):
        for last in range(first, len(dues)):
            allowed = burst + (dues[last] - begin + slack) * per_second
            assert last - first + 1 <= allowed + 1e-3


@given(PAUSES, RATES, BURSTS)
def test_turns_are_in_order_and_never_in_the_past(
    pauses: list[float], per_second: float, burst: int
) -> None:
    """Who asks first goes first, and nobody before it asked."""
    found = starts(pauses, per_second, burst)
    assert all(due >= asked for asked, due in found)
    assert [due for _, due in found] == sorted(due for _, due in found)


@given(st.integers(min_value=1, max_value=200), RATES, BURSTS)
def test_a_crowd_is_spread_without_gaps(count: int, per_second: float, burst: int) -> None:
    """Calls that ask at once start as early as the rate allows: no turn is wasted."""
    dues = [due - NOW for _, due in starts([0.0] * count, per_second, burst)]
    expected = [max(0, number + 1 - burst) / per_second for number in range(count)]
    assert dues == pytest.approx(expected, abs=1e-3)


def test_a_pause_gives_the_burst_back_and_no_more() -> None:
    """After a long pause as many go at once as after a short one."""
    found = starts([0, 0, 0, 1000, 0, 0], per_second=1, burst=2)
    assert [due - asked for asked, due in found] == pytest.approx([0, 0, 1, 0, 0, 1])
