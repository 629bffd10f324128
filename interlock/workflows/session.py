"""The life of a run inside its workflow: open, turns, messages, decisions, cancellation, end.

Handlers only append to state here; the graph runs in one task of its own and never in a handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

from langchain_core.messages import AIMessage, BaseMessage, messages_to_dict
from temporalio import workflow
from temporalio.exceptions import FailureError

from interlock.approvals.contract import DecisionAnswer
from interlock.approvals.desk import read_decision
from interlock.audit.contract import AuditBatch
from interlock.errors import (
    DecisionRefused,
    InterlockError,
    LimitReached,
    NotAConversation,
    RunFinished,
)
from interlock.models.messages import from_json, to_json
from interlock.workflows import calls, determinism, search
from interlock.workflows.contract import (
    MessageAnswer,
    OpenRun,
    PendingApprovals,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
    Usage,
)
from interlock.workflows.host import Host, Turn
from interlock.workflows.inputs import read_message
from interlock.workflows.run import Run
from interlock.workflows.runtime import HostedAgent, current_runtime

_RECORDED_REFUSALS = 50
"""Refusals that one run writes to the audit store. The next one says so; later ones are only
counted, so that strays cannot fill the store."""

Continued = Callable[[RunRequest], list[Any]]
"""Turns the carried request into the arguments of the workflow that continues as new."""


class Session:
    """One run inside its workflow."""

    def __init__(self, continued: Continued) -> None:
        determinism.install()
        self._continued = continued
        self._run: Run | None = None
        self._host: Host | None = None
        self._graph_task: asyncio.Task[RunResult] | None = None
        self._state: RunState = "running"
        self._closing = False
        self._cancelled: str | None = None
        self._early: list[dict[str, Any]] = []

    async def run(self, request: RunRequest) -> RunResult:
        """Run the agent to its end.

        Raises:
            InterlockError: the run failed.
            ContinueAsNewError: its history is long.
        """
        determinism.enter_workflow()
        runtime = current_runtime()
        agent = runtime.agent(request.agent)
        start = None if request.carried else agent.read_input(request.input)
        run = self._run = await self._open(request)
        run.messages.extend(self._early)
        self._host = Host(run, runtime, self._history_is_long)
        writer = asyncio.create_task(self._write_audit(run))
        self._graph_task = asyncio.create_task(self._turns(run, agent, start))
        try:
            if self._cancelled is not None:
                self._graph_task.cancel()
            return await self._graph_task
        except asyncio.CancelledError:
            return self._end_cancelled(run)
        except (InterlockError, FailureError) as error:
            if self._cancelled is not None or workflow.cancellation_reason() is not None:
                return self._end_cancelled(run)  # whatever the stopped call made of it
            self._end(run, "failed", **_explained(error))
            raise
        finally:
            self._closing = True
            await workflow.wait_condition(workflow.all_handlers_finished)
            await writer

    async def _open(self, request: RunRequest) -> Run:
        info = workflow.info()
        lineage = f"{info.namespace}/{info.workflow_id}/{info.first_execution_run_id}"
        opening = OpenRun(
            agent=request.agent, tenant=request.tenant, subject=request.subject, lineage=lineage
        )
        carried = request.carried
        terms = carried.terms if carried else await calls.open_run(opening, summary="open the run")
        run = Run(
            request,
            terms,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            lineage=lineage,
            opened_at=workflow.now(),
        )
        workflow.upsert_search_attributes(
            [
                search.AGENT.value_set(request.agent),
                search.TENANT.value_set(request.tenant),
                search.RELEASE.value_set(terms.release),
                search.STATUS.value_set("running"),
            ]
        )
        run.note("run", request.agent, "continued" if carried else "started", workflow.now())
        return run

    async def _turns(self, run: Run, agent: HostedAgent, start: dict[str, Any] | None) -> RunResult:
        host = self._hosted()
        carried = run.request.carried
        turn: Turn | None = None
        if carried is None or carried.turn_open:
            turn = await host.turn(start)
            await self._continue_if_stopped(run, turn)
        while run.request.conversation and await self._next_message(run):
            messages = [from_json(message) for message in run.messages]
            run.messages.clear()
            self._set_state("running")
            turn = await host.turn({"messages": messages})
            await self._continue_if_stopped(run, turn)
        values = turn.values if turn else host.state().values
        result = RunResult(
            status="completed",
            reply=_reply(values),
            output=agent.write_output(values),
            usage=run.usage,
        )
        self._end(run, "completed")
        return result

    async def _continue_if_stopped(self, run: Run, turn: Turn) -> None:
        if not turn.finished:
            await self._continue_as_new(run, turn_open=True)
        elif run.request.conversation and self._history_is_long():
            await self._continue_as_new(run, turn_open=False)

    async def _continue_as_new(self, run: Run, *, turn_open: bool) -> NoReturn:
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not run.outbox)
        carried = run.carry(self._hosted().snapshot(), turn_open=turn_open)
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
                return False
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
        self._set_state(state)
        run.note("run", run.request.agent, state, workflow.now(), **details)

    def _end_cancelled(self, run: Run) -> RunResult:
        reason = self._cancelled if self._cancelled is not None else "cancelled through Temporal"
        self._end(run, "cancelled", reason=reason)
        if self._cancelled is None:
            raise asyncio.CancelledError
        return RunResult(status="cancelled", reason=reason, usage=run.usage)

    def _hosted(self) -> Host:
        if self._host is None:
            raise RunFinished("the run has not started yet. Try again in a moment.")
        return self._host

    # What handlers call.

    def take_decision(self, data: Any) -> DecisionAnswer:
        """Accept a decision, or refuse it and note why.

        However many were refused before, one that is right counts: strays shut nobody out.
        """
        run = self._run
        try:
            decision = read_decision(data)
        except DecisionRefused as error:
            return self._refuse("", "MALFORMED", error.message)
        if run is None:
            return self._refuse(decision.request_id, "UNKNOWN_REQUEST", "the run is only starting.")
        answer = run.desk.submit(decision, workflow.now())
        if not answer.accepted:
            return self._refuse(
                decision.request_id, answer.code, answer.message, reviewer=decision.reviewer
            )
        return answer

    def _refuse(
        self, request_id: str, code: str, message: str, /, **details: Any
    ) -> DecisionAnswer:
        self._note_refusal(code, request=request_id, why=message, **details)
        return DecisionAnswer(accepted=False, request_id=request_id, code=code, message=message)

    def _note_refusal(self, code: str, /, **details: Any) -> None:
        run = self._run
        if run is None or self._closing:
            return
        run.refusals += 1
        if run.refusals <= _RECORDED_REFUSALS:
            run.note("refusal", code, "refused", workflow.now(), **details)
        elif run.refusals == _RECORDED_REFUSALS + 1:
            why = f"{_RECORDED_REFUSALS} refusals are recorded; from here on they are only counted."
            run.note("refusal", "TOO_MANY", "refused", workflow.now(), why=why)

    def check_message(self, message: Any) -> None:
        """Say whether a message may be sent now.

        Raises:
            CallerError: the run is no conversation, or the message is malformed.
        """
        if self._run is not None and not self._run.request.conversation:
            raise NotAConversation(
                "this run takes no messages: it was not started with 'conversation': true. Start a "
                "new run, or decide on what it waits for."
            )
        read_message(message)

    def take_message(self, message: Any) -> MessageAnswer:
        """Put a message into the queue of the next turn, or refuse it and note why."""
        run = self._run
        try:
            self.check_message(message)
            if run is not None:
                _check_room(run)
        except InterlockError as error:
            self._note_refusal(error.code, why=error.message)
            return MessageAnswer(accepted=False, code=error.code, message=error.message)
        unread = self._early if run is None else run.messages
        unread.append(to_json(read_message(message)))
        return MessageAnswer(accepted=True)

    def cancel(self, reason: str) -> None:
        """Stop the graph's task; the run then ends as cancelled."""
        self._cancelled = reason or "no reason given"
        if self._graph_task is not None:
            self._graph_task.cancel()

    # What queries read.

    def status(self) -> RunStatus:
        """Return what the run is doing."""
        run = self._run
        if run is None or self._host is None:
            return RunStatus(
                state="running",
                agent="",
                release="",
                nodes=(),
                steps=0,
                pending=0,
                unread=0,
                explanation="The run is starting.",
            )
        pending = run.desk.pending
        ended = self._state in ("completed", "failed", "cancelled")
        state: RunState = "waiting" if pending and not ended else self._state
        nodes = () if ended else tuple(self._host.state().next)
        return RunStatus(
            state=state,
            agent=run.request.agent,
            release=run.terms.release,
            nodes=nodes,
            steps=run.steps,
            pending=len(pending),
            unread=len(run.messages),
            explanation=_explain(state, nodes, len(pending)),
        )

    def pending(self) -> PendingApprovals:
        """Return the requests that wait."""
        return PendingApprovals(requests=self._run.desk.pending if self._run else ())

    def transcript(self) -> list[dict[str, Any]]:
        """Return the messages of the graph's state."""
        values = self._host.state().values if self._host else {}
        found = _messages(values)
        return list(messages_to_dict(found))

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


def _check_room(run: Run) -> None:
    if len(run.messages) >= run.terms.signals:
        raise LimitReached(
            f"{len(run.messages)} messages wait for the agent, and it takes no more before it has "
            "read them. Send this one later, or raise limits.signals."
        )


def _explained(error: InterlockError | FailureError) -> dict[str, Any]:
    if isinstance(error, InterlockError):
        return {**error.details, "code": error.code, "message": error.message}
    return {"code": type(error).__name__, "message": error.message}


def _messages(values: Any) -> list[BaseMessage]:
    found = (
        values.get("messages") if isinstance(values, dict) else getattr(values, "messages", None)
    )
    return [message for message in found or [] if isinstance(message, BaseMessage)]


def _reply(values: Any) -> str:
    last = next((m for m in reversed(_messages(values)) if isinstance(m, AIMessage)), None)
    return str(last.text) if last else ""


def _explain(state: RunState, nodes: tuple[str, ...], pending: int) -> str:
    where = f" at {', '.join(nodes)}" if nodes else ""
    return {
        "running": f"The agent works{where}.",
        "waiting": f"{pending} request(s) wait for a person{where}. See `pending_approvals`.",
        "idle": "The conversation waits for the next message: `send_message`.",
        "completed": "The run is over.",
        "failed": "The run failed; its failure says why.",
        "cancelled": "The run was cancelled.",
    }[state]
