"""Where a scenario is tried: a Temporal server, a filled data folder, and a copy of it per trial."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from interlock.connection import connect, data_folder
from interlock.settings import Settings, load_settings
from interlock.testing.crash.books import replay
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.points import Point
from interlock.testing.crash.scenario import CrashScenario, World
from interlock.testing.crash.servers import ChromaServer, TemporalServer, serving
from interlock.testing.crash.trial import Trial

Say = Callable[[str], None]


@dataclass(frozen=True)
class Unended:
    """A trial whose run did not end in time."""

    point: str
    seconds: float


class Stage:
    """A scenario that can be tried any number of times. Make one with `open_stage`."""

    def __init__(self, scenario: CrashScenario, folder: Path, template: Settings) -> None:
        self.scenario = scenario
        self.settings = template
        """Settings of the filled data folder that each trial copies."""
        self._folder = folder

    @property
    def has_chroma(self) -> bool:
        """Whether memory is on a server."""
        return self.scenario.chroma_server or self.settings.memory.url is not None

    async def run(self, point: Point | None = None) -> Outcome:
        """Make one trial, with harm done at `point`, and look what is left.

        Raises:
            TimeoutError: the run did not end in time.
        """
        settings = await asyncio.to_thread(self._copy)
        async with AsyncExitStack() as stack:
            chroma = None
            if self.has_chroma:
                chroma = _chroma(settings)
                await stack.enter_async_context(serving(chroma))
                memory = settings.memory.model_copy(update={"url": chroma.url})
                settings = settings.model_copy(update={"memory": memory})
            temporal = None
            if point is not None and point.restarts == "temporal":
                temporal = TemporalServer(data_folder(settings))
                await stack.enter_async_context(serving(temporal))
                settings = _at(settings, temporal.address)
            world = await stack.enter_async_context(self.scenario.world(data_folder(settings)))
            client = await connect(settings)
            trial = Trial(
                client=client,
                settings=settings,
                agent=self.scenario.agent,
                message=self.scenario.input,
                choose=self._decide_in(world),
                environment=world.environment,
                setup=self.scenario.setup,
                patience_seconds=self.scenario.patience_seconds,
                temporal=temporal,
                chroma=chroma,
            )
            outcome = await trial.run(point)
            effects = sorted(await world.effects())
            replays = await replay(settings, client.get_workflow_handle(outcome.workflow_id))
            if sorted(await world.effects()) != effects:
                replays = "the replay made effects of its own"
            return outcome.model_copy(update={"effects": effects, "replays": replays})

    async def run_all(
        self, points: Sequence[Point], say: Say = lambda _: None
    ) -> list[Outcome | Unended]:
        """Make a trial of each point, some at a time, and return what they left, in order.

        Raises:
            ExceptionGroup: trials could not be made; each error says which.
        """
        turns, ended = asyncio.Semaphore(self.scenario.at_once), count(1)

        async def one(point: Point) -> Outcome | Unended:
            async with turns:
                try:
                    return await self.run(point)
                except TimeoutError:
                    return Unended(point.name, self.scenario.patience_seconds)
                except Exception as error:
                    error.add_note(f"in the trial of {point.name}")
                    raise
                finally:
                    say(f"{point.name}: {next(ended)} of {len(points)} trials")

        tried = await asyncio.gather(*map(one, points), return_exceptions=True)
        failures = [item for item in tried if isinstance(item, Exception)]
        if failures:
            raise ExceptionGroup("trials that could not be made", failures)
        return [item for item in tried if not isinstance(item, BaseException)]

    def _copy(self) -> Settings:
        """Return settings of a trial's own data folder, on queues of its own."""
        name = uuid.uuid4().hex[:12]
        shutil.copytree(data_folder(self.settings), self._folder / name)
        temporal = self.settings.temporal.model_copy(update={"queue_prefix": f"{name}."})
        return self.settings.model_copy(
            update={"data_dir": self._folder / name, "temporal": temporal}
        )

    def _decide_in(self, world: World) -> Callable[[dict[str, Any]], Any]:
        async def choose(request: dict[str, Any]) -> dict[str, Any]:
            return await self.scenario.decide(request, world)

        return choose


@asynccontextmanager
async def open_stage(scenario: CrashScenario) -> AsyncIterator[Stage]:
    """Start a Temporal server and fill a data folder; everything is removed at the end.

    Raises:
        ConfigError: the settings cannot be read.
        TemporalUnreachable: no Temporal CLI is installed.
    """
    with tempfile.TemporaryDirectory(prefix="interlock-crash-") as name:
        folder = Path(name)
        (folder / "template").mkdir()
        server = TemporalServer(folder)
        async with serving(server):
            settings = _at(_settings(scenario, folder / "template"), server.address)
            await _prepare(scenario, settings)
            yield Stage(scenario, folder, settings)


async def _prepare(scenario: CrashScenario, settings: Settings) -> None:
    if not (scenario.chroma_server or settings.memory.url):
        await scenario.prepare(settings)
        return
    chroma = _chroma(settings)
    async with serving(chroma):
        memory = settings.memory.model_copy(update={"url": chroma.url})
        await scenario.prepare(settings.model_copy(update={"memory": memory}))


def _settings(scenario: CrashScenario, folder: Path) -> Settings:
    """Return the project's settings with those of the scenario, in a data folder of its own."""
    values = load_settings(scenario.project).model_dump()
    for name, value in scenario.settings.items():
        is_section = isinstance(value, dict) and name != "models"
        values[name] = {**values[name], **value} if is_section else value
    values["data_dir"] = folder
    if scenario.script is not None:
        script = folder / "script.json"
        script.write_text(json.dumps(scenario.script), encoding="utf-8")
        role = {"candidates": [{"model": f"scripted:{script}"}]}
        values["models"] = dict.fromkeys([*values["models"], "fast", "strong"], role)
    return Settings(**values)


def _at(settings: Settings, address: str) -> Settings:
    temporal = settings.temporal.model_copy(update={"address": address})
    return settings.model_copy(update={"temporal": temporal})


def _chroma(settings: Settings) -> ChromaServer:
    folder = data_folder(settings)
    return ChromaServer(folder / "chroma", folder / "chroma.log")


__all__ = ["Stage", "Unended", "open_stage"]
