"""What local tool calls had as arguments: a history has only the verdicts that came before them."""

from __future__ import annotations

from typing import Any

Arguments = dict[str, Any]


class JudgedArguments:
    """Arguments of local calls by tool, from the verdicts that allowed them.

    Of calls side by side nothing says which of them is over first: they are known when all are
    equal. A call that is made again is not judged again.
    """

    def __init__(self) -> None:
        self._open: dict[str, list[Arguments]] = {}
        self._over: dict[str, int] = {}
        self._last: dict[str, Arguments | None] = {}

    def judged(self, tool: str, arguments: Arguments) -> None:
        """Take note of a call that was allowed."""
        self._open.setdefault(tool, []).append(arguments)

    def over(self, tool: str) -> Arguments | None:
        """Return what a call that is over had as arguments, or None when it is not known."""
        group = self._open.get(tool, [])
        if not group:
            return self._last.get(tool)
        known = group[0] if all(item == group[0] for item in group) else None
        self._over[tool] = self._over.get(tool, 0) + 1
        if self._over[tool] == len(group):
            self._last[tool] = known
            del self._open[tool], self._over[tool]
        return known
