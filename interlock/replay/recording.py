"""A workflow runner that lets someone watch each activation of a replay, and end it."""

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


class Watcher(Protocol):
    """Who stands between Temporal and the workflow's code."""

    def watch(
        self, activation: WorkflowActivation, activate: Activate
    ) -> WorkflowActivationCompletion:
        """Call `activate` once and return what Temporal is told; `ended` ends the replay."""
        ...


def ended(activation: WorkflowActivation, why: str) -> WorkflowActivationCompletion:
    """Return a completion that ends a replay."""
    completion = WorkflowActivationCompletion(run_id=activation.run_id)
    completion.failed.failure.message = why
    return completion


class WatchedRunner(WorkflowRunner):
    """Runs workflows by another runner, watched."""

    def __init__(self, runner: WorkflowRunner, watcher: Watcher) -> None:
        self._runner = runner
        self._watcher = watcher

    def prepare_workflow(self, defn: Any) -> None:
        """Let the other runner prepare the workflow."""
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return the other runner's instance, watched."""
        return _WatchedInstance(self._runner.create_instance(det), self._watcher)


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
