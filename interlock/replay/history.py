"""Histories: read from a file or a server, and exported so that they replay without either.

A file may be Interlock's export, the output of `temporal workflow show --output json`, or what the
SDK's `WorkflowHistory.to_json` gave.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from interlock.errors import BadInput, RunNotFound
from interlock.payloads import first, is_stored, payloads_in, plain, put_back
from interlock.workflows.search import AGENT

FORMAT = "interlock-history/1"
"""Stands under `format` in an export."""

_FORMS = (
    "A history is what `interlock history WORKFLOW_ID` or `temporal workflow show --output json` "
    "prints."
)


@dataclass(frozen=True)
class History:
    """The recorded events of one run, with its stored payloads in them."""

    workflow_id: str
    run_id: str
    namespace: str
    events: tuple[HistoryEvent, ...]

    @property
    def started(self) -> WorkflowExecutionStartedEventAttributes:
        """The first event: workflow type and input."""
        return self.events[0].workflow_execution_started_event_attributes

    @property
    def workflow_type(self) -> str:
        """Name of the recorded workflow."""
        return self.started.workflow_type.name

    def to_temporal(self) -> WorkflowHistory:
        """Return the history as Temporal's `Replayer` takes it."""
        return WorkflowHistory(self.workflow_id, self.events)


def read_file(path: Path) -> History:
    """Return the history that a file holds.

    Raises:
        BadInput: the file cannot be read, or holds no history.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"history {str(path)!r} cannot be read: {error}. {_FORMS}") from error
    return parse(text, str(path))


def parse(text: str, name: str = "text") -> History:
    """Return the history that JSON text holds; `name` names the text in errors.

    Raises:
        BadInput: the text holds no whole history, or one whose payloads are stored elsewhere.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{name!r} is no JSON: {error}. {_FORMS}") from error
    if not isinstance(data, dict) or not isinstance(data.get("events"), list):
        raise BadInput(f"{name!r} has no list of 'events'. {_FORMS}")
    if data.get("format", FORMAT) != FORMAT:
        raise BadInput(
            f"{name!r} has the format {data['format']!r}; this version reads {FORMAT!r}. Export the "
            "run again."
        )
    try:
        events = tuple(WorkflowHistory.from_json("", data).events)
    except (ParseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{name!r} holds no events of Temporal: {error}. {_FORMS}") from error
    _check_whole(events, name)
    if any(is_stored(payload) for event in events for payload in payloads_in(event)):
        raise BadInput(
            f"{name!r} refers to payloads that are stored elsewhere. Export the run with "
            "`interlock history WORKFLOW_ID`, which puts them in."
        )
    known = [str(data.get(key, "")) for key in ("workflowId", "runId", "namespace")]
    return _history(events, *known)


async def fetch(client: Client, workflow_id: str, run_id: str | None = None) -> History:
    """Return the history of a run from the server, with its stored payloads.

    Args:
        client: A client whose data converter knows the payload store.
        workflow_id: The run's workflow id.
        run_id: One run of a chain that continued as new; by default the newest. See `runs`.

    Raises:
        RunNotFound: the server has no such run.
        PayloadMissing: the store lacks a payload of it.
    """
    try:
        # After a reset the events name the run that was reset; the server knows this one's own id.
        run_id = run_id or await _newest(client, workflow_id)
        found = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        raise not_found(error, workflow_id, run_id) from error
    events = tuple(found.events)
    for event in events:
        await put_back(event, client.data_converter)
    return _history(events, workflow_id, run_id, client.namespace)


async def runs(client: Client, workflow_id: str) -> list[str]:
    """Return the run ids of a chain that continued as new, oldest first.

    Raises:
        RunNotFound: the server has no such run.
    """
    chain: list[str] = []
    run_id = ""
    try:
        run_id = await _newest(client, workflow_id)
        while run_id:
            event = await _first_event(client.get_workflow_handle(workflow_id, run_id=run_id))
            chain.insert(0, run_id)
            run_id = event.workflow_execution_started_event_attributes.continued_execution_run_id
    except RPCError as error:
        if not chain:  # otherwise the older part of the chain is past its retention
            raise not_found(error, workflow_id, run_id) from error
    return chain


async def export(client: Client, workflow_id: str, run_id: str | None = None) -> str:
    """Return a run as JSON text that replays anywhere: no server and no store is needed.

    Raises:
        RunNotFound: the server has no such run.
        PayloadMissing: the store lacks a payload of it.
    """
    return dump(await fetch(client, workflow_id, run_id))


def dump(history: History) -> str:
    """Return a history as JSON text; `parse` reads it back."""
    return json.dumps(
        {
            "format": FORMAT,
            "workflowId": history.workflow_id,
            "runId": history.run_id,
            "namespace": history.namespace,
            **history.to_temporal().to_json_dict(),
        },
        ensure_ascii=False,
    )


def not_found(error: RPCError, workflow_id: str, run_id: str | None) -> RunNotFound | RPCError:
    """Return what the server's answer means for whoever asked for a run."""
    known = (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT)
    if error.status not in known:
        return error
    which = f"run {run_id!r} of workflow {workflow_id!r}" if run_id else f"run {workflow_id!r}"
    return RunNotFound(
        f"the server has no {which}: {error.message}. List the runs there are with "
        "`interlock list`. A run past the namespace's retention is gone."
    )


def agent_of(history: History) -> str:
    """Return the name of the run's agent, or '' when the run did not come as far."""
    for event in history.events:
        attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
        if AGENT.name in attributes.indexed_fields:
            return str(plain(attributes.indexed_fields[AGENT.name]))
    return ""


async def _newest(client: Client, workflow_id: str) -> str:
    return (await client.get_workflow_handle(workflow_id).describe()).run_id


async def _first_event(handle: WorkflowHandle[Any, Any]) -> HistoryEvent:
    async for event in handle.fetch_history_events(page_size=1):
        return event
    raise RunNotFound(f"run {handle.id!r} has no events.")


def _check_whole(events: tuple[HistoryEvent, ...], name: str) -> None:
    if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
        raise BadInput(f"{name!r} does not begin with the start of a run. {_FORMS}")
    numbers = [event.event_id for event in events]
    if numbers != list(range(1, len(numbers) + 1)):
        raise BadInput(f"{name!r} lacks events: their ids have to be 1, 2, 3 and so on. {_FORMS}")


def _history(
    events: tuple[HistoryEvent, ...], workflow_id: str, run_id: str, namespace: str
) -> History:
    started = events[0].workflow_execution_started_event_attributes
    return History(
        # A server of today writes the id down; older ones leave it to the file's name.
        workflow_id=workflow_id or started.workflow_id or "unnamed",
        run_id=run_id or started.original_execution_run_id,
        namespace=namespace or _namespace(events, started.first_execution_run_id) or "default",
        events=events,
    )


def _namespace(events: tuple[HistoryEvent, ...], first_run: str) -> str:
    """Return the namespace from the lineage of a recorded call: effect keys are made of it."""
    for event in events:
        call = first(event.activity_task_scheduled_event_attributes.input.payloads)
        context = call.get("context") if isinstance(call, dict) else None
        lineage = str(context.get("lineage", "")) if isinstance(context, dict) else ""
        if lineage.endswith(f"/{first_run}"):
            return lineage.partition("/")[0]
    return ""
