"""The tool gateway: checks a call again, makes it, settles it, tells the audit (steps 5 to 10)."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from interlock.audit.contract import AuditEvent, BreakerStore, Ledger
from interlock.errors import (
    BadArguments,
    CircuitOpen,
    ConfigError,
    ModelMistake,
    RunCancelled,
    ToolFailed,
    ToolUnavailable,
    UnknownTool,
    said,
)
from interlock.tools.answers import AnswerCache, answer_key
from interlock.tools.attempt import Ended, GrantCheck, Job, Parts, Probe
from interlock.tools.breaker import breakers_of
from interlock.tools.calling import Caller, Function
from interlock.tools.contract import ToolCall, ToolObserver, ToolOutcome
from interlock.tools.definition import Tool
from interlock.tools.dependencies import Dependencies
from interlock.tools.effects import EffectAttempt
from interlock.tools.outcomes import check_answer, failed, held_back
from interlock.tools.refusals import decision_refusal, undecided_refusal, word_refusal
from interlock.tools.signature import CALL_PARAMETER


async def _no_probe(_point: str, _call: ToolCall) -> None:
    return None


class ToolGateway:
    """Makes tool calls in a worker.

    Args:
        tools: The tools of the deployment.
        ledger: Where effects are claimed and settled.
        observer: Who is told how calls ended.
        clock: The time now, with its zone.
        result_bytes: Largest result, as JSON.
        grace_seconds: How long after a call's deadline its row may be taken over.
        longest_wait_seconds: What a longer `Retry-After` of the other side is cut to.
        breakers: Where the circuit breakers of dependencies are kept.
        answers: Where answers of tools with a `cache` are kept; None: nowhere.
        probe: Told of each point of a call; for crash tests.
        grants: Verifies the decisions that a call rests on; None: they are taken as they come.

    Raises:
        ConfigError: two tools have one name, or different breakers for one dependency.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        ledger: Ledger,
        observer: ToolObserver,
        *,
        clock: Callable[[], datetime],
        result_bytes: int = 200_000,
        grace_seconds: float = 1.0,
        longest_wait_seconds: float = 900.0,
        breakers: BreakerStore | None = None,
        answers: AnswerCache | None = None,
        probe: Probe | None = None,
        grants: GrantCheck | None = None,
    ) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ConfigError(f"two tools are named {tool.name!r}. Rename one (`name=`).")
            self._tools[tool.name] = tool
        self._parts = Parts(
            ledger=ledger,
            observer=observer,
            clock=clock,
            probe=probe or _no_probe,
            grace=timedelta(seconds=grace_seconds),
            result_bytes=result_bytes,
            dependencies=Dependencies(
                breakers_of(tool.contract for tool in self._tools.values()),
                breakers,
                observer,
                clock,
            ),
            longest_wait=timedelta(seconds=longest_wait_seconds),
            answers=answers,
            grants=grants,
        )

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The tools, by name."""
        return MappingProxyType(self._tools)

    def load(self) -> None:
        """Import every implementation, so that a worker fails when it starts and not in a call.

        Raises:
            ConfigError: a reference names nothing that fits its tool.
        """
        for tool in self._tools.values():
            tool.implementation()
            tool.reconciler()

    async def has_row(self, call: ToolCall) -> bool:
        """Whether the ledger knows the effect of a call: an attempt has claimed it."""
        return await self._parts.ledger.find(call.effect_key) is not None

    async def record(self, events: Sequence[AuditEvent]) -> None:
        """Record what belongs to a call that is not made."""
        await self._parts.observer.record(events)

    async def run(
        self,
        call: ToolCall,
        *,
        attempt: int = 1,
        is_retry: bool = False,
        events: Sequence[AuditEvent] = (),
    ) -> ToolOutcome:
        """Carry out one attempt at a call.

        A cancellation is handed on to the tool; the row is settled before it is raised.

        Args:
            call: The call.
            attempt: Number of this attempt, from 1.
            is_retry: Whether Temporal makes it in place of one that has ended or is missed.
            events: What has to be recorded before an effect is made, and in any case.

        Raises:
            UnknownTool: no tool has the call's name.
            ToolUnavailable: the call failed, and another attempt may be made.
            CircuitOpen: the call waits until its dependency may be called; it is no attempt
                (details: `retry_after_seconds`).
            LedgerConflict: another attempt holds the row, or this one's call has no answer and may
                still happen (details: `retry_after_seconds`).
        """
        tool = self._tools.get(call.tool)
        if tool is None:
            raise UnknownTool(
                f"this worker has no tool {call.tool!r}. It has: {', '.join(sorted(self._tools))}. "
                "Add it to 'tools' in interlock.toml."
            )
        job = Job(
            tool, call, attempt, Caller(), self._parts.clock(), list(events), is_retry=is_retry
        )
        running = asyncio.ensure_future(self._run(job))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            job.caller.stop()
            await _finish(running)
            raise

    async def _run(self, job: Job) -> ToolOutcome:
        try:
            ended = await self._carry_out(job)
            if not ended.recorded:
                job.events.append(self._parts.event(job, ended.outcome, ended.token))
            return ended.outcome
        finally:
            if job.events:
                await self._parts.observer.record(job.events)

    async def _carry_out(self, job: Job) -> Ended:
        tool, call = job.tool, job.call
        undecided = undecided_refusal(call)
        if undecided is not None:
            return Ended(undecided)
        unheard = word_refusal(call, self._parts.grants)
        job = replace(job, is_heard=unheard is None, refusal=unheard)
        if call.resolution in ("happened", "abort"):
            # Nothing is called: the word counts whatever the tool takes by now.
            return await EffectAttempt(self._parts, job).run()
        try:
            arguments = tool.validate_arguments(call.arguments)
        except BadArguments as error:
            # Of an effect that was begun under the tool's earlier contract that is no answer.
            arguments, job = {}, replace(job, refusal=unheard or failed(error))
        else:
            refusal = unheard or decision_refusal(call, tool, arguments, self._parts.grants)
            job = replace(job, arguments=_taken_by(tool, call, arguments), refusal=refusal)
        if tool.contract.effect.changes_world:
            return await EffectAttempt(self._parts, job).run()
        return Ended(job.refusal or await self._answer(job, arguments))

    async def _answer(self, job: Job, arguments: dict[str, Any]) -> ToolOutcome:
        """Return a kept answer, or call the tool and keep what it answers."""
        contract, answers = job.tool.contract, self._parts.answers
        if contract.cache is None or answers is None:
            return await self._read(job)
        found = await answers.find(answer_key(contract, job.call, arguments), contract.cache)
        if found.is_hit:
            return ToolOutcome(status="done", result=found.answer, cached=True)
        outcome = await self._read(job)
        if outcome.status == "done":
            await answers.keep(found, outcome.result, contract.cache)
        return outcome

    async def _read(self, job: Job) -> ToolOutcome:
        """Call a tool that changes nothing."""
        tool, call, seconds = job.tool, job.call, job.tool.contract.timeout_seconds
        if job.is_spent():
            lost = f"{tool.name!r} was given up: too many workers were lost in its call."
            return failed(ToolUnavailable(lost))
        await self._parts.probe("before_call", call)
        try:
            value = await self._parts.dependencies.call(
                tool.contract,
                call,
                lambda: job.caller.call(tool.implementation(), job.arguments, seconds),
            )
        except CircuitOpen as error:
            return held_back(tool.contract, error)
        except (ModelMistake, ToolFailed) as error:
            return failed(error)
        except Exception as error:  # noqa: BLE001  a tool may raise anything
            return _after_failed_read(job, error, self._parts.wait_after(error, call))
        await self._parts.probe("after_call", call)
        return check_answer(tool, value, self._parts.result_bytes).outcome


def _taken_by(tool: Tool, call: ToolCall, arguments: dict[str, Any]) -> dict[str, Any]:
    typed = tool.typed_arguments(arguments)
    if _takes_call(tool.implementation()):
        typed[CALL_PARAMETER] = call
    return typed


@functools.lru_cache(maxsize=1024)
def _takes_call(function: Function) -> bool:
    return CALL_PARAMETER in inspect.signature(function).parameters


def _after_failed_read(job: Job, error: Exception, wait: dict[str, float]) -> ToolOutcome:
    name = job.tool.name
    if job.caller.stopping:
        return failed(RunCancelled(f"{name!r} was cancelled."))
    unavailable = ToolUnavailable(
        f"{name!r} was not available in {job.attempt} attempts. The last: {said(error)}",
        tool=name,
        **wait,
    )
    if job.is_last():
        return failed(unavailable)
    raise unavailable from error


async def _finish(running: asyncio.Future[ToolOutcome]) -> None:
    """Wait for work that must not be cut short, however often this task is cancelled."""
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            continue  # the first cancellation is raised when the work is done
    if not running.cancelled():
        running.exception()  # seen here; the cancellation is what the caller gets
