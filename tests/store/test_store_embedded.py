"""The embedded server in ordinary life: made, shared, stopped by the last one out."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest
from embedded_users import User, until, until_stopped

from watchfloor.store.embedded import Binaries, Embedded, EmbeddedError, keeper, serverlog, status


def one(server: Embedded, query: str) -> object:
    """The first value of the first row that a query yields."""
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_data_survives_a_stop_and_a_start(server_dir: Path) -> None:
    with Embedded.start(server_dir) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    assert status(server_dir).state == "stopped"
    with Embedded.start(server_dir) as server:
        assert one(server, "SELECT x FROM t") == 42


def test_the_server_is_private_safe_and_small(server_dir: Path) -> None:
    settings = (
        "listen_addresses unix_socket_permissions data_checksums fsync synchronous_commit full_page_writes "
        "max_locks_per_transaction server_encoding TimeZone"
    )
    with Embedded.start(server_dir) as own:  # that of the session waits for no disk
        assert [one(own, f"SHOW {name}") for name in settings.split()] == (
            ["", "0700", "on", "on", "on", "on", "128", "UTF8", "UTC"]
        )
        assert one(own, "SELECT lower('ÄÖÉ')") == "äöé"
        assert one(own, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_files_are_private(embedded: Embedded) -> None:
    place = embedded.data_dir
    mode = {name: stat.S_IMODE((place / name).stat().st_mode) for name in ("postgres", "socket", "password")}
    assert mode == {"postgres": 0o700, "socket": 0o700, "password": 0o600}
    assert not stat.S_IMODE(place.stat().st_mode) & 0o066


def test_the_password_shows_nowhere(embedded: Embedded) -> None:
    password = (embedded.data_dir / "password").read_text().strip()
    assert password in embedded.dsn
    assert (
        password not in embedded.dsn_shown + repr(embedded) + (embedded.data_dir / "server.log").read_text()
    )
    command_lines = [
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)
    ]
    assert not any(password.encode() in line for line in command_lines)


def test_a_wrong_password_is_refused(embedded: Embedded) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(embedded.dsn.replace((embedded.data_dir / "password").read_text().strip(), "wrong"))


def test_two_processes_share_a_server_and_the_last_one_out_stops_it(server_dir: Path) -> None:
    with User(server_dir) as first, User(server_dir) as second:
        first.ready()
        second.ready()
        assert status(server_dir).users == 2
        first.tell("sql CREATE TABLE t AS SELECT 42 AS x")
        first.tell("stop")
        assert status(server_dir).running
        assert second.tell("sql SELECT x FROM t") == "42"
        second.tell("stop")
        assert status(server_dir).state == "stopped"


def test_two_handles_in_one_process_count_separately(server_dir: Path) -> None:
    first, second = Embedded.start(server_dir), Embedded.start(server_dir)
    first.stop(wait=True)
    assert one(second, "SELECT 1") == 1
    second.stop(wait=True)
    assert status(server_dir).state == "stopped"


def test_a_user_that_just_ends_lets_go(server_dir: Path) -> None:
    with User(server_dir) as user:
        user.ready()
        assert user.process.stdin is not None
        user.process.stdin.close()
        until_stopped(server_dir)


@pytest.mark.parametrize("way", ["fork", "exec"])
def test_a_child_left_behind_does_not_hold_the_server(server_dir: Path, way: str) -> None:
    with User(server_dir) as user:
        child = int(user.ready().tell(way))
        try:
            user.kill()
            until_stopped(server_dir)
            os.kill(child, 0)  # it is alive all the same
        finally:
            os.kill(child, signal.SIGKILL)


def test_stop_twice_is_harmless_and_ensure_after_it_is_refused(server_dir: Path) -> None:
    server = Embedded.start(server_dir)
    server.ensure()
    server.stop(wait=True)
    server.stop(wait=True)
    with pytest.raises(EmbeddedError, match="does not use the database"):
        server.ensure()


def test_status_looks_and_changes_nothing(server_dir: Path) -> None:
    seen = status(server_dir)
    assert (seen.state, seen.running, seen.pid, seen.users, seen.version, seen.size) == (
        "absent",
        False,
        None,
        0,
        None,
        0,
    )
    assert list(server_dir.iterdir()) == []
    with Embedded.start(server_dir) as server:
        seen = status(server_dir)
        assert (seen.state, seen.running, seen.users, seen.version) == ("running", True, 1, "18")
        assert seen.pid is not None
        assert seen.keeper_pid is not None
        assert seen.size > 20_000_000
        assert seen.socket is not None
        assert stat.S_ISSOCK(seen.socket.stat().st_mode)
        assert server.version.startswith("18.")
    seen = status(server_dir)
    assert (seen.state, seen.pid, seen.keeper_pid, seen.users, seen.version) == (
        "stopped",
        None,
        None,
        0,
        "18",
    )


def test_the_keeper_is_detached_and_loads_nothing_of_the_product(embedded: Embedded) -> None:
    keeper_pid = status(embedded.data_dir).keeper_pid
    assert keeper_pid is not None
    assert os.getsid(keeper_pid) != os.getsid(0)
    open_files = [os.readlink(f"/proc/{keeper_pid}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper_pid}/fd")]
    assert not [name for name in open_files if name.startswith(("/dev/pts", "/dev/tty"))]
    mapped = Path(f"/proc/{keeper_pid}/maps").read_text()
    assert "site-packages" not in mapped
    assert os.readlink(f"/proc/{keeper_pid}/cwd") == "/"


def test_the_keeper_ignores_the_signals_of_a_terminal(server_dir: Path) -> None:
    with Embedded.start(server_dir) as server:
        keeper_pid = status(server_dir).keeper_pid
        assert keeper_pid is not None
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            os.kill(keeper_pid, number)
        server.ensure()
        assert status(server_dir).keeper_pid == keeper_pid
        assert one(server, "SELECT 1") == 1


def test_the_log_stays_bounded(server_dir: Path) -> None:
    with Embedded.start(server_dir) as server:
        log = server_dir / "server.log"
        with log.open("ab") as file:
            file.write(b"long ago\n" * (serverlog.LIMIT // 8))
            file.write(b"the newest line\n")
        keeper_pid = keeper.report(str(server_dir / "keeper.lock"))[0]
        os.kill(keeper_pid, signal.SIGCHLD)  # it looks at its log whenever something wakes it
        until(lambda: 0 < log.stat().st_size <= serverlog.KEPT + 1000)  # it is emptied, then written
        until(lambda: log.read_bytes().endswith(b"the newest line\n"))
        assert one(server, "SELECT 1") == 1


@pytest.mark.parametrize(
    "name", ["a directory, with 'quotes' and \"commas\"", "grüße=x", "deep/" * 12 + "down", "x" * 200]
)
def test_any_path_will_do(server_dir: Path, name: str) -> None:
    with Embedded.start(server_dir / name) as server:
        assert one(server, "SELECT 1") == 1
        socket = status(server_dir / name).socket
        assert socket is not None
        assert len(os.fsencode(socket)) <= 103
    if not socket.is_relative_to(server_dir):
        socket.parent.rmdir()


def test_progress_is_told(server_dir: Path) -> None:
    said: list[str] = []
    with Embedded.start(server_dir, said.append) as server:
        assert server.version
    assert said[0] == "creating the database"


def test_a_start_waits_for_as_long_as_the_server_lives(
    server_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow recovery is no failure, and what it says is passed on: here it lasts until somebody has heard of it."""
    with Embedded.start(server_dir) as server:
        real = server.binaries
    slow = server_dir / "watchfloor-slow"
    slow.mkdir()
    heard = slow / "heard"
    (slow / "postgres").write_text(
        "#!/bin/sh\n"
        "echo 'LOG:  redo in progress, elapsed time: 10.00 s' >&2\n"
        f"until [ -e {heard} ]; do sleep 0.05; done\n"
        f'exec {real}/postgres "$@"\n'
    )
    for path in (slow, slow / "postgres"):
        path.chmod(0o755)
    monkeypatch.setattr(
        "watchfloor.store.embedded.server.find_binaries", lambda: Binaries(slow, server.version)
    )

    def hear(text: str) -> None:
        if text == "waiting for the database: LOG:  redo in progress, elapsed time: 10.00 s":
            heard.touch()

    with Embedded.start(server_dir, hear) as server:
        assert one(server, "SELECT 1") == 1
    assert heard.exists()


def test_a_keeper_told_to_go_lets_the_users_leave_first(server_dir: Path) -> None:
    with Embedded.start(server_dir) as server:
        before = status(server_dir)
        os.kill(before.keeper_pid or 0, signal.SIGTERM)
        assert one(server, "SELECT 1") == 1
    assert status(server_dir).state == "stopped"


def test_a_keeper_told_to_go_does_not_start_the_server_again(server_dir: Path) -> None:
    with Embedded.start(server_dir) as server:
        before = status(server_dir)
        os.kill(before.keeper_pid or 0, signal.SIGTERM)
        os.kill(before.pid or 0, signal.SIGINT)
        until_stopped(server_dir)
        server.ensure()  # whoever still needs it gets a new keeper, which starts it
        until(lambda: status(server_dir).running)
