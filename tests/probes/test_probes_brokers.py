"""Redis, NATS, MQTT and RabbitMQ checks against real servers, and against servers that refuse."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from probe_servers import Handler, Run, Servers, says

from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.outcome import Outcome, Status

KINDS = probe_kinds()
Probing = Callable[..., Outcome]


def real(what: str, port: int) -> int:
    """The port of a real server on this machine; skips the test where there is none, fails it in CI."""
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError as error:
        reason = f"no {what} at 127.0.0.1:{port} ({error})"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return port


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(kind: str, port: int, timeout: float = 5, **settings: Any) -> Outcome:
        model = KINDS[kind].settings(**{"host": "127.0.0.1", "port": port, **settings})
        outcome = run(KINDS[kind].run(model, timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def redis_says(info: str) -> Handler:
    """A Redis that answers INFO with these lines."""
    data = info.replace("\n", "\r\n").encode()
    return says(b"+PONG\r\n$%d\r\n%s\r\n" % (len(data), data))


class TestRedis:
    def test_a_real_server_is_ok_and_tells_its_figures(self, check: Probing) -> None:
        outcome = check("redis", real("Redis", 6379), role="master")
        assert outcome.status is Status.OK, outcome.summary
        assert "(master) answered in" in outcome.summary
        assert outcome.metrics["clients"] >= 1
        assert outcome.metrics["memory_used_bytes"] > 100_000
        assert 0 < outcome.metrics["clients_percent"] < 100
        assert set(outcome.phases) == {"connect", "first_byte", "transfer"}

    def test_a_real_server_that_knows_no_password_refuses_ours(self, check: Probing) -> None:
        outcome = check("redis", real("Redis", 6379), username="watch", password="wrong-password")
        assert outcome.status is Status.FAILING
        assert "Redis refuses AUTH" in outcome.summary
        assert "wrong-password" not in outcome.summary

    @pytest.mark.parametrize(
        ("info", "settings", "status", "words"),
        [
            ("role:master", {"role": "replica"}, Status.FAILING, "it is a master, expected a replica"),
            ("used_memory:90\nmaxmemory:100", {}, Status.DEGRADED, "memory 90 % used (limit 80 %)"),
            ("used_memory:90\nmaxmemory:0", {}, Status.OK, "answered"),
            ("connected_clients:99\nmaxclients:100", {}, Status.FAILING, "clients 99 %"),
            ("role:slave\nmaster_link_status:down", {}, Status.FAILING, "the replica has lost its master"),
            (
                "role:slave\nmaster_link_status:up\nmaster_last_io_seconds_ago:60",
                {},
                Status.DEGRADED,
                "nothing from its master for 60 s (limit 30 s)",
            ),
            ("loading:1", {}, Status.DEGRADED, "still loading"),
            ("rdb_last_bgsave_status:err", {}, Status.DEGRADED, "the last write of its snapshot failed"),
            ("used_memory:\x1b[2J\nmaxmemory:nan\nredis_version:\x1b[31m7", {}, Status.OK, "Redis 7 "),
        ],
    )
    def test_what_it_says_of_itself_is_judged(
        self,
        check: Probing,
        servers: Servers,
        info: str,
        settings: dict[str, Any],
        status: Status,
        words: str,
    ) -> None:
        outcome = check("redis", servers.start(redis_says(info)), **settings)
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary


class TestNats:
    def test_a_real_server_is_ok(self, check: Probing) -> None:
        outcome = check("nats", real("NATS", 4222))
        assert outcome.status is Status.OK, outcome.summary
        assert outcome.summary.startswith("NATS 2.")
        assert "jetstream" in outcome.facts

    def test_a_refusal_is_told(self, check: Probing, servers: Servers) -> None:
        port = servers.start(says(b"INFO {}\r\n-ERR 'Authorization Violation'\r\n"))
        outcome = check("nats", port, token="not-the-token")
        assert (outcome.status, outcome.summary) == (
            Status.FAILING,
            f"127.0.0.1:{port}: NATS refuses: 'Authorization Violation'; check the credentials",
        )

    def test_a_server_without_what_is_needed_fails(self, check: Probing, servers: Servers) -> None:
        plain = servers.start(says(b"INFO {}\r\nPONG\r\n"))
        assert "it has no JetStream" in check("nats", plain, jetstream=True).summary
        demanding = servers.start(says(b'INFO {"tls_required":true}\r\n'))
        assert "demands TLS; set tls: true" in check("nats", demanding).summary


class TestMqtt:
    def test_a_real_broker_is_ok(self, check: Probing) -> None:
        outcome = check("mqtt", real("Mosquitto", 1883))
        assert outcome.status is Status.OK, outcome.summary
        assert outcome.summary.startswith("MQTT broker answered in")

    def test_a_real_broker_takes_a_given_id_and_a_long_one(self, check: Probing) -> None:
        port = real("Mosquitto", 1883)
        assert check("mqtt", port, client_id="watchfloor-" + "x" * 180).status is Status.OK

    @pytest.mark.parametrize(
        ("code", "words"),
        [(4, "wrong user name or password"), (5, "not authorised; check the credentials"), (99, "code 99")],
    )
    def test_a_refusal_is_told(self, check: Probing, servers: Servers, code: int, words: str) -> None:
        outcome = check("mqtt", servers.start(says(bytes((0x20, 2, 0, code)))))
        assert outcome.status is Status.FAILING
        assert outcome.summary.endswith(f"refuses: {words}")


class TestRabbitMQ:
    @pytest.fixture
    def queue(self) -> Iterator[str]:
        """A queue of the real broker with three messages and nobody to read them."""
        port = real("RabbitMQ", 5672)
        name = f"watchfloor-test-{uuid4().hex[:8]}"
        declare(port, name, 3)
        yield name
        declare(port, name, -1)

    def test_a_real_broker_is_ok(self, check: Probing) -> None:
        outcome = check("rabbitmq", real("RabbitMQ", 5672))
        assert outcome.status is Status.OK, outcome.summary
        assert outcome.summary.startswith("RabbitMQ 3.")

    def test_queues_are_counted_and_limited(self, check: Probing, queue: str) -> None:
        port = real("RabbitMQ", 5672)
        outcome = check("rabbitmq", port, queues={queue: {"degraded": 3}})
        assert outcome.status is Status.DEGRADED
        assert f"3 messages wait in '{queue}' (limit 3)" in outcome.summary
        assert outcome.metrics[f"messages{{queue={queue}}}"] == 3
        assert outcome.metrics[f"consumers{{queue={queue}}}"] == 0
        outcome = check("rabbitmq", port, queues={queue: {}}, need_consumers=True)
        assert (outcome.status, f"nobody consumes from '{queue}'" in outcome.summary) == (
            Status.FAILING,
            True,
        )

    def test_every_missing_queue_is_named(self, check: Probing, queue: str) -> None:
        settings = {"no-such-queue": {}, queue: {}, "nor-this-{}": {}}
        outcome = check("rabbitmq", real("RabbitMQ", 5672), queues=settings)
        assert outcome.status is Status.FAILING
        assert "queue 'no-such-queue': NOT_FOUND" in outcome.summary
        assert f"messages{{queue={queue}}}" in outcome.metrics

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"password": "wrong-password"}, "RabbitMQ refuses: ACCESS_REFUSED"),
            ({"vhost": "no-such-vhost"}, "RabbitMQ refuses: NOT_ALLOWED"),
        ],
    )
    def test_a_refusal_is_told(self, check: Probing, settings: dict[str, Any], words: str) -> None:
        outcome = check("rabbitmq", real("RabbitMQ", 5672), **settings)
        assert outcome.status is Status.FAILING
        assert words in outcome.summary
        assert "wrong-password" not in outcome.summary


def declare(port: int, name: str, messages: int) -> None:
    """Make a queue of the real broker and publish some messages to it; with -1, delete it."""
    _Admin(port).queue(name, messages)


class _Admin:
    """Just enough of a client that writes, with a blocking socket: nothing of it is shared with the probe."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 5)
        self._socket.settimeout(5)
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._read()
        self._send(
            0, "000a000b" + "00000000" + "05504c41494e" + "0000000c006775657374006775657374" + "05656e5f5553"
        )
        self._read()
        self._send(0, "000a001f" + "0100" + "00020000" + "0000")
        self._send(0, "000a0028" + "012f" + "0000")
        self._read()
        self._send(1, "0014000a00")
        self._read()

    def queue(self, name: str, messages: int) -> None:
        short = f"{len(name):02x}{name.encode().hex()}"
        if messages < 0:
            self._send(1, f"00320028 0000 {short} 00")
        else:
            self._send(1, f"0032000a 0000 {short} 00 00000000")
        self._read()
        for _ in range(messages):
            self._send(1, f"003c0028 0000 00 {short} 00")
            self._send(1, "003c0000 0000000000000001 0000", kind=2)
            self._send(1, "78", kind=3)
        self._send(1, "00140028 00c8 00 0000 0000")  # the broker answers when it has done all of it
        self._read()
        self._socket.close()

    def _send(self, channel: int, payload: str, kind: int = 1) -> None:
        data = bytes.fromhex(payload)
        head = bytes((kind,)) + channel.to_bytes(2, "big") + len(data).to_bytes(4, "big")
        self._socket.sendall(head + data + b"\xce")

    def _read(self) -> bytes:
        head = b""
        while len(head) < 7:
            head += self._socket.recv(7 - len(head))
        body, length = b"", int.from_bytes(head[3:7], "big") + 1
        while len(body) < length:
            body += self._socket.recv(length - len(body))
        return body
