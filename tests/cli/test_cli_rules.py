"""``watchfloor rules`` as an operator meets it: what there is, what it would have done, a test."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from test_cli_channels import Shell

from support.databases import Server, _drop_templates, database, dsn
from support.make import make_rules, make_services, now, rule
from support.sql import rows
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.metric import Metric
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.evaluations import Evaluation, load_evaluated, save_evaluation
from watchfloor.store.rules import ChannelDefinition, apply_channels, apply_rules

__all__ = ["_drop_templates", "database", "dsn"]

FILE = """\
services: [{name: shop, kind: tcp, host: localhost, port: 9}]
rules:
  - {name: quick, when: {services: [shop], status: [failing]}}
"""


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


async def test_rules_are_listed_tried_and_tested(dsn: str, database: Database, tmp_path: Path) -> None:
    shop = (await make_services(database, "shop", "other"))["shop"]
    slow = rule(
        "slow", selector={"statuses": ["failing"], "services": ["sh*"]}, for_ms=60_000, channels=("ops",)
    )
    mute = rule("mute", selector={"statuses": ["degraded"]}, channels=())
    async with database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("ops", "webhook", {}, True, "")])
        await apply_rules(connection, [slow, mute], ["ops"])
    await rows(
        database,
        "INSERT INTO state_spans (service_id, began, ended, state) VALUES "
        "(%(id)s, now() - interval '2 d', now() - interval '1 d', 'down'), "
        "(%(id)s, now() - interval '1 d', now() - interval '1 h', 'up'), "
        "(%(id)s, now() - interval '1 h', now() - interval '3590 s', 'down')",
        id=shop.id,
    )
    shell = Shell(tmp_path, dsn)
    _, out, _ = await shell.run("rules", "--json")
    first = json.loads(out)[0]
    assert (first["name"], first["words"], first["about"], first["waits_s"]) == (
        "slow", "a service is failing", "service sh*", 60.0,
    )  # fmt: skip
    listed = (await shell.run("rules"))[1]
    assert "a service is failing" in listed
    assert "mute: tells nobody: it has no channels, and no route and no chain tells any" in listed
    assert "slow: tells nobody" not in listed
    code, out, _ = await shell.run("rules", "try", "slow")
    assert code == 0
    assert out.startswith("slow would have fired 1 time in the last 7d, here,\n")
    assert "shop is failing" in out
    path = tmp_path / "new.yaml"
    path.write_text(FILE)
    _, out, _ = await shell.run("rules", "try", "quick", "--file", str(path), "--over", "3d", "--json")
    assert len(json.loads(out)["fired"]) == 2
    code, out, _ = await shell.run("rules", "test", "slow")
    assert (code, out.split(":")[0]) == (0, "a test of slow about shop is on its way to ops")
    ((channel, kind, payload),) = await rows(database, "SELECT channel, kind, payload FROM outbox")
    assert (channel, kind) == ("ops", "channel.test")
    assert json.loads(bytes(payload))["data"]["title"] == "Test of rule slow"


async def test_how_the_evaluations_of_a_rule_went_is_printed(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    asks = Condition(Metric("latency"), Threshold(Operator.GT, (500.0,), (500.0,)))
    await make_rules(database, rule("slow", kind="metric", condition=asks.spec()), rule("down"))
    moment = await now(database)
    async with database.transaction() as connection:
        (slow,) = await load_evaluated(connection)
        for done in (
            Evaluation(slow.rule.id, moment - timedelta(hours=2), 4.0, 3, 0, 1),
            Evaluation(slow.rule.id, moment - timedelta(seconds=10), 8.0, 3, 1, 2),
            Evaluation(slow.rule.id, moment, 12.0, error="there is no metric called latency"),
        ):
            await save_evaluation(connection, done)
    shell = Shell(tmp_path, dsn)
    _, out, _ = await shell.run("rules", "show", "slow", "--json")
    shown = json.loads(out)
    assert (shown["rule"]["name"], shown["why"]) == ("slow", "")
    assert (shown["health"]["evaluations"], shown["health"]["failures"]) == (3, 1)
    assert sum(each["evaluations"] for each in shown["health"]["hours"]) == 3
    _, out, _ = await shell.run("rules", "show", "slow")
    assert "evaluated 3 times in the last day, 1 failed" in out
    assert "took 8.0 ms on average, 12.0 ms at most" in out
    assert "found 3 instances, 1 waiting, 2 firing at" in out
    assert "HOUR" in out
    _, out, _ = await shell.run("rules", "show", "down")
    assert "It is not evaluated in rounds" in out
    _, out, _ = await shell.run("rules", "show", "down", "--json")
    assert json.loads(out)["health"] is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "nothing"), "There is no rule called nothing."),
        (("try", "nothing"), "There is no rule called nothing"),
        (("try", "x", "--over", "soon"), "--over"),
        (("try", "x", "--over", "91d"), "There is no rule called x"),
        (("test", "nothing"), "There is no rule called nothing"),
        (("try", "x", "--file", "gone.yaml"), "gone.yaml"),
    ],
)
async def test_what_cannot_be_is_said(
    dsn: str, database: Database, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    code, _, err = await Shell(tmp_path, dsn).run("rules", *words)
    assert code != 0
    assert why in err
