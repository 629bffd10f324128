"""Pages from templates: escaped, whatever a model or a customer wrote."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
"""Control characters, and those that are not seen or that turn the direction of text around."""


def plain(value: Any) -> str:
    """Return a value as a reviewer has to see it: JSON, with every hidden character spelled out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def age(when: datetime) -> str:
    """Return how long ago something was, in the largest unit that says it."""
    return span((datetime.now(UTC) - when).total_seconds())


def left(when: datetime) -> str:
    """Return how far away something is."""
    return span((when - datetime.now(UTC)).total_seconds())


def span(seconds: float) -> str:
    """Return a number of seconds in words."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"plain": plain, "age": age, "left": left}
    return made


_templates = Jinja2Templates(env=_environment())


def render(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    shared = {"person": None, "form_token": "", "active": ""}
    return _templates.TemplateResponse(request, name, {**shared, **values}, status_code=status)
