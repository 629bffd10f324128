"""A run that ends at once may lose the answer to an update; its history still has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from interlock.approvals.contract import Decision
from interlock.errors import RunFinished
from interlock.runs.client import Runs
from interlock.settings import Settings

GONE = RPCError("workflow update was aborted by closing workflow", RPCStatusCode.NOT_FOUND, b"")
UNKNOWN = RPCError("update not found", RPCStatusCode.NOT_FOUND, b"")
ANSWER = {"accepted": True, "request_id": "c1:d"}
DECISION = Decision(request_id="c1:d", verb="approve", digest="d")


class Handle:
    """A run that ends while it is told something."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept = kept
        self.asked = ""

    async def execute_update(self, name: str, *, args: Any, id: str) -> Any:  # noqa: A002
        raise GONE

    def get_update_handle(self, update_id: str) -> Handle:
        self.asked = update_id
        return self

    async def result(self) -> Any:
        if self.asked not in self.kept:
            raise UNKNOWN
        return self.kept[self.asked]


class Client:
    """A client of one run."""

    def __init__(self, handle: Handle) -> None:
        self.get_workflow_handle = lambda *_, **__: handle


def _runs(tmp_path: Path, kept: dict[str, Any]) -> Runs:
    return Runs(Settings(project_dir=tmp_path), Client(Handle(kept)))  # type: ignore[arg-type]


async def test_an_answer_that_was_lost_is_read_from_the_history(tmp_path: Path) -> None:
    """Whoever decided is told that it counted."""
    answer = await _runs(tmp_path, {"k": ANSWER}).decide("run", DECISION, key="k")
    assert answer.accepted


async def test_a_decision_that_never_arrived_was_too_late(tmp_path: Path) -> None:
    """The run had ended: nothing was taken."""
    with pytest.raises(RunFinished):
        await _runs(tmp_path, {"other": ANSWER}).decide("run", DECISION, key="k")
