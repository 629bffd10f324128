"""Answers that doors gave inside a superstep, kept until the superstep is over.

LangGraph runs a node from its top again when `interrupt()` in it is answered. The calls that the
node made before the interrupt are then the same logical calls: their recorded answers are
returned and nothing is called again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from langgraph.config import get_config

from interlock.errors import InterlockError

_Answer = TypeVar("_Answer")


class Recorder:
    """Gives each call of a node its logical identity, and remembers the answer."""

    def __init__(self, admit: Callable[[], None]) -> None:
        """Remember nothing yet; `admit` raises when no call may be made any more."""
        self._admit = admit
        self._answers: dict[tuple[str, str], Any] = {}
        self._errors: dict[tuple[str, str], InterlockError] = {}
        self._next: dict[tuple[str, str], int] = {}

    def begin_pass(self) -> None:
        """Count calls from zero again: the graph is about to run, or to run on after an answer."""
        self._next.clear()

    def end_superstep(self) -> None:
        """Forget everything: the tasks of this superstep are over."""
        self._answers.clear()
        self._errors.clear()
        self._next.clear()

    def identify(self, door: str) -> str:
        """Return the identity of the running node's next call through `door`.

        It is '<LangGraph task id>:<index>': equal when the task runs again after an interrupt.
        """
        task = _task_id()
        index = self._next.get((door, task), 0)
        self._next[(door, task)] = index + 1
        return f"{task}:{index}"

    async def once(
        self, door: str, identity: str, call: Callable[[], Awaitable[_Answer]], *, keep_errors: bool
    ) -> _Answer:
        """Return the recorded answer of a logical call, or make the call and record its answer.

        Args:
            door: Name of the door.
            identity: The logical call, from `identify` or a tool call id.
            call: Makes the call.
            keep_errors: Whether an error is an answer too. It is for a call that is known by its
                place in the node, and is not for a tool call id, which a middleware may try again.

        Raises:
            CancelledError: the run is cancelled.
        """
        self._admit()
        key = (door, identity)
        if key in self._answers:
            answer: _Answer = self._answers[key]
            return answer
        if key in self._errors:
            raise self._errors[key]
        try:
            made = await call()
        except InterlockError as error:
            if keep_errors:
                self._errors[key] = error
            raise
        self._answers[key] = made
        return made


def current_node() -> str:
    """Return the name of the graph node that runs now, or '' outside a node."""
    return str(_config().get("metadata", {}).get("langgraph_node", ""))


def _task_id() -> str:
    return str(_config().get("configurable", {}).get("__pregel_task_id", "start"))


def _config() -> Any:
    try:
        return get_config()
    except RuntimeError:  # LangGraph's way of saying: not inside a node
        return {}
