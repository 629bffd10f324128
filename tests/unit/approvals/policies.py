"""Policies in Python, as a deployment names them."""

from __future__ import annotations

from typing import Any

from interlock.approvals import Facts, Verdict
from interlock.canonical import digest
from interlock.tools import Risk, ToolContract


class Weekend:
    """Allows everything."""

    def __init__(self, version: str) -> None:
        self.version = version

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Allow."""
        return Verdict(outcome="allow", reason="It is.", risk=risk, policy=self.version)


weekend = Weekend(digest({"policy": "weekend"})[:12])
unversioned = Weekend("1.0")
no_policy = object()
