"""The public test kit: real parts, with a scripted model in the place of a provider."""

from interlock.models.scripted import ScriptedModel
from interlock.server import running_server
from interlock.testing.env import WorkerEnv, worker_env

__all__ = ["ScriptedModel", "WorkerEnv", "running_server", "worker_env"]
