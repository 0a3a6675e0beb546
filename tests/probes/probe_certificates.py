"""Certificates for the tests of probes: a small authority that signs whatever a test needs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import TypeAlias, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

Key: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class Authority:
    """An authority of its own; ``ca_file`` is what a client must trust."""

    def __init__(self, directory: Path, name: str = "Test Authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=3650))
            .not_valid_after(now + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = str(directory / "authority.pem")
        Path(self.ca_file).write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(
        self,
        *names: str,
        days: float = 365,
        began_days_ago: float = 1,
        self_signed: bool = False,
        common_name: str = "test server",
        key: Key | None = None,
        sends_chain: bool = True,
    ) -> ssl.SSLContext:
        """Return the context of a server whose certificate is for ``names`` and valid for ``days`` from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=began_days_ago))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
            )
            .sign(self._key if not self_signed else cast("ec.EllipticCurvePrivateKey", key), hashes.SHA256())
        )
        path = self._directory / f"{certificate.serial_number:x}.pem"
        chain = (
            b""
            if self_signed or not sends_chain
            else self._certificate.public_bytes(serialization.Encoding.PEM)
        )
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
            + chain
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # it would not load a weak key
        context.load_cert_chain(path)
        return context

    def intermediate(self, *, days: float = 3650) -> Authority:
        """Return an authority that this one vouches for; ``ca_file`` stays that of this one."""
        made = Authority(self._directory)
        Path(made.ca_file).write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        made._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Intermediate")])
        now = dt.datetime.now(dt.UTC)
        made._certificate = (
            x509.CertificateBuilder()
            .subject_name(made._name)
            .issuer_name(self._name)
            .public_key(made._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=30))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
