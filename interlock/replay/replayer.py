"""Replays a recorded run against today's code: does it take the same path, and if not, where?"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime as TemporalRuntime
from temporalio.runtime import TelemetryConfig
from temporalio.worker import (
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowRunner,
)

from interlock import __version__
from interlock.activations import WatchedRunner, Watcher
from interlock.agents.loading import load_runtime, load_workflows, sandbox
from interlock.agents.spec import Agent
from interlock.errors import ConfigError
from interlock.replay.comparison import Comparison, Divergence
from interlock.replay.history import History
from interlock.settings import Settings
from interlock.tools.definition import Tool
from interlock.workflows.agent import AgentWorkflow
from interlock.workflows.runtime import Runtime, RuntimeInterceptor

_SETTLED = 0.05
"""Seconds after a replay. The SDK's threads let go of the interpreter a moment after their last
answer; a process that ends before that is aborted (seen in one of ten on a busy machine)."""

_BUILD_ID = f"interlock-{__version__}"
"""The SDK's default hashes the bytecode of every loaded module: seconds for each start."""


@dataclass(frozen=True)
class Code:
    """What a run is replayed against: agents, tools and workflows, without their I/O."""

    runtime: Runtime
    workflows: tuple[type, ...]
    """`AgentWorkflow` and the deployment's own."""
    runner: WorkflowRunner
    """Runs workflows as the deployment's workers do; those that ask for no sandbox have none."""


class ReplayReport(BaseModel):
    """What a replay found."""

    model_config = ConfigDict(frozen=True)

    workflow_id: str
    run_id: str
    events: int
    """Length of the recorded history."""
    commands: int
    """Commands of today's code that had a recorded counterpart."""
    same_path: bool
    """Whether today's code gives the recorded commands in the recorded order."""
    divergences: tuple[Divergence, ...] = ()
    """Every difference up to the point where the path is left, in order."""

    @property
    def divergence(self) -> Divergence | None:
        """The first difference: of the path, or of what a command carries."""
        return self.divergences[0] if self.divergences else None


def load_code(
    settings: Settings,
    *,
    agents: Sequence[Agent] = (),
    tools: Sequence[Tool] = (),
    workflows: Sequence[type] = (),
) -> Code:
    """Load what a deployment's settings name, and what is given beside it.

    Raises:
        ConfigError: something named is missing, of another kind, or there twice.
    """
    return Code(
        runtime=load_runtime(settings, agents=agents, tools=tools),
        workflows=(AgentWorkflow, *load_workflows(settings), *workflows),
        runner=sandbox(settings),
    )


async def replay(history: History, code: Code) -> ReplayReport:
    """Replay a run and report the first difference, if there is one.

    Raises:
        ConfigError: the run is of a workflow that the deployment does not have.
    """
    comparison = Comparison(history.events)
    await run_again(history, code, comparison)
    return report(history, comparison)


def report(history: History, comparison: Comparison) -> ReplayReport:
    """Return what a comparison found in a history."""
    found = tuple(comparison.divergences)
    return ReplayReport(
        workflow_id=history.workflow_id,
        run_id=history.run_id,
        events=len(history.events),
        commands=comparison.compared,
        same_path=all(item.kind != "path" for item in found),
        divergences=found,
    )


async def run_again(
    history: History,
    code: Code,
    comparison: Comparison,
    watcher: Watcher | None = None,
    *,
    debug: bool = False,
) -> None:
    """Run the code through a history once, watched.

    Args:
        history: What was recorded.
        code: What runs.
        comparison: Told of what Temporal finds.
        watcher: Told of every activation; the comparison by default.
        debug: Run in this thread and wait for the code however long it takes.

    Raises:
        ConfigError: the run is of a workflow that the deployment does not have.
    """
    _check_type(history, code)
    interceptors: list[Interceptor] = [RuntimeInterceptor(code.runtime)]
    watching = watcher or comparison
    replayer = Replayer(
        workflows=list(code.workflows),
        workflow_runner=WatchedRunner(code.runner, lambda: watching),
        unsandboxed_workflow_runner=WatchedRunner(UnsandboxedWorkflowRunner(), lambda: watching),
        namespace=history.namespace,
        data_converter=pydantic_data_converter,
        interceptors=interceptors,
        runtime=_quiet(),
        build_id=_BUILD_ID,
        debug_mode=debug,
    )
    result = await replayer.replay_workflow(history.to_temporal(), raise_on_replay_failure=False)
    await asyncio.sleep(_SETTLED)
    if result.replay_failure is not None:
        comparison.failed(result.replay_failure)


def _check_type(history: History, code: Code) -> None:
    known = {_name(kind): kind for kind in code.workflows}
    if history.workflow_type not in known:
        raise ConfigError(
            f"the run is of a workflow {history.workflow_type!r}, which this deployment does not "
            f"have. Known: {', '.join(sorted(known))}. Add it to 'workflows' in interlock.toml."
        )


def _name(kind: type) -> str:
    definition = getattr(kind, "__temporal_workflow_definition", None)
    return str(getattr(definition, "name", kind.__name__))


@functools.cache
def _quiet() -> TemporalRuntime:
    """Return a runtime that does not log: a divergence is reported, not printed."""
    return TemporalRuntime(telemetry=TelemetryConfig(logging=None))
