"""One session with a MySQL or MariaDB server, in its own protocol.

The handshake, the two ways to sign in with a password that servers use by default, and queries with answers
as text (dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html, mariadb.com/kb/en/clientserver-protocol).
A driver would cost more than this, and let go of a socket later. This module must never show the password,
never send it readable over a connection that is not encrypted, and never read without bound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import reduce

from watchfloor.probes.answer import HELD_LIMIT, ROW_LIMIT, Answer
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol
from watchfloor.probes.talk import Talk
from watchfloor.probes.text import size

ANSWER_LIMIT = 512 * 1024
"""The most bytes one packet may have; packets beyond 16 MB would come in parts."""

_LONG_PASSWORD, _WITH_DB, _PROTOCOL_41, _TLS, _SECURE, _PLUGIN = 0x1, 0x8, 0x200, 0x800, 0x8000, 0x80000
_OK, _MORE, _OLD_END, _ERROR, _LOCAL_INFILE = 0x00, 0x01, 0xFE, 0xFF, 0xFB
_FAST_OK, _FULL = 3, 4
_UTF8MB4 = 45


_ACCESS_DENIED = (1045).to_bytes(2, "little")


class Session:
    """An open session over a conversation; whoever opened that closes it."""

    def __init__(self, check: Check, talk: Talk) -> None:
        self.version = "?"
        self._check = check
        self._talk = talk
        self._sequence = 0

    async def sign_in(
        self, username: str, password: str, database: str, start_tls: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Shake hands, over TLS if ``start_tls`` is given. Raises `Fault` when the server does not let us in."""
        greeting = _Reader(await self._packet())
        if greeting.byte() != 10:
            raise Fault("not a MySQL server, or one from before 1998")
        self.version = greeting.until_zero().decode("utf-8", "replace")
        greeting.take(4)
        scramble = greeting.take(8)
        greeting.take(1)
        abilities = int.from_bytes(greeting.take(2), "little")
        greeting.take(3)
        abilities |= int.from_bytes(greeting.take(2), "little") << 16
        length = greeting.byte()
        greeting.take(10)
        scramble += greeting.take(max(13, length - 8))[:12]
        plugin = greeting.until_zero().decode("ascii", "replace") if abilities & _PLUGIN else _NATIVE
        flags = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN | (_WITH_DB if database else 0)
        if start_tls is not None:
            if not abilities & _TLS:
                raise Fault("the server offers no TLS")
            flags |= _TLS
            self._send(_head(flags))
            await start_tls()
        proof = _PROOFS.get(plugin, _native)(password, scramble)
        answer = _head(flags) + username.encode("utf-8", "replace") + b"\0"
        answer += bytes((len(proof),)) + proof
        answer += (database.encode("utf-8", "replace") + b"\0") if database else b""
        self._send(answer + (plugin if plugin in _PROOFS else _NATIVE).encode() + b"\0")
        await self._admitted(password, scramble, secure=start_tls is not None)

    async def ask(self, statement: str) -> Answer:
        """Send one statement and read its answer. Raises `Fault` for an error, in the server's words."""
        self._sequence = 0
        self._send(b"\x03" + statement.encode("utf-8", "replace"))
        first = _Reader(await self._packet())
        kind = first.byte()
        if kind == _OK:
            return Answer(affected=first.length())
        if kind == _LOCAL_INFILE:
            raise Fault("the server asks for a file of this machine, which it does not get")
        columns = _Reader(bytes((kind,)) + first.rest()).length()
        if columns > 4096:
            raise OtherProtocol("something answered, but not as MySQL would")
        answer = Answer(columns=await self._columns(columns))
        _require(_is_end(await self._packet()))
        held = 0
        while not _is_end(packet := await self._packet()):
            held += len(packet)
            if len(answer.rows) == ROW_LIMIT or held > HELD_LIMIT:
                answer.cut = True
                break
            row = _Reader(packet)
            answer.rows.append([row.text() for _ in range(columns)])
        answer.affected = len(answer.rows)
        return answer

    async def _columns(self, count: int) -> list[str]:
        """Read the names of so many columns."""
        names: list[str] = []
        read = 0
        for _ in range(count):
            packet = await self._packet()
            read += len(packet)
            _require(read <= HELD_LIMIT)
            names.append(_column(packet))
        return names

    def say_goodbye(self) -> None:
        """Announce the end of the session."""
        self._sequence = 0
        self._send(b"\x01")

    async def _admitted(self, password: str, scramble: bytes, *, secure: bool) -> None:
        """Answer what the server asks until it lets us in."""
        for _ in range(5):
            packet = await self._packet()
            kind = packet[0]
            if kind == _OK:
                return
            if kind == _OLD_END:
                asked = _Reader(packet[1:])
                plugin = asked.until_zero().decode("ascii", "replace")
                scramble = asked.rest().removesuffix(b"\0")[:20]
                if plugin not in _PROOFS:
                    raise Fault(
                        f"the sign-in needs {self._check.clean(plugin, 40)}, which this check does not know"
                    )
                self._send(_PROOFS[plugin](password, scramble))
            elif kind == _MORE and packet[1:] == bytes((_FULL,)):
                # It would take the password under a key that it shows, but so would somebody in between.
                if not secure:
                    raise Fault(
                        "the server wants the password itself, which is only sent over TLS; set tls: true"
                    )
                self._send(password.encode("utf-8", "replace") + b"\0")
            elif kind != _MORE or packet[1:] != bytes((_FAST_OK,)):
                break
        raise OtherProtocol("something answered, but not as MySQL would")

    def _send(self, payload: bytes) -> None:
        self._talk.say(len(payload).to_bytes(3, "little") + bytes((self._sequence & 255,)) + payload)
        self._sequence += 1

    async def _packet(self) -> bytes:
        """Read one packet. Raises `Fault` when it is an error or too long."""
        head = await self._talk.exactly(4)
        length = int.from_bytes(head[:3], "little")
        if not 0 < length <= ANSWER_LIMIT or head[3] != self._sequence & 255:
            raise OtherProtocol(f"not a packet of MySQL of at most {size(ANSWER_LIMIT)}")
        self._sequence += 1
        packet = await self._talk.exactly(length)
        if packet[0] == _ERROR:
            said = packet[3:]
            words = self._check.clean(said[6:] if said[:1] == b"#" else said, 120)
            remedy = SIGN_IN if packet[1:3] == _ACCESS_DENIED else ""
            raise Fault((words or "an error without words") + remedy)
        return packet


class _Reader:
    """Reads the protocol's types from front to back. Raises `Fault` where the packet is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        _require(end <= len(self._data))
        taken, self._at = self._data[self._at : end], end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def until_zero(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        taken = self._data[self._at : end if end >= 0 else None]
        self._at += len(taken) + (end >= 0)
        return taken

    def rest(self) -> bytes:
        return self._data[self._at :]

    def length(self) -> int:
        """A whole number of one to nine bytes."""
        first = self.byte()
        widths = {0xFC: 2, 0xFD: 3, 0xFE: 8}
        return int.from_bytes(self.take(widths[first]), "little") if first in widths else first

    def text(self) -> str | None:
        """A text; None for NULL."""
        if self._data[self._at : self._at + 1] == b"\xfb":
            self._at += 1
            return None
        return self.take(self.length()).decode("utf-8", "replace")


def _require(right: bool) -> None:
    if not right:
        raise OtherProtocol("something answered, but not as MySQL would")


def _is_end(packet: bytes) -> bool:
    return packet[0] == _OLD_END and len(packet) < 9


def _column(packet: bytes) -> str:
    """The name in the description of a column: the fifth of its texts."""
    reader = _Reader(packet)
    return [reader.text() or "" for _ in range(5)][-1]


def _head(flags: int) -> bytes:
    return flags.to_bytes(4, "little") + (2**24).to_bytes(4, "little") + bytes((_UTF8MB4,)) + bytes(23)


def _mixed(*parts: bytes) -> bytes:
    return bytes(
        reduce(lambda left, right: [a ^ b for a, b in zip(left, right, strict=True)], map(list, parts))
    )


def _native(password: str, scramble: bytes) -> bytes:
    """mysql_native_password: SHA1(password) mixed with SHA1(scramble + SHA1(SHA1(password)))."""
    if not password:
        return b""

    def sha1(data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()  # what the protocol demands

    once = sha1(password.encode("utf-8", "replace"))
    return _mixed(once, sha1(scramble + sha1(once)))


def _sha2(password: str, scramble: bytes) -> bytes:
    """caching_sha2_password: SHA256(password) mixed with SHA256(SHA256(SHA256(password)) + scramble)."""
    if not password:
        return b""

    def sha256(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    once = sha256(password.encode("utf-8", "replace"))
    return _mixed(once, sha256(sha256(once) + scramble))


_NATIVE = "mysql_native_password"
_PROOFS = {_NATIVE: _native, "caching_sha2_password": _sha2}
