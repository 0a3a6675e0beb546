"""``watchfloor silences`` and ``watchfloor deliveries`` as an operator meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_channels import Shell

from support.couriers import put
from support.databases import Server, _drop_templates, database, dsn
from support.make import make_alerts, make_rules, make_services
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def test_silences_are_added_listed_changed_and_ended(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, dsn)
    made = await make_services(database, "shop", "cart")
    await make_rules(database)
    await make_alerts(database, *made.values())
    code, out, _ = await shell.run("silences", "add", "service=shop", "--for", "2h", "--comment", "deploy")
    assert (code, out) == (0, "silence #1: 1 open alert match now\n")
    _, out, _ = await shell.run("silences", "list", "--json")
    (row,) = json.loads(out)
    assert (row["state"], row["matchers"], row["comment"], row["quiet"]) == (
        "active",
        ['service="shop"'],
        "deploy",
        1,
    )
    _, out, _ = await shell.run(
        "silences", "change", "1", "service=cart", "--until-resolved", "--comment", "other"
    )
    assert out == "silence #2 replaces #1\n"
    _, out, _ = await shell.run("silences")
    assert 'service="cart"' in out
    assert 'service="shop"' not in out
    assert (await shell.run("silences", "expire", "2"))[1] == "ended #2\n"
    _, out, _ = await shell.run("silences", "list", "--over", "--json")
    assert [each["state"] for each in json.loads(out)] == ["over", "over"]
    for words, why in (
        (("add", "service=~.*", "--for", "1h", "--comment", "x"), "every alert there is"),
        (("add", "service=shop", "--for", "1h"), "needs a comment"),
        (("add", "service=shop", "--for", "soon", "--comment", "x"), "--for"),
        (("expire", "7"), "no such silence"),
    ):
        code, _, error = await shell.run("silences", *words)
        assert code == 1
        assert why in error
    code, _, _ = await shell.run(
        "silences", "add", "service=~.*", "--for", "1h", "--comment", "drill", "--yes"
    )
    assert code == 0


async def test_deliveries_are_searched_and_paged(dsn: str, database: Database, tmp_path: Path) -> None:
    shell = Shell(tmp_path, dsn)
    made = await make_services(database, "shop", "cart")
    await make_rules(database)
    shop, cart = await make_alerts(database, made["shop"], made["cart"])
    await put(database, (shop, 2, "ops"), (shop, 3, "ops"), (cart, 2, "night"))
    _, out, _ = await shell.run("deliveries", "--json", "--channel", "night")
    assert [(row["title"], row["state"]) for row in json.loads(out)] == [("cart is failing", "queued")]
    _, out, _ = await shell.run("deliveries", "--limit", "2")
    key = out.splitlines()[-1].removeprefix("older: --before ")
    _, out, _ = await shell.run("deliveries", "--before", key, "--json")
    assert len(json.loads(out)) == 1
    for words in (("--state", "gone"), ("--before", "nonsense"), ("--since", "soon")):
        code, _, error = await shell.run("deliveries", *words)
        assert code == 1
        assert error.startswith("watchfloor: ")
