"""Local models: one llama.cpp process for each model file, started on first use."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from interlock.errors import ModelMissing, ModelUnavailable
from interlock.models.catalogue import CATALOGUE, ModelFile, find
from interlock.models.files import path_of

_SCRIPT = Path(__file__).with_name("local_server.py")
_GOODBYE = 5.0
"""Seconds a process has to end by itself."""


class Endpoint(NamedTuple):
    """Where a running local model answers, in the OpenAI wire format."""

    base_url: str
    key: SecretStr


class _Server:
    """One process; `lock` keeps two calls from starting it twice."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.endpoint: Endpoint | None = None

    def running(self) -> Endpoint | None:
        alive = self.process is not None and self.process.poll() is None
        return self.endpoint if alive else None

    def stop(self) -> None:
        process, self.process, self.endpoint = self.process, None, None
        if process is None:
            return
        # Leaving closes the pipes and waits; a process that ended may have left its key unread.
        with suppress(BrokenPipeError), process:
            process.terminate()
            try:
                process.wait(_GOODBYE)
            except subprocess.TimeoutExpired:
                process.kill()


class LocalModels:
    """Runs the language models of the catalogue and knows where each one answers.

    Uses threads and plain processes, so that one instance serves several event loops.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        threads: int = 0,
        start_timeout: float = 120.0,
        catalogue: tuple[ModelFile, ...] = CATALOGUE,
    ) -> None:
        """Serve the model files of a folder.

        Args:
            folder: Where the model files are; None for the user's cache folder.
            threads: Threads of each model; 0 for one for each core, at most four.
            start_timeout: Seconds a model may take to load.
            catalogue: The files that may be served.
        """
        self._folder = folder
        self._threads = threads or max(1, min(4, os.cpu_count() or 1))
        self._start_timeout = start_timeout
        self._catalogue = catalogue
        self._servers: dict[str, _Server] = {}

    async def endpoint(self, name: str) -> Endpoint:
        """Return where the model `name` answers; start it if it does not run, or no longer runs.

        Raises:
            ModelMissing: the model's file or the library that runs it is not there.
            ModelFileCorrupt: the file has the wrong hash.
            ModelUnavailable: the process did not start.
        """
        server = self._servers.setdefault(name, _Server())
        running = server.running()
        if running is None:
            running = await asyncio.to_thread(self._ensure, name, server)
        return running

    async def aclose(self) -> None:
        """Stop every process."""
        for server in self._servers.values():
            await asyncio.to_thread(server.stop)

    def _ensure(self, name: str, server: _Server) -> Endpoint:
        with server.lock:
            endpoint = server.running()
            if endpoint is None:
                server.stop()
                endpoint = server.endpoint = self._start(name, server)
            return endpoint

    def _start(self, name: str, server: _Server) -> Endpoint:
        file = find(name, self._catalogue)
        if not file.context:
            known = ", ".join(found.name for found in self._catalogue if found.context)
            raise ModelMissing(
                f"Model file {name!r} is no language model. Known: {known}.", name=name
            )
        if importlib.util.find_spec("xllamacpp") is None:
            raise ModelMissing(
                f"Local model {name!r} needs the library 'xllamacpp'. Install the extra: "
                "`pip install 'interlock[local]'`.",
                name=name,
            )
        path = path_of(name, self._folder, self._catalogue)
        key = secrets.token_urlsafe(24)
        # -P keeps the folder of the script off the path: its neighbours are no top-level modules.
        # -P keeps the script's folder off the path: its neighbours are no top-level modules.
        command = [sys.executable, "-P", str(_SCRIPT), str(path)]
        command += ["--name", name, "--context", str(file.context)]
        command += ["--threads", str(self._threads)]
        server.process = subprocess.Popen(  # noqa: S603 - our own script and interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C is for the parent, which may still have calls to finish.
            start_new_session=True,
        )
        try:
            return Endpoint(f"{self._address(name, server.process, key)}/v1", SecretStr(key))
        except BaseException:
            server.stop()
            raise

    def _address(self, name: str, process: subprocess.Popen[str], key: str) -> str:
        said = json.loads(self._first_line(process, key) or '{"message": "it gave no reason."}')
        address = str(said.get("address", ""))
        if not address:
            raise ModelUnavailable(
                f"Local model {name!r} did not start: {said['message']} Is there enough memory?",
                name=name,
            )
        answer = httpx.get(f"{address}/health", headers={"Authorization": f"Bearer {key}"})
        if answer.is_error:
            raise ModelUnavailable(
                f"Local model {name!r} is not healthy: {answer.text[:200]}", name=name
            )
        return address

    def _first_line(self, process: subprocess.Popen[str], key: str) -> str:
        """Hand over the key and wait for the report; a process that takes too long is killed."""
        if process.stdin is None or process.stdout is None:
            return ""
        watch = threading.Timer(self._start_timeout, process.kill)
        watch.start()
        try:
            process.stdin.write(f"{key}\n")
            process.stdin.flush()
            return process.stdout.readline()
        except BrokenPipeError:  # it ended before it read the key
            return process.stdout.readline()
        finally:
            watch.cancel()
