"""Where a page of a list ends, as text that means nothing to whoever hands it back."""

from __future__ import annotations

import base64
import json
from typing import Any

from interlock.errors import BadInput


def encode(parts: list[Any]) -> str:
    """Return JSON parts as one word of letters, digits, '-' and '_'."""
    packed = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).rstrip(b"=").decode()


def decode(word: str, length: int, what: str) -> list[str]:
    """Return the texts that a word stands for.

    Raises:
        BadInput: it is not one that was given out.
    """
    try:
        padded = word.encode("ascii") + b"=" * (-len(word) % 4)
        found = json.loads(base64.b64decode(padded, b"-_", validate=True).decode())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{word[:80]!r} is no {what}. Give one that the inbox gave you.") from error
    if (
        not isinstance(found, list)
        or len(found) != length
        or not all(isinstance(part, str) for part in found)
    ):
        raise BadInput(f"{word[:80]!r} is no {what}. Give one that the inbox gave you.")
    return found
