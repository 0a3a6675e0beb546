"""What a certificate says, as facts worth keeping.

Everything in a certificate is the other side's claim: names are cut, cleaned and counted. This module must
never raise for a certificate that cannot be read.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache

from watchfloor.probes.tls_layer import chain

CHAIN_LIMIT = 10
"""How many certificates of a chain are kept."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate: until when it is valid (seconds since 1970), for which names, and its facts.

    ``names`` are all that it has, one a line: they take no more than the certificate itself, and thousands are kept.
    """

    not_after: float
    names: str
    facts: dict[str, object]

    def days_left(self, now: float) -> float:
        """Return the days until it expires, negative when it has."""
        return (self.not_after - now) / DAY

    def covers(self, name: str) -> bool:
        """Say whether it is valid for ``name``, a host name or an address; wildcards stand for one label."""
        name = name.lower()
        parent = "*." + name.partition(".")[2]
        return any(own in (name, parent) for own in self.names.split("\n"))


@lru_cache(maxsize=4096)
def read(der: bytes) -> Certificate:
    """Return what the certificate ``der`` says; one that cannot be read has only a fingerprint."""
    # Imported here: a console that starts must not pay for the cryptography of checks that come later.
    from watchfloor.probes.x509 import parse

    return Certificate(*parse(der))


def of_session(tls: ssl.SSLObject) -> Certificate | None:
    """Return the certificate of the server at the other end; None when it showed none."""
    der = tls.getpeercert(binary_form=True)
    return read(der) if der else None


def session_facts(tls: ssl.SSLObject, with_chain: bool = False) -> dict[str, object]:
    """Return the facts of a TLS session: the certificate, protocol and cipher, and the chain if asked for."""
    certificate = of_session(tls)
    if certificate is None:
        return {}
    cipher = tls.cipher()
    facts = {**certificate.facts, "protocol": tls.version(), "cipher": cipher[0] if cipher else None}
    if with_chain:
        facts["chain"] = [_link(read(der)) for der in chain(tls)[:CHAIN_LIMIT]]
    return facts


def _link(certificate: Certificate) -> dict[str, object]:
    facts = certificate.facts
    return {key: facts[key] for key in ("subject", "issuer", "not_after", "unreadable") if key in facts}
