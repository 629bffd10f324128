"""What keeps LangGraph's own code deterministic and alive on a workflow's event loop.

Three things are set, each seen to break a run without it (docs/decisions/0002):

* `uuid.uuid4` and LangGraph's `uuid6` answer from the workflow's clock and seeded randomness while
  workflow code runs, so checkpoint, task, interrupt and message ids are equal in every replay.
* `run_in_executor` of the workflow's loop runs its function inline, so sync nodes and edges work.
* langsmith's thread hop runs inline too; several stock middlewares need it.

Two ways of streaming are refused instead: `stream_mode="messages"` yields nothing in a workflow and
`astream_events` never ends.

Outside a workflow nothing changes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from typing import Any

import langgraph.pregel._checkpoint as pregel_checkpoint
import langsmith
from langchain_core.runnables import Runnable
from langgraph.checkpoint.base.id import UUID as SortableUUID  # noqa: N811  LangGraph's own class of version 6 ids
from langgraph.checkpoint.base.id import uuid6 as clock_uuid6
from langgraph.pregel import Pregel
from temporalio import workflow

from interlock.errors import UnsupportedInWorkflow

_UUID_EPOCH = 0x01B21DD213814000
"""100-nanosecond intervals between 1582-10-15 and 1970-01-01."""

_random_uuid4 = uuid.uuid4
_stream = Pregel.astream
_last_tick: ContextVar[list[int]] = ContextVar("interlock_last_tick")


def install() -> None:
    """Set the process-wide parts; calling it again changes nothing."""
    uuid.uuid4 = _uuid4
    vars(pregel_checkpoint)["uuid6"] = _uuid6
    langsmith.set_runtime_overrides(aio_to_thread=_inline_hop)
    if Pregel.astream is not _astream:
        setattr(Pregel, "astream", _astream)  # noqa: B010  mypy takes no assignment to a method
        for kind in (Runnable, Pregel):
            setattr(kind, "astream_events", _refuse_events(kind.astream_events))  # noqa: B010


def enter_workflow() -> None:
    """Prepare the loop and the context of the workflow whose `run` this is called in, once."""
    _last_tick.set([0])
    loop: Any = asyncio.get_running_loop()  # this workflow's own
    loop.run_in_executor = _run_inline


def _astream(graph: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for `Pregel.astream`: the same, but for token streams inside a workflow."""
    asked = kwargs.get("stream_mode")
    modes = [asked] if isinstance(asked, str) else list(asked or [])
    if "messages" in modes and workflow.in_workflow():
        raise UnsupportedInWorkflow(
            "stream_mode='messages' yields nothing inside a workflow: a model call is one recorded "
            "answer. Use 'values' or 'updates'."
        )
    return _stream(graph, *args, **kwargs)


def _refuse_events(method: Callable[..., Any]) -> Callable[..., Any]:
    def astream_events(runnable: Any, *args: Any, **kwargs: Any) -> Any:
        """Stand in for `astream_events`: the same, but inside a workflow."""
        if workflow.in_workflow():
            raise UnsupportedInWorkflow(
                "astream_events waits for ever inside a workflow. Use ainvoke, or astream with "
                "'values' or 'updates'."
            )
        return method(runnable, *args, **kwargs)

    return astream_events


def _run_inline(_executor: object, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    try:
        future.set_result(function(*args))
    except Exception as error:  # noqa: BLE001  the awaiting node gets it, whatever it is
        future.set_exception(error)
    return future


async def _inline_hop(
    default: Callable[..., Awaitable[Any]],
    context: Context,
    function: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    if not workflow.in_workflow():
        return await default(context, function, *args, **kwargs)
    return context.run(function, *args, **kwargs)


def _uuid4() -> uuid.UUID:
    return workflow.uuid4() if _may_draw() else _random_uuid4()


def _may_draw() -> bool:
    """Whether workflow code runs that may use up the workflow's randomness: no query, no validator."""
    return workflow.in_workflow() and not workflow.unsafe.is_read_only()


def _uuid6(node: int | None = None, clock_seq: int | None = None) -> SortableUUID:
    tick = _last_tick.get(None) if _may_draw() else None
    if tick is None:
        return clock_uuid6(node, clock_seq)
    tick[0] = stamp = max(tick[0] + 1, workflow.time_ns() // 100 + _UUID_EPOCH)
    bits = workflow.random().getrandbits
    sequence = (bits(14) if clock_seq is None else clock_seq) & 0x3FFF
    high = (stamp >> 12) & 0xFFFFFFFFFFFF
    value = high << 80 | (stamp & 0xFFF) << 64 | sequence << 48 | bits(48)
    return SortableUUID(int=value, version=6)
