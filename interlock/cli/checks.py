"""The checks of `interlock doctor`: each looks at one thing and changes nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from stat import S_IRWXO

import interlock
from interlock.agents.loading import load_runtime, load_workflows
from interlock.cli import services
from interlock.cli.channels import channels
from interlock.cli.findings import Finding, fail, failed, ok, warn
from interlock.cli.output import program
from interlock.cli.production import profile
from interlock.cli.signing_in import signing_in
from interlock.connection import data_folder
from interlock.errors import InterlockError, ModelMissing
from interlock.models.contract import Candidate
from interlock.models.files import default_folder, path_of
from interlock.models.local import LocalModels
from interlock.models.providers import Providers, provider_and_model
from interlock.policies import deployed_policy
from interlock.registry import load, load_all
from interlock.settings import (
    FILE_NAME,
    CandidateSettings,
    Settings,
    environment_key,
    load_settings,
)
from interlock.signing import decision_signer, key_ring

Check = Callable[[Settings], Awaitable[list[Finding]]]


async def check_all() -> list[Finding]:
    """Look at everything; without readable settings, at the settings only."""
    found = [_versions()]
    try:
        settings = load_settings()
    except InterlockError as error:
        return [*found, failed("settings", error)]
    for check in _CHECKS:
        found += await check(settings)
    return found


def _versions() -> Finding:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("temporalio", "langgraph"))
    python = platform.python_version()
    return ok("versions", f"interlock {interlock.__version__}, Python {python}, {libraries}.")


async def _settings(settings: Settings) -> list[Finding]:
    path = settings.project_dir / FILE_NAME
    if path.is_file():
        return [ok("settings", f"{path} is valid.")]
    return [
        warn(
            "settings",
            f"no {FILE_NAME} in this folder or above it: the defaults hold.",
            "Go to a project's folder, or make a project with `interlock init NAME`.",
        )
    ]


async def _folder(settings: Settings) -> list[Finding]:
    folder = data_folder(settings)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return [ok("data folder", f"{folder} can be written.")]
    return [
        fail(
            "data folder",
            f"{folder} cannot be written.",
            "Make it writable, or set 'data_dir' to another folder.",
        )
    ]


async def _code(settings: Settings) -> list[Finding]:
    try:
        runtime = load_runtime(settings)
        workflows = load_workflows(settings)
        for reference in settings.activities:
            load(reference)
        load_all(settings.seeds, "interlock.memory")
    except InterlockError as error:
        return [failed("agents", error)]
    except Exception as error:  # noqa: BLE001  a deployment's own modules may raise anything
        return [
            fail(
                "agents",
                f"a module of this deployment raises {type(error).__name__}: {error}.",
                "Mend it: `interlock --debug worker` shows where it is.",
            )
        ]
    if not runtime.agents:
        return [warn("agents", "no agents are named.", f"Name some under 'agents' in {FILE_NAME}.")]
    names = ", ".join(sorted(runtime.agents))
    more = f"{len(runtime.tools)} tools, {len(workflows)} workflows of its own"
    return [ok("agents", f"{names}; {more}.")]


async def _knowledge(settings: Settings) -> list[Finding]:
    missing = [name for name in settings.knowledge if not (settings.project_dir / name).is_dir()]
    if missing:
        return [
            fail(
                "knowledge",
                f"no folder {', '.join(map(repr, missing))} in {settings.project_dir}.",
                f"Make it, or correct 'knowledge' in {FILE_NAME}.",
            )
        ]
    names = ", ".join(settings.knowledge)
    return [ok("knowledge", f"{names}.")] if names else []


async def _models(settings: Settings) -> list[Finding]:
    folder = settings.models_dir or default_folder()
    local = LocalModels(folder)
    providers = Providers(key_of=environment_key, local=local, project_dir=settings.project_dir)
    try:
        return [
            await _role(role, found.candidates, providers, folder)
            for role, found in settings.models.items()
        ]
    finally:
        await providers.aclose()
        await local.aclose()


async def _role(
    role: str, candidates: Iterable[CandidateSettings], providers: Providers, folder: Path
) -> Finding:
    name = f"model {role}"
    usable, errors = [], []
    for candidate in candidates:
        try:
            await _candidate(candidate, providers, folder)
            usable.append(candidate.model)
        except InterlockError as error:
            errors.append(error)
    told = " ".join(error.message for error in errors)
    if not usable:
        return failed(name, type(errors[0])(told))
    if errors:
        return warn(name, f"{', '.join(usable)} can answer.", told)
    return ok(name, f"{', '.join(usable)}.")


async def _candidate(candidate: CandidateSettings, providers: Providers, folder: Path) -> None:
    """Raise what keeps a candidate from answering; nothing is called and nothing is started."""
    provider, model = provider_and_model(candidate.model)
    if provider != "local":
        await providers.chat_model(Candidate.model_validate(candidate.model_dump()))
        return
    path_of(model, folder)
    for library in ("xllamacpp", "langchain_openai"):
        if find_spec(library) is None:
            raise ModelMissing(
                f"local models need the library {library!r}. Install the extra: "
                "`pip install 'interlock[local]'`."
            )


async def _embedder(settings: Settings) -> list[Finding]:
    name = "embedder"
    if settings.memory.embedder == "hashing":
        return [
            warn(
                name, "hashing finds little.", "Set memory.embedder to 'minilm-int8' to be of use."
            )
        ]
    folder = settings.models_dir or default_folder()
    try:
        for file in ("minilm-int8", "minilm-tokenizer"):
            path_of(file, folder)
    except InterlockError as error:
        return [failed(name, error)]
    return [ok(name, f"minilm-int8 in {folder}.")]


async def _approvals(settings: Settings) -> list[Finding]:
    return [_signatures(settings), *_key_file(settings), _policy(settings)]


def _signatures(settings: Settings) -> Finding:
    given = settings.approvals
    try:
        key_ring(settings)
        if given.signing_key_env is not None or given.signing_key_file is not None:
            decision_signer(settings)
    except InterlockError as error:
        return failed("decisions", error)
    if settings.signatures_required:
        return ok("decisions", f"only signed ones count; {len(given.keys)} key(s) are known.")
    return warn(
        "decisions",
        "unsigned decisions count: whoever reaches the Temporal server can decide, under any name "
        "and whatever the policy says of who may.",
        "Set approvals.require_signature to true, or keep the server within reach of reviewers "
        "only.",
    )


def _key_file(settings: Settings) -> list[Finding]:
    """Warn of a signing key that others on this machine can read: they could sign for everybody."""
    named = settings.approvals.signing_key_file
    path = settings.project_dir / named if named else None
    if path is None or not path.is_file() or not path.stat().st_mode & S_IRWXO:
        return []
    return [
        warn(
            "signing key",
            f"others on this machine may read {str(path)!r}, and could sign decisions for everybody.",
            f"Let only the inbox's user read it (chmod 600), or make another: `{program()} keys new`.",
        )
    ]


def _policy(settings: Settings) -> Finding:
    named = settings.approvals.policy
    if named is None and settings.approvals.high == "allow":
        return warn(
            "policy",
            "effects of high risk are made without asking anybody.",
            "Set approvals.high to 'ask' where that matters.",
        )
    try:
        found = deployed_policy(settings, load_runtime(settings).tools.values())
    except InterlockError as error:
        return failed("policy", error)
    except Exception as error:  # noqa: BLE001  a deployment's own modules may raise anything
        message = f"the policy cannot be checked: {type(error).__name__}: {error}."
        return fail("policy", message, "Mend what the check of agents names.")
    return ok("policy", f"{named or 'by risk'}, version {found.version}.")


_CHECKS: tuple[Check, ...] = (
    _settings,
    profile,
    _folder,
    _code,
    _knowledge,
    _models,
    _embedder,
    services.memory,
    services.database,
    services.breakers,
    services.temporal,
    _approvals,
    signing_in,
    channels,
)
