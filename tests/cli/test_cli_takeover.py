"""Two real nodes: what one of them watched is watched by the other soon after it dies, and at once after it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sql import one
from support.waiting import until
from watchfloor.store.database import Database

SERVICES = 20
LAG_S = 0.5
"""How late a check may start on a machine that others keep busy."""


@pytest.fixture
def nodes(dsn: str, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two nodes of one configuration."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "services:\n"
        + "".join(
            f"  - {{name: s{n}, kind: file, path: /etc/hostname, every: 1s}}\n" for n in range(SERVICES)
        )
    )
    environ = {**os.environ, "HOME": str(tmp_path), "WATCHFLOOR_DATABASE": dsn}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "watchfloor", "--config", str(config), "--node", name, "serve"],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    yield started
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


async def shared(database: Database) -> bool:
    """Whether in the last two seconds every service was checked, about once a second and by one node, both at work."""
    return bool(
        await one(
            database,
            "SELECT count(DISTINCT service_id) = %(all)s AND count(DISTINCT node_id) = 2 AND count(*) <= 3 * %(all)s "
            "AND count(DISTINCT (service_id, node_id)) = %(all)s "
            "FROM check_results WHERE ts > clock_timestamp() - interval '2 seconds'",
            all=SERVICES,
        )
    )


SILENCE = """
SELECT max(gap) FROM (
    SELECT extract(epoch FROM ts - lag(ts) OVER (PARTITION BY service_id ORDER BY ts))::float8 AS gap FROM check_results
    WHERE ts > %(since)s::timestamptz - interval '2 seconds'
) g
"""

TAKEN = """
SELECT count(DISTINCT service_id) = %(all)s AND count(DISTINCT node_id) = 1 FROM check_results
WHERE ts > clock_timestamp() - interval '1.5 seconds' AND ts > %(since)s
"""


@pytest.mark.parametrize(("sent", "most_s"), [(signal.SIGKILL, 12.0), (signal.SIGTERM, 1.0)])
async def test_what_a_node_watched_is_taken_over(
    database: Database, nodes: list[subprocess.Popen[bytes]], sent: signal.Signals, most_s: float
) -> None:
    await until(lambda: shared(database), 60)
    since = await one(database, "SELECT clock_timestamp()")
    nodes[1].send_signal(sent)
    await until(lambda: one(database, TAKEN, all=SERVICES, since=since), 20)
    silence = await one(database, SILENCE, since=since)
    assert silence <= 1.0 + most_s + LAG_S  # a check is due a second after the one before
