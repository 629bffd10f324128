"""From an application to Temporal workers: one for workflows, one for tools, one per throttle."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.exceptions import ApplicationErrorCategory as Category
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    Worker,
)

from interlock import __version__
from interlock.activations import InOrderOfHistory, WatchedRunner
from interlock.agents.loading import sandbox
from interlock.app import App
from interlock.canonical import jsonable
from interlock.connection import data_converter
from interlock.errors import InterlockError, Throttled
from interlock.memory.contract import MEMORY_PORT
from interlock.tools.contract import ToolCall
from interlock.tools.queues import own_queues, queue_of
from interlock.workflows import search
from interlock.workflows.activity_node import node_activities
from interlock.workflows.agent import AgentWorkflow
from interlock.workflows.calls import WORKFLOW_QUEUE
from interlock.workflows.runtime import RuntimeInterceptor

T = TypeVar("T")

_STICKY = timedelta(seconds=1)
"""How long the server waits for a worker that remembers a run before it asks another: after a
worker is killed its runs wait this long, ten seconds by default."""

_GRACE = timedelta(seconds=10)

_BUILD_ID = f"interlock-{__version__}"
"""The SDK's default hashes the bytecode of every loaded module: seconds for each start."""


class _Activities(Interceptor):
    """Surrounds every activity of a worker.

    The one place where errors of the tree become Temporal's, and where a tool's implementation gets
    the memory of the tenant it is called for.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  Temporal's name
        return _Activity(next, self._app)


class _Activity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, app: App) -> None:  # noqa: A002  Temporal's name
        super().__init__(next)
        self._app = app

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  Temporal's name
        for argument in input.args:
            if isinstance(argument, ToolCall):
                MEMORY_PORT.set(self._app.memory.bound(argument.context))
        try:
            return await super().execute_activity(input)
        except InterlockError as error:
            raise to_failure(error) from error


def to_failure(error: InterlockError) -> ApplicationError:
    """Return the error as Temporal carries it: code as type, retryable as the tree says.

    The detail `retry_after_seconds` becomes the delay of the next attempt. One that only waits for
    its turn is no failure to whoever reads logs and metrics.
    """
    delay = error.details.get("retry_after_seconds")
    waits = isinstance(error, Throttled)
    return ApplicationError(
        error.message,
        jsonable(error.details),
        type=error.code,
        non_retryable=not error.retryable,
        next_retry_delay=timedelta(seconds=float(delay)) if delay is not None else None,
        category=Category.BENIGN if waits else Category.UNSPECIFIED,
    )


def workers(app: App, client: Client) -> list[Worker]:
    """Return the workers of an open application."""
    prefix = app.settings.temporal.queue_prefix
    shared: dict[str, Any] = {
        "interceptors": [RuntimeInterceptor(app.runtime), _Activities(app)],
        "graceful_shutdown_timeout": _GRACE,
        # Heartbeats carry cancellations back; by default the SDK holds them for four of five seconds.
        "max_heartbeat_throttle_interval": timedelta(seconds=1),
        "build_id": _BUILD_ID,
    }
    activities: Sequence[Callable[..., Any]] = [*app.activities(), *node_activities()]
    found = [
        Worker(
            client,
            task_queue=prefix + WORKFLOW_QUEUE,
            workflows=[AgentWorkflow, *app.workflows()],
            activities=activities,
            workflow_runner=WatchedRunner(sandbox(app.settings), InOrderOfHistory),
            unsandboxed_workflow_runner=WatchedRunner(
                UnsandboxedWorkflowRunner(), InOrderOfHistory
            ),
            max_cached_workflows=app.settings.temporal.cached_runs,
            sticky_queue_schedule_to_start_timeout=_STICKY,
            **shared,
        )
    ]
    contracts = [tool.contract for tool in app.tools.values()]
    own = own_queues(contracts)
    served = {queue_of(contract, prefix, own): contract for contract in contracts}
    for queue in sorted(served):
        throttle = served[queue].throttle
        limited: dict[str, Any] = {}
        if throttle is not None and served[queue].name in own:
            limited["max_task_queue_activities_per_second"] = throttle.per_second
            limited["max_concurrent_activity_task_polls"] = 1
        found.append(
            Worker(client, task_queue=queue, activities=app.tool_activities(), **limited, **shared)
        )
    return found


def replayer(app: App) -> Replayer:
    """Return a replayer of an application's runs, in the sandbox its workers use."""
    return Replayer(
        namespace=app.settings.temporal.namespace,  # effect keys are made of it
        workflows=[AgentWorkflow, *app.workflows()],
        workflow_runner=sandbox(app.settings),
        data_converter=data_converter(app.settings),
        interceptors=[RuntimeInterceptor(app.runtime)],
        build_id=_BUILD_ID,
    )


@asynccontextmanager
async def running_workers(app: App, client: Client) -> AsyncIterator[None]:
    """Poll for work until the context ends; then finish what runs, for up to ten seconds.

    Raises:
        ConfigError: a tool names an implementation that cannot be loaded, or a model's options do
            not fit.
    """
    await app.load()
    runtime = client.service_client.config.runtime or Runtime.default()
    app.measure_with(runtime.metric_meter)
    await register_search_attributes(client, app.settings.temporal.namespace)
    async with AsyncExitStack() as stack:
        for worker in workers(app, client):
            await stack.enter_async_context(worker)
        yield


def run_process(work: Coroutine[Any, Any, T]) -> T:
    """Run what the process of a worker does, on uvloop where there is one.

    Threads of the SDK and of the database wake the worker's loop several times in each call, which
    costs asyncio's own loop a message to its socket each time.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def keep_what_is_loaded() -> None:
    """Let the garbage collector leave alone what is there by now, for a process that is up and works.

    Its modules and schemas are most of the heap, and would be gone through again and again.
    """
    gc.collect()
    gc.freeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


async def run_worker(app: App, client: Client, stop: asyncio.Event) -> None:
    """Run the workers until `stop` is set."""
    async with running_workers(app, client):
        await stop.wait()


async def register_search_attributes(client: Client, namespace: str) -> None:
    """Register what runs are found by; a server that has them already is left alone."""
    request = AddSearchAttributesRequest(
        search_attributes={
            key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in search.ALL
        },
        namespace=namespace,
    )
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
