"""What a process has used."""

from __future__ import annotations

import psutil


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def memory_of(process: psutil.Process) -> int:
    """Return the resident bytes of a process."""
    return int(process.memory_info().rss)
