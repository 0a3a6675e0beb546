"""The commands about maintenance windows. Each imports what it needs when it runs, as those of ``main``."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

maintenance_app = typer.Typer(
    invoke_without_command=True, help="Maintenance windows: list them, add one, end one now."
)

Number = Annotated[int, typer.Argument(metavar="ID", help="The number of a window, as in #3.")]


@maintenance_app.callback()
def maintenance(context: typer.Context, json: Json = False) -> None:
    """Print the windows: what they cover, whether they are open, when they open next."""
    if context.invoked_subcommand is None:
        _print(context, json)


@maintenance_app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """Print the windows: what they cover, whether they are open, when they open next."""
    _print(context, json)


def _print(context: typer.Context, json: bool) -> None:
    from watchfloor.cli import maintenance as show
    from watchfloor.cli import plain

    rows = plain.ask(options_of(context), show.windows)
    plain.show_json(rows) if json else show.show_windows(rows)


@maintenance_app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    service: Annotated[list[str] | None, typer.Option(help="A service or a pattern; repeat it.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group or a pattern; repeat it.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="A kind of check; repeat it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeat it.")] = None,
    start: Annotated[str, typer.Option(help="Once, from this moment: 2026-12-24T18:00; now.")] = "",
    end: Annotated[str, typer.Option(help="Once, up to this moment.")] = "",
    weekly: Annotated[list[str] | None, typer.Option(help="Every week on this day (mon); repeat it.")] = None,
    monthly: Annotated[
        list[int] | None, typer.Option(help="Every month on this day; -1 is the last.")
    ] = None,
    cron: Annotated[str, typer.Option(help="When it opens, as a cron expression.")] = "",
    at: Annotated[str, typer.Option(help="The time of day for --weekly and --monthly: 02:30.")] = "",
    lasts: Annotated[str, typer.Option("--for", help="How long it is open, as in 2h.")] = "",
    time_zone: Annotated[str, typer.Option(help="The zone of all times.")] = "UTC",
    flexible: Annotated[str, typer.Option(help="Open with the first failure, for so long.")] = "",
    opens_with: Annotated[int | None, typer.Option(help="Open whenever this window does (its ID).")] = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Add a window. Without times it opens now; --for says for how long."""
    from watchfloor.cli import maintenance as show
    from watchfloor.cli import plain

    covers = {"services": service, "groups": group, "kinds": kind, "tags": tag}
    written = {
        "start": start, "end": end, "weekly": weekly, "monthly": monthly, "cron": cron, "at": at, "lasts": lasts,
        "time_zone": time_zone, "flexible": flexible,
    }  # fmt: skip
    request = show.adding(name, covers, written, opens_with, note)
    print(f"#{plain.ask(options_of(context), request)}")


@maintenance_app.command()
def end(context: typer.Context, window: Number) -> None:
    """Close a window that is open; it opens again as it would have."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.end_window(window))
    print(f"ended #{window}")


@maintenance_app.command()
def reopen(context: typer.Context, window: Number) -> None:
    """Open a window again that was ended before its time, until it would have closed."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.reopen_window(window))
    print(f"#{window} is open again")


@maintenance_app.command()
def times(context: typer.Context, json: Json = False) -> None:
    """Print when windows are, will be and were open, with what clocks do meanwhile."""
    from watchfloor.cli import maintenance as show
    from watchfloor.cli import plain

    rows = plain.ask(options_of(context), lambda desk: desk.slots())
    plain.show_json(rows) if json else show.show_slots(rows)


@maintenance_app.command()
def delete(context: typer.Context, window: Number) -> None:
    """Take a window away for good."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.delete_window(window))
    print(f"deleted #{window}")
