"""The model gateway: a role is answered by the first of its candidates that can."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import (
    DeveloperError,
    InterlockError,
    ModelFileCorrupt,
    ModelMissing,
    ModelUnavailable,
    RunCancelled,
    said,
)
from interlock.models.asking import ask
from interlock.models.bindings import BindingStore
from interlock.models.contract import Binding, Candidate, ModelAnswer, ModelCall, PayloadStore
from interlock.models.messages import from_json, to_json
from interlock.models.prices import usage_of
from interlock.models.providers import provider_and_model
from interlock.models.tool_calls import ids_in, made_id, with_own_ids
from interlock.models.transcripts import TranscriptStore

_REASON = 300
"""Longest reason of one candidate, in characters: it is kept in the run's history."""


class ChatModels(Protocol):
    """Where the chat model of a candidate comes from."""

    def chat_model(self, candidate: Candidate) -> Awaitable[BaseChatModel]:
        """Return the chat model of a candidate, ready to be asked."""
        ...


class CallObserver(Protocol):
    """Told of every model call, answered or not."""

    async def model_called(
        self,
        call: ModelCall,
        answer: ModelAnswer | Exception,
        *,
        started_at: datetime,
        ended_at: datetime,
        prompt_ref: str,
    ) -> None:
        """Take note of a call; `prompt_ref` is empty when the prompt could not be stored."""
        ...


class _Prompt(NamedTuple):
    ref: str
    messages: list[BaseMessage]
    binding: Binding
    binding_ref: str


class ModelGateway:
    """Answers model calls. It is itself the `ModelPort` of code outside a workflow."""

    def __init__(
        self,
        *,
        roles: Mapping[str, Sequence[Candidate]],
        providers: ChatModels,
        transcripts: TranscriptStore,
        payloads: PayloadStore,
        observer: CallObserver | None = None,
    ) -> None:
        """Serve the roles of one deployment.

        Args:
            roles: Candidates of each role, in order of preference.
            providers: Where their chat models come from.
            transcripts: Where prompts and answers are kept.
            payloads: Where bindings are kept.
            observer: Told of every call.

        Raises:
            ConfigError: a candidate names no known provider.
        """
        for candidates in roles.values():
            for candidate in candidates:
                provider_and_model(candidate.model)
        self._roles = {role: tuple(candidates) for role, candidates in roles.items()}
        self._providers = providers
        self._transcripts = transcripts
        self._bindings = BindingStore(payloads)
        self._observer = observer
        self._home = _running_loop()

    async def call_model(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        """Call the model of `role` outside a workflow; see `ModelPort`.

        Works in any event loop: connections and stores belong to the loop that the gateway was
        made in, so the call is carried out there. A tool call whose id one of `messages` has already
        gets an id of its own.
        """
        name = uuid.uuid4().hex
        call = ModelCall(
            call_id=name,
            role=role,
            messages=tuple(messages),
            binding=binding,
            context=CallContext(agent="outside", lineage=f"outside/{name}"),
        )
        answer = await self._at_home(call)
        taken = {call_id for message in messages for call_id in ids_in(message)}
        return answer.model_copy(update={"message": with_own_ids(answer.message, taken)})

    async def _at_home(self, call: ModelCall) -> ModelAnswer:
        here = asyncio.get_running_loop()
        if self._home is None or not self._home.is_running():
            self._home = here
        if self._home is here:
            return await self.answer(call)
        elsewhere = asyncio.run_coroutine_threadsafe(self.answer(call), self._home)
        return await asyncio.wrap_future(elsewhere)

    async def answer(self, call: ModelCall) -> ModelAnswer:
        """Answer a call from the first candidate that can; the same call gets the same ids again.

        Raises:
            ModelUnavailable: every candidate failed; names each and why.
            ModelMissing: no candidate is there at all: role, library, key or file.
            PayloadMissing: the prefix or the binding is not in the store.
            DeveloperError: the configuration or a script is wrong.
        """
        started_at = datetime.now(UTC)
        prompt_ref = ""
        outcome: ModelAnswer | Exception = RunCancelled("The call was cancelled.")
        try:
            prompt = await self._prompt(call)
            prompt_ref = prompt.ref
            outcome = await self._first_answer(call, prompt)
        except Exception as error:
            outcome = error
            raise
        finally:
            if self._observer:
                await self._observer.model_called(
                    call,
                    outcome,
                    started_at=started_at,
                    ended_at=datetime.now(UTC),
                    prompt_ref=prompt_ref,
                )
        return outcome

    async def _prompt(self, call: ModelCall) -> _Prompt:
        ref = await self._transcripts.append(call.prefix, call.messages)
        messages = await self._transcripts.load(ref)
        binding, binding_ref = await self._binding(call)
        return _Prompt(ref, [from_json(message) for message in messages], binding, binding_ref)

    async def _binding(self, call: ModelCall) -> tuple[Binding, str]:
        if call.binding is not None:
            return call.binding, await self._bindings.put(call.binding)
        if not call.binding_ref:
            return Binding(), ""
        return await self._bindings.get(call.binding_ref), call.binding_ref

    async def _first_answer(self, call: ModelCall, prompt: _Prompt) -> ModelAnswer:
        failed: list[tuple[Candidate, Exception]] = []
        for candidate in self._candidates(call.role):
            started = time.monotonic()
            try:
                message = await self._ask(candidate, call, prompt)
            except DeveloperError:
                raise
            except Exception as error:  # noqa: BLE001 - a provider may raise anything
                failed.append((candidate, error))
            else:
                seconds = round(time.monotonic() - started, 3)
                reasons = tuple(_reason(*failure) for failure in failed)
                return await self._answered(
                    call, prompt, candidate, message, fell_back=reasons, seconds=seconds
                )
        raise _all_failed(call.role, failed)

    def _candidates(self, role: str) -> tuple[Candidate, ...]:
        if role not in self._roles:
            known = ", ".join(sorted(self._roles)) or "none"
            raise ModelMissing(
                f"{role!r} is not a role of the model map. Configured: {known}. Add "
                f"[models.{role}] to interlock.toml.",
                role=role,
            )
        return self._roles[role]

    async def _ask(self, candidate: Candidate, call: ModelCall, prompt: _Prompt) -> AIMessage:
        # Outside the timeout: a local model may have to load first.
        model = await self._providers.chat_model(candidate)
        identity = f"{call.context.lineage}/{call.call_id}"
        async with asyncio.timeout(candidate.timeout_seconds):
            answer = await ask(model, candidate, prompt.messages, prompt.binding, identity)
        # Ids follow from the call, so that an attempt made again gives the same message.
        answer.id = f"msg_{digest(identity)[:24]}"
        for index, made in enumerate([*answer.tool_calls, *answer.invalid_tool_calls]):
            made["id"] = made.get("id") or made_id(identity, index)
        return answer

    async def _answered(
        self,
        call: ModelCall,
        prompt: _Prompt,
        candidate: Candidate,
        message: AIMessage,
        *,
        fell_back: tuple[str, ...],
        seconds: float,
    ) -> ModelAnswer:
        data = to_json(message)
        return ModelAnswer(
            message=data,
            ref=await self._transcripts.append(prompt.ref, [data]),
            prompt_ref=prompt.ref if ids_in(data) else "",
            binding_ref=prompt.binding_ref,
            model=candidate.model,
            usage=usage_of(candidate, message.usage_metadata),
            fell_back=fell_back,
            seconds=seconds,
        )


def _all_failed(role: str, failed: list[tuple[Candidate, Exception]]) -> InterlockError:
    """Return one error for the failures of all candidates; it may be retried if any of them may."""
    only = failed[0][1] if len(failed) == 1 else None
    absent = (ModelMissing, ModelFileCorrupt)
    if isinstance(only, absent):
        return only
    kind = ModelMissing if all(isinstance(e, absent) for _, e in failed) else ModelUnavailable
    reasons = [_reason(candidate, error) for candidate, error in failed]
    return kind(
        f"No model of role {role!r} answered. {' | '.join(reasons)}", role=role, reasons=reasons
    )


def _reason(candidate: Candidate, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        why = f"no answer within {candidate.timeout_seconds:g} s"
    elif isinstance(error, InterlockError):
        why = error.message
    else:
        why = said(error)
    return f"{candidate.model}: {why[:_REASON]}"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
