"""When the other side wants to be asked again: the `Retry-After` of what a tool raised. Pure.

An error is understood whichever HTTP library raised it: it has a `response` with `headers` (httpx,
requests, the clients of model providers) or `headers` itself (aiohttp, urllib). A wait says nothing
of whether an effect happened: a tool may have made several requests, and only the last was refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

_DEPTH = 5
"""How many causes of an error are looked at."""


def wanted_wait(error: BaseException, now: datetime, longest: timedelta) -> dict[str, float]:
    """Return `retry_after_seconds` of an error, for the details of another one; {} if it has none.

    Args:
        error: What a tool raised. Its own word counts before that of its cause, and
            `retry_after_seconds` before a header.
        now: The time now, for a header that names a date.
        longest: What a longer wait is cut to.
    """
    for each in causes(error):
        seconds = _number(_asked(each, now))
        if seconds > 0:  # not NaN either: whoever names no time is tried again after the usual one
            wait = min(seconds, longest.total_seconds())
            return {"retry_after_seconds": wait} if wait > 0 else {}
    return {}


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the nearest first."""
    found: BaseException | None = error
    for _ in range(_DEPTH):
        if found is None:
            return
        yield found
        found = found.__cause__


def _asked(error: BaseException, now: datetime) -> Any:
    details = getattr(error, "details", None)
    asked = details.get("retry_after_seconds") if isinstance(details, Mapping) else None
    return _header(error, now) if asked is None else asked


def _header(error: BaseException, now: datetime) -> str | float | None:
    headers = getattr(getattr(error, "response", error), "headers", None)
    if not isinstance(headers, Mapping | Message):
        return None
    found = [str(text) for name, text in headers.items() if str(name).lower() == "retry-after"]
    if not found or found[0].strip().isdecimal():
        return found[0] if found else None
    try:
        at = parsedate_to_datetime(found[0])
    except ValueError:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
