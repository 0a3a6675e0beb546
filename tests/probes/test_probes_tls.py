"""Certificates against real TLS servers: expired, for other names, self-signed, soon to expire."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from probe_certificates import Authority
from probe_servers import Run, Servers, hangs_up, says, silent
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import certificate, tls_layer, x509
from watchfloor.probes.tls import Settings, probe

Inspect = Callable[..., Outcome]


@pytest.fixture
def inspect(run: Run, servers: Servers, authority: Authority) -> Inspect:
    """Start a TLS server and probe it, trusting the tests' authority."""

    def inspect(context: ssl.SSLContext, **settings: Any) -> Outcome:
        port = servers.start(silent, context)
        settings = {"host": "127.0.0.1", "port": port, "ca_file": authority.ca_file, **settings}
        outcome = run(probe(Settings(**settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return inspect


def facts_of(outcome: Outcome) -> dict[str, Any]:
    facts = outcome.facts["certificate"]
    assert isinstance(facts, dict)
    return facts


def test_a_good_certificate_is_ok_and_told_in_full(inspect: Inspect, authority: Authority) -> None:
    outcome = inspect(authority.server("127.0.0.1", "shop.example.com", days=90.5))
    assert outcome.status is Status.OK
    assert outcome.summary == "certificate expires in 90 days"
    assert set(outcome.phases) == {"connect", "tls"}
    assert outcome.metrics == {"certificate_days_left": pytest.approx(90.5, abs=0.01)}
    facts = facts_of(outcome)
    assert facts["subject"] == "CN=test server"
    assert facts["issuer"] == "CN=Test Authority"
    assert facts["names"] == ["127.0.0.1", "shop.example.com"]
    assert facts["key"] == "EC secp256r1"
    assert facts["protocol"] == "TLSv1.3"
    assert facts["cipher"].startswith("TLS_")
    assert len(facts["fingerprint_sha256"]) == 64
    assert [link["subject"] for link in facts["chain"]] == ["CN=test server", "CN=Test Authority"]


@pytest.mark.parametrize(
    ("days", "status", "summary"),
    [
        (20.5, Status.DEGRADED, "certificate expires in 20 days (limit 21 days)"),
        (6.5, Status.FAILING, "certificate expires in 6 days (limit 7 days)"),
        (0.2, Status.FAILING, "certificate expires in 4 hours (limit 7 days)"),
        (21.5, Status.OK, "certificate expires in 21 days"),
    ],
)
def test_a_certificate_that_expires_soon(
    inspect: Inspect, authority: Authority, days: float, status: Status, summary: str
) -> None:
    outcome = inspect(authority.server("127.0.0.1", days=days))
    assert (outcome.status, outcome.summary) == (status, summary)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not yet valid", "certificate is not yet valid"),
        ("self-signed", "self-signed certificate"),
        ("other name", "IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_all_the_same(
    inspect: Inspect, authority: Authority, kind: str, reason: str
) -> None:
    context = {
        "expired": lambda: authority.server("127.0.0.1", days=-2, began_days_ago=90),
        "not yet valid": lambda: authority.server("127.0.0.1", began_days_ago=-2),
        "self-signed": lambda: authority.server("127.0.0.1", self_signed=True),
        "other name": lambda: authority.server("elsewhere.example.com"),
    }[kind]()
    outcome = inspect(context)
    assert outcome.status is Status.FAILING
    assert outcome.summary.startswith(f"certificate not trusted: {reason}")
    assert "CN=test server, valid until 20" in outcome.summary
    facts = facts_of(outcome)
    assert facts["subject"] == "CN=test server"
    assert facts["chain"]
    assert outcome.latency is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "; renew it, and have the server load the new one"),
        ("expired intermediate", "; have the server send another chain: CN=Test Intermediate ended 20"),
        ("not yet valid", "; check the clocks of the server and of this node: it holds from 20"),
        ("self-signed", "; set ca_file to its PEM file, or have an authority sign it"),
        ("other authority", "; set ca_file to the PEM file of CN=Other, which is not known here"),
        (
            "missing intermediate",
            "; have the server send its whole chain, or set ca_file: CN=Test Intermediate is",
        ),
        (
            "same name",
            "; set ca_file to the PEM file of its CN=Test Authority: the one known here has another key",
        ),
        ("no such name", "; correct the address, or set server_name: it is for a.test, b.test"),
        ("many names", "; correct the address, or set server_name: it is for n0.test, n1.test, "),
        ("one level too deep", "set server_name: it is for *.shop.test"),
        ("not of the parent", "set server_name: it is for *.shop.test"),
        ("weak", "; issue it anew with RSA of 2048 bits or EC of 256: its key is too weak"),
    ],
)
def test_whoever_is_paged_is_told_what_to_do_about_it(
    inspect: Inspect, authority: Authority, tmp_path: Path, kind: str, words: str
) -> None:
    settings: dict[str, Any] = {}
    here = "127.0.0.1"
    match kind:
        case "expired":
            context = authority.server(here, days=-2, began_days_ago=90)
        case "expired intermediate":
            context = authority.intermediate(days=-1).server(here)
        case "not yet valid":
            context = authority.server(here, began_days_ago=-2)
        case "self-signed":
            context = authority.server(here, self_signed=True)
        case "other authority" | "same name":
            (tmp_path / "other").mkdir()
            name = "Other" if kind == "other authority" else "Test Authority"
            context = Authority(tmp_path / "other", name).server(here)
        case "missing intermediate":
            context = authority.intermediate().server(here, sends_chain=False)
        case "no such name":
            context = authority.server("a.test", "b.test")
        case "many names":
            context = authority.server(*(f"n{n}.test" for n in range(1000)))
        case "weak":
            context = authority.server(here, key=rsa.generate_private_key(65537, 1024))
        case _:
            settings["server_name"] = "a.b.shop.test" if kind == "one level too deep" else "shop.test"
            context = authority.server("*.shop.test")
    outcome = inspect(context, **settings)
    assert outcome.status is Status.FAILING
    assert outcome.summary.startswith("certificate not trusted: ")
    assert words in outcome.summary


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "EC secp384r1"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
    ],
)
def test_every_kind_of_key_and_a_chain_that_is_sent_whole_are_trusted(
    inspect: Inspect, authority: Authority, key: Callable[[], Any], words: str
) -> None:
    outcome = inspect(authority.intermediate().server("*.shop.test", key=key()), server_name="till.shop.test")
    assert outcome.status is Status.OK, outcome.summary
    assert facts_of(outcome)["key"] == words
    assert [link["subject"] for link in facts_of(outcome)["chain"]] == [
        "CN=test server",
        "CN=Test Intermediate",
    ]


def test_without_verification_an_expired_certificate_still_fails(
    inspect: Inspect, authority: Authority
) -> None:
    outcome = inspect(
        authority.server("x.test", days=-2.5, began_days_ago=90, self_signed=True), verify=False
    )
    assert outcome.status is Status.FAILING
    assert outcome.summary.startswith("certificate expired 2 days ago")


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["www.example.com", "a.cdn.example.com"], None),
        (["example.com"], "example.com"),
        (["a.b.cdn.example.com"], "a.b.cdn.example.com"),
        (["WWW.example.com", "other.example.com", "192.0.2.1"], "other.example.com, 192.0.2.1"),
    ],
)
def test_names_it_must_be_valid_for(
    inspect: Inspect, authority: Authority, names: list[str], missing: str | None
) -> None:
    outcome = inspect(
        authority.server("127.0.0.1", "www.example.com", "*.cdn.example.com"), expect_names=names
    )
    assert outcome.status is (Status.FAILING if missing else Status.OK)
    assert missing is None or outcome.summary.endswith(f"it is not valid for {missing}")


def test_every_name_of_a_certificate_is_compared_and_the_first_are_shown(
    inspect: Inspect, authority: Authority
) -> None:
    many = [f"host-{number}.example.com" for number in range(300)]
    context = authority.server("127.0.0.1", *many, "*.shop.test", "192.0.2.1")
    wanted = [*many[-2:], "www.shop.test", "192.0.2.1"]
    outcome = inspect(context, expect_names=wanted)
    assert outcome.status is Status.OK, outcome.summary
    assert facts_of(outcome)["names"] == ["127.0.0.1", *many[: x509.NAME_LIMIT - 1]]
    outcome = inspect(context, expect_names=["host-300.example.com"])
    assert outcome.summary.endswith("it is not valid for host-300.example.com")


def test_one_name_of_two_lines_is_not_two_names(inspect: Inspect, authority: Authority) -> None:
    outcome = inspect(authority.server("127.0.0.1", "a.test\nb.test"), expect_names=["a.test", "b.test"])
    assert outcome.summary.endswith("it is not valid for a.test, b.test")
    assert facts_of(outcome)["names"] == ["127.0.0.1", "a.test b.test"]


def test_the_name_may_differ_from_the_host(inspect: Inspect, authority: Authority) -> None:
    assert inspect(authority.server("shop.example.com"), server_name="shop.example.com").status is Status.OK


def test_a_renewed_ca_file_is_read_again(
    inspect: Inspect, authority: Authority, tmp_path: Any, run: Run
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("nothing yet")
    context = authority.server("127.0.0.1")
    outcome = inspect(context, ca_file=str(ca_file))
    assert (outcome.status, outcome.summary) == (
        Status.UNKNOWN,
        f"{ca_file} holds no certificates in PEM form",
    )
    with open(authority.ca_file) as real:
        ca_file.write_text(real.read())
    assert inspect(context, ca_file=str(ca_file)).status is Status.OK


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "TLS error: wrong version number while negotiating TLS with"),
        (says(b"\x15\x03\x03\x00\x02\x02\x28"), "handshake failure while negotiating TLS with"),
        (hangs_up, "while negotiating TLS with"),
    ],
)
def test_no_tls_at_all(run: Run, servers: Servers, handler: Any, words: str) -> None:
    outcome = run(probe(Settings(host="127.0.0.1", port=servers.start(handler)), 5))
    assert outcome.status is Status.FAILING
    assert words in outcome.summary


def test_a_server_that_shows_its_certificate_only_once_is_still_judged(
    run: Run, servers: Servers, authority: Authority
) -> None:
    """The second look gets nothing, and must neither spoil the verdict nor outlive the time limit."""
    context = authority.server("elsewhere.example.com")
    port = servers.start(silent, context)
    real = tls_layer.TlsLayer.handshake
    looks: list[int] = []

    async def once(layer: tls_layer.TlsLayer) -> None:
        looks.append(1)
        if len(looks) > 1:
            raise ConnectionResetError(104, "reset")
        await real(layer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls_layer.TlsLayer, "handshake", once)
        outcome = run(probe(Settings(host="127.0.0.1", port=port, ca_file=authority.ca_file), 5))
    assert outcome.summary.startswith("certificate not trusted: IP address mismatch")
    assert facts_of(outcome) == {"unseen": "connection reset by the other side"}


def test_hostile_names_within_a_certificate_are_cleaned_and_counted(
    inspect: Inspect, authority: Authority
) -> None:
    many = [f"host-{number}.example.com" for number in range(300)]
    outcome = inspect(authority.server("127.0.0.1", *many, common_name="\x1b[2Jevil\u202e\nname"))
    facts = facts_of(outcome)
    assert len(facts["names"]) == x509.NAME_LIMIT
    assert "\x1b" not in facts["subject"]
    assert "\u202e" not in facts["subject"]


@given(st.binary(max_size=300))
def test_no_certificate_raises(der: bytes) -> None:
    assert "fingerprint_sha256" in certificate.read(der).facts


def test_no_damaged_certificate_raises(authority: Authority) -> None:
    with open(authority.ca_file) as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    chance = random.Random(3)
    for _ in range(3000):
        damaged = bytearray(der)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert "fingerprint_sha256" in certificate.read(bytes(damaged)).facts


def test_contexts_are_made_once() -> None:
    assert tls_layer.client_context(True) is tls_layer.client_context(True)
    assert tls_layer.client_context(True) is not tls_layer.client_context(False)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValidationError, match="fail_days must not be more than warn_days"):
        Settings(host="example.com", warn_days=3, fail_days=5)
    with pytest.raises(ValidationError, match="a host is a name"):
        Settings(host="exa mple.com")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_protocol": "TLSv1.3", "key_types": ["EC", "Ed25519"], "min_ec_bits": 256}, ""),
        ({"key_types": ["RSA"]}, "the key is EC secp256r1, expected RSA"),
        ({"min_ec_bits": 384}, "the key has 256 bits, expected 384"),
        ({"min_rsa_bits": 4096}, ""),
    ],
)
def test_weak_keys_and_protocols_fail(
    inspect: Inspect, authority: Authority, settings: dict[str, Any], words: str
) -> None:
    outcome = inspect(authority.server("127.0.0.1"), **settings)
    assert outcome.status is (Status.FAILING if words else Status.OK), outcome.summary
    assert words in outcome.summary


def test_an_old_protocol_fails_where_a_newer_one_is_wanted(inspect: Inspect, authority: Authority) -> None:
    context = authority.server("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    outcome = inspect(context, min_protocol="TLSv1.3")
    assert outcome.status is Status.FAILING
    assert "TLSv1.2 was agreed on, expected TLSv1.3" in outcome.summary
