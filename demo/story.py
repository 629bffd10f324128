"""What the demo tells: one case from message to reply, and a worker that dies while it waits."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from demo.processes import Worker
from interlock.cli import requests
from interlock.cli.follow import Follower, Outcome
from interlock.cli.output import Output
from interlock.replay.steps import Decided, Step
from interlock.runs.client import Runs

MESSAGE = "My order A-1042 arrived broken, I want my money back."
ORDER = "A-1042"


class Ending(BaseModel):
    """What the demo prints at its end."""

    model_config = ConfigDict(frozen=True)

    status: str
    workflow_id: str
    approvals: int
    refunds: int
    """Refunds that the payment service made for the order in this run of the demo."""
    worker_kills: int
    model: str
    reply: str
    reply_source: str


@dataclass
class CaseFollower(Follower):
    """Follows the case; at the first request it kills the worker and starts another."""

    worker: Worker | None = None
    unattended: bool = False
    kills: int = 0
    approvals: int = 0
    _told: asyncio.Task[None] | None = None

    def _show(self, step: Step) -> None:
        super()._show(step)
        if self._told is None and getattr(step, "node", "") == "recall":
            self._told = asyncio.create_task(self._tell_intent())
        if isinstance(step, Decided) and step.accepted and step.verb in ("approve", "edit"):
            self.approvals += 1

    async def _tell_intent(self) -> None:
        state = await self.runs.query(self.workflow_id, "state")
        self.out.say(
            f"           understood: {state['intent']}, order {state['order_id'] or 'not named'}"
        )

    async def _ask(self, request_id: str) -> None:
        if self.worker is not None and not self.kills:
            await self._survive(self.worker)
        if not self.unattended:
            await super()._ask(request_id)
        else:
            await self._approve(request_id)

    async def _survive(self, worker: Worker) -> None:
        self.kills += 1
        self.out.say("", f"The run waits for a person. Now we kill its worker (pid {worker.pid}).")
        await worker.kill()
        self.out.say("Killed with SIGKILL. Nobody runs the case; Temporal keeps it. Starting a new")
        await worker.start()
        self.out.say(f"worker: pid {worker.pid} polls, and the request is still there.", "")

    async def _approve(self, request_id: str) -> None:
        for request in await self.runs.pending(self.workflow_id):
            if request.id == request_id:
                self.out.say(f"Approving {request.tool} {request.arguments} (--yes).")
                await requests.put(
                    self.runs, self.workflow_id, request.id, request.digest, "approve"
                )


async def refunds_of_order(payments: str) -> int:
    """Ask the payment service how many refunds it has made for the order."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{payments}/refunds", params={"order_id": ORDER})
        answer.raise_for_status()
        return len(answer.json()["refunds"])


async def tell(
    out: Output, runs: Runs, worker: Worker, payments: str, *, unattended: bool
) -> tuple[Ending, Outcome]:
    """Start the case, follow it to its end and count what happened.

    Args:
        out: Where to tell it.
        runs: The deployment's runs.
        worker: The worker to kill.
        payments: Address of the payment service.
        unattended: Approve without asking a person.
    """
    before = await refunds_of_order(payments)
    workflow_id = f"case-{uuid.uuid4().hex[:8]}"
    out.say("", f"Customer: {MESSAGE}", f"Run: {workflow_id}", "")
    await runs.client.start_workflow(
        "SupportCase", {"message": MESSAGE}, id=workflow_id, task_queue=runs.queue
    )
    follower = CaseFollower(runs, out, workflow_id, worker=worker, unattended=unattended)
    outcome = await follower.follow()
    return await _ending(follower, outcome, before, payments), outcome


async def _ending(follower: CaseFollower, outcome: Outcome, before: int, payments: str) -> Ending:
    result: dict[str, Any] = outcome.result if isinstance(outcome.result, dict) else {}
    models = result.get("usage", {}).get("models", {})
    return Ending(
        status=outcome.status,
        workflow_id=outcome.workflow_id,
        approvals=follower.approvals,
        refunds=await refunds_of_order(payments) - before,
        worker_kills=follower.kills,
        model=", ".join(models),
        reply=outcome.reply,
        reply_source=result.get("reply_source", ""),
    )
