"""The commands about heartbeats. Each imports what it needs when it runs, as those of ``main``."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

heartbeats_app = typer.Typer(
    invoke_without_command=True, help="Heartbeats: list them, their pings; make a token for one."
)

Heartbeat = Annotated[str, typer.Argument(metavar="NAME", help="The heartbeat.")]
RunId = Annotated[str | None, typer.Option("--run-id", help="Which run: ties an end to its start.")]


@heartbeats_app.callback()
def heartbeats(context: typer.Context, json: Json = False) -> None:
    """Print the heartbeats: how they are, when the next ping is due."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import heartbeats as show
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), show.heartbeats)
    plain.show_json(rows) if json else show.show_heartbeats(rows, status.at)


@heartbeats_app.command()
def pings(context: typer.Context, name: Heartbeat, json: Json = False) -> None:
    """Print the latest pings of a heartbeat, the newest first."""
    from watchfloor.cli import heartbeats as show
    from watchfloor.cli import plain

    rows = plain.ask(options_of(context), lambda desk: desk.pings(name))
    plain.show_json(rows) if json else show.show_pings(rows)


@heartbeats_app.command()
def token(
    context: typer.Context,
    name: Heartbeat,
    new: Annotated[bool, typer.Option("--new", help="Make one; the one before ends.")] = False,
) -> None:
    """Make the token with which a heartbeat is pinged over HTTP, and print it this once."""
    from watchfloor.cli import plain

    if not new:
        raise typer.BadParameter("a token is only stored as its digest: make a new one with --new")
    print(plain.ask(options_of(context), lambda desk: desk.new_token(name)))


def ping(
    context: typer.Context,
    name: Heartbeat,
    start: Annotated[bool, typer.Option("--start", help="A run begins.")] = False,
    fail: Annotated[bool, typer.Option("--fail", help="A run failed.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Only keep the message.")] = False,
    exit_status: Annotated[int | None, typer.Option("--exit", help="A run ended with this status.")] = None,
    run_id: RunId = None,
    message: Annotated[str | None, typer.Option(help="What to keep with it; - reads it from stdin.")] = None,
) -> None:
    """Tell a heartbeat that a run succeeded, or began, failed, or ended with an exit status."""
    from watchfloor.cli import pinging

    words = pinging.said(start, fail, log, exit_status, run_id, message)
    pinging.send(options_of(context), name, words)


def wrap(
    context: typer.Context,
    name: Heartbeat,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    run_id: RunId = None,
) -> None:
    """Run a command and tell a heartbeat how it went: duration, exit status, the end of its output."""
    from watchfloor.cli.wrap import wrap as run

    raise typer.Exit(run(options_of(context), name, command, run_id))
