"""Runs as one person sees them: a list, and of one its status, steps, state and graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from interlock.approvals.people import EVERY_TENANT, Person
from interlock.errors import RunNotFound
from interlock.inbox.people import let_follow
from interlock.replay.steps import Step, Totals, totals
from interlock.runs.client import Runs
from interlock.runs.contract import RunPage, RunSummary
from interlock.runs.filters import RunFilter, Status
from interlock.runs.histories import read_run

Query = Literal["status", "state", "graph"]


class StepPage(BaseModel):
    """Some steps of a run, in order."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...]
    totals: Totals
    """Of all steps so far."""
    next: int | None
    """Number of the first step after these; None on the last page."""


class FollowedRuns:
    """The runs of a deployment for people with roles and tenants."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def page(
        self,
        person: Person,
        *,
        status: Status | None = None,
        agent: str = "",
        tenant: str = "",
        limit: int,
        cursor: str = "",
    ) -> RunPage:
        """Return one page of the runs that a person sees, newest first.

        Raises:
            NotAllowed: the person has no role for it.
            BadInput: a filter or the cursor is malformed.
        """
        let_follow(person)
        every = EVERY_TENANT in person.tenants
        if not every and (not person.tenants or (tenant and not person.may_see(tenant))):
            return RunPage(runs=(), next="")
        seen = () if every else person.tenants
        where = RunFilter(status=status, agent=agent, tenant=tenant, tenants=seen)
        return await self._runs.page(where, limit, cursor)

    async def one(self, person: Person, workflow_id: str) -> RunSummary:
        """Return what is known of a run without asking it.

        Raises:
            NotAllowed: the person has no role for it.
            RunNotFound: there is no such run in the person's tenants.
        """
        let_follow(person)
        found = await self._runs.summary(workflow_id)
        # What is no run of an agent, or not open yet, has no tenant.
        if not found.tenant or not person.may_see(found.tenant):
            raise RunNotFound(
                f"there is no run {workflow_id!r}. List the runs there are with `interlock list`.",
                workflow_id=workflow_id,
            )
        return found

    async def steps(self, person: Person, workflow_id: str) -> Sequence[Step]:
        """Return all that a run did.

        Raises:
            NotAllowed: the person has no role for it.
            RunNotFound: there is no such run in the person's tenants.
        """
        await self.one(person, workflow_id)
        found, _ = await read_run(self._runs, workflow_id)
        return found

    async def ask(self, person: Person, workflow_id: str, query: Query) -> Any:
        """Return what a run answers.

        Raises:
            NotAllowed: the person has no role for it.
            RunNotFound: there is no such run in the person's tenants.
            NoWorker: no worker answers.
        """
        await self.one(person, workflow_id)
        return await self._runs.query(workflow_id, query)


def page_of(steps: Sequence[Step], start: int, limit: int) -> StepPage:
    """Return some of the steps of a run."""
    end = start + limit
    return StepPage(
        steps=tuple(steps[start:end]),
        totals=totals(steps),
        next=end if end < len(steps) else None,
    )
