"""Pages from templates: escaped, whatever a model or a customer wrote."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response

from interlock.canonical import compact
from interlock.replay.telling import totals_line

FOLDER = Path(__file__).parent

_BRIEF = 160

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
"""Control characters, and those that are not seen or that turn the direction of text around."""


def plain(value: Any) -> str:
    """Return a value as a reviewer has to see it: JSON, with every hidden character spelled out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def brief(value: Any) -> str:
    """Return a value on one short line: the arguments of a call by their own names."""
    parts = [f"{name.rpartition('.')[2]}: {_short(part)}" for name, part in flat(value)]
    return plain(compact(", ".join(parts), _BRIEF))


def flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the parts of nested objects by their paths."""
    if not isinstance(value, dict) or not value:
        return [(path or "value", value)]
    found: list[tuple[str, Any]] = []
    for name, part in value.items():
        found += flat(part, f"{path}.{name}" if path else str(name))
    return found


def clock(when: datetime) -> str:
    """Return a time as it stands in tables: UTC, to the minute."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _short(value: Any) -> str:
    return compact(value, _BRIEF)


def age(when: datetime) -> str:
    """Return how long ago something was, in the largest unit that says it."""
    return span((datetime.now(UTC) - when).total_seconds())


def left(when: datetime) -> str:
    """Return how far away something is."""
    return span((when - datetime.now(UTC)).total_seconds())


def span(seconds: float) -> str:
    """Return a number of seconds in words, never more than there are."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0) // 1:.0f} s"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "age": age,
        "brief": brief,
        "clock": clock,
        "flat": flat,
        "left": left,
        "plain": plain,
        "used": totals_line,
    }
    return made


_templates = Jinja2Templates(env=_environment())


def render(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    shared = {"person": None, "form_token": "", "active": "", "now": time.time()}
    return _templates.TemplateResponse(request, name, {**shared, **values}, status_code=status)
