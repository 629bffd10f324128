"""Opening Chroma: an embedded folder with one owner, or a server; and the collection in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chromadb
import filelock
import httpx
from chromadb.api import ClientAPI
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError

from interlock.errors import ConfigError, StoreLocked, StoreUnreachable, StoreUnwritable
from interlock.memory.contract import Embedder

_LOCK = "interlock.lock"
_OWNER = "interlock.pid"

_SECONDS = 30.0
"""Longest wait for an answer of a server."""

_INDEX: CreateHNSWConfiguration = {
    "space": "cosine",
    # Twice Chroma's defaults: texts of one kind resemble each other, and a sparser index then has
    # items that no search reaches.
    "max_neighbors": 32,
    "ef_construction": 200,
}


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own an embedded Chroma folder while the block runs.

    Several processes on one folder corrupt its index, so each takes this lock first. Whoever
    starts `chroma run` on the folder holds it for the server.

    Raises:
        StoreLocked: another owner has the folder.
        StoreUnwritable: the folder cannot be made or written.
    """
    lock = filelock.FileLock(folder / _LOCK, timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        (folder / _OWNER).write_text(str(os.getpid()))
    except filelock.Timeout as error:
        raise _locked(folder) from error
    except OSError as error:
        lock.release()
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def open_folder(folder: Path, stack: ExitStack) -> ClientAPI:
    """Own `folder` and open the embedded client on it, both until `stack` closes.

    Raises:
        StoreLocked: another owner has the folder.
        StoreUnwritable: the folder cannot be made, written or read as a Chroma folder.
    """
    folder = folder.absolute()
    stack.enter_context(owned(folder))
    try:
        client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    except (ChromaError, OSError, ValueError) as error:
        raise _unwritable(folder, error) from error
    stack.callback(client.close)  # type: ignore[attr-defined]  # missing in the abstract class
    return client


def open_server(url: str, stack: ExitStack) -> ClientAPI:
    """Connect to the Chroma server at `url`, until `stack` closes.

    Raises:
        ConfigError: `url` is not 'http://host:port'.
        StoreUnreachable: no Chroma server answers there.
    """
    host, port, ssl = _address(url)
    settings = Settings(
        anonymized_telemetry=False, chroma_server_host=host, chroma_server_http_port=port
    )
    try:
        # Chroma's client waits for ever for a silent server; this says so in time.
        address = f"http{'s' if ssl else ''}://{host}:{port}/api/v2/heartbeat"
        httpx.get(address, timeout=_SECONDS).raise_for_status()
        client = chromadb.HttpClient(host=host, port=port, ssl=ssl, settings=settings)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise unreachable(url) from error
    stack.callback(client.close)  # type: ignore[attr-defined]  # missing in the abstract class
    for session in _sessions(client):
        session.timeout = httpx.Timeout(_SECONDS)
        stack.callback(session.close)
    return client


def open_collection(client: ClientAPI, name: str, embedder: Embedder) -> Collection:
    """Open the collection `name`, or create it for the vectors of `embedder`.

    Raises:
        ConfigError: `name` is not a collection name, or the collection has other vectors.
    """
    wanted = {"embedder": embedder.name, "dimensions": embedder.dimensions}
    try:
        collection = client.get_or_create_collection(
            name,
            metadata=wanted,
            embedding_function=None,
            configuration={"hnsw": _INDEX},
        )
    except (ChromaError, ValueError) as error:
        raise ConfigError(f"memory.collection {name!r}: {error}") from error
    found = collection.metadata or {}
    if {key: found.get(key) for key in wanted} != wanted:
        raise ConfigError(
            f"collection {name!r} holds vectors of {_describe(found)}, and the configured embedder "
            f"is {_describe(wanted)}. Set memory.embedder back, or set memory.collection to a new "
            "name and ingest again."
        )
    return collection


def unreachable(url: str) -> StoreUnreachable:
    """Return the error for a server that does not answer."""
    return StoreUnreachable(
        f"no Chroma server answers at {url!r}. Start one (`chroma run --path FOLDER --port PORT`), "
        "or correct memory.url."
    )


def _sessions(client: Any) -> list[httpx.Client]:
    """Return the client's HTTP sessions: Chroma 1.5 gives them no timeout and leaves them open."""
    return [part._server._session for part in (client, client._admin_client)]


def _address(url: str) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    extra = host is None or parts.username or parts.path.strip("/") or parts.query
    if host is None or extra or parts.scheme not in ("http", "https"):
        raise ConfigError(f"memory.url {url!r} is not an address. Write 'http://host:port'.")
    ssl = parts.scheme == "https"
    return host, port or (443 if ssl else 8000), ssl


def _describe(metadata: object) -> str:
    if isinstance(metadata, dict) and "embedder" in metadata:
        return f"{metadata['embedder']!r} ({metadata['dimensions']} dimensions)"
    return "an unknown embedder"


def _locked(folder: Path) -> StoreLocked:
    try:
        pid = int((folder / _OWNER).read_text())
        owner = "this process" if pid == os.getpid() else f"process {pid}"
    except (OSError, ValueError):
        pid, owner = None, "another process"
    return StoreLocked(
        f"{str(folder)!r} is open in {owner}, and an embedded Chroma folder has one owner. Stop "
        f"it, or let several share a server: `chroma run --path {folder} --port 8000` and "
        "memory.url = 'http://127.0.0.1:8000'.",
        folder=str(folder),
        owner=pid,
    )


def _unwritable(folder: Path, error: Exception) -> StoreUnwritable:
    return StoreUnwritable(
        f"{str(folder)!r} cannot be used as the memory folder: {error}. Give a folder that this "
        "user may write (data_dir in interlock.toml).",
        folder=str(folder),
    )
