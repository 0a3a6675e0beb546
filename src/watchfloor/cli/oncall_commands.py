"""The commands about who is on call. Each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

oncall_app = typer.Typer(invoke_without_command=True, help="Who is on call: print it, or override a rota.")


@oncall_app.callback()
def oncall(
    context: typer.Context,
    at: Annotated[
        str, typer.Option("--at", help="At this moment instead of now; UTC without an offset.")
    ] = "",
    json: Json = False,
) -> None:
    """Print who is on call in each rota, until when, and who is next."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import plain, telling
    from watchfloor.cli.oncall import show_on_call

    moment = telling.moment("--at", at)
    rows = plain.ask(options_of(context), lambda desk: desk.on_call(moment))
    plain.show_json(rows) if json else show_on_call(rows)


@oncall_app.command()
def override(
    context: typer.Context,
    rota: Annotated[str, typer.Argument(metavar="ROTA", help="The name of the rota.")],
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Who is on call instead.")],
    until: Annotated[str, typer.Option(help="When it ends; UTC without an offset.")],
    starts: Annotated[str, typer.Option("--from", help="When it begins; now if left out.")] = "",
) -> None:
    """Put somebody on call for a time, whatever the rota says."""
    from watchfloor.cli import plain, telling
    from watchfloor.operations.actor import Refused

    start, end = telling.moment("--from", starts), telling.moment("--until", until)
    if end is None:
        raise Refused("--until: say when it ends")
    made = plain.ask(options_of(context), lambda desk: desk.override_rota(rota, person, start, end))
    print(f"override #{made}: {person} is on call in {rota}")


@oncall_app.command("end-override")
def end_override(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The number of the override.")],
) -> None:
    """End an override, or take it away where it has not begun."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.end_override(number))
    print(f"ended #{number}")


def escalations(context: typer.Context, json: Json = False) -> None:
    """Print the chains that run, their next step, and what quiet hours hold."""
    from watchfloor.cli import plain
    from watchfloor.cli.desk import Desk
    from watchfloor.cli.oncall import show_chains
    from watchfloor.domain.duty_boards import ChainRow, HeldRow

    async def question(desk: Desk) -> tuple[list[ChainRow], list[HeldRow]]:
        return list(await desk.chains()), list(await desk.held())

    chains, held = plain.ask(options_of(context), question)
    plain.show_json({"chains": chains, "held": held}) if json else show_chains(chains, held)
