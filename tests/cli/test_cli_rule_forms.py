"""Rules at the desk: their forms from the database, and what one that is being written would have done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from support.databases import _drop_templates, database, dsn, server
from support.make import EPOCH, make_rules, rule
from support.sql import one, rows
from watchfloor.cli.channel_words import how_it_reads, notices
from watchfloor.cli.desk import Desk
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid
from watchfloor.store.database import Database
from watchfloor.store.rules import ChannelDefinition, apply_channels

__all__ = ["_drop_templates", "database", "dsn", "server"]
WEEK = timedelta(days=7)
MANY = 10_000


@pytest.fixture
def desk(database: Database) -> Desk:
    async def connect() -> Database:
        return database

    return Desk(connect, lambda: "", Actor("ann"))


async def make_many(database: Database) -> None:
    """Ten thousand services, each of which failed for an hour three days ago."""
    await rows(
        database,
        "WITH made AS (INSERT INTO services (uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, "
        "max_attempts, recover_attempts, group_name, tags, description, runbook, depends_on, owner, origin, paused, "
        "paused_by_file) SELECT gen_random_uuid(), 'web-' || n, 'http', '{}', 30000, 30000, 10000, 3, 1, '', '{}', '', "
        "'', '{}', 'file', '', false, false FROM generate_series(1, %(many)s) n RETURNING id), "
        "down AS (INSERT INTO state_spans (service_id, began, ended, state) SELECT id, now() - interval '3 d', "
        "now() - interval '71 h', 'down' FROM made RETURNING service_id) SELECT count(*) FROM down",
        many=MANY,
    )


async def test_a_rule_goes_from_its_form_to_the_database_and_back(database: Database, desk: Desk) -> None:
    await make_rules(database, rule("of the file", written={"name": "of the file"}))
    form = await desk.form("rule", "", "metric")
    assert form is not None
    assert [field.name for field in form.fields][:4] == ["name", "kind", "metric", "every"]
    values = {"name": "slow", "kind": "metric", "metric": "latency", "fire": "10, 20", "operator": "between"}
    assert (await desk.judge("rule", values))[0] == ()
    assert await desk.save_form("rule", values) == "slow"
    saved = await desk.form("rule", "slow", "")
    assert saved is not None
    assert (saved.values, saved.version, saved.readonly) == (values, 1, "")
    filed = await desk.form("rule", "of the file", "")
    assert filed is not None
    assert "config.yaml:9" in filed.readonly
    assert await desk.form("rule", "a rule is out of order", "") is None
    _, notes = await desk.judge("rule", {**values, "name": "slower"}, "slow")
    assert "rule = slow" in notes[0]
    await desk.delete_thing("rule", "slow")
    assert await desk.form("rule", "slow", "") is None


async def test_a_rule_about_ten_thousand_services_is_tried_while_the_console_goes_on(
    database: Database, desk: Desk
) -> None:
    await make_many(database)
    looking = asyncio.ensure_future(desk.preview_rule({"when": {"services": ["web-*"]}}, WEEK))
    turns = 0
    while not looking.done():
        await asyncio.sleep(0)
        turns += 1
    found = await looking
    assert (len(found.fired), found.instances + found.left_out) == (found.instances, MANY)
    assert turns > 100, "the loop turned while the rule was tried"


async def test_a_rule_that_is_half_written_is_refused_and_one_that_nobody_waits_for_ends(
    database: Database, desk: Desk
) -> None:
    with pytest.raises(Invalid, match="metric"):
        await desk.preview_rule({"kind": "metric", "fire": 1}, WEEK)
    looking = asyncio.ensure_future(desk.preview_rule({}, WEEK))
    await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert looking.cancelled()
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%rehearsal%' AND state = 'active'"
    )
    while await one(database, busy):
        await asyncio.sleep(0.01)


async def test_messages_of_a_channel_are_shown_as_they_are_stored(database: Database, desk: Desk) -> None:
    settings = {"templates": {"every": {"title": "{{ mark }}: {{ title }}"}}}
    async with database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("ops", "slack", settings, True, "")])
    said = await desk.channel_words("ops")
    assert said[0].title == "CRITICAL: website is failing"
    assert [each.kind for each in said][-2:] == ["group, firing", "test"]
    with pytest.raises(Refused, match="no channel called nowhere"):
        await desk.channel_words("nowhere")
    assert await desk.set_channel_enabled("ops", False) == 0
    assert [each.enabled for each in await desk.channels()] == [False]


def test_the_body_of_a_program_is_shown_without_what_sending_adds() -> None:
    settings = {"url": "${SECRET_URL}", "payload": '{"t": {{ title|tojson }}}'}
    (first, *_) = how_it_reads("webhook", settings, notices(None, EPOCH))
    assert (first.kind, first.body) == ("firing", '{"t": "website is failing"}')
