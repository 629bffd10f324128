"""The runs that wait for people, listed again and again: what has not changed is not decoded anew."""

from __future__ import annotations

from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client

from interlock.runs.contract import WaitingRun
from interlock.runs.filters import RunFilter

_PAGE = 500
"""Runs that the server is asked for at once: what a page takes to read, nobody else is served."""

_Seen = tuple[str, str, bytes]


class WaitingRuns:
    """Lists the runs of a deployment that wait for a decision."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[_Seen, WaitingRun] = {}

    async def all(self) -> list[WaitingRun]:
        """Return them, as Temporal's visibility store has them; none is asked.

        Raises:
            RPCError: Temporal does not answer.
        """
        known: dict[_Seen, WaitingRun] = {}
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace,
            query=RunFilter(status="waiting").query(),
            page_size=_PAGE,
        )
        while True:
            page = await self._client.workflow_service.list_workflow_executions(request, retry=True)
            for info in page.executions:
                memo = info.memo.fields.get("pending")
                seen = (
                    info.execution.workflow_id,
                    info.execution.run_id,
                    memo.SerializeToString(deterministic=True) if memo else b"",
                )
                known[seen] = self._known.get(seen) or await self._read(info, memo)
            if not page.next_page_token:
                break
            request.next_page_token = page.next_page_token
        self._known = known
        return list(known.values())

    async def _read(self, info: WorkflowExecutionInfo, memo: Payload | None) -> WaitingRun:
        pending = (await self._client.data_converter.decode([memo]))[0] if memo else ()
        return WaitingRun(
            workflow_id=info.execution.workflow_id,
            run_id=info.execution.run_id,
            pending=tuple(pending),
        )
