"""One call of a function: its deadline, its cancellation, its thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from interlock.errors import ToolUnavailable
from interlock.tools.calling import CallEnded, Caller

CURRENT: contextvars.ContextVar[str] = contextvars.ContextVar("current")


async def double(number: int) -> int:
    """Double."""
    return 2 * number


class Doubler:
    """An object with an async call."""

    async def __call__(self, number: int) -> int:
        return 2 * number


@pytest.mark.parametrize("function", [double, Doubler(), partial(double)])
async def test_async_functions_run_on_the_loop(function: object) -> None:
    """Functions, objects and partials are called and awaited."""
    assert await Caller().call(function, {"number": 2}, 5) == 4  # type: ignore[arg-type]


async def test_sync_functions_run_in_a_thread_with_the_context() -> None:
    """A blocking function does not block the loop, and sees the caller's context variables."""
    CURRENT.set("mine")

    def where() -> tuple[str, bool]:
        return CURRENT.get(), threading.current_thread() is threading.main_thread()

    assert await Caller().call(where, {}, 5) == ("mine", False)


async def test_what_the_function_raises_is_raised() -> None:
    """Errors come through unchanged, from the loop and from a thread."""

    async def fail() -> None:
        raise LookupError("here")

    def fail_in_thread() -> None:
        raise LookupError("there")

    with pytest.raises(LookupError, match=r"^here$"):
        await Caller().call(fail, {}, 5)
    with pytest.raises(LookupError, match=r"^there$"):
        await Caller().call(fail_in_thread, {}, 5)


async def test_a_call_is_cancelled_at_its_deadline() -> None:
    """The function sees the cancellation, and the call is over when the error is raised."""
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    with pytest.raises(CallEnded, match=r"no answer within 0.01 s") as caught:
        await Caller().call(wait, {}, 0.01)
    assert not caught.value.still_running
    assert seen == ["cleaned up"]


async def test_an_answer_given_while_cleaning_up_counts() -> None:
    """A function that was asked to end and still answers has answered."""

    async def finish() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "just in time"
        return "never"

    assert await Caller().call(finish, {}, 0.01) == "just in time"


async def test_sync_calls_do_not_wait_for_each_other() -> None:
    """However many hang, the next one begins at once: here each waits for all the others."""
    count = 40  # more than the loop's own pool ever holds
    together = threading.Barrier(count)
    calls = (Caller().call(together.wait, {}, 20) for _ in range(count))
    assert sorted(await asyncio.gather(*calls)) == list(range(count))


def test_a_sync_call_needs_no_thread_of_the_loop() -> None:
    """Other rooms' work in the loop's pool delays no tool: a call's time begins with the call."""
    release = threading.Event()

    async def call_beside_busy_pool() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, release.wait)
        try:
            return str(await Caller().call("x".upper, {}, 5))
        finally:
            release.set()
            await busy

    with asyncio.Runner() as runner:
        assert runner.run(call_beside_busy_pool()) == "X"


async def test_a_call_without_a_thread_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the system gives no thread, nothing has begun, and the error says so."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    begun: list[str] = []

    def begin() -> None:
        begun.append("begun")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ToolUnavailable, match="can't start new thread"):
            await Caller().call(begin, {}, 5)
    assert begun == []


async def test_a_thread_that_runs_on_is_told_of() -> None:
    """Nobody can stop a thread: its effect may still come."""
    release = threading.Event()
    with pytest.raises(CallEnded) as caught:
        await Caller().call(release.wait, {}, 0.01)
    release.set()
    assert caught.value.still_running


async def test_a_task_that_does_not_end_is_told_of() -> None:
    """A function that swallows its cancellation does not hold the call up."""
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise LookupError("nobody waits for this")

    with pytest.raises(CallEnded) as caught:
        await Caller().call(stubborn, {}, 0.01)
    release.set()
    assert caught.value.still_running


async def test_stop_ends_the_running_call() -> None:
    """A request to stop cancels the function long before its deadline."""
    caller, begun = Caller(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.ensure_future(caller.call(wait, {}, 60))
    await begun.wait()
    assert not caller.stopping
    caller.stop()
    with pytest.raises(CallEnded, match="it was cancelled"):
        await running
    assert caller.stopping


async def test_a_function_that_cancels_itself_is_no_cancellation_of_the_caller() -> None:
    """CancelledError from inside a tool is an answer that did not come."""

    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CallEnded, match="it was cancelled"):
        await Caller().call(give_up, {}, 5)
