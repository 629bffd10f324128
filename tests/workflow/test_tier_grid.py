"""Every combination of tiers, quorum, deadline, default and reminders, by the server's clock.

What has to happen when is worked out here from the numbers of a combination alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, timedelta

import pytest
import pytest_asyncio
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.proofs import write_proof
from tests.workflow.people import SIGNED, decide, paying, person
from tests.workflow.skipping import forgotten_runs, skipping_server
from tests.workflow.tiered import GRID, Terms

pytestmark = forgotten_runs

Happened = list[tuple[str, int]]
"""What became of a request, and in which second after it was put."""

MOST_REMINDERS = 20
KINDS = ("nobody", "last", "nobody of all", "last of all")
SAMPLE = range(0, len(GRID), 11)
"""Of the combinations, one of each value at least."""
OUTCOMES = {"reminder": "reminded", "escalation": "escalated"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock jumps to the next timer when it is told to."""
    async with skipping_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(
    server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WorkerEnv]:
    """A deployment that asks on the terms of the grid."""
    folder = tmp_path_factory.mktemp("grid")
    names = [f"{kind}-{number:03}" for kind in KINDS for number in range(len(GRID))]
    conversations = {name: paying(name, int(name.rpartition("-")[2])) for name in names}
    async with worker_env(
        server.client,
        folder,
        agents=[shopper()],
        script={"conversations": conversations},
        approvals={**SIGNED, "policy": "tests.workflow.tiered:tiered"},
    ) as running:
        yield running


def deadlines(terms: Terms) -> list[int]:
    """The seconds in which each tier's time is over."""
    found, until = [], 0
    for place in range(terms.tiers):
        until += terms.deadline * 2**place
        found.append(until)
    return found


def while_it_waits(terms: Terms) -> Happened:
    """What happens before the last tier's time is over, when nobody says a word."""
    ends = deadlines(terms)
    starts = [0, *ends[:-1]]
    reminders = [
        second
        for start, end in zip(starts, ends, strict=True)
        for second in range(start + terms.reminder, end, terms.reminder or end + 1)
        if terms.reminder
    ]
    told = [(second, "reminder") for second in reminders[:MOST_REMINDERS]]
    moved = [(second, "escalation") for second in ends[:-1]]
    return [(what, second) for second, what in sorted([*told, *moved])]


async def started(env: WorkerEnv, kind: str, number: int) -> tuple[Handle, ApprovalRequest]:
    """A run that waits on the terms of a combination."""
    handle = await env.start("shopper", f"{kind}-{number:03}", lasts=timedelta(days=400))
    while not (found := await env.open_requests(handle)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # a query cannot be awaited
    return handle, found[0]


async def fired(handle: Handle, request: ApprovalRequest) -> Happened:
    """Which timers of a run fired, and in which second after its request was put."""
    found: Happened = []
    summaries: dict[int, str] = {}
    async for event in handle.fetch_history_events():
        if event.HasField("timer_started_event_attributes"):
            (text,) = await DataConverter.default.decode([event.user_metadata.summary])
            summaries[event.event_id] = text.partition(" ")[0]
        if event.HasField("timer_fired_event_attributes"):
            at = event.event_time.ToDatetime(UTC) - request.requested_at
            what = summaries[event.timer_fired_event_attributes.started_event_id]
            found.append((what, round(at.total_seconds())))
    return found


async def outcomes(env: WorkerEnv, handle: Handle) -> list[str]:
    """What the audit store has of a run's request."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    return [event.outcome for event in events]


async def nobody_decides(
    env: WorkerEnv, server: WorkflowEnvironment, kind: str, numbers: Sequence[int]
) -> int:
    """Let all times be over, and return how many timers were in their seconds: all of them."""
    runs = [await started(env, kind, number) for number in numbers]
    await server.sleep(timedelta(seconds=max(deadlines(GRID[n])[-1] for n in numbers) + 60))
    timers = 0
    for number, (handle, request) in zip(numbers, runs, strict=True):
        await env.result(handle)
        terms = GRID[number]
        expected = [*while_it_waits(terms), ("deadline", deadlines(terms)[-1])]
        assert await fired(handle, request) == expected, terms
        timers += len(expected)
        default = ["approve"] if terms.default == "allow" else []
        said = [OUTCOMES[what] for what, _ in expected[:-1]]
        assert await outcomes(env, handle) == ["requested", *said, "expired", *default], terms
        paid = [number] if terms.default == "allow" else []
        assert PAID[f"{kind}-{number:03}"] == paid, terms
    return timers


async def last_tier_decides(
    env: WorkerEnv, server: WorkflowEnvironment, kind: str, numbers: Sequence[int]
) -> int:
    """Let the last tier decide in its last half minute, and return how many people had to."""
    runs = {number: await started(env, kind, number) for number in numbers}
    asked = 0
    for number in sorted(numbers, key=lambda number: runs[number][1].expires_at):
        terms, (handle, request) = GRID[number], runs[number]
        left = request.expires_at - timedelta(seconds=30) - await server.get_current_time()
        await server.sleep(max(left, timedelta()))
        if terms.tiers > 1:
            early = await decide(handle, request, person("p9", "r0"))
            assert early.code == "NOT_A_REVIEWER", terms
        people = [person(f"p{place}", f"r{terms.tiers - 1}") for place in range(terms.quorum)]
        missing = [(await decide(handle, request, who)).missing for who in people]
        assert missing == list(reversed(range(terms.quorum))), terms
        asked += terms.quorum
        await env.result(handle)
        assert PAID[f"{kind}-{number:03}"] == [number], terms
        told = await fired(handle, request)
        assert told == while_it_waits(terms)[: len(told)], terms
        assert sum(what == "escalation" for what, _ in told) == terms.tiers - 1
        said, votes = [OUTCOMES[what] for what, _ in told], ["voted"] * (terms.quorum - 1)
        assert await outcomes(env, handle) == ["requested", *said, *votes, "approve"], terms
        await env.replay(handle)
    return asked


async def test_nobody_decides(env: WorkerEnv, server: WorkflowEnvironment) -> None:
    """Reminders, escalations and the default are in their seconds, and the default is what holds."""
    assert await nobody_decides(env, server, "nobody", SAMPLE) > 2 * len(SAMPLE)


async def test_the_last_tier_decides_before_its_time_is_over(
    env: WorkerEnv, server: WorkflowEnvironment
) -> None:
    """Only the people of the last tier count then, and as many of them as are needed; it is paid once."""
    assert await last_tier_decides(env, server, "last", SAMPLE) > len(SAMPLE)


@pytest.mark.proof
async def test_every_combination(env: WorkerEnv, server: WorkflowEnvironment) -> None:
    """The same of all of them."""
    whole = range(len(GRID))
    timers = await nobody_decides(env, server, "nobody of all", whole)
    people = await last_tier_decides(env, server, "last of all", whole)
    found = {
        "combinations": len(GRID),
        "of": "tiers, quorum, deadline, default and reminders: tests/workflow/tiered.py",
        "runs": 2 * len(GRID),
        "timers_in_their_second": timers,
        "approvals_of_the_last_tier": people,
    }
    write_proof("tiers", found, seeds=[])
