"""Finds and ends what is left of a job whose keeper was killed, by a mark in the environment of its processes.

A keeper ends everything that came of its process; but when the keeper itself is killed, by the kernel where memory is
short, only its own child dies with it. Everything a keeper starts carries a mark, of which one attempt is the only
owner, and hands it on. It tells the node that runs the attempt, so that another life of that node, or another node of
this machine, knows what a dead one left.

What has cleared or overwritten its environment, keeps it secret, or has become another user is not found. Elsewhere
than on Linux there is no ``/proc`` to look through: nothing is found, and no keeper runs there either.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

log = logging.getLogger(__name__)

VARIABLE = "JOB_MARK"
"""The variable of its environment in which a process has the mark."""

PATIENCE_S = 5.0
"""What is still there so long after it was killed waits for a device, and will do nothing more when it wakes."""

PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Mark:
    """Who owns the processes that carry it: the user ``uid``, for an attempt of the process ``pid`` that began at
    ``birth`` in the process namespace ``space``; ``word`` is of this attempt alone."""

    space: str
    pid: int
    birth: str
    uid: int
    word: str

    @classmethod
    def new(cls, uid: int | None = None) -> Mark:
        """For an attempt that this process begins, as its own user or as another one."""
        me = os.getpid()
        return cls(_space(), me, born(me), os.geteuid() if uid is None else uid, uuid4().hex)

    @classmethod
    def read(cls, text: str) -> Mark | None:
        """What `__str__` wrote; None where it is no mark."""
        try:
            space, pid, birth, uid, word = text.split(".")
            mark = cls(space, int(pid), birth, int(uid), word)
        except ValueError:
            return None
        return mark if 0 < mark.pid < 2**31 else None

    def __str__(self) -> str:
        return f"{self.space}.{self.pid}.{self.birth}.{self.uid}.{self.word}"

    @property
    def node(self) -> tuple[int, str]:
        """The process that ran the attempt, by its number and when it began."""
        return self.pid, self.birth

    @property
    def abandoned(self) -> bool:
        """Whether that process ran here and is dead."""
        return bool(self.space and self.birth) and self.space == _space() and _is_gone(self.pid, self.birth)


def born(pid: int) -> str:
    """When a process of this machine began, in ticks since boot; empty where there is none that still runs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def end_marked(mark: Mark) -> int:
    """End every process with this mark; returns how many there were, after they are gone. It blocks."""
    return _end(lambda found: found == mark)


def dead_nodes() -> set[tuple[int, str]]:
    """The dead nodes of this machine of which something is left; their keepers may be about to end it. It blocks."""
    return {mark.node for pid in _others() for mark in _marks(pid) if mark.abandoned}


def end_left_by(nodes: Collection[tuple[int, str]]) -> int:
    """End what is left of these nodes, where they are dead; returns how much it was, after it is gone. It blocks."""
    return _end(lambda found: found.node in nodes and found.abandoned)


class Held:
    """One process, held so that no signal reaches another one that is given its number later."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._birth = born(pid)
        try:
            self._handle = os.pidfd_open(pid)
        except (AttributeError, OSError):  # a kernel before 5.3, or one that is told not to
            self._handle = -1

    @property
    def ended(self) -> bool:
        return born(self.pid) != self._birth

    def send(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, which)
            elif not self.ended:
                os.kill(self.pid, which)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def _end(wanted: Callable[[Mark], bool]) -> int:
    """Again and again, until two rounds find none: one misses what is just being forked or just executes another
    program, whose environment is not there yet."""
    until, seen, empty = time.monotonic() + PATIENCE_S, set[int](), 0
    while empty < 2:
        left = _freeze(wanted)
        empty = 0 if left else empty + 1
        try:
            seen.update(left)
            for each in left.values():
                each.send(signal.SIGKILL)
            time.sleep(PAUSE_S)
            while not all(each.ended for each in left.values()) and time.monotonic() < until:
                time.sleep(PAUSE_S)
        finally:
            for each in left.values():
                each.close()
        if left and time.monotonic() >= until:
            log.warning("of processes that a job left behind some do not end: %s", ", ".join(map(str, left)))
            break
    return len(seen)


def _freeze(wanted: Callable[[Mark], bool]) -> dict[int, Held]:
    """Stop all that are wanted and return them by number: what is stopped makes nothing new."""
    frozen: dict[int, Held] = {}
    while new := {pid: left for pid in _others() if pid not in frozen and (left := _hold(pid, wanted))}:
        for each in new.values():
            each.send(signal.SIGSTOP)
        frozen |= new
    return frozen


def _hold(pid: int, wanted: Callable[[Mark], bool]) -> Held | None:
    if not _carries(pid, wanted):
        return None
    left = Held(pid)
    if _carries(pid, wanted):  # and not only the one that had its number until now
        return left
    left.close()
    return None


def _carries(pid: int, wanted: Callable[[Mark], bool]) -> bool:
    return any(wanted(mark) for mark in _marks(pid))


def _marks(pid: int) -> list[Mark]:
    """The marks of a process that are those of its user; one at most, unless it was made up."""
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []  # it has ended, or is not for us to look at
    values = [each.partition(b"=")[2] for each in variables if each.startswith(f"{VARIABLE}=".encode())]
    found = [Mark.read(value.decode(errors="replace")) for value in values]
    return [mark for mark in found if mark is not None and mark.uid == owner]


def _others() -> list[int]:
    """The processes of this machine but this one, the newest first: one that forks and leaves is among them."""
    try:
        found = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    except OSError:
        return []
    return sorted(found - {os.getpid()}, reverse=True)


def _space() -> str:
    """The process namespace in which this process sees others by their numbers; empty if unknown."""
    try:
        return os.readlink("/proc/self/ns/pid").partition("[")[2].rstrip("]")
    except OSError:
        return ""


def _is_gone(pid: int, birth: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's
    return born(pid) != birth and os.path.exists(f"/proc/{pid}")  # one that is hidden from us may live
