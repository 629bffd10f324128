"""Shows a run as it happens, and lets a person at the terminal decide and answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from interlock.cli import requests
from interlock.cli.hand import hand_of
from interlock.cli.output import Output
from interlock.cli.prompts import ask_line
from interlock.cli.steps import step_lines
from interlock.errors import (
    InterlockError,
    NoWorker,
    OperatorError,
    RunCancelled,
    RunFinished,
    from_code,
)
from interlock.payloads import plain
from interlock.replay.reader import StepReader
from interlock.replay.steps import (
    Asked,
    Decided,
    Ended,
    ModelCalled,
    Step,
    Totals,
    Withdrawn,
    totals,
)
from interlock.replay.telling import totals_line
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest
from interlock.workflows import search
from interlock.workflows.contract import RunResult, RunStatus


@dataclass(frozen=True)
class Outcome:
    """How following a run ended."""

    workflow_id: str
    status: str
    """completed, or idle when a conversation waits for a message that nobody here can write."""
    reply: str
    result: Any
    """What the workflow returned."""
    totals: Totals
    error: InterlockError | None = None
    """Why the run did not complete."""

    @property
    def used(self) -> str:
        """What the run used, as one sentence."""
        return f"{totals_line(self.totals)}, {self.totals.seconds:.1f}s"

    def report(self) -> dict[str, Any]:
        """Return the outcome as JSON data."""
        return {
            "workflow_id": self.workflow_id,
            "status": self.status,
            "reply": self.reply,
            "result": self.result,
            "totals": self.totals.model_dump(mode="json"),
        }


@dataclass
class Follower:
    """Follows one run to its end."""

    runs: Runs
    out: Output
    workflow_id: str
    _steps: list[Step] = field(default_factory=list)
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sent: set[str] = field(default_factory=set)
    """Requests that are being decided on here: what the history says of them is our own answer."""

    async def follow(self) -> Outcome:
        """Show the run until it ends, or until a conversation waits and nobody can be asked.

        Raises:
            RunNotFound: there is no such run.
        """
        reader, run_id = StepReader(), ""
        try:
            while True:
                ended: Ended | None = None
                async for event in self.runs.events(self.workflow_id, run_id):
                    for step in reader.feed(event):
                        self._show(step)
                        ended = step if isinstance(step, Ended) else ended
                    if _became_idle(event) and not await self._converse():
                        return self._outcome("idle", None)
                if ended is None:
                    raise OperatorError(
                        f"the history of run {self.workflow_id!r} stopped without an end. See it "
                        f"with `interlock show {self.workflow_id}`."
                    )
                if ended.status != "continued_as_new":
                    return self._ending(ended)
                run_id = ended.next_run_id
        finally:
            await self._stop_asking()

    def _show(self, step: Step) -> None:
        self._steps.append(step)
        lines = step_lines(step, self._steps[0].at)
        if isinstance(step, ModelCalled):
            lines[-1].append(f"  [so far: {totals_line(totals(self._steps))}]", style="dim")
        self.out.say(*lines)
        if isinstance(step, Asked):
            self._asking[step.request_id] = asyncio.create_task(self._ask(step.request_id))
        elif isinstance(step, Decided | Withdrawn):
            task = self._asking.get(step.request_id)
            over = isinstance(step, Withdrawn) or step.accepted
            if task is not None and over and step.request_id not in self._sent:
                task.cancel()

    async def _ask(self, request_id: str) -> None:
        """Say how to decide on a request, and decide on it here if a person wants to."""
        async with self._turn:
            for item in await self._open(request_id):
                self.out.say("", *requests.request_lines(item))
                self.out.say("Decide from any terminal:")
                self.out.say(*(f"  {command}" for command in requests.how_to_decide(item)), "")
                while self.out.is_interactive and not await self._decide_here(item):
                    pass

    async def _open(self, request_id: str) -> list[OpenRequest]:
        """Return the request, if it still waits; a worker that is away is waited for."""
        while True:
            try:
                found = await self.runs.pending(self.workflow_id)
            except NoWorker as error:
                self.out.note(f"{error.message} Asking again.")
            else:
                return [
                    OpenRequest(workflow_id=self.workflow_id, request=request)
                    for request in found
                    if request.id == request_id
                ]

    async def _decide_here(self, item: OpenRequest) -> bool:
        """Ask once at the terminal; return whether there is nothing more to ask."""
        request = item.request
        self.out.say("Or decide here: " + ", ".join(request.allowed) + ", or later.")
        said = (await ask_line("decide> ")).strip()
        verbs = [verb for verb in request.allowed if said and verb.startswith(said)]
        if said in ("", "later", "l"):
            self.out.note("It waits, and this terminal follows it. Ctrl-C leaves; the run stays.")
            return True
        if len(verbs) != 1:
            self.out.say(f"{said!r} is none of them.")
            return False
        try:
            fields = await self._fields(item, verbs[0])
            self._sent.add(request.id)
            await hand_of(self.runs.settings).decide(self.runs, item, verbs[0], **fields)
        except RunFinished:
            return True
        except InterlockError as error:
            self._sent.discard(request.id)
            self.out.say(error.message)
            return False
        return True

    async def _fields(self, item: OpenRequest, verb: str) -> dict[str, Any]:
        """Ask for what a decision carries beside its verb."""
        if verb == "edit":
            pair = await ask_line("change one argument, KEY=VALUE> ")
            return {"arguments": requests.arguments_of(item.request, [pair.strip()], None)}
        if verb == "respond":
            return {"result": (await ask_line("answer> ")).strip()}
        if verb == "reject":
            return {"comment": (await ask_line("why, for the agent> ")).strip()}
        return {}

    async def _converse(self) -> bool:
        """Send the next message of a person at the terminal; False when there is none."""
        status = RunStatus.model_validate(await self.runs.query(self.workflow_id, "status"))
        if status.state != "idle":
            return True  # an idle moment of the past: somebody has spoken since
        if not self.out.is_interactive:
            return False
        self.out.say("", await self._last_words(), "")
        said = (await ask_line("you> ")).strip()
        if not said:
            return False
        await self.runs.send(self.workflow_id, said)
        return True

    async def _last_words(self) -> str:
        messages = await self.runs.query(self.workflow_id, "transcript")
        texts = [_text(item) for item in messages if item.get("type") == "ai"]
        return texts[-1] if texts else ""

    async def _stop_asking(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            # A request that could not be read again matters no more than one that was cancelled.
            with suppress(asyncio.CancelledError, InterlockError):
                await task

    def _ending(self, ended: Ended) -> Outcome:
        if ended.status == "completed":
            return self._outcome("completed", ended.result)
        return self._outcome(ended.status, ended.result, _error(ended, self.workflow_id))

    def _outcome(self, status: str, result: Any, error: InterlockError | None = None) -> Outcome:
        reply = str(result.get("reply", "")) if isinstance(result, dict) else ""
        if status == "idle":
            models = [step for step in self._steps if isinstance(step, ModelCalled) and step.answer]
            reply = models[-1].answer.text if models and models[-1].answer else ""
        return Outcome(self.workflow_id, status, reply, result, totals(self._steps), error)


def _error(ended: Ended, workflow_id: str) -> InterlockError:
    if ended.error is not None:
        details = {**ended.error.details, "workflow_id": workflow_id}
        known = from_code(ended.error.code, ended.error.message, details)
        return known or OperatorError(
            f"run {workflow_id!r} failed: {ended.error.code}: {ended.error.message}",
            workflow_id=workflow_id,
        )
    if ended.status == "cancelled":
        found = RunResult.model_validate(ended.result) if isinstance(ended.result, dict) else None
        why = f": {found.reason}" if found and found.reason else ""
        return RunCancelled(f"run {workflow_id!r} was cancelled{why}.", workflow_id=workflow_id)
    return OperatorError(
        f"run {workflow_id!r} ended as {ended.status.replace('_', ' ')}.", workflow_id=workflow_id
    )


def _became_idle(event: HistoryEvent) -> bool:
    fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    said = fields.indexed_fields.get(search.STATUS.name)
    return said is not None and plain(said) == "idle"


def _text(message: dict[str, Any]) -> str:
    content = message.get("data", {}).get("content", "")
    return content if isinstance(content, str) else ""
