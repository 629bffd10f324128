"""Figures follow from measured values as the page says."""

from __future__ import annotations

import pytest

from bench.figures import percentile, spread
from bench.parts.throttle import throttle_figures


def test_a_percentile_is_a_measured_value() -> None:
    """It is the smallest one that so many percent do not exceed."""
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert percentile([7.0], 95) == 7.0
    assert spread([0.001, 0.002]) == {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 2.0}


@pytest.mark.parametrize(("per_second", "error"), [(8.0, 0.2), (16.0, 0.6)])
def test_a_rate_leaves_the_first_burst_out(per_second: float, error: float) -> None:
    """Ten calls at once, then a steady rate: only that rate counts."""
    steady = [number / per_second for number in range(31)]
    found = throttle_figures([*[0.0] * 10, *steady])
    assert found["rate_per_s"] == pytest.approx(per_second)
    assert found["error"] == pytest.approx(error)
    assert found["most_in_a_second"] == per_second
