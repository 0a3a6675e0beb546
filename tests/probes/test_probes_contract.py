"""The contract of every probe, held for every kind: in time, leaving nothing behind, whatever the target does."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import probe_servers as hostile
import pytest
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers

from support.waiting import until_now
from watchfloor.config.base import Settings
from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.outcome import PHASES, Outcome, Status
from watchfloor.domain.settings import SETTINGS, SettingKind
from watchfloor.domain.text import one_line
from watchfloor.probes import file as file_probe
from watchfloor.probes import host as host_probe
from watchfloor.probes import ping as ping_probe
from watchfloor.probes import process as process_probe
from watchfloor.probes import programs
from watchfloor.probes.checking import Fault
from watchfloor.probes.host_sample import Sample
from watchfloor.probes.limits import Limits

SECRET = "s3cr3t-of-the-probe"
TIMEOUT = 0.3
ALLOWED_OVERTIME = 0.1

KINDS = probe_kinds()
THRESHOLDS = {setting.key: setting for setting in SETTINGS if setting.key.startswith("thresholds.")}


@dataclass(frozen=True)
class Case:
    """One way to use a kind against a port, and how a friendly answer to it would begin."""

    kind: str
    settings: Callable[[int], dict[str, Any]]
    beginning: bytes
    every: float = 0.05
    """The seconds between two bytes of that answer, where it would be over too soon."""
    datagrams: bool = False
    """Whether it speaks UDP: then a port that never answers is one that only listens."""
    tells: bool = True
    """Whether the secret is among what it sends; what it does not know, it cannot hide."""

    def make(self, port: int) -> Settings:
        return KINDS[self.kind].settings(**self.settings(port))

    async def probe(self, port: int, timeout: float = TIMEOUT) -> Outcome:
        outcome = await KINDS[self.kind].run(self.make(port), timeout)
        assert isinstance(outcome, Outcome)
        return outcome


CASES = {
    "http": Case(
        "http",
        lambda port: {
            "url": f"http://127.0.0.1:{port}/",
            "headers": {"Authorization": f"Bearer {SECRET}"},
            "body_contains": "wanted",
        },
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
    ),
    "http body": Case(
        "http",
        lambda port: {
            "url": f"http://127.0.0.1:{port}/",
            "headers": {"X-Key": SECRET},
            "body_regex": "(a*)*b",
        },
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
    ),
    "https": Case(
        "http", lambda port: {"url": f"https://127.0.0.1:{port}/"}, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
    ),
    "tcp": Case(
        "tcp",
        lambda port: {"host": "127.0.0.1", "port": port, "send": f"AUTH {SECRET}\r\n", "expect": "+PONG"},
        b"+WAIT ",
    ),
    "tcp tls": Case(
        "tcp",
        lambda port: {"host": "127.0.0.1", "port": port, "tls": True, "expect": "+PONG"},
        b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc",
    ),
    "tls": Case(
        "tls", lambda port: {"host": "127.0.0.1", "port": port}, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
    ),
    "postgres": Case(
        "postgres",
        lambda port: {"dsn": f"postgresql://watch:{SECRET}@127.0.0.1:{port}/postgres?sslmode=disable"},
        b"R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x15",
    ),
    "postgres tls": Case(
        "postgres",
        lambda port: {"dsn": f"postgresql://watch:{SECRET}@127.0.0.1:{port}/postgres?sslmode=require"},
        b"S\x16\x03\x03\x40\x00\x02\x00\x3f\xfc",
    ),
    "redis": Case(
        "redis",
        lambda port: {"host": "127.0.0.1", "port": port, "password": SECRET},
        b"+OK\r\n+PONG\r\n$90\r\n",
    ),
    "nats": Case(
        "nats", lambda port: {"host": "127.0.0.1", "port": port, "token": SECRET}, b"INFO {}\r\n+OK\r\n"
    ),
    "mqtt": Case(
        "mqtt",
        lambda port: {"host": "127.0.0.1", "port": port, "username": "watch", "password": SECRET},
        b"\x20\x02\x00\x00\xd0",
        every=0.2,
    ),
    "rabbitmq": Case(
        "rabbitmq",
        lambda port: {"host": "127.0.0.1", "port": port, "password": SECRET},
        b"\x01\x00\x00\x00\x00\x00\x50\x00\x0a\x00\x0a",
    ),
    "kafka": Case(
        "kafka",
        lambda port: {"host": "127.0.0.1", "port": port, "username": "watch", "password": SECRET},
        b"\x00\x00\x00\x90\x00\x00\x00\x01",
    ),
    "mysql": Case(
        "mysql",
        lambda port: {"host": "127.0.0.1", "port": port, "password": SECRET},
        b"\x4a\x00\x00\x00\x0a5.5.5-",
    ),
    "query mysql": Case(
        "query",
        lambda port: {"dsn": f"mysql://watch:{SECRET}@127.0.0.1:{port}/shop", "sql": "SELECT 1"},
        b"\x4a\x00\x00\x00\x0a5.5.5-",
    ),
    "query postgres": Case(
        "query",
        lambda port: {
            "dsn": f"postgresql://watch:{SECRET}@127.0.0.1:{port}/shop?sslmode=disable",
            "sql": "SELECT 1",
        },
        b"R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x15",
    ),
    "dns": Case(
        "dns",
        lambda port: {"domain": "example.com", "resolver": "127.0.0.1", "port": port},
        b"",
        tells=False,
        datagrams=True,
    ),
    "dns tcp": Case(
        "dns",
        lambda port: {"domain": "example.com", "resolver": "127.0.0.1", "port": port, "transport": "tcp"},
        b"\x01\x00",
        tells=False,
    ),
    "grpc": Case(
        "grpc",
        lambda port: {"host": "127.0.0.1", "port": port},
        b"\x00\x00\x06\x04\x00\x00\x00\x00\x00",
        tells=False,
    ),
    "ssh": Case("ssh", lambda port: {"host": "127.0.0.1", "port": port}, b"SSH-2.0-", tells=False),
    "mail": Case(
        "mail",
        lambda port: {"host": "127.0.0.1", "port": port, "protocol": "smtp", "starttls": True},
        b"220 hello\r\n250-",
        tells=False,
    ),
    "websocket": Case(
        "websocket",
        lambda port: {"url": f"ws://127.0.0.1:{port}/", "send": SECRET, "headers": {"X-Key": SECRET}},
        b"HTTP/1.1 101 Yes\r\nX-Slow: ",
    ),
}

LOCAL = {"host", "command", "file", "ping", "process", "systemd"}
"""Kinds that look at this machine; what may hang there are calls into the kernel, and programs."""

ASKS_NOBODY = {"heartbeat"}  # it waits for what is reported
BLOCKING = {"sqlserver", "oracle"}
"""Kinds whose drivers block: what they leave behind is a thread, until the driver's own time-out."""

NOISE = random.Random(7)
HOSTILE: dict[str, Handler] = {
    "hangs up": hostile.hangs_up,
    "resets": hostile.resets,
    "echoes": hostile.echo,
    "zeros": hostile.says(bytes(70_000)),
    "noise": hostile.says(NOISE.randbytes(70_000)),
    "one endless line": hostile.says(b"A" * 10_000_000),
    "line ends": hostile.says(b"\r\n" * 50_000),
    "terminal sequences": hostile.says(
        b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae" + SECRET.encode() + b"\r\n\r\n"
    ),
    "http 0.9": hostile.says(b"<html>" + SECRET.encode() + b"</html>"),
    "status line": hostile.says(b"HTTP/1.1 999999 \x1b[31m" + SECRET.encode() + b"\r\n\r\n"),
    "two lengths": hostile.says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nwanted"),
    "bad chunks": hostile.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwanted\r\n"),
    "huge chunk": hostile.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
    "interim for ever": hostile.floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "flood": hostile.floods(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536),
    "postgres error": hostile.says(
        b"E\x00\x00\x40\x00SFATAL\x00M\x1b[31m" + SECRET.encode() + b"\x00\x00" + bytes(16384)
    ),
    "no length": hostile.says(b"$99999999999999999999\r\n"),
    "huge lengths": hostile.says(b"\x7f\xff\xff\xff\x00\x00\x00\x01" + b"\xff" * 70_000),
    "half a frame": hostile.says(b"\x01\x00\x00\x00\x00\x00\x50\x00\x0a\x00\x0a"),
    "deep greeting": hostile.says(b"INFO " + b"[" * 50_000 + b"\r\n"),
    "endless greeting": hostile.floods(b"220-hello\r\n", b"220-\x1b[2J" + SECRET.encode() + b"\r\n"),
    "refusal": hostile.says(b"-ERR \x1b[31m" + SECRET.encode() + b"\r\n"),
    "upgrade": hostile.says(b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x7f" + b"\xff" * 9),
    "mysql greeting": hostile.says(
        b"\x4a\x00\x00\x00\x0a8.0\x00" + b"x" * 71 + b"\x07\x00\x00\x02\xfeother\x00"
    ),
    "mysql error": hostile.says(b"\x40\x00\x00\x00\xff\x15\x04#28000\x1b[31m" + SECRET.encode() + bytes(80)),
    "tls alert": hostile.says(b"\x15\x03\x03\x00\x02\x02\x28"),
}


@pytest.fixture(scope="module", params=[*HOSTILE])
def hostile_port(request: pytest.FixtureRequest, servers: Servers) -> int:
    """The port of a server that does one hostile thing."""
    return servers.start(HOSTILE[request.param])


def decent(outcome: Outcome, *, tells: bool = True) -> None:
    """Assert what holds of every outcome of a check, which may have told the target the secret."""
    assert outcome.status in Status
    assert outcome.summary
    assert outcome.summary == one_line(outcome.summary, 200)
    everything = json.dumps(
        [outcome.summary, dict(outcome.facts), dict(outcome.metrics), dict(outcome.phases)]
    )
    assert not tells or SECRET not in everything
    assert set(outcome.phases) <= set(PHASES)
    assert all(duration >= 0 for duration in outcome.phases.values())
    assert outcome.latency is None or outcome.latency >= 0


class LoopLag:
    """Measures how late this machine runs the loop's own timers, so that a busy machine fails no test."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> LoopLag:
        self._tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._measure()
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self) -> None:
        if self._due:
            self.worst = max(self.worst, time.perf_counter() - self._due)

    def _tick(self) -> None:
        self._measure()
        self._due = time.perf_counter() + 0.01
        self._timer = asyncio.get_running_loop().call_later(0.01, self._tick)


async def timely(probe: Awaitable[Outcome], timeout: float = TIMEOUT) -> tuple[Outcome, float]:
    """Return the outcome of a probe and how long it took, having asserted that it kept the time limit."""
    with LoopLag() as lag:
        began = time.perf_counter()
        outcome = await probe
        took = time.perf_counter() - began
    assert took - lag.worst <= timeout + ALLOWED_OVERTIME, f"loop lag was {lag.worst:.3f} s"
    return outcome, took


def open_files() -> set[str]:
    """The open files of this process, told apart by what they are."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # the directory's own
    return {name for name in found if name.startswith("socket:")}


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition for at most five seconds."""
    deadline = time.perf_counter() + 5
    while not condition():
        assert time.perf_counter() < deadline, what
        await asyncio.sleep(0.005)


@contextmanager
def unanswering(how: str, case: Case, servers: Servers) -> Iterator[int]:
    """A port that never answers, in one of several ways."""
    with ExitStack() as stack:
        if case.datagrams:
            listening = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            listening.bind(("127.0.0.1", 0))
            yield int(listening.getsockname()[1])
        elif how == "never accepts":
            yield stack.enter_context(hostile.full_backlog())
        elif how == "says nothing":
            yield servers.start(hostile.silent)
        else:
            yield servers.start(hostile.drips(case.beginning, every=case.every))


UNANSWERING = ("never accepts", "says nothing", "one byte now and then")


def test_every_registered_kind_is_held_to_the_contract() -> None:
    assert {case.kind for case in CASES.values()} | LOCAL | BLOCKING | ASKS_NOBODY == set(KINDS)


@pytest.mark.parametrize("name", CASES)
def test_the_time_limit_is_kept_within_100_ms(run: Run, servers: Servers, name: str) -> None:
    case = CASES[name]

    async def all_at_once(ports: list[int]) -> list[tuple[Outcome, float]]:
        return list(await asyncio.gather(*(timely(case.probe(port)) for port in ports)))

    with ExitStack() as stack:
        ports = [stack.enter_context(unanswering(how, case, servers)) for how in UNANSWERING]
        for how, (outcome, took) in zip(UNANSWERING, run(all_at_once(ports)), strict=True):
            decent(outcome)
            assert outcome.status is Status.FAILING, how
            assert "timed out after 300 ms while" in outcome.summary, how
            assert took >= TIMEOUT - 0.01, how


@pytest.mark.parametrize("how", UNANSWERING)
@pytest.mark.parametrize("name", CASES)
def test_cancelling_leaves_nothing_behind(run: Run, servers: Servers, name: str, how: str) -> None:
    case = CASES[name]

    async def cancelled() -> None:
        files, tasks, threads = open_files(), asyncio.all_tasks(), set(threading.enumerate())
        check = asyncio.ensure_future(case.probe(port, 30))
        await until(lambda: open_files() != files, "the probe opened no socket")
        for _ in range(20):
            await asyncio.sleep(0)  # let it get as far as it can
        check.cancel()
        async with asyncio.timeout(10):  # far less than it had to find out
            with pytest.raises(asyncio.CancelledError):
                await check
        await until(lambda: open_files() <= files, "a socket is still open")
        assert asyncio.all_tasks() == tasks
        assert set(threading.enumerate()) <= threads

    with unanswering(how, case, servers) as port:
        run(cancelled())


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.008])
@pytest.mark.parametrize("name", CASES)
def test_cancelling_at_any_moment_leaves_nothing_behind(
    run: Run, servers: Servers, authority: Authority, name: str, delay: float
) -> None:
    tls = authority.server("127.0.0.1") if name in ("https", "tcp tls", "tls") else None
    port = servers.start(hostile.echo, tls)

    async def cancelled() -> None:
        files, tasks = open_files(), asyncio.all_tasks()
        check = asyncio.ensure_future(CASES[name].probe(port, 30))
        await asyncio.sleep(delay)
        check.cancel()
        await asyncio.wait([check])
        await until(lambda: open_files() <= files, "a socket is still open")
        assert asyncio.all_tasks() == tasks

    run(cancelled())


@pytest.mark.parametrize("name", CASES)
def test_hostile_targets_yield_a_decent_outcome_and_leave_nothing_behind(
    run: Run, hostile_port: int, name: str
) -> None:
    async def attacked() -> None:
        files, tasks = open_files(), asyncio.all_tasks()
        outcome, _ = await timely(CASES[name].probe(hostile_port, 1.0), 1.0)
        decent(outcome, tells=CASES[name].tells)
        assert outcome.status is not Status.OK
        await until(lambda: open_files() <= files, "a socket is still open")
        assert asyncio.all_tasks() == tasks

    run(attacked())


@pytest.mark.parametrize("name", CASES)
def test_a_closed_port_is_refused_at_once(run: Run, name: str) -> None:
    outcome = run(CASES[name].probe(hostile.closed_port(), 5))
    decent(outcome)
    assert outcome.status is Status.FAILING
    assert "connection refused" in outcome.summary.lower()


@pytest.mark.parametrize(
    "name",
    ["http", "http body", "postgres", "redis", "nats", "mqtt", "rabbitmq", "kafka", "mysql", "query mysql"],
)
def test_settings_do_not_give_secrets_away(name: str) -> None:
    settings = CASES[name].make(1)
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    model = KINDS[kind].settings
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_that_product_settings_limit_is_what_they_mean(kind: str) -> None:
    """The thresholds of the product settings apply to every figure of the same name that a service does not limit."""
    for name, field in KINDS[kind].settings.model_fields.items():
        known = THRESHOLDS.get(f"thresholds.{name}.warning")
        if known is not None and isinstance(field.default, Limits):
            unit = "percent" if known.kind is SettingKind.PERCENT else "seconds"
            assert unit in (field.description or ""), name


class TestHost:
    """The host is no network target; what may hang there are calls into the kernel."""

    def test_a_dead_mount_costs_one_thread_and_no_time(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()
        monkeypatch.setattr(host_probe, "disk_used_percent", lambda mount: float(released.wait(30)))
        settings = host_probe.Settings(disks={"/a-dead-mount": {}}, ignore_disks=["/"])

        async def several() -> None:
            before = threading.active_count()
            for _ in range(4):
                outcome, _ = await timely(host_probe.probe(settings, TIMEOUT))
                decent(outcome)
                assert outcome.status is Status.FAILING
                assert "disk /a-dead-mount does not answer" in outcome.summary
            assert threading.active_count() <= before + 2  # this mount's, and the one that samples
            assert len(asyncio.all_tasks()) == 1

        try:
            run(several())
        finally:
            released.set()

    def test_a_machine_that_does_not_answer_is_a_time_out(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()
        take = host_probe.take

        def take_late() -> Sample:
            released.wait(30)
            return take()  # what comes at last is a sample like any other, kept for the next check

        monkeypatch.setattr(host_probe, "take", take_late)

        try:
            outcome, _ = run(timely(host_probe.probe(host_probe.Settings(), TIMEOUT)))
            decent(outcome)
            assert outcome.summary == "timed out after 300 ms while reading the figures of this machine"
        finally:
            released.set()
            run(host_probe._sampling.call("sample", take_late))  # the hanging look ends before the next test


class TestBlockingDrivers:
    @pytest.mark.parametrize("kind", sorted(BLOCKING))
    def test_the_time_limit_is_kept_and_threads_are_bounded(
        self, run: Run, servers: Servers, kind: str
    ) -> None:
        settings = KINDS[kind].settings(
            dsn=f"{kind}://watch:{SECRET}@127.0.0.1:{servers.start(hostile.silent)}/x"
        )

        async def several() -> None:
            before = threading.active_count()
            for _ in range(3):
                outcome, _ = await timely(KINDS[kind].run(settings, TIMEOUT))
                decent(outcome)
                assert "timed out after 300 ms while waiting for an answer from" in outcome.summary
            assert threading.active_count() <= before + 1

        run(several())

    @pytest.mark.parametrize("kind", sorted(BLOCKING))
    def test_a_closed_port_is_refused_at_once_and_nothing_is_shown(self, run: Run, kind: str) -> None:
        settings = KINDS[kind].settings(dsn=f"{kind}://watch:{SECRET}@127.0.0.1:{hostile.closed_port()}/x")
        assert SECRET not in repr(settings) + settings.model_dump_json()
        outcome = run(KINDS[kind].run(settings, 5))
        decent(outcome)
        assert outcome.status is Status.FAILING
        assert "connection refused" in outcome.summary


STUCK = {
    "sleeps": "sleep 600",
    "ignores being asked to end": "trap '' TERM HUP INT; while :; do sleep 600; done",
    "prints now and then": "while :; do echo line; sleep 0.05; done",
    "children in the group": "sleep 600 & sleep 600 & wait",
    "a child that left the session": "setsid sh -c 'sleep 600; true' & wait",
    "a double fork that left the session": "(setsid sh -c 'setsid sleep 600; true' &) ; sleep 600",
}


def processes_with(mark: str) -> set[int]:
    """The processes of this machine that were started with a variable of this value, and have not ended."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark.encode() in file.read():
                    found.add(int(pid))
        except OSError:
            continue  # it has ended
    return found


def open_pipes() -> set[str]:
    """The pipes and process handles that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith(("pipe:", "anon_inode:[pidfd]"))}


class TestCommand:
    """The contract of programs: in time, and nothing of them is left."""

    def check(self, script: str, mark: str, timeout: float) -> Awaitable[Outcome]:
        settings = KINDS["command"].settings(command=["sh", "-c", script], env={"TEST_MARK": mark})
        return KINDS["command"].run(settings, timeout)

    @pytest.mark.parametrize("how", STUCK)
    def test_the_time_limit_is_kept_and_nothing_is_left(self, run: Run, how: str) -> None:
        mark = f"{SECRET}-{how}-{uuid4()}"

        async def stuck() -> None:
            await self.check("true", mark, 10)  # the thread that goes before is kept
            pipes, tasks, threads = open_pipes(), asyncio.all_tasks(), set(threading.enumerate())
            outcome, took = await timely(self.check(STUCK[how], mark, TIMEOUT))
            decent(outcome)
            assert outcome.summary == "timed out after 300 ms while running sh"
            assert took >= TIMEOUT - 0.01
            await until(lambda: not processes_with(mark), "a process is still there")
            await until(lambda: open_pipes() <= pipes, "a pipe is still open")
            assert asyncio.all_tasks() == tasks
            assert set(threading.enumerate()) == threads

        run(stuck())

    @pytest.mark.parametrize("how", STUCK)
    def test_cancelling_leaves_nothing_behind(self, run: Run, how: str) -> None:
        mark = f"{how}-{uuid4()}"

        async def cancelled() -> None:
            pipes, tasks = open_pipes(), asyncio.all_tasks()
            check = asyncio.ensure_future(self.check(STUCK[how], mark, 30))
            await until(lambda: bool(processes_with(mark)), "the program was not started")
            check.cancel()
            with pytest.raises(asyncio.CancelledError):
                await check
            await until(lambda: not processes_with(mark), "a process is still there")
            await until(lambda: open_pipes() <= pipes, "a pipe is still open")
            assert asyncio.all_tasks() == tasks

        run(cancelled())

    @pytest.mark.parametrize(
        "script",
        [
            "sleep 600 & echo done",  # keeps the output open
            "(setsid sleep 600 &); echo done",
            "(setsid sleep 600 >/dev/null 2>&1 &); echo done",
            "exec 3>&1; (setsid sh -c 'sleep 600; sleep 600' 1>&3 &); echo done",
        ],
    )
    def test_children_that_outlive_the_program_are_not_waited_for(self, run: Run, script: str) -> None:
        mark = f"outlives-{uuid4()}"

        async def ends() -> None:
            outcome, took = await timely(self.check(script, mark, 20), 20)
            assert (outcome.status, outcome.summary.partition(" in ")[0]) == (Status.OK, "done")
            assert took < 10
            await until(lambda: not processes_with(mark), "a process is still there")

        run(ends())

    def test_a_child_that_is_between_two_programs_does_not_escape(self, run: Run, tmp_path: Path) -> None:
        mark, told = f"between-{uuid4()}", tmp_path / "told"
        child = f"echo $$ >{told}; sleep 0.4; exec env WATCHFLOOR_CHECK=$WATCHFLOOR_CHECK sleep 600"
        script = f'(setsid env -i sh -c "{child.replace("$$", chr(92) + "$" + chr(92) + "$")}" &)'
        script += f"; until test -s {told}; do sleep 0.05; done; echo done"

        async def ends() -> None:
            outcome, _ = await timely(self.check(script, mark, 20), 20)
            assert outcome.status is Status.OK, outcome.summary
            pid = told.read_text().strip()
            await until(lambda: not Path(f"/proc/{pid}/exe").exists(), "the child is still there")

        run(ends())

    @pytest.mark.parametrize("script", ["yes", "yes >&2", "cat /dev/zero", "cat /dev/urandom"])
    def test_a_program_that_prints_without_end_is_ended(self, run: Run, script: str) -> None:
        outcome, _ = run(timely(self.check(script, "x" * 8, 5), 5))
        decent(outcome)
        assert (outcome.status, outcome.summary) == (Status.UNKNOWN, "the program writes more than 1 MiB")

    def test_what_it_prints_is_made_safe_and_gives_nothing_away(self, run: Run) -> None:
        said = r"\033]0;owned\007CRIT \033[31m%s\342\200\256 | '%s'=1\n%s"
        script = f'printf "{said}" "$TEST_MARK" "$TEST_MARK" "$TEST_MARK"; exit 2'
        outcome = run(self.check(script, SECRET, 5))
        decent(outcome)
        assert outcome.status is Status.FAILING
        assert outcome.summary.startswith("CRIT ***")
        assert "value{label=***}" in outcome.metrics

    def test_it_sees_nothing_of_the_environment_of_this_program(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WATCHFLOOR_DB_PASSWORD", SECRET)
        outcome = run(self.check("env", "x" * 8, 5))
        assert SECRET not in outcome.summary + str(outcome.facts)
        assert "TEST_MARK" in outcome.summary + str(outcome.facts)


class TestPing:
    """A machine that does not answer pings."""

    @pytest.fixture(autouse=True)
    def unheard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        try:
            ping_probe.Echo("127.0.0.1").__exit__()
        except Fault as fault:
            pytest.skip(fault.summary)
        monkeypatch.setattr(ping_probe.Echo, "_answers", lambda *_: False)

    def test_the_time_limit_is_kept_and_nothing_is_left(self, run: Run) -> None:
        async def unanswered() -> None:
            files = open_files()
            outcome, _ = await timely(ping_probe.probe(ping_probe.Settings(host="127.0.0.1"), TIMEOUT))
            decent(outcome)
            assert outcome.summary == (
                "127.0.0.1 does not answer: 100 % of the pings were lost (limit 100 %)"
            )
            assert open_files() <= files

        run(unanswered())

    def test_cancelling_leaves_nothing_behind(self, run: Run) -> None:
        async def cancelled() -> None:
            files, tasks = open_files(), asyncio.all_tasks()
            check = asyncio.ensure_future(ping_probe.probe(ping_probe.Settings(host="127.0.0.1"), 30))
            await until(lambda: open_files() != files, "the probe opened no socket")
            check.cancel()
            with pytest.raises(asyncio.CancelledError):
                await check
            assert open_files() <= files
            assert asyncio.all_tasks() == tasks

        run(cancelled())


class TestFilesAndProcesses:
    """What may hang is a call into the kernel; it costs one thread and no time."""

    def test_a_dead_file_system_is_a_time_out(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        released = threading.Event()
        monkeypatch.setattr(file_probe, "look", lambda path, recursive: released.wait(30) and None)
        settings = file_probe.Settings(path="/dead/mount")

        async def several() -> None:
            before = threading.active_count()
            for _ in range(3):
                outcome, _ = await timely(file_probe.probe(settings, TIMEOUT))
                decent(outcome)
                assert outcome.summary == "timed out after 300 ms while looking at /dead/mount"
            assert threading.active_count() <= before + 1
            assert len(asyncio.all_tasks()) == 1

        try:
            run(several())
        finally:
            released.set()
            until_now(lambda: not file_probe._looking._out)  # else the next who asks joins this look

    @pytest.mark.parametrize("place", ["program", "cwd", "path", "interpreter"])
    def test_a_program_on_a_dead_file_system_is_not_started_and_holds_up_no_other(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
    ) -> None:
        dead, script = tmp_path / "dead", tmp_path / "script"
        script.write_text(f"#!{dead}/python\n")
        script.chmod(0o755)
        settings: dict[str, Any] = {
            "program": {"command": [f"{dead}/check_raid"]},
            "cwd": {"command": ["true"], "cwd": str(dead)},
            "path": {"command": ["check_raid"], "env": {"PATH": f"{dead}:/bin"}},
            "interpreter": {"command": [str(script)]},
        }[place]
        released = threading.Event()

        def hangs(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(path: Any, *rest: Any, **more: Any) -> Any:
                if str(path).startswith(str(dead)):
                    assert threading.current_thread() is not threading.main_thread()
                    released.wait(30)
                return call(path, *rest, **more)

            return called

        for name in ("stat", "access", "open"):
            monkeypatch.setattr(os, name, hangs(getattr(os, name)))
        kind = KINDS["command"]

        async def several() -> None:
            before = threading.active_count()
            for _ in range(3):
                dying = asyncio.ensure_future(timely(kind.run(kind.settings(**settings), TIMEOUT)))
                well = await kind.run(kind.settings(command=["true"]), 10)
                assert isinstance(well, Outcome)
                assert well.status is Status.OK
                outcome, _ = await dying
                decent(outcome)
                assert outcome.status is Status.UNKNOWN
                assert outcome.summary.endswith(": its file system does not answer")
            assert threading.active_count() <= before + 2  # what is dead, and what is well
            assert len(asyncio.all_tasks()) == 1

        try:
            run(several())
        finally:
            released.set()
            until_now(lambda: not programs._trying._out)

    def test_processes_that_cannot_be_read_are_a_time_out(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()

        def hanging() -> process_probe.Look:
            released.wait(30)
            return process_probe.Look(0.0, {})

        monkeypatch.setattr(process_probe, "_look_around", hanging)
        process_probe._looks.clear()
        try:
            outcome, _ = run(timely(process_probe.probe(process_probe.Settings(process="x"), TIMEOUT)))
            decent(outcome)
            assert outcome.summary == "timed out after 300 ms while looking at the processes of this machine"
        finally:
            released.set()
            run(
                process_probe._looking.call("processes", hanging)
            )  # the hanging look ends before the next test
