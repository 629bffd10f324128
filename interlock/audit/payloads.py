"""Payloads as files: content-addressed, written once, verified when read.

Any number of processes may share a folder. A file appears under its name only when it is complete,
so a crash leaves at most a hidden temporary file beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import os
import re
from pathlib import Path

from interlock.audit.folders import unwritable
from interlock.errors import PayloadMissing

_REF = re.compile("[0-9a-f]{64}")

_number = itertools.count()
"""Of temporary files: two threads may write the same payload."""


class FilePayloadStore:
    """Bytes under their SHA-256, in two levels of folders below `folder`.

    Args:
        folder: Created with the first payload. Files are readable by this user only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, data: bytes) -> str:
        """Store `data` and return its reference; equal bytes are one file.

        Raises:
            StoreUnwritable: the folder cannot be written.
        """
        return await asyncio.to_thread(self._put, data)

    async def get(self, ref: str) -> bytes:
        """Return the bytes of `ref`.

        Raises:
            PayloadMissing: no such payload, or its file no longer has that hash.
        """
        return await asyncio.to_thread(self._get, ref)

    def _put(self, data: bytes) -> str:
        ref = hashlib.sha256(data).hexdigest()
        path = self._path(ref)
        try:
            # Compared and not just looked for: putting a payload again mends a broken file.
            if not path.is_file() or path.read_bytes() != data:
                _write(path, data)
        except OSError as error:
            raise unwritable(path, error) from error
        return ref

    def _get(self, ref: str) -> bytes:
        if not _REF.fullmatch(ref):
            raise self._missing(ref, "a reference is 64 hex digits")
        try:
            data = self._path(ref).read_bytes()
        except OSError as error:
            raise self._missing(ref, error.strerror or str(error)) from error
        if hashlib.sha256(data).hexdigest() != ref:
            raise self._missing(ref, "its file is corrupt")
        return data

    def _path(self, ref: str) -> Path:
        return self._folder / ref[:2] / ref[2:4] / ref

    def _missing(self, ref: str, why: str) -> PayloadMissing:
        return PayloadMissing(
            f"Payload {ref!r} is not in {str(self._folder)!r}: {why}. Check that every process uses "
            "the same folder, or restore it from a backup.",
            ref=ref,
            folder=str(self._folder),
        )


def _write(path: Path, data: bytes) -> None:
    # Every model call writes here twice: `tempfile` would take longer than the disk.
    temporary = path.with_name(f".{path.name[:16]}-{os.getpid()}-{next(_number)}.tmp")
    try:
        with _create(temporary) as file:
            file.write(data)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _create(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path, "x", opener=_private)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return io.FileIO(path, "x", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
