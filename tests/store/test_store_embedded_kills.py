"""kill -9 of anything that belongs to the embedded server: the next start needs no manual step and no row is lost."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from embedded_users import User, kill, until, until_stopped

from watchfloor.store.embedded import Embedded, keeper, postmaster, status
from watchfloor.store.embedded.place import Place


@pytest.fixture
def server(server_dir: Path) -> Iterator[Embedded]:
    """A running server with one committed row in table t."""
    with Embedded.start(server_dir) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE t AS SELECT 42 AS x")
        yield server


def committed(server: Embedded) -> object:
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute("SELECT x FROM t").fetchone()
        assert row is not None
        return row[0]


def answers(server: Embedded) -> bool:
    try:
        return committed(server) == 42
    except psycopg.OperationalError:
        return False


def test_killed_user(server_dir: Path) -> None:
    with User(server_dir) as user:
        user.ready().tell("sql CREATE TABLE t AS SELECT 42 AS x")
        user.kill()
        until_stopped(server_dir)
    with Embedded.start(server_dir) as server:
        assert committed(server) == 42


def test_killed_keeper_is_replaced_by_one_that_adopts_the_server(server: Embedded) -> None:
    before = status(server.data_dir)
    kill(before.keeper_pid)
    until(lambda: status(server.data_dir).keeper_pid is None)
    assert committed(server) == 42
    server.ensure()
    after = status(server.data_dir)
    assert after.pid == before.pid
    assert after.keeper_pid not in (None, before.keeper_pid)
    server.stop(wait=True)
    assert status(server.data_dir).state == "stopped"
    assert postmaster.find(str(server.data_dir / "postgres")) is None


def test_the_last_one_out_stops_the_server_even_if_the_keeper_was_killed(server: Embedded) -> None:
    kill(status(server.data_dir).keeper_pid)
    until(lambda: status(server.data_dir).keeper_pid is None)
    server.stop(wait=True)
    assert status(server.data_dir).state == "stopped"


def test_killed_postmaster_is_started_again(server: Embedded) -> None:
    before = status(server.data_dir)
    kill(before.pid)
    until(lambda: answers(server))
    after = status(server.data_dir)
    assert after.pid != before.pid
    assert after.keeper_pid == before.keeper_pid


def test_killed_postmaster_of_an_adopted_server_is_started_again(server: Embedded) -> None:
    kill(status(server.data_dir).keeper_pid)
    until(lambda: status(server.data_dir).keeper_pid is None)
    server.ensure()
    before = status(server.data_dir)
    kill(before.pid)
    until(lambda: answers(server))
    assert status(server.data_dir).pid != before.pid


def test_a_busy_backend_does_not_outlive_its_postmaster(server: Embedded) -> None:
    """Left alone, it would work on for hours and keep the next server from starting."""
    connection = psycopg.connect(server.dsn, autocommit=True)
    backend = connection.info.backend_pid
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000) AS g")
    connection.pgconn.flush()
    with psycopg.connect(server.dsn) as other:
        query = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        until(lambda: other.execute(query, [backend]).fetchone() == ("active",))
    kill(status(server.data_dir).pid)
    until(lambda: answers(server))
    assert not postmaster.exists(backend)
    connection.close()


def test_keeper_and_postmaster_killed_under_a_living_user(server: Embedded) -> None:
    before = status(server.data_dir)
    kill(before.keeper_pid)
    kill(before.pid)
    until(lambda: status(server.data_dir).state == "stopped")
    server.ensure()
    until(lambda: answers(server))


def test_everything_killed_at_once(server_dir: Path) -> None:
    with User(server_dir) as user:
        user.ready().tell("sql CREATE TABLE t AS SELECT 42 AS x")
        before = status(server_dir)
        kill(before.keeper_pid)
        kill(before.pid)
        user.kill()
    with Embedded.start(server_dir) as server:
        assert committed(server) == 42


def test_a_crash_is_recovered_within_five_seconds(server: Embedded) -> None:
    before = status(server.data_dir)
    started = time.monotonic()
    kill(before.pid)
    until(lambda: answers(server))
    assert time.monotonic() - started < 5


def test_the_last_user_may_leave_while_the_server_recovers_from_a_killed_backend(server_dir: Path) -> None:
    """PostgreSQL 18 gives the recovery up, and then waits for ever for a checkpointer that it told nothing."""
    with Embedded.start(server_dir) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE t AS SELECT 42 AS x")
        backend = psycopg.connect(server.dsn)
        log = server_dir / "server.log"
        kill(backend.info.backend_pid)
        until(lambda: "reinitializing" in log.read_text())
    until(lambda: status(server_dir).state == "stopped", 30)
    backend.close()
    with Embedded.start(server_dir) as server:
        assert committed(server) == 42


def test_a_recovery_that_is_killed_as_well_is_begun_again(server: Embedded) -> None:
    """PostgreSQL 18 would wait for its end for ever."""
    until(lambda: answers(server) and recovery_was_killed(server))
    until(lambda: answers(server))


def test_a_recovery_that_is_killed_while_no_keeper_looks_is_begun_again(server: Embedded) -> None:
    """A keeper that adopts the server never saw it ready."""

    def unseen() -> bool:
        kill(status(server.data_dir).keeper_pid)
        until(lambda: status(server.data_dir).keeper_pid is None)
        done = recovery_was_killed(server)
        server.ensure()
        return done

    until(lambda: answers(server) and unseen())
    until(lambda: answers(server))


def test_nobody_reads_through_a_process_that_may_be_killed(server: Embedded) -> None:
    """PostgreSQL 18 does not notice when an I/O worker dies in a recovery: who reads next would wait for ever."""
    place = Place.at(server.data_dir)
    titles = [postmaster._command_line(pid)[0] for pid in postmaster.children(str(place.cluster), place.name)]
    assert any(b"checkpointer" in title for title in titles)
    assert not [title for title in titles if b"io worker" in title]


def recovery_was_killed(server: Embedded) -> bool:
    """Have a backend killed, and the recovery from that as well; false when that was over before it was seen."""
    place = Place.at(server.data_dir)
    backend = psycopg.connect(server.dsn)
    kill(backend.info.backend_pid)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        found = postmaster.children(str(place.cluster), place.name)
        for pid in (pid for pid in found if b": startup" in postmaster._command_line(pid)[0]):
            with suppress(ProcessLookupError):
                kill(pid)
                return True
    return False


@contextmanager
def crashed(server_dir: Path) -> Iterator[tuple[Path, int]]:
    """A cluster whose server and keeper were killed: its lock file, and the account the server ran as."""
    with User(server_dir) as user:
        user.ready().tell("sql CREATE TABLE t AS SELECT 42 AS x")
        seen = status(server_dir)
        kill(seen.keeper_pid)
        kill(seen.pid)
        user.kill()
    cluster = server_dir / "postgres"
    until(lambda: postmaster.find(str(cluster)) is None)
    yield cluster / "postmaster.pid", cluster.stat().st_uid


def rewrite_pid(path: Path, pid: int) -> None:
    lines = path.read_text().split("\n")
    path.write_text("\n".join([str(pid), *lines[1:]]))


def test_a_lock_file_that_names_somebody_else(server_dir: Path) -> None:
    with crashed(server_dir) as (lock_file, uid):
        stranger = subprocess.Popen(["sleep", "600"], user=uid if os.geteuid() == 0 else None)
        try:
            rewrite_pid(lock_file, stranger.pid)
            for path in (server_dir / "socket").glob(".s.PGSQL.5432.lock"):
                rewrite_pid(path, stranger.pid)
            with Embedded.start(server_dir) as server:
                assert committed(server) == 42
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


def test_a_lock_file_that_names_a_zombie(server_dir: Path) -> None:
    with crashed(server_dir) as (lock_file, uid):
        zombie = subprocess.Popen(["true"], user=uid if os.geteuid() == 0 else None)
        until(lambda: "(true) Z" in Path(f"/proc/{zombie.pid}/stat").read_text())
        rewrite_pid(lock_file, zombie.pid)
        with Embedded.start(server_dir) as server:
            assert committed(server) == 42
        zombie.wait()


@pytest.mark.parametrize("content", ["", "\n", "rubbish\n", "-1\n", "99999999999999999999\n"])
def test_a_damaged_lock_file(server_dir: Path, content: str) -> None:
    with crashed(server_dir) as (lock_file, _):
        lock_file.write_text(content)
        with Embedded.start(server_dir) as server:
            assert committed(server) == 42


def test_a_lost_lock_file_of_a_living_server(server: Embedded) -> None:
    """The postmaster ends by itself when it misses its file; nobody starts a second one meanwhile."""
    before = status(server.data_dir)
    (server.data_dir / "postgres" / "postmaster.pid").unlink()
    kill(before.keeper_pid)
    until(lambda: status(server.data_dir).keeper_pid is None)
    server.ensure()
    cluster = str(server.data_dir / "postgres")
    until(lambda: keeper.report(str(server.data_dir / "keeper.lock"))[2] > 0)
    assert postmaster.find(cluster) == before.pid
    os.kill(before.pid or 0, 15)  # what it would do on its own within a minute
    until(lambda: answers(server))
    assert postmaster.find(cluster) != before.pid


@pytest.mark.chaos
def test_random_kills_lose_no_acknowledged_row(server_dir: Path) -> None:
    """A writer goes on writing while everything around it, and at times itself, is killed."""
    random_source = random.Random(7)
    acknowledged: list[int] = []
    number = 0
    with Embedded.start(server_dir) as observer, psycopg.connect(observer.dsn) as connection:
        connection.execute("CREATE TABLE written (x int PRIMARY KEY)")
    for _ in range(12):
        with User(server_dir) as writer:
            writer.ready()
            for victim in random_source.sample(["keeper", "postmaster", "both"], 2):
                for _ in range(random_source.randrange(1, 30)):
                    number += 1
                    if writer.try_to(f"sql INSERT INTO written VALUES ({number})").startswith("ok"):
                        acknowledged.append(number)
                seen = status(server_dir)
                for name, pid in (("keeper", seen.keeper_pid), ("postmaster", seen.pid)):
                    if victim in (name, "both") and pid is not None:
                        with suppress(ProcessLookupError):  # it went with the one killed before
                            kill(pid)
                if random_source.random() < 0.7:
                    until(
                        lambda: writer.tell("ensure") == "" and writer.try_to("sql SELECT 1").startswith("ok")
                    )
    with Embedded.start(server_dir) as server, psycopg.connect(server.dsn) as connection:
        found = {row[0] for row in connection.execute("SELECT x FROM written")}
    assert len(acknowledged) > 50
    assert set(acknowledged) <= found
