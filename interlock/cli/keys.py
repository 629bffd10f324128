"""The command `keys new`: a key pair that signs decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
group = typer.Typer(name="keys", no_args_is_help=True)
app.add_typer(group, rich_help_panel="Deployment")


@group.callback()
def keys() -> None:
    """Keys that sign decisions.

    Example: interlock keys new
    """


@group.command()
def new(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]",
            help="Where the private key goes; by default a file of its own in the data folder.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a key pair, write the private key to a file that only you can read, and print the rest.

    Example: interlock keys new
    """
    from pathlib import Path

    from interlock.approvals.signatures import SigningKey
    from interlock.connection import data_folder
    from interlock.settings import load_settings

    key = SigningKey.new()
    path = Path(file) if file else data_folder(load_settings()) / f"signing-{key.id}.key"
    _write(path, key.text.get_secret_value())
    Output(as_json).answer(
        {"id": key.id, "public": key.public, "file": str(path)},
        f"The private key is in {path}. Whoever has it can sign for everybody: give it to the inbox "
        "only, as 'approvals.signing_key_file'.",
        "Put this into interlock.toml of every worker and of the inbox, and above all sections "
        "profile = \"production\", or under [approvals] 'require_signature = true':",
        "",
        f"[approvals.keys.{key.id}]",
        f'public = "{key.public}"',
    )


def _write(path: Path, text: str) -> None:
    """Write a file that nobody else can read, and never over another one.

    Raises:
        BadInput: it exists, or cannot be written.
    """
    import os

    from interlock.errors import BadInput

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
    except FileExistsError as error:
        raise BadInput(
            f"{path} exists, and a key is never written over. Name another file."
        ) from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}.") from error
