"""The composition root: settings become stores, gateways, activities and ports."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

from temporalio import activity
from temporalio.client import Client
from temporalio.common import MetricMeter

from interlock.agents.loading import load_runtime, load_workflows
from interlock.agents.spec import Agent
from interlock.approvals.activities import PolicyActivities
from interlock.approvals.direct import DirectTools
from interlock.approvals.policy import Policy
from interlock.approvals.verification import DecisionActivities, GrantVerifier
from interlock.audit.activities import AuditActivities
from interlock.audit.breakers import SqlBreakers
from interlock.audit.database import Database
from interlock.audit.effects import SqlEffects
from interlock.audit.ledger import SqlLedger
from interlock.audit.limits import SqlLimits
from interlock.audit.store import SqlAuditStore
from interlock.connection import (
    answers_folder,
    connect,
    data_folder,
    metrics_runtime,
    payload_store,
)
from interlock.context import CallContext
from interlock.memory.activities import MemoryActivities
from interlock.memory.chroma import ChromaMemory
from interlock.memory.contract import MEMORY_PORT, Embedder, MemoryOp
from interlock.memory.embedders import Hashing, MiniLM
from interlock.models.activities import ModelActivities
from interlock.models.contract import MODEL_PORT, Candidate
from interlock.models.files import default_folder, path_of
from interlock.models.gateway import ModelGateway
from interlock.models.local import LocalModels
from interlock.models.providers import Providers
from interlock.models.transcripts import TranscriptStore
from interlock.notifying.opening import open_notifier
from interlock.observing import AuditObserver
from interlock.policies import deployed_policy
from interlock.registry import load, load_all
from interlock.settings import Settings, environment_key
from interlock.signing import key_ring
from interlock.tools.activities import ToolActivities
from interlock.tools.answers import DiskAnswers
from interlock.tools.attempt import Probe
from interlock.tools.contract import TOOL_PORT
from interlock.tools.definition import Tool
from interlock.tools.gateway import ToolGateway
from interlock.tools.queues import own_queues, takes_turns
from interlock.tools.turns import Turns
from interlock.workflows.contract import OpenRun, RunTerms
from interlock.workflows.runtime import Runtime

Activity = Callable[..., Any]


def _now() -> datetime:
    return datetime.now(UTC)


class App:
    """One open deployment. Use it as `async with App(settings) as app`.

    A worker hosts it. In a notebook or a unit test, `use_here` lets agents run without one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        agents: Sequence[Agent] = (),
        tools: Sequence[Tool] = (),
        probe: Probe | None = None,
    ) -> None:
        """Load agents and tools; nothing is opened yet.

        Args:
            settings: What `load_settings` read.
            agents: Agents beside those that the settings name.
            tools: Tools beside those that the settings name and those of the agents.
            probe: Told of each point of a tool call; for crash tests.

        Raises:
            ConfigError: something that interlock.toml names cannot be loaded.
        """
        self.settings = settings
        self.runtime: Runtime = load_runtime(settings, agents=agents, tools=tools)
        self.policy: Policy = deployed_policy(settings, self.tools.values())
        self._keys = key_ring(settings)
        self._probe = probe
        self._terms: dict[str, RunTerms] = {}
        self._stack = AsyncExitStack()

    @property
    def tools(self) -> dict[str, Tool]:
        """The deployment's tools, by name."""
        return dict(self.runtime.tools)

    def measure_with(self, meter: MetricMeter) -> None:
        """Let the metrics of an open application go to a meter; without one they go nowhere."""
        self._observer.measure_with(meter)

    async def __aenter__(self) -> Self:
        """Open the database, the memory and the gateways.

        Raises:
            StoreLocked: another process owns the memory's folder.
            OperatorError: something else cannot be opened; the message says what to do.
        """
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        settings, folder = self.settings, data_folder(self.settings)
        self.database = await self._stack.enter_async_context(Database(database_url(settings)))
        self.audit = SqlAuditStore(self.database)
        self.ledger = SqlLedger(self.database)
        self.turns = Turns(self.tools, SqlLimits(self.database))
        self.memory = await self._stack.enter_async_context(
            ChromaMemory(
                settings.memory.url or folder / "memory",
                embedder(settings),
                collection=settings.memory.collection,
            )
        )
        answers = DiskAnswers(answers_folder(settings))
        self._stack.callback(answers.close)
        observer = self._observer = AuditObserver(self.audit)
        self.models = self._model_gateway(observer)
        self.tool_gateway = ToolGateway(
            self.tools.values(),
            self.ledger,
            observer,
            clock=_now,
            result_bytes=settings.limits.result_bytes,
            longest_wait_seconds=settings.limits.retry_after_seconds,
            breakers=SqlBreakers(self.database),
            answers=answers,
            probe=self._probe,
            grants=GrantVerifier(self._keys, require_signature=settings.signatures_required),
        )
        self._notifier = await self._stack.enter_async_context(open_notifier(settings))
        self.effects = SqlEffects(self.database)
        self._policy_activities = PolicyActivities(
            self.tools, self.policy, observer, effects=self.effects, clock=_now
        )

    def _model_gateway(self, observer: AuditObserver) -> ModelGateway:
        local = LocalModels(models_folder(self.settings))
        self._stack.push_async_callback(local.aclose)
        self._providers = Providers(
            key_of=environment_key, local=local, project_dir=self.settings.project_dir
        )
        self._stack.push_async_callback(self._providers.aclose)
        self.transcripts = TranscriptStore(payload_store(self.settings))
        return ModelGateway(
            roles=self.model_map(),
            providers=self._providers,
            transcripts=self.transcripts,
            payloads=payload_store(self.settings),
            observer=observer,
        )

    async def load(self) -> None:
        """Load what calls need, so that a worker fails when it starts and takes no call too early.

        Raises:
            ConfigError: a tool names an implementation that cannot be loaded, or a model's options
                do not fit.
        """
        self.tool_gateway.load()
        for candidates in self.model_map().values():
            await self._providers.load(candidates)

    def model_map(self) -> dict[str, tuple[Candidate, ...]]:
        """Return the candidates of each role."""
        return {
            role: tuple(
                Candidate.model_validate(candidate.model_dump()) for candidate in found.candidates
            )
            for role, found in self.settings.models.items()
        }

    def use_here(self) -> None:
        """Let agents run in this task, outside a workflow: their doors lead to the gateways.

        For notebooks and unit tests. A decision is asked for by LangGraph's own `interrupt`.
        """
        context = CallContext(agent="outside", lineage=f"outside/{secrets.token_hex(8)}")
        approvals = self.settings.approvals
        tools = DirectTools(
            self.tool_gateway,
            self.policy,
            context,
            clock=_now,
            deadline_seconds=approvals.deadline_seconds,
            grant_seconds=approvals.grant_seconds,
            effects=self.effects,
        )
        MODEL_PORT.set(self.models)
        TOOL_PORT.set(tools)
        MEMORY_PORT.set(self.memory.bound(context))

    async def connect(self) -> Client:
        """Connect a worker of the deployment to its Temporal server.

        Raises:
            TemporalUnreachable: nothing answers at its address.
            ConfigError: the settings ask for metrics where none can be served.
        """
        return await connect(self.settings, runtime=metrics_runtime(self.settings))

    def release_of(self, agent: str) -> str:
        """Return the release that new runs of an agent are pinned to."""
        models = {
            role: [candidate.model_dump(mode="json") for candidate in found]
            for role, found in self.model_map().items()
        }
        found = cast("Agent", self.runtime.agent(agent))
        return found.release(policy=self.policy.version, models=models)

    @activity.defn(name="run.open")
    async def open_run(self, opening: OpenRun) -> RunTerms:
        """Record a run, and return the release and the limits that it keeps to its end."""
        if opening.agent not in self._terms:
            self._terms[opening.agent] = self._terms_of(opening.agent)
        terms = self._terms[opening.agent]
        await self._observer.run_opened(opening, terms.release)
        return terms

    def _terms_of(self, agent: str) -> RunTerms:
        approvals, limits, temporal = (
            self.settings.approvals,
            self.settings.limits,
            self.settings.temporal,
        )
        return RunTerms(
            release=self.release_of(agent),
            policy=self.policy.version,
            deadline_seconds=approvals.deadline_seconds,
            grant_seconds=approvals.grant_seconds,
            model_mistakes=limits.model_mistakes,
            steps=limits.steps,
            signals=limits.signals,
            history_events=temporal.history_events,
            history_bytes=temporal.history_bytes,
            judged_with_call=self._judged_with_call(agent),
            turns=self._by_turns(),
            require_signature=self.settings.signatures_required,
            labels=self._policy_activities.judges_by_labels(),
            notify=bool(self.settings.notify),
        )

    def _judged_with_call(self, agent: str) -> tuple[str, ...]:
        # A call that is held would take a turn of its tool's throttle.
        tools = cast("Agent", self.runtime.agent(agent)).tools
        return tuple(
            tool.name
            for tool in tools
            if (tool.contract.throttle or tool.contract.concurrency) is None
            and self._policy_activities.allows(tool)
        )

    def _by_turns(self) -> tuple[str, ...]:
        contracts = [tool.contract for tool in self.tools.values()]
        own = own_queues(contracts)
        return tuple(sorted(found.name for found in contracts if takes_turns(found, own)))

    @activity.defn(name="knowledge.seed")
    async def seed(self, tenant: str) -> int:
        """Put what `seeds` names into memory and return how many items there are."""
        seeds = load_all(self.settings.seeds, "interlock.memory")
        ops: tuple[MemoryOp, ...] = tuple(seeds)
        if ops:
            await self.memory.run_ops_for(ops, CallContext(agent="seed", tenant=tenant))
        return len(ops)

    def activities(self) -> list[Activity]:
        """Return the activities of the workflow queue."""
        memory = MemoryActivities(self.memory, self.knowledge_folders())
        decisions = DecisionActivities(self._keys, self._notifier)
        return [
            self.open_run,
            self.seed,
            self._policy_activities.judge,
            decisions.verify,
            decisions.notify,
            ModelActivities(self.models).call_model,
            AuditActivities(self.audit).record,
            *memory.all(),
            self.turns.book,
            *self.tool_activities(),
            *load_all_activities(self.settings),
        ]

    def tool_activities(self) -> list[Activity]:
        """Return the activities of the tool queues."""
        judge = self._policy_activities.judge_call
        return [ToolActivities(self.tool_gateway, judge=judge, turns=self.turns).call_tool]

    def knowledge_folders(self) -> dict[str, Path]:
        """Return the folders of documents by the names that interlock.toml gives them."""
        return {name: self.settings.project_dir / name for name in self.settings.knowledge}

    def workflows(self) -> list[type]:
        """Return the deployment's own workflows."""
        return load_workflows(self.settings)


def load_all_activities(settings: Settings) -> list[Activity]:
    """Return the activities of the deployment's own workflows."""
    return [load(reference) for reference in settings.activities]


def database_url(settings: Settings) -> str:
    """Return where audit events and the ledger are."""
    if settings.audit.url:
        return settings.audit.url
    return f"sqlite+aiosqlite:///{data_folder(settings) / 'audit.db'}"


def models_folder(settings: Settings) -> Path:
    """Return where model files are."""
    return settings.models_dir or default_folder()


def embedder(settings: Settings) -> Embedder:
    """Return the embedder of long-term memory.

    Raises:
        ModelMissing: its files are not there; the message says how to pull them.
    """
    if settings.memory.embedder == "hashing":
        return Hashing()
    folder = models_folder(settings)
    return MiniLM(path_of("minilm-int8", folder), path_of("minilm-tokenizer", folder))
