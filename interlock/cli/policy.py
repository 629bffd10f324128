"""Commands for the policy: `policy show`, `policy test`, `policy explain`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.canonical import compact
from interlock.cli.options import Json
from interlock.cli.output import Output, line, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.text import Text

    from interlock.approvals.cases import CaseResult
    from interlock.approvals.policy import Policy
    from interlock.replay.steps import Judged
    from interlock.tools.contract import Span, Verdict
    from interlock.tools.definition import Tool

_CASES = "policy_test.yaml"
_LONG = 400
_STYLES = {"allow": "green", "ask": "yellow", "deny": "red"}

app = typer.Typer()
rules = typer.Typer(name="policy", no_args_is_help=True)
app.add_typer(rules, rich_help_panel="Deployment")


@rules.callback()
def policy() -> None:
    """The policy: what may be done without asking a person.

    Example: interlock policy test
    """


@rules.command()
def show(as_json: Json = False) -> None:
    """Check the policy against this deployment's tools, and print its version and its rules.

    Example: interlock policy show
    """
    from interlock.approvals.rule_policy import RulePolicy

    found, _, _ = _deployed()
    where = found.name if isinstance(found, RulePolicy) else type(found).__name__
    report: dict[str, Any] = {"policy": where, "version": found.version}
    title = line((where, "bold"), f", version {found.version}")
    if not isinstance(found, RulePolicy):
        settings = found.model_dump(mode="json") if hasattr(found, "model_dump") else {}
        told = ", ".join(f"{key} = {value}" for key, value in settings.items())
        Output(as_json).answer(report | {"settings": settings}, title, *([told] if told else []))
        return
    plain = found.rules.model_dump(mode="json", exclude_defaults=True)
    for rule in plain["rules"]:
        rule["line"] = found.lines[rule["name"]]
    rows = [
        (str(rule["line"]), rule["name"], _matches(rule), compact(_then(rule["then"]), _LONG))
        for rule in plain["rules"]
    ]
    tiers = [
        f"tier {name}: {compact(tier, _LONG)}" for name, tier in plain.get("tiers", {}).items()
    ]
    totals = [f"total {name}: {compact(total)}" for name, total in plain.get("totals", {}).items()]
    last = "When no rule matches, a person is asked."
    drawn = table(("LINE", "RULE", "MATCHES", "THEN"), rows)
    Output(as_json).answer(report | plain, title, drawn, *tiers, *totals, last)


@rules.command("test")
def check_cases(
    file: Annotated[
        str,
        typer.Argument(metavar="[FILE]", help=f"A table of cases; {_CASES} by default."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Judge a table of cases and compare each verdict with the one that is expected.

    The exit code is 1 when one differs.

    Example: interlock policy test policy_test.yaml
    """
    from pathlib import Path

    from interlock.approvals.cases import run_cases
    from interlock.approvals.documents import Document
    from interlock.cli.failures import FAILED

    found, tools, folder = _deployed()
    path = Path(file) if file else folder / _CASES
    results = run_cases(found, tools, Document.read(path))
    failed = [item for item in results if not item.passed]
    Output(as_json).answer(
        {"ok": not failed, "version": found.version, "cases": results},
        *(text for item in failed for text in _difference(item, path.name)),
        f"{len(results)} cases, {len(failed)} failed. Policy {found.version}.",
    )
    if failed:
        raise typer.Exit(FAILED)


@rules.command()
def explain(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Workflow id, or a file with a history.")
    ] = "",
    tool: Annotated[str, typer.Option("--tool", metavar="TOOL", help="Judge a call now.")] = "",
    args: Annotated[str, typer.Option("--args", metavar="JSON", help="Its arguments.")] = "{}",
    agent: Annotated[str, typer.Option("--agent", help="Who would make it.")] = "agent",
    tenant: Annotated[str, typer.Option("--tenant", help="For whom.")] = "default",
    subject: Annotated[str, typer.Option("--subject", help="About whom.")] = "",
    total: Annotated[
        list[str] | None,
        typer.Option("--total", metavar="NAME=N", help="A running total; 0 by default."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="[ARGUMENT=]LABEL",
            help="A label of text from outside that reached it, or one argument of it; repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which rule matched a call, where it is, and why: of a run as recorded, or of a call now.

    Example: interlock policy explain --tool refund --args '{"order_id": "A-1042", "amount": 89}'
    """
    from interlock.errors import BadInput

    if bool(run) == bool(tool):
        raise BadInput("name either a run or a call: `interlock policy explain RUN`, or --tool.")
    out = Output(as_json)
    if run:
        asyncio.run(_explain_run(out, run))
        return
    from interlock.approvals.cases import verdict_on
    from interlock.approvals.documents import allowed
    from interlock.cli.requests import json_value
    from interlock.context import CallContext

    found, tools, _ = _deployed()
    if tool not in tools:
        raise BadInput(f"no tool is named {tool!r}. {allowed(tool, tools)}")
    context = CallContext(agent=agent, tenant=tenant, subject=subject)
    given = json_value(args, "--args")
    spans = _spans(label or [], tools[tool], tools)
    verdict = verdict_on(found, tools[tool], given, context, _totals(total or []), spans)
    out.answer({"tool": tool, **verdict.model_dump(mode="json")}, *_verdict_lines(tool, verdict))


@rules.command()
def rejudge(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Workflow id of one run; all by default.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Ask the workers' policy of today about requests that wait; it can only ask for more care.

    Example: interlock policy rejudge
    """
    asyncio.run(_rejudge(Output(as_json), run))


async def _rejudge(out: Output, run: str) -> None:
    from interlock.runs.client import Runs

    runs = await Runs.connect()
    waiting = [run] if run else [item.workflow_id for item in await runs.open_requests()]
    found = {name: await runs.rejudge(name) for name in dict.fromkeys(waiting)}
    count = sum(map(len, found.values()))
    out.answer(
        [{"run": name, "requests": items} for name, items in found.items()],
        *(
            line((item.request_id, "bold"), f" of {name}: {item.outcome}. {item.why}")
            for name, items in found.items()
            for item in items
        ),
        "1 request was judged again." if count == 1 else f"{count} requests were judged again.",
    )


async def _explain_run(out: Output, run: str) -> None:
    from interlock.cli.histories import steps_of
    from interlock.replay.steps import Judged

    with out.working("reading the history"):
        steps = await steps_of(run)
    judged = [step for step in steps if isinstance(step, Judged)]
    lines = [text for step in judged for text in _verdict_lines(step.tool, step)]
    out.answer(
        {"run": run, "verdicts": judged}, *(lines or [line("No call of this run was judged.")])
    )


def _deployed() -> tuple[Policy, Mapping[str, Tool], Path]:
    """Return the policy, the tools and the folder of the deployment here."""
    from interlock.agents.loading import load_runtime
    from interlock.policies import deployed_policy
    from interlock.settings import load_settings

    settings = load_settings()
    tools = load_runtime(settings).tools
    return deployed_policy(settings, tools.values()), tools, settings.project_dir


def _totals(pairs: list[str]) -> dict[str, Any]:
    from decimal import Decimal, InvalidOperation

    from interlock.errors import BadInput

    found = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            found[name] = Decimal(number)
        except InvalidOperation as error:
            raise BadInput(f"--total {pair!r} is no total. Write --total NAME=NUMBER.") from error
    return found


def _spans(pairs: list[str], tool: Tool, tools: Mapping[str, Tool]) -> tuple[Span, ...]:
    from interlock.approvals.cases import spans_of, wrong_labels
    from interlock.errors import BadInput

    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        argument, _, label = pair.rpartition("=")
        found[argument] = (*found.get(argument, ()), label)
    for _, wrong in wrong_labels(found, tool, tools):
        raise BadInput(f"--label: {wrong}")
    return spans_of(found)


def _verdict_lines(tool: str, verdict: Verdict | Judged) -> list[Text]:
    rule = verdict.rule
    pairs = [
        ("why", verdict.reason),
        ("rule", f"{rule.name}, line {rule.line}" if rule else "none matched"),
        ("policy", verdict.policy),
        ("terms", compact(_given(verdict.ask)) if verdict.ask else ""),
        ("totals", ", ".join(f"{name} = {value}" for name, value in verdict.totals.items())),
        *(("outside", str(span)) for span in verdict.spans),
    ]
    outcome = str(verdict.outcome)
    style = _STYLES.get(outcome, "")
    what = line((tool, "bold"), f"({compact(verdict.arguments or {}, _LONG)}): ", (outcome, style))
    return [what, *(line((f"  {name:<8}", "dim"), text) for name, text in pairs if text)]


def _difference(item: CaseResult, file: str) -> list[Text]:
    found, rule = item.verdict, item.verdict.rule
    got = f"{found.outcome} by rule {rule.name!r}" if rule else f"{found.outcome}, no rule matched"
    wanted = item.expected + (f" by rule {item.expected_rule!r}" if item.expected_rule else "")
    return [
        line(("failed ", "bold red"), f"{file}:{item.line}: {item.name}"),
        line(("  expected  ", "dim"), (wanted, "green")),
        line(("  got       ", "dim"), (got, "red")),
        line(("  why       ", "dim"), found.reason),
    ]


def _given(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(mode="json", exclude_defaults=True)
    return found


def _matches(rule: dict[str, Any]) -> str:
    parts = {key: value for key, value in rule.items() if key not in ("name", "line", "then")}
    told = {
        key: value if isinstance(value, str) else ", ".join(value) for key, value in parts.items()
    }
    return "; ".join(f"{key}: {value}" for key, value in told.items()) or "everything"


def _then(then: dict[str, Any]) -> Any:
    if then.get("allow"):
        return "allow"
    return "ask" if then == {"ask": {}} else then
