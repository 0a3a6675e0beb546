"""Records of the domain name system as they are compared and as they are shown, which are two things.

Compared is what a record means: names without capitals and with or without the final dot, addresses as
addresses, a TXT record as the one string that its parts make, letter by letter and however long. Shown is one
safe line of bounded length. This module must never compare what was shortened for showing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CAA
import dns.rdtypes.ANY.SOA
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.svcbbase

EXPECTED_LIMIT = 8192
"""The longest record that can be expected, in characters; the keys of signed mail take some 800."""
NAMED = 5
"""How many records a finding names; the others are counted."""
_LONG_ENOUGH = 16
"""Texts that begin with so many equal characters are meant to be the same, and told where they part."""

_EXAMPLES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CAA": '0 issue "letsencrypt.org"',
    "DNSKEY": "257 3 13 <key in base64>",
    "DS": "12345 13 2 <digest in hexadecimal>",
    "HTTPS": "1 . alpn=h2",
    "MX": "10 mail.example.com",
    "NAPTR": '100 10 "S" "SIP+D2U" "" _sip._udp.example.com',
    "SOA": "ns1.example.com hostmaster.example.com",
    "SRV": "10 60 5060 sip.example.com",
    "SSHFP": "4 2 <fingerprint in hexadecimal>",
    "SVCB": "1 svc.example.com alpn=h2",
    "TLSA": "3 1 1 <digest in hexadecimal>",
    "TXT": '"v=spf1 -all"',
}
_SOA_PARTS = 7
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(?:(\d{3})|(.))", re.DOTALL)

Meaning = tuple[object, ...]
"""What a record says, in a form in which equal things are equal; None, in an expected one, stands for anything."""


class Expected(NamedTuple):
    """A record there must be, as it was written and as it is compared."""

    text: str
    meaning: Meaning

    def is_met_by(self, meaning: Meaning) -> bool:
        """Whether a record of this meaning is the expected one."""
        return len(meaning) == len(self.meaning) and all(
            wanted is None or wanted == has for wanted, has in zip(self.meaning, meaning, strict=True)
        )


def expected(kind: str, text: str) -> Expected:
    """Read a record of a type as a zone file writes it. Raises `ValueError`, in words for a person.

    A TXT record is its text as it is, or the quoted strings of a zone file. A SOA record may end after any of
    its parts from the second on, and have ``*`` for a part that does not matter: serial numbers change.
    """
    try:
        if kind == "TXT":
            return Expected(text, (_text(text),))
        if ";" in _QUOTED.sub("", text):
            raise ValueError("a semicolon begins a comment; put the value in quotes")
        if kind != "SOA":
            return Expected(text, meaning(_read(kind, text)))
        parts = text.split()
        if not 2 <= len(parts) <= _SOA_PARTS:
            raise ValueError("it has 2 to 7 parts")
        parts += ["*"] * (_SOA_PARTS - len(parts))
        # Whatever can stand at the place of a star, names and numbers.
        whole = meaning(_read(kind, " ".join("0" if part == "*" else part for part in parts)))
        kept = (None if part == "*" else each for part, each in zip(parts, whole, strict=True))
        return Expected(text, tuple(kept))
    except (dns.exception.DNSException, ValueError, UnicodeError, LookupError) as error:
        reason = " ".join(str(error).split())[:100] or "malformed"
        example = _EXAMPLES.get(kind, "host.example.com")
        raise ValueError(f"not a record of type {kind} ({reason}); it is written like {example}") from None


def meaning(record: dns.rdata.Rdata) -> Meaning:
    """Return what a record says, for comparing."""
    match record:
        case dns.rdtypes.ANY.TXT.TXT():
            return (b"".join(record.strings),)
        case dns.rdtypes.ANY.CAA.CAA():
            return record.flags, record.tag.lower(), record.value
        case dns.rdtypes.ANY.SOA.SOA():
            return (
                record.mname,
                record.rname,
                record.serial,
                record.refresh,
                record.retry,
                record.expire,
                record.minimum,
            )
        case dns.rdtypes.IN.NAPTR.NAPTR():
            letters = record.flags.lower(), record.service.lower()
            return record.order, record.preference, *letters, record.regexp, record.replacement
        case dns.rdtypes.svcbbase.SVCBBase():
            record = record.replace(target=record.target.canonicalize())
    # Names in small letters and uncompressed, addresses and figures as they go over the wire.
    return (record.to_digestable(dns.name.root),)


def objections(kind: str, wanted: Sequence[Expected], found: Sequence[Meaning]) -> list[str]:
    """Return words on each expected record that is not among those found."""
    there = set(found)
    said: list[str] = []
    for each in wanted:
        if each.meaning in there or any(each.is_met_by(has) for has in found):
            continue
        words = each.text if len(each.text) <= 60 else f"{each.text[:59]}…"
        said.append(words + (_difference(each, found) if kind == "TXT" else ""))
    return said


def listed(texts: Sequence[str]) -> str:
    """Name the first few of many."""
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _difference(wanted: Expected, found: Iterable[Meaning]) -> str:
    """Where the text that comes closest parts from the expected one: what differs may be far behind what is shown."""
    text = cast(bytes, wanted.meaning[0])
    alike, closest = max(
        ((_alike(text, has), has) for (has,) in cast(Iterable[tuple[bytes]], found)),
        default=(0, b""),
    )
    if closest.lower() == text.lower():
        return " (it is there in other capitals)"
    if alike < _LONG_ENOUGH:
        return ""
    return f" (the closest differs from character {len(text[:alike].decode('utf-8', 'ignore')) + 1} on)"


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes at the beginning are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _read(kind: str, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(
        dns.rdataclass.IN, dns.rdatatype.from_text(kind), text, origin=dns.name.root, relativize=False
    )


def _text(text: str) -> bytes:
    """The one string that an expected TXT record stands for."""
    if not text.startswith('"'):
        return text.encode("utf-8", "surrogatepass")
    if _QUOTED.sub("", text).strip():
        raise ValueError('each of its strings is in quotes, a quote within one is written \\"')
    strings = (each[1:-1].encode("utf-8", "surrogatepass") for each in _QUOTED.findall(text))
    return b"".join(_ESCAPED.sub(_unescaped, each) for each in strings)


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return match[2]
    if int(match[1]) > 255:
        raise ValueError("\\DDD is a number up to 255")
    return bytes((int(match[1]),))
