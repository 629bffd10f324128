"""'provider:model' becomes a LangChain chat model; only libraries of models in use are imported.

Libraries make one attempt: falling back is the gateway's part, repeating is Temporal's.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import httpx
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from interlock.canonical import digest
from interlock.errors import ConfigError, ModelMissing
from interlock.models.contract import Candidate
from interlock.models.local import LocalModels
from interlock.models.scripted import ScriptedModel

_log = logging.getLogger(__name__)

KeyOf = Callable[[str], SecretStr | None]
"""Returns the key of a name such as OPENAI_API_KEY."""

LOCAL_ANSWER_TOKENS = 512
"""Longest answer of a local model when no option says otherwise: a small one may never stop."""


def provider_and_model(reference: str) -> tuple[str, str]:
    """Split 'provider:model'.

    Raises:
        ConfigError: another form, or an unknown provider.
    """
    provider, _, name = reference.partition(":")
    if provider not in PROVIDERS or not name:
        raise ConfigError(
            f"{reference!r} is not a model. Write 'provider:model' with one of "
            f"{', '.join(PROVIDERS)}, for example 'openai:gpt-5-mini' or 'local:smollm2-135m'."
        )
    return provider, name


class Providers:
    """Makes the chat models of candidates and keeps them for the next call."""

    def __init__(self, *, key_of: KeyOf, local: LocalModels, project_dir: Path) -> None:
        """Make models for one deployment.

        Args:
            key_of: Where keys come from; this class reads no environment.
            local: Runs the models of provider `local`.
            project_dir: The folder that 'scripted:PATH' is relative to.
        """
        self._key_of = key_of
        self._local = local
        self._project_dir = project_dir
        # A model's connections belong to the event loop they were opened in.
        self._models: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[str, SecretStr | None], BaseChatModel]
        ] = WeakKeyDictionary()

    async def chat_model(self, candidate: Candidate) -> BaseChatModel:
        """Return the chat model of a candidate; a local one is started first if need be.

        Raises:
            ConfigError: the candidate names no provider, or its options do not fit.
            ModelMissing: its library, its key or its file is not there.
            ModelFileCorrupt: its file has the wrong hash.
            ModelUnavailable: its local process did not start.
        """
        provider, name = provider_and_model(candidate.model)
        key = None
        if provider == "local":
            address, key = await self._local.endpoint(name)
            candidate = candidate.model_copy(update={"base_url": address})
        kept = self._models.setdefault(asyncio.get_running_loop(), {})
        identity = digest(candidate.model_dump(mode="json")), key
        if identity not in kept:
            kept[identity] = self._make(provider, name, candidate, key)
        return kept[identity]

    async def load(self, candidates: Iterable[Candidate]) -> None:
        """Make the models of candidates, so that no first call waits a second for a library.

        A local model is not started. What is missing is logged and told again by each call: there
        may be another candidate, or a key comes later.

        Raises:
            ConfigError: the options of a candidate do not fit.
        """
        for candidate in candidates:
            provider, _ = provider_and_model(candidate.model)
            try:
                if provider == "local":
                    _import(provider, _LIBRARIES[provider])
                elif provider != "scripted":
                    await self.chat_model(candidate)
            except ModelMissing as error:
                _log.warning("%s", error.message)

    async def aclose(self) -> None:
        """Close the connections of this event loop's models."""
        for made in self._models.pop(asyncio.get_running_loop(), {}).values():
            client = getattr(made, "root_async_client", None)
            if client is not None:
                await client.close()

    def _make(
        self, provider: str, name: str, candidate: Candidate, key: SecretStr | None
    ) -> BaseChatModel:
        if provider == "scripted":
            return ScriptedModel.from_file(self._project_dir / name)
        library = _LIBRARIES[provider]
        kind = _import(provider, library)
        arguments = library.arguments(name, candidate, key or self._key(library, candidate))
        try:
            made: BaseChatModel = kind(**arguments)
        except (TypeError, ValidationError) as error:
            raise ConfigError(
                f"The options of {candidate.model!r} do not fit {library.kind}: {error}"
            ) from error
        return made

    def _key(self, library: _Library, candidate: Candidate) -> SecretStr | None:
        # A provider's own key is for the provider's own address, never for another server.
        name = candidate.api_key_env or ("" if candidate.base_url else library.key)
        key = self._key_of(name) if name else None
        if name and key is None:
            raise ModelMissing(
                f"Model {candidate.model!r} needs a key: set the environment variable {name!r}.",
                model=candidate.model,
                variable=name,
            )
        return key


def _import(provider: str, library: _Library) -> type[BaseChatModel]:
    try:
        kind: type[BaseChatModel] = getattr(importlib.import_module(library.module), library.kind)
    except ImportError as error:
        raise ModelMissing(
            f"Models of provider {provider!r} need the library {error.name!r}. Install the extra: "
            f"`pip install 'interlock[{provider}]'`.",
            provider=provider,
        ) from error
    return kind


Arguments = dict[str, Any]


def _openai(name: str, candidate: Candidate, key: SecretStr | None) -> Arguments:
    return {
        "model": name,
        **candidate.options,
        "base_url": candidate.base_url,
        "api_key": key or SecretStr("none"),
        # As an object, because the library shares one client among all models of a number.
        "timeout": httpx.Timeout(candidate.timeout_seconds),
        "max_retries": 0,
    }


def _local(name: str, candidate: Candidate, key: SecretStr | None) -> Arguments:
    limits = {"temperature": 0.0, "max_tokens": LOCAL_ANSWER_TOKENS}
    return limits | _openai(name, candidate, key)


def _anthropic(name: str, candidate: Candidate, key: SecretStr | None) -> Arguments:
    return {
        "model": name,
        **candidate.options,
        **({"base_url": candidate.base_url} if candidate.base_url else {}),
        "api_key": key or SecretStr("none"),
        "timeout": candidate.timeout_seconds,
        "max_retries": 0,
    }


def _mistralai(name: str, candidate: Candidate, key: SecretStr | None) -> Arguments:
    return {
        "model": name,
        **candidate.options,
        "base_url": candidate.base_url,
        "api_key": key or SecretStr("none"),
        "timeout": max(1, round(candidate.timeout_seconds)),
        "max_retries": 0,
    }


def _ollama(name: str, candidate: Candidate, key: SecretStr | None) -> Arguments:
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return {
        "model": name,
        **candidate.options,
        "base_url": candidate.base_url,
        "client_kwargs": {"timeout": candidate.timeout_seconds, "headers": headers},
    }


class _Library(NamedTuple):
    """A LangChain partner package; the provider's extra installs it."""

    module: str
    kind: str
    key: str
    """Name of the provider's own key; '' for a provider that needs none."""
    arguments: Callable[[str, Candidate, SecretStr | None], Arguments]


_LIBRARIES = {
    "openai": _Library("langchain_openai", "ChatOpenAI", "OPENAI_API_KEY", _openai),
    "anthropic": _Library("langchain_anthropic", "ChatAnthropic", "ANTHROPIC_API_KEY", _anthropic),
    "mistralai": _Library("langchain_mistralai", "ChatMistralAI", "MISTRAL_API_KEY", _mistralai),
    "ollama": _Library("langchain_ollama", "ChatOllama", "", _ollama),
    "local": _Library("langchain_openai", "ChatOpenAI", "", _local),
}
PROVIDERS = (*_LIBRARIES, "scripted")
"""Everything that may stand before the colon."""
