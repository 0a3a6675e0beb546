"""The command line: every command, its options, and how failures are told.

Each command imports what it needs when it runs, so that none pays for another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from watchfloor import __version__
from watchfloor.cli.alert_commands import alerts_app
from watchfloor.cli.channel_commands import channels_app
from watchfloor.cli.database_commands import database_app
from watchfloor.cli.heartbeat_commands import heartbeats_app, ping, wrap
from watchfloor.cli.incident_commands import incidents_app
from watchfloor.cli.job_commands import jobs_app
from watchfloor.cli.maintenance_commands import maintenance_app
from watchfloor.cli.memory import collect_seldom, forget_memory
from watchfloor.cli.oncall_commands import escalations, oncall_app
from watchfloor.cli.options import Options
from watchfloor.cli.rule_commands import rules_app
from watchfloor.cli.run_commands import dead_app, runs_app
from watchfloor.cli.said import Json, options_of
from watchfloor.cli.service_commands import databases, health, services_app
from watchfloor.cli.telling_commands import deliveries_app, silences_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The operations room of a small team, in one terminal. Without a command: the console.",
)
config_app = typer.Typer(no_args_is_help=True, help="The config file.")
app.add_typer(alerts_app, name="alerts")
app.add_typer(channels_app, name="channels")
app.add_typer(silences_app, name="silences")
app.add_typer(deliveries_app, name="deliveries")
app.add_typer(oncall_app, name="oncall")
app.add_typer(rules_app, name="rules")
app.command()(escalations)
app.command()(health)
app.command()(databases)
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

Config = Annotated[Path | None, typer.Option(help="The config file.")]

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database lives.")]

Node = Annotated[str | None, typer.Option(help="The name of this node.")]

Theme = Annotated[str | None, typer.Option(help="The theme of the console.")]

Keys = Annotated[str | None, typer.Option(help="The key map of the console, as in vim.")]

ReadOnly = Annotated[bool, typer.Option("--read-only", help="Look, change nothing.")]

Mouse = Annotated[
    bool | None, typer.Option("--mouse/--no-mouse", help="Use the mouse; by default not over SSH.")
]


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
    collect_seldom()
    from watchfloor.cli.serve import serve as run

    raise typer.Exit(run(options_of(context, config=config, data_dir=data_dir, node=node)))


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
    raise typer.Exit(console(options_of(context, **said, mouse=mouse), attach=True))


@app.command()
def demo(
    context: typer.Context, seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1
) -> None:
    """Show a self-contained world with faults that happen while you watch; leaves nothing behind."""
    from watchfloor.cli.demo import demo as run

    raise typer.Exit(run(options_of(context), seed))


@app.command()
def nodes(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One node in full, with its figures.")] = "",
    within: Annotated[str, typer.Option(help="With NAME, figures of this time: 15m, 6h, 30d.")] = "1h",
    json: Json = False,
) -> None:
    """Print the engines that run or ran, or one of them with its components and how its figures went."""
    from watchfloor.cli import node_requests, plain

    request = node_requests.node(name, within, json) if name else node_requests.nodes(json)
    plain.ask(options_of(context), request)


@app.command()
def tasks(context: typer.Context, json: Json = False) -> None:
    """Print the latest runs of the program's own tasks."""
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), plain.task_runs)
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
    print(plain.ask(options_of(context), wanted), file=sys.stderr)


@app.command()
def uptime(context: typer.Context, json: Json = False) -> None:
    """Print the uptime of every service over 24 hours to a year."""
    from watchfloor.cli import history, plain

    rows = plain.ask(options_of(context), history.uptime)
    plain.show_json(rows) if json else history.show_uptime(rows)


@app.command()
def objectives(context: typer.Context, json: Json = False) -> None:
    """Print how services stand with their objectives: budget left, and how fast it burns."""
    from watchfloor.cli import history, plain

    rows = plain.ask(options_of(context), history.objectives)
    plain.show_json(rows) if json else history.show_objectives(rows)


@app.command()
def certificates(
    context: typer.Context,
    json: Json = False,
    within: Annotated[str, typer.Option(help="Only those that expire within this time, as in 30d.")] = "",
) -> None:
    """Print the certificates that services show, the first to expire first."""
    from watchfloor.cli import history, plain

    rows, status = plain.ask(options_of(context), history.certificates(within))
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

    rows = plain.ask(options_of(context), plain.logs(level, text, limit))
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

    rows = plain.ask(options_of(context), lambda desk: desk.audit(kind, name, actor, limit))
    plain.show_json(rows) if json else board.show_audit(rows)


@app.command()
def settings(context: typer.Context, json: Json = False) -> None:
    """Print the product settings with where their values come from."""
    from watchfloor.cli import plain

    rows = plain.ask(options_of(context), lambda desk: desk.settings())
    plain.show_json(rows) if json else plain.show_settings(rows)


@config_app.command()
def check(
    context: typer.Context, path: Annotated[Path | None, typer.Argument(help="The file to check.")] = None
) -> None:
    """Check a config file and report every mistake with its place and remedy."""
    from watchfloor.cli.config import check as run

    raise typer.Exit(run(options_of(context), path))


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
