"""The JSON API: runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from interlock.inbox.api import PREFIX, Cursor, Described, Limit, Name
from interlock.inbox.identity import Caller
from interlock.inbox.masking import masked
from interlock.inbox.people import let_review, standings
from interlock.inbox.problems import documented
from interlock.inbox.revealing import note_run
from interlock.inbox.runs import FollowedRuns, StepPage, page_of
from interlock.inbox.services import Here
from interlock.runs.contract import RunPage, RunSummary
from interlock.runs.filters import Status
from interlock.workflows.contract import RunStatus

router = APIRouter(prefix=PREFIX, tags=["runs"], responses=documented(), dependencies=[Described])

RunId = Annotated[str, Path(min_length=1, max_length=1000, description="The run's workflow id.")]


Steps = Annotated[int, Query(ge=1, le=1000)]
Start = Annotated[int, Query(ge=0, le=10**9)]


class MaskedJSON(JSONResponse):
    """JSON in which what is personal is masked."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return super().render(masked(content))


class Graph(BaseModel):
    """The graph of a run."""

    mermaid: str
    """Mermaid text; the current node has the class `current`."""


@router.get("/runs")
async def list_runs(
    inbox: Here,
    person: Caller,
    status: Status | None = None,
    agent: Name = "",
    tenant: Name = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> RunPage:
    """List runs, newest first."""
    return await FollowedRuns(inbox.runs).page(
        person, status=status, agent=agent, tenant=tenant, limit=limit, cursor=cursor
    )


# A workflow id may have slashes, so what ends in a word of ours comes first.
@router.get("/runs/{workflow_id:path}/steps", responses=documented(404), response_class=MaskedJSON)
async def read_steps(
    inbox: Here,
    person: Caller,
    workflow_id: RunId,
    limit: Steps = 200,
    start: Start = 0,
) -> StepPage:
    """Return what a run did, step by step. What is personal is masked."""
    steps = await FollowedRuns(inbox.runs).steps(person, workflow_id)
    return page_of(steps, start, limit)


@router.post("/runs/{workflow_id:path}/reveal", responses=documented(404))
async def reveal_run(
    inbox: Here, person: Caller, workflow_id: RunId, limit: Steps = 200, start: Start = 0
) -> StepPage:
    """Return what a run did with what is personal. It is recorded who saw it."""
    let_review(standings(person)[0])
    followed = FollowedRuns(inbox.runs)
    await note_run(inbox.audit, person, await followed.one(person, workflow_id))
    return page_of(await followed.steps(person, workflow_id), start, limit)


@router.get("/runs/{workflow_id:path}/status", responses=documented(404), response_class=MaskedJSON)
async def read_status(inbox: Here, person: Caller, workflow_id: RunId) -> RunStatus:
    """Ask a run what it is doing, and who can move it."""
    found = await FollowedRuns(inbox.runs).ask(person, workflow_id, "status")
    return RunStatus.model_validate(found)


@router.get("/runs/{workflow_id:path}/state", responses=documented(404), response_class=MaskedJSON)
async def read_state(inbox: Here, person: Caller, workflow_id: RunId) -> dict[str, Any]:
    """Ask a run for the state of its graph, without its messages. What is personal is masked."""
    found: dict[str, Any] = await FollowedRuns(inbox.runs).ask(person, workflow_id, "state")
    return found


@router.get("/runs/{workflow_id:path}/graph", responses=documented(404))
async def read_graph(inbox: Here, person: Caller, workflow_id: RunId) -> Graph:
    """Ask a run for its graph."""
    return Graph(mermaid=str(await FollowedRuns(inbox.runs).ask(person, workflow_id, "graph")))


@router.get("/runs/{workflow_id:path}", responses=documented(404))
async def read_run(inbox: Here, person: Caller, workflow_id: RunId) -> RunSummary:
    """Return a run as Temporal knows it; no worker is asked."""
    return await FollowedRuns(inbox.runs).one(person, workflow_id)
