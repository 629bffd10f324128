"""What a graph may not use inside a workflow, refused when the agent is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel

from interlock.errors import UnsupportedInWorkflow
from interlock.tools import Tool

_PURE_STOCK_TOOLS = ("langchain.agents.middleware.todo",)
"""Modules of stock tools that only change graph state."""


def check_graph(name: str, graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
    """Check a graph and its subgraphs.

    Raises:
        UnsupportedInWorkflow: names the first thing that cannot run in a workflow, and what to use.
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


def _module_of(tool: BaseTool) -> str:
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    return str(getattr(function, "__module__", type(tool).__module__))
