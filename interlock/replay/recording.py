"""A workflow runner that lets someone watch each activation of a replay, and stop it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info


class Watcher(Protocol):
    """Who is told of activations."""

    def around(self, activation: WorkflowActivation) -> AbstractContextManager[None]:
        """Return a context in which the workflow's code runs."""
        ...

    def after(
        self, activation: WorkflowActivation, completion: WorkflowActivationCompletion
    ) -> str:
        """Take note of what the code did; return why the replay has to stop, or ''."""
        ...


class WatchedRunner(WorkflowRunner):
    """Runs workflows by another runner and tells a watcher."""

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
        with self._watcher.around(act):
            completion = self._instance.activate(act)
        stop = self._watcher.after(act, completion)
        if stop:
            completion = WorkflowActivationCompletion(run_id=act.run_id)
            completion.failed.failure.message = stop
        return completion

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
