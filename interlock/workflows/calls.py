"""Every activity a run calls, as a typed reference: name, input, output, timeouts and retries.

Workflow code calls activities only through this module, so a replay imports no implementation.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from interlock.approvals.contract import JudgeRequest, Verdict
from interlock.audit.contract import AuditBatch
from interlock.errors import InterlockError, from_code
from interlock.memory.contract import MemoryAnswers, MemoryBatch
from interlock.models.contract import ModelAnswer, ModelCall
from interlock.tools.contract import ToolCall, ToolContract, ToolOutcome
from interlock.tools.queues import activity_timeout, queue_of
from interlock.workflows.contract import OpenRun, RunTerms

WORKFLOW_QUEUE = "interlock"
"""Task queue of workflows and of all activities but tools, behind the deployment's prefix."""

_Input = TypeVar("_Input", bound=BaseModel)
_Output = TypeVar("_Output")

_HEARTBEAT = timedelta(seconds=5)


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
            InterlockError: the activity failed with a code of the error tree.
        """
        options = dict(self._options)
        is_local = self._local if local is None else local
        if is_local:
            options.pop("heartbeat_timeout", None)
            run: Any = workflow.execute_local_activity
        else:
            run = workflow.execute_activity
        return await _coded(
            run(self.name, value, result_type=self._output, summary=summary, **options)
        )


async def call_tool(contract: ToolContract, call: ToolCall, *, summary: str) -> ToolOutcome:
    """Run one tool call: local for local contracts, otherwise on the tool's own queue.

    Raises:
        InterlockError: the call failed with a code of the error tree.
    """
    timeout = activity_timeout(contract)
    if contract.local:
        return await _coded(
            workflow.execute_local_activity(
                "tool.call",
                call,
                result_type=ToolOutcome,
                start_to_close_timeout=timeout,
                retry_policy=_TOOL_RETRY,
                summary=summary,
            )
        )
    prefix = workflow.info().task_queue.removesuffix(WORKFLOW_QUEUE)
    return await _coded(
        workflow.execute_activity(
            "tool.call",
            call,
            result_type=ToolOutcome,
            task_queue=queue_of(contract, prefix),
            start_to_close_timeout=timeout,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_TOOL_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    )


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
call_model: Call[ModelCall, ModelAnswer] = Call(
    "model.call",
    ModelAnswer,
    timeout=timedelta(minutes=15),
    retry=_policy(4),
    heartbeat=True,
)
memory: Call[MemoryBatch, MemoryAnswers] = Call(
    "memory.batch", MemoryAnswers, timeout=timedelta(seconds=60), retry=_policy(5), heartbeat=True
)
record: Call[AuditBatch, int] = Call(
    "audit.record", int, timeout=timedelta(seconds=10), retry=_policy(0), local=True
)


async def _coded(running: Awaitable[_Output]) -> _Output:
    try:
        return await running
    except ActivityError as error:
        raise coded(error) from error


def coded(error: ActivityError) -> InterlockError | ActivityError:
    """Return the error of the tree that an activity failed with, or the failure itself."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        details = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
        found: InterlockError | None = from_code(cause.type or "", cause.message, details)
        return found or error
    return error
