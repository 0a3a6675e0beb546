"""The listener, asked by good clients and by bad ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from strict_openmetrics import read

from support.make import at, definition, make_services, state_row
from support.rules import make_job, make_run
from support.sql import rows
from support.waiting import until
from watchfloor.api import answers, strangers
from watchfloor.api import listener as module
from watchfloor.api.guests import Guest
from watchfloor.api.listener import Listener
from watchfloor.api.openmetrics import CONTENT_TYPE
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.operations import heartbeats
from watchfloor.operations.actor import Actor
from watchfloor.store.database import Database
from watchfloor.store.figures import count_hours
from watchfloor.store.health import clock
from watchfloor.store.results import save_states

OPERATOR = Actor("operator")


class Ready:
    """Why the engine does not work; empty when it does."""

    reason = ""


@pytest.fixture
def ready() -> Ready:
    return Ready()


@pytest.fixture
def listener(dsn: str, ready: Ready) -> Iterator[Listener]:
    made = Listener(dsn, "127.0.0.1", 0, lambda: ready.reason)
    made.start()
    yield made
    made.stop()


async def send(listener: Listener, data: bytes, *, end: bool = False) -> bytes:
    """Everything that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(data)
    if end:
        writer.write_eof()
    try:
        return await reader.read(-1)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


async def ask(
    listener: Listener, path: str, method: str = "GET", body: bytes = b""
) -> tuple[int, bytes, str]:
    """The status, the headers and the text of an answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    answer = await send(listener, head + body)
    headers, _, text = answer.partition(b"\r\n\r\n")
    return int(answer.split(b" ", 2)[1]), headers, text.decode()


async def made_token(database: Database, name: str = "backup") -> str:
    await make_services(database, definition(name, kind="heartbeat", settings={"period": "1h"}))
    return await heartbeats.new_token(database, OPERATOR, name)


async def test_it_says_whether_it_lives_and_whether_it_is_ready(
    database: Database, listener: Listener, ready: Ready
) -> None:
    assert (await ask(listener, "/healthz"))[::2] == (200, "ok\n")
    assert (await ask(listener, "/readyz"))[::2] == (200, "ready\n")
    ready.reason = "waiting for the database"
    assert (await ask(listener, "/readyz"))[::2] == (503, "not ready: waiting for the database\n")
    assert (await ask(listener, "/healthz"))[0] == 200


async def test_what_it_counts_is_strict_openmetrics(database: Database, listener: Listener) -> None:
    await make_services(database, definition('shop "one"\\'), definition("mail"))
    status, headers, text = await ask(listener, "/metrics")
    assert status == 200
    assert f"Content-Type: {CONTENT_TYPE}".encode() in headers
    found = read(text)
    assert found["watchfloor_services", frozenset({("state", "pending")})] == 2
    assert any(name == "watchfloor_info" for name, _ in found)


async def test_a_collector_is_told_of_jobs_and_queues(database: Database, listener: Listener) -> None:
    backup = await make_job(database, "backup", lane="nightly\x1fssd")
    await make_job(database, "other")
    await make_run(database, backup, at(0), None, "running")
    await make_run(database, backup, at(60), at(90), "dead")
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE runs SET lane = 'nightly', finished_at = finished_at - (SELECT max(finished_at) FROM runs) + now()"
        )
        await connection.execute(
            "INSERT INTO dead_letters SELECT id, 'gone', now() FROM runs WHERE state = 'dead'"
        )
        await count_hours(connection, await clock(connection))
    found = read((await ask(listener, "/metrics"))[2])

    def value(name: str, **labels: str) -> float:
        return found[f"watchfloor_{name}", frozenset(labels.items())]

    whose = {"job": "backup", "queue": "nightly"}
    assert value("job_running", **whose) == 1
    assert value("job_runs_last_day", **whose, outcome="dead") == 1
    assert value("job_runs_last_day", job="other", queue="default", outcome="succeeded") == 0
    assert value("queue_runs", queue="nightly", state="running") == 1
    assert value("queue_runs", queue="default", state="ready") == 0
    assert value("queue_oldest_ready_seconds", queue="nightly") == 0
    assert value("dead_letters") == 1


async def test_every_way_to_ping_is_heard(database: Database, listener: Listener) -> None:
    token = await made_token(database)
    assert (await ask(listener, f"/ping/{token}/start?rid=abc", "HEAD"))[::2] == (200, "")
    assert (await ask(listener, f"/ping/{token}?rid=abc", "POST", b"all is well"))[::2] == (200, "OK\n")
    assert (await ask(listener, f"/ping/{token}/fail"))[0] == 200
    assert (await ask(listener, f"/ping/{token}/7", "POST", b"x" * 50_000 + b"end"))[0] == 200
    assert (await ask(listener, f"/ping/{token}/0"))[0] == 200
    assert (await ask(listener, f"/ping/{token}/log", "POST", b"\x1b[31mred\xff"))[0] == 200
    found = await rows(
        database, "SELECT signal, exit_status, run_id, source, right(body, 11), took_us IS NULL FROM heartbeat_pings "
        "ORDER BY seq"
    )  # fmt: skip
    here = "http 127.0.0.1"
    assert found[:3] == [
        ("start", None, "abc", here, "", True),
        ("success", None, "abc", here, "all is well", False),
        ("fail", None, None, here, "", True),
    ]
    assert found[3][:3] == ("fail", 7, None)
    assert found[3][4].endswith("end")
    assert found[4][:2] == ("success", 0)
    assert found[5][4] == "red�"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/ping/unknown", "GET", 404),
        ("/ping/unknown/other", "GET", 404),
        ("/ping/" + "a" * 101, "GET", 404),
        ("/metrics", "POST", 405),
        ("/ping/unknown", "DELETE", 405),
        ("/" + "a" * 3000, "GET", 414),
    ],
)
async def test_what_is_not_there_is_refused(
    database: Database, listener: Listener, path: str, method: str, status: int
) -> None:
    assert (await ask(listener, path, method))[0] == status


async def test_bad_words_are_refused_with_the_reason(database: Database, listener: Listener) -> None:
    token = await made_token(database)
    status, _, text = await ask(listener, f"/ping/{token}?rid=a%20b")
    assert (status, "run id" in text) == (400, True)
    status, _, text = await ask(listener, f"/ping/{token}/999")
    assert (status, "exit status" in text) == (400, True)
    assert await rows(database, "SELECT * FROM heartbeat_pings") == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(5000)), 431),
        (
            b"POST /ping/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: " + b"a" * 500_000,
            431,
        ),
        (b"POST /ping/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;" + b"a" * 500_000, 431),
        (b"POST /ping/x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"a" * 1_200_000, 413),
        (b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
    ],
)
async def test_a_hostile_request_is_refused_and_harms_nobody(
    database: Database, listener: Listener, data: bytes, status: int
) -> None:
    answer = await send(listener, data)
    # A client that still sends when it is refused may lose the answer: that the connection ends is enough.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 %d " % status)
    assert (await ask(listener, "/healthz"))[0] == 200


async def test_half_a_request_is_refused_and_a_client_that_only_knocks_gets_nothing(
    listener: Listener,
) -> None:
    assert (await send(listener, b"GET / HT", end=True)).startswith(b"HTTP/1.1 400 ")
    assert await send(listener, b"", end=True) == b""


async def test_clients_that_drip_are_cut_off_and_keep_nobody_out(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_S", 0.3)
    monkeypatch.setattr(module, "AT_ONCE", 3)
    dripping = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
    for _, writer in dripping:
        writer.write(b"G")
    await until(lambda: listener._guests.count == 3)
    assert (await send(listener, b"GET /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    (first, _), *others = dripping
    assert (await first.read(-1)).startswith(b"HTTP/1.1 503 ")  # the oldest had to go
    for reader, _ in others:
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 408 ")
    for _, writer in dripping:
        writer.transport.abort()
    await until(lambda: listener._guests.count == 0)


async def test_who_is_being_answered_stays_and_who_is_turned_away_keeps_nobody_out(
    database: Database, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_S", 30.0)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    token = await made_token(database)
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM heartbeats FOR UPDATE")
        asking = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
        for _, writer in asking:
            writer.write(f"GET /ping/{token} HTTP/1.1\r\n\r\n".encode())
        await until(lambda: sum(each.busy for each in guests(listener)) == 2)
        staying = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
        for reader, _ in staying:
            assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        assert await send(listener, b"GET /healthz HTTP/1.1\r\n\r\n") == b""  # too many even to be told
    for reader, writer in asking:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()
    assert (await ask(listener, "/healthz"))[0] == 200
    for _, writer in staying:
        writer.transport.abort()


def guests(listener: Listener) -> list[Guest]:
    return [each for crowd in list(listener._guests._by_address.values()) for each in list(crowd)]


async def test_thousands_of_idle_connections_are_bounded_and_keep_nobody_out(
    database: Database, listener: Listener
) -> None:
    token = await made_token(database)
    idle: list[asyncio.StreamWriter] = []
    try:
        for n in range(2_500):
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            idle.append(writer)
            writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            if n % 500 == 499:
                assert (await ask(listener, f"/ping/{token}"))[0] == 200
                assert listener._guests.count <= module.AT_ONCE
                for gone in idle[: -module.AT_ONCE]:
                    gone.transport.abort()
    finally:
        for writer in idle:
            writer.transport.abort()


async def test_a_whole_log_may_be_sent_and_its_end_is_kept(database: Database, listener: Listener) -> None:
    token = await made_token(database)
    assert (await ask(listener, f"/ping/{token}", "POST", b"x" * 3_000_000 + b"the end"))[0] == 200
    chunked = f"POST /ping/{token}/log HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(chunked.encode())
    assert await reader.readuntil(b"\r\n\r\n") == module.GO_ON
    writer.write(b"".join(b"4\r\nbits\r\n" for _ in range(20_000)) + b"0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.transport.abort()
    found = await rows(
        database, "SELECT length(body), right(body, 7) FROM heartbeat_pings ORDER BY seq"
    )  # fmt: skip
    assert found == [(10_000, "the end"), (10_000, "itsbits")]


async def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(listener: Listener) -> None:
    announced = b"POST /ping/x HTTP/1.1\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    assert (await send(listener, announced)).startswith(b"HTTP/1.1 413 ")


async def test_wrong_tokens_are_bounded_and_a_right_one_is_heard_all_the_same(
    database: Database, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "DIGESTS_S", 0.0)
    token = await made_token(database)
    old = token
    told = [(await ask(listener, f"/ping/wrong-{n}"))[::2] for n in range(strangers.BURST + 3)]
    assert set(told[: strangers.BURST]) == {(404, "there is nothing here\n")}
    status, headers, text = await ask(listener, "/ping/wrong")
    assert (status, text, b"Retry-After: 5" in headers) == (
        429,
        "too many wrong tokens from this address\n",
        True,
    )
    assert (await ask(listener, f"/ping/{token}"))[0] == 200
    fresh = await heartbeats.new_token(database, OPERATOR, "backup")
    assert (await ask(listener, f"/ping/{fresh}"))[0] == 200
    assert (await ask(listener, f"/ping/{old}"))[0] == 429
    assert len(await rows(database, "SELECT * FROM heartbeat_pings")) == 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\n\r\n\x16\x03\x01 no request at all", 200),
        (b"HEAD /healthz HTTP/1.0\r\n\r\nPOST /ping/x HTTP/1.1\r\n\r\n", 200),
        (b"GET http://elsewhere.example/healthz HTTP/1.1\r\n\r\n", 200),
        (b"GET /healthz\r\n\r\n", 400),
        (b"PUT /ping/x HTTP/1.1\r\n\r\n", 405),
        (b"GET /../healthz HTTP/1.1\r\n\r\n", 404),
        (b"GET /ping/%2e%2e/%2e%2e/metrics HTTP/1.1\r\n\r\n", 404),
        (b"GET /ping/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n\r\n", 404),
        (b"GET //healthz HTTP/1.1\r\n\r\n", 404),
        (b"GET /healthz%00 HTTP/1.1\r\n\r\n", 404),
        (b"GET /ping/a?rid=%ff%fe HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"POST /ping/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /ping/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"GET /heal thz HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
async def test_one_connection_has_one_answer_whatever_it_says(
    database: Database, listener: Listener, data: bytes, status: int
) -> None:
    answer = await send(listener, data, end=True)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_hostile_names_are_told_as_labels_that_a_strict_reader_takes(
    database: Database, listener: Listener
) -> None:
    names = ['"} 1\n# EOF', "back\\slash", "größe ✓ \U0001f4be", '{a="b"}', "\u202edrow"]
    made = await make_services(database, *(definition(name, group_name=name) for name in names))
    fine = CheckState(Status.OK, Status.OK)
    async with database.transaction() as connection:
        await save_states(connection, [state_row(each.id, state=fine) for each in made.values()])
    found = read((await ask(listener, "/metrics"))[2])
    told = {dict(labels).get("service") for _, labels in found}
    assert set(names) <= told


async def test_a_database_that_is_away_is_said_and_the_token_is_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = Listener("host=127.0.0.1 port=1 dbname=x user=x", "127.0.0.1", 0, lambda: "")
    away.start()
    try:
        with caplog.at_level(logging.DEBUG):
            status, headers, text = await ask(away, "/ping/kept-secret-token")
        assert (status, b"Retry-After: 5" in headers) == (503, True)
        assert "database is away" in text
        assert (await ask(away, "/readyz"))[0] == 503
        assert (await ask(away, "/healthz"))[0] == 200
        assert "kept-secret-token" not in caplog.text + text
    finally:
        away.stop()


def test_an_address_that_is_taken_is_told(listener: Listener) -> None:
    with pytest.raises(OSError):
        Listener("dbname=x", "127.0.0.1", listener.port, lambda: "").start()
