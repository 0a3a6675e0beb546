"""The commands about channels. Each imports what it needs when it runs, as those of `watchfloor.cli.main`."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

channels_app = typer.Typer(
    invoke_without_command=True, help="Channels: how they do; try one, replay dead letters."
)

Channel = Annotated[str | None, typer.Option("--channel", help="Only those of this channel.")]


@channels_app.callback()
def channels(context: typer.Context, json: Json = False) -> None:
    """Print the channels with how they do."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), board.channels)
    plain.show_json(rows) if json else board.show_channels(rows, status.at)


@channels_app.command("test")
def try_channel(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The channel.")],
    wait: Annotated[float, typer.Option(min=1, max=300, help="Seconds to wait for the receiver.")] = 45,
) -> None:
    """Send a test message through the engine and say what became of it."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(options_of(context), board.trial(name, wait)))


@channels_app.command()
def off(context: typer.Context, name: Annotated[str, typer.Argument(help="The channel.")]) -> None:
    """Send nothing more on a channel; what waits is kept until it is on again."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(options_of(context), board.switch(name, False)))


@channels_app.command()
def on(context: typer.Context, name: Annotated[str, typer.Argument(help="The channel.")]) -> None:
    """Send on a channel again, what waits and what still fires first."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(options_of(context), board.switch(name, True)))


@channels_app.command()
def dead(context: typer.Context, name: Channel = None, json: Json = False) -> None:
    """Print messages that were given up."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), board.dead_letters(name))
    plain.show_json(rows) if json else board.show_dead_letters(rows, status.at)


@channels_app.command()
def replay(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Dead letters.")] = None,
    name: Channel = None,
) -> None:
    """Send dead letters again: those named, or all of a channel."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(options_of(context), board.replay(ids or [], name)))


@channels_app.command()
def discard(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Dead letters.")],
) -> None:
    """Take dead letters off the list without sending them, such as those that were overtaken."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(options_of(context), board.discard(ids)))
