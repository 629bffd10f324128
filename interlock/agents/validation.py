"""What a graph may not use inside a workflow, refused when the agent is registered."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel

from interlock.errors import ConfigError, UnsupportedInWorkflow
from interlock.tools import Tool
from interlock.workflows import ids

_PURE_STOCK_TOOLS = ("langchain.agents.middleware.todo",)
"""Modules of stock tools that only change graph state."""

_CHECKED_PACKAGES = (*ids.LIBRARIES, "interlock")
"""Their modules need no check: `ids.install` has seen to them."""


def check_graph(name: str, graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
    """Check a graph and its subgraphs.

    Raises:
        UnsupportedInWorkflow: names the first thing that cannot run in a workflow, and what to use.
        ConfigError: a module of the graph imported a function by name before it was replaced.
    """
    for part in _with_subgraphs(graph):
        _check_pregel(name, part)
        for node_name, node in part.nodes.items():
            _check_node(name, node_name, node)
    for tool in _stock_tools(graph):
        if _module_of(tool) not in _PURE_STOCK_TOOLS:
            raise UnsupportedInWorkflow(
                f"agent {name!r}: tool {tool.name!r} is a stock LangChain tool and would do its work "
                "inside the workflow. Wrap it: interlock.tools.tool(it, effect=...)."
            )
    check_modules(home for function in _functions(graph) for home in _homes(function))


def check_modules(names: Iterable[str]) -> None:
    """Check modules that hold code of a graph, and what they import from their own packages.

    Raises:
        ConfigError: one of them imported a function by name before it had its stand-in.
    """
    found: set[str] = set()
    waiting = sorted(names, reverse=True)
    while waiting:
        name = waiting.pop()
        module, package = sys.modules.get(name), name.partition(".")[0]
        if module is None or name in found or package in _CHECKED_PACKAGES:
            continue
        found.add(name)
        for function in ids.real_names(module):
            raise ConfigError(
                f"module {name!r} imported {function!r} before Interlock was imported, so a replay "
                "would draw another id. Write 'import uuid' and call 'uuid.uuid4()', or import "
                "'interlock.agents' before that module."
            )
        homes = {home for value in list(vars(module).values()) for home in _homes(value)}
        waiting += sorted(home for home in homes if home.partition(".")[0] == package)


def tools_of(graph: CompiledStateGraph[Any, Any, Any, Any]) -> list[Tool]:
    """Return the Interlock tools of every `ToolNode` of a graph."""
    return [tool for tool in _all_tools(graph) if isinstance(tool, Tool)]


def _check_pregel(name: str, graph: Pregel[Any, Any, Any, Any]) -> None:
    if graph.interrupt_before_nodes or graph.interrupt_after_nodes:
        raise UnsupportedInWorkflow(
            f"agent {name!r}: interrupt_before and interrupt_after stop a run without a question. "
            "Call interrupt() in a node, or let the policy ask before a tool."
        )
    if graph.cache is not None or graph.cache_policy is not None:
        raise UnsupportedInWorkflow(
            f"agent {name!r}: LangGraph's cache would answer a second, equal request without a "
            "person. Remove 'cache'."
        )
    delta = [key for key, channel in graph.channels.items() if isinstance(channel, DeltaChannel)]
    if delta:
        raise UnsupportedInWorkflow(
            f"agent {name!r}: channel {delta[0]!r} is a DeltaChannel, which needs every checkpoint; "
            "a run keeps the newest. Use a plain reducer."
        )


def _check_node(name: str, node_name: str, node: Any) -> None:
    for attribute, instead in (
        ("retry_policy", "the retries of tools, models and activity nodes"),
        ("cache_policy", "nothing: a cached node would skip its effects"),
        ("timeout", "the timeouts of tools, models and activity nodes"),
    ):
        if getattr(node, attribute, None):
            raise UnsupportedInWorkflow(
                f"agent {name!r}: node {node_name!r} has a LangGraph {attribute}, which reads the "
                f"clock inside the workflow. Use {instead}."
            )


def _with_subgraphs(graph: Pregel[Any, Any, Any, Any]) -> Iterator[Pregel[Any, Any, Any, Any]]:
    yield graph
    for _, subgraph in graph.get_subgraphs(recurse=True):
        if isinstance(subgraph, Pregel):
            yield subgraph


def _all_tools(graph: Pregel[Any, Any, Any, Any]) -> Iterator[BaseTool]:
    for part in _with_subgraphs(graph):
        for node in part.nodes.values():
            if isinstance(node.bound, ToolNode):
                yield from node.bound.tools_by_name.values()


def _stock_tools(graph: Pregel[Any, Any, Any, Any]) -> list[BaseTool]:
    return [tool for tool in _all_tools(graph) if not isinstance(tool, Tool)]


def _functions(graph: Pregel[Any, Any, Any, Any]) -> Iterator[Any]:
    for part in _with_subgraphs(graph):
        runnables = [node.bound for node in part.nodes.values()]
        if isinstance(part, CompiledStateGraph):
            branches = part.builder.branches.values()
            runnables += [branch.path for named in branches for branch in named.values()]
        for runnable in runnables:
            for attribute in ("afunc", "func"):
                yield getattr(runnable, attribute, None)


def _homes(value: Any) -> set[str]:
    """Return the names of the modules that a module, a function or a class comes from."""
    while isinstance(value, functools.partial | MethodType):
        value = value.func if isinstance(value, functools.partial) else value.__func__
    if isinstance(value, ModuleType):
        return {value.__name__}
    if isinstance(value, FunctionType):  # a decorated one belongs to two modules
        return {str(value.__module__), str(value.__globals__.get("__name__"))}
    return {value.__module__} if isinstance(value, type) else set()


def _module_of(tool: BaseTool) -> str:
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    return str(getattr(function, "__module__", type(tool).__module__))
