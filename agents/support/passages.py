"""Passages of Markdown documents as a customer reads them in a plain mail. Pure functions."""

from __future__ import annotations

import re

_LONGEST = 600
_ROW = re.compile(r"^\|(.+)\|$")
_RULE = re.compile(r"^\|[\s:|-]+\|$")
_MARKS = re.compile(r"\*\*|__|`")
_STARTS = re.compile(r"[-*] |\d+\. ")


def plain_text(markdown: str) -> str:
    """Return a passage without marks: one line for each paragraph, list item and row of a table."""
    lines: list[str] = []
    open_line = False
    for raw in markdown.splitlines():
        line = _MARKS.sub("", raw).strip()
        row = _ROW.match(line)
        if not line or _RULE.match(line):
            open_line = False
        elif row:
            lines.append("- " + ", ".join(cell.strip() for cell in row[1].split("|")))
            open_line = False
        elif open_line and not _STARTS.match(line):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
            open_line = True
    return "\n".join(lines)


def excerpt(markdown: str, longest: int = _LONGEST) -> str:
    """Return the beginning of a passage in plain words, cut where a line or a sentence ends."""
    text = plain_text(markdown)
    if len(text) <= longest:
        return text
    cut = text[:longest]
    end = max(cut.rfind("\n"), cut.rfind(". ") + 1)
    return f"{cut[: end if end > 0 else longest].rstrip()} ..."
