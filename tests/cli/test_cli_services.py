"""Services on the command line: one in full, groups with scores, definitions saved and tried."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from support.databases import _drop_templates, database, dsn, empty_dsn, server
from support.make import definition, make_services, now, state_row
from support.sql import one
from watchfloor.cli import databases as board
from watchfloor.cli import services as show
from watchfloor.cli.config import check
from watchfloor.cli.desk import Desk
from watchfloor.cli.maintenance import show_slots
from watchfloor.cli.options import Options
from watchfloor.cli.plain import show_health, show_json
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.trial import TAKEN_WITHIN
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import results
from watchfloor.store.database import Connection, Database
from watchfloor.store.nodes import LOCK_CLASS
from watchfloor.store.partitions import ensure_partitions

__all__ = ["_drop_templates", "database", "dsn", "empty_dsn", "server"]

SHOP = "services:\n- {name: shop, kind: http, url: 'https://shop.example', group: front}\n"


@pytest.fixture
def desk(database: Database) -> Desk:
    async def connect() -> Database:
        return database

    return Desk(connect, lambda: "test", Actor("ann"))


async def test_one_service_says_why_and_on_what_it_hangs(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await make_services(database, definition("router"), definition("shop", depends_on=("router",)))
    state = CheckState(Status.FAILING, Status.FAILING)
    async with database.transaction() as connection:
        await results.save_states(connection, [state_row(made["router"].id, state=state, summary="no route")])
    detail, status = await show.one("router")(desk)
    show.show_service(detail, status.at)
    text = capsys.readouterr().out
    assert "router: failing" in text
    assert "seen     failing: no route" in text
    assert "Needed by 1:\n  - pending shop" in text
    show_json(detail)
    data = json.loads(capsys.readouterr().out)
    assert data["why"][0]["topic"] == "seen"
    assert data["tree"]["needed_by"] == 1
    with pytest.raises(Refused, match='Did you mean "router"'):
        await show.one("ruoter")(desk)


async def test_an_uptime_is_never_rounded_up_to_all(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_services(database, "shop", "wiki")
    shop, wiki = await desk.health()
    show_health([replace(shop, uptime_24h=0.99999), replace(wiki, uptime_24h=1.0)], await now(database))
    lines = capsys.readouterr().out.splitlines()
    assert "99.99 %" in lines[1]
    assert " 100 %" in lines[2]


async def test_groups_are_printed_with_score_and_formula(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await make_services(
        database, definition("a", group_name="front"), definition("b", group_name="front")
    )
    async with database.transaction() as connection:
        bad = CheckState(Status.DEGRADED, Status.DEGRADED)
        await results.save_states(connection, [state_row(made["a"].id), state_row(made["b"].id, state=bad)])
    show.show_groups(await show.grouped("group")(desk))
    assert "front  75     2         1 degraded, 1 ok  100 × (1 - (1 degraded × 0.5) / 2) = 75" in (
        capsys.readouterr().out
    )
    with pytest.raises(Refused, match="allowed: group, tag, state, kind, environment"):
        show.grouped("colour")


async def test_services_are_saved_from_a_file_exported_and_deleted(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(SHOP)
    assert await show.save(str(file), dry_run=True)(desk) == 0
    assert await one(database, "SELECT count(*) FROM services") == 0
    assert await show.save(str(file), dry_run=False)(desk) == 0
    file.write_text(SHOP.replace("front", "back"))
    assert await show.save(str(file), dry_run=False)(desk) == 0
    assert capsys.readouterr().out == "shop: would be added\nshop: added\nshop: changed\n"
    await show.export([], json=False)(desk)
    exported = capsys.readouterr().out
    assert exported == ("services:\n- name: shop\n  kind: http\n  url: https://shop.example\n  group: back\n")
    await desk.delete_thing("service", "shop")
    assert await one(database, "SELECT count(*) FROM services WHERE retired_at IS NULL") == 0


async def test_mistakes_are_told_by_name_and_the_exit_code_says_so(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(SHOP + "- {name: till, kind: http, url: nowhere}\n")
    assert await show.save(str(file), dry_run=False)(desk) == 1
    found = capsys.readouterr()
    assert found.out == "shop: added\n"
    assert found.err.startswith("till: url:")


async def test_a_test_without_an_engine_says_so_and_fails(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchfloor.domain.trial.TAKEN_WITHIN", TAKEN_WITHIN / 100)
    file = tmp_path / "services.yaml"
    file.write_text(SHOP)
    assert await show.trials(str(file), json=False)(desk) == 1
    assert capsys.readouterr().out.startswith("shop: no engine took it within 5 s")


async def test_the_times_of_windows_are_printed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    window = {"name": "nights", "covers": {"groups": ["front"]}, "cron": "0 2 * * *", "lasts": "1h"}
    await desk.save_form("window", window)
    show_slots(await desk.slots())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all("nights  next" in line for line in lines[1:])


async def test_a_window_that_would_be_open_at_once_is_said_to_be(desk: Desk, database: Database) -> None:
    moment = await now(database)
    start, end = (moment + timedelta(hours=hours) for hours in (-1, 1))
    window = {
        "name": "now",
        "covers": {"groups": ["front"]},
        "start": start.isoformat(),
        "end": end.isoformat(),
    }
    problems, notes = await desk.judge("window", window)
    assert not problems
    assert [note.split(":")[0] for note in notes] == ["open at once"]


async def live_node(held: Connection, name: str, *tags: str) -> None:
    """A node that lives as long as the connection is open."""
    await held.execute(
        "WITH made AS (INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, "
        "lease_until) VALUES (%(name)s, '', 1, '', '', %(tags)s, 'running', now(), now(), now() + interval '1 hour') "
        "RETURNING id) "
        f"SELECT pg_advisory_lock({LOCK_CLASS}, id) FROM made",
        {"name": name, "tags": list(tags)},
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"on_nodes": ["eu"]}, ()),
        ({"on_nodes": ["moon"]}, ("no live node has the tag moon: nobody checks it until one does",)),
        (
            {"on_nodes": ["eu", "us"]},
            ("no live node has all of the tags eu, us: nobody checks it until one does",),
        ),
        ({"quorum": 2}, ()),
        (
            {"quorum": 3},
            ("quorum is 3, but only 2 live nodes may check it: all of them must agree until there are more",),
        ),
        (
            {"quorum": 2, "on_nodes": ["eu"]},
            ("quorum is 2, but only 1 live node may check it: its word alone decides until there are more",),
        ),
    ],
)
async def test_a_form_warns_of_nodes_that_there_are_not(
    desk: Desk, database: Database, keys: dict[str, object], said: tuple[str, ...]
) -> None:
    values = {"name": "shop", "kind": "http", "url": "https://shop.example", **keys}
    async with database.connection() as held:
        await live_node(held, "one", "eu")
        await live_node(held, "two", "us")
        problems, notes = await desk.judge("service", values)
    assert (list(problems), tuple(notes)) == ([], said)


def test_a_file_is_checked_for_tags_that_its_own_node_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"node: {{tags: [eu]}}\n{SHOP.replace('group: front', 'on_nodes: [eu, moon]')}")
    assert check(Options(), path) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        f"{path}:3: note: shop asks for nodes with the tags moon; the node of this file has eu, so another must "
        "check it\n"
    )
    assert "good; 1 service" in printed.out


async def test_databases_are_listed_with_their_week_and_the_queries_over_their_limits(
    desk: Desk, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"dsn": "postgresql://ann:pw@db.example/shop"}
    made = await make_services(
        database,
        definition("shop db", kind="postgres", settings=place, environment="production"),
        definition("late orders", kind="query", settings=place),
        definition("orders a minute", kind="query", settings=place),
        definition("cache", kind="redis", settings={"host": "cache"}),
        definition("site", kind="http"),
    )
    state = CheckState(Status.DEGRADED, Status.DEGRADED)
    fine = CheckState(Status.OK, Status.OK)
    moment = await now(database)
    async with database.transaction() as connection:
        await ensure_partitions(connection, moment.date())
        await results.save_states(
            connection,
            [
                state_row(made["shop db"].id, moment, state=fine),
                state_row(made["cache"].id, moment, state=fine),
                state_row(made["late orders"].id, moment, state=state, summary="PostgreSQL yields 7"),
            ],
        )
        await results.save_facts(
            connection, [(made["shop db"].id, moment, {}, {"connections_used": 61, "connections_max": 97})]
        )
        row = results.ResultRow(made["shop db"].id, moment, 1, 0, 900, 0, None, None, 900)
        await results.copy_results(
            connection,
            [
                replace(row, ts=moment - timedelta(seconds=n), status=status)
                for n, status in enumerate((0, 2, 3, 0, 0))
            ],
        )
    rows, status = await board.databases(faults=False)(desk)
    board.show_databases(rows, status.at)
    text = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert text[0].startswith(
        "STATE DATABASE KIND ENVIRONMENT CHECKED LATENCY OK 7D CONNECTIONS LAG QUERIES NOT OK"
    )
    assert text[1].startswith("ok shop db postgres production")
    assert text[1].endswith("75 % 61 of 97 - 2 late orders")
    assert text[2].endswith("1.0 ms - - - 0 -")
    faults, _ = await board.databases(faults=True)(desk)
    show_json(faults)
    (shop,) = json.loads(capsys.readouterr().out)
    assert (shop["name"], shop["state"], shop["over"]) == ("shop db", "ok", ["late orders"])
    assert (shop["success_7d"], shop["checks_7d"], shop["address"]) == (0.75, 4, "db.example:5432/shop")
    assert "pw" not in json.dumps(shop)
