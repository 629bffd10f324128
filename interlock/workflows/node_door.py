"""The door of activity nodes inside a workflow: one recorded activity."""

from __future__ import annotations

from interlock.errors import ActivityFailed, GraphFailed, InterlockError
from interlock.workflows import calls
from interlock.workflows.contract import NodeCall, NodeTerms
from interlock.workflows.run import Run


class NodeDoor:
    """`NodePort` for graph code that runs in a workflow."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def call_node(self, name: str, call: NodeCall, terms: NodeTerms) -> NodeCall:
        """Run the node; see `NodePort`."""
        identity = self._run.recorder.identify("node")
        return await self._run.recorder.once(
            "node", identity, lambda: self._call(name, call, terms), keep_errors=True
        )

    async def _call(self, name: str, call: NodeCall, terms: NodeTerms) -> NodeCall:
        try:
            return await calls.call_node(name, call, terms, tenant=self._run.request.tenant)
        except ActivityFailed as error:
            failed = GraphFailed(f"node {name!r}: {error.message}", cause=error.details["cause"])
            self._run.blame(failed, "node", call.value)
            raise failed from error
        except InterlockError as error:
            self._run.blame(error, "node", call.value)
            raise
