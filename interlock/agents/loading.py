"""Loads the agents, tools and workflows that settings name, without the I/O of an application.

A replay needs nothing more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from interlock.agents.spec import Agent
from interlock.agents.validation import check_modules
from interlock.errors import ConfigError
from interlock.registry import load, load_all
from interlock.settings import Settings
from interlock.tools.definition import Tool
from interlock.workflows.runtime import Observer, Runtime

_PASSED_THROUGH = (
    "annotated_types",
    "jsonschema",
    "langchain",
    "langchain_core",
    "langgraph",
    "langsmith",
    "pydantic",
    "pydantic_core",
    "rfc8785",
)


def load_runtime(
    settings: Settings,
    *,
    agents: Sequence[Agent] = (),
    tools: Sequence[Tool] = (),
    observer: Observer | None = None,
) -> Runtime:
    """Return the deployment's agents and tools, by name.

    Args:
        settings: What names them.
        agents: Agents beside those that are named.
        tools: Tools beside those that are named and those that agents bring along.
        observer: Called after every superstep; for the replay debugger.

    Raises:
        ConfigError: something named is missing, of another kind, or there twice.
    """
    _see_project(settings)
    found_agents: dict[str, Agent] = {}
    for item in [*load_all(settings.agents, "interlock.agents"), *agents]:
        if not isinstance(item, Agent):
            raise ConfigError(f"'agents' names a {type(item).__name__}. Make it with `agent(...)`.")
        if found_agents.setdefault(item.name, item) is not item:
            raise ConfigError(f"two agents are named {item.name!r}. Rename one.")
    check_modules(_modules_named(settings.agents, "interlock.agents"))
    brought = [tool for item in found_agents.values() for tool in item.tools]
    found_tools: dict[str, Tool] = {}
    for item in [*load_all(settings.tools, "interlock.tools"), *tools, *brought]:
        if not isinstance(item, Tool):
            raise ConfigError(f"'tools' names a {type(item).__name__}. Make it with `@tool(...)`.")
        if found_tools.setdefault(item.name, item) is not item:
            raise ConfigError(f"two tools are named {item.name!r}. Rename one (`name=`).")
    return Runtime(found_agents, found_tools, observer)


def load_workflows(settings: Settings) -> list[type]:
    """Return the deployment's own workflows.

    Raises:
        ConfigError: something named is missing or is no workflow class.
    """
    _see_project(settings)
    found = [load(reference) for reference in settings.workflows]
    for reference, item in zip(settings.workflows, found, strict=True):
        if not hasattr(item, "__temporal_workflow_definition"):
            raise ConfigError(
                f"'workflows' names {reference!r}, which is no workflow. Name classes that have "
                "`@workflow.defn`."
            )
    return found


def graph_modules(settings: Settings) -> tuple[str, ...]:
    """Return the top packages of agents and tools, which a worker loads once for all runs."""
    modules = [
        *_modules_named(settings.agents, "interlock.agents"),
        *_modules_named(settings.tools, "interlock.tools"),
    ]
    return tuple(sorted({module.partition(".")[0] for module in modules}))


def sandbox(settings: Settings) -> SandboxedWorkflowRunner:
    """Return the sandbox in which workflows run, in a worker and in a replay.

    Libraries and graph modules are passed through: they are loaded once and not for every run.
    """
    modules = (*_PASSED_THROUGH, *graph_modules(settings))
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*modules)
    )


def _modules_named(references: Sequence[str], group: str) -> list[str]:
    offered = [point.value for point in entry_points(group=group)]
    return [reference.partition(":")[0] for reference in [*references, *offered]]


def _see_project(settings: Settings) -> None:
    folder = str(settings.project_dir.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
