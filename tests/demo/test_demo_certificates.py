"""The authority signs certificates that its friends trust for as long as they are meant to."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from watchfloor.demo.certificates import Authority


def handshake(server: ssl.SSLContext, trusted: str) -> x509.Certificate:
    """Shake hands in memory, as a strict client that trusts one authority; returns what the server showed."""
    context = ssl.create_default_context(cadata=trusted)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    there = server.wrap_bio(to_server, to_client, server_side=True)
    shaken: set[ssl.SSLObject] = set()
    while len(shaken) < 2:
        for side in (here, there):
            try:
                side.do_handshake()
                shaken.add(side)
            except ssl.SSLWantReadError:
                continue
    shown = here.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def test_a_certificate_verifies_and_expires_when_asked(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    authority = Authority(now)
    context = authority.server_context("payment-gateway", timedelta(days=9), tmp_path)
    certificate = handshake(context, authority.pem().decode())
    assert certificate.not_valid_after_utc == now + timedelta(days=9)
    assert certificate.subject.rfc4514_string() == "CN=payment-gateway"


def test_an_expired_certificate_is_refused_for_that_reason(tmp_path: Path) -> None:
    authority = Authority(datetime.now(UTC))
    context = authority.server_context("archive", timedelta(days=-2), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(context, authority.pem().decode())


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    context = Authority(datetime.now(UTC)).server_context("login", timedelta(days=9), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, Authority(datetime.now(UTC)).pem().decode())


def test_no_key_stays_on_the_disk(tmp_path: Path) -> None:
    Authority(datetime.now(UTC)).server_context("login", timedelta(days=9), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Authority(datetime.now(UTC)).server_context("login", timedelta(days=9), tmp_path / "missing")
