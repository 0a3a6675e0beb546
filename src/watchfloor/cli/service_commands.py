"""The commands about services. Each imports what it needs when it runs, as those of ``main``."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

services_app = typer.Typer(
    no_args_is_help=True, help="Definitions of services: export, save, delete them; test one before saving."
)


def health(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Only this service, in full: why, dependencies.")
    ] = "",
    by: Annotated[
        str,
        typer.Option("--by", help="In groups with their scores: by group, tag, state, kind, environment."),
    ] = "",
    json: Json = False,
) -> None:
    """Print the services and how they are; of one, why it is not ok and what it depends on."""
    from watchfloor.cli import plain, services

    if by:
        found = plain.ask(options_of(context), services.grouped(by))
        plain.show_json(found) if json else services.show_groups(found)
        return
    if name:
        detail, status = plain.ask(options_of(context), services.one(name))
        plain.show_json(detail) if json else services.show_service(detail, status.at)
        return
    rows, status = plain.ask(options_of(context), plain.health)
    plain.show_json(rows) if json else plain.show_health(rows, status.at)


def databases(
    context: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Only those that are not ok, or have a query that is not.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the watched databases: last check, 7-day success rate, connections, queries over a threshold."""
    from watchfloor.cli import databases as board
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), board.databases(faults))
    plain.show_json(rows) if json else board.show_databases(rows, status.at)


File = Annotated[str, typer.Argument(metavar="FILE", help="As in a config file; - reads stdin.")]


@services_app.command()
def export(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="These; all if none.")] = None,
    json: Json = False,
) -> None:
    """Print services as they stand in a config file; secrets are in it as references only."""
    from watchfloor.cli import plain, services

    plain.ask(options_of(context), services.export(names or [], json))


@services_app.command()
def save(
    context: typer.Context,
    file: File,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
) -> None:
    """Add the services of a file to those of the console, or change those that are there."""
    from watchfloor.cli import plain, services

    raise typer.Exit(plain.ask(options_of(context), services.save(file, dry_run)))


@services_app.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A service that the console owns.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Watch a service no more; its history stays."""
    from watchfloor.cli import entries, plain

    entries.sure(f"delete {name}", yes)
    plain.ask(options_of(context), lambda desk: desk.delete_thing("service", name))
    print(f"{name} is deleted")


@services_app.command("test")
def try_services(context: typer.Context, file: File, json: Json = False) -> None:
    """Have an engine check the services of a file once, before they are saved; exit status 1 unless all are ok."""
    from watchfloor.cli import plain, services

    raise typer.Exit(plain.ask(options_of(context), services.trials(file, json)))
