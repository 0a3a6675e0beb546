"""The command line: every command, its options, and how failures are told.

Each command imports what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from watchfloor import __version__
from watchfloor.cli.job_commands import jobs_app, runs_app
from watchfloor.cli.options import Options

if TYPE_CHECKING:
    from watchfloor.cli.desk import Desk

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The operations room of a small team, in one terminal. Without a command: the console.",
)
alerts_app = typer.Typer(invoke_without_command=True, help="Alerts: list them, or act on them.")
database_app = typer.Typer(no_args_is_help=True, help="The database: status, backup, restore.")
channels_app = typer.Typer(
    invoke_without_command=True, help="Channels: how they do; try one, replay dead letters."
)
config_app = typer.Typer(no_args_is_help=True, help="The config file.")
app.add_typer(alerts_app, name="alerts")
app.add_typer(channels_app, name="channels")
app.add_typer(jobs_app, name="jobs")
app.add_typer(runs_app, name="runs")
app.add_typer(database_app, name="database")
app.add_typer(config_app, name="config")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="The numbers of alerts, as in #42.")]

Channel = Annotated[str | None, typer.Option("--channel", help="Only those of this channel.")]


def _options(context: typer.Context) -> Options:
    options: Options = context.find_root().obj
    return options


def _version(wanted: bool) -> None:
    if wanted:
        print(f"watchfloor {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The config file.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the embedded database lives.")] = None,
    node: Annotated[str | None, typer.Option(help="The name of this node.")] = None,
    theme: Annotated[str | None, typer.Option(help="The theme of the console.")] = None,
    keys: Annotated[str | None, typer.Option(help="The key map of the console, as in vim.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Look, change nothing.")] = False,
    mouse: Annotated[
        bool | None, typer.Option("--mouse/--no-mouse", help="Use the mouse; by default not over SSH.")
    ] = None,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Start the console, and an engine if none is live on this database."""
    context.obj = Options(config, data_dir, node, theme, read_only, keys, mouse)
    if context.invoked_subcommand is None:
        from watchfloor.cli.console import console

        raise typer.Exit(console(context.obj, attach=False))


@app.command()
def serve(context: typer.Context) -> None:
    """Run the engine alone, headless."""
    from watchfloor.cli.serve import serve as run

    raise typer.Exit(run(_options(context)))


@app.command()
def attach(context: typer.Context) -> None:
    """Show the console alone, on a database where engines already run."""
    from watchfloor.cli.console import console

    raise typer.Exit(console(_options(context), attach=True))


@app.command()
def demo(
    context: typer.Context, seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1
) -> None:
    """Show a self-contained world with faults that happen while you watch; leaves nothing behind."""
    from watchfloor.cli.demo import demo as run

    raise typer.Exit(run(_options(context), seed))


@app.command()
def health(context: typer.Context, json: Json = False) -> None:
    """Print the services and how they are."""
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), plain.health)
    plain.show_json(rows) if json else plain.show_health(rows, status.at)


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
def settings(context: typer.Context, json: Json = False) -> None:
    """Print the product settings with where their values come from."""
    from watchfloor.cli import plain

    rows = plain.ask(_options(context), lambda desk: desk.settings())
    plain.show_json(rows) if json else plain.show_settings(rows)


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

    rows, status = plain.ask(_options(context), plain.alerts(resolved))
    plain.show_json(rows) if json else plain.show_alerts(rows, status.at)


@alerts_app.command()
def show(
    context: typer.Context, alert: Annotated[int, typer.Argument(metavar="ID")], json: Json = False
) -> None:
    """Print one alert with its history."""
    from watchfloor.cli import plain

    detail = plain.ask(_options(context), lambda desk: desk.alert(alert))
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


def _act(
    context: typer.Context, ids: list[int], act: Callable[[Desk, int], Awaitable[None]], did: str
) -> None:
    """Do something to each alert; names those it was done to and fails if there are others."""
    from watchfloor.cli import plain

    done, refusals = plain.ask(_options(context), plain.one_by_one(ids, act))
    if done:
        print(did, ", ".join(f"#{alert_id}" for alert_id in done))
    for refusal in refusals:
        print(f"watchfloor: {refusal}", file=sys.stderr)
    if refusals:
        raise typer.Exit(1)


def _fail(message: str) -> NoReturn:
    print(f"watchfloor: {message}", file=sys.stderr)
    raise typer.Exit(1)


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
