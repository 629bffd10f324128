"""`@activity_node`: a graph node that runs as one activity, for code that is not deterministic."""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

from langchain_core.messages import BaseMessage
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command
from temporalio import activity

from interlock.codec import decode, encode
from interlock.errors import ConfigError, UnsupportedInWorkflow
from interlock.heartbeats import heartbeats
from interlock.workflows.contract import NodeCall, NodeTerms

Node = Callable[[Any], Awaitable[Any]]


class NodePort(Protocol):
    """What stands behind every activity node of a run."""

    async def call_node(self, name: str, call: NodeCall, terms: NodeTerms) -> NodeCall:
        """Run the node `name` as one recorded activity.

        Raises:
            GraphFailed: it raised, or did not end in time, so many times.
        """
        ...


_ACTIVITIES: dict[str, Callable[..., Any]] = {}
_OWNERS: dict[str, str] = {}


NODE_PORT: ContextVar[NodePort] = ContextVar("interlock_node_port")
"""The port of the current run; unset outside a workflow, where a node runs in place."""


def activity_node(
    function: Node | None = None,
    *,
    name: str | None = None,
    timeout_seconds: float = 60.0,
    attempts: int = 3,
) -> Any:
    """Make a node run as one activity named `node.<name>`; in plain LangGraph it runs in place.

    The node takes the state and returns an update or a `Command`. Inside it, `interrupt()` and the
    doors are not available: it may be repeated as a whole. Code that blocks for seconds belongs in
    `asyncio.to_thread`: a worker that cannot say that it lives is taken for lost.

    Args:
        function: The async node function.
        name: Name of the node; the function's name by default. Unique in a deployment.
        timeout_seconds: Longest time of one attempt.
        attempts: Attempts before the node fails.

    Raises:
        ConfigError: the function is not async, takes more than the state, or its name is taken.
    """
    if function is None:
        return functools.partial(
            activity_node, name=name, timeout_seconds=timeout_seconds, attempts=attempts
        )
    node_name = name or function.__name__
    _check(function, node_name)
    _ACTIVITIES[node_name] = _activity(node_name, function)
    terms = NodeTerms(timeout_seconds=timeout_seconds, attempts=attempts)

    @functools.wraps(function)
    async def node(state: Any) -> Any:
        port = NODE_PORT.get(None)
        if port is None:
            return await function(state)
        call = NodeCall(value=encode(state))
        answer = await port.call_node(node_name, call, terms)
        return decode(answer.value)

    return node


def node_activities() -> list[Callable[..., Any]]:
    """Return the activities of every `@activity_node` imported so far."""
    return [_ACTIVITIES[name] for name in sorted(_ACTIVITIES)]


def _check(function: Node, name: str) -> None:
    owner = f"{function.__module__}.{function.__qualname__}"
    if not inspect.iscoroutinefunction(function):
        raise ConfigError(f"activity node {name!r} has to be an async function ('async def').")
    if len(inspect.signature(function).parameters) != 1:
        raise ConfigError(f"activity node {name!r} has to take the state and nothing else.")
    if _OWNERS.setdefault(name, owner) != owner:
        raise ConfigError(
            f"activity node {name!r} is defined twice, in {_OWNERS[name]} and {owner}. "
            "Give one of them another 'name'."
        )


def _activity(node_name: str, function: Node) -> Callable[..., Any]:
    @activity.defn(name=f"node.{node_name}")
    async def run(call: NodeCall) -> NodeCall:
        try:
            async with heartbeats():
                update = await function(decode(call.value))
        except GraphBubbleUp as error:
            raise UnsupportedInWorkflow(
                f"activity node {node_name!r} called interrupt(). An activity cannot wait for a "
                "person: call interrupt() in a plain node before or after it."
            ) from error
        return NodeCall(value=encode(_with_ids(update)))

    return run


def _with_ids(update: Any) -> Any:
    """Give every new message its id here, so that the workflow draws none."""
    if isinstance(update, BaseMessage):
        update.id = update.id or str(uuid.uuid4())
    elif isinstance(update, Command):
        _with_ids(update.update)
    elif isinstance(update, dict):
        for item in update.values():
            _with_ids(item)
    elif isinstance(update, list | tuple):
        for item in update:
            _with_ids(item)
    return update
