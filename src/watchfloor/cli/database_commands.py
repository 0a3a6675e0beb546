"""The commands about the program's own database. Each imports what it needs when it runs, as those of ``main``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

database_app = typer.Typer(no_args_is_help=True, help="The database: status, backup, restore.")


@database_app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """Print which database is used and how it is."""
    from watchfloor.cli.database import status as run

    raise typer.Exit(run(options_of(context), as_json=json))


@database_app.command()
def backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The file to write; must not exist.")],
) -> None:
    """Write a backup of the database (pg_dump, custom format)."""
    from watchfloor.cli.database import backup as run

    raise typer.Exit(run(options_of(context), path))


@database_app.command()
def restore(
    context: typer.Context, path: Annotated[Path, typer.Argument(help="The backup to read.")]
) -> None:
    """Restore a backup into an empty database; refuses to overwrite anything."""
    from watchfloor.cli.database import restore as run

    raise typer.Exit(run(options_of(context), path))


@database_app.command()
def archive(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="The directory to keep it in.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Keep it apart no more.")] = False,
) -> None:
    """Keep the log of the embedded database apart, so that any moment can be recovered."""
    from watchfloor.cli.database import archive as run

    if (path is None) != off:
        raise typer.BadParameter("name a directory, or say --off")
    raise typer.Exit(run(options_of(context), path))


@database_app.command("base-backup")
def base_backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The directory to write; must not exist.")],
) -> None:
    """Copy the whole embedded database, as what recoveries begin with."""
    from watchfloor.cli.database import base_backup as run

    raise typer.Exit(run(options_of(context), path))


@database_app.command()
def recover(
    context: typer.Context,
    base: Annotated[Path, typer.Option(help="A base backup.")],
    archive: Annotated[Path, typer.Option(help="The directory in which the log was kept.")],
    to: Annotated[
        str | None, typer.Option(help="The moment, such as 2026-11-26T08:30:00+01:00; the latest there is.")
    ] = None,
) -> None:
    """Make a database as it was at a moment, in a new data directory (--data-dir)."""
    from watchfloor.cli.database import recover as run

    moment = None
    if to is not None:
        try:
            moment = datetime.fromisoformat(to).astimezone()
        except ValueError:
            raise typer.BadParameter("not a moment such as 2026-11-26T08:30:00+01:00") from None
    raise typer.Exit(run(options_of(context), base, archive, moment))
