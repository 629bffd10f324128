"""What stands between Temporal and workflow code: somebody who sees each activation.

`InOrderOfHistory` keeps a run away from an order that only a replay has (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]
"""Runs the workflow's code: answers go in, commands come out."""

LATE = (
    "told of a local activity after a query, together with what came later: made again from history"
)


class Watcher(Protocol):
    """Who stands between Temporal and the workflow's code."""

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Call `activate`, or not, and return what Temporal is told; `ended` fails the task."""
        ...


def ended(activation: WorkflowActivation, why: str) -> WorkflowActivationCompletion:
    """Return a completion that fails the workflow task, which ends a replay."""
    completion = WorkflowActivationCompletion(run_id=activation.run_id)
    completion.failed.failure.message = why
    return completion


class WatchedRunner(WorkflowRunner):
    """Runs workflows by another runner, each instance watched.

    Args:
        runner: The other runner.
        watcher: Makes the watcher of an instance.
    """

    def __init__(self, runner: WorkflowRunner, watcher: Callable[[], Watcher]) -> None:
        self._runner = runner
        self._watcher = watcher

    def prepare_workflow(self, defn: Any) -> None:
        """Let the other runner prepare the workflow."""
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        """Tell the other runner which exceptions fail a workflow."""
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return the other runner's instance, watched."""
        return _WatchedInstance(self._runner.create_instance(det), self._watcher())


class _WatchedInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, watcher: Watcher) -> None:
        self._instance = instance
        self._watcher = watcher

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            return self._instance.activate(act)
        return self._watcher.watch(act, self._instance.activate)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()


class InOrderOfHistory:
    """Gives a workflow task back whose order would be another one in a replay.

    When a query is answered while a local activity runs, core may end the workflow task with the
    activity's marker and tell the workflow of its result only in the next task, together with that
    task's signals, updates and results. A replay tells of it in the task of the marker, before them.
    A task that is given back is made again from history, as a replay would. `LATE` is what the
    server keeps as the reason.
    """

    def __init__(self) -> None:
        self._was_asked = False

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Activate, or give the task back before the workflow has seen anything of it."""
        was_asked, self._was_asked = self._was_asked, _is_query(activation)
        if was_asked and not activation.is_replaying and _is_mixed(activation):
            return ended(activation, LATE)
        return activate(activation)


def _is_query(activation: WorkflowActivation) -> bool:
    return any(job.HasField("query_workflow") for job in activation.jobs)


def _is_mixed(activation: WorkflowActivation) -> bool:
    return len({job.resolve_activity.is_local for job in activation.jobs}) > 1
