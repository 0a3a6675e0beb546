"""The command line: every command, its options, and how failures are told.

Each command imports what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from watchfloor import __version__
from watchfloor.cli.alert_commands import alerts_app
from watchfloor.cli.heartbeat_commands import heartbeats_app, ping, wrap
from watchfloor.cli.incident_commands import incidents_app
from watchfloor.cli.job_commands import jobs_app
from watchfloor.cli.maintenance_commands import maintenance_app
from watchfloor.cli.memory import forget_memory
from watchfloor.cli.oncall_commands import escalations, oncall_app
from watchfloor.cli.options import Options
from watchfloor.cli.rule_commands import rules_app
from watchfloor.cli.run_commands import dead_app, runs_app
from watchfloor.cli.service_commands import health, services_app
from watchfloor.cli.telling_commands import deliveries, silences_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The operations room of a small team, in one terminal. Without a command: the console.",
)
database_app = typer.Typer(no_args_is_help=True, help="The database: status, backup, restore.")
channels_app = typer.Typer(
    invoke_without_command=True, help="Channels: how they do; try one, replay dead letters."
)
config_app = typer.Typer(no_args_is_help=True, help="The config file.")
app.add_typer(alerts_app, name="alerts")
app.add_typer(channels_app, name="channels")
app.add_typer(silences_app, name="silences")
app.command()(deliveries)
app.add_typer(oncall_app, name="oncall")
app.add_typer(rules_app, name="rules")
app.command()(escalations)
app.command()(health)
app.add_typer(services_app, name="services")
app.add_typer(jobs_app, name="jobs")
app.add_typer(runs_app, name="runs")
app.add_typer(dead_app, name="dead")
app.add_typer(maintenance_app, name="maintenance")
app.add_typer(incidents_app, name="incidents")
app.add_typer(heartbeats_app, name="heartbeats")
app.command()(ping)
app.command()(wrap)
app.add_typer(database_app, name="database")
app.add_typer(config_app, name="config")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

Channel = Annotated[str | None, typer.Option("--channel", help="Only those of this channel.")]


Config = Annotated[Path | None, typer.Option(help="The config file.")]

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database lives.")]

Node = Annotated[str | None, typer.Option(help="The name of this node.")]

Theme = Annotated[str | None, typer.Option(help="The theme of the console.")]

Keys = Annotated[str | None, typer.Option(help="The key map of the console, as in vim.")]

ReadOnly = Annotated[bool, typer.Option("--read-only", help="Look, change nothing.")]

Mouse = Annotated[
    bool | None, typer.Option("--mouse/--no-mouse", help="Use the mouse; by default not over SSH.")
]


def _options(context: typer.Context, **after: Any) -> Options:
    """What was said before the command; where it may be said ``after`` it as well, that counts."""
    options: Options = context.find_root().obj
    return replace(options, **{name: value for name, value in after.items() if value is not None})


def _version(wanted: bool) -> None:
    if wanted:
        print(f"watchfloor {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    config: Config = None,
    data_dir: DataDir = None,
    node: Node = None,
    theme: Theme = None,
    keys: Keys = None,
    read_only: ReadOnly = False,
    mouse: Mouse = None,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Start the console, and an engine if none is live on this database."""
    context.obj = Options(config, data_dir, node, theme, read_only, keys, mouse)
    if context.invoked_subcommand is None:
        from watchfloor.cli.console import console

        raise typer.Exit(console(context.obj, attach=False))


@app.command()
def serve(context: typer.Context, config: Config = None, data_dir: DataDir = None, node: Node = None) -> None:
    """Run the engine alone, headless."""
    from watchfloor.cli.serve import serve as run

    raise typer.Exit(run(_options(context, config=config, data_dir=data_dir, node=node)))


@app.command()
def attach(
    context: typer.Context,
    config: Config = None,
    data_dir: DataDir = None,
    theme: Theme = None,
    keys: Keys = None,
    read_only: ReadOnly = False,
    mouse: Mouse = None,
) -> None:
    """Show the console alone, on a database where engines already run."""
    from watchfloor.cli.console import console

    said = {
        "config": config,
        "data_dir": data_dir,
        "theme": theme,
        "keys": keys,
        "read_only": read_only or None,
    }
    raise typer.Exit(console(_options(context, **said, mouse=mouse), attach=True))


@app.command()
def demo(
    context: typer.Context, seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1
) -> None:
    """Show a self-contained world with faults that happen while you watch; leaves nothing behind."""
    from watchfloor.cli.demo import demo as run

    raise typer.Exit(run(_options(context), seed))


@app.command()
def nodes(context: typer.Context, json: Json = False) -> None:
    """Print the engines that run or ran."""
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), plain.nodes)
    plain.show_json(rows) if json else plain.show_nodes(rows, status.at)


@app.command()
def tasks(context: typer.Context, json: Json = False) -> None:
    """Print the latest runs of the program's own tasks."""
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), plain.task_runs)
    plain.show_json(rows) if json else plain.show_task_runs(rows, status.at)


@app.command()
def export(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="WHAT", help="results, metrics, uptime or incidents.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="csv, json, ndjson or parquet.")] = "csv",
    last: Annotated[str, typer.Option(help="So much of the past, as in 7d.")] = "24h",
    since: Annotated[str, typer.Option(help="From this moment on, in place of --last.")] = "",
    until: Annotated[str, typer.Option(help="Up to this moment; now.")] = "",
    service: Annotated[str, typer.Option(help="Only services whose name matches this pattern.")] = "",
    group: Annotated[str, typer.Option(help="Only services whose group matches this pattern.")] = "",
    by: Annotated[str, typer.Option(help="Single values, or by minute, hour or day.")] = "raw",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
) -> None:
    """Export results, metrics, uptime or incidents, however many, to a file or standard output."""
    from watchfloor.cli import export as command
    from watchfloor.cli import plain

    wanted = command.request(kind, format_, (last, since, until), (service, group), by, output)
    print(plain.ask(_options(context), wanted), file=sys.stderr)


@app.command()
def uptime(context: typer.Context, json: Json = False) -> None:
    """Print the uptime of every service over 24 hours to a year."""
    from watchfloor.cli import history, plain

    rows = plain.ask(_options(context), history.uptime)
    plain.show_json(rows) if json else history.show_uptime(rows)


@app.command()
def objectives(context: typer.Context, json: Json = False) -> None:
    """Print how services stand with their objectives: budget left, and how fast it burns."""
    from watchfloor.cli import history, plain

    rows = plain.ask(_options(context), history.objectives)
    plain.show_json(rows) if json else history.show_objectives(rows)


@app.command()
def certificates(
    context: typer.Context,
    json: Json = False,
    within: Annotated[str, typer.Option(help="Only those that expire within this time, as in 30d.")] = "",
) -> None:
    """Print the certificates that services show, the first to expire first."""
    from watchfloor.cli import history, plain

    rows, status = plain.ask(_options(context), history.certificates(within))
    plain.show_json(rows) if json else history.show_certificates(rows, status.at)


@app.command()
def logs(
    context: typer.Context,
    json: Json = False,
    level: Annotated[str, typer.Option(help="At least: debug, info, warning, error.")] = "info",
    text: Annotated[str, typer.Option(help="Only records that hold this text.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
) -> None:
    """Print the newest stored log records, the newest last."""
    from watchfloor.cli import plain

    rows = plain.ask(_options(context), plain.logs(level, text, limit))
    plain.show_json(rows) if json else plain.show_logs(rows)


@app.command()
def audit(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="Of this kind: job, run, alert, service, setting …")] = "",
    name: Annotated[str, typer.Argument(help="Of this one: its name or number.")] = "",
    actor: Annotated[str, typer.Option(help="Only what this person did.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """Print who did what to what, with before and after, the newest last."""
    from watchfloor.cli import audit as board
    from watchfloor.cli import plain

    rows = plain.ask(_options(context), lambda desk: desk.audit(kind, name, actor, limit))
    plain.show_json(rows) if json else board.show_audit(rows)


@app.command()
def settings(context: typer.Context, json: Json = False) -> None:
    """Print the product settings with where their values come from."""
    from watchfloor.cli import plain

    rows = plain.ask(_options(context), lambda desk: desk.settings())
    plain.show_json(rows) if json else plain.show_settings(rows)


@channels_app.callback()
def channels(context: typer.Context, json: Json = False) -> None:
    """Print the channels with how they do."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), board.channels)
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

    print(plain.ask(_options(context), board.trial(name, wait)))


@channels_app.command()
def off(context: typer.Context, name: Annotated[str, typer.Argument(help="The channel.")]) -> None:
    """Send nothing more on a channel; what waits is kept until it is on again."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(_options(context), board.switch(name, False)))


@channels_app.command()
def on(context: typer.Context, name: Annotated[str, typer.Argument(help="The channel.")]) -> None:
    """Send on a channel again, what waits and what still fires first."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    print(plain.ask(_options(context), board.switch(name, True)))


@channels_app.command()
def dead(context: typer.Context, name: Channel = None, json: Json = False) -> None:
    """Print messages that were given up."""
    from watchfloor.cli import channels as board
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), board.dead_letters(name))
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

    print(plain.ask(_options(context), board.replay(ids or [], name)))


@config_app.command()
def check(
    context: typer.Context, path: Annotated[Path | None, typer.Argument(help="The file to check.")] = None
) -> None:
    """Check a config file and report every mistake with its place and remedy."""
    from watchfloor.cli.config import check as run

    raise typer.Exit(run(_options(context), path))


@database_app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """Print which database is used and how it is."""
    from watchfloor.cli.database import status as run

    raise typer.Exit(run(_options(context), as_json=json))


@database_app.command()
def backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The file to write; must not exist.")],
) -> None:
    """Write a backup of the database (pg_dump, custom format)."""
    from watchfloor.cli.database import backup as run

    raise typer.Exit(run(_options(context), path))


@database_app.command()
def restore(
    context: typer.Context, path: Annotated[Path, typer.Argument(help="The backup to read.")]
) -> None:
    """Restore a backup into an empty database; refuses to overwrite anything."""
    from watchfloor.cli.database import restore as run

    raise typer.Exit(run(_options(context), path))


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
    raise typer.Exit(run(_options(context), path))


@database_app.command("base-backup")
def base_backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The directory to write; must not exist.")],
) -> None:
    """Copy the whole embedded database, as what recoveries begin with."""
    from watchfloor.cli.database import base_backup as run

    raise typer.Exit(run(_options(context), path))


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
    raise typer.Exit(run(_options(context), base, archive, moment))


def main() -> None:
    """Run the command line; failures become one line on standard error and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names need not fit the encoding of the terminal
    run_safely(app)


def run_safely(command: Callable[[], object]) -> None:
    """Run a command and tell its failure in one line; a traceback is for mistakes of this program only."""
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        from watchfloor.cli.failures import told

        message = told(error)
        if message is None:
            raise
        print("\n".join(f"watchfloor: {line}" for line in message), file=sys.stderr)
        sys.exit(1)
    finally:
        forget_memory()
