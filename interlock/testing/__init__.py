"""The public test kit: real parts, a scripted model in the place of a provider, and crashes.

Names are imported when they are first used: pytest loads the plugin of this room in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.models.scripted import ScriptedModel
    from interlock.server import running_server
    from interlock.testing.crash.kit import check_crashes
    from interlock.testing.crash.plan import CrashPlan
    from interlock.testing.crash.report import CrashReport
    from interlock.testing.crash.scenario import CrashScenario, World
    from interlock.testing.env import WorkerEnv, worker_env

_HOMES = {
    "CrashPlan": "interlock.testing.crash.plan",
    "CrashReport": "interlock.testing.crash.report",
    "CrashScenario": "interlock.testing.crash.scenario",
    "ScriptedModel": "interlock.models.scripted",
    "WorkerEnv": "interlock.testing.env",
    "World": "interlock.testing.crash.scenario",
    "check_crashes": "interlock.testing.crash.kit",
    "running_server": "interlock.server",
    "worker_env": "interlock.testing.env",
}

__all__ = [
    "CrashPlan",
    "CrashReport",
    "CrashScenario",
    "ScriptedModel",
    "WorkerEnv",
    "World",
    "check_crashes",
    "running_server",
    "worker_env",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
