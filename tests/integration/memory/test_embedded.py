"""An embedded folder: one owner, opened again and again, and what is wrong with it is named."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from interlock.context import CallContext
from interlock.errors import ConfigError, StoreLocked, StoreUnwritable
from interlock.memory import Get, MemoryItem, Put, Search
from interlock.memory.chroma import ChromaMemory
from interlock.memory.connection import owned
from interlock.memory.embedders import Hashing

CONTEXT = CallContext(agent="tester")

PROCESS = """
import asyncio, json, os, sys
from pathlib import Path
from interlock.errors import StoreLocked
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import Hashing

async def main(folder):
    try:
        async with ChromaMemory(Path(folder), Hashing()):
            print(json.dumps({"open": os.getpid()}), flush=True)
            sys.stdin.read()
    except StoreLocked as error:
        print(json.dumps({"code": error.code, "message": error.message, **error.details}))

asyncio.run(main(sys.argv[1]))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a process that opens the memory in `folder` and keeps it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> dict[str, object]:
    """Wait for what a process says first."""
    assert process.stdout is not None
    said: dict[str, object] = json.loads(process.stdout.readline())
    return said


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """It fails with a code, the folder, the owner's pid and the way to share."""
    async with ChromaMemory(tmp_path / "m", Hashing()):
        with start(tmp_path / "m") as second:
            said = first_line(second)
    assert said["code"] == "STORE_LOCKED"
    assert (said["folder"], said["owner"]) == (str(tmp_path / "m"), os.getpid())
    for part in (str(tmp_path / "m"), f"process {os.getpid()}", "chroma run", "memory.url"):
        assert part in str(said["message"])


async def test_a_killed_owner_leaves_the_folder_free(tmp_path: Path) -> None:
    """While another process owns the folder it is named; once it is killed, the folder opens."""
    with start(tmp_path / "m") as owner:
        assert first_line(owner) == {"open": owner.pid}
        with pytest.raises(StoreLocked, match=f"process {owner.pid}"):
            await ChromaMemory(tmp_path / "m", Hashing()).open()
        owner.kill()
    async with ChromaMemory(tmp_path / "m", Hashing()) as memory:
        assert await memory.run_ops_for([], CONTEXT)


async def test_one_process_opens_a_folder_once(tmp_path: Path) -> None:
    """Two memories on one folder are refused in one process too, until the first is closed."""
    async with ChromaMemory(tmp_path / "m", Hashing()):
        with pytest.raises(StoreLocked, match="this process"):
            await ChromaMemory(tmp_path / "m", Hashing()).open()
    async with ChromaMemory(tmp_path / "m", Hashing()):
        pass


async def test_a_folder_can_be_owned_for_a_server(tmp_path: Path) -> None:
    """Whoever runs `chroma run` on a folder keeps embedded users out of it."""
    with owned(tmp_path / "m"), pytest.raises(StoreLocked):
        await ChromaMemory(tmp_path / "m", Hashing()).open()


async def test_items_survive_a_new_opening(tmp_path: Path) -> None:
    """What was stored is read, searched and changed after closing, with no file left open."""
    embedder = Hashing()
    for number in range(3):
        async with ChromaMemory(tmp_path / "m", embedder) as memory:
            put = Put(namespace=("a",), key=str(number), value={"text": f"number {number}"})
            await memory.run_ops_for([put], CONTEXT)
    async with ChromaMemory(tmp_path / "m", embedder) as memory:
        search = Search(namespace_prefix=("a",), query="number 1")
        hits, item = (
            await memory.run_ops_for([search, Get(namespace=("a",), key="2")], CONTEXT)
        ).answers
    assert isinstance(hits, list)
    assert isinstance(item, MemoryItem)
    assert next(hit.key for hit in hits if isinstance(hit, MemoryItem)) == "1"
    assert item.value == {"text": "number 2"}
    await asyncio.to_thread(_wait_until_none_is_open, tmp_path)


def _wait_until_none_is_open(folder: Path) -> None:
    """Chroma's threads close their connections a moment after the client, and tell nobody."""
    end = time.monotonic() + 30
    while left := [f.path for f in psutil.Process().open_files() if f.path.startswith(str(folder))]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


async def test_closing_twice_is_harmless_and_use_is_refused(tmp_path: Path) -> None:
    """A memory that is closed, or was never opened, says so."""
    memory = ChromaMemory(tmp_path / "m", Hashing())
    with pytest.raises(ConfigError, match="not open"):
        await memory.run_ops_for([], CONTEXT)
    await memory.open()
    await memory.close()
    await memory.close()
    with pytest.raises(ConfigError, match="not open"):
        await memory.run_ops_for([], CONTEXT)


@pytest.mark.parametrize("where", ["file", "file/below", "file.sqlite"])
async def test_an_unusable_folder_is_named(tmp_path: Path, where: str) -> None:
    """A file in place of the folder, above it or in place of the database is reported."""
    (tmp_path / "file").write_text("")
    (tmp_path / "file.sqlite").mkdir()
    (tmp_path / "file.sqlite" / "chroma.sqlite3").write_text("this is no database" * 100)
    with pytest.raises(StoreUnwritable, match="data_dir") as caught:
        await ChromaMemory(tmp_path / where, Hashing()).open()
    assert str(tmp_path / where) in caught.value.message
    assert caught.value.details["folder"] == str(tmp_path / where)


@pytest.mark.parametrize("other", [("hashing", 64), ("minilm-int8", 384)])
async def test_other_vectors_are_refused(tmp_path: Path, other: tuple[str, int]) -> None:
    """A collection keeps to its embedder; the error names both and both ways out."""

    class Other(Hashing):
        def __init__(self) -> None:
            super().__init__(other[1])
            self.name = other[0]

    async with ChromaMemory(tmp_path / "m", Hashing()):
        pass
    with pytest.raises(ConfigError, match=r"memory\.collection") as caught:
        await ChromaMemory(tmp_path / "m", Other()).open()
    for part in ("'hashing' (384 dimensions)", f"{other[0]!r} ({other[1]} dimensions)"):
        assert part in caught.value.message
    async with ChromaMemory(tmp_path / "m", Other(), collection="another"):
        pass


async def test_a_bad_collection_name_is_refused(tmp_path: Path) -> None:
    """Chroma's rule for names is passed on, with the setting it is about."""
    with pytest.raises(ConfigError, match=r"memory\.collection 'a b'"):
        await ChromaMemory(tmp_path / "m", Hashing(), collection="a b").open()
