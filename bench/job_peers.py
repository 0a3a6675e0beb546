"""Runs the peers of the job scheduler, each on a database of its own on the same server.

WATCHFLOOR_PEERS names an interpreter that has them: `pip install procrastinate 'pgqueuer[psycopg]' 'apscheduler<4'
'celery[redis]' sqlalchemy 'psycopg[binary]'`. Celery also needs a `redis-server`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

PEERS = ("procrastinate", "pgqueuer", "apscheduler", "celery")


def peer(name: str, address: str, jobs: int) -> dict[str, Any] | str:
    """What a peer needs for so many jobs, and each delay to a start (ms); why not, where it cannot."""
    python = os.environ.get("WATCHFLOOR_PEERS", sys.executable)
    if subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode:
        return f"not installed for {Path(python).name}; set WATCHFLOOR_PEERS to an interpreter that has it"
    database = f"peer_{name}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    program = [python, str(Path(__file__).with_name("peer_jobs.py")), name]
    own = address.replace("/watchfloor?", f"/{database}?")
    try:
        done = subprocess.run(
            [*program, own, str(jobs)], capture_output=True, text=True, check=False, timeout=600
        )
    except subprocess.TimeoutExpired:
        return "it did not end within 10 minutes"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1][:200]
    return {**json.loads(done.stdout.splitlines()[-1]), "jobs": jobs}
