"""Takes X.509 certificates apart. Only `watchfloor.probes.certificate` uses it, and only when there is one."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from itertools import islice

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from watchfloor.domain.text import one_line

NAME_LIMIT = 100
"""How many names of one certificate are shown."""

COMPARED_LIMIT = 10_000
"""How many names of one certificate are compared."""

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def parse(der: bytes) -> tuple[float, str, dict[str, object]]:
    """Until when a certificate is valid (seconds since 1970), for which names, one a line, and its facts."""
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        parsed = x509.load_der_x509_certificate(der)
        names = list(islice(_names(parsed), COMPARED_LIMIT))
        facts: dict[str, object] = {
            "subject": _name(parsed.subject),
            "issuer": _name(parsed.issuer),
            "names": [one_line(name, 255) for name in names[:NAME_LIMIT]],
            "not_before": parsed.not_valid_before_utc.isoformat(),
            "not_after": parsed.not_valid_after_utc.isoformat(),
            "serial": f"{parsed.serial_number:x}",
            "key": _key(parsed),
            "key_bits": getattr(parsed.public_key(), "key_size", 0),
            "fingerprint_sha256": fingerprint,
        }
        return (
            parsed.not_valid_after_utc.timestamp(),
            "\n".join(name for name in names if "\n" not in name),
            facts,
        )
    except _UNREADABLE as error:
        return 0.0, "", {"fingerprint_sha256": fingerprint, "unreadable": one_line(str(error))}


def _name(name: x509.Name) -> str:
    return one_line(name.rfc4514_string())


def _names(parsed: x509.Certificate) -> Iterable[str]:
    """Yield the host names and addresses the certificate is for, in lower case, as they stand there."""
    try:
        alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for alternative in alternatives:
        if isinstance(alternative, x509.DNSName):
            yield alternative.value.lower()
        elif isinstance(alternative, x509.IPAddress) and isinstance(
            alternative.value, ipaddress.IPv4Address | ipaddress.IPv6Address
        ):
            yield str(alternative.value)


def _key(parsed: x509.Certificate) -> str:
    """Return kind and size of the public key: ``RSA 2048``, ``EC secp256r1``."""
    key = parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").strip("_")
