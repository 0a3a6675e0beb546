"""HTTP checks against real servers, friendly and hostile, on both makes of event loop."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_certificates import Authority
from probe_servers import (
    Run,
    Servers,
    closed_port,
    drips,
    floods,
    full_backlog,
    hangs_up,
    http_answer,
    says,
    silent,
)
from pydantic import ValidationError

from watchfloor.domain.outcome import PHASES, Outcome, Status
from watchfloor.probes.checking import Check, Fault
from watchfloor.probes.exchange import HEAD_LIMIT, Exchange
from watchfloor.probes.http import Settings, probe
from watchfloor.probes.resolve import Resolver, use_resolver

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe one port of this machine, or one address, with some settings."""

    def check(port_or_url: int | str, timeout: float = 5, **settings: Any) -> Outcome:
        url = port_or_url if isinstance(port_or_url, str) else f"http://127.0.0.1:{port_or_url}/path?q=1"
        outcome = run(probe(Settings(url=url, **settings), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def heard(servers: Servers, answer: bytes = http_answer()) -> tuple[int, list[bytes]]:
    """A server that answers, and the requests it has heard."""
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")), 0
        )
        requests.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    return servers.start(handler), requests


class TestAnAnswer:
    def test_is_ok_with_latency_phases_and_facts(self, check: Probing, servers: Servers) -> None:
        answer = http_answer(b"hello", "200 OK", "Content-Type: text/plain", "Server: test/1")
        outcome = check(servers.answering(answer))
        assert outcome.status is Status.OK
        assert outcome.summary.startswith("200 in ")
        assert set(outcome.phases) == set(PHASES) - {"dns", "tls"}
        assert outcome.latency == pytest.approx(sum(outcome.phases.values()))
        assert outcome.facts == {
            "status_code": 200, "http_version": "1.1", "size": 5,
            "content_type": "text/plain", "server": "test/1",
        }  # fmt: skip

    def test_of_another_status_is_failing(self, check: Probing, servers: Servers) -> None:
        outcome = check(servers.answering(http_answer(b"", "503 Service \x1b[31mUnavailable")))
        assert outcome.status is Status.FAILING
        assert outcome.summary.startswith("503 Service Unavailable in ")
        assert outcome.summary.endswith(": expected 200-299")
        assert outcome.latency is not None

    @pytest.mark.parametrize("wanted", [503, "500-599", [200, "503"], ["400-499", " 500 - 510 "]])
    def test_may_be_expected_to_have_another_status(
        self, check: Probing, servers: Servers, wanted: object
    ) -> None:
        assert check(servers.answering(http_answer(b"", "503 No")), expect_status=wanted).status is Status.OK

    def test_without_a_length_ends_with_the_connection(self, check: Probing, servers: Servers) -> None:
        outcome = check(servers.answering(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), body_contains="the end")
        assert (outcome.status, outcome.facts["size"]) == (Status.OK, 13)
        assert outcome.facts["http_version"] == "1.0"

    def test_in_chunks_is_put_together(self, check: Probing, servers: Servers) -> None:
        chunks = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"
        )
        assert check(servers.answering(chunks), body_contains="hello").status is Status.OK

    def test_after_interim_answers_counts(self, check: Probing, servers: Servers) -> None:
        answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nServer: x\r\n\r\n" + http_answer()
        outcome = check(servers.answering(answer))
        assert (outcome.status, outcome.facts["status_code"]) == (Status.OK, 200)
        assert "server" not in outcome.facts

    def test_to_head_has_no_body(self, check: Probing, servers: Servers) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        assert check(servers.answering(answer), method="head").status is Status.OK

    def test_that_switches_protocols_is_not_what_was_asked_for(
        self, check: Probing, servers: Servers
    ) -> None:
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n\x00\x01"
        outcome = check(servers.answering(answer))
        assert (outcome.status, outcome.facts["status_code"]) == (Status.FAILING, 101)

    def test_that_is_slow_is_degraded_or_failing(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer())
        outcome = check(port, degraded_after="1ms", failing_after="1h")
        late = check(port, failing_after="1ms")
        if outcome.latency and outcome.latency > 0.001:
            assert outcome.status is Status.DEGRADED
            assert "took " in outcome.summary
        if late.latency and late.latency > 0.001:
            assert late.status is Status.FAILING
        assert check(port, degraded_after="1h").status is Status.OK

    @pytest.mark.parametrize(
        ("said", "settings", "told", "late"),
        [
            ("200 OK", {"failing_after": "1ms"}, Status.OK, 1),
            ("200 OK", {"degraded_after": "1ms", "failing_after": "2ms"}, Status.OK, 2),
            ("200 OK", {"conditions": ["latency < 1ms", "status == 200"]}, Status.OK, 1),
            ("200 OK", {"conditions": ["latency < 1ms", "status == 204"]}, Status.FAILING, 1),
            ("200 OK", {"failing_after": "1ms", "body_contains": "absent"}, Status.FAILING, 1),
            ("500 Oops", {"failing_after": "1ms"}, Status.FAILING, 1),
            ("408 Request Timeout", {}, Status.OK, 1),
        ],
    )
    def test_tells_what_is_wrong_with_it_from_what_was_only_late(
        self, check: Probing, servers: Servers, said: str, settings: dict[str, Any], told: Status, late: int
    ) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.02)  # so slow this server is
            writer.write(http_answer(b"ok", said))
            writer.close()

        outcome = check(servers.start(answer), **settings)
        assert (outcome.status, outcome.told) == (Status.FAILING, told)
        assert len(outcome.slow) == late
        assert all(by > 0.01 for _, by in outcome.slow)


class TestARequest:
    def test_carries_what_was_set(self, check: Probing, servers: Servers) -> None:
        port, requests = heard(servers)
        sent = {"User-Agent": "me", "Authorization": "Bearer abc", "Content-Type": "application/json"}
        assert check(port, method="POST", headers=sent, body='{"a": "ü"}').status is Status.OK
        head, _, body = requests[0].partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /path?q=1 HTTP/1.1"
        assert set(lines[1:]) == {
            f"Host: 127.0.0.1:{port}".encode(), b"User-Agent: me", b"Accept: */*", b"Accept-Encoding: identity",
            b"Authorization: Bearer abc", b"Content-Type: application/json", b"Connection: close",
            b"Content-Length: 11",
        }  # fmt: skip
        assert body.decode() == '{"a": "ü"}'

    def test_tries_the_addresses_of_a_name_one_after_the_other(
        self, run: Run, servers: Servers, tmp_path: Path
    ) -> None:
        hosts = tmp_path / "hosts"
        hosts.write_text("127.0.0.1 two-faced.test\n::1 two-faced.test\n")

        async def check(port: int) -> Outcome:
            with use_resolver(Resolver(hosts=str(hosts))):
                return await probe(Settings(url=f"http://two-faced.test:{port}/"), 5)

        with socket.socket() as held:  # nobody else can listen there, and it refuses
            held.bind(("127.0.0.1", 0))
            port = servers.start(_answer_once, host="::1", port=held.getsockname()[1])
            assert run(check(port)).status is Status.OK

    def test_leaves_a_silent_address_in_time_for_the_next(
        self, run: Run, servers: Servers, tmp_path: Path
    ) -> None:
        """The first address accepts nobody; half of the time is enough to see that, and half is left."""
        hosts = tmp_path / "hosts"
        hosts.write_text("127.0.0.1 two-faced.test\n::1 two-faced.test\n")

        async def check(port: int) -> Outcome:
            with use_resolver(Resolver(hosts=str(hosts))):
                return await probe(Settings(url=f"http://two-faced.test:{port}/"), 1)

        with full_backlog() as port:
            servers.start(_answer_once, host="::1", port=port)
            outcome = run(check(port))
        assert outcome.status is Status.OK, outcome.summary
        assert 0.4 < outcome.phases["connect"] < 0.9

    def test_to_an_address_in_brackets(self, check: Probing, servers: Servers) -> None:
        port = servers.start(_answer_once, host="::1")
        assert check(f"http://[::1]:{port}/").status is Status.OK


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(http_answer())
    await writer.drain()
    writer.close()


class TestABody:
    @pytest.mark.parametrize(
        ("demand", "status", "words"),
        [
            ({"body_contains": "alpha"}, Status.OK, ""),
            ({"body_contains": ["alpha", "gamma"]}, Status.FAILING, "the body lacks 'gamma'"),
            ({"body_not_contains": "gamma"}, Status.OK, ""),
            ({"body_not_contains": ["alpha"]}, Status.FAILING, "the body holds 'alpha'"),
            ({"body_regex": r"(?i)ALPHA\s+b"}, Status.OK, ""),
            ({"body_regex": r"^beta"}, Status.FAILING, "the body does not match '^beta'"),
            ({"body_json": [{"path": "$", "exists": True}]}, Status.FAILING, "the body is not JSON"),
        ],
    )
    def test_is_held_against_the_settings(
        self, check: Probing, servers: Servers, demand: dict[str, Any], status: Status, words: str
    ) -> None:
        outcome = check(servers.answering(http_answer(b"alpha beta")), **demand)
        assert outcome.status is status
        assert words in outcome.summary

    def test_of_json_is_examined(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer(b'{"checks": [{"depth": 1843}]}'))
        outcome = check(port, body_json=[{"path": "checks[0].depth", "below": 100}])
        assert outcome.status is Status.FAILING
        assert outcome.summary.endswith(": checks[0].depth is 1843, expected less than 100")

    def test_that_never_ends_is_read_up_to_the_limit(self, check: Probing, servers: Servers) -> None:
        port = servers.start(floods(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65_536))
        outcome = check(port, max_body=100_000)
        assert outcome.status is Status.OK
        assert (outcome.facts["size"], outcome.facts["cut"]) == (100_000, True)

    def test_that_was_cut_says_so_when_something_is_missing(self, check: Probing, servers: Servers) -> None:
        port = servers.start(floods(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65_536))
        outcome = check(port, max_body=65_536, body_contains="b")
        assert outcome.summary.endswith("the body lacks 'b'; only the first 64 KiB of the body were read")

    def test_that_ends_early_is_failing(self, check: Probing, servers: Servers) -> None:
        outcome = check(servers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        assert outcome.summary == "the connection ended after 3 bytes, before the end of the body"

    @pytest.mark.parametrize(
        ("encoding", "squeeze"),
        [("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip, identity", gzip.compress)],
    )
    def test_compressed_without_being_asked_is_read_all_the_same(
        self, check: Probing, servers: Servers, encoding: str, squeeze: Callable[[bytes], bytes]
    ) -> None:
        answer = http_answer(squeeze(b"wanted" * 100), "200 OK", f"Content-Encoding: {encoding}")
        assert check(servers.answering(answer), body_contains="wanted").status is Status.OK

    def test_that_is_a_bomb_does_no_harm(self, check: Probing, servers: Servers) -> None:
        bomb = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
        answer = http_answer(bomb, "200 OK", "Content-Encoding: gzip, gzip")
        outcome = check(servers.answering(answer), body_contains="wanted", max_body=1024)
        assert outcome.status is Status.FAILING

    @pytest.mark.parametrize(
        ("encoding", "words"),
        [("br", "compressed with br, which was not asked for"), ("gzip", "not valid gzip data")],
    )
    def test_that_cannot_be_unpacked_is_failing(
        self, check: Probing, servers: Servers, encoding: str, words: str
    ) -> None:
        answer = http_answer(b"\x00\x01\x02", "200 OK", f"Content-Encoding: {encoding}")
        assert words in check(servers.answering(answer), body_contains="wanted").summary
        assert check(servers.answering(answer)).status is Status.OK


class TestARedirect:
    def test_is_followed_and_told(self, check: Probing, servers: Servers) -> None:
        goal, requests = heard(servers)
        port = servers.answering(
            http_answer(b"", "302 Found", f"Location: http://127.0.0.1:{goal}/new?token=1")
        )
        outcome = check(port)
        assert outcome.status is Status.OK
        assert outcome.facts["redirects"] == 1
        assert outcome.facts["final_url"] == f"http://127.0.0.1:{goal}/new"
        assert requests[0].startswith(b"GET /new?token=1 HTTP/1.1\r\n")
        assert outcome.latency == pytest.approx(sum(outcome.phases.values()))

    def test_to_another_origin_carries_no_secret(self, check: Probing, servers: Servers) -> None:
        goal, requests = heard(servers)
        port = servers.answering(http_answer(b"", "307 Moved", f"Location: http://127.0.0.1:{goal}/"))
        sent = {"Authorization": "Bearer abc", "Cookie": "a=b", "X-Token": "t", "Accept": "text/html"}
        assert check(port, method="POST", headers=sent, body="secret").status is Status.OK
        told = requests[0].lower()
        assert told.startswith(b"post / ")
        assert b"accept: text/html" in told
        for secret in (b"authorization", b"cookie", b"x-token", b"secret"):
            assert secret not in told

    @pytest.mark.parametrize(
        ("status", "method", "expected"),
        [(303, "POST", b"GET"), (302, "POST", b"GET"), (308, "PUT", b"PUT"), (303, "HEAD", b"HEAD")],
    )
    def test_changes_the_method_as_browsers_do(
        self, check: Probing, servers: Servers, status: int, method: str, expected: bytes
    ) -> None:
        goal, requests = heard(servers)
        port = servers.answering(http_answer(b"", f"{status} There", f"Location: http://127.0.0.1:{goal}/"))
        assert check(port, method=method).status is Status.OK
        assert requests[0].split(b" ")[0] == expected

    def test_may_be_relative(self, check: Probing, servers: Servers) -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            moved = http_answer(b"", "301 Moved", "Location: deeper/b%20c/é?x=1#fragment")
            writer.write(http_answer(b"here") if b"/deeper/b%20c/%C3%A9?x=1 " in head else moved)
            await writer.drain()
            writer.close()

        assert check(servers.start(handler), body_contains="here").status is Status.OK

    def test_in_a_circle_is_failing(self, check: Probing, servers: Servers) -> None:
        outcome = check(servers.answering(http_answer(b"", "302 Found", "Location: /path?q=1")))
        assert outcome.status is Status.FAILING
        assert "redirects in a circle, back to http://127.0.0.1" in outcome.summary
        assert "q=1" not in outcome.summary

    def test_back_to_the_same_address_by_another_method_is_no_circle(
        self, check: Probing, servers: Servers
    ) -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            see_other = http_answer(b"", "303 See Other", "Location: /path?q=1")
            writer.write(see_other if head.startswith(b"POST") else http_answer(b"done"))
            await writer.drain()
            writer.close()

        assert check(servers.start(handler), method="POST", body_contains="done").status is Status.OK

    def test_after_redirect_is_limited(self, check: Probing, servers: Servers) -> None:
        count = iter(range(1000))

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(http_answer(b"", "302 Found", f"Location: /{next(count)}"))
            await writer.drain()
            writer.close()

        assert "more than 3 redirects" in check(servers.start(handler), max_redirects=3).summary
        assert next(count) == 4

    @pytest.mark.parametrize(
        ("location", "words"),
        [
            ("Location: file:///etc/passwd", "must begin with http:// or https://"),
            ("Location: gopher://127.0.0.1/", "must begin with http:// or https://"),
            ("Location: http://user:pass@127.0.0.1/", "credentials do not belong in the address"),
            ("Location: http://127.0.0.1:0/", "a port between 1 and 65535"),
            ("Location: http://[::1/", "malformed"),
            (f"Location: /{'a' * 5000}", "longer than"),
            ("X: y", "has no Location"),
        ],
    )
    def test_to_nowhere_is_refused(self, check: Probing, servers: Servers, location: str, words: str) -> None:
        outcome = check(servers.answering(http_answer(b"", "302 Found", location)))
        assert outcome.status is Status.FAILING
        assert words in outcome.summary

    def test_that_is_expected_is_not_followed(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer(b"", "301 Moved", "Location: file:///"))
        assert check(port, expect_status=301).status is Status.OK
        assert check(port, max_redirects=0).summary.endswith("expected 200-299")

    def test_from_https_to_http_is_told(self, check: Probing, servers: Servers, authority: Authority) -> None:
        goal = servers.answering(http_answer())
        port = servers.answering(
            http_answer(b"", "301 Moved", f"Location: http://127.0.0.1:{goal}/"),
            authority.server("127.0.0.1"),
        )
        outcome = check(f"https://127.0.0.1:{port}/", ca_file=authority.ca_file)
        assert outcome.status is Status.OK
        assert outcome.summary.endswith("redirected from https to plain http")
        assert outcome.facts["downgraded"] is True


class TestPhasesThatAreNotReached:
    """They are missing: a zero would count as a very fast one."""

    def test_a_name_is_looked_up_and_an_address_is_not(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer())
        assert "dns" in check(f"http://localhost:{port}/").phases
        assert "dns" not in check(f"http://127.0.0.1:{port}/").phases

    def test_nothing_follows_a_connection_that_is_refused(self, check: Probing) -> None:
        assert set(check(closed_port()).phases) == {"connect"}

    def test_nothing_follows_a_handshake_that_fails(self, check: Probing, servers: Servers) -> None:
        assert set(check(f"https://127.0.0.1:{servers.start(hangs_up)}/").phases) == {"connect"}

    def test_nothing_follows_a_server_that_never_answers(self, check: Probing, servers: Servers) -> None:
        assert set(check(servers.start(silent), timeout=0.2).phases) == {"connect"}


class TestHttps:
    def test_is_verified_and_its_certificate_recorded(
        self, check: Probing, servers: Servers, authority: Authority
    ) -> None:
        port = servers.answering(http_answer(b"secure"), authority.server("localhost", "127.0.0.1"))
        outcome = check(f"https://127.0.0.1:{port}/", ca_file=authority.ca_file, body_contains="secure")
        assert outcome.status is Status.OK, outcome.summary
        assert set(outcome.phases) == set(PHASES) - {"dns"}
        certificate = outcome.facts["certificate"]
        assert isinstance(certificate, dict)
        assert certificate["names"] == ["localhost", "127.0.0.1"]
        assert certificate["protocol"] == "TLSv1.3"
        assert outcome.metrics["certificate_days_left"] == pytest.approx(365, abs=0.01)

    def test_by_another_name(self, check: Probing, servers: Servers, authority: Authority) -> None:
        port = servers.answering(http_answer(), authority.server("inside.example.com"))
        url, ca = f"https://127.0.0.1:{port}/", authority.ca_file
        assert "not trusted" in check(url, ca_file=ca).summary
        assert check(url, ca_file=ca, server_name="inside.example.com").status is Status.OK
        assert check(url, verify=False).status is Status.OK

    def test_with_a_certificate_that_expires_soon_is_degraded(
        self, check: Probing, servers: Servers, authority: Authority
    ) -> None:
        port = servers.answering(http_answer(), authority.server("127.0.0.1", days=5.5))
        outcome = check(f"https://127.0.0.1:{port}/", ca_file=authority.ca_file)
        assert outcome.status is Status.DEGRADED
        assert outcome.summary.endswith("certificate expires in 5 days")
        calm = check(f"https://127.0.0.1:{port}/", ca_file=authority.ca_file, certificate_warn_days=5)
        assert calm.status is Status.OK

    def test_large_bodies_arrive_whole(self, check: Probing, servers: Servers, authority: Authority) -> None:
        body = b"x" * 900_000 + b"end"
        port = servers.answering(http_answer(body), authority.server("127.0.0.1"))
        outcome = check(f"https://127.0.0.1:{port}/", ca_file=authority.ca_file, body_contains="end")
        assert (outcome.status, outcome.facts["size"]) == (Status.OK, len(body))

    def test_to_a_plain_port_is_a_clear_failure(self, check: Probing, servers: Servers) -> None:
        port = servers.start(says(b"220 smtp ready\r\n"))
        outcome = check(f"https://127.0.0.1:{port}/")
        assert outcome.status is Status.FAILING
        assert "TLS error: wrong version number while negotiating TLS" in outcome.summary

    def test_without_a_readable_ca_file_is_unknown(self, check: Probing, servers: Servers) -> None:
        outcome = check("https://127.0.0.1:1/", ca_file="/nowhere/ca.pem")
        assert outcome.status is Status.UNKNOWN
        assert outcome.summary == "cannot read the CA file /nowhere/ca.pem: no such file or directory"


class TestHostileAnswers:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (b"", "connection closed by the other side without an answer"),
            (b"HTTP/1.1 200 OK\r\nX: ", "connection closed by the other side within the headers"),
            (b"220 smtp.example.com \x1b[2JESMTP\r\n", "it reads: 220 smtp.example.com ESMTP"),
            (b"\x00\xff\xfe binary", "not a valid HTTP answer"),
            (b"HTTP/1.1 20 OK\r\n\r\n", "not a valid HTTP answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not a valid HTTP answer"),
            (b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", "not a valid HTTP answer"),
        ],
    )
    def test_are_failures_in_plain_words(
        self, check: Probing, servers: Servers, answer: bytes, words: str
    ) -> None:
        outcome = check(servers.answering(answer))
        assert outcome.status is Status.FAILING
        assert words in outcome.summary

    def test_ten_megabytes_of_headers_are_cut_short(self, check: Probing, servers: Servers) -> None:
        header = b"X-Filler: " + b"a" * 1000 + b"\r\n"
        outcome = check(servers.start(says(b"HTTP/1.1 200 OK\r\n" + header * 10_000 + b"\r\n")))
        assert outcome.summary == "the headers of the answer are larger than 64 KiB"

    def test_one_endless_header_is_cut_short(self, check: Probing, servers: Servers) -> None:
        port = servers.start(floods(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65_536))
        assert check(port).summary == "the headers of the answer are larger than 64 KiB"

    def test_headers_just_within_the_limit_are_taken(self, check: Probing, servers: Servers) -> None:
        start = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX: "
        filler = b"a" * (HEAD_LIMIT - len(start) - 4)
        outcome = check(servers.answering(start + filler + b"\r\n\r\n" + b"b" * 100_000))
        assert (outcome.status, outcome.facts["size"]) == (Status.OK, 100_000)

    def test_a_drip_is_over_in_time_and_says_where(self, check: Probing, servers: Servers) -> None:
        began = time.perf_counter()
        port = servers.start(drips(http_answer(b"x" * 1000)))
        outcome = check(port, timeout=0.3)
        assert time.perf_counter() - began < 2
        assert outcome.summary == f"timed out after 300 ms while waiting for an answer from 127.0.0.1:{port}"
        assert outcome.latency is None

    def test_an_echoed_secret_is_not_shown(self, check: Probing, servers: Servers) -> None:
        secret = "hunter22-and-more"
        answer = f"NOPE Bearer {secret[:4]}\x00{secret[4:]}\r\n\r\n".encode()
        outcome = check(servers.answering(answer), headers={"Authorization": f"Bearer {secret}"})
        assert "***" in outcome.summary
        assert secret not in outcome.summary
        answer = http_answer(
            b'{"a": "hunter22-and-more"}', "500 hunter22-and-more", "Server: hunter22-and-more"
        )
        outcome = check(
            servers.answering(answer),
            headers={"Authorization": f"Bearer {secret}"},
            expect_status=500,
            body_json=[{"path": "a", "equals": 1}],
        )
        assert secret not in outcome.summary + str(outcome.facts)

    def test_a_refused_connection_names_the_place(self, check: Probing) -> None:
        port = closed_port()
        outcome = check(port)
        assert outcome.summary == f"connection refused while connecting to 127.0.0.1:{port}"
        assert outcome.latency is None


class _Outlet:
    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


fragments = [
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 404 \r\n", b"HTTP/1.1 101 S\r\n"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b" folded\r\n"),
    *(b"Upgrade: x\r\nConnection: upgrade\r\n", b"Content-Encoding: gzip\r\n", b"\r\n", b"abc"),
    *(b"3\r\nabc\r\n", b"0\r\n\r\n"),
]
answers = st.lists(st.sampled_from(fragments) | st.binary(max_size=8), max_size=10)


@settings(max_examples=500, deadline=None)
@given(answers, st.booleans(), st.booleans(), st.booleans())
def test_no_bytes_whatsoever_raise_into_the_loop(
    pieces: list[bytes], joined: bool, bodyless: bool, clean_end: bool
) -> None:
    """The outcome is decided, once, by the end of the connection at the latest; and it does not depend on
    how the bytes were cut, unless they are no HTTP."""

    async def feed(parts: list[bytes]) -> tuple[object, int, bytes]:
        exchange = Exchange(Check(), 1024, keep_body=True, bodyless=bodyless)
        exchange.connection_made(_Outlet())  # type: ignore[arg-type]
        for part in parts:
            exchange.data_received(part)
        exchange.connection_lost(None if clean_end else ConnectionResetError(104, "reset"))
        assert exchange.done.done()
        error = exchange.done.exception()
        assert error is None or isinstance(error, Fault)
        result = (
            type(error),
            exchange.status if error is None else 0,
            exchange.body if error is None else b"",
        )
        exchange.close()
        exchange.data_received(b"late")
        return result

    whole = asyncio.run(feed([b"".join(pieces)]))
    split = asyncio.run(feed(pieces if not joined else [bytes([byte]) for byte in b"".join(pieces)]))
    assert whole == split


class TestSettings:
    @pytest.mark.parametrize(
        ("written", "words"),
        [
            ({"url": "ftp://example.com"}, "must begin with http:// or https://"),
            ({"url": "http://exa mple.com"}, "white space"),
            ({"url": "http://example.com/\r\nX: y"}, "white space or control"),
            ({"url": "http://user:secret@example.com"}, "credentials do not belong"),
            ({"url": "http://"}, "needs a host"),
            ({"url": "http://example.com:99999"}, "malformed"),
            ({"url": "http://exa_mple..com"}, "a host is a name"),
            ({"url": "http://[fe80::1%25eth0]/"}, "a host is a name"),
            ({"headers": {"X": "a\r\nY: b"}}, "line break or control character"),
            ({"headers": {"X Y": "a"}}, "a header name"),
            ({"headers": {"X:": "a"}}, "a header name"),
            ({"headers": {"Content-Length": "5"}}, "set by the check itself"),
            ({"expect_status": 99}, "a status is a code or a range"),
            ({"expect_status": ["299-200"]}, "a status is a code or a range"),
            ({"expect_status": []}, "at least 1 item"),
            ({"method": "TRACE"}, "'GET', 'HEAD'"),
            ({"body_regex": "(?=a)"}, "look-around"),
            ({"max_body": 10}, "greater than or equal to 1024"),
            ({"degraded_after": "2s", "failing_after": "1s"}, "must not be longer"),
            ({"degraded_after": 1}, "without a unit"),
            ({"verify_tls": False}, "Extra inputs"),
        ],
    )
    def test_mistakes_are_named(self, written: dict[str, Any], words: str) -> None:
        with pytest.raises(ValidationError, match=words) as caught:
            Settings(**{"url": "http://example.com", **written})
        assert "secret" not in str(caught.value)

    def test_header_values_are_never_shown(self) -> None:
        settings = Settings(url="http://example.com", headers={"Authorization": "Bearer hunter22"})
        assert (
            "hunter22" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        )
        with pytest.raises(ValidationError) as caught:
            Settings(url="http://example.com", headers={"Authorization": "hunter22\r\n"})
        assert "hunter22" not in str(caught.value)

    def test_an_international_address_is_requested_in_ascii(self) -> None:
        request = Settings(url="http://bücher.example/straße?q=ü").plan.request
        assert request.startswith(b"GET /stra%C3%9Fe?q=%C3%BC HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n")


class TestConditions:
    def test_all_must_hold_and_each_that_fails_is_named(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer(b'{"items": []}', "200 OK", "X-Cache: MISS"))
        conditions = ["status == 200", "json.items.length > 0", "header.x-cache matches ^HIT", "size < 1KiB"]
        outcome = check(port, conditions=conditions)
        assert outcome.status is Status.FAILING
        assert "json.items.length > 0 failed: json.items.length is 0" in outcome.summary
        assert 'header.x-cache matches ^HIT failed: header.x-cache is "MISS"' in outcome.summary
        assert "status ==" not in outcome.summary

    def test_one_about_the_status_takes_the_place_of_the_usual_ones(
        self, check: Probing, servers: Servers
    ) -> None:
        port = servers.answering(http_answer(b"", "404 Not Found"))
        assert check(port, conditions="status == 404").status is Status.OK
        both = {"conditions": "status in [404, 200]", "expect_status": 200}
        assert check(port, **both).status is Status.FAILING
        assert check(port, conditions="latency < 5s").status is Status.FAILING

    def test_the_certificate_and_the_phases_are_known(
        self, check: Probing, servers: Servers, authority: Authority
    ) -> None:
        port = servers.answering(http_answer(), authority.server("127.0.0.1", days=10))
        outcome = check(
            f"https://127.0.0.1:{port}/",
            ca_file=authority.ca_file,
            conditions=["certificate.days > 14", "phase.tls < 5s"],
            certificate_warn_days=0,
        )
        assert outcome.status is Status.FAILING
        assert "certificate.days > 14 failed: certificate.days is " in outcome.summary
        assert "phase.tls" not in outcome.summary

    def test_a_page_made_to_wear_out_a_pattern_leaves_the_check_undecided(
        self, check: Probing, servers: Servers
    ) -> None:
        bits = "".join(format(number, "014b") for number in range(4096))
        port = servers.answering(http_answer(bits.replace("0", "a").replace("1", "b").encode()))
        for asked in ({"body_regex": "a[ab]{900}c"}, {"conditions": ["body not matches a[ab]{900}c"]}):
            outcome = check(port, timeout=60, **asked)
            assert outcome.status is Status.UNKNOWN
            much = "the pattern 'a[ab]{900}c' takes too much work on this answer; write smaller"
            assert much in outcome.summary
            certain = check(port, timeout=60, body_contains="zzz", **asked)
            assert certain.status is Status.FAILING
            assert "the body lacks 'zzz'; " + much in certain.summary

    def test_a_limit_on_looking_up_holds_where_there_is_nothing_to_look_up(
        self, check: Probing, servers: Servers
    ) -> None:
        outcome = check(servers.answering(http_answer()), conditions=["phase.dns < 100ms"])
        assert outcome.status is Status.OK, outcome.summary

    def test_a_body_that_is_no_json_is_told(self, check: Probing, servers: Servers) -> None:
        outcome = check(servers.answering(http_answer(b"<html>")), conditions=["json.a == 1"])
        assert "the body is not JSON; json.a == 1 failed: json.a is missing" in outcome.summary

    def test_a_head_request_has_headers_but_no_body(self, check: Probing, servers: Servers) -> None:
        port = servers.answering(http_answer(b"", "200 OK", "Content-Encoding: gzip"))
        assert (
            check(port, method="HEAD", conditions=["header.content-encoding == 'gzip'"]).status is Status.OK
        )
