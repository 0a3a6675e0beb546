"""Watched databases: what an address says, to which database a query belongs, and what a row adds up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.databases import Address, DatabaseRow, Known, address_of, databases
from watchfloor.domain.outcome import Status

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def row(
    number: int, name: str, kind: str, hard: Status | None = Status.OK, *, paused: bool = False
) -> HealthRow:
    return HealthRow(
        id=number, name=name, kind=kind, group="", tags=(), hard=hard, status=hard, soft=False, attempt=0,
        max_attempts=3, latency=0.001 * number, recent=b"", uptime_24h=None, since=None,
        checked_at=NOW - timedelta(seconds=number), every=30.0, paused=paused, summary=f"{name} says",
        alert_id=None, acknowledged=False,
    )  # fmt: skip


def dsn(address: str, **more: object) -> Known:
    return Known({"dsn": address}, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "settings", "address"),
    [
        ("postgres", {"dsn": "postgresql://ann:pw@DB.example/shop"}, ("postgres", "db.example:5432", "shop")),
        ("postgres", {"dsn": "postgres://db:6432/shop?sslmode=off"}, ("postgres", "db:6432", "shop")),
        ("postgres", {"dsn": "host=db port=6432 dbname='shop' password=pw"}, ("postgres", "db:6432", "shop")),
        ("postgres", {"dsn": "postgresql://a:p@one:1,two:2/shop"}, ("postgres", "one:1,two:2", "shop")),
        ("query", {"dsn": "mariadb://ann@[::1]:3307/shop"}, ("mysql", "[::1]:3307", "shop")),
        ("query", {"dsn": "postgresql://ann:${file:/run/pw}@db/shop"}, ("postgres", "db:5432", "shop")),
        ("query", {"dsn": "postgresql://ann@${HOST}:${PORT}/shop"}, ("postgres", "${host}:${port}", "shop")),
        ("query", {"dsn": "${SHOP}"}, ("", "${SHOP}", "")),
        ("oracle", {"dsn": "${SHOP}"}, ("oracle", "${SHOP}", "")),
        ("mysql", {"host": "db.example", "database": "shop", "password": "pw"}, ("mysql", "db.example:3306", "shop")),
        ("redis", {"host": "::1", "port": 6380}, ("redis", "[::1]:6380", "")),
    ],
)  # fmt: skip
def test_an_address_says_where_and_never_who(
    kind: str, settings: Mapping[str, object], address: tuple[str, ...]
) -> None:
    found = address_of(kind, settings)
    assert tuple(part.lower() for part in found) == tuple(part.lower() for part in address)
    assert "pw" not in found.words.replace("${file:/run/pw}", "")


def by_name(*pairs: tuple[HealthRow, Known]) -> dict[str, DatabaseRow]:
    found = databases([each for each, _ in pairs], {each.id: known for each, known in pairs})
    return {each.name: each for each in found}


def test_queries_belong_to_the_server_they_are_sent_to() -> None:
    found = by_name(
        (row(1, "main", "postgres"), dsn("postgresql://ann:pw@db/postgres")),
        (row(2, "shop", "postgres"), dsn("postgresql://ann:pw@db/shop")),
        (row(3, "by reference", "oracle"), dsn("${ORA}")),
        (row(4, "of shop", "query", Status.FAILING), dsn("postgresql://bob@db:5432/shop")),
        (row(5, "of another there", "query", Status.DEGRADED), dsn("postgresql://bob@db/other")),
        (row(6, "of oracle", "query"), dsn("${ORA}")),
        (row(7, "needs main", "query", Status.UNKNOWN), dsn("${ELSEWHERE}", needs=("router", "main"))),
        (row(8, "paused", "query", Status.FAILING, paused=True), dsn("postgresql://db/shop")),
        (row(9, "website", "http"), Known({"url": "https://shop"})),
    )
    assert {name: [each.name for each in found[name].queries] for name in found} == {
        "main": ["needs main", "of another there"],
        "shop": ["of shop", "paused"],
        "by reference": ["of oracle"],
    }
    assert found["shop"].over == ("of shop",)
    assert found["main"].over == ("of another there", "needs main")
    assert not found["by reference"].fault


def test_queries_to_a_place_nobody_watches_are_a_database_of_their_own() -> None:
    found = by_name(
        (row(4, "only one", "query"), dsn("mysql://db/a", succeeded=3, judged=4)),
        (row(6, "fine", "query"), dsn("mysql://db/b", succeeded=1, judged=2)),
        (row(5, "bad", "query", Status.FAILING), dsn("mysql://db/b", succeeded=0, judged=6)),
        (row(3, "pending", "query", None), dsn("mysql://db/b")),
    )
    assert set(found) == {"only one", "db:3306/b"}
    shared = found["db:3306/b"]
    assert (shared.id, shared.state, shared.summary, shared.over) == (3, "failing", "bad says", ("bad",))
    assert (shared.success_7d, shared.checks_7d) == (1 / 8, 8)
    assert shared.checked_at == NOW - timedelta(seconds=3)


def test_figures_come_from_the_server_and_a_week_without_an_answer_is_no_failure() -> None:
    figures = {"clients": 3.0, "clients_max": 10_000.0, "replication_lag_seconds": 4.5}
    (found,) = by_name((row(1, "cache", "redis"), Known({"host": "cache"}, metrics=figures))).values()
    assert (found.connections_used, found.connections_max, found.replication_lag) == (3.0, 10_000.0, 4.5)
    assert (found.success_7d, found.checks_7d) == (None, 0)
    assert Address("redis", "cache:6379").words == found.address
