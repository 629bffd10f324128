"""The life of a run inside its workflow: open, turns, end.

The graph runs in one task of its own. What handlers bring is in the mailbox; they never run it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

from langchain_core.messages import BaseMessage
from temporalio import workflow
from temporalio.exceptions import FailureError

from interlock.approvals.labels import CALLER
from interlock.audit.contract import AuditBatch, AuditEvent
from interlock.context import CallContext
from interlock.errors import InterlockError
from interlock.models.messages import from_json
from interlock.workflows import calls, determinism, search, views
from interlock.workflows.contract import (
    OpenRun,
    PendingApprovals,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
    Usage,
)
from interlock.workflows.host import Host, Turn
from interlock.workflows.inputs import read_request
from interlock.workflows.mailbox import Mailbox
from interlock.workflows.run import Run
from interlock.workflows.runtime import HostedAgent, current_runtime

Continued = Callable[[RunRequest], list[Any]]
"""Turns the carried request into the arguments of the workflow that continues as new."""


class Session:
    """One run inside its workflow."""

    def __init__(self, continued: Continued) -> None:
        determinism.install()
        self.mailbox = Mailbox()
        self._continued = continued
        self._run: Run | None = None
        self._host: Host | None = None
        self._state: RunState = "running"
        self._closing = False

    async def run(self, data: Any) -> RunResult:
        """Run the agent to its end.

        Args:
            data: A `RunRequest`, or a caller's JSON that should be one.

        Raises:
            InterlockError: the run failed.
            ContinueAsNewError: its history is long.
        """
        determinism.enter_workflow()
        try:
            request = read_request(data, goes_on=_goes_on())
            runtime = current_runtime()
            agent = runtime.agent(request.agent)
            start = None if request.carried else agent.read_input(request.input)
        except InterlockError as error:
            await self._turn_away(data, error)
            raise
        run = self._run = await self._open(request)
        _keep_input(run, start or {})
        host = self._host = Host(run, runtime, self._history_is_long)
        await self.mailbox.open(run)
        writer = asyncio.create_task(self._write_audit(run))
        turns = asyncio.create_task(self._turns(run, host, agent, start))
        self.mailbox.on_cancel(lambda: self._stop(run, turns))
        try:
            return await turns
        except asyncio.CancelledError:
            return self._end_cancelled(run)
        except (InterlockError, FailureError) as error:
            if run.is_cancelled:
                return self._end_cancelled(run)  # whatever the stopped call made of it
            self._end(run, "failed", **_explained(error))
            raise
        finally:
            self._closing = True
            self.mailbox.close()
            await workflow.wait_condition(workflow.all_handlers_finished)
            await writer

    async def _turn_away(self, data: Any, error: InterlockError) -> None:
        """Record a run that cannot even be opened, and answer whoever has sent it something."""
        self.mailbox.close()
        self._state = "failed"
        info, given = workflow.info(), data if isinstance(data, dict) else {}
        event = AuditEvent(
            id=f"{info.run_id}/run/turned away",
            kind="run",
            name=info.workflow_type,
            outcome="failed",
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            context=CallContext(agent=str(given.get("agent", "")), lineage=_lineage()),
            started_at=workflow.now(),
            ended_at=workflow.now(),
            details=_explained(error),
        )
        await calls.record(AuditBatch(events=(event,)), summary="audit")
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _open(self, request: RunRequest) -> Run:
        info, lineage, opened_at = workflow.info(), _lineage(), workflow.now()
        opening = OpenRun(
            agent=request.agent,
            tenant=request.tenant,
            subject=request.subject,
            lineage=lineage,
            opened_at=opened_at,
        )
        carried = request.carried
        terms = carried.terms if carried else await calls.open_run(opening, summary="open the run")
        run = Run(
            request,
            terms,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            lineage=lineage,
            opened_at=opened_at,
        )
        workflow.upsert_search_attributes(
            [
                search.AGENT.value_set(request.agent),
                search.TENANT.value_set(request.tenant),
                search.RELEASE.value_set(terms.release),
                search.STATUS.value_set("running"),
            ]
        )
        if carried:  # the activity that opens a run has recorded it
            run.note("run", request.agent, "continued", workflow.now())
        return run

    async def _turns(
        self, run: Run, host: Host, agent: HostedAgent, start: dict[str, Any] | None
    ) -> RunResult:
        carried = run.request.carried
        turn: Turn | None = None
        if carried is None or carried.turn_open:
            turn = await host.turn(start)
            await self._continue_if_stopped(run, host, turn)
        while run.request.conversation and await self._next_message(run):
            messages = [from_json(message) for message in run.messages]
            run.messages.clear()
            _keep_input(run, {"messages": messages})
            self._set_state("running")
            turn = await host.turn({"messages": messages})
            await self._continue_if_stopped(run, host, turn)
        run.refuse_when_cancelled()  # a graph may have swallowed its cancellation
        values = turn.values if turn else host.state().values
        result = RunResult(
            status="completed",
            reply=views.reply(values),
            output=agent.write_output(values),
            usage=run.usage,
        )
        self._end(run, "completed")
        return result

    async def _continue_if_stopped(self, run: Run, host: Host, turn: Turn) -> None:
        if not turn.finished:
            await self._continue_as_new(run, host, turn_open=True)
        elif run.request.conversation and self._history_is_long():
            await self._continue_as_new(run, host, turn_open=False)

    async def _continue_as_new(self, run: Run, host: Host, *, turn_open: bool) -> NoReturn:
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not run.outbox)
        carried = run.carry(host.snapshot(), turn_open=turn_open, now=workflow.now())
        request = run.request.model_copy(update={"input": "", "carried": carried})
        workflow.continue_as_new(args=self._continued(request))

    async def _next_message(self, run: Run) -> bool:
        if not run.messages:
            self._set_state("idle")
            try:
                await workflow.wait_condition(
                    lambda: bool(run.messages),
                    timeout=timedelta(seconds=run.request.idle_seconds),
                    timeout_summary="conversation is idle",
                )
            except TimeoutError:
                return bool(run.messages)
        return True

    async def _write_audit(self, run: Run) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(run.outbox) or self._closing)
            if not run.outbox:
                return
            batch = AuditBatch(events=tuple(run.outbox))
            await calls.record(batch, summary="audit")
            del run.outbox[: len(batch.events)]

    def _history_is_long(self) -> bool:
        info, run = workflow.info(), self._run
        if run is None:
            return False
        return (
            info.is_continue_as_new_suggested()
            or info.get_current_history_length() >= run.terms.history_events
            or info.get_current_history_size() >= run.terms.history_bytes
        )

    def _set_state(self, state: RunState) -> None:
        self._state = state
        workflow.upsert_search_attributes([search.STATUS.value_set(state)])

    def _end(self, run: Run, state: RunState, /, **details: Any) -> None:
        """Close the run: from here on a message is refused, and not taken and never read."""
        self.mailbox.close()
        self._set_state(state)
        run.note_end(state, workflow.now(), **details)

    def _stop(self, run: Run, turns: asyncio.Task[RunResult]) -> None:
        run.cancelled = True
        turns.cancel()

    def _end_cancelled(self, run: Run) -> RunResult:
        asked = self.mailbox.cancelled
        reason = "cancelled through Temporal" if asked is None else asked
        self._end(run, "cancelled", reason=reason)
        if asked is None:
            raise asyncio.CancelledError
        return RunResult(status="cancelled", reason=reason, usage=run.usage)

    # What queries read.

    def status(self) -> RunStatus:
        """Return what the run is doing."""
        if self._run is None or self._host is None:
            return views.unopened(self._state)
        return views.status(self._run, self._host, self._state)

    def pending(self) -> PendingApprovals:
        """Return the requests that wait."""
        if self._run is None:
            return PendingApprovals(requests=())
        return PendingApprovals(requests=self._run.desk.pending_at(workflow.now()))

    def transcript(self) -> list[dict[str, Any]]:
        """Return the messages of the graph's state."""
        return views.transcript(self._host.state().values if self._host else {})

    def values(self) -> dict[str, Any]:
        """Return the graph's state without its messages."""
        if self._run is None or self._host is None:
            return {}
        agent = current_runtime().agent(self._run.request.agent)
        return agent.write_output(self._host.state().values)

    def picture(self) -> str:
        """Return the graph as Mermaid text."""
        return self._host.picture() if self._host else ""

    def usage(self) -> Usage:
        """Return what the run has used."""
        return self._run.usage if self._run else Usage()


def _keep_input(run: Run, given: dict[str, Any]) -> None:
    """Take note of what a caller says: each message, and all other input, is text from outside."""
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseMessage):
                run.keep_outside(CALLER, f"message {item.id}", item.content)
            else:
                run.keep_outside(CALLER, f"input.{name}", item)


def _goes_on() -> bool:
    """Whether a run has continued as this one. A cron or a retry starts with a caller's input."""
    info = workflow.info()
    return bool(info.continued_run_id) and info.attempt == 1 and not info.cron_schedule


def _lineage() -> str:
    info = workflow.info()
    return f"{info.namespace}/{info.workflow_id}/{info.first_execution_run_id}"


def _explained(error: InterlockError | FailureError) -> dict[str, Any]:
    if isinstance(error, InterlockError):
        return {**error.details, "code": error.code, "message": error.message}
    return {"code": type(error).__name__, "message": error.message}
