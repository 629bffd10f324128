"""Commands for model files: `models list`, `models pull`, `models verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output, line, table

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.models.catalogue import ModelFile
    from interlock.models.files import FileState

app = typer.Typer()
files = typer.Typer(name="models", no_args_is_help=True)
app.add_typer(files, rich_help_panel="Deployment")


@files.callback()
def models() -> None:
    """Model files: the embedder and the local models.

    Example: interlock models pull
    """


@files.command("list")
def list_files(as_json: Json = False) -> None:
    """List the files there are and which of them are on this machine, judged by size.

    Example: interlock models list
    """
    from interlock.models.files import list_files as listed

    _show(Output(as_json), listed(_folder()))


@files.command()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Files or bundles ('default', 'all'); 'default' by default."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring model files to this machine; only bytes of the right SHA-256 are kept.

    Example: interlock models pull qwen2.5-coder-1.5b
    """
    from interlock.models.files import pull as pulled

    out = Output(as_json)
    with _Bars(out) as bars:
        paths = pulled(tuple(names or ["default"]), _folder(), bars.tick)
    out.answer({"files": [str(path) for path in paths]}, *(f"{path}" for path in paths))


@files.command()
def verify(as_json: Json = False) -> None:
    """Hash the files on this machine and compare them with the catalogue.

    Example: interlock models verify
    """
    from interlock.errors import ModelFileCorrupt
    from interlock.models.files import verify as verified

    out = Output(as_json)
    with out.working("hashing"):
        found = verified(_folder())
    corrupt = [item.file.name for item in found if item.state == "corrupt"]
    if corrupt:
        raise ModelFileCorrupt(
            f"these files do not have the SHA-256 of the catalogue: {', '.join(corrupt)}. They are "
            f"not used. Run `interlock models pull {' '.join(corrupt)}` to get them anew.",
            names=corrupt,
        )
    _show(out, found)


def _folder() -> Path:
    from interlock.models.files import default_folder
    from interlock.settings import load_settings

    return load_settings().models_dir or default_folder()


def _show(out: Output, found: list[FileState]) -> None:
    rows = [
        (
            item.file.name,
            line((item.state, _STYLES[item.state])),
            f"{item.file.size / 1e6:.0f} MB",
            item.file.licence,
            item.file.purpose,
        )
        for item in found
    ]
    out.answer(
        [_plain(item) for item in found],
        table(("NAME", "STATE", "SIZE", "LICENCE", "PURPOSE"), rows),
        f"in {found[0].path.parent}",
    )


def _plain(item: FileState) -> dict[str, Any]:
    data = item.file.model_dump(mode="json", exclude={"sources"})
    return {**data, "state": item.state, "path": str(item.path)}


class _Bars:
    """Progress bars on stderr, one for each file; a line at its start where there is no terminal."""

    def __init__(self, out: Output) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        self._out = out
        self._known: dict[str, Any] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=out.notes,
            disable=not out.notes.is_terminal,
        )

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def tick(self, file: ModelFile, done: int) -> None:
        """Show how many bytes of a file are there."""
        if file.name not in self._known:
            self._known[file.name] = self._bars.add_task(file.name, total=file.size)
            if not self._out.notes.is_terminal:
                self._out.note(f"pulling {file.name}, {file.size / 1e6:.0f} MB")
        self._bars.update(self._known[file.name], completed=done)


_STYLES = {"present": "green", "missing": "yellow", "corrupt": "bold red"}
