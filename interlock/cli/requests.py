"""Requests for a decision: found, shown and decided on."""

from __future__ import annotations

import getpass
import json
import shlex
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from interlock.approvals.contract import ApprovalRequest, CastVote, Decision, DecisionAnswer
from interlock.canonical import compact
from interlock.cli.output import line, program
from interlock.errors import BadInput, DecisionRefused, wrong_fields
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest


def reviewer_name() -> str:
    """Return the name that decisions carry when none is given: who is logged in."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "unverified"


async def find(runs: Runs, request_id: str, run: str = "") -> OpenRequest:
    """Return the open request of an id, or of the beginning of one.

    Args:
        runs: The deployment's runs.
        request_id: Id of the request, or a beginning that only one open request has.
        run: Workflow id of its run; all runs are searched when empty.

    Raises:
        DecisionRefused: no open request has that id.
        BadInput: several have that beginning.
    """
    if run:
        waiting = [OpenRequest(workflow_id=run, request=r) for r in await runs.pending(run)]
    else:
        waiting = await runs.open_requests()
    exact = [item for item in waiting if item.request.id == request_id]
    found = exact or [item for item in waiting if item.request.id.startswith(request_id)]
    if len(found) > 1:
        listed = ", ".join(f"{item.request.id!r} of {item.workflow_id!r}" for item in found)
        raise BadInput(
            f"{request_id!r} may be any of: {listed}. Give more of the id, or name the run with "
            "--run."
        )
    if not found:
        raise _unknown(request_id, run)
    return found[0]


def _unknown(request_id: str, run: str) -> DecisionRefused:
    where = f"run {run!r} has no open request" if run else "no run waits for request"
    return DecisionRefused(
        f"{where} {request_id!r}: it may be decided, expired or withdrawn. List the open ones with "
        "`interlock approvals`. To have the run itself answer, name it with --run and give the "
        "whole id.",
        code="UNKNOWN_REQUEST",
        request_id=request_id,
    )


async def put(
    runs: Runs, workflow_id: str, request_id: str, digest: str, verb: str, **fields: Any
) -> DecisionAnswer:
    """Send an unsigned decision on a request as it was read, and return the run's answer.

    Raises:
        DecisionRefused: it does not count; the code says why.
        RunFinished: the run has ended.
        BadInput: a comment or a name is too long.
    """
    values = {"reviewer": reviewer_name(), "nonce": uuid.uuid4().hex, **fields}
    try:
        decision = Decision.model_validate(
            {"request_id": request_id, "verb": verb, "digest": digest, **values}
        )
    except ValidationError as error:
        wrong = wrong_fields(error, "decision")
        raise BadInput(f"this is no decision: {wrong}.") from error
    return await send(runs, workflow_id, decision)


async def send(runs: Runs, workflow_id: str, decision: Decision) -> DecisionAnswer:
    """Send a decision, and return the run's answer.

    Raises:
        DecisionRefused: it does not count; the code says why.
        RunFinished: the run has ended.
    """
    answer = await runs.decide(workflow_id, decision)
    if not answer.accepted:
        raise DecisionRefused(
            answer.message,
            code=answer.code,
            request_id=decision.request_id,
            workflow_id=workflow_id,
        )
    return answer


def arguments_of(
    request: ApprovalRequest, pairs: Sequence[str], whole: str | None
) -> dict[str, Any]:
    """Return the complete new arguments of an edit.

    Args:
        request: What is edited.
        pairs: Changes as 'key=value'. A value stays text where the old one is; else it is JSON.
        whole: All new arguments as a JSON object, to begin with.

    Raises:
        BadInput: a pair or the JSON is malformed, or nothing would change.
    """
    made = dict(request.arguments) if whole is None else _object(whole)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"--set {pair!r} is no change. Write --set key=value.")
        made[key] = value if isinstance(made.get(key), str) else _value(value)
    if made == request.arguments:
        raise BadInput(
            "this edit changes nothing. Change an argument with --set key=value, or all with "
            "--arguments JSON, or use `interlock approve`."
        )
    return made


def json_value(text: str | None, option: str) -> Any:
    """Return the value of an option that takes JSON, or None without one.

    Raises:
        BadInput: the text is no JSON.
    """
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"{option} is no JSON: {error}. Text needs quotes: '\"...\"'.") from error


def _object(text: str) -> dict[str, Any]:
    found = json_value(text, "--arguments")
    if not isinstance(found, dict):
        raise BadInput(f"--arguments is {text!r}; it has to be a JSON object.")
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def request_lines(item: OpenRequest) -> list[Text]:
    """Return a request as a reviewer reads it."""
    request = item.request
    unless = ", then it is done" if request.on_timeout == "allow" else ""
    action = {"action": request.tool, "question": "a question", "outcome": request.tool}
    pairs = [
        ("run", item.workflow_id),
        ("agent", f"{request.agent} at {request.node}" if request.node else request.agent),
        ("tenant", "" if request.tenant == "default" else request.tenant),
        ("why", request.why),
        ("amount", "" if request.amount is None else f"{request.amount:f}"),
        ("arguments", _pretty(request.arguments)),
        ("outside", "\n".join(map(str, request.spans))),
        ("known" if request.kind == "outcome" else "shown", _pretty(request.payload)),
        ("undo", request.undo),
        ("asked", f"{_ago(request.requested_at)}, expires {_left(request.expires_at)}{unless}"),
        ("decides", _who(request)),
        ("approved", ", ".join(_vote(vote) for vote in request.votes)),
        ("then", _then(request)),
        ("you may", ", ".join(request.allowed)),
    ]
    title = line(
        (action[request.kind], "bold"),
        f" (risk {request.risk})" if request.kind == "action" else "",
        (f"  {request.id}", "dim"),
    )
    return [title, *(_pair(name, value) for name, value in pairs if value)]


def _who(request: ApprovalRequest) -> str:
    """Return whom a request asks now, where that is not just any one reviewer for all its time."""
    tier = request.at_hand(datetime.now(UTC))
    if not tier.tier and tier.quorum == 1 and len(request.tiers) < 2 and tier.who == ("reviewer",):
        return ""
    count = f"{tier.quorum} of " if tier.quorum > 1 else ""
    name = f"{tier.tier}: " if tier.tier else ""
    until = f", until {_left(tier.until)}" if len(request.tiers) > 1 else ""
    return f"{name}{count}{', '.join(tier.who)}{until}"


def _then(request: ApprovalRequest) -> str:
    """Return who is asked after those who are asked now."""
    later = request.tiers[request.at(datetime.now(UTC)) + 1 :]
    return ", ".join(tier.tier or ", ".join(tier.who) for tier in later)


def _vote(vote: CastVote) -> str:
    said = f": {vote.comment}" if vote.comment else ""
    return f"{' for '.join(vote.voices)}{'' if vote.verified else ' (unverified)'}{said}"


def how_to_decide(item: OpenRequest) -> list[str]:
    """Return the commands that decide on a request from any terminal."""
    # Models and callers choose these ids, and a shell would obey them.
    which = f"{shlex.quote(item.request.id)} --run {shlex.quote(item.workflow_id)}"
    words = {
        "approve": f"approve {which}",
        "edit": f"edit {which} --set KEY=VALUE",
        "reject": f"reject {which} --comment WHY",
        "respond": f"respond {which} ANSWER",
    }
    return [
        f"{program()} {words.get(verb, f'resolve {which} {verb}')}" for verb in item.request.allowed
    ]


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Text]:
    """Return what an edit changes, one line for each argument."""
    keys = dict.fromkeys([*old, *new])
    return [
        line(
            f"  {key}: ",
            (compact(old[key]) if key in old else "(nothing)", "red"),
            " → ",
            (compact(new[key]) if key in new else "(nothing)", "green"),
        )
        for key in keys
        if old.get(key) != new.get(key) or (key in old) != (key in new)
    ]


def _pair(name: str, value: str) -> Text:
    return line((f"  {name:<10}", "dim"), value.replace("\n", "\n" + " " * 12))


def _pretty(value: Any) -> str:
    if value in (None, {}, ""):
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def _ago(when: datetime) -> str:
    return f"{_span((datetime.now(UTC) - when).total_seconds())} ago"


def _left(when: datetime) -> str:
    return f"in {_span((when - datetime.now(UTC)).total_seconds())}"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
