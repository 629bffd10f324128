"""The activity `policy.judge`: one verdict, told once with an id that survives a repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from interlock.approvals import JudgeRequest, RiskPolicy, Verdict
from interlock.approvals.activities import PolicyActivities
from interlock.audit import AuditEvent
from interlock.context import CallContext
from interlock.errors import BadArguments, ConfigError, UnknownTool
from interlock.tools import Effect, Risk, Tool, tool

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = RiskPolicy(low="allow", medium="ask", high="deny")


class Observer:
    """Keeps what the audit would be told."""

    def __init__(self) -> None:
        self.told: list[tuple[JudgeRequest, Verdict, str, datetime]] = []
        self.recorded: list[str] = []
        """Ids of events."""

    def judged(
        self, request: JudgeRequest, verdict: Verdict, *, call: str, at: datetime
    ) -> AuditEvent:
        self.told.append((request, verdict, call, at))
        return AuditEvent(
            id=call,
            kind="verdict",
            name=request.tool,
            outcome=verdict.outcome,
            workflow_id="w",
            run_id="r",
            context=request.context,
            started_at=at,
            ended_at=at,
        )

    async def record(self, events: Sequence[AuditEvent]) -> None:
        self.recorded += [event.id for event in events]


def by_amount(amount: int) -> Risk:
    """Judge by amount."""
    return [Risk.LOW, Risk.MEDIUM, Risk.HIGH][amount]


@tool(effect=Effect.EXTERNAL, risk=by_amount)
async def refund(amount: int) -> int:
    """Refund."""
    raise AssertionError("nothing is called to judge")


@pytest.fixture
def observer() -> Observer:
    """Give an observer."""
    return Observer()


@pytest.fixture
def activities(observer: Observer) -> PolicyActivities:
    """Give the activities on one tool."""
    tools: dict[str, Tool] = {"refund": refund}
    return PolicyActivities(tools, POLICY, observer, clock=lambda: NOW)


def request(amount: int = 1, tool: str = "refund") -> JudgeRequest:
    """Return a question."""
    return JudgeRequest(tool=tool, arguments={"amount": amount}, context=CallContext(agent="a"))


@pytest.mark.parametrize(("amount", "outcome"), [(0, "allow"), (1, "ask"), (2, "deny")])
async def test_the_risk_of_the_arguments_decides(
    activities: PolicyActivities, observer: Observer, amount: int, outcome: str
) -> None:
    """The tool's risk rule is applied to the arguments, the policy to the risk."""
    environment = ActivityEnvironment()
    verdict = await environment.run(activities.judge, request(amount))
    assert verdict.outcome == outcome
    info = environment.info
    place = f"{info.workflow_run_id}/{info.activity_id}"
    assert observer.told == [(request(amount), verdict, place, NOW)]
    assert observer.recorded == [place]


async def test_a_repeated_activity_tells_the_same_id(
    activities: PolicyActivities, observer: Observer
) -> None:
    """A retry of the recorded call is one event for whoever keeps events by id."""
    environment = ActivityEnvironment()
    await environment.run(activities.judge, request())
    await environment.run(activities.judge, request())
    assert len({call for _, _, call, _ in observer.told}) == 1


async def test_an_unknown_tool_has_no_verdict(
    activities: PolicyActivities, observer: Observer
) -> None:
    """The error lists the tools, is not retryable, and nothing is told."""
    with pytest.raises(UnknownTool, match=r"no tool 'pay'\. It has: refund") as caught:
        await ActivityEnvironment().run(activities.judge, request(tool="pay"))
    assert not caught.value.retryable
    assert observer.told == []


async def test_arguments_that_cannot_be_judged_are_refused(
    activities: PolicyActivities, observer: Observer
) -> None:
    """A wrong argument or a failing risk rule is never a low risk."""
    with pytest.raises(ConfigError, match="risk rule failed"):
        await ActivityEnvironment().run(activities.judge, request(9))
    wrong = JudgeRequest(tool="refund", arguments={}, context=CallContext(agent="a"))
    with pytest.raises(BadArguments, match="'amount' is missing"):
        await ActivityEnvironment().run(activities.judge, wrong)
    assert observer.told == []
