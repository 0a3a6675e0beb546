"""Names become addresses through name servers that answer, lie, or never say a word."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from probe_servers import Run, Servers, http_answer

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import http, resolve
from watchfloor.probes.checking import Fault
from watchfloor.probes.resolve import Resolver, use_resolver

Answer = Callable[[dns.message.Message], dns.message.Message | None]


class NameServer:
    """A name server on a thread of its own; ``answer`` decides what it says, over UDP and TCP."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Answer = lambda query: dns.message.make_response(query)
        self._udp, self._tcp = _bound_to_one_port()
        self.port = int(self._tcp.getsockname()[1])
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, name="name-server", daemon=True).start()

    def close(self) -> None:
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        self._udp.close()

    def _reply(self, wire: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype)))
        return self.answer(query)

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, sender = self._udp.recvfrom(65_535)
            except OSError:
                return
            if reply := self._reply(wire):
                limit = 512 if reply.flags & dns.flags.TC else 65_535
                self._udp.sendto(reply.to_wire(max_size=65_535)[:limit], sender)

    def _serve_tcp(self) -> None:
        while True:
            try:
                accepted, _ = self._tcp.accept()
            except OSError:
                return
            with accepted:
                length = int.from_bytes(accepted.recv(2), "big")
                reply = self._reply(accepted.recv(length))
                if reply:
                    reply.flags &= ~dns.flags.TC
                    wire = reply.to_wire()
                    accepted.sendall(len(wire).to_bytes(2, "big") + wire)


def _bound_to_one_port() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port; a free port of one may be taken for the other."""
    while True:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
        else:
            return udp, tcp


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    started = NameServer()
    yield started
    started.close()


@pytest.fixture
def resolver(name_server: NameServer, tmp_path: Path) -> Resolver:
    return Resolver(["127.0.0.1"], name_server.port, hosts=str(tmp_path / "hosts"))


def records(ttl: int = 60, **found: list[str]) -> Answer:
    """Answer with addresses by kind, ``A=[...]``, ``AAAA=[...]``."""

    def answer(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        if found.get(kind):
            reply.answer.append(dns.rrset.from_text(question.name, ttl, "IN", kind, *found[kind]))
        return reply

    return answer


def refusal(code: dns.rcode.Rcode) -> Answer:
    def answer(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.set_rcode(code)
        return reply

    return answer


def failure(run: Run, resolver: Resolver, host: str = "shop.test") -> Fault:
    with pytest.raises(Fault) as caught:
        run(resolver.addresses(host))
    return caught.value


def test_both_families_are_found_ipv4_first(run: Run, resolver: Resolver, name_server: NameServer) -> None:
    name_server.answer = records(A=["192.0.2.1", "192.0.2.2"], AAAA=["2001:db8::1"])
    *ipv4, ipv6 = run(resolver.addresses("shop.test"))
    assert (set(ipv4), ipv6) == ({"192.0.2.1", "192.0.2.2"}, "2001:db8::1")


@pytest.mark.parametrize("found", [{"A": ["192.0.2.1"]}, {"AAAA": ["2001:db8::1"]}])
def test_one_family_is_enough(
    run: Run, resolver: Resolver, name_server: NameServer, found: dict[str, list[str]]
) -> None:
    name_server.answer = records(**found)
    assert run(resolver.addresses("shop.test")) == tuple(
        address for each in found.values() for address in each
    )


def test_a_family_that_never_answers_is_not_waited_for_long(
    run: Run, resolver: Resolver, name_server: NameServer
) -> None:
    answering = records(A=["192.0.2.1"])
    name_server.answer = lambda query: answering(query) if query.question[0].rdtype == 1 else None
    began = time.perf_counter()
    assert run(resolver.addresses("shop.test")) == ("192.0.2.1",)
    assert time.perf_counter() - began < 1


def test_ipv4_is_waited_for_until_a_lost_question_was_asked_again(
    run: Run, resolver: Resolver, name_server: NameServer
) -> None:
    both = records(A=["192.0.2.1"], AAAA=["2001:db8::1"])

    def answer(query: dns.message.Message) -> dns.message.Message | None:
        kinds = [kind for _, kind in name_server.asked]
        return None if query.question[0].rdtype == dns.rdatatype.A and kinds.count("A") == 1 else both(query)

    name_server.answer = answer
    resolver._configured().timeout = resolve.SECOND_FAMILY_GRACE * 2
    assert run(resolver.addresses("shop.test")) == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize(("late", "kept_s"), [("A", 0), ("AAAA", resolve.HALF_KNOWN)])
@pytest.mark.parametrize("instead", [lambda query: None, refusal(dns.rcode.SERVFAIL)])
def test_what_is_known_of_one_family_alone_is_not_kept_long_and_ipv6_alone_not_at_all(
    run: Run,
    resolver: Resolver,
    name_server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
    late: str,
    kept_s: float,
    instead: Answer,
) -> None:
    """The other may be all that this node can reach the host by; but IPv4 nearly always will do."""
    now = time.monotonic()
    monkeypatch.setattr(resolve, "monotonic", lambda: now)
    both = records(3600, A=["192.0.2.1"], AAAA=["2001:db8::1"])

    def one(query: dns.message.Message) -> dns.message.Message | None:
        return (instead if dns.rdatatype.to_text(query.question[0].rdtype) == late else both)(query)

    name_server.answer = one
    assert len(run(resolver.addresses("shop.test", left=0.2))) == 1
    name_server.answer = both
    if kept_s:
        now += kept_s - 1
        assert run(resolver.addresses("shop.test")) == ("192.0.2.1",)
        now += 2
    assert run(resolver.addresses("shop.test")) == ("192.0.2.1", "2001:db8::1")


def test_answers_are_kept_for_their_time_to_live(
    run: Run, resolver: Resolver, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(resolve, "monotonic", lambda: now)
    name_server.answer = records(30, A=["192.0.2.1"])
    run(resolver.addresses("shop.test"))
    now += 29
    run(resolver.addresses("SHOP.test."))
    assert len(name_server.asked) == 2
    now += 2
    name_server.answer = records(30, A=["192.0.2.9"])
    assert run(resolver.addresses("shop.test")) == ("192.0.2.9",)
    assert len(name_server.asked) == 4


def test_answers_that_must_not_be_kept_are_not(run: Run, resolver: Resolver, name_server: NameServer) -> None:
    name_server.answer = records(0, A=["192.0.2.1"])
    run(resolver.addresses("shop.test"))
    run(resolver.addresses("shop.test"))
    assert len(name_server.asked) == 4


def test_what_is_kept_is_bounded(
    run: Run, resolver: Resolver, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "CACHE_LIMIT", 3)
    name_server.answer = records(A=["192.0.2.1"])
    for number in range(6):
        run(resolver.addresses(f"shop-{number}.test"))
    assert list(resolver._cache) == ["shop-3.test", "shop-4.test", "shop-5.test"]


def test_a_long_answer_is_asked_for_again_over_tcp_and_cut(
    run: Run, resolver: Resolver, name_server: NameServer
) -> None:
    many = records(A=[f"192.0.2.{number}" for number in range(1, 201)])

    def answer(query: dns.message.Message) -> dns.message.Message:
        reply = many(query)
        assert reply is not None
        if query.question[0].rdtype == dns.rdatatype.A:
            reply.flags |= dns.flags.TC
        return reply

    name_server.answer = answer
    assert len(run(resolver.addresses("shop.test"))) == resolve.ADDRESS_LIMIT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(dns.rcode.NXDOMAIN), "no such host: shop.test"),
        (refusal(dns.rcode.SERVFAIL), "the name servers failed to look up shop.test"),
        (refusal(dns.rcode.REFUSED), "the name servers failed to look up shop.test"),
        (records(), "the name shop.test has no address"),
    ],
)
def test_failures_are_told_in_plain_words(
    run: Run, resolver: Resolver, name_server: NameServer, answer: Answer, words: str
) -> None:
    name_server.answer = answer
    fault = failure(run, resolver)
    assert (fault.status, fault.summary) == (Status.FAILING, words)


def test_the_search_list_is_honoured(run: Run, name_server: NameServer, tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\nsearch a.test b.test\noptions ndots:2\n")
    resolver = Resolver(resolv_conf=str(conf), hosts=str(tmp_path / "hosts"))
    servers = resolver._configured()
    servers.port = name_server.port
    name_server.answer = refusal(dns.rcode.NXDOMAIN)
    failure(run, resolver, "shop.x")
    assert [name for name, kind in name_server.asked if kind == "A"] == [
        "shop.x.a.test.",
        "shop.x.b.test.",
        "shop.x.",
    ]


def test_a_changed_resolv_conf_is_read_again(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 192.0.2.1\n")
    resolver = Resolver(resolv_conf=str(conf))
    assert resolver._configured() is resolver._configured()
    conf.write_text("nameserver 192.0.2.2\n")
    os.utime(conf, (1, 1))
    assert list(resolver._configured().nameservers) == ["192.0.2.2"]


def test_no_name_server_at_all_is_this_nodes_problem(run: Run, tmp_path: Path) -> None:
    fault = failure(run, Resolver(resolv_conf=str(tmp_path / "none"), hosts=str(tmp_path / "hosts")))
    assert fault.status is Status.UNKNOWN
    assert fault.summary == f"no name server is configured in {tmp_path / 'none'}"


def test_the_hosts_file_comes_first_and_is_read_again(
    run: Run, resolver: Resolver, name_server: NameServer, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# comment\n192.0.2.7 Shop.test other # more\nnonsense\n::1 shop.test\nfe80::1%lo shop.test\n\xff\n"
    )
    assert run(resolver.addresses("shop.TEST")) == ("192.0.2.7", "::1")
    hosts.write_text("192.0.2.8 shop.test\n")
    os.utime(hosts, (1, 1))
    assert run(resolver.addresses("shop.test")) == ("192.0.2.8",)
    assert name_server.asked == []


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("2001:DB8::1", ("2001:db8::1",)),
        ("localhost", ("127.0.0.1", "::1")),
        ("shop.localhost", ("127.0.0.1", "::1")),
    ],
)
def test_some_names_need_nobody(
    run: Run, resolver: Resolver, name_server: NameServer, host: str, addresses: tuple[str, ...]
) -> None:
    assert run(resolver.addresses(host)) == addresses
    assert name_server.asked == []


def test_dead_name_servers_hold_up_nothing_but_their_own_checks(
    run: Run, resolver: Resolver, name_server: NameServer, servers: Servers
) -> None:
    """Fifty names nobody answers for; meanwhile a check by address takes no longer than ever."""
    name_server.answer = lambda query: None
    port = servers.answering(http_answer())

    async def checks() -> tuple[list[Outcome], float]:
        threads = threading.active_count()
        with use_resolver(resolver):
            dead = [
                asyncio.ensure_future(http.probe(http.Settings(url=f"http://dead-{number}.test/"), 1))
                for number in range(50)
            ]
            deadline = time.perf_counter() + 5
            while len(name_server.asked) < 2 * len(dead) and time.perf_counter() < deadline:
                await asyncio.sleep(0.005)
            slowest = 0.0
            for _ in range(20):
                began = time.perf_counter()
                outcome = await http.probe(http.Settings(url=f"http://127.0.0.1:{port}/"), 0.5)
                slowest = max(slowest, time.perf_counter() - began)
                assert outcome.status is Status.OK
            assert threading.active_count() == threads
            return await asyncio.gather(*dead), slowest

    outcomes, slowest = run(checks())
    assert slowest < 0.2
    assert {outcome.summary for outcome in outcomes} == {
        f"timed out after 1 s while resolving dead-{number}.test" for number in range(50)
    }


def test_a_cancelled_look_up_leaves_nothing_behind(
    run: Run, resolver: Resolver, name_server: NameServer
) -> None:
    name_server.answer = lambda query: None

    async def cancelled() -> None:
        files, tasks = len(os.listdir("/proc/self/fd")), asyncio.all_tasks()
        look_up = asyncio.ensure_future(resolver.addresses("shop.test"))
        deadline = time.perf_counter() + 5
        while len(name_server.asked) < 2 and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)
        look_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look_up
        while len(os.listdir("/proc/self/fd")) > files and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)
        assert len(os.listdir("/proc/self/fd")) == files
        assert asyncio.all_tasks() == tasks

    run(cancelled())
