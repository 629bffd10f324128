"""Values that a policy is written with: spans of time and patterns of names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_LONGEST = timedelta(days=3650)
_ALLOWED = "Write days, hours, minutes and seconds, for example '4h', '90s' or '1d12h'."


def parse_duration(value: Any) -> timedelta:
    """Return the span of time that a text such as '4h' or '1d12h' names.

    Raises:
        ValueError: it is no such text, it is nothing, or it is longer than ten years.
    """
    if isinstance(value, timedelta):
        return value
    found = _SPAN.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        raise ValueError(f"{value!r} is no span of time. {_ALLOWED}")
    parts = dict(
        zip(
            ("days", "hours", "minutes", "seconds"),
            (int(part or 0) for part in found.groups()),
            strict=True,
        )
    )
    if not any(parts.values()):
        raise ValueError(f"{value!r} is no time at all. {_ALLOWED}")
    try:
        span = timedelta(**parts)
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        raise ValueError(f"{value!r} is longer than ten years. {_ALLOWED}")
    return span


def duration_text(span: timedelta) -> str:
    """Return a span as text; equal spans give equal text."""
    left, parts = round(span.total_seconds()), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns (`*`, `?`, `[abc]`) is that of a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def listed(value: Any) -> Any:
    """Return one text as a list of it, and anything else as it is."""
    return [value] if isinstance(value, str) else value


def in_order(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return each of some texts once, sorted."""
    return tuple(sorted(set(values)))


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, return_type=str)
]
"""A span of time, written '4h'."""

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(listed),
    AfterValidator(in_order),
]
"""One text or a list of texts; neither order nor repetition counts."""
