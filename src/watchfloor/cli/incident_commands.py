"""The commands about incidents. Each imports what it needs when it runs, as those of ``main``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

incidents_app = typer.Typer(
    invoke_without_command=True, help="Incidents: list them, show one, leave a note, export a post-mortem."
)

Number = Annotated[int, typer.Argument(metavar="ID", help="The number of an incident, as in #3.")]


@incidents_app.callback()
def incidents(
    context: typer.Context,
    json: Json = False,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
) -> None:
    """Print the newest incidents, those that are open first."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import incidents as show
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), show.incidents(only_open))
    plain.show_json(rows) if json else show.show_incidents(rows, status.at)


@incidents_app.command()
def show(context: typer.Context, incident: Number, json: Json = False) -> None:
    """Print one incident: timeline, what it took with it, runs and log lines about its time."""
    from watchfloor.cli import incidents as commands
    from watchfloor.cli import plain

    report, status = plain.ask(options_of(context), commands.one(incident))
    plain.show_json(report) if json else commands.write(report, status.at, None)


@incidents_app.command()
def note(
    context: typer.Context,
    incident: Number,
    text: Annotated[str, typer.Argument(help="What others should know.")],
    json: Json = False,
) -> None:
    """Leave a note in the timeline of an incident."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.note_incident(incident, text))
    plain.show_json({"incident": incident, "note": text}) if json else print(f"noted on #{incident}")


@incidents_app.command()
def export(
    context: typer.Context,
    incident: Number,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
    json: Json = False,
) -> None:
    """Write the post-mortem of an incident as Markdown."""
    from watchfloor.cli import incidents as commands
    from watchfloor.cli import plain

    report, status = plain.ask(options_of(context), commands.one(incident))
    plain.show_json(report) if json else commands.write(report, status.at, output)
