"""Every activity a run calls, as a typed reference: name, input, output, timeouts and retries.

Workflow code calls activities only through this module, so a replay imports no implementation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

from interlock.approvals.contract import Decision, JudgeRequest, Notice, Verification
from interlock.audit.contract import AuditBatch
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import ActivityFailed, InterlockError, from_code
from interlock.memory.contract import MemoryAnswers, MemoryBatch
from interlock.models.contract import ModelAnswer, ModelCall
from interlock.tools.contract import Booking, ToolCall, ToolContract, ToolOutcome, Verdict
from interlock.tools.queues import SHARED_QUEUE, activity_timeout
from interlock.workflows.contract import NodeCall, NodeTerms, OpenRun, RunTerms

WORKFLOW_QUEUE = "interlock"
"""Task queue of workflows and of all activities but tools, behind the deployment's prefix."""

_Input = TypeVar("_Input", bound=BaseModel)
_Output = TypeVar("_Output")

_HEARTBEAT = timedelta(seconds=3)
"""An attempt is missed after so long: three of its heartbeats."""


class Call(Generic[_Input, _Output]):
    """A typed reference to one activity."""

    def __init__(
        self,
        name: str,
        output: type[_Output],
        *,
        timeout: timedelta,
        retry: RetryPolicy,
        local: bool = False,
        heartbeat: bool = False,
    ) -> None:
        self.name = name
        self._output = output
        self._local = local
        self._options: dict[str, Any] = {"start_to_close_timeout": timeout, "retry_policy": retry}
        if heartbeat:
            self._options["heartbeat_timeout"] = _HEARTBEAT

    async def __call__(self, value: _Input, *, summary: str, local: bool | None = None) -> _Output:
        """Run the activity and return its output.

        Raises:
            InterlockError: the activity failed.
            CancelledError: it was cancelled.
        """
        options = dict(self._options)
        is_local = self._local if local is None else local
        if is_local:
            options.pop("heartbeat_timeout", None)
            run: Any = workflow.execute_local_activity
        else:
            context = getattr(value, "context", None)
            if isinstance(context, CallContext):
                options["priority"] = fair_to(context.tenant)
            run = workflow.execute_activity
        return await _coded(
            self.name, run(self.name, value, result_type=self._output, summary=summary, **options)
        )


async def call_tool(
    contract: ToolContract, call: ToolCall, *, summary: str, queue: str = SHARED_QUEUE
) -> ToolOutcome:
    """Run one tool call: local for local contracts, otherwise on `queue` of the deployment.

    Raises:
        InterlockError: the call failed.
        CancelledError: it was cancelled.
    """
    timeout = activity_timeout(contract)
    if contract.local:
        return await _coded(
            "tool.call",
            workflow.execute_local_activity(
                "tool.call",
                call,
                result_type=ToolOutcome,
                start_to_close_timeout=timeout,
                retry_policy=_TOOL_RETRY,
                summary=summary,
            ),
        )
    prefix = workflow.info().task_queue.removesuffix(WORKFLOW_QUEUE)
    return await _coded(
        "tool.call",
        workflow.execute_activity(
            "tool.call",
            call,
            result_type=ToolOutcome,
            task_queue=prefix + queue,
            start_to_close_timeout=timeout,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_TOOL_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
            priority=fair_to(call.context.tenant),
        ),
    )


async def call_node(name: str, call: NodeCall, terms: NodeTerms, *, tenant: str) -> NodeCall:
    """Run an activity node.

    Raises:
        InterlockError: the activity failed.
        CancelledError: it was cancelled.
    """
    return await _coded(
        f"node.{name}",
        workflow.execute_activity(
            f"node.{name}",
            call,
            result_type=NodeCall,
            start_to_close_timeout=timedelta(seconds=terms.timeout_seconds),
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_policy(terms.attempts),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"node {name}",
            priority=fair_to(tenant),
        ),
    )


def fair_to(tenant: str) -> Priority:
    """Return what lets the server serve tenants in turn; the rest is as the run was started.

    The server takes at most 64 bytes: a longer name stands for itself by its digest.
    """
    return Priority(fairness_key=tenant if len(tenant.encode()) <= 64 else digest(tenant)[:32])


def _policy(attempts: int, *never: str) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=0.5),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=attempts,
        non_retryable_error_types=["PayloadsTooLarge", *never],
    )


_TOOL_RETRY = _policy(0)
"""Unbounded: the tool activity itself ends a call whose attempts are spent."""

open_run: Call[OpenRun, RunTerms] = Call(
    "run.open", RunTerms, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)
judge: Call[JudgeRequest, Verdict] = Call(
    "policy.judge", Verdict, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)
verify: Call[Decision, Verification] = Call(
    "approvals.verify", Verification, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)
notify: Call[Notice, None] = Call(
    "approvals.notify", type(None), timeout=timedelta(seconds=30), retry=_policy(12)
)
book: Call[ToolCall, Booking] = Call(
    "throttle.book", Booking, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)
call_model: Call[ModelCall, ModelAnswer] = Call(
    "model.call",
    ModelAnswer,
    timeout=timedelta(minutes=15),
    retry=_policy(4),
    heartbeat=True,
)
memory: Call[MemoryBatch, MemoryAnswers] = Call(
    "memory.batch", MemoryAnswers, timeout=timedelta(seconds=60), retry=_policy(8), heartbeat=True
)
record: Call[AuditBatch, int] = Call(
    "audit.record", int, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)


async def _coded(name: str, running: Awaitable[_Output]) -> _Output:
    try:
        return await running
    except FailureError as error:
        if is_cancelled_exception(error):
            # As a cancellation, not as an exception that a graph or a middleware takes for a
            # failure and tries again.
            raise asyncio.CancelledError from error
        # A local activity's failure comes bare, another one's inside an ActivityError.
        cause = error.cause if isinstance(error, ActivityError) else error
        raise _failure(name, cause) from error


def _failure(name: str, cause: BaseException | None) -> InterlockError:
    """Return the error of the tree that an activity failed with; a foreign one gets a code too."""
    if isinstance(cause, ApplicationError):
        details = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
        found = from_code(cause.type or "", cause.message, details)
        if found is not None:
            return found
    kind = cause.type if isinstance(cause, ApplicationError) else type(cause).__name__
    told = cause.message if isinstance(cause, FailureError) else str(cause)
    return ActivityFailed(
        f"activity {name!r} failed: {kind}: {told}. The worker's log has the traceback.",
        activity=name,
        cause=kind,
    )
