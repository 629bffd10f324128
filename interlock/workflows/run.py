"""The state of one run that its doors, its gate and its host share. Pure: no commands here."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow

from interlock.approvals.desk import Desk
from interlock.approvals.labels import Outside
from interlock.audit.contract import AuditEvent, EventKind
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import InterlockError, LimitReached, NotSerializable
from interlock.models.contract import ModelAnswer
from interlock.tools.contract import Span
from interlock.workflows.contract import Carried, RunRequest, RunTerms, Usage
from interlock.workflows.logical_calls import LogicalCalls
from interlock.workflows.recording import Recorder, current_node
from interlock.workflows.transcript import Transcript

_ANSWERS = 32
"""Answers to decisions that a run takes along, the newest."""


class Run:
    """What a run knows of itself. `carried` is what an earlier part of it left.

    `verifying` has the request of each signed decision that has come and is not answered yet.
    """

    def __init__(
        self,
        request: RunRequest,
        terms: RunTerms,
        *,
        workflow_id: str,
        run_id: str,
        lineage: str,
        opened_at: datetime,
    ) -> None:
        carried = request.carried
        self.request = request
        self.terms = terms
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.lineage = lineage
        self.opened_at = carried.first_opened_at if carried else opened_at
        self.desk = Desk(
            carried.decided if carried else None, require_signature=terms.require_signature
        )
        self.recorder = Recorder(self.refuse_when_cancelled)
        self.transcript = Transcript(
            carried.transcript if carried else {}, carried.binding if carried else {}
        )
        self.usage = carried.usage if carried else Usage()
        self.steps = carried.steps if carried else 0
        self.steps_before = carried.steps_before if carried else 0
        self.messages: list[dict[str, Any]] = list(carried.messages) if carried else []
        self.refusals = carried.refusals if carried else 0
        self.answers = dict(carried.answers) if carried else {}
        self.logical_calls = LogicalCalls(carried)
        self.offered = dict.fromkeys(carried.offered) if carried else {}
        self.outside = Outside(carried.outside if carried else ())
        self.outbox: list[AuditEvent] = []
        self.verifying: list[str] = []
        self.cancelled = False
        self._model_calls = carried.model_calls if carried else 0
        self._noted: dict[str, int] = {}

    @property
    def barred(self) -> tuple[str, ...]:
        """Subjects whose own requests this run's are: who started it, and whom it is about."""
        given = (self.request.requester, self.request.subject)
        return tuple(sorted({name for name in given if name}))

    @property
    def is_cancelled(self) -> bool:
        """Whether someone asked to cancel the run, by signal or through Temporal."""
        return self.cancelled or workflow.cancellation_reason() is not None

    def refuse_when_cancelled(self) -> None:
        """Let nothing begin any more once the run is cancelled, whatever the graph catches.

        Raises:
            CancelledError: the run is cancelled.
        """
        if self.is_cancelled:
            raise asyncio.CancelledError("the run was cancelled")

    def keep_outside(self, label: str, source: str, value: Any) -> None:
        """Take note of text that came from outside, where the policy judges by it."""
        if self.terms.labels:
            self.outside.keep(label, source, value)

    def spans(self, arguments: dict[str, Any]) -> tuple[Span, ...] | None:
        """Return where text from outside reached arguments; None when none is kept."""
        return self.outside.spans(arguments) if self.terms.labels else None

    def begin_turn(self) -> None:
        """Begin to count the steps of a turn, however many runs it takes."""
        self.steps_before = self.steps

    def blame(self, error: InterlockError, door: str, asked: Any, /, **more: Any) -> None:
        """Add to an error where it came from: door, node, and a digest of what was asked for."""
        found = {"door": door, "node": self.context().node, "arguments": _short_digest(asked)}
        error.details |= {**found, **more}

    def context(self) -> CallContext:
        """Return who a call is for, with the graph node that runs now."""
        return CallContext(
            agent=self.request.agent,
            tenant=self.request.tenant,
            subject=self.request.subject,
            release=self.terms.release,
            lineage=self.lineage,
            node=current_node(),
        )

    def next_model_call(self) -> str:
        """Return an id for the next model call, unique within the lineage."""
        self._model_calls += 1
        return f"m{self._model_calls}"

    def count_model(self, answer: ModelAnswer) -> None:
        """Add a model call to the usage."""
        used, usage = answer.usage, self.usage
        self.usage = usage.model_copy(
            update={
                "model_calls": usage.model_calls + 1,
                "input_tokens": usage.input_tokens + used.input_tokens,
                "output_tokens": usage.output_tokens + used.output_tokens,
                "cost_usd": usage.cost_usd + (used.cost_usd or 0.0),
                "unpriced_calls": usage.unpriced_calls + (used.cost_usd is None),
                "models": usage.models | {answer.model: usage.models.get(answer.model, 0) + 1},
            }
        )

    def count_tool(self) -> None:
        """Add a tool call to the usage; the model's mistakes in a row are over."""
        self.usage = self.usage.model_copy(
            update={"tool_calls": self.usage.tool_calls + 1, "mistakes": 0}
        )

    def count_mistake(self, what: str) -> None:
        """Count a mistake of the model.

        Raises:
            LimitReached: it is one too many in a row.
        """
        mistakes = self.usage.mistakes + 1
        self.usage = self.usage.model_copy(update={"mistakes": mistakes})
        if mistakes > self.terms.model_mistakes:
            raise LimitReached(
                f"the model made {mistakes} mistakes in a row; allowed are "
                f"{self.terms.model_mistakes}. The last: {what} Use a stronger model, or raise "
                "limits.model_mistakes."
            )

    def note(
        self, kind: EventKind, name: str, outcome: str, now: datetime, /, **details: Any
    ) -> None:
        """Put an audit event into the outbox, to be written by the run's recorder task."""
        event = AuditEvent(
            id=self._event_id(kind, [name, outcome, details]),
            kind=kind,
            name=name,
            outcome=outcome,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            context=self.context(),
            started_at=now,
            ended_at=now,
            details=details,
        )
        self.outbox.append(event)

    def note_end(self, outcome: str, now: datetime, /, **details: Any) -> None:
        """Put the run's last event into the outbox: how long it took, what it cost, what it refused."""
        self.note("run", self.request.agent, outcome, now, **details)
        refused = {"refusals": self.refusals} if self.refusals else {}
        spent = {
            "details": {**details, **refused},
            "started_at": self.opened_at,
            "cost_usd": self.usage.cost_usd,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
        }
        self.outbox[-1] = self.outbox[-1].model_copy(update=spent)

    def _event_id(self, kind: EventKind, content: list[Any]) -> str:
        """Return an id made from what the event says, and which of its equals it is.

        Not from its place among all events: a workflow task that is lost and made again may see a
        signal earlier, and an event under another one's id would never be written.
        """
        found = f"{self.run_id}/{kind}/{digest(content)[:16]}"
        self._noted[found] = self._noted.get(found, 0) + 1
        return f"{found}/{self._noted[found]}"

    def carry(self, checkpoint: dict[str, Any], *, turn_open: bool, now: datetime) -> Carried:
        """Return everything the next part of this run needs."""
        return Carried(
            terms=self.terms,
            checkpoint=checkpoint,
            usage=self.usage,
            steps=self.steps,
            steps_before=self.steps_before,
            model_calls=self._model_calls,
            transcript=self.transcript.known,
            binding=self.transcript.bindings,
            decided=self.desk.decided,
            messages=self.messages,
            refusals=self.refusals,
            answers=dict(list(self.answers.items())[-_ANSWERS:]),
            turn_open=turn_open,
            first_opened_at=self.opened_at,
            offered=tuple(self.offered),
            outside=self.outside.carry(),
            **self.logical_calls.carry(now),
        )


def _short_digest(asked: Any) -> str:
    try:
        return digest(asked)[:12]
    except NotSerializable:  # which may be the very error that is to be placed
        return ""
