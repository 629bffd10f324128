"""The command `cache forget`: answers of tools that are no longer true."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

app = typer.Typer()
group = typer.Typer(name="cache", no_args_is_help=True)
app.add_typer(group, rich_help_panel="Deployment")


@group.callback()
def cache() -> None:
    """Kept answers of tools that change nothing, on this machine.

    Example: interlock cache forget prices
    """


@group.command()
def forget(
    tag: Annotated[str, typer.Argument(metavar="TAG", help="A tag that tools name.")],
    as_json: Json = False,
) -> None:
    """Forget every answer with a tag: the next call of each tool is made anew.

    Example: interlock cache forget prices
    """
    from interlock.connection import answers_folder
    from interlock.settings import load_settings
    from interlock.tools.answers import DiskAnswers

    answers = DiskAnswers(answers_folder(load_settings()))
    asyncio.run(answers.forget(tag))
    answers.close()
    Output(as_json).answer({"forgotten": tag}, f"forgot the answers with tag {tag!r}.")
