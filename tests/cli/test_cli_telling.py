"""``watchfloor silences`` and ``watchfloor deliveries`` as an operator meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from test_cli_channels import Shell

from support.couriers import put
from support.databases import Server, _drop_templates, database, dsn
from support.make import make_alerts, make_rules, make_services
from support.sql import one, rows
from watchfloor.domain.notice import trial_message
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.rules import ChannelDefinition, apply_channels

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
    assert (code, out) == (0, "silence #1: matches 1 open alert now\n")
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


async def test_one_message_is_shown_as_it_was_sent_without_secrets(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, dsn)
    made = await make_services(database, "shop")
    await make_rules(database)
    (shop,) = await make_alerts(database, *made.values())
    settings = {"url": "http://receiver.test/", "secret": "whsec_cGxhaW4gdGV4dCBzZWNyZXQgb2YgMjQrIGJ5dGVz"}
    async with database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("ops", "webhook", settings, True, "")])
    await put(database, (shop, 2, "ops"))
    body = json.dumps({"text": "a\x1b[31mb " + settings["secret"], "api_key": "hunter2", "long": "x" * 9000})
    message = await one(
        database, "UPDATE outbox SET rendered = %(body)s, attempt = 1 RETURNING id", body=body.encode()
    )
    _, out, _ = await shell.run("deliveries", "show", str(message), "--json")
    shown = json.loads(out)
    assert shown["row"]["id"] == str(message)
    assert "cGxhaW4gdGV4" not in out
    assert "hunter2" not in out
    assert "\x1b" not in shown["text"]
    assert len(shown["text"]) == 8000
    assert shown["left_out"] > 1000
    _, out, _ = await shell.run("deliveries", "show", str(message))
    assert out.startswith(f"alert.firing about #{shop.id} to ops: queued, 1 attempt\nwhat was sent:\n")
    assert out.endswith("more characters are not shown\n")
    waits = trial_message("u", "the pager", {}, "ann", datetime(2031, 3, 1, tzinfo=UTC))
    async with database.transaction() as connection:
        talks = ChannelDefinition("ops", "slack", {"url": "https://hooks.slack.com/services/x"}, True, "")
        await apply_channels(connection, [talks])
    await rows(database, "UPDATE outbox SET payload = %(body)s, rendered = NULL, attempt = 0", body=waits)
    _, out, _ = await shell.run("deliveries", "show", str(message))
    assert "how it would read:\n  TEST Test of the pager\n  This message only shows" in out
    for words in ("x", str(uuid4())):
        code, _, error = await shell.run("deliveries", "show", words)
        assert (code, error.startswith("watchfloor: ")) == (1, True)
