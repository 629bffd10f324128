"""Pages from templates: whatever a model or a customer wrote is escaped, and all of it is seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi.templating import Jinja2Templates
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from interlock.canonical import compact
from interlock.inbox.masking import masked_text
from interlock.replay.telling import totals_line
from interlock.tools.contract import Span
from interlock.visible import visible

FOLDER = Path(__file__).parent

_BRIEF = 160


def plain(value: Any) -> str:
    """Return a value as text: JSON, where it is none."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def exact(value: Any) -> Markup:
    """Return what a form sends back: escaped, and otherwise as it is."""
    return escape(value)


def brief(value: Any) -> str:
    """Return a value on one short line: the arguments of a call by their own names."""
    parts = [f"{name.rpartition('.')[2]}: {_short(part)}" for name, part in flat(value)]
    return compact(", ".join(parts), _BRIEF)


def flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the parts of nested objects by their paths."""
    if not isinstance(value, dict) or not value:
        return [(path or "value", value)]
    found: list[tuple[str, Any]] = []
    for name, part in value.items():
        found += flat(part, f"{path}.{name}" if path else str(name))
    return found


def labels(spans: Iterable[Span], argument: str = "") -> list[str]:
    """Return the labels of text from outside in an argument and what is within it; or in any."""
    found = {
        span.label
        for span in spans
        if not argument
        or span.argument == argument
        or span.argument.startswith((f"{argument}.", f"{argument}["))
    }
    return sorted(found)


def amount(value: Decimal) -> str:
    """Return how much something is about, in groups of three digits."""
    return f"{value:,f}"


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


def said(value: str) -> Markup:
    """Return text in which nothing more is to be masked: who decides is named in it."""
    return escape(visible(value))


@pass_context
def _seen(context: Context, value: Any) -> Any:
    """Return what a page shows of a text: nothing hidden in it, and what is personal masked."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(value if context.get("revealed") else masked_text(value))


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "age": age,
        "amount": amount,
        "brief": brief,
        "clock": clock,
        "exact": exact,
        "flat": flat,
        "labels": labels,
        "left": left,
        "said": said,
        "plain": plain,
        "used": totals_line,
    }
    return made


_templates = Jinja2Templates(env=_environment())


def render(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    shared = {
        "person": None,
        "form_token": "",
        "active": "",
        "revealed": False,
        "now": time.time(),
    }
    return _templates.TemplateResponse(request, name, {**shared, **values}, status_code=status)
