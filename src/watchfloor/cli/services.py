"""Services as plain text: one in full, groups with their scores, and definitions that are saved or tried."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchfloor.cli.desk import Desk
from watchfloor.cli.entries import read_entries
from watchfloor.cli.plain import age, show_json, show_table, with_reasons
from watchfloor.config.forms import written
from watchfloor.config.problems import suggest
from watchfloor.domain.boards import ServiceDetail, StatusLine
from watchfloor.domain.grouping import By, Group, groups, state_word
from watchfloor.domain.outcome import Status
from watchfloor.domain.text import one_line
from watchfloor.domain.tree import Branch
from watchfloor.domain.trial import Stage, Trial, stage, standing
from watchfloor.operations.actor import Refused
from watchfloor.operations.editing import Invalid

Request = Callable[[Desk], Awaitable[Any]]

URGENCY = ("failing", "degraded", "unknown", "pending", "ok", "paused")
LOOK_S = 0.1
RESULTS = 10
INCIDENTS = 10


def one(name: str) -> Callable[[Desk], Awaitable[tuple[ServiceDetail, StatusLine]]]:
    """The question for one service, by its name or its number. Raises `Refused` where there is none."""

    async def question(desk: Desk) -> tuple[ServiceDetail, StatusLine]:
        rows = await desk.health()
        found = next((row for row in rows if row.name == name or str(row.id) == name.removeprefix("#")), None)
        detail = None if found is None else await desk.service(found.id)
        if detail is None:
            hint = suggest(name, [row.name for row in rows]) or "See `watchfloor health`."
            raise Refused(f"there is no service {one_line(name, 100)}. {hint}")
        return detail, await desk.status()

    return question


def grouped(by: str) -> Callable[[Desk], Awaitable[Sequence[Group]]]:
    """The question for services in groups, the most urgent first. Raises `Refused` for what they have not."""
    known = [each for each in By if each is not By.NOTHING]
    if by not in known:
        raise Refused(f"services are not grouped by {one_line(by, 40)}; allowed: {', '.join(known)}")

    async def question(desk: Desk) -> Sequence[Group]:
        rows = sorted(
            await desk.health(), key=lambda row: (URGENCY.index(state_word(row)), row.name.casefold())
        )
        return groups(rows, By(by))

    return question


def show_groups(found: Sequence[Group]) -> None:
    """Print groups with their health scores and how those come about."""
    table = [
        (
            group.title,
            "-" if group.score.value is None else str(group.score.value),
            str(len(group.rows)),
            ", ".join(f"{number} {word}" for word, number in _states(group).items()),
            group.score.formula + (f"; not counted: {group.score.left_out}" if group.score.left_out else ""),
        )
        for group in found
    ]
    show_table(("GROUP", "SCORE", "SERVICES", "STATES", "FORMULA"), table)


def _states(group: Group) -> Mapping[str, int]:
    words = [state_word(row) for row in group.rows]
    return {word: words.count(word) for word in URGENCY if word in words}


def export(names: Sequence[str], json: bool) -> Request:
    """The question for services as a config file would hold them. Raises `Refused` for a name that does not exist."""

    async def request(desk: Desk) -> None:
        every = [each for each in await desk.written_services() if each.owner != "system"]
        for name in names:
            if not any(each.name == name for each in every):
                raise Refused(f"There is no service called {one_line(name, 100)}.")
        found = [desk.service_in_order(each) for each in every if not names or each.name in names]
        show_json({"services": found}) if json else print(written({"services": found}), end="")

    return request


def save(file: str, dry_run: bool) -> Request:
    """The request to add services, or change those of the console; the answer is the exit code.

    Those that need others come after them. One with mistakes is told and left out.
    """

    async def request(desk: Desk) -> int:
        known = {each.name: each for each in await desk.written_services()}
        bad = 0
        for raw in read_entries(file, "services", "service"):
            name = str(raw.get("name", ""))
            before = known.get(name)
            try:
                if dry_run:
                    problems, _ = await desk.judge("service", raw, name if before else "")
                    if problems:
                        raise Invalid(tuple(problems))
                else:
                    await desk.save_form(
                        "service", raw, name if before else "", before.version if before else 0
                    )
            except Refused as refused:
                bad = 1
                print(f"{one_line(name, 100) or 'a service without a name'}: {refused}", file=sys.stderr)
            else:
                done = "changed" if before else "added"
                print(f"{one_line(name, 100)}: {f'would be {done}' if dry_run else done}")
        return bad

    return request


def trials(file: str, json: bool) -> Request:
    """The request to have an engine check the services of a file once; the answer is the exit code."""

    async def request(desk: Desk) -> int:
        worst = 0
        for raw in read_entries(file, "services", "service"):
            trial, now = await _tried(desk, raw)
            ok = trial.outcome is not None and trial.outcome.status is Status.OK
            worst = worst or (0 if ok else 1)
            if json:
                show_json(
                    {"service": raw.get("name"), "standing": standing(trial, now), "outcome": trial.outcome}
                )
            else:
                show_trial(str(raw.get("name", "")), trial, now)
        return worst

    return request


async def _tried(desk: Desk, raw: Mapping[str, Any]) -> tuple[Trial, datetime]:
    asked = await desk.try_service(raw)
    while True:
        trial, now = await desk.trial(asked)
        if trial is None:
            raise Refused("The trial is gone: it is kept for an hour.")
        if stage(trial, now) not in (Stage.WAITING, Stage.RUNNING):
            return trial, now
        await asyncio.sleep(LOOK_S)


def show_trial(name: str, trial: Trial, now: datetime) -> None:
    """Print what an engine found."""
    found = trial.outcome
    if found is None:
        print(f"{one_line(name, 100)}: {standing(trial, now)}")
        return
    took = "" if found.latency is None else f" in {found.latency * 1000:.1f} ms"
    print(f"{one_line(name, 100)}: {found.status.word}{took}, {standing(trial, now)}")
    print(f"  {found.summary}")
    for phase, seconds in found.phases.items():
        print(f"  {phase:<11}{seconds * 1000:>9.2f} ms")


def show_service(detail: ServiceDetail, now: datetime) -> None:
    """Print one service."""
    row = detail.row
    labels = " ".join(word for word in (row.kind, row.group, *row.tags) if word)
    print(f"{row.name}: {state_word(row)} for {age(row.since, now)} ({labels})")
    if row.summary:
        print(f"  {with_reasons(row)}")
    _show("Why it is not ok", [_reason(each.topic, each.words, each.at, now) for each in detail.why])
    if detail.tree.needs:
        _show(f"Needs {detail.tree.needs}", [_branch(each) for each in detail.tree.up])
    if detail.tree.needed_by:
        _show(f"Needed by {detail.tree.needed_by}", [_branch(each) for each in detail.tree.down])
    _show(
        "Latest checks",
        [
            f"{_moment(each.at)}  {each.status.word:<9}{each.summary}".rstrip()
            for each in detail.results[:RESULTS]
        ],
    )
    _show(
        "Incidents",
        [
            f"{_moment(each.opened_at)}  {each.worst.word:<9}"
            + ("open" if each.closed_at is None else f"until {_moment(each.closed_at)}")
            + f"  {each.cause}"
            for each in detail.incidents[:INCIDENTS]
        ],
    )


def _show(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title}:")
        for line in lines:
            print(f"  {line}")


def _reason(topic: str, words: str, at: datetime | None, now: datetime) -> str:
    return f"{topic:<8} {words}" + ("" if at is None else f" ({age(at, now)} ago, {_moment(at)})")


def _branch(branch: Branch) -> str:
    indent = "  " * (len(branch.more) - 1)
    notes = f" ({', '.join(branch.notes)})" if branch.notes else ""
    return f"{indent}- {branch.state + ' ' if branch.state else ''}{branch.words}{notes}"


def _moment(at: datetime) -> str:
    return at.astimezone().isoformat(sep=" ", timespec="seconds")
