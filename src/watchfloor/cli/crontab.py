"""Imports a crontab: reads it, adds the jobs that are not there yet, and prints what differs from cron's meaning."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfloor.cli.desk import Desk
from watchfloor.cli.entries import read_text
from watchfloor.cli.job_requests import show_imports
from watchfloor.cli.plain import show_json
from watchfloor.domain.crontab import Crontab, read_crontab
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import this_person

ZONE_FILES = (Path("/etc/timezone"), Path("/etc/localtime"))


def machine_zone() -> str:
    """The name of this machine's time zone, which is that of its cron; UTC where nothing says it."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        return named
    text, link = ZONE_FILES
    if text.is_file():
        return text.read_text("utf-8").strip() or "UTC"
    _, found, name = str(link.resolve()).rpartition("/zoneinfo/")
    return name if found else "UTC"


def _home(user: str) -> str | None:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return None


def import_crontab(
    file: str, system: bool, time_zone: str | None, dry_run: bool, json: bool
) -> Callable[[Desk], Awaitable[int]]:
    """The request to import a crontab; the answer is the exit code: 1 where something was left out."""

    async def request(desk: Desk) -> int:
        known = {job.name: job.written for job in await desk.written_jobs()}
        crontab = read_crontab(
            read_text(file),
            system=system,
            time_zone=time_zone or machine_zone(),
            user=this_person().name,
            home=_home,
            known=known,
        )
        found = await desk.import_jobs([job.values for job in crontab.jobs], dry_run=dry_run)
        if json:
            show_json({"crontab": crontab, "added": found.added, "refused": found.refused})
        else:
            show_imports(found, dry_run)
            _report(crontab)
        return 1 if found.refused or crontab.left_out else 0

    return request


def _report(crontab: Crontab) -> None:
    for line, name in crontab.there:
        print(f"line {line}: already there: {one_line(name, 100)}")
    for line, reason in crontab.left_out:
        print(f"line {line}: left out: {reason}", file=sys.stderr)
    differing = [job for job in crontab.jobs if job.differs]
    if crontab.jobs:
        print(f"\nWhat differs from cron, for {count(len(crontab.jobs), 'job')}:")
    for words in crontab.differs:
        print(f"  all: {words}")
    for job in differing:
        for words in job.differs:
            print(f"  line {job.line}, {job.values['name']}: {words}")
