"""What queries read of a run: its status, messages, state and picture. Nothing here changes it."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, messages_to_dict
from temporalio import workflow

from interlock.workflows.contract import RunState, RunStatus
from interlock.workflows.host import Host
from interlock.workflows.run import Run

_ENDS: tuple[RunState, ...] = ("completed", "failed", "cancelled")


def unopened(state: RunState) -> RunStatus:
    """Return the status of a run that is not open yet, or was turned away."""
    failed = state == "failed"
    return RunStatus(
        state=state,
        agent="",
        release="",
        nodes=(),
        steps=0,
        pending=0,
        unread=0,
        explanation=_explain(state, (), 0) if failed else "The run is starting.",
    )


def status(run: Run, host: Host, state: RunState) -> RunStatus:
    """Return what the run is doing."""
    pending = run.desk.pending
    ended = state in _ENDS
    now: RunState = "waiting" if pending and not ended else state
    nodes = () if ended else tuple(host.state().next)
    return RunStatus(
        state=now,
        agent=run.request.agent,
        release=run.terms.release,
        nodes=nodes,
        steps=run.steps,
        pending=len(pending),
        unread=len(run.messages),
        explanation=_explain(now, nodes, len(pending)) + _asking(run),
    )


def _asking(run: Run) -> str:
    """Return whom the one open request asks, where there is more to say than that it waits."""
    open_now = run.desk.pending_at(workflow.now())
    if len(open_now) != 1:
        return ""
    request = open_now[0]
    tier, given = request.tier, len(request.votes)
    votes = f", {given} of {tier.quorum} approved" if tier.quorum > 1 else ""
    return f" Asked: {tier.tier or ', '.join(tier.who)}{votes}, until {tier.until.isoformat()}."


def transcript(values: Any) -> list[dict[str, Any]]:
    """Return the messages of a state, in LangChain's JSON form."""
    return list(messages_to_dict(_messages(values)))


def reply(values: Any) -> str:
    """Return the text of the last AI message of a state."""
    last = next((m for m in reversed(_messages(values)) if isinstance(m, AIMessage)), None)
    return str(last.text) if last else ""


def _messages(values: Any) -> list[BaseMessage]:
    found = (
        values.get("messages") if isinstance(values, dict) else getattr(values, "messages", None)
    )
    return [message for message in found or [] if isinstance(message, BaseMessage)]


def _explain(state: RunState, nodes: tuple[str, ...], pending: int) -> str:
    where = f" at {', '.join(nodes)}" if nodes else ""
    return {
        "running": f"The agent works{where}.",
        "waiting": f"{pending} request(s) wait for a person{where}. See `pending_approvals`.",
        "idle": "The conversation waits for the next message: `send_message`.",
        "completed": "The run is over.",
        "failed": "The run failed; its failure says why.",
        "cancelled": "The run was cancelled.",
    }[state]
