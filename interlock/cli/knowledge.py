"""The command `ingest`: brings knowledge and seeds into long-term memory."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

if TYPE_CHECKING:
    from interlock.app import App
    from interlock.memory.contract import KnowledgeReport
    from interlock.runs.client import Runs
    from interlock.settings import Settings

_WORKFLOW = "KnowledgeRefresh"
_SCHEDULE = "knowledge-refresh"
_EVERY = re.compile(r"(\d+)(min|h|d)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}

app = typer.Typer()


@app.command(rich_help_panel="Deployment")
def ingest(
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", metavar="EVERY", help="Repeat: 30min, 6h or 1d; 'off' ends that."
        ),
    ] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Whose knowledge it is.")] = "default",
    as_json: Json = False,
) -> None:
    """Bring the folders of 'knowledge' and the items of 'seeds' into memory.

    Only what changed is written. A running worker does it in a durable workflow; without one it is
    done here.

    Example: interlock ingest --schedule 6h
    """
    out = Output(as_json)
    if schedule:
        asyncio.run(_schedule(out, schedule, tenant))
    else:
        asyncio.run(_ingest(out, tenant))


async def fill_if_empty(out: Output, app: App) -> None:
    """Bring knowledge and seeds into a memory that holds nothing yet.

    Raises:
        ConfigError: a folder or a document is wrong.
    """
    from interlock.context import CallContext
    from interlock.memory.contract import Search

    settings = app.settings
    if not settings.knowledge and not settings.seeds:
        return
    anything = Search(namespace_prefix=(), limit=1)
    found = await app.memory.run_ops_for([anything], CallContext(agent="knowledge"))
    if not found.answers[0]:
        await fill(out, app, "default")


async def fill(out: Output, app: App, tenant: str) -> tuple[KnowledgeReport, int]:
    """Bring knowledge and seeds into the memory of an open application, in this process.

    Returns:
        What was done with the documents, and the number of seeds.
    """
    from interlock.context import CallContext
    from interlock.memory.contract import KnowledgeReport
    from interlock.memory.knowledge import sync_knowledge

    context = CallContext(agent="knowledge", tenant=tenant)
    report = KnowledgeReport()
    for name, folder in app.knowledge_folders().items():
        with out.working(f"ingesting {name}"):
            report = report.plus(await sync_knowledge(app.memory, folder, context, name=name))
    with out.working("ingesting seeds"):
        seeds = await app.seed(tenant)
    return report, seeds


async def _ingest(out: Output, tenant: str) -> None:
    from interlock.errors import TemporalUnreachable
    from interlock.runs.client import Runs
    from interlock.settings import load_settings

    settings = load_settings()
    try:
        runs: Runs | None = await Runs.connect()
    except TemporalUnreachable:
        runs = None
    if runs is not None and _hosts_refresh(settings) and await runs.has_worker():
        where, report, seeds = "worker", *await _by_worker(out, runs, tenant)
    else:
        where, report, seeds = "here", *await _here(out, settings, tenant)
    out.answer(
        {"by": where, "documents": report, "seeds": seeds},
        f"{report.added} added, {report.changed} changed, {report.removed} removed, "
        f"{report.unchanged} unchanged documents ({report.chunks} parts written), {seeds} seeds.",
    )


async def _here(out: Output, settings: Settings, tenant: str) -> tuple[KnowledgeReport, int]:
    with out.working("opening the deployment"):
        from interlock.app import App

        app = App(settings)
    async with app:
        return await fill(out, app, tenant)


def _hosts_refresh(settings: Settings) -> bool:
    return any(reference.endswith(f":{_WORKFLOW}") for reference in settings.workflows)


def _input(settings: Settings, tenant: str) -> dict[str, Any]:
    return {"folders": list(settings.knowledge), "tenant": tenant}


async def _by_worker(out: Output, runs: Runs, tenant: str) -> tuple[KnowledgeReport, int]:
    """Let the worker that owns the memory do it, and wait."""
    import uuid

    from interlock.memory.contract import KnowledgeReport
    from interlock.runs.meaning import explained

    made = f"{_SCHEDULE}-{uuid.uuid4().hex[:8]}"
    with out.working(f"the worker ingests, as workflow {made}"), explained(made):
        done = await runs.client.execute_workflow(
            _WORKFLOW, _input(runs.settings, tenant), id=made, task_queue=runs.queue
        )
        seeds = await runs.client.execute_activity(
            "knowledge.seed",
            tenant,
            id=f"{made}-seed",
            task_queue=runs.queue,
            result_type=int,
            schedule_to_close_timeout=timedelta(minutes=10),
        )
    return KnowledgeReport.model_validate(done), seeds


async def _schedule(out: Output, every: str, tenant: str) -> None:
    from temporalio.service import RPCError, RPCStatusCode

    from interlock.errors import ConfigError
    from interlock.runs.client import Runs
    from interlock.runs.meaning import explained

    interval = None if every == "off" else _interval(every)
    runs = await Runs.connect()
    if not _hosts_refresh(runs.settings):
        raise ConfigError(
            f"this deployment has no workflow {_WORKFLOW!r} to schedule. Add it to 'workflows' in "
            "interlock.toml."
        )
    handle = runs.client.get_schedule_handle(_SCHEDULE)
    try:
        await handle.delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            with explained():
                raise
    if interval is not None:
        with explained():
            await runs.client.create_schedule(_SCHEDULE, _plan(runs, interval, tenant))
    out.answer(
        {"schedule": _SCHEDULE, "every": every},
        f"schedule {_SCHEDULE!r}: {every}. Temporal's web UI shows it under Schedules.",
    )


def _plan(runs: Runs, interval: timedelta, tenant: str) -> Any:
    from temporalio.client import (
        Schedule,
        ScheduleActionStartWorkflow,
        ScheduleIntervalSpec,
        ScheduleOverlapPolicy,
        SchedulePolicy,
        ScheduleSpec,
    )

    return Schedule(
        action=ScheduleActionStartWorkflow(
            _WORKFLOW, _input(runs.settings, tenant), id=_SCHEDULE, task_queue=runs.queue
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )


def _interval(every: str) -> timedelta:
    from interlock.errors import BadInput

    found = _EVERY.fullmatch(every)
    if found is None or int(found[1]) == 0:
        raise BadInput(f"--schedule {every!r} is no interval. Write 30min, 6h, 1d or off.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
