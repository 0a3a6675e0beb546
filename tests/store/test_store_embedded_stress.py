"""Many processes coming and going at once: each finds a server, no server is left, no row is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from embedded_users import until_stopped

from watchfloor.store.embedded import Embedded, postmaster

_VISITOR = """
import os, random, signal, sys, psycopg
from pathlib import Path
from watchfloor.store.embedded import Embedded
data_dir, name, visits = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
chance = random.Random(name)
for number in range(visits):
    server = Embedded.start(data_dir)
    with psycopg.connect(server.dsn) as connection:
        connection.execute("INSERT INTO visits VALUES (%s, %s)", [name, number])
    if number == visits - 1 and chance.random() < 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    server.stop(wait=chance.random() < 0.5)
"""


@pytest.mark.chaos
def test_processes_that_come_and_go(server_dir: Path) -> None:
    processes, visits = 8, 12
    with Embedded.start(server_dir) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE visits (name text, number int)")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _VISITOR, str(server_dir), str(number), str(visits)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for process in running:
        assert process.communicate()[1] == ""
    until_stopped(server_dir)
    assert postmaster.find(str(server_dir / "postgres")) is None
    with Embedded.start(server_dir) as server, psycopg.connect(server.dsn) as connection:
        found = {tuple(row) for row in connection.execute("SELECT name, number FROM visits")}
    assert found == {(str(name), number) for name in range(processes) for number in range(visits)}
    log = (server_dir / "server.log").read_text()
    assert "already exists" not in log  # never were two servers started for one cluster
    assert "KEEPER" not in log


def test_processes_that_all_come_first(server_dir: Path) -> None:
    """One of them makes the cluster, the others wait for it."""
    program = "import sys\nfrom pathlib import Path\nfrom watchfloor.store.embedded import Embedded\n"
    program += "with Embedded.start(Path(sys.argv[1])) as server: print(server.version)\n"
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(server_dir)], stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    assert [process.communicate()[0][:3] for process in running] == ["18."] * 5
    until_stopped(server_dir)
