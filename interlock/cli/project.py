"""The command `init`: a new project, ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

app = typer.Typer()


@app.command(rich_help_panel="Deployment")
def init(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the project and of its new folder.")
    ],
    engine: Annotated[
        Path | None,
        typer.Option(
            "--engine",
            metavar="PATH",
            help="A wheel or checkout of Interlock; default: the one that is installed.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a new project: a support copilot to start from, in the layout of the reference one.

    Its own `make demo` and `make test` work at once.

    Example: interlock init shop
    """
    from interlock.cli.template import write

    out = Output(as_json)
    made = write(Path.cwd(), name, engine)
    out.answer(
        {"project": str(made.folder), "files": [str(path) for path in made.files]},
        f"made {made.folder} with {len(made.files)} files. Next:",
        f"  cd {made.folder.name}",
        "  make demo     see it work: it sets up all it needs",
        "  make test     its test suite",
        "  make up       server and worker, for your own runs",
    )
