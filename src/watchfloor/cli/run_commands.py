"""The commands about runs and dead letters. Each imports what it needs when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

runs_app = typer.Typer(invoke_without_command=True, help="Runs of jobs: list them, or act on them.")
dead_app = typer.Typer(
    invoke_without_command=True, help="Dead letters: runs that failed for good; list, requeue, discard."
)

Run = Annotated[int, typer.Argument(metavar="ID", help="The number of a run, as in #42.")]
Runs = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="The numbers of dead runs.")]
Job = Annotated[str, typer.Option(help="Only those of this job.")]
ErrorClass = Annotated[str, typer.Option("--class", help="Only those of this error class, such as http.*.")]
Since = Annotated[str, typer.Option(help="Only those that died after this moment, such as -2h.")]
Until = Annotated[str, typer.Option(help="Only those that died before this moment.")]
Every = Annotated[bool, typer.Option("--all", help="All that are selected, also where nothing selects.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]


@runs_app.callback()
def runs(
    context: typer.Context,
    json: Json = False,
    job: Annotated[str | None, typer.Option(help="Only runs of this job.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters that nobody settled.")] = False,
    state: Annotated[str, typer.Option(help="Only runs in this state, such as running.")] = "",
    before: Annotated[int | None, typer.Option(metavar="ID", help="Only runs before this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """Print the newest runs of jobs."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import jobs as show
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), show.runs(job, dead, limit, state, before))
    plain.show_json(rows) if json else show.show_runs(rows, status.at)


@runs_app.command()
def show(context: typer.Context, run: Run, json: Json = False) -> None:
    """Print one run: what happens next, what it was given, its attempts and its log."""
    from watchfloor.cli import jobs as shown
    from watchfloor.cli import plain

    found = plain.ask(options_of(context), shown.detail(run))
    if found is None:
        print(f"watchfloor: there is no run #{run}", file=sys.stderr)
        raise typer.Exit(1)
    detail, log = found
    plain.show_json({"run": detail, "log": log}) if json else shown.show_run(detail, log)


@runs_app.command()
def log(
    context: typer.Context,
    run: Run,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Print what comes, too, until it has ended; exit with its exit code."),
    ] = False,
    json: Json = False,
) -> None:
    """Print what a run printed."""
    from watchfloor.cli import jobs as shown
    from watchfloor.cli import plain

    raise typer.Exit(plain.ask(options_of(context), shown.log(run, follow, json)))


@runs_app.command()
def cancel(context: typer.Context, run: Run, json: Json = False) -> None:
    """End a run that goes on, or never begin one that waits."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.cancel_run(run))
    plain.say(f"#{run} is cancelled", {"run": run, "done": "cancelled"}, json)


@runs_app.command()
def kill(context: typer.Context, run: Run, json: Json = False) -> None:
    """End a run at once, without time to clean up."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.kill_run(run))
    plain.say(f"#{run} is killed", {"run": run, "done": "killed"}, json)


@runs_app.command()
def requeue(context: typer.Context, run: Run, json: Json = False) -> None:
    """Run a dead letter once more; `watchfloor dead requeue` does so with many."""
    from watchfloor.cli import plain

    new = plain.ask(options_of(context), lambda desk: desk.requeue(run))
    plain.say(f"#{new} runs in its place", {"requeued": run, "run": new}, json)


@runs_app.command()
def discard(context: typer.Context, run: Run, json: Json = False) -> None:
    """Take a dead letter off the list for good; `watchfloor dead discard` does so with many."""
    from watchfloor.cli import plain

    plain.ask(options_of(context), lambda desk: desk.discard(run))
    plain.say(f"#{run} is discarded", {"run": run, "done": "discarded"}, json)


@dead_app.callback()
def dead(
    context: typer.Context,
    json: Json = False,
    job: Job = "",
    error_class: ErrorClass = "",
    since: Since = "",
    until: Until = "",
) -> None:
    """Print dead letters that nobody settled, the oldest first, with their reasons."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import job_requests, plain

    plain.ask(
        options_of(context), job_requests.letters((), job, error_class, since, until, every=True, json=json)
    )


@dead_app.command("requeue")
def requeue_many(
    context: typer.Context,
    runs: Runs = None,
    job: Job = "",
    error_class: ErrorClass = "",
    since: Since = "",
    until: Until = "",
    every: Every = False,
    rate: Annotated[float, typer.Option(help="Runs a second at most; 0: all at once.")] = 0.0,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Run dead letters once more: those named, those selected, or all."""
    from watchfloor.cli import job_requests, plain

    request = job_requests.letters(
        tuple(runs or ()), job, error_class, since, until,
        every=every, act="requeue", rate=rate, dry_run=dry_run, json=json,
    )  # fmt: skip
    plain.ask(options_of(context), request)


@dead_app.command("discard")
def discard_many(
    context: typer.Context,
    runs: Runs = None,
    job: Job = "",
    error_class: ErrorClass = "",
    since: Since = "",
    until: Until = "",
    every: Every = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take dead letters off the list for good: those named, those selected, or all."""
    from watchfloor.cli import job_requests, plain

    request = job_requests.letters(
        tuple(runs or ()), job, error_class, since, until,
        every=every, act="discard", dry_run=dry_run, json=json,
    )  # fmt: skip
    plain.ask(options_of(context), request)
