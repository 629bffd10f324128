"""What a user says of a run that is to be harmed: the agent, its world, and who decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.settings import Settings
from interlock.testing.crash.points import Point


async def _no_effects() -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class World:
    """The third parties of one trial, which outlive every worker."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Set in each worker process before anything is loaded: where tools find the third parties."""
    effects: Callable[[], Awaitable[Sequence[str]]] = _no_effects
    """Reads from the third parties what was done, one text for each effect. Equal effects of two
    trials have equal texts, so without ids that are drawn anew."""


class CrashScenario:
    """One run of an agent and how to see from outside what it did. Make a subclass.

    The kit makes one object of it run many times at once: keep nothing of a trial in it.
    """

    agent: str
    """Name of the agent."""
    input: str | dict[str, Any]
    """What the run is started with."""
    project: Path | None = None
    """Folder of interlock.toml; None for the one at or above the current folder."""
    settings: Mapping[str, Any] = {}
    """Settings that differ from interlock.toml, sections as mappings."""
    script: Any = None
    """What every model role plays (`interlock.models.script`); None leaves the models as they are."""
    expects: Sequence[str] | None = None
    """Effects of an undisturbed run. Without them that run is not judged, only compared with."""
    points: Sequence[Point] = ()
    """Points beside those that the kit finds, for example inside a third party."""
    setup: str | None = None
    """'module:attribute' of a function that each worker process calls before it opens anything."""
    chroma_server: bool = False
    """Whether memory is on a Chroma server. It is anyway when interlock.toml says so."""
    patience_seconds: float = 90.0
    """Longest time of a run once its worker polls; not to have ended by then is a breach."""
    at_once: int = 4
    """Trials that run at the same time: most of the time they wait for timeouts."""

    async def prepare(self, settings: Settings) -> None:
        """Fill the data folder of `settings`, once; each trial gets a copy of it."""

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[World]:
        """Run the third parties of one trial, as processes of their own.

        Args:
            folder: The trial's data folder, for their storage.
        """
        yield World()

    async def decide(self, request: Mapping[str, Any], world: World) -> dict[str, Any]:
        """Return `verb` and what belongs to it for a request; by default approve actions.

        The verb `cancel_run` cancels the run instead of deciding. A request of kind `outcome` asks
        whether a lost call took effect: say what the third party says.

        Raises:
            NotImplementedError: by default, for a request of another kind.
        """
        if request["kind"] == "action":
            return {"verb": "approve"}
        raise NotImplementedError(
            f"the run asks a person about {request['tool'] or request['why']!r} ({request['kind']}). "
            "Say what to answer in the scenario's `decide`."
        )

    def comparable(self, result: dict[str, Any]) -> Any:
        """Return a run's result without what differs between equal runs."""
        return result


__all__ = ["CrashScenario", "World"]
