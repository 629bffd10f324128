"""What Temporal's errors mean for whoever typed the command: each becomes one of the tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from interlock.errors import (
    BadInput,
    ConfigError,
    InterlockError,
    NoWorker,
    OperatorError,
    RunCancelled,
    RunFinished,
    RunNotFound,
    TemporalUnreachable,
    from_code,
)

_CALL_ERRORS = (
    RPCError,
    RPCTimeoutOrCancelledError,
    TimeoutError,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)

_ENDED = ("already completed", "aborted by closing workflow")


@contextmanager
def explained(run_id: str = "") -> Iterator[None]:
    """Raise what Temporal says as an error of the tree.

    Args:
        run_id: Workflow id of the run that the block is about.

    Raises:
        InterlockError: what went wrong, and what to do.
    """
    try:
        yield
    except _CALL_ERRORS as error:
        if _is_cancelled():  # Temporal's client says so with an error of its own
            raise asyncio.CancelledError from error
        raise _meaning(error, run_id) from error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _meaning(error: Exception, run_id: str) -> InterlockError:
    if isinstance(error, RPCError):
        return _of_rpc(error, run_id)
    if isinstance(error, WorkflowAlreadyStartedError):
        return BadInput(
            f"a run {run_id!r} exists already. Choose another --id, or look at it with "
            f"`interlock show {run_id}`.",
            workflow_id=run_id,
        )
    if isinstance(error, WorkflowFailureError | WorkflowUpdateFailedError):
        return failed(error.cause, run_id)
    if isinstance(error, WorkflowQueryFailedError | WorkflowQueryRejectedError):
        return OperatorError(
            f"the worker could not answer for run {run_id!r}: {error}. If its code has changed, "
            f"`interlock replay {run_id}` says where it leaves the recorded path.",
            workflow_id=run_id,
        )
    return _no_worker(run_id)


def has_ended(error: RPCError) -> bool:
    """Whether Temporal says that a run has ended, or ends while it is asked."""
    not_found = error.status is RPCStatusCode.NOT_FOUND
    return not_found and any(said in error.message for said in _ENDED)


def failed(cause: BaseException | None, run_id: str) -> InterlockError:
    """Return the error of the tree that a run or an update ended with."""
    if isinstance(cause, ApplicationError):
        details = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
        found = from_code(cause.type or "", cause.message, {**details, "workflow_id": run_id})
        return found or OperatorError(
            f"run {run_id!r} failed: {cause.type or 'ApplicationError'}: {cause.message}",
            workflow_id=run_id,
        )
    if isinstance(cause, CancelledError):
        return RunCancelled(f"run {run_id!r} was cancelled.", workflow_id=run_id)
    if isinstance(cause, TerminatedError):
        return RunCancelled(f"run {run_id!r} was terminated: {cause.message}.", workflow_id=run_id)
    what = cause.message if isinstance(cause, FailureError) else cause
    return OperatorError(f"run {run_id!r} failed: {what}", workflow_id=run_id)


def _of_rpc(error: RPCError, run_id: str) -> InterlockError:
    if error.status is RPCStatusCode.NOT_FOUND:
        return _of_not_found(error, run_id)
    if error.status is RPCStatusCode.UNAVAILABLE:
        return TemporalUnreachable(
            f"the Temporal server does not answer any more: {error.message}. Is `interlock up` "
            "still running? `interlock doctor` checks it."
        )
    if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
        return _no_worker(run_id)
    if error.status is RPCStatusCode.FAILED_PRECONDITION and "poller" in error.message:
        return _no_worker(run_id)
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return _of_invalid(error)
    return OperatorError(f"Temporal answers {error.status.name}: {error.message}.")


def _of_not_found(error: RPCError, run_id: str) -> InterlockError:
    if has_ended(error):
        return RunFinished(
            f"run {run_id!r} has ended and takes nothing more. How it ended: "
            f"`interlock show {run_id}`.",
            workflow_id=run_id,
        )
    if not run_id:
        return ConfigError(f"Temporal knows no such thing: {error.message}.")
    return RunNotFound(
        f"there is no run {run_id!r}. List the runs there are with `interlock list`.",
        workflow_id=run_id,
    )


def _of_invalid(error: RPCError) -> InterlockError:
    if "search attribute" in error.message.lower():
        return NoWorker(
            f"this server does not know Interlock's search attributes yet ({error.message}): no "
            "worker has been here. Start one with `interlock worker`."
        )
    return BadInput(f"Temporal refuses this: {error.message}.")


def _no_worker(run_id: str) -> NoWorker:
    which = f" for run {run_id!r}" if run_id else ""
    return NoWorker(
        f"no worker answers{which}. Start one with `interlock worker` (or `interlock up`), and check "
        "with `interlock doctor`.",
        workflow_id=run_id,
    )
