"""New projects: equal to the reference application, and the wheel carries it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

import interlock
from interlock.cli import template
from interlock.errors import BadInput

ROOT = Path(__file__).parents[3]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _entry(name: str) -> dict[str, bytes]:
    path = ROOT / name
    if path.is_file():
        return {name: path.read_bytes()}
    return {f"{name}/{below}": data for below, data in _files(path).items()}


def requirements(folder: Path) -> str:
    """What a project installs."""
    return (folder / "requirements.txt").read_text()


def test_a_new_project_equals_the_reference_application(tmp_path: Path) -> None:
    """Each file of the application is there unchanged; the project adds only its own few."""
    made = template.write(tmp_path, "shop", None)
    written = _files(made.folder)
    expected = {k: v for entry in template.TREE for k, v in _entry(entry).items()}
    assert {name: written.get(name) for name in expected} == expected
    added = {".gitignore", "Makefile", "README.md", "pytest.ini", "requirements.txt"}
    assert set(written) - set(expected) == added
    assert [path.as_posix() for path in made.files] == sorted(written, key=Path)


def test_placeholders_are_filled(tmp_path: Path) -> None:
    """The project has its name, and a requirement for the engine that made it."""
    folder = template.write(tmp_path, "shop", None).folder
    assert (folder / "README.md").read_text().startswith("# shop\n")
    assert f"\ninterlock[inbox,local,server] @ {ROOT.as_uri()}\n" in requirements(folder)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, f"interlock[inbox,local,server]>={interlock.__version__}"),
        (
            '{"url": "file:///a/b-1.whl", "archive_info": {}}',
            "interlock[inbox,local,server] @ file:///a/b-1.whl",
        ),
        (
            '{"url": "https://a.b/c.git", "vcs_info": {"vcs": "git", "commit_id": "f00"}}',
            "interlock[inbox,local,server] @ git+https://a.b/c.git@f00",
        ),
    ],
)
def test_the_engine_is_the_one_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, expected: str
) -> None:
    """A released one comes from the registry, another one from where its installer says."""
    info = tmp_path / "interlock-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: interlock\nVersion: 9\n")
    if written is not None:
        (info / "direct_url.json").write_text(written)
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = template.write(tmp_path, "shop", None).folder
    assert f"\n{expected}\n" in requirements(folder)


def test_the_engine_may_be_a_wheel(tmp_path: Path) -> None:
    """With --engine, the project installs that file."""
    wheel = tmp_path / "interlock-0.1.0-py3-none-any.whl"
    wheel.touch()
    folder = template.write(tmp_path, "shop", wheel).folder
    assert f"\ninterlock[inbox,local,server] @ {wheel.as_uri()}\n" in requirements(folder)


@pytest.mark.parametrize("name", ["Shop", "1shop", "a/b", "..", "", "a b"])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    """A name is one word, so the folder is where the user is."""
    with pytest.raises(BadInput, match="project name"):
        template.write(tmp_path, name, None)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder with something in it is left alone."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").touch()
    with pytest.raises(BadInput, match="exists already"):
        template.write(tmp_path, "shop", None)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_an_engine_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A wrong --engine is said before anything is written."""
    with pytest.raises(BadInput, match="--engine"):
        template.write(tmp_path, "shop", tmp_path / "none.whl")
    assert not (tmp_path / "shop").exists()


def test_init_prints_what_it_made(interlock: Any, tmp_path: Path) -> None:
    """`interlock init` works in an empty folder and says what to do next."""
    done = interlock("init", "shop", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["project"] == str(tmp_path / "shop")
    assert "make demo" in interlock("init", "other").stdout


def test_the_wheel_holds_the_engine_and_its_template(tmp_path: Path) -> None:
    """A built wheel has one top-level package, and in it the tree that new projects are made of."""
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "interlock",
        Path(wheel).stem.removesuffix("-py3-none-any") + ".dist-info",
    }
    inside = {name.removeprefix("interlock/_template/") for name in names if "/_template/" in name}
    assert inside == {name for entry in template.TREE for name in _entry(entry)}
