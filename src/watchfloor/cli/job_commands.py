"""The commands about jobs. Each imports what it needs when it runs, as those of `watchfloor.cli.main`."""

from __future__ import annotations

from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

jobs_app = typer.Typer(invoke_without_command=True, help="Jobs: list them, or act on them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a job.")]


DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@jobs_app.callback()
def jobs(context: typer.Context, json: Json = False) -> None:
    """Print the jobs with their next fires and last outcomes."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import jobs as show
    from watchfloor.cli import plain

    rows, status = plain.ask(options_of(context), show.jobs)
    plain.show_json(rows) if json else show.show_jobs(rows, status.at)


@jobs_app.command("next")
def next_(
    context: typer.Context,
    name: Name,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    json: Json = False,
) -> None:
    """Print the next fires of a job, with their offsets from UTC and days on which clocks change."""
    from watchfloor.cli import job_requests, plain

    plain.ask(options_of(context), job_requests.next_fires(name, count, json))


@jobs_app.command()
def run(
    context: typer.Context,
    name: Name,
    wait: Annotated[
        bool, typer.Option("--wait", help="Print its output and exit with its exit code.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting for this run only; as in the config file."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="A UUID: asked twice with the same one, it runs once.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a job now."""
    from watchfloor.cli import job_requests, plain
    from watchfloor.cli import jobs as show

    request = show.run(name, wait, job_requests.parameters(set_ or ()), job_requests.run_key(key), json)
    raise typer.Exit(plain.ask(options_of(context), request))


@jobs_app.command()
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Print a job as it was written, whose it is, when it runs next, and how it fared within the last day."""
    from watchfloor.cli import job_requests, plain

    plain.ask(options_of(context), job_requests.show_job(name, json))


@jobs_app.command()
def save(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="YAML of one job, or of a list; - reads stdin.")
    ],
    change: Annotated[bool, typer.Option("--change", help="Change jobs of the same name, too.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add jobs that the console owns, written as under jobs: in the config file."""
    from watchfloor.cli import job_requests, plain

    raise typer.Exit(plain.ask(options_of(context), job_requests.save(file, change, dry_run, json)))


@jobs_app.command()
def copy(
    context: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the copy.")],
    json: Json = False,
) -> None:
    """Add a job like another one; the copy is the console's own, and paused."""
    from watchfloor.cli import job_requests, plain

    added = plain.ask(options_of(context), job_requests.copy(name, new))
    plain.say(f"{added} is added, paused", {"added": added, "paused": True}, json)


@jobs_app.command()
def delete(context: typer.Context, name: Name, yes: Yes = False, json: Json = False) -> None:
    """Delete a job that the console owns; its history stays."""
    from watchfloor.cli import entries, plain

    left = plain.ask(options_of(context), lambda desk: desk.left_behind(name))
    entries.sure(f"delete {name}" + (f", {left}" if left else ""), yes)
    plain.ask(options_of(context), lambda desk: desk.delete_thing("job", name))
    said = f"{name} is deleted" + (f", {left}" if left else "")
    plain.say(said, {"deleted": name, "left_behind": left}, json)


@jobs_app.command()
def backfill(
    context: typer.Context,
    name: Name,
    since: Annotated[str, typer.Option(help="From this moment: 2026-11-01 03:00, yesterday, -7d.")],
    until: Annotated[str, typer.Option(help="To this moment.")] = "-0s",
    again: Annotated[
        str, typer.Option(help="Which fires: missing (no run yet), failed (no success yet), all.")
    ] = "missing",
    rate: Annotated[float, typer.Option(help="Runs a second at most; 0: all at once.")] = 0.0,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make runs for fires of the past, oldest first."""
    from watchfloor.cli import job_requests, plain

    plain.ask(
        options_of(context),
        job_requests.backfill(name, since, until, again, rate, dry_run=dry_run, json=json),
    )


@jobs_app.command("import-crontab")
def import_crontab(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A crontab; - reads stdin.")],
    system: Annotated[bool, typer.Option("--system", help="Its lines name a user, as /etc/crontab.")] = False,
    time_zone: Annotated[
        str | None, typer.Option(help="The zone of its times; that of this machine.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add a job for each line of a crontab that has none yet, and say what differs from cron's meaning."""
    from watchfloor.cli import crontab, plain

    raise typer.Exit(
        plain.ask(options_of(context), crontab.import_crontab(file, system, time_zone, dry_run, json))
    )


@jobs_app.command()
def export(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="These; all if none.")] = None,
    json: Json = False,
) -> None:
    """Print jobs as they stand in a config file; secrets are in it as references only."""
    from watchfloor.cli import job_requests, plain

    plain.ask(options_of(context), job_requests.export(names or [], json))


@jobs_app.command()
def pause(context: typer.Context, name: Name, json: Json = False) -> None:
    """Let the schedules of a job rest; runs that wait go on."""
    from watchfloor.cli import plain

    done = plain.ask(options_of(context), lambda desk: desk.set_job_paused(name, True))
    word = "paused" if done else "was paused already"
    plain.say(f"{name}: {word}", {"job": name, "paused": True, "changed": done}, json)


@jobs_app.command()
def resume(context: typer.Context, name: Name, json: Json = False) -> None:
    """Let the schedules of a job go on from now; what was due meanwhile is not made up for."""
    from watchfloor.cli import plain

    done = plain.ask(options_of(context), lambda desk: desk.set_job_paused(name, False))
    word = "resumed" if done else "was not paused"
    plain.say(f"{name}: {word}", {"job": name, "paused": False, "changed": done}, json)


@jobs_app.command()
def calendar(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=60, help="How many days from now.")] = 1,
    json: Json = False,
) -> None:
    """Print what fires soon, with overlaps and days on which clocks change."""
    from watchfloor.cli import job_requests, plain

    plain.ask(options_of(context), job_requests.calendar(days, json))


@jobs_app.command()
def queues(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One queue, minute by minute.")] = "",
    since: Annotated[str, typer.Option(help="With NAME, from this moment: -6h, yesterday.")] = "-1h",
    json: Json = False,
) -> None:
    """Print how queues stand and how late their runs began within the last hour, or the course of one queue."""
    from watchfloor.cli import job_requests, plain

    request = job_requests.queue_course(name, since, json) if name else job_requests.queues(json)
    plain.ask(options_of(context), request)


@jobs_app.command()
def nodes(context: typer.Context, json: Json = False) -> None:
    """Print which nodes carry jobs out, with running and queued counts."""
    from watchfloor.cli import job_requests, plain

    plain.ask(options_of(context), job_requests.workers(json))
