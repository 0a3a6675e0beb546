"""The configuration in force: what is good is applied while checks go on, what is bad changes nothing and is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.engines import FAILING, OK, Running, Stage, plan, running
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.loader import load
from watchfloor.engine.engine import Plan
from watchfloor.engine.share import Share
from watchfloor.store.database import Database
from watchfloor.store.services import Definition

pytestmark = pytest.mark.usefixtures("brisk")


def text(*names: str, more: str = "") -> str:
    entries = "".join(
        f"  - {{name: {name}, kind: fake, target: {name}, every: 1s, attempts: 1}}\n" for name in names
    )
    return f"node: {{name: one}}\n{more}services:{' []' if not names else ''}\n{entries}"


@dataclass
class House:
    """A config file and an engine that follows it."""

    path: Path
    stage: Stage
    database: Database
    run: Running

    def write(self, content: str) -> None:
        """Replace the file at once, as careful editors do."""
        new = self.path.with_suffix(".new")
        new.write_text(content)
        os.replace(new, self.path)

    async def names(self) -> list[str]:
        return await column(self.database, "SELECT name FROM services WHERE retired_at IS NULL ORDER BY name")

    async def problems(self) -> list[str]:
        found: list[str] = await one(self.database, "SELECT config->'problems' FROM nodes")
        return found

    async def until_names(self, *wanted: str) -> None:
        async def there() -> bool:
            return await self.names() == sorted(wanted)

        await until(there)

    async def until_problem(self, words: str) -> None:
        async def there() -> bool:
            return any(words in problem for problem in await self.problems())

        await until(there)

    async def until_good(self) -> None:
        async def good() -> bool:
            return await self.problems() == []

        await until(good)


def made_plan(path: Path, dsn: str, stage: Stage) -> Plan:
    configuration = load(path, stage.probes.models, stage.channels.models, os.environ).required()
    return plan(dsn, stage, configuration)


@pytest.fixture
async def house(tmp_path: Path, database: Database, dsn: str, stage: Stage) -> AsyncIterator[House]:
    path = tmp_path / "config.yaml"
    path.write_text(text("a", "b"))
    async with running(made_plan(path, dsn, stage)) as run:
        made = House(path, stage, database, run)
        await made.until_names("a", "b")
        await until(lambda: run.progress.stage == "running")
        yield made


async def test_the_file_in_force_is_known_with_its_path_and_moment(house: House) -> None:
    (config,) = await column(house.database, "SELECT config FROM nodes")
    assert config["path"] == str(house.path)
    assert config["problems"] == []
    assert config["loaded_at"]
    assert await column(house.database, "SELECT origin FROM services ORDER BY name") == [
        "config.yaml:3",
        "config.yaml:4",
    ]


async def test_a_changed_file_is_applied_while_checks_go_on(house: House) -> None:
    await until(lambda: house.stage.count("a"))
    house.write(text("a", "c"))
    await house.until_names("a", "c")
    await until(lambda: house.stage.count("c"))
    seen = house.stage.count("b")
    before = house.stage.count("a")
    await until(lambda: house.stage.count("a") >= before + 2)
    assert house.stage.count("b") <= seen + 1
    assert house.run.progress.stage == "running"


async def test_a_bad_file_changes_nothing_and_says_what_is_wrong(house: House) -> None:
    house.write(text("a", "b").replace("every: 1s", "every: soon"))
    await house.until_problem("config.yaml:3:")
    assert await house.names() == ["a", "b"]
    before = house.stage.count("a")
    await until(lambda: house.stage.count("a") > before)
    house.write(text("a", "b"))
    await house.until_good()


@pytest.mark.parametrize(
    "bad", ["", "\t", "services: [", "services: 5", "\x00", "services: {a: b}", "nonsense: 1"]
)
async def test_no_bad_file_brings_the_engine_down(house: House, bad: str) -> None:
    house.write(bad)
    await house.until_problem("config.yaml")
    house.write(text("c"))
    await house.until_names("c")


async def test_a_file_that_vanished_changes_nothing(house: House) -> None:
    house.path.unlink()
    await house.until_problem("does not exist")
    assert await house.names() == ["a", "b"]
    house.write(text("a"))
    await house.until_names("a")


async def test_a_file_is_read_again_when_asked_though_it_is_the_same(house: House) -> None:
    """What its references lead to may have changed."""
    before = await one(house.database, "SELECT config->>'loaded_at' FROM nodes")
    house.run.engine.reread_configuration()

    async def loaded_again() -> bool:
        return await one(house.database, "SELECT config->>'loaded_at' FROM nodes") != before

    await until(loaded_again)


async def test_a_secret_that_changed_reaches_the_checks(
    tmp_path: Path, database: Database, dsn: str, stage: Stage
) -> None:
    secret, path = tmp_path / "token", tmp_path / "config.yaml"
    secret.write_text("first")
    secret.chmod(0o600)
    path.write_text(text("a").replace("target: a", "target: a, token: '${file:token}'"))
    async with running(made_plan(path, dsn, stage)):
        await until(lambda: stage.count("a") and stage.calls["a"][-1].token == "first")
        secret.write_text("second")
        await until(lambda: stage.calls["a"][-1].token == "second")
    stored = await one(database, "SELECT settings->>'token' FROM services")
    assert stored == "${file:token}"


async def test_a_service_that_left_the_file_leaves_nothing_open(house: House) -> None:
    house.stage.finds["b"] = FAILING
    await until(lambda: _count(house.database, "alerts WHERE state = 'firing'", 1))
    house.write(text("a"))
    await house.until_names("a")
    assert await column(house.database, "SELECT state FROM alerts") == ["resolved"]
    assert await _count(house.database, "incidents WHERE closed_at IS NULL", 0)
    assert await _count(
        house.database, "state_spans JOIN services ON id = service_id WHERE name = 'b' AND ended IS NULL", 0
    )


async def test_a_service_that_comes_back_with_its_problem_is_told_of_anew(house: House) -> None:
    house.stage.finds["b"] = FAILING
    await until(lambda: _count(house.database, "alerts WHERE state = 'firing'", 1))
    house.write(text("a"))
    await house.until_names("a")
    house.write(text("a", "b"))
    await until(lambda: _count(house.database, "alerts WHERE state = 'firing'", 1))
    assert await column(
        house.database, "SELECT DISTINCT service_id = (SELECT id FROM services WHERE name = 'b') FROM alerts"
    ) == [True]


async def _count(database: Database, what: str, wanted: int) -> bool:
    return await one(database, f"SELECT count(*) FROM {what}") == wanted


async def test_a_change_while_the_database_is_away_is_applied_when_it_is_back(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchfloor.engine import steward as module

    apply, fails = module.apply_definitions, 3

    async def sometimes(*everything: object, **more: object) -> object:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise OSError("connection refused")
        return await apply(*everything, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "apply_definitions", sometimes)
    house.write(text("a", "z"))
    await house.until_names("a", "z")


async def test_a_change_between_reading_the_file_and_running_is_not_missed(
    tmp_path: Path, database: Database, dsn: str, stage: Stage
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text("a"))
    early = made_plan(path, dsn, stage)
    path.write_text(text("b"))
    async with running(early):
        await until(lambda: stage.count("b"))
    assert await column(database, "SELECT name FROM services WHERE retired_at IS NULL") == ["b"]


async def _ran_once(path: Path, dsn: str, *targets: str) -> None:
    """A node that checked these and ended."""
    stage = Stage()
    async with running(made_plan(path, dsn, stage)):
        await until(lambda: all(stage.count(target) for target in targets))


@pytest.fixture
async def in_force(tmp_path: Path, database: Database, dsn: str) -> Path:
    """A config file that a node had in force, which ended."""
    path = tmp_path / "config.yaml"
    path.write_text(text("a"))
    await _ran_once(path, dsn, "a")
    return path


async def _rename(database: Database) -> None:
    """Behind the back of the file its service checks something else now."""
    other = "name = 'b', settings = jsonb_build_object('target', 'b')"
    await _change(database, f"UPDATE services SET {other}, version = version + 1 WHERE name = 'a'")


async def test_a_start_with_the_file_that_was_in_force_checks_at_once_and_applies_it_beside(
    in_force: Path, database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchfloor.engine import steward as module

    apply, checked = module.apply_definitions, asyncio.Event()

    async def later(*everything: object, **more: object) -> object:
        await checked.wait()
        return await apply(*everything, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "apply_definitions", later)
    await _rename(database)
    stage = Stage()
    async with running(made_plan(in_force, dsn, stage)):
        await until(lambda: stage.count("b"))  # what is in the database, whoever put it there
        assert not stage.count("a")
        checked.set()
        await until(lambda: stage.count("a"))  # what the file says
    assert await column(database, "SELECT name FROM services WHERE retired_at IS NULL") == ["a"]


async def test_a_start_with_a_file_that_changed_meanwhile_checks_nothing_of_the_old_one(
    tmp_path: Path, database: Database, dsn: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text("a", "b"))
    await _ran_once(path, dsn, "a", "b")
    path.write_text(text("b", "c"))
    stage = Stage()
    async with running(made_plan(path, dsn, stage)):
        await until(lambda: stage.count("b") and stage.count("c"))
    assert not stage.count("a")


async def test_another_file_with_the_same_words_is_applied_first(
    in_force: Path, database: Database, dsn: str
) -> None:
    other = in_force.with_name("other.yaml")
    other.write_text(in_force.read_text())
    await _rename(database)
    stage = Stage()
    async with running(made_plan(other, dsn, stage)):
        await until(lambda: stage.count("a"))
    assert not stage.count("b")


async def test_waiting_for_another_node_that_applies_its_file_is_no_fault(
    in_force: Path, database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchfloor.engine import supervisor
    from watchfloor.store.services import lock_definitions

    monkeypatch.setattr(supervisor, "TOLERANCE_S", 0.5)
    stage = Stage()
    loaded_at = "SELECT config->>'loaded_at' FROM nodes"
    before = await one(database, loaded_at)
    async with running(made_plan(in_force, dsn, stage)) as run:
        async with database.transaction() as connection:
            await lock_definitions(connection)
            await until(lambda: stage.count("a") >= 3)  # a check a second
            [steward] = [each for each in run.progress.components if each.component == "steward"]
            assert (steward.state, steward.restarts) == ("running", 0)
            assert await one(database, loaded_at) == before

        async def applied() -> bool:
            return bool(await one(database, loaded_at) != before)

        await until(applied)


async def test_a_file_that_is_corrected_while_it_cannot_be_applied_is_read(
    in_force: Path, database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchfloor.engine import steward as module

    apply = module.apply_definitions

    async def only_two(connection: object, wanted: Iterable[Definition], **more: object) -> object:
        found = list(wanted)
        if len(found) < 2:
            raise ZeroDivisionError
        return await apply(connection, found, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "apply_definitions", only_two)
    stage = Stage()
    async with running(made_plan(in_force, dsn, stage)):
        await until(lambda: stage.count("a"))
        in_force.write_text(text("a", "b"))
        await until(lambda: stage.count("b"))


async def test_what_could_not_be_applied_beside_the_first_checks_is_tried_again(
    tmp_path: Path, database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchfloor.engine import steward as module

    path = tmp_path / "config.yaml"
    path.write_text(text("a", "b"))
    await _ran_once(path, dsn, "a", "b")
    await _change(database, "UPDATE services SET retired_at = now(), version = version + 1 WHERE name = 'b'")
    apply, fails = module.apply_definitions, 2

    async def sometimes(*everything: object, **more: object) -> object:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise ZeroDivisionError if fails else OSError("connection refused")
        return await apply(*everything, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "apply_definitions", sometimes)
    stage = Stage()
    async with running(made_plan(path, dsn, stage)):
        await until(lambda: stage.count("b"))
    assert fails < 0


async def _change(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)


async def test_rules_and_channels_follow_the_file(house: House) -> None:
    more = (
        "channels: [{name: ops, kind: fake}]\n"
        "rules: [{name: quiet, when: {services: [a]}, severity: info, channels: [ops]}]\n"
    )
    house.write(text("a", "b", more=more))
    await until(lambda: _count(house.database, "rules WHERE owner = 'file' AND retired_at IS NULL", 1))
    house.stage.finds.update({"a": FAILING, "b": FAILING})
    await until(lambda: len(house.stage.sent) == 2)
    severities = dict(await rows(house.database, "SELECT title, severity FROM alerts"))
    assert severities == {"a is failing": 0, "b is failing": 2}
    house.write(text("a", "b"))
    await until(lambda: _count(house.database, "rules WHERE owner = 'file' AND retired_at IS NULL", 0))
    house.stage.finds.update({"a": OK})
    await until(
        lambda: len(house.stage.sent) == 3 or _count(house.database, "alerts WHERE state = 'resolved'", 1)
    )


async def test_an_applied_change_is_audited(house: House) -> None:
    house.write(text("a", "c"))
    await house.until_names("a", "c")
    found = await rows(
        house.database, "SELECT actor, action, object_id, after FROM audit ORDER BY id DESC LIMIT 1"
    )
    (b_id,) = await column(house.database, "SELECT id FROM services WHERE name = 'b'")
    assert found == [("watchfloor", "apply", str(house.path), {"changed": ["c"], "retired": [b_id]})]


async def test_a_reload_prepares_only_what_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchfloor.engine import share as module

    async def checked() -> bool:
        known = "SELECT count(*) FROM service_state WHERE last_started IS NOT NULL"
        return bool(await one(house.database, known) == 2)

    await until(checked)  # it has its share by then
    prepared: list[str] = []
    watch_of = module.watch_of

    def note(service: object, *rest: object) -> object:
        prepared.append(service.name)  # type: ignore[attr-defined]
        return watch_of(service, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "watch_of", note)
    reloads = 0
    reload = Share._reload

    async def count(self: Share, anew: bool) -> None:
        nonlocal reloads
        await reload(self, anew)
        reloads += 1

    monkeypatch.setattr(Share, "_reload", count)
    async with house.database.transaction() as connection:
        await connection.execute(
            "UPDATE services SET version = version + 1, every_ms = 2000 WHERE name = 'b'"
        )
        await connection.execute("SELECT pg_notify('watchfloor_pulse', 'services')")
    await until(lambda: reloads)
    assert prepared == ["b"]
