"""Watched queries: comparisons, and statements on real PostgreSQL and MariaDB servers."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import Run, Servers, silent
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import databases, foreign
from watchfloor.probes.comparison import Comparison
from watchfloor.probes.query import Settings, probe

Probing = Callable[..., Outcome]
NUMBERS = st.integers(-100, 100).map(float) | st.floats(-1e6, 1e6)
VALUES = (
    st.none() | NUMBERS.map(repr) | st.integers().map(str) | st.text(max_size=8) | st.sampled_from(["t", "f"])
)


def read_naively(value: str) -> float:
    """A number as the database means it, or nan."""
    try:
        number = {"t": 1.0, "true": 1.0, "f": 0.0, "false": 0.0}.get(value)
        return (
            float(value)
            if number is None and "_" not in value
            else number
            if number is not None
            else math.nan
        )
    except ValueError:
        return math.nan


@given(st.sampled_from(["eq", "ne", "gt", "lt", "gte", "lte"]), NUMBERS, VALUES)
def test_numbers_compare_as_in_a_second_model(name: str, wanted: float, value: str | None) -> None:
    number = math.nan if value is None or len(value) > 400 else read_naively(value)
    number = math.nan if math.isinf(number) else number
    naive = {
        "eq": number == wanted,
        "ne": number != wanted,
        "gt": number > wanted,
        "lt": number < wanted,
        "gte": number >= wanted,
        "lte": number <= wanted,
    }
    assert Comparison(**{name: wanted}).holds(value) is naive[name]


@given(NUMBERS, NUMBERS, NUMBERS, st.text(min_size=1, max_size=3), st.text(max_size=9))
def test_between_and_contains(a: float, b: float, number: float, part: str, text: str) -> None:
    low, high = sorted((a, b))
    assert Comparison(between=(low, high)).holds(repr(number)) is (low <= number <= high)
    assert Comparison(contains=part).holds(text) is (part in text)


@pytest.mark.parametrize(
    ("given", "value", "holds"),
    [
        ({"eq": "ok"}, "ok", True),
        ({"eq": "5"}, "5.0", True),
        ({"eq": "ok"}, None, False),
        ({"ne": "ok"}, None, True),
        ({"ne": 5}, "five", True),
        ({"gt": 5}, None, False),
        ({"eq": 1}, "t", True),
        ({"gte": 5}, "1_000", False),
    ],
)
def test_texts_and_nothing_compare_too(given: dict[str, Any], value: str | None, holds: bool) -> None:
    assert Comparison(**given).holds(value) is holds


@pytest.mark.parametrize(
    "given", [{}, {"eq": 1, "gt": 2}, {"between": [2, 1]}, {"between": [1]}, {"gt": "x"}]
)
def test_a_comparison_is_exactly_one(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Comparison(**given)


@pytest.fixture(params=["postgresql", "mysql"])
def dsn(request: pytest.FixtureRequest) -> str:
    """The address of a real server."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_dsn"))
    try:
        socket.create_connection(("127.0.0.1", 3306), 2).close()
    except OSError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no MariaDB at 127.0.0.1:3306 ({error})")
    return "mysql://root@127.0.0.1:3306/mysql"


@pytest.fixture
def check(run: Run) -> Probing:
    """Send a statement with some settings."""

    def check(dsn: str, sql: str, timeout: float = 5, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(dsn=dsn, sql=sql, **settings), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


TABLE = "SELECT 'a' AS name, 5 AS n UNION ALL SELECT 'b', 50 UNION ALL SELECT 'c', NULL ORDER BY name"


class TestOnRealServers:
    @pytest.mark.parametrize(
        ("sql", "settings", "status", "words"),
        [
            ("SELECT 42", {}, Status.OK, "yields 42 in "),
            ("SELECT 42", {"warning": {"gt": 40}}, Status.DEGRADED, ": warning is gt 40"),
            (
                "SELECT 42",
                {"warning": {"gt": 40}, "critical": {"gte": 42}},
                Status.FAILING,
                "critical is gte 42",
            ),
            ("SELECT 42", {"expect": {"between": [1, 5]}}, Status.FAILING, "expected between 1 and 5"),
            ("SELECT 'all ok'", {"expect": {"contains": "ok"}}, Status.OK, "yields all ok"),
            ("SELECT NULL", {"expect": {"ne": "x"}}, Status.OK, "yields NULL"),
            ("SELECT 1 WHERE 1 = 0", {}, Status.FAILING, "the query yields no row"),
            (TABLE, {"column": "n", "critical": {"gt": 4}}, Status.FAILING, "yields 5 in"),
            (TABLE, {"column": "size"}, Status.FAILING, "the query yields no column 'size'"),
            (TABLE, {"result": "rows", "critical": {"gt": 2}}, Status.FAILING, "yields 3 rows in"),
            (
                TABLE,
                {"result": "rows", "column": "N", "warning": {"gt": 10}},
                Status.DEGRADED,
                ": b is 50, warning is gt 10",
            ),
            (
                TABLE,
                {"result": "rows", "column": "n", "expect": {"lt": 10}},
                Status.FAILING,
                ": b is 50, expected lt 10; c is NULL, expected lt 10",
            ),
            ("SELECT 1 FROM no_such_table", {}, Status.FAILING, "no_such_table"),
            ("SELECT", {"expect": {"eq": 1}}, Status.FAILING, ""),
        ],
    )
    def test_what_it_yields_is_judged(
        self, check: Probing, dsn: str, sql: str, settings: dict[str, Any], status: Status, words: str
    ) -> None:
        outcome = check(dsn, sql, **settings)
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary

    def test_rows_become_series_and_facts(self, check: Probing, dsn: str) -> None:
        outcome = check(dsn, TABLE, result="rows", column="n")
        series = {name: value for name, value in outcome.metrics.items() if name != "query_seconds"}
        assert series == {"value{row=a}": 5, "value{row=b}": 50, "rows": 3}
        assert outcome.facts["rows"] == [["a", "5"], ["b", "50"], ["c", None]]

    @pytest.mark.parametrize("sql", ["CREATE TABLE wf_no (a int)", "DELETE FROM {system}"])
    def test_nothing_can_be_written(self, check: Probing, dsn: str, sql: str) -> None:
        system = "pg_authid" if dsn.startswith("postgresql") else "mysql.db"
        outcome = check(dsn, sql.format(system=system), result="non_query")
        assert outcome.status is Status.FAILING
        assert "read-only" in outcome.summary.lower().replace("read only", "read-only")

    @pytest.mark.parametrize("sql", ["CREATE TABLE wf_no (a int)", "VACUUM pg_class"])
    def test_not_even_an_address_that_asks_for_it_can_write(
        self, check: Probing, postgres_dsn: str, sql: str
    ) -> None:
        dsn = f"{postgres_dsn}?options=-c%20default_transaction_read_only%3Doff"
        outcome = check(dsn, sql, result="non_query")
        assert outcome.status is Status.FAILING
        assert "transaction" in outcome.summary

    def test_several_statements_at_once_are_refused(self, check: Probing, dsn: str) -> None:
        outcome = check(dsn, "SELECT 1; SELECT 2")
        assert outcome.status is Status.FAILING

    def test_a_statement_that_yields_nothing_touches_rows(self, check: Probing, dsn: str) -> None:
        sql = "SET application_name = 'x'" if dsn.startswith("postgresql") else "DO 1"
        outcome = check(dsn, sql, result="non_query", expect={"eq": 0})
        assert (outcome.status, "0 rows touched" in outcome.summary) == (Status.OK, True)

    def test_a_long_answer_is_cut(self, check: Probing, dsn: str) -> None:
        rows = "SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 900"
        sql = f"WITH RECURSIVE t AS ({rows}) SELECT 7 FROM t UNION ALL SELECT 8 FROM t"
        outcome = check(dsn, sql, result="rows")
        assert outcome.status is Status.DEGRADED
        assert "only the first 1000 rows were read" in outcome.summary

    def test_large_values_are_bounded(self, check: Probing, dsn: str) -> None:
        outcome = check(dsn, "SELECT repeat('x', 2000000)")
        assert outcome.status is Status.FAILING
        if dsn.startswith("postgresql"):
            assert outcome.summary.endswith(": sends a row that is far too long")

    def test_a_long_value_is_read(self, check: Probing, dsn: str) -> None:
        outcome = check(dsn, "SELECT repeat('x', 500000)", expect={"contains": "x" * 1000})
        assert outcome.status is Status.OK, outcome.summary

    def test_of_many_large_rows_only_so_many_are_held(self, check: Probing, dsn: str) -> None:
        outcome = check(dsn, " UNION ALL ".join(["SELECT repeat('x', 300000)"] * 30), result="rows")
        assert outcome.status is not Status.OK
        if dsn.startswith("postgresql"):
            assert "only the first 3 rows were read" in outcome.summary

    def test_the_server_ends_a_slow_statement_too(self, check: Probing, dsn: str) -> None:
        postgres = dsn.startswith("postgresql")
        outcome = check(dsn, f"SELECT {'pg_sleep' if postgres else 'sleep'}(30)", timeout=0.5)
        assert outcome.status is Status.FAILING or outcome.metrics["value"] == 1  # MariaDB: "was interrupted"
        if postgres:
            with psycopg.connect(dsn, autocommit=True) as connection:
                query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active'"
                for _ in range(500):
                    if connection.execute(query + " AND pid <> pg_backend_pid()").fetchone() == (0,):
                        return
                pytest.fail("the statement goes on")

    def test_what_comes_back_is_made_safe(self, check: Probing, dsn: str) -> None:
        name = "chr" if dsn.startswith("postgresql") else "char"
        outcome = check(dsn, f"SELECT concat({name}(27), '[31mred', {name}(10), 'line')")
        assert "yields red line in" in outcome.summary


def test_a_lock_is_not_waited_for(check: Probing, postgres_dsn: str) -> None:
    table = f"wf_locked_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_dsn, autocommit=True) as holder:
        holder.execute(f"CREATE TABLE {table} (a int)")
        try:
            with holder.transaction():
                holder.execute(f"LOCK TABLE {table}")
                outcome = check(postgres_dsn, f"SELECT * FROM {table}", timeout=8)
        finally:
            holder.execute(f"DROP TABLE {table}")
    assert outcome.status is Status.FAILING
    assert "lock timeout" in outcome.summary


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dsn": "sqlite:///x"}, "must begin with postgresql://"),
        ({"dsn": "mysql://a b/"}, "a host is a name"),
        ({"dsn": "mysql://host/db?evil=1"}, "an option that is not known: evil"),
        ({"dsn": "mysql://host:99999/db"}, "Port out of range"),
        ({"dsn": "oracle:///x"}, "a host is a name"),
        ({"result": "non_query", "column": "a"}, "yields no columns"),
        ({"sql": ""}, "at least 1 character"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as told:
        Settings(**{"dsn": "postgresql://a/b", "sql": "SELECT 1", **settings})
    assert words in str(told.value)


def test_no_driver_is_loaded_before_it_is_needed() -> None:
    target = databases.target_of("mysql://watch:a-secret@db.example.com/shop?tls=true&verify=false")
    assert (target.product, target.secrets) == ("MySQL", ("a-secret",))


class TestForeign:
    @pytest.mark.parametrize(
        ("scheme", "words"),
        [
            ("sqlserver", "SQL Server needs the driver pymssql; install watchfloor[sqlserver]"),
            ("oracle", "Oracle needs the driver oracledb; install watchfloor[oracle]"),
        ],
    )
    def test_a_missing_driver_is_told_with_its_remedy(
        self, check: Probing, servers: Servers, monkeypatch: pytest.MonkeyPatch, scheme: str, words: str
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pymssql", None)
        monkeypatch.setitem(__import__("sys").modules, "oracledb", None)
        outcome = check(f"{scheme}://watch@127.0.0.1:{servers.start(silent)}/x", "SELECT 1")
        assert (outcome.status, outcome.summary) == (Status.UNKNOWN, words)

    @pytest.fixture
    def with_sqlite(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another driver under the same code: what can be had where neither server runs."""

        def engine(self: foreign.Foreign, address: str, timeout: float) -> sqlalchemy.Engine:
            return sqlalchemy.create_engine("sqlite://")

        monkeypatch.setattr(foreign.Foreign, "_engine", engine)
        make = foreign._MAKES["sqlserver"]._replace(begin="SELECT 1")
        monkeypatch.setitem(foreign._MAKES, "sqlserver", make)

    @pytest.mark.usefixtures("with_sqlite")
    @pytest.mark.parametrize(
        ("sql", "settings", "status", "words"),
        [
            ("SELECT 42", {"critical": {"gt": 40}}, Status.FAILING, "SQL Server yields 42 in"),
            (
                TABLE,
                {"result": "rows", "column": "n", "warning": {"gt": 9}},
                Status.DEGRADED,
                "b is 50, warning",
            ),
            ("CREATE TABLE a (b int)", {"result": "non_query"}, Status.OK, "0 rows touched"),
            ("SELEC", {}, Status.FAILING, 'SQL Server: near "SELEC": syntax error'),
        ],
    )
    def test_answers_and_errors_of_a_driver_are_read(
        self,
        check: Probing,
        servers: Servers,
        sql: str,
        settings: dict[str, Any],
        status: Status,
        words: str,
    ) -> None:
        outcome = check(f"sqlserver://watch@127.0.0.1:{servers.start(silent)}/x", sql, **settings)
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary

    def test_the_drivers_are_told_where_to_go(self) -> None:
        server = foreign.Foreign("sqlserver", "sqlserver://w%40x:p%2Fw@db.example.com/master")
        url = server._engine("192.0.2.1", 3.0).url
        assert (url.username, url.password, url.host, url.port) == ("w@x", "p/w", "192.0.2.1", 1433)
        oracle = foreign.Foreign("oracle", "oracle://w@db.example.com:1600/ORCLPDB1")
        url = oracle._engine("192.0.2.1", 3.0).url
        assert (url.port, url.query["service_name"], url.database) == (1600, "ORCLPDB1", None)
