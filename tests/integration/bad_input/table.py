"""The bad-input table of docs/errors.md, read so that tests can hold the code to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "errors.md"

_HEADING = "## Bad input"
_VALUE = "…"


@dataclass(frozen=True)
class Row:
    """One kind of bad input."""

    name: str
    how: str
    code: str
    message: str
    """What the error says, with '…' in the place of values."""
    action: str
    who: str

    def check(self, code: str, message: str) -> None:
        """Compare what happened with what the table says."""
        assert code == self.code
        assert re.search(self.pattern, message, re.DOTALL), (self.message, message)

    @property
    def pattern(self) -> str:
        """The message as a regular expression."""
        return ".*".join(re.escape(part) for part in self.message.split(_VALUE))


def cells(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, row by row, without its head."""
    lines = text.split(f"\n{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| "))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("| "):
            break
        found.append([cell.strip() for cell in line.strip().strip("|").split(" | ")])
    return found


def read_rows() -> dict[str, Row]:
    """The rows of the table, by what is bad."""
    rows = {}
    for name, how, code, message, action, who in cells(
        DOCUMENT.read_text(encoding="utf-8"), _HEADING
    ):
        rows[name] = Row(name, how, code.strip("`"), message, action, who)
    return rows
