"""Temporal's failures as a code and a message."""

from __future__ import annotations

from typing import Any

from temporalio.api.failure.v1 import Failure

from interlock.payloads import first
from interlock.replay.steps import Problem


def problem(failure: Failure) -> Problem:
    """Return what a failure says: the innermost coded error, or the failure itself."""
    innermost = failure
    while innermost.HasField("cause") and not innermost.HasField("application_failure_info"):
        innermost = innermost.cause
    if innermost.HasField("application_failure_info"):
        info = innermost.application_failure_info
        details: Any = first(info.details.payloads)
        return Problem(
            code=info.type or "ERROR",
            message=innermost.message,
            details=details if isinstance(details, dict) else {},
        )
    return Problem(code=_kind(failure), message=failure.message)


def _kind(failure: Failure) -> str:
    if failure.HasField("timeout_failure_info"):
        return "TIMED_OUT"
    if failure.HasField("canceled_failure_info"):
        return "CANCELLED"
    return "TERMINATED" if failure.HasField("terminated_failure_info") else "ERROR"
