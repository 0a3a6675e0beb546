"""The commands about silences and deliveries. Each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

silences_app = typer.Typer(
    invoke_without_command=True, help="Silences: list them, add one, change or end them."
)

deliveries_app = typer.Typer(
    invoke_without_command=True,
    help="What was sent to whom, why, and what became of it; one message in full.",
)

Matchers = Annotated[
    list[str],
    typer.Argument(metavar="MATCHER...", help='Such as service=shop or group=~"web-.*"; all must agree.'),
]
Comment = Annotated[str, typer.Option(help="Why, for those who come after you.")]
Lasts = Annotated[str, typer.Option("--for", help="How long, as in 2h.")]
Starts = Annotated[
    str, typer.Option("--at", help="When it begins, as in 2026-12-24T18:00+01:00; now if left out.")
]
UntilResolved = Annotated[
    bool, typer.Option("--until-resolved", help="End it as soon as nothing that matches is open any more.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Yes, silence everything, if that is what matches.")]


def _list(context: typer.Context, over: bool, json: bool) -> None:
    from watchfloor.cli import plain, telling

    rows, status = plain.ask(options_of(context), telling.silences(over))
    plain.show_json(rows) if json else telling.show_silences(rows, status.at)


@silences_app.callback()
def silences(context: typer.Context, json: Json = False) -> None:
    """Print the silences in force and to come."""
    if context.invoked_subcommand is None:
        _list(context, over=False, json=json)


@silences_app.command("list")
def list_(
    context: typer.Context,
    over: Annotated[bool, typer.Option("--over", help="Those that are over, too.")] = False,
    json: Json = False,
) -> None:
    """Print silences, the newest first."""
    _list(context, over, json)


@silences_app.command()
def add(
    context: typer.Context,
    matchers: Matchers,
    comment: Comment = "",
    lasts: Lasts = "",
    starts: Starts = "",
    until_resolved: UntilResolved = False,
    yes: Yes = False,
) -> None:
    """Tell nobody of alerts that match."""
    from watchfloor.cli import plain, telling

    asked = telling.wish(matchers, comment, lasts, starts, until_resolved, yes)
    print(plain.ask(options_of(context), telling.add(asked)))


@silences_app.command()
def change(
    context: typer.Context,
    silence: Annotated[int, typer.Argument(metavar="ID", help="The number of the silence.")],
    matchers: Matchers,
    comment: Comment = "",
    lasts: Lasts = "",
    starts: Starts = "",
    until_resolved: UntilResolved = False,
    yes: Yes = False,
) -> None:
    """Put another silence in the place of one; the old one stays on record as it was."""
    from watchfloor.cli import plain, telling

    asked = telling.wish(matchers, comment, lasts, starts, until_resolved, yes)
    print(plain.ask(options_of(context), telling.change(silence, asked)))


@silences_app.command()
def expire(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="The numbers of silences.")],
) -> None:
    """End silences now."""
    from watchfloor.cli import plain, telling

    print(plain.ask(options_of(context), telling.expire(ids)))


@deliveries_app.callback()
def deliveries(
    context: typer.Context,
    json: Json = False,
    channel: Annotated[str | None, typer.Option(help="Only to this channel.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only queued, leased, delivered, dead or cancelled.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only this type, such as alert.firing.")] = None,
    alert: Annotated[int | None, typer.Option(help="Only about this alert, alone or in a group.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with this in the title or the error.")] = None,
    since: Annotated[str, typer.Option(help="Only made at or after this moment.")] = "",
    until: Annotated[str, typer.Option(help="Only made before this moment.")] = "",
    before: Annotated[str, typer.Option(help="The key that the page before ended with.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
) -> None:
    """Print what was sent to whom, why, and what became of it; the newest first."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import plain, telling
    from watchfloor.store.deliveries import DeliveryFilter

    begin, end = telling.moment("--since", since), telling.moment("--until", until)
    wanted = DeliveryFilter(channel, state, kind, alert, begin, end, text)
    rows, status = plain.ask(options_of(context), telling.deliveries(wanted, before, limit))
    plain.show_json(rows) if json else telling.show_deliveries(rows, status.at, limit)


@deliveries_app.command("show")
def show_delivery(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="The id of the message.")],
    json: Json = False,
) -> None:
    """Print one message: what became of it, and what it said."""
    from watchfloor.cli import plain, telling

    found = plain.ask(options_of(context), telling.delivery(message))
    plain.show_json(found) if json else telling.show_delivery(found)
