"""Maintenance windows that are planned in the console: written as in the file, changed, ended, opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.make import now
from support.sql import one, rows
from watchfloor.domain.planner import Planned, clocks, preview, slots, written
from watchfloor.domain.windows import Run, Selector, Spec, Window, openings, spec_from
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid, Overtaken
from watchfloor.operations.judge import Judge
from watchfloor.operations.maintenance import delete_called, end_now, reopen, save
from watchfloor.store import maintenance as store
from watchfloor.store.database import Database
from watchfloor.store.maintenance import StoredWindow, WindowDefinition

ANN, KIM = Actor("ann"), Actor("kim")
JUDGE = Judge({}, {}, Path("/nowhere"))
COVERS = {"groups": ["shop"]}
WEEKLY: Mapping[str, Any] = {
    "name": "patch night", "covers": COVERS, "weekly": ["tue", "thu"], "at": "02:30", "lasts": "1h30m",
    "time_zone": "Europe/Berlin", "note": "updates",
}  # fmt: skip


async def found(database: Database, name: str) -> StoredWindow:
    async with database.transaction() as connection:
        window = await store.find_by_name(connection, name)
    assert window is not None
    return window


@pytest.mark.parametrize(
    "raw",
    [
        WEEKLY,
        {"name": "a", "covers": COVERS, "monthly": [1, -1], "at": "00:05", "lasts": "2h", "flexible": "30m"},
        {"name": "b", "covers": {"services": ["*"]}, "cron": "5 4 * * mon-fri", "lasts": "45m"},
        {"name": "c", "covers": COVERS, "start": "2031-03-30T01:00+01:00", "end": "2031-03-30T05:00+02:00",
         "time_zone": "Europe/Berlin"},
    ],
)  # fmt: skip
async def test_a_window_is_read_back_as_it_was_written(database: Database, raw: Mapping[str, Any]) -> None:
    await save(database, ANN, JUDGE, raw)
    window = await found(database, str(raw["name"]))
    again = written(window.window, window.note, {})
    assert JUDGE.window(again).spec == JUDGE.window(raw).spec
    assert again == dict(raw)


async def test_a_change_is_made_on_a_version_and_audited_with_before_and_after(database: Database) -> None:
    await save(database, ANN, JUDGE, WEEKLY)
    after = {**WEEKLY, "name": "patch nights", "lasts": "2h"}
    await save(database, KIM, JUDGE, after, "patch night", 1)
    lines = await rows(database, "SELECT actor, action, before, after FROM audit ORDER BY id")
    assert [tuple(line) for line in lines[1:]] == [("kim", "change", dict(WEEKLY), after)]
    with pytest.raises(Overtaken, match="kim changed patch nights in between"):
        await save(database, ANN, JUDGE, WEEKLY, "patch nights", 1)


async def test_what_could_never_open_is_a_mistake_at_its_field(database: Database) -> None:
    with pytest.raises(Invalid):
        await save(database, ANN, JUDGE, {**WEEKLY, "at": "25:00"})
    with pytest.raises(Invalid, match="would be over already"):
        await save(
            database,
            ANN,
            JUDGE,
            {"name": "a", "covers": COVERS, "start": "2001-01-01T00:00", "end": "2001-01-02T00:00"},
        )
    with pytest.raises(Invalid, match="no window called"):
        await save(database, ANN, JUDGE, {"name": "a", "covers": COVERS, "opens_with": "b", "lasts": "1h"})
    await save(database, ANN, JUDGE, WEEKLY)
    with pytest.raises(Invalid, match="a window of this name already"):
        await save(database, ANN, JUDGE, WEEKLY)
    assert await one(database, "SELECT count(*) FROM maintenance") == 1


async def test_the_files_windows_are_the_files(database: Database) -> None:
    config = JUDGE.window(WEEKLY)
    definition = WindowDefinition(config.name, config.covers, config.spec, "", "", "config.yaml:9")
    async with database.transaction() as connection:
        await store.apply_windows(connection, [definition])
    with pytest.raises(Refused, match=r"config\.yaml:9"):
        await save(database, ANN, JUDGE, {**WEEKLY, "lasts": "3h"}, "patch night", 1)
    with pytest.raises(Refused, match=r"config\.yaml:9"):
        await delete_called(database, ANN, "patch night")


async def test_a_window_ended_before_its_time_is_opened_again_until_its_end(database: Database) -> None:
    moment = await now(database)
    ends = (moment + timedelta(hours=1)).replace(microsecond=0)
    raw = {
        "name": "a",
        "covers": COVERS,
        "start": (moment - timedelta(hours=1)).isoformat(),
        "end": ends.isoformat(),
    }
    await save(database, ANN, JUDGE, raw)
    window = (await found(database, "a")).window
    async with database.transaction() as connection:
        await store.begin_runs(connection, [Run(window.id, moment - timedelta(hours=1), ends)])
    await end_now(database, ANN, window.id)
    assert await one(database, "SELECT ends < now() FROM maintenance_runs") is True
    await reopen(database, ANN, window.id)
    assert tuple((await rows(database, "SELECT ends, ended_by FROM maintenance_runs"))[0]) == (ends, "")
    with pytest.raises(Refused, match="would be over by now"):
        await reopen(database, ANN, window.id)


async def test_a_change_that_no_longer_covers_now_closes_what_is_open(database: Database) -> None:
    moment = await now(database)
    raw = {"name": "a", "covers": COVERS, "cron": "* * * * *", "lasts": "1h"}
    await save(database, ANN, JUDGE, raw)
    window = (await found(database, "a")).window
    async with database.transaction() as connection:
        await store.begin_runs(connection, [Run(window.id, moment, moment + timedelta(hours=1))])
    later = (moment + timedelta(days=2)).isoformat()
    end = (moment + timedelta(days=3)).isoformat()
    await save(database, ANN, JUDGE, {"name": "a", "covers": COVERS, "start": later, "end": end}, "a", 1)
    assert await one(database, "SELECT ends <= clock_timestamp() FROM maintenance_runs") is True


def test_the_planner_shows_what_is_open_then_what_comes_then_what_is_over() -> None:
    moment = datetime(2031, 3, 1, 12, 30, tzinfo=UTC)
    hourly = Window(1, "hourly", Selector(), Spec("cron", "UTC", 3600.0, "0 * * * *"))
    flexible = Window(
        2, "on failure", Selector(), Spec("cron", "UTC", 7200.0, "0 12 * * *", flexible_s=600.0)
    )
    gone = Window(3, "gone", Selector(), Spec("once", start=moment, end=moment))
    made = [
        Planned(each, "all", "rule", "", "ann", "console", "", each is gone)
        for each in (hourly, flexible, gone)
    ]
    hour = timedelta(hours=1)
    runs = [
        Run(1, moment - hour / 2, moment + hour / 2),
        Run(1, moment - 3 * hour, moment - 2 * hour, "kim"),
        Run(3, moment - 5 * hour, moment - 4 * hour),
    ]
    shown = [(each.state, each.name) for each in slots(made, runs, moment)]
    assert shown[:3] == [("open", "hourly"), ("waiting", "on failure"), ("next", "hourly")]
    assert shown[-2:] == [("over", "hourly"), ("over", "gone")]
    assert [state for state, name in shown].count("next") == 6


def test_previews_tell_what_clocks_do() -> None:
    berlin = Spec("weekly", "Europe/Berlin", 4 * 3600.0, "0 1 * * sun")
    lines = preview(berlin, datetime(2026, 3, 22, 12, tzinfo=UTC), 2)
    assert lines[0] == "opens Sun 29 Mar 2026 01:00 to 06:00 (+01:00), 4h; clocks go forward by 1h inside it"
    assert lines[1] == "opens Sun 5 Apr 2026 01:00 to 05:00 (+02:00), 4h"
    back = preview(berlin, datetime(2026, 10, 24, 12, tzinfo=UTC), 1)
    assert back[:1] == ["opens Sun 25 Oct 2026 01:00 to 04:00 (+02:00), 4h; clocks go back by 1h inside it"]
    skipped = Spec("weekly", "Europe/Berlin", 3600.0, "30 2 * * sun")
    opening = next(openings(skipped, datetime(2026, 3, 28, 12, tzinfo=UTC)))
    assert clocks(skipped, *opening) == "opens at 03:00: 02:30 does not exist that day"
    flexible = replace(skipped, flexible_s=1800.0)
    failed = datetime(2026, 11, 29, 1, 45, tzinfo=UTC)
    assert clocks(flexible, failed, failed + timedelta(minutes=30)) == "", "a failure opened it, not the time"
    assert spec_from(skipped.stored()) == skipped
