"""The runs of a deployment, as commands ask Temporal for them."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from interlock.approvals.contract import ApprovalRequest, Decision, DecisionAnswer, Rejudged
from interlock.connection import connect, noted_server, server_address
from interlock.errors import BadInput
from interlock.payloads import put_back
from interlock.runs.contract import OpenRequest, RunPage, RunSummary, WaitingRun, summary_of
from interlock.runs.filters import RunFilter
from interlock.runs.meaning import explained, has_ended
from interlock.runs.waiting import WaitingRuns
from interlock.settings import Settings, load_settings
from interlock.workflows.calls import WORKFLOW_QUEUE
from interlock.workflows.contract import MessageAnswer, PendingApprovals, RejudgeAnswer

_PATIENCE = timedelta(seconds=10)
"""How long a worker may take to answer a query or an update."""

_AT_ONCE = 10
"""Queries made at the same time."""

_UPDATES = 4
"""Updates of one run made at the same time: of over ten, Temporal refuses some, for seconds."""


class Runs:
    """The runs of one deployment."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings = settings
        self.client = client
        self._waiting = WaitingRuns(client)
        self._gates: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @classmethod
    async def connect(cls) -> Runs:
        """Connect to the deployment of the current folder.

        Raises:
            ConfigError: its settings are wrong.
            TemporalUnreachable: its server does not answer.
        """
        settings = load_settings()
        return cls(settings, await connect(settings))

    @property
    def queue(self) -> str:
        """Task queue of the deployment's workflows."""
        return self.settings.temporal.queue_prefix + WORKFLOW_QUEUE

    def link(self, workflow_id: str) -> str:
        """Return where Temporal's web UI shows a run, or '' when no UI is known."""
        noted = noted_server(self.settings)
        if not noted.get("ui") or noted.get("address") != server_address(self.settings):
            return ""
        return f"{noted['ui']}/namespaces/{self.client.namespace}/workflows/{workflow_id}"

    async def start(self, request: dict[str, Any], workflow_id: str = "") -> str:
        """Start a run of `AgentWorkflow` and return its workflow id.

        Raises:
            BadInput: a run of that id exists.
        """
        made = workflow_id or f"{request['agent']}-{uuid.uuid4().hex[:8]}"
        with explained(made):
            await self.client.start_workflow(
                "AgentWorkflow", request, id=made, task_queue=self.queue
            )
        return made

    async def has_worker(self) -> bool:
        """Whether a worker has polled the workflow queue in the last minutes."""
        with explained():
            found = await self.client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=self.client.namespace,
                    task_queue=TaskQueue(name=self.queue),
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                )
            )
        return bool(found.pollers)

    async def summary(self, workflow_id: str) -> RunSummary:
        """Return what is known of a run without asking a worker.

        Raises:
            RunNotFound: there is no such run.
        """
        with explained(workflow_id):
            return summary_of(await self._handle(workflow_id).describe())

    async def page(self, where: RunFilter, limit: int, cursor: str = "") -> RunPage:
        """Return one page of the runs that match.

        Raises:
            BadInput: the cursor is not one that an earlier page gave.
        """
        found = self.client.list_workflows(
            where.query(), page_size=limit, next_page_token=_token(cursor)
        )
        with explained():
            await found.fetch_next_page()
        token = found.next_page_token
        return RunPage(
            runs=tuple(summary_of(execution) for execution in found.current_page or ()),
            next=base64.urlsafe_b64encode(token).decode() if token else "",
        )

    async def query(self, workflow_id: str, name: str) -> Any:
        """Return the answer of a query as JSON data.

        Raises:
            NoWorker: no worker answers.
        """
        with explained(workflow_id):
            return await self._handle(workflow_id).query(name, rpc_timeout=_PATIENCE)

    async def pending(self, workflow_id: str) -> tuple[ApprovalRequest, ...]:
        """Return the requests of a run that wait for a decision, oldest first."""
        answer = await self.query(workflow_id, "pending_approvals")
        return PendingApprovals.model_validate(answer).requests

    async def waiting(self) -> list[WaitingRun]:
        """Return the runs that wait for a decision, without asking any of them."""
        with explained():
            return await self._waiting.all()

    async def open_requests(self) -> list[OpenRequest]:
        """Return the requests of all runs that wait for a decision, oldest first."""
        found_runs = self.client.list_workflows(RunFilter(status="waiting").query())
        with explained():
            waiting = [execution.id async for execution in found_runs]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(workflow_id: str) -> list[OpenRequest]:
            async with gate:
                found = await self.pending(workflow_id)
            return [OpenRequest(workflow_id=workflow_id, request=item) for item in found]

        found = await asyncio.gather(*map(ask, waiting))
        return sorted((item for part in found for item in part), key=_asked_at)

    async def decide(
        self, workflow_id: str, decision: Decision, *, key: str | None = None
    ) -> DecisionAnswer:
        """Send a decision and return what the run says of it.

        Args:
            workflow_id: The run's workflow id.
            decision: What was decided.
            key: Names the sending: sent again with the same key it is not taken again, and the
                answer is the first one's.

        Raises:
            RunFinished: the run has ended.
            DecisionRefused: the decision is malformed.
        """
        sent = decision.model_dump(mode="json")
        answer = await self._update(workflow_id, "submit_decision", sent, key=key)
        return DecisionAnswer.model_validate(answer)

    async def rejudge(self, workflow_id: str) -> tuple[Rejudged, ...]:
        """Let a run ask the policy of today about what waits, and return what became of it.

        Raises:
            RunFinished: the run has ended.
        """
        answer = await self._update(workflow_id, "rejudge")
        return RejudgeAnswer.model_validate(answer).requests

    async def send(self, workflow_id: str, message: str) -> MessageAnswer:
        """Send a message to a conversation and return whether it was taken.

        Raises:
            NotAConversation: the run takes no messages.
            RunFinished: the run has ended.
        """
        answer = await self._update(workflow_id, "submit_message", message)
        return MessageAnswer.model_validate(answer)

    async def cancel(self, workflow_id: str, reason: str) -> None:
        """Ask a run to stop.

        Raises:
            RunFinished: the run has ended.
        """
        with explained(workflow_id):
            await self._handle(workflow_id).signal("cancel_run", reason)

    async def events(self, workflow_id: str, run_id: str = "") -> AsyncIterator[HistoryEvent]:
        """Yield a run's events, old and new, until it ends.

        Args:
            workflow_id: The run's workflow id.
            run_id: One run of a chain that continued as new; the newest by default.
        """
        handle = self._handle(workflow_id, run_id)
        with explained(workflow_id):
            async for event in handle.fetch_history_events(wait_new_event=True):
                await put_back(event, self.client.data_converter)
                yield event

    async def task_that_asked(self, workflow_id: str, request_id: str) -> int:
        """Return the event id of the workflow task that put a request on its desk.

        A reset to it asks again. 0 when the newest run of that workflow id never asked so.

        Args:
            workflow_id: The run's workflow id.
            request_id: Id of the request, or its beginning.
        """
        with explained(workflow_id):
            async for event in self._handle(workflow_id).fetch_history_events():
                attributes = event.workflow_properties_modified_event_attributes
                memo = attributes.upserted_memo.fields
                if "pending" not in memo:
                    continue
                (pending,) = await self.client.data_converter.decode([memo["pending"]])
                if any(str(item).startswith(request_id) for item in pending):
                    return int(attributes.workflow_task_completed_event_id)
        return 0

    async def _update(
        self, workflow_id: str, name: str, *values: Any, key: str | None = None
    ) -> Any:
        handle, sent_as = self._handle(workflow_id), key or uuid.uuid4().hex
        gate = self._gates.setdefault(workflow_id, asyncio.Semaphore(_UPDATES))
        with explained(workflow_id):
            async with asyncio.timeout(_PATIENCE.total_seconds()), gate:
                try:
                    return await handle.execute_update(name, args=values, id=sent_as)
                except RPCError as error:
                    if not has_ended(error):
                        raise
                    # A run that ends at once may lose the answer on its way; its history has it.
                    with suppress(RPCError):
                        return await handle.get_update_handle(sent_as).result()
                    raise

    def _handle(self, workflow_id: str, run_id: str = "") -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(workflow_id, run_id=run_id or None)


def _asked_at(item: OpenRequest) -> datetime:
    return item.request.requested_at


def _token(cursor: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(cursor.encode()) if cursor else None
    except ValueError as error:
        raise BadInput(
            f"{cursor!r} is no cursor. Give the 'next' of an earlier page, or leave it out."
        ) from error
