"""How fast one node carries out runs that do nothing: claim, attempt, end and history of each, all of it durable.

The runs are there before the clock starts; it goes from the start of the first to the end of the last. Peers that
the interpreter named by WATCHFLOOR_PEERS has installed (see job_peers.py) do the same on the same
server in the same run; what is missing is said.
"""

from __future__ import annotations

from functools import partial

from job_peers import PEERS, peer
from processes import Observer, Served, dsn
from support import Report, run, temporary_ground, until

RUNS = 50_000
MOST_OF_PEERS = 10_000
"""Jobs a peer is given: its rate does not depend on their number."""

BUDGET_MS = 0.5
"""2,000 runs a second."""

CONFIG = "jobs:\n  - {name: nothing, kind: dummy, overlap: allow}\n"
FILL = """
INSERT INTO runs (uuid, job_id, fire_key, origin, state, scheduled_for, available_at, priority, capped)
SELECT gen_random_uuid(), j.id, %s || n, 'manual', 'ready', now(), now(), 5, false
FROM jobs j, generate_series(1, %s) n
"""


def measure(report: Report, quick: bool) -> None:
    """Drain the same number of runs, some times over."""
    runs = 5_000 if quick else RUNS
    took = []
    with (
        temporary_ground() as ground,
        Served(ground, CONFIG) as served,
        served.ready().connect() as connection,
    ):
        connection.execute("INSERT INTO settings VALUES ('jobs.max_concurrent_runs', '200', now(), 'bench')")
        connection.execute("NOTIFY watchfloor_pulse, 'settings'")
        for turn in range(1 if quick else 3):
            connection.execute("TRUNCATE runs CASCADE")
            connection.execute(FILL, [f"bench:{turn}:", runs])
            until(partial(_done, connection), 300, "the end of all runs")
            row = connection.execute(
                "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM runs"
            ).fetchone()
            took.append(1000 * row[0] / runs if row is not None else 0.0)
        address = dsn(served.data_dir)
        peers = {name: peer(name, address, min(runs, MOST_OF_PEERS)) for name in PEERS}
    report.note(f"{runs:,} runs at a time; {1000 / sorted(took)[len(took) // 2]:,.0f} runs a second")
    report.add("one run of a job that does nothing", "ms", took, BUDGET_MS)
    for name, found in peers.items():
        if isinstance(found, str):
            report.note(f"{name} was not measured: {found}")
            continue
        report.add(f"{name}: one job that does nothing", "ms", [1000 * found["drain_s"] / found["jobs"]])


def _done(connection: Observer) -> bool:
    row = connection.execute("SELECT NOT EXISTS (SELECT FROM runs WHERE state <> 'succeeded')").fetchone()
    return row is not None and bool(row[0])


if __name__ == "__main__":
    run(measure, "Draining runs of jobs", __doc__)
