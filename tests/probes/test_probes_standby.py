"""PostgreSQL checks of a real standby and its primary: how far behind, does it follow, which statements are slow."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from probe_servers import Run

from support.clusters import Cluster, primary_and_standby
from support.waiting import until_now
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.postgres import Settings, probe
from watchfloor.probes.postgres_session import Session

Pair = tuple[Cluster, Cluster]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = Path(tempfile.mkdtemp(prefix="wf-test-", dir="/tmp"))  # that other accounts can pass
    directory.chmod(0o711)
    with primary_and_standby(directory) as both:
        yield both
    shutil.rmtree(directory)


@pytest.fixture
def check(run: Run) -> Any:
    def check(cluster: Cluster, user: str = "postgres", **settings: Any) -> Outcome:
        dsn = cluster.dsn.replace("postgres@", f"{user}@")
        outcome = run(probe(Settings(dsn=dsn, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def tell(cluster: Cluster, *statements: str) -> Any:
    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement)
        return found.fetchone() if found.description else None


def place(primary: Cluster) -> str:
    (found,) = tell(primary, "SELECT pg_current_wal_flush_lsn()")
    return str(found)


def received(standby: Cluster, upto: str) -> bool:
    (found,) = tell(standby, f"SELECT pg_last_wal_receive_lsn() >= '{upto}'::pg_lsn")
    return bool(found)


def caught_up(pair: Pair) -> None:
    """Commit something, and wait until the standby has replayed it."""
    primary, standby = pair
    tell(primary, "DROP TABLE IF EXISTS marks", "CREATE TABLE marks ()")
    upto = place(primary)
    until_now(lambda: tell(standby, f"SELECT pg_last_wal_replay_lsn() >= '{upto}'::pg_lsn") == (True,))


def test_a_standby_that_follows_is_not_behind(check: Any, pair: Pair) -> None:
    caught_up(pair)
    outcome = check(pair[1], replica=True)
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.facts["standby"] is True
    assert outcome.metrics["replication_lag_seconds"] < 5
    primary = check(pair[0])
    assert primary.status is Status.OK, primary.summary
    assert "replication_lag_seconds" not in primary.metrics


def test_a_primary_where_a_standby_must_be_is_failing(check: Any, pair: Pair) -> None:
    outcome = check(pair[0], replica=True)
    assert outcome.status is Status.FAILING
    assert outcome.summary.endswith("it is no standby")


def test_a_standby_that_replays_nothing_falls_behind_until_it_does(check: Any, pair: Pair) -> None:
    primary, standby = pair
    caught_up(pair)
    tell(standby, "SELECT pg_wal_replay_pause()")
    try:
        tell(primary, "CREATE TABLE more ()", "DROP TABLE more")
        upto = place(primary)
        until_now(lambda: received(standby, upto))
        limits = {"degraded": 0.3, "failing": 1}
        behind = until_now(
            lambda: (found := check(standby, replication_lag=limits)).status is Status.FAILING and found
        )
    finally:
        tell(standby, "SELECT pg_wal_replay_resume()")
    assert " behind its primary (limit 1 s)" in behind.summary
    assert behind.metrics["replication_lag_seconds"] >= 1
    caught_up(pair)
    assert check(standby, replication_lag=limits).status is Status.OK


def test_the_first_transaction_after_a_pause_is_no_lag(
    check: Any, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary is at rest for longer than the limit; the check comes in the middle of what it then sends."""
    primary, standby = pair
    caught_up(pair)
    tell(standby, "SELECT pg_wal_replay_pause()")
    tell(primary, "CREATE TABLE more ()", "DROP TABLE more")
    upto = place(primary)
    until_now(lambda: received(standby, upto))
    limits = {"failing": 3}
    until_now(lambda: check(standby, replication_lag=limits).status is Status.FAILING)
    ask = Session.ask

    async def replaying(session: Session, statement: str) -> list[str]:
        if "::pg_lsn" in statement:
            tell(standby, "SELECT pg_wal_replay_resume()")
            caught_up(pair)
        return await ask(session, statement)

    monkeypatch.setattr(Session, "ask", replaying)
    outcome = check(standby, replication_lag=limits)
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.metrics["replication_lag_seconds"] >= 0.1  # as long as it took to look again


def test_slow_statements_are_counted_for_who_may_see_them(check: Any, pair: Pair) -> None:
    primary, _ = pair
    with psycopg.connect(primary.dsn, autocommit=True) as one, psycopg.connect(primary.dsn) as two:
        assert check(primary, slow_after="300ms").metrics["slow_queries_per_minute"] == 0
        one.execute("SELECT pg_sleep(0.4)")
        two.execute("SELECT 1")
        counted = check(primary, slow_after="300ms")
        assert counted.metrics["slow_queries_per_minute"] == 1
        assert counted.facts["sees_slow_queries"] is True
        tell(primary, "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN")
        plain = check(primary, "plain", slow_after="300ms")
        assert plain.status is Status.OK, plain.summary
        assert "slow_queries_per_minute" not in plain.metrics
        assert plain.facts["sees_slow_queries"] is False
        tell(primary, "DROP ROLE plain", "CREATE ROLE seeing LOGIN IN ROLE pg_monitor")
        seeing = check(primary, "seeing", slow_after="300ms")
        assert seeing.metrics["slow_queries_per_minute"] == 1
        tell(primary, "DROP ROLE seeing")


def test_a_statement_that_is_still_at_it_is_counted_once_it_is_slow(check: Any, pair: Pair) -> None:
    primary, _ = pair
    busy = psycopg.connect(primary.dsn, autocommit=True)
    try:
        busy.pgconn.send_query(b"SELECT pg_sleep(60)")
        until_now(lambda: check(primary, slow_after="200ms").metrics["slow_queries_per_minute"] >= 1)
        assert check(primary, slow_after="30s").metrics["slow_queries_per_minute"] == 0
        tell(primary, f"SELECT pg_terminate_backend({busy.info.backend_pid}, 5000)")
    finally:
        busy.close()


def test_a_standby_that_lost_its_primary_is_failing(check: Any, pair: Pair) -> None:
    primary, standby = pair
    caught_up(pair)
    primary.stop()
    lost = until_now(lambda: (found := check(standby, replica=True)).status is Status.FAILING and found)
    assert "it receives nothing from its primary" in lost.summary
    assert lost.metrics["replication_lag_seconds"] > 0
    primary.start()
    until_now(lambda: check(standby, replica=True).status is Status.OK)
