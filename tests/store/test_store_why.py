"""Why a service is not ok, and its tree of dependencies, from what is really stored."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from support.make import (
    EPOCH,
    at,
    definition,
    make_alerts,
    make_days,
    make_rules,
    make_services,
    now,
    state_row,
)
from support.sql import rows
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.why import Looks
from watchfloor.operations import settings
from watchfloor.operations.actor import Actor
from watchfloor.store import audit, health, looks, partitions, past, results
from watchfloor.store.certificates import SeenCertificate, save_certificates
from watchfloor.store.database import Database
from watchfloor.store.packing import pack
from watchfloor.store.results import IncidentChange, ResultRow
from watchfloor.store.services import Definition, apply_definitions, set_paused
from watchfloor.store.tree import service_tree
from watchfloor.store.why import reasons

HOUR, DAY = 3_600, 86_400


async def fail(database: Database, service_id: int, moment: datetime, *, opened: bool = True) -> None:
    """A confirmed failure that began at ``moment``: two bad checks after a good one."""
    state = CheckState(
        Status.FAILING, Status.FAILING, attempt=1, since=moment, first_bad=moment, last_started=moment
    )
    async with database.transaction() as connection:
        await results.copy_results(
            connection,
            [
                ResultRow(service_id, moment - timedelta(seconds=30), 1, 0, 200_000, 0, None, None, 200_000),
                ResultRow(service_id, moment, 1, 2, None, 0, None, "refused", 1000),
                ResultRow(service_id, moment + timedelta(seconds=10), 1, 2, None, 0, None, "refused", 1000),
            ],
        )
        await results.save_states(
            connection,
            [state_row(service_id, moment, state=state, latency_us=None, summary="connection refused")],
        )
        if opened:
            change = IncidentChange(
                service_id, Status.FAILING, moment, moment + timedelta(seconds=20), "refused"
            )
            await results.open_incidents(connection, [change])


async def said(database: Database, service_id: int) -> dict[str, list[str]]:
    async with database.transaction() as connection:
        found = await reasons(connection, service_id)
    topics: dict[str, list[str]] = {}
    for each in found:
        topics.setdefault(each.topic, []).append(each.words)
    return topics


async def test_a_failure_is_explained_from_results_incidents_versions_and_alerts(database: Database) -> None:
    made = await make_services(
        database, definition("db"), definition("shop", group_name="front", depends_on=("db",))
    )
    moment = await now(database)
    await make_days(database, moment)
    await make_rules(database)
    await fail(database, made["shop"].id, moment)
    await make_alerts(database, made["shop"])
    topics = await said(database, made["shop"].id)
    assert topics["seen"] == ["failing: connection refused"]
    assert topics["since"] == ["began: refused", "confirmed after 3 checks in a row that were not ok"]
    assert topics["tried"] == [
        "2 checks since then, all of them not ok",
        "the last check that was ok, in 200 ms",
    ]
    assert topics["behind"] == ["all it needs is in order (db): it is the root cause itself"]
    assert topics["told"] == ["nobody: no message of alert #1 was made"]


async def edit(database: Database, changed: Definition, line: audit.Line) -> None:
    """Change a service and say who did it, as whoever changes one does: in one transaction."""
    async with database.transaction() as connection:
        await apply_definitions(connection, [changed])
        await audit.record(connection, [line])


async def test_who_changed_it_before_is_named_with_what_changed(database: Database) -> None:
    made = await make_services(database, definition("shop", every_ms=30_000))
    await edit(database, definition("shop", every_ms=10_000), audit.Line("kim", "change", "service", "shop"))
    moment = await now(database)
    await make_days(database, moment)
    await fail(database, made["shop"].id, moment)
    topics = await said(database, made["shop"].id)
    assert "its definition was changed by kim: every 30s → 10s" in topics["changed"]


async def test_who_made_it_just_before_is_named(database: Database) -> None:
    made = await make_services(database, definition("shop"))
    moment = await now(database)
    await make_days(database, moment)
    async with database.transaction() as connection:
        await audit.record(connection, [audit.Line("kim", "add", "service", "shop")])
    await fail(database, made["shop"].id, moment)
    topics = await said(database, made["shop"].id)
    assert "it was first defined by kim" in topics["changed"]


async def test_settings_are_named_with_who_changed_them_from_what_to_what(database: Database) -> None:
    made = await make_services(database, definition("shop"))
    kim = Actor("kim")
    await settings.change(database, kim, "alerts.reopen_window", 600.0)
    moment = await now(database)
    await make_days(database, moment)
    await fail(database, made["shop"].id, moment)
    topics = await said(database, made["shop"].id)
    assert topics["changed"][0] == "the setting alerts.reopen_window was changed by kim: 5m → 10m"


async def test_certificates_that_change_all_the_time_do_not_hide_what_else_changed(
    database: Database,
) -> None:
    shop = (await make_services(database, definition("shop")))["shop"].id
    await settings.change(database, Actor("kim"), "alerts.reopen_window", 600.0)
    moment = await now(database)
    await make_days(database, moment)
    await rows(
        database,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, lease_until) "
        "VALUES ('one', 'here', 1, '1', '', '{}', 'running', %(at)s - interval '2 hours', %(at)s, %(at)s)",
        at=moment,
    )
    async with database.transaction() as connection:
        for minute in reversed(range(1, 100)):
            shown = moment - timedelta(minutes=minute)
            seen = SeenCertificate(shop, shown, f"{minute}", f"CN={minute}", "", shown, shown, {})
            await save_certificates(connection, [seen])
    await fail(database, shop, moment)
    changed = (await said(database, shop))["changed"]
    assert [words for words in changed if "certificate" in words] == [
        f"it showed another certificate: CN={minute}" for minute in (1, 2, 3)
    ]
    assert "the engine one started" in changed
    assert any("alerts.reopen_window" in words for words in changed)


async def test_a_definition_that_was_edited_says_which_values_changed(database: Database) -> None:
    made = await make_services(database, definition("shop"))
    line = audit.Line("kim", "change", "service", "shop", {"url": "http://a"}, {"url": "http://b"})
    await edit(database, definition("shop", settings={"url": "http://b"}), line)
    moment = await now(database)
    await make_days(database, moment)
    await fail(database, made["shop"].id, moment)
    topics = await said(database, made["shop"].id)
    assert "its definition was changed by kim: url http://a → http://b" in topics["changed"]


async def test_what_went_wrong_at_the_same_time_is_named_its_own_group_first(database: Database) -> None:
    others = [definition(f"other {n}") for n in range(6)]
    made = await make_services(
        database,
        *others,
        definition("shop", group_name="front"),
        definition("till", group_name="front"),
        definition("later"),
    )
    moment = await now(database) - timedelta(minutes=20)
    await make_days(database, moment)
    for name, service in made.items():
        await fail(database, service.id, moment + timedelta(minutes=9 if name == "later" else 0))
    topics = await said(database, made["shop"].id)
    assert topics["behind"] == [
        "till, other 0, other 1, other 2, other 3 and 2 other services went wrong within two minutes of it"
    ]


async def test_the_past_is_explained_by_what_was_known_then(database: Database) -> None:
    made = await make_services(database, definition("shop"), definition("till"), definition("late"))
    moment = await now(database) - timedelta(minutes=30)
    await make_days(database, moment)
    await settings.change(database, Actor("kim"), "alerts.reopen_window", 600.0)  # after the moment: not why
    async with database.transaction() as connection:
        await connection.execute("UPDATE service_versions SET began = began - interval '2 hours'")
    for name in ("shop", "till"):
        await fail(database, made[name].id, moment)
    await fail(database, made["late"].id, moment + timedelta(minutes=1))
    at = moment + timedelta(seconds=40)
    async with database.transaction() as connection:
        detail = await past.service_detail(connection, made["shop"].id, at)
        before = await past.service_detail(connection, made["shop"].id, moment - timedelta(seconds=5))
    assert detail is not None
    assert before is not None
    assert before.why == ()
    topics: dict[str, list[str]] = {}
    for each in detail.why:
        assert each.at is None or each.at <= at
        topics.setdefault(each.topic, []).append(each.words)
    assert topics["seen"] == ["failing: refused"]
    assert topics["since"][0] == "began"
    assert topics["tried"][0] == "2 checks since then, all of them not ok"
    assert topics["changed"] == ["nothing that is known of, in the 24 hours before it"]
    assert topics["behind"] == [
        "till went wrong within two minutes of it",
        "what it needed then is not kept; its page of now shows what it needs now",
    ]
    assert "told" not in topics


async def test_checks_are_counted_as_far_as_they_are_kept_in_full_or_packed(database: Database) -> None:
    """Failing for four days, checked every hour: of two days there are results, before that packed ones, or nothing."""
    shop = (await make_services(database, definition("shop", every_ms=3_600_000)))["shop"].id
    for day in range(-4, 1):
        await make_days(database, at(day * DAY))
    hours = range(-96, 0)
    async with database.transaction() as connection:
        await connection.execute("UPDATE service_versions SET began = '2031-01-01'")
        await results.copy_results(
            connection,
            [
                ResultRow(shop, at(n * HOUR), 1, 1 if n % 3 else 2, None, 0, None, "refused", 1_000)
                for n in hours
            ],
        )

    async def looked(since: float) -> looks.Looked:
        async with database.transaction() as connection:
            return await looks.looks_since(connection, shop, at(since * HOUR), at(0))

    def total(found: looks.Looked) -> tuple[int, int]:
        return sum(each.checks for each in found.looks), sum(each.bad for each in found.looks)

    assert await looked(-96) == looks.Looked([Looks("", 96, 96)])
    async with database.transaction() as connection:
        for day in (EPOCH.replace(hour=0) - timedelta(days=n) for n in range(4)):
            await pack(connection, [shop], day)  # the days before today as far as those were four days ago
    await drop_days(database, before=EPOCH - timedelta(days=2))
    assert total(await looked(-40)) == (40, 40)
    found = await looked(-90)
    assert (total(found), found.cut, found.kept_since) == ((90, 90), False, None)
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM check_packed WHERE ts < %s", (at(-84 * HOUR),))
    found = await looked(-96)
    assert (total(found), found.kept_since) == ((84, 84), at(-84 * HOUR))
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM check_packed")
    found = await looked(-96)
    assert (total(found), found.kept_since) == ((60, 60), at(-60 * HOUR))


async def test_more_checks_than_are_counted_are_said_to_be_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "COUNTED", 5)
    shop = (await make_services(database, "shop"))["shop"].id
    await make_days(database)
    async with database.transaction() as connection:
        rows = [ResultRow(shop, at(n), 1, int(n > 0), None, 0, None, "", 1_000) for n in range(6)]
        await results.copy_results(connection, rows)
        assert await looks.looks_since(connection, shop, at(0), at(9)) == looks.Looked(
            [Looks("", 5, 5)], True
        )
        assert await looks.looks_since(connection, shop, at(1), at(9)) == looks.Looked(
            [Looks("", 5, 5)], False
        )


async def drop_days(database: Database, before: datetime) -> None:
    """Drop the partitions of results that end by ``before``, as retention does."""
    async with database.transaction() as connection:
        for leaf in await partitions.expired_partitions(connection, "check_results", before.date()):
            await connection.execute(f"DROP TABLE {leaf}")


async def test_the_root_cause_and_what_it_needs_are_told(database: Database) -> None:
    made = await make_services(database, definition("router"), definition("shop", depends_on=("router",)))
    moment = await now(database)
    await make_days(database, moment)
    for name in ("router", "shop"):
        await fail(database, made[name].id, moment)
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO service_reach (service_id, root_id, since) VALUES (%s, %s, now())",
            (made["shop"].id, made["router"].id),
        )
        detail = await health.service_detail(connection, made["shop"].id, moment)
    topics = await said(database, made["shop"].id)
    assert topics["behind"] == ["root cause: router is failing, and this needs it"]
    assert "router, which it needs, stopped being ok: refused" in topics["changed"]
    assert detail is not None
    assert (detail.tree.root, detail.tree.up[0].is_root) == ("router", True)


async def test_the_word_of_every_node_is_told_where_several_decide(database: Database) -> None:
    made = await make_services(database, definition("shop", quorum=2))
    moment = await now(database)
    await make_days(database, moment)
    await fail(database, made["shop"].id, moment)
    async with database.transaction() as connection:
        for name, status in (("eu", 2), ("us", 0)):
            await connection.execute(
                "WITH n AS (INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, "
                "beat_at, lease_until) VALUES (%s, '', 1, '', '', '{}', 'stopped', now(), now(), now()) RETURNING id) "
                "INSERT INTO service_votes SELECT %s, id, now(), %s, 'refused', now() FROM n",
                (name, made["shop"].id, status),
            )
    topics = await said(database, made["shop"].id)
    assert topics["tried"][1:4] == [
        "2 nodes must agree; 1 of 2 found it not ok",
        "eu found it failing: refused",
        "us found it ok",
    ]


async def test_who_paused_it_is_told_and_an_ok_service_has_nothing_to_explain(database: Database) -> None:
    made = await make_services(database, "a", "b")
    async with database.transaction() as connection:
        await set_paused(connection, made["a"].id, True)
        await audit.record(connection, [audit.Line("kim", "pause", "service", str(made["a"].id))])
        await results.save_states(connection, [state_row(made["b"].id)])
    assert await said(database, made["a"].id) == {"seen": ["nobody looks: it was paused by kim"]}
    assert await said(database, made["b"].id) == {}


async def test_a_tree_holds_groups_and_counts_children_without_reading_them_all(database: Database) -> None:
    many = [definition(f"c{n:04}", depends_on=("a",)) for n in range(400)]
    made = await make_services(
        database,
        definition("power"),
        definition("a", depends_on=("power",)),
        definition("b"),
        definition("shop", depends_on_any=(("a", "b"),)),
        *many,
    )
    async with database.transaction() as connection:
        shop = await service_tree(connection, made["shop"].id)
        a = await service_tree(connection, made["a"].id)
    assert [each.words for each in shop.up] == ["one of 2, 2 within reach", "a", "power", "b"]
    assert (shop.needs, shop.needed_by) == (2, 0)
    assert (a.needed_by, len(a.down), a.down[-1].words) == (401, 13, "and 389 more: 389 pending")
    assert [each.words for each in a.down[:2]] == ["c0000", "c0001"]
