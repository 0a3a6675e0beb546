"""``watchfloor oncall`` and ``watchfloor escalations`` as an operator meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_channels import Shell

from support.databases import Server, _drop_templates, database, dsn
from support.make import make_alerts, make_services
from support.sql import column
from watchfloor.config.oncall import PersonKeys, RotaKeys
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def test_an_alert_is_handed_over_with_a_note(dsn: str, database: Database, tmp_path: Path) -> None:
    shell = Shell(tmp_path, dsn)
    person = PersonKeys.model_validate({"name": "deputy", "channels": [{"channel": "c"}]}).spec()
    async with database.transaction() as connection:
        await apply_oncall(connection, {"people": [person]})
    services = await make_services(database, "shop")
    (alert,) = await make_alerts(database, *services.values())
    number = str(alert.id)
    code, out, _ = await shell.run("alerts", "hand-over", number, "--to", "deputy", "--note", "your database")
    assert (code, out) == (0, f"handed over to deputy: #{number}\n")
    said = "SELECT note FROM alert_events WHERE kind = 'handed_over'"
    assert await column(database, said) == ["your database"]
    assert await column(database, "SELECT person FROM outbox WHERE person <> ''") == ["deputy"]


async def test_who_is_on_call_is_said_and_overridden(dsn: str, database: Database, tmp_path: Path) -> None:
    people = [{"name": name, "channels": [{"channel": "c"}]} for name in ("primary", "deputy")]
    rota = {"name": "operations", "layers": [{"members": ["primary", "deputy"], "starts": "2026-01-05"}]}
    spec = {
        "people": [PersonKeys.model_validate(each).spec() for each in people],
        "rotas": [RotaKeys.model_validate(rota).spec()],
    }
    shell = Shell(tmp_path, dsn)
    assert "there is no rota" in (await shell.run("oncall"))[1]
    async with database.transaction() as connection:
        await apply_oncall(connection, spec)
    _, out, _ = await shell.run("oncall", "--at", "2099-01-05T12:00", "--json")
    (row,) = json.loads(out)
    other = {"primary": "deputy", "deputy": "primary"}[row["person"]]
    assert (row["until"][:16], row["next_person"]) == ("2099-01-12T09:00", other)
    span = ("--from", "2099-01-05T10:00", "--until", "2099-01-06T10:00")
    code, out, _ = await shell.run("oncall", "override", "operations", other, *span)
    assert (code, out) == (0, f"override #1: {other} is on call in operations\n")
    _, out, _ = await shell.run("oncall", "--at", "2099-01-05T12:00")
    assert f"{other} " in out
    assert "#1" in out
    assert (await shell.run("oncall", "end-override", "1"))[1] == "ended #1\n"
    _, out, _ = await shell.run("oncall", "--at", "2099-01-05T12:00", "--json")
    assert json.loads(out) == [row]
    for words, why in (
        (("override", "operation", "deputy", "--until", "2099-01-01"), 'Did you mean "operations"?'),
        (("override", "operations", "nobody", "--until", "2099-01-01"), "There are: deputy, primary."),
        (("override", "operations", "deputy", "--until", "2001-01-01"), "over already"),
        (("end-override", "7"), "no override #7"),
    ):
        code, _, error = await shell.run("oncall", *words)
        assert code == 1
        assert why in error
    assert (await shell.run("escalations"))[1] == "no chain runs\n"
