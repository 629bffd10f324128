"""The command `inbox`: the reviewer's pages and the API, links to sign in, and keys of machines."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from interlock.cli.options import Json
from interlock.cli.output import Output

app = typer.Typer()
group = typer.Typer(name="inbox", invoke_without_command=True)
app.add_typer(group, rich_help_panel="Reviewers")
keys = typer.Typer(name="key", no_args_is_help=True)
group.add_typer(keys)

As = Annotated[
    str,
    typer.Option(
        "--as", metavar="SUBJECT", help="Whom the link signs in; default: who is logged in."
    ),
]


@group.callback()
def inbox(context: typer.Context, subject: As = "", as_json: Json = False) -> None:
    """Serve the inbox until Ctrl-C: pages where reviewers decide, and an HTTP API.

    It listens where 'inbox.host' and 'inbox.port' say. Without an identity provider it prints a link
    that signs in once; where only signed decisions count, with --as only. With --json, the ready line
    is one JSON object.

    Example: interlock inbox
    """
    if context.invoked_subcommand is not None:
        return
    out = Output(as_json)
    with out.working("loading"):
        from interlock.cli.inboxes import serve
    try:
        asyncio.run(serve(out, subject))
    except asyncio.CancelledError:  # a signal came while it was starting
        raise typer.Exit(130) from None


@group.command()
def link(subject: As = "", as_json: Json = False) -> None:
    """Print a link that signs in once, for an inbox that runs.

    Who is in 'people' signs in as it stands there. Anybody else may do everything: whoever can run
    this command can read the deployment's files. Where only signed decisions count, and so in
    production, there is a link for 'people' only.

    Example: interlock inbox link --as ada
    """
    from interlock.cli.inboxes import print_link

    asyncio.run(print_link(Output(as_json), subject))


@keys.callback()
def key() -> None:
    """API keys of machines. Only their digests are kept.

    Example: interlock inbox key list
    """


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    roles: Annotated[
        list[str], typer.Option("--role", help="caller, reviewer, operator, ...; repeatable.")
    ],
    tenants: Annotated[
        list[str], typer.Option("--tenant", help="A tenant it may see, '*' for all; repeatable.")
    ],
    days: Annotated[
        float, typer.Option("--days", min=0.01, max=730, help="How long it holds.")
    ] = 90,
    as_json: Json = False,
) -> None:
    """Make an API key and print it: it is never shown again.

    Example: interlock inbox key create nightly --role caller --tenant north
    """
    from interlock.cli.inboxes import create_key

    asyncio.run(create_key(Output(as_json), name, roles, tenants, days))


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the API keys that hold, newest first.

    Example: interlock inbox key list
    """
    from interlock.cli.inboxes import list_keys

    asyncio.run(list_keys(Output(as_json)))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as `list` shows it.")],
    as_json: Json = False,
) -> None:
    """Revoke an API key: from now on it opens nothing.

    Example: interlock inbox key revoke 4be1c0d92a7f
    """
    from interlock.cli.inboxes import revoke_key

    asyncio.run(revoke_key(Output(as_json), key_id))
