"""From measured values to figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

PERCENTS = (50, 95, 99)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return `p50_ms`, `p95_ms` and `p99_ms` of times in seconds."""
    return {f"p{percent}_ms": round(percentile(seconds, percent) * 1e3, 2) for percent in PERCENTS}


def megabytes(size: float) -> float:
    """Return bytes as MB of 2**20."""
    return round(size / 2**20, 2)
