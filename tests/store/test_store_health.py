"""The board of services: whole, and as a delta that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from support.make import (
    EPOCH,
    definition,
    make_alerts,
    make_days,
    make_rules,
    make_services,
    now,
    state_row,
)
from support.sql import one, rows
from watchfloor.domain.alert import (
    Alert,
    Suppression,
    Transition,
    acknowledge,
    change_severity,
    condition_false,
    suppress,
    unacknowledge,
)
from watchfloor.domain.boards import HealthRow
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.store import alerts, health, results
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Database
from watchfloor.store.services import apply_definitions, set_paused


async def board(database: Database, since: datetime | None = None) -> dict[int, HealthRow]:
    async with database.transaction() as connection:
        found = await health.board(connection, await health.clock(connection), {}, since)
    return {row.id: row for row in found}


async def check(database: Database, service_id: int, status: Status) -> None:
    moment = await now(database)
    state = CheckState(status, status, since=moment, last_started=moment)
    async with database.transaction() as connection:
        await results.lock_states(connection, [service_id])
        await results.save_states(connection, [state_row(service_id, moment, state=state)])


async def test_a_row_holds_what_is_known_of_a_service(database: Database) -> None:
    made = await make_services(
        database, definition("shop", kind="http", group_name="front", tags=("eu",), every_ms=5000)
    )
    service_id = made["shop"].id
    state = CheckState(Status.DEGRADED, Status.OK, soft=True, attempt=2, since=EPOCH, last_started=EPOCH)
    async with database.transaction() as connection:
        await results.save_states(
            connection, [state_row(service_id, EPOCH, state=state, latency_us=1500, summary="slow")]
        )
        (row,) = await health.board(connection, EPOCH, {service_id: 0.5})
    assert row == HealthRow(
        id=service_id, name="shop", kind="http", group="front", tags=("eu",), hard=Status.OK,
        status=Status.DEGRADED, soft=True, attempt=2, max_attempts=3, latency=0.0015, recent=b"\x01",
        uptime_24h=0.5, since=EPOCH, checked_at=EPOCH + timedelta(seconds=1), every=5.0, paused=False,
        summary="slow", alert_id=None, acknowledged=False, origin="config.yaml:1",
    )  # fmt: skip


async def test_a_service_that_was_never_checked_is_on_the_board(database: Database) -> None:
    await make_services(database, "new")
    (row,) = (await board(database)).values()
    assert (row.hard, row.status, row.latency, row.since, row.recent) == (None, None, None, None, b"")


async def test_retired_services_leave_the_board(database: Database) -> None:
    await make_services(database, "a", "b")
    async with database.transaction() as connection:
        await apply_definitions(connection, [definition("b")])
    assert [row.name for row in (await board(database)).values()] == ["b"]


async def test_the_worst_open_alert_is_shown_and_pending_ones_are_not(database: Database) -> None:
    made = await make_services(database, "a", "b")
    await make_rules(database)
    (warning,) = await make_alerts(database, made["a"], severity=Severity.WARNING)
    await make_alerts(database, made["b"], for_s=60)
    assert [row.alert_id for row in (await board(database)).values()] == [warning.id, None]
    async with database.transaction() as connection:
        moment = await health.clock(connection)
        changed = ChangedAlert(warning, *acknowledge(warning.alert, "ann", "", None, False, moment))
        await alerts.update(connection, [changed])
    row = (await board(database))[made["a"].id]
    assert (row.alert_id, row.acknowledged) == (warning.id, True)


async def test_a_delta_has_only_what_changed(database: Database) -> None:
    made = await make_services(database, *"abcd")
    await make_rules(database)
    since = await now(database)
    assert await board(database, since) == {}
    await check(database, made["a"].id, Status.FAILING)
    assert set(await board(database, since)) == {made["a"].id}
    (stored,) = await make_alerts(database, made["b"])
    assert set(await board(database, since)) == {made["a"].id, made["b"].id}
    later = await now(database)
    async with database.transaction() as connection:
        moment = await health.clock(connection)
        await alerts.update(connection, [ChangedAlert(stored, *condition_false(stored.alert, moment))])
    delta = await board(database, later)
    assert set(delta) == {made["b"].id}
    assert delta[made["b"].id].alert_id is None


async def test_a_board_kept_by_deltas_is_never_missing_anything(database: Database) -> None:
    """Random changes, some in transactions that stay open while others commit, read as a console does."""
    random = Random(7)
    made = await make_services(database, *(f"s{n}" for n in range(12)))
    await make_days(database)
    await make_rules(database)
    ids = [service.id for service in made.values()]
    overlap = timedelta(seconds=5)
    kept = await board(database)
    read_at = await now(database)
    for _ in range(25):
        async with database.transaction() as slow:
            late = random.choice(ids)
            await results.save_states(slow, [state_row(late, latency_us=random.randrange(10**6))])
            for service_id in random.sample([each for each in ids if each != late], 3):
                await check(database, service_id, random.choice(list(Status)))
            began = await now(database)
            kept.update(await board(database, read_at - overlap))
            read_at = began
    kept.update(await board(database, read_at - overlap))
    assert kept == await board(database)


async def test_acknowledging_and_recording_at_once_never_deadlocks(database: Database) -> None:
    """The recorder locks states, then alerts; an operator locks alerts. Neither may wait for the other in a ring."""
    made = await make_services(database, "a")
    await make_rules(database)
    (stored,) = await make_alerts(database, made["a"])
    locked = asyncio.Event()
    acting = asyncio.Event()

    async def record() -> None:
        async with database.transaction() as connection:
            await results.lock_states(connection, [made["a"].id])
            locked.set()
            await acting.wait()
            await alerts.lock_by_subject(connection, [stored.subject], EPOCH)

    async def operate() -> None:
        async with database.transaction() as connection:
            await locked.wait()
            (found,) = await alerts.lock(connection, [stored.id])
            acting.set()
            moment = await health.clock(connection)
            await alerts.update(connection, [ChangedAlert(found, *condition_false(found.alert, moment))])

    await asyncio.gather(record(), operate())


async def test_the_detail_of_a_service_holds_its_past(database: Database) -> None:
    made = await make_services(
        database, definition("shop", runbook="https://wiki.example", settings={"port": 1})
    )
    service_id = made["shop"].id
    await make_days(database, await now(database))
    moment = await now(database) - timedelta(minutes=5)
    async with database.transaction() as connection:
        await results.save_states(connection, [state_row(service_id, moment)])
        await results.copy_results(
            connection,
            [
                results.ResultRow(
                    service_id, moment, 1, 2, 2_500_000, 1000, [1, None, 3, 0, None], "refused", 9
                ),
                results.ResultRow(service_id, moment + timedelta(minutes=1), 1, 0, 1000, 0, None, None, 9),
            ],
        )
        await results.save_facts(connection, [(service_id, moment, {"server": "nginx"}, {"cpu": 1.5})])
        await results.switch_spans(connection, [results.SpanStart(service_id, moment, "up")])
        change = results.IncidentChange(service_id, Status.FAILING, moment, moment, "refused")
        await results.open_incidents(connection, [change])
        detail = await health.service_detail(connection, service_id, await health.clock(connection))
    assert detail is not None
    assert [(point.status, point.latency, point.summary) for point in detail.results] == [
        (Status.OK, 0.001, ""),
        (Status.FAILING, 2.5, "refused"),
    ]
    assert detail.results[1].phases == (1e-6, None, 3e-6, None, None)
    assert [(row.service, row.worst, row.cause, row.closed_at) for row in detail.incidents] == [
        ("shop", Status.FAILING, "refused", None)
    ]
    assert (detail.facts, detail.metrics, detail.editable) == ({"server": "nginx"}, {"cpu": 1.5}, False)
    assert detail.uptime == dict.fromkeys(("24h", "7d", "30d", "90d", "365d"), 1.0)
    assert (detail.runbook, detail.settings) == ("https://wiki.example", {"port": 1})


async def test_time_before_a_service_was_there_is_not_unknown(database: Database) -> None:
    service_id = (await make_services(database, definition("new")))["new"].id
    made = await one(database, "SELECT created_at FROM services")
    async with database.transaction() as connection:
        young = await health.service_detail(connection, service_id, made + timedelta(minutes=5))
        old = await health.service_detail(connection, service_id, made + timedelta(days=60))
    assert young is not None
    assert old is not None
    assert {spent.unknown_s for spent in young.spent.values()} == {300.0}
    assert [spent.unknown_s / 86_400 for spent in old.spent.values()] == [1.0, 7.0, 30.0, 60.0, 60.0]


async def test_there_is_no_detail_of_what_is_gone(database: Database) -> None:
    made = await make_services(database, "a")
    async with database.transaction() as connection:
        await apply_definitions(connection, [])
        moment = await health.clock(connection)
        assert await health.service_detail(connection, made["a"].id, moment) is None
        assert await health.service_detail(connection, 4711, moment) is None


async def test_the_status_line_of_an_empty_database(database: Database) -> None:
    async with database.transaction() as connection:
        line = await health.status_line(connection, "here")
    assert (line.database, line.node, line.nodes_live, line.newest_beat_age) == ("here", "", 0, None)
    assert (line.services, line.firing, line.acknowledged, line.pending) == ({}, {}, 0, 0)


async def begun(database: Database) -> list[tuple[int, str, str]]:
    async with database.transaction() as connection:
        line = await health.status_line(connection, "")
    return [(each.alert_id, each.severity.word, each.title) for each in line.begun]


async def change(database: Database, alert_id: int, step: Callable[[Alert, datetime], Transition]) -> None:
    moment = await now(database)
    async with database.transaction() as connection:
        (stored,) = await alerts.lock(connection, [alert_id])
        await alerts.update(connection, [ChangedAlert(stored, *step(stored.alert, moment))])


async def test_the_status_line_says_which_alerts_began_the_newest_first(database: Database) -> None:
    made = await make_services(database, *"abc")
    await make_rules(database)
    (first,) = await make_alerts(database, made["a"], severity=Severity.WARNING)
    (second,) = await make_alerts(database, made["b"])
    await make_alerts(database, made["c"], for_s=60)
    a, b = (first.id, "warning", "a is failing"), (second.id, "critical", "b is failing")
    assert await begun(database) == [b, a]
    await change(database, first.id, lambda alert, at: acknowledge(alert, "ann", "", None, False, at))
    assert await begun(database) == [b]
    await change(database, first.id, lambda alert, at: unacknowledge(alert, "ann", at))
    assert await begun(database) == [a, b]
    await change(database, first.id, lambda alert, at: change_severity(alert, Severity.INFO, at))
    await change(database, second.id, lambda alert, at: change_severity(alert, Severity.EMERGENCY, at))
    assert await begun(database) == [(b[0], "emergency", b[2]), (a[0], "info", a[2])]
    await rows(database, "UPDATE alerts SET changed_at = clock_timestamp() - interval '1 h'")
    assert await begun(database) == []


async def test_what_began_in_silence_begins_for_people_when_that_ends_and_what_they_know_does_not(
    database: Database,
) -> None:
    made = await make_services(database, *"ab")
    await make_rules(database)
    (known,), (unheard,) = await make_alerts(database, made["a"]), await make_alerts(database, made["b"])

    async def look() -> tuple[dict[int, int], int]:
        async with database.transaction() as connection:
            line = await health.status_line(connection, "")
        return {each.alert_id: each.seq for each in line.begun}, line.quiet.get("critical", 0)

    async def silence(alert_id: int, *reasons: Suppression) -> None:
        await change(database, alert_id, lambda alert, at: suppress(alert, reasons, at))

    def worse_in_silence(alert: Alert, at: datetime) -> Transition:
        alert, events = change_severity(alert, Severity.EMERGENCY, at)
        alert, more = suppress(alert, [Suppression.SILENCE], at)
        return alert, (*events, *more)

    before, quiet = await look()
    assert (set(before), quiet) == ({known.id, unheard.id}, 0)
    await silence(known.id, Suppression.SILENCE)
    assert await look() == (before, 1)
    await silence(known.id)
    assert await look() == (before, 0)
    await change(database, unheard.id, worse_in_silence)
    assert (await look())[0] == {known.id: before[known.id]}
    await silence(unheard.id, Suppression.SILENCE, Suppression.MAINTENANCE)
    await silence(unheard.id, Suppression.MAINTENANCE)
    assert (await look())[0] == {known.id: before[known.id]}
    await silence(unheard.id)
    after, quiet = await look()
    assert (set(after), quiet) == ({known.id, unheard.id}, 0)
    assert after[unheard.id] > before[unheard.id]
    await silence(unheard.id, Suppression.SILENCE)
    await silence(unheard.id)
    assert await look() == (after, 0)


async def test_an_alert_that_gets_better_does_not_begin_again(database: Database) -> None:
    made = await make_services(database, "a")
    await make_rules(database)
    (only,) = await make_alerts(database, made["a"])

    async def seq() -> list[int]:
        async with database.transaction() as connection:
            return [each.seq for each in (await health.status_line(connection, "")).begun]

    before = await seq()
    await change(database, only.id, lambda alert, at: change_severity(alert, Severity.WARNING, at))
    assert await seq() == before
    await change(database, only.id, lambda alert, at: change_severity(alert, Severity.CRITICAL, at))
    assert await seq() > before


async def test_the_status_line_counts_services_and_alerts(database: Database) -> None:
    made = await make_services(database, *"abcdef")
    await make_rules(database)
    for name, status in zip("abc", (Status.OK, Status.FAILING, Status.FAILING), strict=True):
        await check(database, made[name].id, status)
    async with database.transaction() as connection:
        await set_paused(connection, made["f"].id, True)
    await make_alerts(database, made["b"], made["c"])
    await make_alerts(database, made["d"], severity=Severity.WARNING)
    await make_alerts(database, made["e"], for_s=60)
    await rows(
        database,
        "UPDATE alerts SET state = 'acknowledged' WHERE service_id = %(id)s",
        id=made["c"].id,
    )
    async with database.transaction() as connection:
        line = await health.status_line(connection, "here")
    assert line.services == {"ok": 1, "failing": 2, "pending": 2, "paused": 1}
    assert (line.firing, line.acknowledged, line.pending) == ({"critical": 1, "warning": 1}, 1, 1)
