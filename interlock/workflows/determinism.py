"""What keeps LangGraph's own code deterministic and alive on a workflow's event loop.

Three things are set, each seen to break a run without it (docs/decisions/0002):

* UUIDs come from the workflow's clock and seeded randomness while workflow code runs, so checkpoint,
  task, interrupt and message ids are equal in every replay: see `ids`.
* `run_in_executor` of the workflow's loop runs its function inline, so sync nodes and edges work.
* langsmith's thread hop runs inline too; several stock middlewares need it.

Two ways of streaming are refused instead: `stream_mode="messages"` yields nothing in a workflow and
`astream_events` never ends.

Outside a workflow nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import langsmith
from langchain_core.runnables import Runnable
from langgraph.pregel import Pregel
from temporalio import workflow

from interlock.errors import UnsupportedInWorkflow
from interlock.workflows import ids

_stream = Pregel.astream


def install() -> None:
    """Set the process-wide parts; calling it again changes nothing."""
    ids.install()
    langsmith.set_runtime_overrides(aio_to_thread=_inline_hop)
    if Pregel.astream is not _astream:
        setattr(Pregel, "astream", _astream)  # noqa: B010  mypy takes no assignment to a method
        for kind in (Runnable, Pregel):
            setattr(kind, "astream_events", _refuse_events(kind.astream_events))  # noqa: B010


def enter_workflow() -> None:
    """Prepare the loop and the context of the workflow whose `run` this is called in, once."""
    ids.begin()
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
