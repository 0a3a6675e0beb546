"""``watchfloor alerts stats`` on a database with alerts in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_channels import Shell

from support.databases import Server, _drop_templates, database, dsn
from support.make import make_alerts, make_rules, make_services
from support.sql import column
from watchfloor.cli.alert_stats import stats
from watchfloor.domain.zones import zone
from watchfloor.operations.actor import Refused
from watchfloor.store import settings
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def test_what_fired_is_counted_and_what_waits_is_not(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, dsn)
    made = await make_services(database, "shop", "cart", "slow")
    await make_rules(database)
    first, _ = await make_alerts(database, made["shop"], made["cart"])
    await make_alerts(database, made["slow"], for_s=3600)
    assert (await shell.run("alerts", "ack", str(first.id)))[0] == 0
    assert (await shell.run("alerts", "resolve", str(first.id)))[0] == 0
    code, out, _ = await shell.run("alerts", "stats", "--json")
    found = json.loads(out)
    assert code == 0
    assert [found["all"][key] for key in ("alerts", "acknowledged", "resolved")] == [2, 1, 1]
    assert 0 <= found["all"]["to_acknowledge"] <= found["all"]["to_resolve"] < 120
    assert [each["name"] for each in found["services"]] == ["cart", "shop"]
    assert sum(map(sum, found["week"])) == 2
    assert all("week" not in each for each in (found["all"], *found["rules"], *found["services"]))
    async with database.transaction() as connection:
        await settings.change(connection, "alerts.time_zone", "Asia/Kathmandu", "ann")
    _, out, _ = await shell.run("alerts", "stats", "--json")
    week = json.loads(out)["week"]
    fired = await column(database, "SELECT fired_at FROM alerts WHERE fired_at IS NOT NULL")
    there = [each.astimezone(zone("Asia/Kathmandu")) for each in fired]
    assert all(week[each.weekday()][each.hour] for each in there)
    _, out, _ = await shell.run("alerts", "stats", "--top", "1")
    assert "+0545: 2 alerts" in out
    assert "2 alerts" in out
    assert "cart" in out
    assert "shop" not in out
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("over", ["soon", "0s", "20000d"])
def test_a_stretch_of_time_that_is_none_is_refused(over: str) -> None:
    with pytest.raises(Refused, match="--over"):
        stats(over, 10)
