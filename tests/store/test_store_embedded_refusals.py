"""What the embedded server refuses: each message names the place and the remedy, and nothing is harmed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from embedded_users import User, until

from watchfloor.store.embedded import Embedded, EmbeddedError, keeper, status
from watchfloor.store.embedded.locks import is_held
from watchfloor.store.embedded.owner import choose_owner
from watchfloor.store.embedded.place import Place, network_file_system

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
as_ordinary_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")


def refusal(data_dir: Path) -> str:
    """The message with which a start is refused; nobody may be left holding anything."""
    with pytest.raises(EmbeddedError) as caught:
        Embedded.start(data_dir)
    until(lambda: not is_held(data_dir / "users.lock", by_anyone=True))
    until(lambda: not is_held(data_dir / "keeper.lock"))
    message = str(caught.value)
    assert str(data_dir) in message
    return message


@pytest.fixture
def made(server_dir: Path) -> Path:
    """The data directory of a stopped server."""
    with Embedded.start(server_dir):
        pass
    return server_dir


def test_a_cluster_of_another_version(made: Path) -> None:
    (made / "postgres" / "PG_VERSION").write_text("17\n")
    message = refusal(made)
    assert "made by PostgreSQL 17, and this is 18." in message
    assert "backup" in message
    assert "restore" in message


def test_a_directory_with_other_things_in_it(server_dir: Path) -> None:
    (server_dir / "thesis.txt").write_text("three years of work")
    assert "'thesis.txt'" in refusal(server_dir)
    assert [path.name for path in server_dir.iterdir()] == ["thesis.txt"]


def test_a_fresh_file_system_is_empty(server_dir: Path) -> None:
    (server_dir / "lost+found").mkdir()
    with Embedded.start(server_dir):
        pass


def test_something_else_under_the_name_of_the_cluster(made: Path) -> None:
    (made / "postgres").rename(made / "elsewhere")
    (made / "postgres").write_text("")
    if os.geteuid() == 0:
        os.chown(made / "postgres", 1, 1)
    assert "Move it away" in refusal(made)


def test_a_directory_that_others_may_write_to(server_dir: Path) -> None:
    server_dir.chmod(0o777)
    assert "chmod go-w" in refusal(server_dir)


def test_a_file_instead_of_a_directory(server_dir: Path) -> None:
    (server_dir / "file").write_text("")
    with pytest.raises(EmbeddedError, match="file is a file"):
        Embedded.start(server_dir / "file" / "data")


@as_ordinary_user
def test_a_directory_that_is_not_writable(server_dir: Path) -> None:
    server_dir.chmod(0o500)
    assert "Permission denied" in refusal(server_dir)
    server_dir.chmod(0o700)


@as_root
def test_a_directory_that_belongs_to_somebody_else(server_dir: Path) -> None:
    os.chown(server_dir, 1, 1)
    assert "sudo -u" in refusal(server_dir)
    os.chown(server_dir, 0, 0)


@as_root
def test_a_directory_that_the_account_cannot_reach(server_dir: Path) -> None:
    server_dir.chmod(0o700)
    message = refusal(server_dir / "data")
    assert f"may not pass {server_dir} " in message
    assert "--data-dir /var/lib/watchfloor" in message
    assert server_dir.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def small_disk(server_dir: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 64 MB, or of as many as the test asks for."""
    path = server_dir / "disk"
    path.mkdir()
    options = f"size={getattr(request, 'param', 64)}m,mode=711"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)  # the keeper may still be closing its log


@as_root
def test_a_disk_that_is_too_small(small_disk: Path) -> None:
    message = refusal(small_disk)
    assert "MB free" in message
    assert "--data-dir" in message


@as_root
def test_a_disk_that_fills_up_while_the_cluster_is_made(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchfloor.store.embedded.cluster._NEEDED", 0)
    (small_disk / "watchfloor-ballast").write_bytes(b"x" * (40 << 20))
    message = refusal(small_disk)
    assert "No space left on device" in message
    assert not list(small_disk.glob("postgres*"))
    (small_disk / "watchfloor-ballast").unlink()
    with Embedded.start(small_disk):  # with some room it works at once
        pass


@as_root
@pytest.mark.parametrize("small_disk", [200], indirect=True)
def test_a_disk_that_fills_up_later_stops_nothing_for_good(small_disk: Path) -> None:
    """The server may go down over it; with some room again it is there, with every committed row."""
    rows = 0
    with Embedded.start(small_disk) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE t (x int, filling text STORAGE EXTERNAL)")
        with suppress(psycopg.Error), psycopg.connect(server.dsn, autocommit=True) as connection:
            while rows < 1000:
                connection.execute(
                    "INSERT INTO t SELECT %s, repeat('x', 7000) FROM generate_series(1, 100)", [rows]
                )
                rows += 1
        assert 0 < rows < 1000
        subprocess.run(["mount", "-o", "remount,size=900m", small_disk], check=True)
        until(lambda: count(server) == rows)


def count(server: Embedded) -> int | None:
    """How many batches are in the table; None while the server is away."""
    with suppress(psycopg.OperationalError), psycopg.connect(server.dsn) as connection:
        row = connection.execute("SELECT count(DISTINCT x)::int FROM t").fetchone()
        return row[0] if row else None
    return None


def test_a_cluster_that_was_only_half_made(server_dir: Path) -> None:
    with User(server_dir) as user:
        until(lambda: list(server_dir.glob("postgres.new-*/cluster/base")))
        user.kill()
    assert not (server_dir / "postgres").exists()
    with Embedded.start(server_dir):
        assert status(server_dir).running
        assert not list(server_dir.glob("postgres.new-*"))


def test_leftovers_of_a_cluster_that_was_only_half_made(server_dir: Path) -> None:
    with User(server_dir) as user:
        user.ready()
    (server_dir / "postgres").rename(server_dir / "postgres.new-abcd")
    with Embedded.start(server_dir):
        assert not list(server_dir.glob("postgres.new-*"))


def test_a_lost_password(made: Path) -> None:
    (made / "password").unlink()
    assert "password" in refusal(made)


def test_a_password_of_another_cluster(made: Path) -> None:
    (made / "password").write_text("of another one\n")
    message = refusal(made)
    assert "password authentication failed" in message
    assert str(made / "password") in message


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(made: Path) -> None:
    with (made / "postgres" / "postgresql.auto.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    started = time.monotonic()
    message = refusal(made)
    assert 'invalid value for parameter "shared_buffers": "a lot"' in message
    assert str(made / "server.log") in message
    assert time.monotonic() - started < 10


def test_a_server_that_does_not_come_up_is_tried_again_for_its_living_users(made: Path) -> None:
    """A disk may have become free, a setting been put right: nobody has to restart anything."""
    settings = made / "postgres" / "postgresql.auto.conf"
    good = settings.read_text()
    with Embedded.start(made):
        settings.write_text(good + "shared_buffers = 'a lot'\n")
        pid = status(made).pid
        assert pid is not None
        os.kill(pid, 9)
        until(lambda: keeper.report(str(made / "keeper.lock"))[1:] == ("failing", 3))
        assert status(made).state == "failing"
        with pytest.raises(EmbeddedError, match="does not start"):  # a newcomer is told at once
            Embedded.start(made)
        settings.write_text(good)
        until(lambda: status(made).running)


def test_a_keeper_that_cannot_run(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchfloor.store.embedded.run_keeper.__file__", "/nonexistent/keeper.py")
    message = refusal(made)
    assert "keeper" in message
    assert "/nonexistent/keeper.py" in message


def test_a_socket_directory_that_somebody_else_made_first(server_dir: Path) -> None:
    data_dir = server_dir / ("x" * 100)
    squatted = Place.at(data_dir).socket_dir(choose_owner(data_dir / "postgres").uid)
    squatted.mkdir()
    squatted.chmod(0o755)
    try:
        with pytest.raises(EmbeddedError, match="not a private directory"):
            Embedded.start(data_dir)
        squatted.rmdir()
        squatted.symlink_to("/tmp")
        with pytest.raises(EmbeddedError, match="not a private directory"):
            Embedded.start(data_dir)
        squatted.unlink()
        with Embedded.start(data_dir):
            pass
    finally:
        squatted.rmdir()


def test_control_characters_in_the_path(server_dir: Path) -> None:
    with pytest.raises(EmbeddedError, match="control characters"):
        Embedded.start(server_dir / "a\nb")


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/team\\040share rw,relatime - nfs4 server:/export rw
31 30 0:41 / /mnt/team\\040share/local rw - xfs /dev/sdb rw
32 22 0:42 / /home/me/grüße rw shared:1 master:2 - fuse.sshfs me@host: rw
garbage
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/watchfloor", None),
        ("/mnt/team share/data", "nfs4"),
        ("/mnt/team share", "nfs4"),
        ("/mnt/team share/local/data", None),
        ("/mnt/team shared", None),
        ("/home/me/grüße/data", "fuse.sshfs"),
    ],
)
def test_network_file_systems_are_recognised(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(server_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchfloor.store.embedded.place.network_file_system", lambda *_: "nfs4")
    message = refusal(server_dir)
    assert "nfs4" in message
    assert "database:" in message
