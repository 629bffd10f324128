"""Providers: what each library is given, and what is said when something is missing."""

from __future__ import annotations

import json
import sys
from typing import Any
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from interlock.errors import ConfigError, ModelMissing
from interlock.models.contract import Candidate
from interlock.models.local import LocalModels
from interlock.models.providers import Providers, _import, provider_and_model
from interlock.models.scripted import ScriptedModel

MODELS = {
    "openai": ("openai:gpt-4o-mini", "langchain_openai", "OPENAI_API_KEY"),
    "anthropic": ("anthropic:claude-sonnet-4-5", "langchain_anthropic", "ANTHROPIC_API_KEY"),
    "mistralai": ("mistralai:mistral-large-latest", "langchain_mistralai", "MISTRAL_API_KEY"),
    "ollama": ("ollama:llama3.2", "langchain_ollama", None),
}


@pytest.fixture
def providers(tmp_path):
    """Make providers with the given keys."""

    def make(**keys: str) -> Providers:
        def key_of(name: str) -> SecretStr | None:
            return SecretStr(keys[name]) if name in keys else None

        return Providers(key_of=key_of, local=LocalModels(tmp_path), project_dir=tmp_path)

    return make


def key_in(model: Any) -> str:
    """Find the key a library was given."""
    for name in ("openai_api_key", "anthropic_api_key", "mistral_api_key"):
        if hasattr(model, name):
            return getattr(model, name).get_secret_value()
    raise AssertionError("no key")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
async def test_libraries_get_key_options_and_one_attempt(providers, provider) -> None:
    """Each library gets its key and options, and is told not to retry."""
    reference, _, variable = MODELS[provider]
    made = providers(**{variable: "sk-test"})
    model = await made.chat_model(Candidate(model=reference, options={"temperature": 0.25}))
    assert key_in(model) == "sk-test"
    assert model.temperature == 0.25
    assert model.max_retries == 0
    assert "sk-test" not in repr(model)
    await made.aclose()


async def test_ollama_needs_no_key(providers) -> None:
    """A model of one's own machine is asked without one."""
    model = await providers().chat_model(
        Candidate(model="ollama:llama3.2", base_url="http://127.0.0.1:9", timeout_seconds=7)
    )
    assert model.base_url == "http://127.0.0.1:9"
    assert model.client_kwargs["timeout"] == 7


async def test_timeouts_are_passed_on(providers) -> None:
    """A candidate's timeout is that of its HTTP requests."""
    made = providers(OPENAI_API_KEY="k", ANTHROPIC_API_KEY="k")
    openai = await made.chat_model(Candidate(model="openai:gpt-4o-mini", timeout_seconds=7))
    anthropic = await made.chat_model(Candidate(model="anthropic:claude-x", timeout_seconds=7))
    assert openai.request_timeout.read == 7
    assert anthropic.default_request_timeout == 7
    await made.aclose()


@pytest.mark.parametrize("provider", ["openai", "anthropic", "mistralai"])
async def test_a_missing_key_names_its_variable(providers, provider) -> None:
    """The operator reads which variable to set."""
    reference, _, variable = MODELS[provider]
    with pytest.raises(ModelMissing, match=f"environment variable '{variable}'"):
        await providers().chat_model(Candidate(model=reference))


async def test_a_missing_key_names_the_configured_variable(providers) -> None:
    """`api_key_env` replaces the provider's own name."""
    with pytest.raises(ModelMissing, match="TEAM_KEY"):
        await providers(OPENAI_API_KEY="k").chat_model(
            Candidate(model="openai:gpt-4o-mini", api_key_env="TEAM_KEY")
        )


async def test_another_server_never_gets_the_providers_own_key(providers) -> None:
    """With a base URL only a key that was named for it is sent."""
    made = providers(OPENAI_API_KEY="sk-secret", TEAM_KEY="sk-team")
    url = "http://127.0.0.1:9/v1"
    plain = await made.chat_model(Candidate(model="openai:llama", base_url=url))
    named = await made.chat_model(
        Candidate(model="openai:llama", base_url=url, api_key_env="TEAM_KEY")
    )
    assert key_in(plain) != "sk-secret"
    assert key_in(named) == "sk-team"
    await made.aclose()


@pytest.mark.parametrize("provider", sorted(MODELS))
async def test_a_missing_library_names_its_extra(providers, provider, monkeypatch) -> None:
    """The operator reads what to install."""
    reference, module, variable = MODELS[provider]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelMissing, match=rf"interlock\[{provider}\]"):
        await providers(**({variable: "k"} if variable else {})).chat_model(
            Candidate(model=reference)
        )


async def test_the_local_model_without_its_runtime_names_its_extra(providers, monkeypatch) -> None:
    """Without llama.cpp the local model says what to install."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ModelMissing, match=r"interlock\[local\]"):
        await providers().chat_model(Candidate(model="local:smollm2-135m"))


async def test_the_local_model_without_its_file_says_how_to_pull_it(providers) -> None:
    """A missing model file comes with the command that brings it."""
    with pytest.raises(ModelMissing, match="interlock models pull smollm2-135m"):
        await providers().chat_model(Candidate(model="local:smollm2-135m"))


@pytest.mark.parametrize("name", ["local:gpt-9", "local:minilm-int8"])
async def test_what_is_no_local_language_model_is_refused(providers, name) -> None:
    """Only language models of the catalogue are served."""
    with pytest.raises(ModelMissing, match=r"smollm2-135m"):
        await providers().chat_model(Candidate(model=name))


async def test_scripts_are_relative_to_the_project(providers, tmp_path) -> None:
    """'scripted:PATH' names a file of the project."""
    (tmp_path / "script.json").write_text(json.dumps([{"answer": {"text": "hi"}}]))
    model = await providers().chat_model(Candidate(model="scripted:script.json"))
    assert isinstance(model, ScriptedModel)
    assert (await model.ainvoke("x")).text == "hi"


async def test_options_that_do_not_fit_are_named(providers) -> None:
    """A wrong option is the configuration's mistake."""
    with pytest.raises(ConfigError, match="'openai:gpt-4o-mini' do not fit ChatOpenAI"):
        await providers(OPENAI_API_KEY="k").chat_model(
            Candidate(model="openai:gpt-4o-mini", options={"temperature": "hot"})
        )


async def test_a_model_is_made_once(providers) -> None:
    """The next call of an equal candidate reuses the model and its connections."""
    made = providers(OPENAI_API_KEY="k")
    one = await made.chat_model(Candidate(model="openai:gpt-4o-mini"))
    two = await made.chat_model(Candidate(model="openai:gpt-4o-mini"))
    other = await made.chat_model(Candidate(model="openai:gpt-4o-mini", options={"temperature": 1}))
    assert one is two
    assert other is not one
    await made.aclose()


async def test_what_is_loaded_is_there_for_the_first_call(providers) -> None:
    """No call waits for a library: the model that a worker loaded at its start answers it."""
    made, candidate = providers(OPENAI_API_KEY="k"), Candidate(model="openai:gpt-4o-mini")
    makes = []
    with patch("interlock.models.providers._import", side_effect=_import) as imports:
        await made.load([candidate])
        makes.append(imports.call_count)
        await made.chat_model(candidate)
        makes.append(imports.call_count)
    assert makes == [1, 1]
    await made.aclose()


async def test_what_cannot_be_loaded_is_told_and_keeps_nothing_back(providers, caplog) -> None:
    """A key that is missing is for the log, since another candidate may be there."""
    made = providers(MISTRAL_API_KEY="k")
    there = Candidate(model="mistralai:mistral-large-latest")
    await made.load(
        [
            Candidate(model="openai:gpt-4o-mini"),
            Candidate(model="local:smollm2-135m"),  # its file is not there; it is not started
            Candidate(model="scripted:none.json"),
            there,
        ]
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Model 'openai:gpt-4o-mini' needs a key: set the environment variable 'OPENAI_API_KEY'."
    ]
    with patch("interlock.models.providers._import", side_effect=_import) as imports:
        await made.chat_model(there)
    assert imports.call_count == 0
    await made.aclose()


async def test_options_that_do_not_fit_are_told_when_they_are_loaded(providers) -> None:
    """A worker with them does not start."""
    with pytest.raises(ConfigError, match="do not fit ChatOpenAI"):
        await providers(OPENAI_API_KEY="k").load(
            [Candidate(model="openai:gpt-4o-mini", options={"temperature": "hot"})]
        )


@pytest.mark.parametrize("reference", ["gpt-5", "oracle:x", "openai:", ""])
def test_references_are_checked(reference) -> None:
    """What is no 'provider:model' is refused with the providers there are."""
    with pytest.raises(ConfigError, match="openai, anthropic, mistralai, ollama, local, scripted"):
        provider_and_model(reference)


def test_a_model_name_may_hold_colons() -> None:
    """Ollama's tags are part of the name."""
    assert provider_and_model("ollama:llama3.2:3b") == ("ollama", "llama3.2:3b")
