"""Commands for recorded runs: `replay` and `history`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.canonical import compact
from interlock.cli.options import Json, RunId
from interlock.cli.output import Output, line

if TYPE_CHECKING:
    from rich.text import Text

    from interlock.replay.comparison import Divergence
    from interlock.replay.debug import DebugReport, DoorCall, Superstep
    from interlock.replay.history import History
    from interlock.replay.replayer import ReplayReport
    from interlock.replay.steps import Problem

_PANEL = "Engineers"
_LONG = 2000
_SHORT = 200
_PLACES = ("node", "door", "tool")
"""What a failure's details say of where it happened."""

app = typer.Typer()

PartId = Annotated[
    str,
    typer.Option(
        "--run-id", help="One run of a chain that continued as new; the newest by default."
    ),
]


@app.command(rich_help_panel=_PANEL)
def replay(
    source: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="Workflow id, or a file with a history.")
    ],
    steps: Annotated[
        bool, typer.Option("--steps", help="Print every superstep: calls, answers, state.")
    ] = False,
    node: Annotated[
        str, typer.Option("--pdb", metavar="NODE", help="Stop in the debugger at this node's code.")
    ] = "",
    part: PartId = "",
    as_json: Json = False,
) -> None:
    """Replay a run against today's code: does it take the same path, and if not, where does it leave?

    Nothing is called: models, tools and people answer from the record. A file needs no server.

    The exit code is 2 when the code takes another path, or calls with other arguments.

    Example: interlock replay support-3f9a12bc --steps
    """
    from interlock.errors import BadInput

    if node and as_json:
        raise BadInput("--pdb is for a terminal; leave --json out.")
    out = Output(as_json)
    if node:
        asyncio.run(_debug(out, source, part, node))
    elif steps:
        asyncio.run(_supersteps(out, source, part))
    else:
        asyncio.run(_replay(out, source, part))


@app.command(rich_help_panel=_PANEL)
def history(workflow_id: RunId, part: PartId = "", as_json: Json = False) -> None:
    """Print a run's history as JSON that replays anywhere, with its stored payloads in it.

    The output is JSON with and without --json.

    Example: interlock history support-3f9a12bc > run.json
    """
    asyncio.run(_export(Output(as_json), workflow_id, part))


async def _read(out: Output, source: str, part: str) -> History:
    from interlock.cli.histories import file_of
    from interlock.replay import history

    file = file_of(source)
    if file is not None:
        return history.read_file(file)
    from interlock.runs.client import Runs
    from interlock.runs.meaning import explained

    with out.working("reading the history"):
        runs = await Runs.connect()
        with explained(source):
            return await history.fetch(runs.client, source, part or None)


async def _replay(out: Output, source: str, part: str) -> None:
    from interlock.replay.replayer import load_code
    from interlock.replay.replayer import replay as replayed
    from interlock.settings import load_settings

    recorded = await _read(out, source, part)
    with out.working("replaying"):
        found = await replayed(recorded, load_code(load_settings()))
    _end(out, found, found)


async def _supersteps(out: Output, source: str, part: str) -> None:
    from interlock.replay.debug import supersteps
    from interlock.replay.replayer import load_code
    from interlock.settings import load_settings

    recorded = await _read(out, source, part)
    with out.working("replaying"):
        found = await supersteps(recorded, load_code(load_settings()))
    _end(out, found, found.report, _superstep_lines(found))
    if found.failure is not None and (node := found.failure.details.get("node")):
        again = f"{source} --run-id {part}" if part else source
        out.note(f"to stop in this node's code: interlock replay {again} --pdb {node}")


async def _debug(out: Output, source: str, part: str, node: str) -> None:
    from interlock.replay.breakpoints import stop_at
    from interlock.replay.replayer import load_code
    from interlock.settings import load_settings

    recorded = await _read(out, source, part)
    found = await stop_at(recorded, load_code(load_settings()), node)
    if not found.stops:
        out.say(f"The run did not come to node {node!r}.")
    _end(out, found.report, found.report)


async def _export(out: Output, workflow_id: str, part: str) -> None:
    from interlock.replay.history import export
    from interlock.runs.client import Runs
    from interlock.runs.meaning import explained

    runs = await Runs.connect()
    with explained(workflow_id):
        out.write(await export(runs.client, workflow_id, part or None) + "\n")


def _end(
    out: Output,
    data: DebugReport | ReplayReport,
    found: ReplayReport,
    before: list[Text] | None = None,
) -> None:
    """Print what a replay found.

    Raises:
        ReplayDiverged: the code takes another path, or does something else on the same one.
    """
    from interlock.errors import ReplayDiverged

    if before and not out.as_json:
        out.say(*before)
    first = found.divergence
    if first is None:
        out.answer(
            data,
            line(("same path", "bold green"), f": run {found.workflow_id}, {found.events} events."),
        )
        return
    if not out.as_json:
        out.say(*(text for item in found.divergences for text in _difference(item)))
    raise ReplayDiverged(_verdict(found, first), **data.model_dump(mode="json"))


def _verdict(found: ReplayReport, first: Divergence) -> str:
    """Return in one sentence where today's code does something else, and what."""
    run, place = f"run {found.workflow_id!r}", _place(first)
    if first.kind == "path":
        return (
            f"{run} leaves its recorded path{place}: expected {first.expected}, today's code does "
            f"{first.actual}."
        )
    changed = "; ".join(
        f"{change.path} was {compact(change.recorded, _SHORT)}, is {compact(change.today, _SHORT)}"
        for change in first.changes
    )
    what = "another result" if first.kind == "result" else f"other arguments: {first.expected}"
    return f"{run} takes the same path{place}, but with {what}: {changed}."


def _place(item: Divergence) -> str:
    return f" at node {item.node!r}" if item.node else ""


def _difference(item: Divergence) -> list[Text]:
    title = line(
        (f"other {item.kind}{_place(item)}", "yellow"),
        f" (event {item.event_id}): expected {item.expected}, today {item.actual}",
    )
    changes = [
        line(
            f"  {change.path}: ",
            (compact(change.recorded, _LONG), "red"),
            " → ",
            (compact(change.today, _LONG), "green"),
        )
        for change in item.changes
    ]
    return [title, *changes, *([line((f"  {item.message}", "dim"))] if item.message else [])]


def _superstep_lines(found: DebugReport) -> list[Text]:
    lines: list[Text] = []
    for step in found.supersteps:
        lines += _one_superstep(step)
    if found.failure is not None:
        lines.append(line((_failure(found.failure), "bold red")))
    return lines


def _failure(failure: Problem) -> str:
    places = [f"{kind} {failure.details[kind]!r}" for kind in _PLACES if failure.details.get(kind)]
    where = f" at {', '.join(places)}" if places else ""
    return f"failed{where}: {failure.code}: {failure.message}"


def _one_superstep(step: Superstep) -> list[Text]:
    open_end = "" if step.finished else " (not finished)"
    lines = [line((f"superstep {step.number}: {', '.join(step.nodes)}{open_end}", "bold"))]
    for call in step.calls:
        lines += _call_lines(call)
    for change in step.changes:
        value = "" if change.how == "removed" else f" {compact(change.value, _LONG) or '(empty)'}"
        lines.append(line(("  state    ", "dim"), f"{change.key} {change.how}{value}"))
    if step.next:
        lines.append(line(("  next     ", "dim"), ", ".join(step.next)))
    return lines


def _call_lines(call: DoorCall) -> list[Text]:
    where = f" in node {call.node!r}" if call.node and repr(call.node) not in call.text else ""
    lines = [line(("  call     ", "dim"), call.text, where)]
    if call.question is not None and repr(call.question) not in call.text:
        lines.append(line(("    asked  ", "dim"), compact(_tidy(call.question), _LONG)))
    if call.error is not None:
        lines.append(
            line(("    failed ", "dim"), (f"{call.error.code}: {call.error.message}", "red"))
        )
    elif call.answered:
        lines.append(line(("    got    ", "dim"), compact(_tidy(call.answer), _LONG)))
    else:
        lines.append(line(("    got    ", "dim"), "no answer"))
    return lines


def _tidy(data: Any) -> Any:
    """Return a call's data without what is empty, and without who it is for: that is one run."""
    if not isinstance(data, dict):
        return data
    return {
        key: value
        for key, value in data.items()
        if key != "context" and value not in (None, "", [], {})
    }
