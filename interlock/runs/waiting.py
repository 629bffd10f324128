"""The runs that wait for people, listed again and again: what has not changed is not decoded anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client

from interlock.runs.contract import WaitingRun
from interlock.runs.filters import RunFilter

_PAGE = 500
"""Runs that the server is asked for at once: what a page takes to read, nobody else is served."""

_SHARE = 3
"""Rests after each page of the time that it took: Temporal has three quarters for others."""

_LONGEST_REST = 1.0
"""Seconds: where every page takes long, a list of many is still read to its end."""

_Seen = tuple[str, str, bytes]


class WaitingRuns:
    """Lists the runs of a deployment that wait for a decision.

    Args:
        client: Client of its server.
        rest: Sleeps for some seconds.
    """

    def __init__(
        self, client: Client, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._rest = rest
        self._known: dict[_Seen, WaitingRun] = {}

    async def all(self) -> list[WaitingRun]:
        """Return them, as Temporal's visibility store has them; none is asked.

        The first list is read at once. Later ones rest between pages: thousands of runs are listed
        for as long as people decide on them, and who decides is not to wait for a list.

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
            began = time.monotonic()
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
            if self._known:
                await self._rest(rest_after(time.monotonic() - began))
        self._known = known
        return list(known.values())

    async def _read(self, info: WorkflowExecutionInfo, memo: Payload | None) -> WaitingRun:
        pending = (await self._client.data_converter.decode([memo]))[0] if memo else ()
        return WaitingRun(
            workflow_id=info.execution.workflow_id,
            run_id=info.execution.run_id,
            pending=tuple(pending),
        )


def rest_after(seconds: float) -> float:
    """Return how many seconds to rest after a page that took `seconds`."""
    return min(_SHARE * seconds, _LONGEST_REST)
