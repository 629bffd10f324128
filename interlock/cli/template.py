"""What `interlock init` writes: the reference application, with the few files a project adds.

There is one copy of the application: the root folders of the repository. A wheel carries them as
`interlock/_template` (see `force-include` in pyproject.toml); a checkout is read where it lies.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import interlock
from interlock.errors import BadInput, ConfigError, StoreUnwritable

TREE = (
    "agents",
    "demo",
    "interlock.toml",
    "memory",
    "policy.yaml",
    "policy_test.yaml",
    "tests/conftest.py",
    "tests/data",
    "tests/integration/application",
    "tests/payments.py",
    "tests/unit/application",
    "tools",
    "worker.py",
    "workflows",
)
"""Files and folders of the repository that a new project starts with, unchanged."""

_PACKAGE = Path(interlock.__file__).parent
_SCAFFOLD = Path(__file__).with_name("scaffold")
_RENAMED = {"gitignore": ".gitignore"}
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_EXTRAS = "interlock[inbox,local,server]"


@dataclass(frozen=True)
class Project:
    """A project that was made."""

    folder: Path
    files: tuple[Path, ...]
    """Relative to the folder, sorted."""


def write(parent: Path, name: str, engine: Path | None) -> Project:
    """Make a project in a new folder `name` below `parent`.

    Args:
        parent: An existing folder.
        name: Name of the project.
        engine: A wheel or a checkout of Interlock; None for the one that this installation is of,
            or, when there is none, for the package registry.

    Raises:
        BadInput: the name is no such thing, the folder is in use, or `engine` is not there.
        ConfigError: this installation lacks the template.
        StoreUnwritable: the folder cannot be written.
    """
    folder = _new_folder(parent, name)
    requirement = _requirement(engine)
    origin = source()
    try:
        for entry in TREE:
            _copy(origin / entry, folder / entry)
        for path in sorted(_SCAFFOLD.iterdir()):
            text = path.read_text(encoding="utf-8")
            text = text.replace("PROJECT", name).replace("ENGINE", requirement)
            (folder / _RENAMED.get(path.name, path.name)).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreUnwritable(
            f"folder {str(folder)!r} cannot be written: {error}. Go to a folder that this user may "
            "write."
        ) from error
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return Project(folder, tuple(files))


def source() -> Path:
    """Return where the application lies: inside the installed package, or beside it.

    Raises:
        ConfigError: it is in neither place.
    """
    for folder in (_PACKAGE / "_template", _PACKAGE.parent):
        if all((folder / entry).exists() for entry in TREE):
            return folder
    raise ConfigError(
        f"this installation of Interlock in {str(_PACKAGE)!r} has no project template. Install the "
        "released package, or work from a whole checkout."
    )


def _new_folder(parent: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no project name. Use lower-case letters, digits, '-' and '_', and begin "
            "with a letter."
        )
    folder = parent / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{str(folder)!r} exists already. Choose another name, or remove it.")
    return folder


def _requirement(engine: Path | None) -> str:
    if engine is not None:
        path = engine.expanduser().resolve()
        if not path.exists():
            raise BadInput(
                f"--engine {str(engine)!r} is neither a wheel nor a checkout: no such path."
            )
        return f"{_EXTRAS} @ {path.as_uri()}"
    address = _installed_from()
    return f"{_EXTRAS} @ {address}" if address else f"{_EXTRAS}>={interlock.__version__}"


def _installed_from() -> str | None:
    """Return the address of the wheel or checkout that was installed; None for a release.

    Installers write it down, as PEP 610 says.
    """
    written = distribution("interlock").read_text("direct_url.json")
    if not written:
        return None
    found = json.loads(written)
    address, vcs = str(found["url"]), found.get("vcs_info")
    return f"{vcs['vcs']}+{address}@{vcs['commit_id']}" if vcs else address


def _copy(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(origin, target, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copyfile(origin, target)
