"""Errors of Temporal as errors of the tree, and filters as its queries."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import (
    ApplicationError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from interlock.errors import BadInput, InterlockError
from interlock.runs.filters import RunFilter
from interlock.runs.meaning import explained


def rpc(status: RPCStatusCode, message: str) -> RPCError:
    """Return what the client raises."""
    return RPCError(message, status, b"")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (rpc(RPCStatusCode.NOT_FOUND, "workflow not found for ID: r1"), "RUN_NOT_FOUND"),
        (rpc(RPCStatusCode.NOT_FOUND, "workflow execution already completed"), "RUN_FINISHED"),
        (
            rpc(RPCStatusCode.NOT_FOUND, "workflow update was aborted by closing workflow"),
            "RUN_FINISHED",
        ),
        (rpc(RPCStatusCode.UNAVAILABLE, "connection refused"), "TEMPORAL_UNREACHABLE"),
        (rpc(RPCStatusCode.DEADLINE_EXCEEDED, "timeout"), "NO_WORKER"),
        (rpc(RPCStatusCode.FAILED_PRECONDITION, "no poller seen"), "NO_WORKER"),
        (rpc(RPCStatusCode.INVALID_ARGUMENT, "no search attribute InterlockAgent"), "NO_WORKER"),
        (rpc(RPCStatusCode.INVALID_ARGUMENT, "bad page token"), "BAD_INPUT"),
        (rpc(RPCStatusCode.PERMISSION_DENIED, "no"), "OPERATOR_ERROR"),
        (TimeoutError(), "NO_WORKER"),
        (WorkflowAlreadyStartedError("r1", "AgentWorkflow"), "BAD_INPUT"),
        (
            WorkflowUpdateFailedError(ApplicationError("no", type="NOT_A_CONVERSATION")),
            "NOT_A_CONVERSATION",
        ),
        (
            WorkflowFailureError(cause=ApplicationError("no", type="GRAPH_FAILED")),
            "GRAPH_FAILED",
        ),
        (WorkflowFailureError(cause=ApplicationError("x", type="KeyError")), "OPERATOR_ERROR"),
        (WorkflowFailureError(cause=TerminatedError("by hand")), "RUN_CANCELLED"),
    ],
)
async def test_each_error_has_a_code(error: Exception, code: str) -> None:
    """What Temporal says becomes an error of the tree that names the run."""
    with pytest.raises(InterlockError) as caught, explained("r1"):
        raise error
    assert caught.value.code == code
    assert caught.value.__cause__ is error


async def test_a_cancelled_call_stays_cancelled() -> None:
    """A task that is cancelled during a call ends as cancelled, whatever the client raises."""

    async def call() -> None:
        with explained("r1"):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise rpc(RPCStatusCode.CANCELLED, "cancelled") from None

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_filter_is_a_query() -> None:
    """Status, agent and tenant are joined; parts of a chain that went on are left out."""
    query = RunFilter(status="waiting", agent="clerk", tenant="acme").query()
    assert "InterlockStatus = 'waiting' AND ExecutionStatus = 'Running'" in query
    assert query.endswith("InterlockAgent = 'clerk' AND InterlockTenant = 'acme'")
    assert "ExecutionStatus != 'ContinuedAsNew'" in RunFilter().query()


@pytest.mark.parametrize("name", ["a'b", "a\\b"])
def test_a_name_cannot_leave_its_quotes(name: str) -> None:
    """What would change the query is refused."""
    with pytest.raises(BadInput, match="quote"):
        RunFilter(tenant=name).query()
