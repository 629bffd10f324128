"""What a reviewer is told beside a request: from the history of its run, as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import ApprovalRequest
from interlock.inbox.masking import masked
from interlock.replay.steps import (
    Found,
    Judged,
    ModelCalled,
    Received,
    Remembered,
    Said,
    Started,
    Step,
    ToolCalled,
    Totals,
    totals,
)

_LAST = 6

EFFECTS = {
    "PURE": "Computes only; nothing outside is touched.",
    "READ": "Reads the outside world and changes nothing.",
    "IDEMPOTENT": "Changes the world, once: the other side knows the call again.",
    "EXTERNAL": "Changes the world, once. It cannot be taken back from here.",
}


class Context(BaseModel):
    """What led to a request."""

    model_config = ConfigDict(frozen=True)

    rule: str = ""
    """The policy's rule and its line."""
    policy: str = ""
    amounts: dict[str, str] = {}
    """Running totals as the policy saw them."""
    asked_for: Any = None
    """What the run was started with."""
    heard: tuple[str, ...] = ()
    """Messages that came later."""
    said: tuple[Said, ...] = ()
    """The last answers of models."""
    recalled: tuple[Found, ...] = ()
    """What memory gave."""
    called: tuple[ToolCalled, ...] = ()
    """The last calls of tools."""
    used: Totals = Totals()

    def covered(self) -> Context:
        """Return it with what is personal masked."""
        return Context.model_validate(masked(self.model_dump()))


def context_of(request: ApprovalRequest, steps: Sequence[Step]) -> Context:
    """Return what the steps of a run tell of one of its requests."""
    judged = _judged(request, steps)
    started = next((step for step in steps if isinstance(step, Started)), None)
    answers = [step.answer for step in steps if isinstance(step, ModelCalled) and step.answer]
    rule = judged.rule if judged else None
    return Context(
        rule=f"{rule.name}, line {rule.line}" if rule else "",
        policy=judged.policy if judged else "",
        amounts={name: f"{total:f}" for name, total in judged.totals.items()} if judged else {},
        asked_for=started.input if started else None,
        heard=tuple(str(step.message) for step in steps if isinstance(step, Received)),
        said=tuple(answers[-_LAST:]),
        recalled=_recalled(steps),
        called=tuple(step for step in steps if isinstance(step, ToolCalled))[-_LAST:],
        used=totals(steps),
    )


def _judged(request: ApprovalRequest, steps: Sequence[Step]) -> Judged | None:
    asked = [
        step
        for step in steps
        if isinstance(step, Judged) and step.tool == request.tool and step.outcome == "ask"
    ]
    exact = [step for step in asked if step.arguments == request.arguments]
    found = exact or asked
    return found[-1] if found else None


def _recalled(steps: Sequence[Step]) -> tuple[Found, ...]:
    found = [item for step in steps if isinstance(step, Remembered) for item in step.found]
    titled = {(item.namespace, item.key): item for item in found}
    best = sorted(titled.values(), key=lambda item: item.score or 0.0, reverse=True)
    return tuple(best[:_LAST])
