"""The runs that wait are listed page by page, and only what has changed is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import temporalio.converter
from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)
from temporalio.client import Client

from interlock.runs.contract import WaitingRun
from interlock.runs.waiting import WaitingRuns, rest_after


class FakeServer:
    """Runs as a visibility store lists them, two on a page; it is client and converter, too."""

    namespace = "default"

    def __init__(self) -> None:
        self.pending: dict[str, list[str] | None] = {}
        self.decoded = 0
        self.workflow_service = self
        self.data_converter = SimpleNamespace(decode=self.decode)

    async def list_workflow_executions(
        self, request: ListWorkflowExecutionsRequest, *, retry: bool
    ) -> ListWorkflowExecutionsResponse:
        """Answer one page."""
        assert retry
        begin = int(request.next_page_token or b"0")
        found = [await self._info(name) for name in list(self.pending)[begin : begin + 2]]
        token = str(begin + 2).encode() if begin + 2 < len(self.pending) else b""
        return ListWorkflowExecutionsResponse(executions=found, next_page_token=token)

    async def _info(self, name: str) -> WorkflowExecutionInfo:
        info = WorkflowExecutionInfo()
        info.execution.workflow_id, info.execution.run_id = name, f"run-{name}"
        if (ids := self.pending[name]) is not None:
            (memo,) = await temporalio.converter.DataConverter.default.encode([ids])
            info.memo.fields["pending"].CopyFrom(memo)
        return info

    async def decode(self, payloads: Sequence[Payload]) -> list[Any]:
        """Decode, and count it."""
        self.decoded += len(payloads)
        return await temporalio.converter.DataConverter.default.decode(payloads)


async def test_only_what_has_changed_is_decoded() -> None:
    """Other runs are the very same objects as before; what is over is not kept."""
    server = FakeServer()
    waiting = WaitingRuns(cast("Client", server))
    server.pending = {"a": ["1"], "b": ["2", "3"], "c": None}
    first = await waiting.all()
    assert first == [
        WaitingRun(workflow_id="a", run_id="run-a", pending=("1",)),
        WaitingRun(workflow_id="b", run_id="run-b", pending=("2", "3")),
        WaitingRun(workflow_id="c", run_id="run-c", pending=()),
    ]
    assert server.decoded == 2
    server.pending |= {"b": ["3"], "d": ["4"]}
    again = await waiting.all()
    assert [run.pending for run in again] == [("1",), ("3",), (), ("4",)]
    assert (server.decoded, again[0] is first[0]) == (4, True)
    server.pending = {}
    assert await waiting.all() == []
    server.pending = {"a": ["1"]}
    assert (await waiting.all())[0] is not first[0]


async def test_a_long_list_leaves_the_server_time_for_others() -> None:
    """The first list is read at once; later ones rest between pages, and not after the last."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    server = FakeServer()
    waiting = WaitingRuns(cast("Client", server), rest)
    server.pending = {"a": ["1"], "b": ["2"], "c": ["3"], "d": ["4"], "e": ["5"]}
    await waiting.all()
    assert rests == []
    await waiting.all()
    assert len(rests) == 2


@pytest.mark.parametrize(("took", "rests"), [(0.0, 0.0), (0.1, 0.3), (60.0, 1.0)])
def test_a_slow_page_is_followed_by_a_longer_rest(took: float, rests: float) -> None:
    """And yet a list of thousands comes to its end."""
    assert rest_after(took) == pytest.approx(rests)
