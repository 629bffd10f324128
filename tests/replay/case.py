"""A workflow of a deployment's own that hosts an agent, for replays of something else than a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from interlock.workflows.agent import HostsAgent
    from interlock.workflows.contract import RunRequest, RunResult


@activity.defn
async def notify(who: str) -> str:
    """Tell somebody."""
    return f"told {who}"


@workflow.defn
class TalkCase(HostsAgent):
    """Lets the talker answer between two activities."""

    @workflow.run
    async def run(self, message: str, who: str) -> dict[str, Any]:
        """Run the case."""
        if workflow.patched("tell first"):
            await self._tell(who)
        result: RunResult = await self.host(RunRequest(agent="talker", input=message))
        await workflow.sleep(timedelta(milliseconds=1), summary="a breath")
        return {"reply": result.reply, "told": await self._tell(who)}

    async def _tell(self, who: str) -> str:
        told: str = await workflow.execute_activity(
            notify, who, start_to_close_timeout=timedelta(seconds=5), summary=f"tell {who}"
        )
        return told


@workflow.defn(name="TalkCase", sandboxed=False)
class LoudCase(TalkCase):
    """The same with another input of its activity."""

    @workflow.run
    async def run(self, message: str, who: str) -> dict[str, Any]:
        """Run the case."""
        return await TalkCase.run(self, message, who.upper())


@workflow.defn(name="TalkCase", sandboxed=False)
class HastyCase(TalkCase):
    """The same without a breath."""

    @workflow.run
    async def run(self, message: str, who: str) -> dict[str, Any]:
        """Run the case."""
        if workflow.patched("tell first"):
            await self._tell(who)
        result: RunResult = await self.host(RunRequest(agent="talker", input=message))
        return {"reply": result.reply, "told": await self._tell(who)}
