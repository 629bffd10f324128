"""The board asks only what has changed, forgets nothing that it was told, and says when it is old."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock.approvals.contract import ApprovalRequest
from interlock.errors import InterlockError, NoWorker, RunFinished, TemporalUnreachable
from interlock.inbox.board import Board, in_order
from interlock.runs.contract import WaitingRun
from interlock.tools.contract import Risk

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _request(name: str, hours: int = 1) -> ApprovalRequest:
    return ApprovalRequest(
        id=name,
        digest="d",
        why="",
        risk=Risk.LOW,
        agent="a",
        tenant="t",
        requested_at=NOON,
        expires_at=NOON + timedelta(hours=hours),
    )


class FakeRuns:
    """Runs that wait, as a test says: `memos` is what visibility has, `asked` what a run answers."""

    def __init__(self) -> None:
        self.memos: dict[str, tuple[str, ...]] = {}
        self.answers: dict[str, tuple[ApprovalRequest, ...] | InterlockError] = {}
        self.asked: list[str] = []
        self.slow: dict[str, asyncio.Event] = {}
        self.down: InterlockError | None = None
        self.reached = asyncio.Event()
        """Set when a slow run is asked, and when a server that is down is."""

    def let_wait(self, workflow_id: str, *requests: ApprovalRequest) -> None:
        """Have a run wait for some requests."""
        self.memos[workflow_id] = tuple(request.id for request in requests)
        self.answers[workflow_id] = requests

    async def waiting(self) -> list[WaitingRun]:
        """Answer for Temporal's visibility store."""
        if self.down is not None:
            self.reached.set()
            raise self.down
        return [
            WaitingRun(workflow_id=name, run_id="r", pending=pending)
            for name, pending in self.memos.items()
        ]

    async def pending(self, workflow_id: str) -> tuple[ApprovalRequest, ...]:
        """Answer for one run."""
        self.asked.append(workflow_id)
        answer = self.answers[workflow_id]
        if workflow_id in self.slow:
            self.reached.set()
            await self.slow[workflow_id].wait()
        if isinstance(answer, InterlockError):
            raise answer
        return answer


@pytest.fixture
def runs() -> FakeRuns:
    """Give runs."""
    return FakeRuns()


@pytest.fixture
def board(runs: FakeRuns) -> Board:
    """Give a board that follows them."""
    made: Any = runs
    return Board(made, refresh_seconds=0.01)


async def _names(board: Board) -> list[str]:
    return [item.request.id for item in await board.items()]


async def test_a_run_is_asked_when_its_requests_have_changed(board: Board, runs: FakeRuns) -> None:
    """And not again while they have not, however often the board looks."""
    runs.let_wait("one", _request("a", 3), _request("b", 1))
    runs.let_wait("two", _request("c", 2))
    assert await _names(board) == ["b", "c", "a"]
    await board.refresh()
    assert sorted(runs.asked) == ["one", "two"]
    version = board.version
    runs.let_wait("two", _request("c", 2), _request("d", 4))
    del runs.memos["one"]
    await board.refresh()
    assert await _names(board) == ["c", "d"]
    assert sorted(runs.asked) == ["one", "two", "two"]
    assert await board.changed(version) == board.version


async def test_what_was_decided_meanwhile_does_not_come_back(board: Board, runs: FakeRuns) -> None:
    """A run is asked, and before it answers it is asked again: the later answer stays."""
    runs.let_wait("one", _request("a"))
    await board.refresh()
    runs.let_wait("one", _request("a"), _request("b"))
    runs.slow["one"] = asyncio.Event()
    looking = asyncio.create_task(board.refresh())
    await runs.reached.wait()
    slow = runs.slow.pop("one")
    runs.answers["one"] = (_request("b"),)
    await board.look_at("one")
    assert await _names(board) == ["b"]
    slow.set()
    await looking
    assert await _names(board) == ["b"]
    assert board.find("one", "a") is None
    assert board.find("one", "b") is not None


async def test_a_run_that_has_ended_leaves_the_board(board: Board, runs: FakeRuns) -> None:
    """Whoever looks learns it, before visibility does."""
    runs.let_wait("one", _request("a"))
    await board.refresh()
    runs.answers["one"] = RunFinished("over")
    await board.look_at("one")
    assert await _names(board) == []
    await board.refresh()
    assert await _names(board) == []


async def test_without_a_worker_the_list_says_that_it_is_old(board: Board, runs: FakeRuns) -> None:
    """What was known stays, nobody waits for every run, and it mends itself."""
    runs.let_wait("known", _request("a"))
    await board.refresh()
    for number in range(50):
        runs.let_wait(f"new-{number}", _request(f"n{number}"))
        runs.answers[f"new-{number}"] = NoWorker(f"nobody polls for run 'new-{number}'")
    await board.refresh()
    assert await _names(board) == ["a"]
    assert board.trouble is not None
    assert "new-" not in board.trouble.message  # whose run that is, not everybody may know
    assert len(runs.asked) < 20
    for number in range(50):
        runs.answers[f"new-{number}"] = (_request(f"n{number}"),)
    await board.refresh()
    assert len(await _names(board)) == 51
    assert board.trouble is None


async def test_a_server_that_is_away_is_asked_again(board: Board, runs: FakeRuns) -> None:
    """Following goes on, and the board says what is wrong until it is not any more."""
    runs.let_wait("one", _request("a"))
    await board.refresh()
    version = board.version
    runs.down = TemporalUnreachable("no server")
    following = asyncio.create_task(board.follow())
    await runs.reached.wait()
    assert board.trouble is not None
    assert await _names(board) == ["a"]
    runs.down = None
    runs.let_wait("two", _request("b"))
    await board.changed(version)
    assert board.trouble is None
    following.cancel()
    await asyncio.wait([following])


async def test_a_closed_board_keeps_nobody_waiting(board: Board) -> None:
    """Open streams end when the inbox stops."""
    waiting = asyncio.create_task(board.changed(board.version))
    await asyncio.sleep(0)
    await board.close()
    assert await waiting == board.version


async def test_of_many_runs_nobody_waits_for_the_last(board: Board, runs: FakeRuns) -> None:
    """Who asks while the first look goes on gets what is known so far, and is told that it is part."""
    for number in range(120):
        runs.let_wait(f"run-{number}", _request(f"r{number}"))
    runs.slow["run-110"] = asyncio.Event()
    looking = asyncio.create_task(board.refresh())
    await asyncio.sleep(0)
    assert len(await board.items()) == 100
    assert board.trouble is not None
    assert "20 of the runs that wait are not read yet" in board.trouble.message
    runs.slow["run-110"].set()
    await looking
    assert (len(await board.items()), board.trouble) == (120, None)


async def test_who_waits_for_a_look_that_fails_is_told(board: Board, runs: FakeRuns) -> None:
    """Both who looks and who waited for it, and the next one is told what there is."""
    runs.down = TemporalUnreachable("no server")
    found = await asyncio.gather(board.items(), board.items(), return_exceptions=True)
    assert [type(item) for item in found] == [TemporalUnreachable] * 2
    runs.down = None
    assert await board.items() == ()


async def test_what_was_decided_is_listed_no_more(board: Board, runs: FakeRuns) -> None:
    """At once, without a question to its run; what that asks next comes with the next look."""
    runs.let_wait("one", _request("a"), _request("b"))
    await board.refresh()
    asked = len(runs.asked)
    await board.take_off("one", "a")
    await board.refresh()  # visibility has not heard of it
    assert await _names(board) == ["b"]
    await board.take_off("another", "a")
    assert len(runs.asked) == asked
    runs.let_wait("one", _request("b"), _request("c"))
    await board.refresh()
    assert await _names(board) == ["b", "c"]


async def test_a_list_that_is_not_whole_says_so(board: Board, runs: FakeRuns) -> None:
    """A run that cannot say what it asks is missing, which everybody is told; it is asked again."""
    runs.let_wait("one", _request("r1"))
    runs.let_wait("two", _request("r2"))
    runs.answers["two"] = InterlockError("its worker has no such agent")
    await board.refresh()
    assert await _names(board) == ["r1"]
    assert board.trouble is not None
    assert "1 of the runs that wait does not say" in board.trouble.message
    assert "two" not in board.trouble.message  # whose run that is, not everybody may know
    runs.let_wait("two", _request("r2"))
    await board.refresh()
    assert await _names(board) == ["r1", "r2"]
    assert board.trouble is None


def _asked(runs: FakeRuns, workflow_id: str) -> tuple[ApprovalRequest, ...]:
    answer = runs.answers[workflow_id]
    assert not isinstance(answer, InterlockError)
    return answer


async def test_of_many_requests_each_has_its_place(board: Board, runs: FakeRuns) -> None:
    """What expires first comes first, whatever comes, changes and goes, in whatever order."""
    drawn, gone = random.Random(7), set[str]()
    for step in range(40):
        for number in drawn.sample(range(30), 8):
            hours = [drawn.randint(1, 9) for _ in range(drawn.randint(0, 3))]
            requests = [_request(f"{step}-{number}-{n}", hour) for n, hour in enumerate(hours)]
            runs.let_wait(f"run-{number}", *requests)
        for number in drawn.sample(range(30), 2):
            runs.memos.pop(f"run-{number}", None)
        await board.refresh()
        taken = drawn.choice(await board.items())
        await board.take_off(taken.workflow_id, taken.request.id)
        gone.add(taken.request.id)
        waiting = {request.id for name in runs.memos for request in _asked(runs, name)}
        items = await board.items()
        assert sorted(item.request.id for item in items) == sorted(waiting - gone)
        assert list(items) == sorted(items, key=in_order)
