"""The frame around every check: its time limit, its phases, and how it ends.

A probe does its work in one coroutine and hands it to `conduct`. Wherever the work finds that the target is
not as it should be, it raises `Fault`; it never builds error outcomes by hand. This module must never know
what kind of check it runs.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from time import perf_counter

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.text import safe_line, seconds

EMPTY: Mapping[str, float] = {}

_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
"""What goes wrong on this machine (files, memory, ports used up), so the target is not to blame."""

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by the other side",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "connection closed by the other side",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
    errno.EMFILE: "this node has too many open files; raise its limit (ulimit -n)",
    errno.EADDRNOTAVAIL: "this node has no free local address or port",
}


_PLAIN = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
"""What OpenSSL says of an answer to its greeting that is no TLS."""


class Fault(Exception):
    """The check is decided, badly: ``summary`` says what is wrong in words for a person.

    ``status`` is failing where the target is at fault and unknown where this machine is; ``facts`` are
    worth keeping even so.
    """

    def __init__(
        self, summary: str, status: Status = Status.FAILING, facts: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.status = status
        self.facts = facts or {}


class OtherProtocol(Fault):
    """Something answered that speaks another protocol than was asked for, or none."""


SIGN_IN = "; check the credentials"
"""What to do where a server does not let us in."""


class Check:
    """One check under way: what it is doing now, how long each phase took, what it must not tell."""

    __slots__ = ("doing", "phases", "secrets", "started", "timeout")

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self.started = perf_counter()
        self.phases: dict[str, float] = {}
        self.secrets = secrets
        self.doing = "starting"
        self.timeout = math.inf

    @property
    def left(self) -> float:
        """How many seconds there are until its time limit."""
        return self.timeout - (perf_counter() - self.started)

    def spent(self, phase: str, since: float) -> float:
        """Add the time since ``since`` to ``phase`` and return now; phases of several hops add up."""
        now = perf_counter()
        self.phases[phase] = self.phases.get(phase, 0.0) + now - since
        return now

    def received(self, sent: float, first_byte: float) -> None:
        """Add the phases of an answer whose last byte came now; it may have begun before we had ``sent``."""
        first_byte = max(sent, first_byte)
        self.phases["first_byte"] = self.phases.get("first_byte", 0.0) + first_byte - sent
        self.spent("transfer", first_byte)

    @property
    def latency(self) -> float:
        """The seconds all phases took together: what the target and the network cost, not this program."""
        return sum(self.phases.values())

    def clean(self, text: str | bytes, limit: int = 100) -> str:
        """Return text that came from the target as one printable line without secrets."""
        return safe_line(text, self.secrets, limit)

    def outcome(
        self,
        status: Status,
        summary: str,
        *,
        latency: float | None = None,
        metrics: Mapping[str, float] = EMPTY,
        facts: Mapping[str, object] = EMPTY,
        told: Status = Status.OK,
        slow: tuple[tuple[Status, float], ...] = (),
    ) -> Outcome:
        """Return the outcome of this check, its summary made safe; `Outcome` says what each of these means."""
        return Outcome(
            status, safe_line(summary, self.secrets), latency, self.phases, metrics, facts, told, slow
        )


async def conduct(check: Check, timeout: float, work: Coroutine[object, object, Outcome]) -> Outcome:
    """Run ``work`` for at most ``timeout`` seconds and return its outcome, whatever becomes of it.

    A fault ends the check with its own words; an error of the network or a passed time limit is reported
    with what the check was doing. Latency stays empty in these cases: nothing answered, so there is nothing
    to measure.
    """
    check.timeout = timeout
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await work
    except Fault as fault:
        return check.outcome(fault.status, fault.summary, facts=fault.facts)
    except OSError as error:
        if limit.expired():
            return check.outcome(Status.FAILING, f"timed out after {seconds(timeout)} while {check.doing}")
        return check.outcome(blame(error), f"{reason(error)} while {check.doing}{_remedy(error)}")


def reason(error: OSError) -> str:
    """Say in a few words what an error of the operating system means."""
    if isinstance(error, ssl.SSLError):
        return f"TLS error: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if error.errno is None:
        return str(error).lower() or type(error).__name__
    return _WORDS.get(error.errno) or os.strerror(error.errno).lower()


def _remedy(error: OSError) -> str:
    """What to do about an error, where one thing is likely."""
    if isinstance(error, ssl.SSLError) and error.reason in _PLAIN:
        return "; it does not speak TLS: give its TLS port, or turn TLS off"
    return ""


def blame(error: OSError) -> Status:
    """Return unknown when this machine is the cause of an error, failing when the target is."""
    return Status.UNKNOWN if error.errno in _OURS else Status.FAILING
