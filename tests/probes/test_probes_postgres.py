"""PostgreSQL checks against a real server, and against things that only pretend to be one."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from probe_servers import Handler, Run, Servers, closed_port, full_backlog
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Fault
from watchfloor.probes.postgres import Settings, probe
from watchfloor.probes.postgres_session import Session

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe an address with some settings."""

    def check(dsn: str, timeout: float = 5, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(dsn=dsn, **settings), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


class TestARealServer:
    def test_is_ok_with_figures(self, check: Probing, postgres_dsn: str) -> None:
        outcome = check(postgres_dsn)
        assert outcome.status is Status.OK, outcome.summary
        assert outcome.summary.startswith("PostgreSQL 1")
        assert " connections used" in outcome.summary
        figures = outcome.metrics
        assert figures["connections_max"] > 0
        assert figures["connections_used_percent"] == pytest.approx(
            100 * figures["connections_used"] / figures["connections_max"]
        )
        assert figures["round_trip_seconds"] > 0
        assert figures["uptime_seconds"] > 0
        assert set(outcome.phases) == {"connect", "first_byte"}
        assert outcome.facts["standby"] is False

    def test_counts_the_sessions_of_others(self, check: Probing, postgres_dsn: str) -> None:
        with psycopg.connect(postgres_dsn), psycopg.connect(postgres_dsn):
            assert check(postgres_dsn).metrics["connections_used"] >= 2

    def test_counts_them_for_a_role_without_privileges_too(self, check: Probing, postgres_dsn: str) -> None:
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS watchfloor_nobody")
            connection.execute("CREATE ROLE watchfloor_nobody LOGIN")
            try:
                plain = postgres_dsn.replace("postgres@", "watchfloor_nobody@")
                assert check(plain).metrics["connections_used"] >= 1
            finally:
                connection.execute("DROP ROLE watchfloor_nobody")

    def test_that_is_crowded_is_degraded_or_failing(self, check: Probing, postgres_dsn: str) -> None:
        with psycopg.connect(postgres_dsn):
            outcome = check(postgres_dsn, connections={"failing": 0.001})
        assert outcome.status is Status.FAILING
        assert "% used (limit 0.001 %)" in outcome.summary

    def test_that_is_slow_is_degraded(self, check: Probing, postgres_dsn: str) -> None:
        outcome = check(postgres_dsn, degraded_after="1ms")
        assert outcome.status is (Status.DEGRADED if (outcome.latency or 0) > 0.001 else Status.OK)

    def test_sees_a_careful_session_and_none_left_behind(
        self, run: Run, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from watchfloor.probes import postgres

        shown = ", ".join(
            f"current_setting('{name}')"
            for name in (
                "application_name", "statement_timeout", "lock_timeout", "default_transaction_read_only",
                "idle_in_transaction_session_timeout",
            )
        )  # fmt: skip
        seen: list[list[str]] = []

        def figures(row: list[str]) -> postgres.Figures:
            seen.append(row)
            return postgres.Figures(1, 9, "15", False, 1.0, None, None, "", False)

        monkeypatch.setattr(postgres, "figures_query", lambda after: f"SELECT {shown}")
        monkeypatch.setattr(postgres.Figures, "of", figures)
        run(probe(Settings(dsn=postgres_dsn), 5))
        assert seen == [["watchfloor", "2s", "100ms", "on", "5s"]]
        with psycopg.connect(postgres_dsn) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'watchfloor'"
            while connection.execute(query).fetchone() != (0,):
                connection.rollback()  # a session takes a moment to end

    def test_keeps_the_options_of_the_address(self, check: Probing, postgres_dsn: str) -> None:
        outcome = check(f"{postgres_dsn}?options=-c%20search_path%3Dnowhere")
        assert outcome.status is Status.OK

    def test_with_an_unknown_database_says_so(self, check: Probing, postgres_dsn: str) -> None:
        outcome = check(postgres_dsn.rpartition("/")[0] + "/no-such-database")
        assert outcome.status is Status.FAILING
        assert outcome.summary.endswith('5432: database "no-such-database" does not exist')

    def test_is_found_behind_a_dead_one(self, check: Probing, postgres_dsn: str) -> None:
        dead = closed_port()
        outcome = check(f"host=127.0.0.1,localhost port={dead},5432 user=postgres dbname=postgres")
        assert outcome.status is Status.OK, outcome.summary

    def test_is_found_in_time_behind_a_silent_one(self, check: Probing, postgres_dsn: str) -> None:
        with full_backlog() as silent:
            outcome = check(f"host=127.0.0.1,127.0.0.1 port={silent},5432 user=postgres dbname=postgres", 1)
        assert outcome.status is Status.OK, outcome.summary


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


WELCOME = message(b"R", struct.pack("!i", 0)) + message(b"Z", b"I")


def row(*values: bytes) -> bytes:
    columns = b"".join(b"c\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for _ in values)
    described = message(b"T", struct.pack("!h", len(values)) + columns)
    cells = b"".join(struct.pack("!i", len(value)) + value for value in values)
    data = message(b"D", struct.pack("!h", len(values)) + cells)
    return described + data + message(b"C", b"SELECT 1\0") + message(b"Z", b"I")


PRIMARY = (b"0", b"", b"", b"f")
"""What a primary adds to its figures: how many statements are slow, and that it is behind nobody."""


def pretender(*answers: bytes, for_ever: bytes = b"") -> Handler:
    """A server that lets anyone in and gives these answers, one for each question."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
        writer.write(WELCOME)
        for answer in answers:
            await reader.readexactly(1)
            await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
            writer.write(answer)
        while for_ever:
            writer.write(for_ever)
            await writer.drain()
        await reader.read()

    return handler


class TestAPretender:
    @pytest.mark.parametrize(
        ("answers", "words"),
        [
            ((row(b"1"), row(b"1", b"100", b"15.1", b"f", b"7.5", *PRIMARY)), None),
            (
                (row(b"1"), row(b"a", b"100", b"15.1", b"f", b"7.5", *PRIMARY)),
                "something answered, but not as PostgreSQL would",
            ),
            (
                (row(b"1"), row(b"1", b"0", b"15.1", b"f", b"7.5", *PRIMARY)),
                "something answered, but not as PostgreSQL would",
            ),
            (
                (row(b"1"), row(b"1", b"9", b"15.1", b"f", b"nan", *PRIMARY)),
                "something answered, but not as PostgreSQL would",
            ),
            (
                (row(b"1"), row(b"1", b"9", b"15", b"t", b"1", b"0", b"inf", b"0/1", b"t")),
                "something answered, but not as PostgreSQL would",
            ),
            (
                (row(b"1"), row(b"1", b"9", b"15", b"t", b"1", b"0", b"99", b"0/1';DROP", b"t")),
                "something answered, but not as PostgreSQL would",
            ),
            ((row(b"1"), row(b"1")), "something answered, but not as PostgreSQL would"),
            (
                (row(b"1"), row(b"9" * 5000, b"9", b"15", b"f", b"1", *PRIMARY)),
                "something answered, but not as PostgreSQL would",
            ),
            ((message(b"C", b"SELECT 0\0") + message(b"Z", b"I"),), "gave an answer without a row"),
            ((message(b"I", b"") + message(b"Z", b"I"),), "gave an answer without a row"),
            ((message(b"Z", b"I"),), "did not give one answer"),
            ((row(b"1")[:-6] + row(b"1"),), "did not give one answer"),
            ((message(b"H", b"\0\0\0"),), "gave an answer without a row"),
            ((message(b"E", b"SERROR\0Mno \x1b[31mway\0\0") + message(b"Z", b"I"),), "no way"),
            ((b"!" + bytes(100),), "PostgreSQL at 127.0.0.1:"),
        ],
    )
    def test_is_seen_through(
        self, check: Probing, servers: Servers, answers: tuple[bytes, ...], words: str | None
    ) -> None:
        port = servers.start(pretender(*answers))
        outcome = check(f"host=127.0.0.1 port={port} user=x sslmode=disable")
        assert outcome.status is (Status.FAILING if words else Status.OK), outcome.summary
        assert words is None or words in outcome.summary
        assert outcome.summary.isprintable()

    @pytest.mark.parametrize(
        "for_ever",
        [
            message(b"N", b"SNOTICE\0Mhello\0\0") * 1000,
            row(b"1") * 1000,
            message(b"A", b"\0\0\0\1a\0b\0") * 1000,
        ],
    )
    def test_that_never_ends_is_left(self, check: Probing, servers: Servers, for_ever: bytes) -> None:
        port = servers.start(pretender(b"", for_ever=for_ever))
        outcome = check(f"host=127.0.0.1 port={port} user=x sslmode=disable", 3)
        assert outcome.status is Status.FAILING

    def test_with_one_enormous_row_is_left_before_it_fills_the_memory(
        self, check: Probing, servers: Servers
    ) -> None:
        begun = row(b"1")[: -len(message(b"C", b"SELECT 1\0") + message(b"Z", b"I")) - 11]
        enormous = begun + b"D" + struct.pack("!ihi", 2**30, 1, 2**30 - 10)
        port = servers.start(pretender(enormous, for_ever=b"x" * 65_536))
        outcome = check(f"host=127.0.0.1 port={port} user=x sslmode=disable", 10)
        assert outcome.summary.endswith("sends far more than an answer could hold")

    def test_with_one_enormous_row_of_a_query_is_left_before_it_fills_the_memory(
        self, run: Run, servers: Servers
    ) -> None:
        sent = 0

        async def enormous(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
            writer.write(WELCOME)
            await reader.readexactly(1)
            whole = row(b"1")
            writer.write(whole[: whole.index(b"D\0\0")] + b"D" + struct.pack("!ihi", 2**30, 1, 2**30 - 10))
            with suppress(ConnectionError):
                while sent < 2**30:
                    writer.write(b"x" * 65_536)
                    sent += 65_536
                    await writer.drain()

        port = servers.start(enormous)

        async def fetch() -> None:
            session = await Session.open(f"hostaddr=127.0.0.1 port={port} user=x sslmode=disable")
            try:
                with pytest.raises(Fault, match="sends a row that is far too long"):
                    await session.fetch("SELECT 1")
            finally:
                session.close()

        run(fetch())
        assert sent < 2**28


class TestSettings:
    def test_the_password_is_never_shown(self, check: Probing, servers: Servers) -> None:
        dsn = f"postgresql://watch:hunter22@127.0.0.1:{closed_port()}/x"
        settings = Settings(dsn=dsn)
        assert (
            "hunter22" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        )
        assert "hunter22" not in check(dsn).summary
        said = message(b"E", b"SFATAL\0Mpassword hunter22 is wrong\0\0")
        port = servers.start(pretender(said))

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4)
            writer.write(said)
            await writer.drain()

        port = servers.start(refuse)
        outcome = check(f"postgresql://watch:hunter22@127.0.0.1:{port}/x?sslmode=disable")
        assert outcome.summary.endswith("password *** is wrong")

    @pytest.mark.parametrize(
        ("dsn", "words"),
        [
            ("passw=hunter22", "not a PostgreSQL address"),
            ("host=x hunter22", "not a PostgreSQL address"),
            ("host=a,b,c port=1,2", "one port, or one for each"),
            ("service=main", "service files are not read"),
        ],
    )
    def test_mistakes_are_named_without_quoting(self, dsn: str, words: str) -> None:
        with pytest.raises(ValidationError, match=words) as caught:
            Settings(dsn=dsn)
        assert "hunter22" not in str(caught.value)
