"""Commands that stay: `up` runs a server and a worker, `worker` a worker only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

_PANEL = "Deployment"

app = typer.Typer()


@app.command(rich_help_panel=_PANEL)
def up(
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=64535, help="Port of Temporal; free one by default."),
    ] = None,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Leave Temporal's web UI out.")] = False,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only the server; start `interlock worker` apart.")
    ] = False,
    no_inbox: Annotated[
        bool, typer.Option("--no-inbox", help="Leave the reviewers' inbox out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a Temporal server, its web UI, a worker and the inbox on this machine, until Ctrl-C.

    The server keeps its state in the data folder. The other commands find it by themselves.
    The inbox needs the extra 'interlock[inbox]'; a link that signs in once is printed.
    With --json, the ready line is one JSON object.

    Example: interlock up
    """
    out = Output(as_json)
    with out.working("loading"):
        from interlock.cli.serving import serve_all

    serving = serve_all(out, port=port, ui=not no_ui, worker=not no_worker, inbox=not no_inbox)
    _serve(serving)


@app.command(rich_help_panel=_PANEL)
def worker(as_json: Json = False) -> None:
    """Run a worker of this deployment until Ctrl-C.

    With --json, the ready line is one JSON object.

    Example: interlock worker
    """
    out = Output(as_json)
    with out.working("loading"):
        from interlock.cli.serving import serve_worker

    _serve(serve_worker(out))


def _serve(work: Coroutine[None, None, None]) -> None:
    from interlock.worker import run_process

    try:
        run_process(work)
    except asyncio.CancelledError:  # a signal came while it was starting
        raise typer.Exit(130) from None
