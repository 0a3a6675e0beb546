"""For the whole suite: how hard property tests try, a place for database servers, one embedded server for all.

Property tests try the same examples each time by default, so that a red build is red for everyone: 1,000 where a
test says ``thorough``, else 100. With ``WATCHFLOOR_EXAMPLES=100000`` the thorough ones try as many random ones, and
Hypothesis prints how to reproduce what it finds.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from watchfloor.store.embedded import Embedded

_wanted = os.environ.get("WATCHFLOOR_EXAMPLES")

settings.register_profile(
    "quick",
    max_examples=100,
    derandomize=_wanted is None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    settings.get_profile("quick"),
    max_examples=int(_wanted or 1000),
    stateful_step_count=20,
)
settings.load_profile("quick")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel from process to process as UTF-8, which not everything is that tests log."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


def pytest_collection_finish() -> None:
    """Thousands of tests live as long as the session: a full collection, as after each database, looks past them."""
    gc.collect()
    gc.freeze()


def _roomy() -> str:
    """Where the files of thousands of databases come and go: in memory where there is plenty, else on disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        return "/tmp"
    free = min(shutil.disk_usage(memory).free, psutil.virtual_memory().available)
    return str(memory) if free > 8 * 2**30 else "/tmp"


@pytest.fixture
def server_dir() -> Iterator[Path]:
    """A fresh, empty directory that a server can use, also as root (`tmp_path` lets nobody else pass)."""
    path = Path(tempfile.mkdtemp(prefix="wf-test-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def embedded() -> Iterator[Embedded]:
    """One running embedded server for the whole test session. Tests make databases of their own in it, or clean up.

    It writes to no disk before it answers, and where there is memory to spare to none at all: none of its databases,
    hundreds of files each, outlives the session.
    What must survive a crash is tested on servers of their own.
    """
    path = Path(tempfile.mkdtemp(prefix="wf-test-", dir=_roomy()))
    with Embedded.start(path) as server:
        with psycopg.connect(make_conninfo(server.dsn, user="postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    shutil.rmtree(path)
