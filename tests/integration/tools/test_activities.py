"""The activity `tool.call`: attempts, heartbeats and errors as Temporal sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    Worker,
)

from interlock import heartbeats
from interlock.audit.contract import AuditEvent, LedgerState
from interlock.errors import InterlockError, LedgerConflict, ToolUnavailable, UnknownTool
from interlock.tools import Risk, ToolCall
from interlock.tools.activities import ToolActivities
from interlock.tools.contract import ToolOutcome, Verdict
from interlock.tools.gateway import ToolGateway
from interlock.worker import to_failure
from tests.integration.tools.bench import Bench, event


def environment(attempt: int = 1, *, is_local: bool = False) -> ActivityEnvironment:
    """Return an environment in which an activity has this attempt."""
    found = ActivityEnvironment()
    # As the door schedules it: without a timeout over all attempts.
    found.info = replace(
        found.info, attempt=attempt, is_local=is_local, schedule_to_close_timeout=None
    )
    return found


def down(_: str) -> None:
    """Be unavailable."""
    raise ToolUnavailable("down")


async def test_an_outcome_is_returned(bench: Bench) -> None:
    """Done, failed, unknown and refused calls are results of the activity, not errors."""
    activities = ToolActivities(bench.gateway(bench.tool("external", attempts=1)))
    refused = bench.call(must_have_grant=True)
    assert (await environment().run(activities.call_tool, refused)).status == "refused"
    assert (await environment().run(activities.call_tool, bench.call())).status == "done"
    bench.shop.behave = down
    other = bench.call(effect_key="another")
    assert (await environment().run(activities.call_tool, other)).status == "failed"


async def test_an_attempt_that_failed_is_for_temporal_to_repeat(bench: Bench) -> None:
    """The error has the code and may be retried; the attempt's number tells which is the last."""
    bench.shop.behave = down
    activities = ToolActivities(bench.gateway(bench.tool("read", attempts=2)))
    with pytest.raises(ApplicationError) as caught:
        await environment(1).run(activities.call_tool, bench.call())
    assert caught.value.type == "TOOL_UNAVAILABLE"
    assert not caught.value.non_retryable
    outcome = await environment(2).run(activities.call_tool, bench.call())
    assert outcome.code == "TOOL_UNAVAILABLE"


async def test_a_conflict_says_when_to_come_back(bench: Bench) -> None:
    """As Temporal carries it the error has the delay of the next attempt."""
    await bench.lost_claim(bench.call(), seconds=5)
    activities = ToolActivities(bench.gateway(bench.tool("external")))
    with pytest.raises(LedgerConflict) as caught:
        await environment().run(activities.call_tool, bench.call())
    failure = to_failure(caught.value)
    assert failure.next_retry_delay == timedelta(seconds=5.05)
    assert not failure.non_retryable


@pytest.mark.parametrize("unjudged", [False, True])
async def test_only_an_attempt_that_temporal_repeats_takes_over_early(
    bench: Bench, unjudged: bool
) -> None:
    """The first attempt of another call waits; the next one of the missed call does not."""
    await bench.lost_claim(bench.call(), seconds=5)
    gateway = bench.gateway(bench.tool("idempotent"))
    activities = ToolActivities(gateway, judge=Judging())
    call = bench.call(unjudged=unjudged)
    with pytest.raises(LedgerConflict):
        await environment(1).run(activities.call_tool, call)
    assert bench.shop.attempts == 0
    assert (await environment(2).run(activities.call_tool, call)).status == "done"
    assert ((await bench.row()).token, bench.shop.attempts) == (2, 1)


async def test_a_call_of_an_unknown_tool_is_not_repeated(bench: Bench) -> None:
    """Another attempt on the same worker would find nothing either."""
    activities = ToolActivities(bench.gateway())
    with pytest.raises(UnknownTool) as caught:
        await environment().run(activities.call_tool, bench.call())
    assert to_failure(caught.value).non_retryable


class Judging:
    """A policy with one answer, which it may change."""

    def __init__(self, outcome: Literal["allow", "ask"] = "allow") -> None:
        self.outcome = outcome
        self.asked: list[ToolCall] = []

    async def __call__(self, call: ToolCall) -> tuple[Verdict, AuditEvent]:
        """Judge a call."""
        self.asked.append(call)
        verdict = Verdict(
            outcome=self.outcome,
            reason="so",
            risk=Risk.LOW,
            policy="p7",
            arguments=call.arguments,
        )
        at = datetime(2026, 11, 22, 12, tzinfo=UTC)
        return verdict, event(f"v{len(self.asked)}", "verdict", call, self.outcome, at)


@pytest.mark.parametrize("is_local", [False, True])
async def test_an_unjudged_call_is_judged_and_then_made(bench: Bench, is_local: bool) -> None:
    """The verdict comes with the outcome, with the arguments if the history has them nowhere else."""
    judging = Judging()
    activities = ToolActivities(bench.gateway(bench.tool("external")), judge=judging)
    call = bench.call(unjudged=True, policy="")
    outcome = await environment(is_local=is_local).run(activities.call_tool, call)
    assert (outcome.status, judging.asked, bench.shop.attempts) == ("done", [call], 1)
    assert outcome.verdict is not None
    assert outcome.verdict.arguments == (call.arguments if is_local else {})
    assert bench.observer.calls[0][0].policy == "p7"
    assert bench.observer.recorded == ["verdict", "tool_call"]


async def test_a_verdict_is_recorded_before_the_effect(bench: Bench) -> None:
    """It is in the audit when the third party is called, and also when that ends in an error."""
    seen: list[list[str]] = []

    def behave(point: str) -> None:
        seen.append(list(bench.observer.recorded))
        down(point)

    bench.shop.behave = behave
    activities = ToolActivities(bench.gateway(bench.tool("idempotent")), judge=Judging())
    with pytest.raises(ApplicationError):
        await environment(1).run(activities.call_tool, bench.call(unjudged=True))
    assert seen == [["verdict"]]


async def test_a_verdict_on_a_failed_read_is_recorded(bench: Bench) -> None:
    """An attempt that raises leaves its verdict behind."""
    bench.shop.behave = down
    activities = ToolActivities(bench.gateway(bench.tool("read")), judge=Judging())
    with pytest.raises(ApplicationError):
        await environment(1).run(activities.call_tool, bench.call(unjudged=True))
    assert bench.observer.recorded == ["verdict"]


async def test_a_call_that_is_not_allowed_is_held(bench: Bench) -> None:
    """Nothing is claimed and nothing is called; the run sees why and asks whom it has to."""
    activities = ToolActivities(bench.gateway(bench.tool("external")), judge=Judging("ask"))
    outcome = await environment().run(activities.call_tool, bench.call(unjudged=True))
    assert outcome.status == "held"
    assert outcome.verdict is not None
    assert (outcome.verdict.outcome, outcome.verdict.policy) == ("ask", "p7")
    assert bench.shop.attempts == 0
    assert bench.observer.recorded == ["verdict"]
    assert await bench.ledger.find(bench.call().effect_key) is None


async def test_what_an_allowed_attempt_began_is_ended(bench: Bench) -> None:
    """A later attempt follows the row, also when the policy would ask by now."""
    bench.shop.behave = down
    judging = Judging()
    activities = ToolActivities(bench.gateway(bench.tool("idempotent")), judge=judging)
    call = bench.call(unjudged=True)
    with pytest.raises(ApplicationError):
        await environment(1).run(activities.call_tool, call)
    bench.shop.behave, judging.outcome = None, "ask"
    outcome = await environment(2).run(activities.call_tool, call)
    assert (outcome.status, outcome.verdict, len(judging.asked)) == ("done", None, 1)
    other = bench.call(unjudged=True, effect_key="another")
    assert (await environment(2).run(activities.call_tool, other)).status == "held"


async def test_a_call_that_nobody_judges_is_refused(bench: Bench) -> None:
    """Without a policy to ask, an unjudged call makes nothing."""
    activities = ToolActivities(bench.gateway(bench.tool("external")))
    outcome = await environment().run(activities.call_tool, bench.call(unjudged=True))
    assert (outcome.status, outcome.code) == ("refused", "NOT_JUDGED")
    assert bench.shop.attempts == 0


@pytest.mark.parametrize(("is_local", "beats"), [(False, True), (True, False)])
async def test_a_running_call_tells_that_it_lives(
    bench: Bench, is_local: bool, beats: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats come while the tool works; a local activity has none."""
    monkeypatch.setattr(heartbeats, "INTERVAL_SECONDS", 0.01)
    heard = asyncio.Event()

    async def behave(point: str) -> None:
        if point == "before" and beats:
            await heard.wait()

    bench.shop.behave = behave
    found = environment(is_local=is_local)
    found.on_heartbeat = lambda *_: heard.set()
    activities = ToolActivities(bench.gateway(bench.tool("read")))
    assert (await found.run(activities.call_tool, bench.call())).status == "done"
    assert heard.is_set() is beats


class Coded(Interceptor):
    """Errors of the tree become Temporal's, as in a worker of the application."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap the activity."""
        return CodedActivity(next)


class CodedActivity(ActivityInboundInterceptor):
    """One activity of it."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Translate errors."""
        try:
            return await super().execute_activity(input)
        except InterlockError as error:
            raise to_failure(error) from error


@workflow.defn
class OneCall:
    """Make one tool call, as the door does."""

    @workflow.run
    async def run(self, call: ToolCall) -> ToolOutcome:
        """Return its outcome."""
        return await workflow.execute_activity(
            "tool.call",
            call,
            result_type=ToolOutcome,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


@asynccontextmanager
async def working(server: Client, gateway: ToolGateway) -> AsyncIterator[tuple[Client, str]]:
    """Run a worker on a queue of its own."""
    client = Client(**{**server.config(), "data_converter": pydantic_data_converter})
    queue = f"tools-{uuid4().hex}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[OneCall],
        activities=[ToolActivities(gateway).call_tool],
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[Coded()],
        max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        build_id="tests",  # by default the SDK hashes every loaded module: seconds
    ):
        yield client, queue


def real_time(bench: Bench) -> None:
    """Let the bench's clock run as the server's does."""
    bench.clock = lambda: datetime.now(UTC)  # type: ignore[assignment]


async def test_temporal_repeats_until_the_effect_is_made(bench: Bench, server: Client) -> None:
    """A lost attempt's deadline is waited for, a failure is repeated, and the effect is one."""
    real_time(bench)
    failures: list[Exception] = [ToolUnavailable("down")]

    def behave(point: str) -> None:
        if point == "before" and failures:
            raise failures.pop()

    bench.shop.behave = behave
    async with working(server, bench.gateway(bench.tool("reconciling"))) as (client, queue):
        await bench.lost_claim(bench.call(), seconds=0.3)
        outcome = await client.execute_workflow(
            OneCall.run, bench.call(), id=f"one-{uuid4().hex}", task_queue=queue
        )
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert len(bench.shop.paid) == 1
    assert (await bench.row()).token == 3


async def test_a_cancelled_run_reaches_the_tool(bench: Bench, server: Client) -> None:
    """Temporal's cancellation comes with a heartbeat; the row is settled before the run ends."""
    real_time(bench)
    begun = asyncio.Event()

    async def behave(point: str) -> None:
        if point == "after":
            begun.set()
            await asyncio.Event().wait()

    bench.shop.behave = behave
    made = bench.tool("reconciling", timeout_seconds=30)
    async with working(server, bench.gateway(made)) as (client, queue):
        handle = await client.start_workflow(
            OneCall.run, bench.call(), id=f"one-{uuid4().hex}", task_queue=queue
        )
        await begun.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    row = await bench.row()
    assert (row.state, row.result) == (LedgerState.DONE, {"paid": 7})
