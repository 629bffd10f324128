"""A policy that is changed while requests wait."""

from __future__ import annotations

from typing import Any

from interlock.approvals import Ask, Facts, Verdict
from interlock.canonical import digest
from interlock.tools import Risk, ToolContract


class Changing:
    """Says of every call what `now` is."""

    def __init__(self) -> None:
        self.now: Ask | str = Ask()

    @property
    def version(self) -> str:
        """Another one for each word."""
        said = self.now if isinstance(self.now, str) else self.now.model_dump(mode="json")
        return digest({"policy": "changing", "now": said})[:12]

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Say it."""
        ask = self.now if isinstance(self.now, Ask) else None
        outcome: Any = "ask" if ask else self.now
        return Verdict(outcome=outcome, reason="So it is.", risk=risk, policy=self.version, ask=ask)


changing = Changing()
