"""Certificates of the demo: an authority that lives as long as its world, and what it signs.

The authority's key never leaves memory. A server's key touches the disk only because the standard library
loads it from a file, readable by its owner alone, and is gone again before the server opens its port.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A certificate authority of this world alone."""

    def __init__(self, now: datetime) -> None:
        """Make a new key and a certificate that signs itself and holds for a year around ``now`` (UTC)."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now = now
        self._name = _name("Watchfloor demo authority")
        self._certificate = (
            _certificate(self._name, self._name, self._key.public_key())
            .not_valid_before(now - timedelta(days=365))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def pem(self) -> bytes:
        """The authority's certificate, for those who should trust it."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server_context(self, name: str, valid_for: timedelta, directory: Path) -> ssl.SSLContext:
        """What a server at 127.0.0.1 called ``name`` needs to speak TLS.

        Its certificate expires ``valid_for`` from now, in the past where that is negative. ``directory`` must
        exist; nothing stays in it. Raises OSError when it cannot be written.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self._sign(name, valid_for, key.public_key()).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(dir=directory, suffix=".pem") as file:
            file.write(secret + chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _sign(self, name: str, valid_for: timedelta, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        authority = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        alternatives = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority)
        return (
            _certificate(_name(name), self._name, key)
            .not_valid_before(self._now - timedelta(days=81))
            .not_valid_after(self._now + valid_for)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject, issuer_name=issuer, public_key=key, serial_number=x509.random_serial_number()
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
