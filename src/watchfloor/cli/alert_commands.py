"""The commands about alerts. Each imports what it needs when it runs, as those of `watchfloor.cli.main`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from watchfloor.cli.said import Json, options_of

if TYPE_CHECKING:
    from watchfloor.cli.desk import Desk

alerts_app = typer.Typer(invoke_without_command=True, help="Alerts: list them, or act on them.")

Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="The numbers of alerts, as in #42.")]


@alerts_app.callback()
def alerts(
    context: typer.Context,
    json: Json = False,
    resolved: Annotated[bool, typer.Option("--resolved", help="Recently resolved ones too.")] = False,
) -> None:
    """Print the alerts."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), plain.alerts(resolved))
    plain.show_json(rows) if json else plain.show_alerts(rows, status.at)


@alerts_app.command()
def show(
    context: typer.Context, alert: Annotated[int, typer.Argument(metavar="ID")], json: Json = False
) -> None:
    """Print one alert with its history."""
    from watchfloor.cli import plain

    detail = plain.ask(options_of(context), lambda desk: desk.alert(alert))
    if detail is None:
        _fail(f"there is no alert #{alert}")
    plain.show_json(detail) if json else plain.show_alert(detail)


@alerts_app.command()
def ack(
    context: typer.Context,
    ids: Ids,
    note: Annotated[str, typer.Option(help="Why, for those who come after you.")] = "",
    lasts: Annotated[
        str,
        typer.Option(
            "--for",
            help="How long, as in 4h; `resolved` for no end.",
            show_default="setting alerts.ack_expiry",
        ),
    ] = "",
    sticky: Annotated[bool, typer.Option("--sticky", help="Also survive a rise of severity.")] = False,
) -> None:
    """Acknowledge alerts."""
    from watchfloor.cli import plain

    _act(context, ids, plain.acknowledge(note, lasts, sticky), "acknowledged")


@alerts_app.command()
def unack(context: typer.Context, ids: Ids) -> None:
    """Take acknowledgements back."""
    _act(context, ids, lambda desk, alert_id: desk.unacknowledge([alert_id]), "no longer acknowledged:")


@alerts_app.command()
def resolve(
    context: typer.Context, ids: Ids, note: Annotated[str, typer.Option(help="Why it is over.")] = ""
) -> None:
    """Declare alerts over; they come back only after their condition was false once."""
    _act(context, ids, lambda desk, alert_id: desk.resolve([alert_id], note), "resolved")


@alerts_app.command()
def note(
    context: typer.Context,
    ids: Ids,
    note: Annotated[str, typer.Option("--note", help="What those who come after you should know.")],
) -> None:
    """Write something into the history of alerts, open or not; nobody is told."""
    _act(context, ids, lambda desk, alert_id: desk.add_note([alert_id], note), "noted in the history of")


@alerts_app.command(name="hand-over")
def hand_over(
    context: typer.Context,
    ids: Ids,
    to: Annotated[str, typer.Option("--to", help="The name of a person, as in the config file.")],
    note: Annotated[str, typer.Option("--note", help="What they should know.")] = "",
) -> None:
    """Make open alerts the matter of somebody else, who is told and has yet to take charge."""
    _act(context, ids, lambda desk, alert_id: desk.hand_over([alert_id], to, note), f"handed over to {to}:")


@alerts_app.command()
def stats(
    context: typer.Context,
    over: Annotated[str, typer.Option(help="How far to look back, as in 7d.")] = "7d",
    top: Annotated[int, typer.Option(min=1, max=10_000, help="How many rules and services.")] = 10,
    json: Json = False,
) -> None:
    """Print how many alerts fired, how soon they were acknowledged and resolved, and the noisiest; hours are UTC."""
    from watchfloor.cli import alert_stats, plain

    found = plain.ask(options_of(context), alert_stats.stats(over, top))
    plain.show_json(alert_stats.as_json(found)) if json else alert_stats.show_stats(found)


def _act(
    context: typer.Context, ids: list[int], act: Callable[[Desk, int], Awaitable[object]], did: str
) -> None:
    """Do something to each alert; names those it was done to and fails if there are others."""
    from watchfloor.cli import plain

    done, refusals = plain.ask(options_of(context), plain.one_by_one(ids, act))
    if done:
        print(did, ", ".join(f"#{alert_id}" for alert_id in done))
    for refusal in refusals:
        print(f"watchfloor: {refusal}", file=sys.stderr)
    if refusals:
        raise typer.Exit(1)


def _fail(message: str) -> NoReturn:
    print(f"watchfloor: {message}", file=sys.stderr)
    raise typer.Exit(1)
