"""Programs that checks start: without a shell, with bounded output, ended whatever they do.

No thread waits for them: their end and their output are events of the loop. But the loop stands still until a
program has begun, so a thread tries first whether its file system answers at all. A program runs in a session
of its own. When it ends, or is to end, everything it started ends with it, also what left the session (known by
a mark in its environment); nobody waits for a child that keeps the output open. This module must never pass on
the environment of this process, which holds secrets, and never leave a program behind.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from watchfloor.domain.outcome import Status
from watchfloor.probes.blocking import Hands
from watchfloor.probes.checking import Fault, reason
from watchfloor.probes.text import size

KEPT = 64 * 1024
"""How much of each output is kept, in bytes."""
MOST = 1024 * 1024
"""A program that writes more than this is ended, in bytes."""

_MARK = "WATCHFLOOR_CHECK"
_AGAIN_S = (0.01, 0.1, 1.0)
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_PATIENCE = 0.9
"""The share of the time there is in which a file system must answer before a program is started from it."""

_PROC = Path("/proc")
_trying = Hands(32, "programs")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, or minus the signal that ended it, and what it wrote."""

    code: int
    output: bytes
    errors: bytes


async def run(
    command: Sequence[str], left: float, env: Mapping[str, str] | None = None, cwd: str | None = None
) -> Ended:
    """Run ``command`` and return how it ended. Raises `Fault` when it cannot be started or writes without end.

    ``left`` is how many seconds the caller has: a program cannot be started if most of them pass before its
    file system answers, or that of ``cwd``. ``env`` is added to the few variables that are passed on. Cancelling
    ends the program.
    """
    if not hasattr(os, "pidfd_open"):
        raise Fault("programs can be run on Linux 5.3 and later only", Status.UNKNOWN)
    mark = secrets.token_hex(8)
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    variables = {**passed, **(env or {}), _MARK: mark}
    await _within_reach(command[0], os.get_exec_path(variables), cwd, _PATIENCE * left)
    known = _running()
    try:
        # Not through the loop: its own support waits in a thread for each program, or for open outputs.
        process = subprocess.Popen(  # noqa: S603, ASYNC220
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "a NUL character is in it"
        raise Fault(f"cannot start {command[0]}: {why}", Status.UNKNOWN) from None
    outputs: list[_Output] = []
    over: _End | None = None
    try:
        over = _End(process)
        outputs += [
            _Output(stream.fileno(), over.wait) for stream in (process.stdout, process.stderr) if stream
        ]
        await over.wait
        for output in outputs:
            output.read()
        over.reap()
    finally:
        for output in outputs:
            output.forget()
        _end_all(process, mark, known)
        if over is not None:
            over.forget()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return Ended(process.returncode, bytes(outputs[0].kept), bytes(outputs[1].kept))


async def _within_reach(program: str, path: Sequence[str], cwd: str | None, patience: float) -> None:
    """Raise `Fault` when what a program is started from does not answer; what else is wrong is told later."""
    name = "\0".join((program, cwd or "", *path))
    try:
        async with asyncio.timeout(patience):
            await _trying.call(name, partial(_reach, program, path, cwd))
    except TimeoutError:
        raise Fault(f"cannot start {program}: its file system does not answer", Status.UNKNOWN) from None


def _reach(program: str, path: Sequence[str], cwd: str | None) -> None:
    """Touch what starting a program touches: its directory, itself, and what it says that it is run by."""
    start = cwd or "."
    with suppress(OSError, ValueError):
        os.stat(start)
    for place in ("",) if "/" in program else path:
        with suppress(OSError, ValueError):
            first = _first_bytes(os.path.join(start, place, program))
            if first.startswith(b"#!") and (words := first[2:].partition(b"\n")[0].split()):
                _first_bytes(os.path.join(start, os.fsdecode(words[0])))
            return


def _first_bytes(file: str) -> bytes:
    """Read where the system reads to see what kind of program it is. Raises `OSError` where it is none."""
    if not os.access(file, os.X_OK):
        raise PermissionError
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 256)
    finally:
        os.close(descriptor)


class _End:
    """The end of a process as a future, without a thread that waits for it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.wait: asyncio.Future[None] = self._loop.create_future()
        self._descriptor = os.pidfd_open(process.pid)
        self._loop.add_reader(self._descriptor, self._ended)

    def _ended(self) -> None:
        if self.wait.done():
            self._process.poll()
            self._close()
            return
        self._loop.remove_reader(self._descriptor)
        self.wait.set_result(None)

    def reap(self) -> None:
        """Take note of the exit code of a process that has ended; its group may still live."""
        # The group is ended first: once its leader is reaped, its number may be given to another.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def forget(self) -> None:
        """Stop waiting; a process that is still on its way out is reaped when it is gone."""
        if not self.wait.cancel() and not self.wait.cancelled():
            self.wait.exception()  # seen, even if the run ended for another reason first
        if self._process.poll() is not None:
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)


class _Output:
    """One output of a program: its beginning is kept, its rest is thrown away, too much of it is a `Fault`."""

    def __init__(self, descriptor: int, over: asyncio.Future[None]) -> None:
        self.kept = bytearray()
        self._count = 0
        self._descriptor = descriptor
        self._over = over
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._more)

    def read(self) -> None:
        """Take what is there now, up to the limit."""
        while self._count <= MOST and self._take():
            pass

    def forget(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._descriptor)

    def _more(self) -> None:
        if not self._take():
            self.forget()
        elif self._count > MOST and not self._over.done():
            self._over.set_exception(Fault(f"the program writes more than {size(MOST)}", Status.UNKNOWN))

    def _take(self) -> bool:
        """Read once; False when there is nothing to be had any more, or just now."""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return False
        self._count += len(data)
        self.kept += data[: max(0, KEPT - len(self.kept))]
        return bool(data)


def _end_all(process: subprocess.Popen[bytes], mark: str, known: frozenset[str]) -> None:
    """End a program, its group, and whatever of it left the group."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    _end_marked(f"{_MARK}={mark}".encode(), known, _AGAIN_S)


def _end_marked(sought: bytes, known: frozenset[str], again_s: Sequence[float]) -> None:
    """End what has the mark; where that is not certain of all, look again after each of ``again_s``, in seconds."""
    for _ in range(5):  # one that is being started while we look is found in the next round
        marked = {pid: _is_marked(pid, sought) for pid in _running() - known}
        left = [pid for pid, is_marked in marked.items() if is_marked]
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
        if not left:
            break
    if again_s and None in marked.values():
        loop = asyncio.get_running_loop()
        loop.call_later(again_s[0], _end_marked, sought, known, again_s[1:])


def _running() -> frozenset[str]:
    """The processes of this machine by number, where the system tells."""
    try:
        return frozenset(name for name in os.listdir(_PROC) if name.isdigit())
    except OSError:
        return frozenset()


def _is_marked(pid: str, sought: bytes) -> bool | None:
    """Whether a process was started with the mark. None: it is about to become another program, so look again.

    Between its old program and its new one a process has no environment; nor has one that has ended, or a part of
    the system itself, but these have no program either.
    """
    try:
        with open(_PROC / pid / "environ", "rb") as file:
            environment = file.read(256 * 1024)
        if not environment:
            os.readlink(_PROC / pid / "exe")
            return None
    except OSError:
        return False
    return sought in environment.split(b"\0")
