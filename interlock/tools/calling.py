"""One call of a tool's function: in a thread when it is sync, ended at its deadline or on request.

Each sync call has a thread of its own. In a pool it would wait while others hang, and might begin
when nobody counts on it any more; here a call that is not made now is never made. There are as many
threads as calls that run: the worker's activity slots bound them.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from interlock.errors import ToolUnavailable

Function = Callable[..., Any]

_CLEAN_UP_SECONDS = 0.5
"""What a call gets to end by itself once it is asked to."""


class CallEnded(Exception):
    """A call was ended from outside before it had an answer."""

    def __init__(self, why: str, *, still_running: bool, was_cancelled: bool = False) -> None:
        """Say why, and whether its thread or task runs on, so that it may still take effect."""
        super().__init__(why)
        self.still_running = still_running
        self.was_cancelled = was_cancelled


class Caller:
    """Makes calls that one request to stop ends, and no cancellation of the task around it."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether someone asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask the running call to end, and begin no other."""
        self._stop.set()

    async def call(self, function: Function, arguments: dict[str, Any], seconds: float) -> Any:
        """Return what `function` returns.

        Raises:
            CallEnded: it did not answer in time, or was stopped.
            ToolUnavailable: there is no thread for it; it was not called.
            Exception: what `function` raises.
        """
        work, is_thread = _start(function, arguments)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({work, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        ended_itself = work.done()
        if not ended_itself:
            if not is_thread:  # a thread cannot be stopped; it may end in time by itself
                work.cancel()
            await asyncio.wait({work}, timeout=_CLEAN_UP_SECONDS)
        if work.done() and not work.cancelled():
            return work.result()
        work.add_done_callback(_forget)
        was_cancelled = ended_itself or self.stopping
        why = "it was cancelled" if was_cancelled else f"no answer within {seconds:g} s"
        still_running = not work.done()
        raise CallEnded(
            f"{why}, and it still runs" if still_running else why,
            still_running=still_running,
            was_cancelled=was_cancelled,
        )


def _start(function: Function, arguments: dict[str, Any]) -> tuple[asyncio.Future[Any], bool]:
    call = functools.partial(function, **arguments)
    if _is_async(function):
        return asyncio.ensure_future(call()), False
    return asyncio.wrap_future(_in_thread(call)), True


def _in_thread(call: Callable[[], Any]) -> Future[Any]:
    context, future = contextvars.copy_context(), Future[Any]()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer = context.run(call)
        except BaseException as error:  # noqa: BLE001  it is raised to whoever waits
            future.set_exception(error)
        else:
            future.set_result(answer)

    try:
        # A daemon: a call that hangs does not keep the worker from ending.
        threading.Thread(target=run, name="interlock-tool", daemon=True).start()
    except RuntimeError as error:
        raise ToolUnavailable(f"no thread is left to call it in: {error}") from error
    return future


def _is_async(function: Function) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  an object with an async __call__
    )


def _forget(work: asyncio.Future[Any]) -> None:
    if not work.cancelled():
        work.exception()  # an answer nobody waits for is no warning in the log
