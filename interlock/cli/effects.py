"""Commands of whoever is on call: `effects list`, `effects show`, `effects resolve`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from interlock.canonical import compact
from interlock.cli.options import (
    As,
    Comment,
    Json,
    Limit,
    OutcomeResult,
    OutcomeWord,
    Page,
    Reviewer,
    Yes,
)
from interlock.cli.output import Output, line, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from interlock.audit.contract import AuditEvent, LedgerRow
    from interlock.cli.books import EffectPage, KnownEffect, Standing

_LIST = "list"
_STYLES = {"DONE": "green", "UNKNOWN": "bold red", "CLAIMED": "yellow"}


class _Effects(TyperGroup):
    """`effects` and `effects RUN` are `effects list` and `effects list RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = args if args[:1] == ["--help"] or (args[:1] and args[0] in self.commands) else None
        return list(super().parse_args(ctx, [_LIST, *args] if words is None else words))


app = typer.Typer()
group = typer.Typer(name="effects", cls=_Effects)
app.add_typer(group, rich_help_panel="Runs")

EffectId = Annotated[
    str, typer.Argument(metavar="ID", help="Key of the effect, or the beginning of one.")
]


@group.callback()
def effects() -> None:
    """Effects in the ledger: what was done to the world, and what nobody can tell about.

    Without a command it lists: `interlock effects --unknown` is what to look at first.
    """


@group.command(_LIST)
def list_effects(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Workflow id of one run; all by default.")
    ] = "",
    state: Annotated[
        Literal["claimed", "done", "failed", "unknown", "aborted"] | None,
        typer.Option("--state", help="Only effects in this state."),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Only effects that nobody can tell about.")
    ] = False,
    limit: Limit = 20,
    page: Page = 1,
    as_json: Json = False,
) -> None:
    """List effects, oldest first, and below them the newest incidents.

    The word list may be left out. An incident is a late attempt that changed nothing.

    Example: interlock effects list --unknown
    """
    from interlock.errors import BadInput

    if unknown and state not in (None, "unknown"):
        raise BadInput(f"--unknown and --state {state} exclude each other. Give one of them.")
    wanted = "unknown" if unknown else state
    asyncio.run(_list(Output(as_json), run, wanted, limit, page))


@group.command()
def show(effect: EffectId, as_json: Json = False) -> None:
    """Show all that is known of one effect: its state, its attempts, and who is asked about it.

    Example: interlock effects show 5f2c81
    """
    asyncio.run(_show(Output(as_json), effect))


@group.command()
def resolve(
    effect: EffectId,
    verb: OutcomeWord,
    result: OutcomeResult = None,
    comment: Comment = "",
    reviewer: Reviewer = "",
    subject: As = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Answer what became of an UNKNOWN effect: its run waits for that word and goes on.

    It is the decision that `interlock resolve` sends, found by the effect.

    Example: interlock effects resolve 5f2c81 happened --result '{"refund_id": "r-77"}'
    """
    from interlock.cli.requests import json_value

    fields: dict[str, Any] = {"result": json_value(result, "--result"), "comment": comment}
    if reviewer:
        fields["reviewer"] = reviewer
    asyncio.run(_resolve(Output(as_json), effect, verb, yes, fields, subject))


async def _list(out: Output, run: str, state: str | None, limit: int, page: int) -> None:
    from interlock.cli.books import page_of
    from interlock.settings import load_settings

    found = await page_of(load_settings(), run, state, limit, page)
    out.answer(found, *_page_lines(found, page))


def _page_lines(found: EffectPage, page: int) -> list[RenderableType]:
    if not found.effects:
        lines: list[RenderableType] = ["No such effects."]
    else:
        columns = ("ID", "STATE", "TOOL", "RUN", "CLAIMED", "ARGUMENTS", "WAITS FOR")
        lines = [table(columns, [_row(item) for item in found.effects])]
    if found.more:
        lines.append(f"More: --page {page + 1}")
    if found.incidents:
        lines += ["", "Incidents, the newest last:"]
        lines += [_event_line(event) for event in found.incidents]
    if any(item.effect.state == "UNKNOWN" for item in found.effects):
        lines.append("Look at the other side, then `interlock effects resolve ID VERB`.")
    return lines


def _row(item: KnownEffect) -> list[Any]:
    effect = item.effect
    return [
        effect.effect_key[:12],
        line((str(effect.state), _STYLES.get(effect.state, ""))),
        effect.tool,
        effect.workflow_id,
        f"{effect.claimed_at:%Y-%m-%d %H:%M:%S}",
        compact(effect.arguments, 60),
        _standing(item.standing),
    ]


def _standing(standing: Standing | None) -> str:
    if standing is None:
        return ""
    if standing.request is not None:
        return "a person: `interlock effects resolve`"
    return f"nobody: its run is {standing.run}"


def _event_line(event: AuditEvent) -> RenderableType:
    said = {key: value for key, value in event.details.items() if key in _SAID}
    return line(
        (f"  {event.ended_at:%Y-%m-%d %H:%M:%S}", "dim"),
        f"  {event.kind} {event.name} {event.outcome}  {compact(said) if said else ''}",
        (f"  {event.workflow_id}", "dim"),
    )


_SAID = ("what", "token", "code", "message", "reviewer", "comment")


async def _show(out: Output, effect: str) -> None:
    from interlock.cli.books import story_of
    from interlock.settings import load_settings

    found = await story_of(load_settings(), effect)
    lines = [line((f"  {name:<10}", "dim"), text) for name, text in _facts(found.effect) if text]
    if found.standing is not None:
        lines.append(line(("  waits for ", "dim"), _standing(found.standing)))
    out.answer(found, *lines, "", *(_event_line(event) for event in found.events))


def _facts(row: LedgerRow) -> list[tuple[str, str]]:
    return [
        ("effect", row.effect_key),
        ("state", f"{row.state}, token {row.token}"),
        ("tool", row.tool),
        ("run", row.workflow_id),
        ("arguments", compact(row.arguments)),
        (
            "claimed",
            f"{row.claimed_at:%Y-%m-%d %H:%M:%S}, may happen until {row.deadline:%H:%M:%S}",
        ),
        ("settled", f"{row.settled_at:%Y-%m-%d %H:%M:%S}" if row.settled_at else ""),
        ("approved", row.request_id or ""),
        ("result", "" if row.result is None else compact(row.result)),
        ("why", row.error),
    ]


async def _resolve(
    out: Output, effect: str, verb: str, yes: bool, fields: dict[str, Any], subject: str
) -> None:
    from interlock.cli.books import find_effect, question_of
    from interlock.cli.decision import submit
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    row = await find_effect(runs.settings, effect)
    request = await question_of(runs, row)
    await submit(out, request.id, row.workflow_id, verb, yes, fields, subject)
