"""The commands about jobs and runs. Each imports what it needs when it runs, as those of `watchfloor.cli.main`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from watchfloor.cli.options import Options

jobs_app = typer.Typer(invoke_without_command=True, help="Jobs: list them, or act on them.")
runs_app = typer.Typer(invoke_without_command=True, help="Runs of jobs: list them, or act on them.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a job.")]
Run = Annotated[int, typer.Argument(metavar="ID", help="The number of a run, as in #42.")]


def _options(context: typer.Context) -> Options:
    options: Options = context.find_root().obj
    return options


@jobs_app.callback()
def jobs(context: typer.Context, json: Json = False) -> None:
    """Print the jobs with their next fires and last outcomes."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import jobs as show
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), show.jobs)
    plain.show_json(rows) if json else show.show_jobs(rows, status.at)


@jobs_app.command("next")
def next_(
    context: typer.Context,
    name: Name,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
) -> None:
    """Print the next fires of a job, with their offsets from UTC."""
    from watchfloor.cli import plain

    for _, local in plain.ask(_options(context), lambda desk: desk.coming(name, count)):
        print(local)


@jobs_app.command()
def run(
    context: typer.Context,
    name: Name,
    wait: Annotated[
        bool, typer.Option("--wait", help="Print its output and exit with its exit code.")
    ] = False,
) -> None:
    """Run a job now."""
    from watchfloor.cli import jobs as show
    from watchfloor.cli import plain

    raise typer.Exit(plain.ask(_options(context), show.run(name, wait)))


@jobs_app.command()
def pause(context: typer.Context, name: Name) -> None:
    """Let the schedules of a job rest."""
    from watchfloor.cli import plain

    done = plain.ask(_options(context), lambda desk: desk.set_job_paused(name, True))
    print(f"{name}: {'paused' if done else 'was paused already'}")


@jobs_app.command()
def resume(context: typer.Context, name: Name) -> None:
    """Let the schedules of a job go on from now; what was due meanwhile is not made up for."""
    from watchfloor.cli import plain

    done = plain.ask(_options(context), lambda desk: desk.set_job_paused(name, False))
    print(f"{name}: {'resumed' if done else 'was not paused'}")


@runs_app.callback()
def runs(
    context: typer.Context,
    json: Json = False,
    job: Annotated[str | None, typer.Option(help="Only runs of this job.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters that nobody settled.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """Print the newest runs of jobs."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import jobs as show
    from watchfloor.cli import plain

    rows, status = plain.ask(_options(context), show.runs(job, dead, limit))
    plain.show_json(rows) if json else show.show_runs(rows, status.at)


@runs_app.command()
def show(context: typer.Context, run: Run, json: Json = False) -> None:
    """Print one run with its attempts and its log."""
    from watchfloor.cli import jobs as shown
    from watchfloor.cli import plain

    found = plain.ask(_options(context), shown.detail(run))
    if found is None:
        print(f"watchfloor: there is no run #{run}", file=sys.stderr)
        raise typer.Exit(1)
    detail, log = found
    plain.show_json({"run": detail, "log": log}) if json else shown.show_run(detail, log)


@runs_app.command()
def cancel(context: typer.Context, run: Run) -> None:
    """End a run that goes on, or never begin one that waits."""
    from watchfloor.cli import plain

    plain.ask(_options(context), lambda desk: desk.cancel_run(run))
    print(f"#{run} is cancelled")


@runs_app.command()
def requeue(context: typer.Context, run: Run) -> None:
    """Run a dead letter once more."""
    from watchfloor.cli import plain

    print(f"#{plain.ask(_options(context), lambda desk: desk.requeue(run))} runs in its place")


@runs_app.command()
def discard(context: typer.Context, run: Run) -> None:
    """Take a dead letter off the list for good."""
    from watchfloor.cli import plain

    plain.ask(_options(context), lambda desk: desk.discard(run))
    print(f"#{run} is discarded")
