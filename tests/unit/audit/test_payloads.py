"""The payload store: complete files or none, and never other bytes than were put."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys

import pytest

from interlock.audit.payloads import FilePayloadStore
from interlock.errors import PayloadMissing, StoreUnwritable

CRASH = """
import asyncio, os, pathlib, sys
from interlock.audit.payloads import FilePayloadStore
pathlib.Path.replace = lambda *_: os._exit(9)
asyncio.run(FilePayloadStore(pathlib.Path(sys.argv[1])).put(b"payload"))
"""
PUT_MANY = """
import asyncio, pathlib, sys
from interlock.audit.payloads import FilePayloadStore
async def main():
    store = FilePayloadStore(pathlib.Path(sys.argv[1]))
    await asyncio.gather(*(store.put(b"%d" % (n % 20) * 5000) for n in range(100)))
asyncio.run(main())
"""


@pytest.fixture
def store(tmp_path):
    """Give a store on a folder that does not exist yet."""
    return FilePayloadStore(tmp_path / "payloads")


def files(tmp_path):
    """Return all files of the store."""
    return [path for path in (tmp_path / "payloads").rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
async def test_payload_comes_back(store, data):
    """What was put is got back, under the SHA-256 of its bytes."""
    ref = await store.put(data)

    assert ref == hashlib.sha256(data).hexdigest()
    assert await store.get(ref) == data


async def test_payload_is_in_two_levels_of_folders(store, tmp_path):
    """A payload's file is below the first four digits of its hash, for its owner only."""
    ref = await store.put(b"payload")

    [path] = files(tmp_path)
    assert path == tmp_path / "payloads" / ref[:2] / ref[2:4] / ref
    assert path.stat().st_mode & 0o777 == 0o600


async def test_equal_payloads_are_one_file(store, tmp_path):
    """Putting the same bytes again, even at once, makes no second file and writes nothing."""
    refs = await asyncio.gather(*(store.put(b"payload") for _ in range(20)))
    [path] = files(tmp_path)
    written = path.stat().st_mtime_ns, path.stat().st_ino

    refs.append(await store.put(b"payload"))

    assert len(set(refs)) == 1
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written


def test_processes_share_a_folder(store, tmp_path):
    """Processes that put the same payloads at once leave each complete, and nothing else."""
    processes = [
        subprocess.Popen([sys.executable, "-c", PUT_MANY, tmp_path / "payloads"]) for _ in range(2)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]

    assert len(files(tmp_path)) == 20
    for path in files(tmp_path):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


async def test_crash_before_the_end_leaves_nothing_visible(store, tmp_path):
    """A process that dies between writing and renaming leaves no payload; a retry makes it."""
    ref = hashlib.sha256(b"payload").hexdigest()

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASH, tmp_path / "payloads"
    )

    assert await process.wait() == 9
    assert [path.name.startswith(".") for path in files(tmp_path)] == [True]
    with pytest.raises(PayloadMissing):
        await store.get(ref)
    assert await store.put(b"payload") == ref
    assert await store.get(ref) == b"payload"


async def test_failed_write_leaves_no_file(store, tmp_path):
    """When the last step of writing fails, the temporary file is gone and the path is named."""
    ref = hashlib.sha256(b"payload").hexdigest()
    path = tmp_path / "payloads" / ref[:2] / ref[2:4] / ref
    path.mkdir(parents=True)

    with pytest.raises(StoreUnwritable, match=ref):
        await store.put(b"payload")

    assert files(tmp_path) == []


async def test_unwritable_folder_is_named(tmp_path):
    """A folder that cannot be made is named."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnwritable, match="cannot be written") as refused:
        await FilePayloadStore(tmp_path / "file" / "payloads").put(b"payload")

    assert str(tmp_path / "file") in refused.value.details["path"]


async def test_missing_payload_is_named(store, tmp_path):
    """A reference that nothing was put under is named together with the folder."""
    with pytest.raises(PayloadMissing) as missing:
        await store.get("0" * 64)

    assert missing.value.details == {"ref": "0" * 64, "folder": str(tmp_path / "payloads")}
    assert "0" * 64 in str(missing.value)


@pytest.mark.parametrize("broken", [b"", b"other"])
async def test_corrupt_payload_is_detected_and_mended(store, tmp_path, broken):
    """A file that no longer has its hash is not given out, and putting it again mends it."""
    ref = await store.put(b"payload")
    [path] = files(tmp_path)
    path.write_bytes(broken)

    with pytest.raises(PayloadMissing, match="its file is corrupt"):
        await store.get(ref)

    await store.put(b"payload")
    assert await store.get(ref) == b"payload"


@pytest.mark.parametrize("ref", ["", "abc", "../" * 21 + "x", "G" * 64, "A" * 64, "0" * 64 + "\n"])
async def test_what_is_no_reference_is_refused(store, ref):
    """A reference of another form reaches no file."""
    with pytest.raises(PayloadMissing, match="64 hex digits"):
        await store.get(ref)
