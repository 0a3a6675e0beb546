"""A database that is not there, stands still, is restarted, only read or full: the engine waits and loses nothing.

In each of these the node is never touched. It must go on checking, say what is wrong with its remedy, and be as
before by itself when the trouble is over, with every result of the time between.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaos_ledger import Ledger, Promise, look
from chaos_node import ChaosNode, address, come_about
from chaos_outside import Outside

from watchfloor.domain.alert import EventKind
from watchfloor.operations.actor import Actor
from watchfloor.operations.alerts import acknowledge
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded, postmaster, status
from watchfloor.store.embedded.place import Place

SERVICES = [f"service-{number:02}" for number in range(20)]
BROKEN = SERVICES[0]
FROZEN_S = 12.0
"""Longer than a component may be silent before it counts as stuck."""

pytestmark = pytest.mark.chaos


def _config(outside: Outside) -> str:
    services = "".join(f"  - {{name: {name}, kind: http, url: '{outside.url(name)}'}}\n" for name in SERVICES)
    return f"node: {{name: chaos}}\ndefaults: {{every: 1s, attempts: 1}}\nservices:\n{services}"


@contextmanager
def _running(ground: Path, outside: Outside, **environ: str) -> Iterator[ChaosNode]:
    node = ChaosNode(ground, _config(outside), environ)
    node.start()
    try:
        yield node
    finally:
        node.end()


async def _checks_go_on(node: ChaosNode, outside: Outside, rounds: int = 3) -> None:
    before = outside.answered.copy()
    await come_about(
        lambda: all(outside.answered[name] >= before[name] + rounds for name in SERVICES),
        "checks go on",
        node,
    )


async def _alerted(node: ChaosNode, outside: Outside) -> Promise:
    """Break one service, wait for its alert, acknowledge it."""
    outside.fail(BROKEN)
    database = Database(address(node.data_dir), name="chaos", size=1)
    try:
        found: list[int] = []
        while not found:
            found = [a.id for a in (await look(database)).alerts.values() if a.service == BROKEN and a.open]
            assert node.alive, node.obituary()
        await acknowledge(database, Actor("operator"), found, "on it", timedelta(hours=1))
    finally:
        await database.close()
    return Promise(found[0], EventKind.ACKNOWLEDGED, "operator", "on it")


async def _assert_nothing_is_lost(node: ChaosNode, outside: Outside, promise: Promise | None = None) -> None:
    """Stop the node; every answered check is stored, once, and what was promised holds."""
    assert node.stop() == 0
    with Embedded.start(node.data_dir) as server:
        database = Database(server.dsn, name="chaos", size=1)
        Ledger([promise] if promise else []).compare(await look(database), 1)
        await database.close()
        with psycopg.connect(server.dsn) as connection:
            stored = connection.execute(
                "SELECT s.name, count(*) FROM check_results r JOIN services s ON s.id = r.service_id GROUP BY 1"
            ).fetchall()
    assert dict(stored) == outside.answered


def _administrate(data_dir: Path, *statements: str) -> None:
    superuser: psycopg.Connection[Any] = psycopg.connect(
        address(data_dir, "postgres"), autocommit=True, options="-c default_transaction_read_only=off"
    )
    with superuser:
        for statement in statements:
            superuser.execute(statement)


async def test_a_database_that_is_down_at_start_is_waited_for(server_dir: Path) -> None:
    elsewhere = server_dir / "elsewhere"
    server = Embedded.start(elsewhere)
    named = server.dsn
    server.stop(wait=True)
    with Outside() as outside, _running(server_dir, outside, WATCHFLOOR_DATABASE=named) as node:
        await come_about(lambda: "the database is away" in node.said(), "it says what it waits for", node)
        with Embedded.start(elsewhere):
            await come_about(lambda: "is running" in node.said(), "it starts by itself", node)
            await _checks_go_on(node, outside)
            assert node.stop() == 0
            with psycopg.connect(named) as connection:
                stored = connection.execute("SELECT count(*) FROM check_results").fetchone()
    assert stored == (outside.answered.total(),)


async def test_a_database_that_stands_still_costs_no_result(server_dir: Path) -> None:
    with Outside() as outside, _running(server_dir, outside) as node:
        await _checks_go_on(node, outside)
        promise = await _alerted(node, outside)
        with _frozen(node.data_dir):
            before = outside.answered.total()
            thaw_at = time.monotonic() + FROZEN_S
            await come_about(lambda: time.monotonic() > thaw_at, "the end of the frost", node)
            during = outside.answered.total() - before
        assert during >= (FROZEN_S - 2) * len(SERVICES)
        await _checks_go_on(node, outside)
        await come_about(lambda: _all_running(node), "every component runs again", node)
        assert "no sign of life" not in node.said()  # who waits for the database is not at fault
        assert _faults(node) == []
        await _assert_nothing_is_lost(node, outside, promise)


def _faults(node: ChaosNode) -> list[tuple[str]]:
    """The alerts about components."""
    with psycopg.connect(address(node.data_dir)) as connection:
        return connection.execute("SELECT title FROM alerts WHERE title LIKE '% of node %'").fetchall()


@contextmanager
def _frozen(data_dir: Path) -> Iterator[None]:
    """Every process of the server stopped, as on a machine whose disk does not answer."""
    place = Place.at(data_dir)
    server = status(data_dir).pid
    assert server is not None
    pids = [server, *postmaster.children(str(place.cluster), place.name)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _all_running(node: ChaosNode) -> bool:
    with psycopg.connect(address(node.data_dir)) as connection:
        row = connection.execute("SELECT count(*) FROM component_health WHERE state <> 'running'").fetchone()
        return row == (0,)


async def test_a_database_that_is_restarted_costs_no_result(server_dir: Path) -> None:
    with Outside() as outside, _running(server_dir, outside) as node:
        await _checks_go_on(node, outside)
        promise = await _alerted(node, outside)
        for number in (signal.SIGINT, signal.SIGQUIT):
            server = status(node.data_dir).pid
            assert server is not None
            os.kill(server, number)
            await come_about(partial(_replaced, node, server), "a new server", node)
            await _checks_go_on(node, outside)
        await come_about(lambda: _all_running(node), "every component runs again", node)
        await _assert_nothing_is_lost(node, outside, promise)


def _replaced(node: ChaosNode, server: int) -> bool:
    return status(node.data_dir).pid not in (None, server)


async def test_a_database_that_is_only_read_is_named_and_costs_no_result(server_dir: Path) -> None:
    with Outside() as outside, _running(server_dir, outside) as node:
        await _checks_go_on(node, outside)
        promise = await _alerted(node, outside)
        _administrate(
            node.data_dir, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
        )
        await come_about(lambda: "the database is read-only" in node.said(), "it says what is wrong", node)
        await _checks_go_on(node, outside)
        _administrate(
            node.data_dir, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"
        )
        await come_about(lambda: _all_running(node), "every component runs again", node)
        await _checks_go_on(node, outside)
        await _assert_nothing_is_lost(node, outside, promise)


async def test_a_full_disk_is_named_and_costs_no_result(server_dir: Path) -> None:
    with _small_disk(server_dir / "disk") as disk, Outside() as outside, _running(disk, outside) as node:
        await _checks_go_on(node, outside)
        promise = await _alerted(node, outside)
        ballast = disk / "ballast"
        _fill(disk, ballast)
        await come_about(lambda: "disk of the database is full" in node.said(), "it says what is wrong", node)
        await _checks_go_on(node, outside)
        ballast.unlink()
        await come_about(lambda: _all_running(node), "every component runs again", node)
        await _checks_go_on(node, outside)
        await _assert_nothing_is_lost(node, outside, promise)


async def test_a_disk_too_full_for_the_write_ahead_log_is_survived(server_dir: Path) -> None:
    """PostgreSQL itself gives up then and comes back only when there is room again."""
    with _small_disk(server_dir / "disk") as disk, Outside() as outside, _running(disk, outside) as node:
        await _checks_go_on(node, outside)
        promise = await _alerted(node, outside)
        ballast = disk / "ballast"
        _fill(disk, ballast)
        server = status(node.data_dir).pid
        await come_about(lambda: _write_ahead(node.data_dir), "the server gives up", node)
        await come_about(lambda: status(node.data_dir).pid != server, "the server is gone", node)
        await _checks_go_on(node, outside)
        ballast.unlink()
        await come_about(lambda: _answers(node), "the server is back", node)
        await come_about(lambda: _all_running(node), "every component runs again", node)
        await _checks_go_on(node, outside)
        await _assert_nothing_is_lost(node, outside, promise)


@contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    place.mkdir(mode=0o711)
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=320m,mode=0711", "watchfloor-test", str(place)],
        check=False,
        capture_output=True,
    ).returncode == 0  # fmt: skip
    if not mounted:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(disk: Path, ballast: Path) -> None:
    """Take all the room there is, of which the server may take some while it is counted."""
    with open(ballast, "wb") as file:
        while room := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize:
            try:
                os.posix_fallocate(file.fileno(), 0, room)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return


def _write_ahead(data_dir: Path) -> bool:
    """Write log until the server has no room for more; True when it broke."""
    try:
        _administrate(data_dir, *["SELECT pg_logical_emit_message(false, 'x', repeat('x', 4000000))"] * 10)
    except psycopg.Error:
        return True
    return False


def _answers(node: ChaosNode) -> bool:
    try:
        with psycopg.connect(address(node.data_dir)):
            return True
    except psycopg.OperationalError:
        return False
