"""Runs one process under a keeper: its output in pieces as it comes, its end, and nothing left of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO
from uuid import uuid4

from watchfloor.payloads import leftovers
from watchfloor.payloads.leash import Leash
from watchfloor.payloads.leftovers import Mark

KEEPER = Path(__file__).with_name("keeper.py")
SCRATCH = "\0"
CHUNK = 65536
LAST_WORDS_S = 1.0
"""So long after a keeper was killed its process's output is read to the end, whoever else still holds it open."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to start. ``limits`` by name: memory and file_size in bytes, cpu in seconds, open_files.

    ``processes``: how many may come of it; 0: any number. ``files``: names and texts for a scratch directory that
    the keeper makes and removes; `SCRATCH` stands for its path in arguments, environment and directory.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    directory: str
    stdin: str = ""
    umask: int = 0o077
    nice: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)
    processes: int = 0
    user: RunAs | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def line(self, trust: float, scratch: str, mark: Mark) -> bytes:
        """As the keeper reads it."""
        values = {name: getattr(self, name) for name in ProcessSpec.__slots__}
        values["env"] = {**self.env, leftovers.VARIABLE: str(mark)}
        user = None if self.user is None else asdict(self.user)
        return (
            json.dumps({**values, "user": user, "scratch": scratch, "trust": min(trust, 1e15)}).encode()
            + b"\n"
        )


@dataclass(frozen=True, slots=True)
class RunAs:
    """Another user as whom a process runs; only root can do that."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: by an exit code, by a signal, or it never began. ``cut``: trust in this node ran out;
    ``limit``: the limit for which it was ended."""

    exit: int | None = None
    signal: int | None = None
    spawn: str = ""
    cut: bool = False
    limit: str = ""


async def run_process(
    spec: ProcessSpec, leash: Leash, output: Callable[[str, bytes], Awaitable[None]], grace_s: float
) -> Ended:
    """Run it to its end. Cancelled, it is told to end, killed after ``grace_s`` seconds, and gone when this returns.

    Cancelled once more, it is killed at once.
    """
    scratch = f"{tempfile.gettempdir()}/watchfloor-run-{uuid4().hex}" if SCRATCH in spec.directory else ""
    try:
        ended = await _run(spec, leash, output, grace_s, scratch)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(_remove, scratch))
        raise
    await asyncio.to_thread(_remove, scratch)
    return ended


def _remove(scratch: str) -> None:
    """Where the keeper itself was killed its directory is left to us."""
    if scratch and os.path.lexists(scratch):
        shutil.rmtree(scratch, ignore_errors=True)


async def _run(
    spec: ProcessSpec,
    leash: Leash,
    output: Callable[[str, bytes], Awaitable[None]],
    grace_s: float,
    scratch: str,
) -> Ended:
    mark = Mark.new(None if spec.user is None else spec.user.uid)
    status, ours = os.pipe()
    try:
        line = spec.line(leash.until, scratch, mark)
        starting = asyncio.ensure_future(asyncio.to_thread(_start, line, ours))
        try:
            keeper = await asyncio.shield(starting)
        except asyncio.CancelledError:
            while not starting.done():  # whoever is cancelled again meanwhile waits all the same
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({starting})
            keeper = starting.result()
            await asyncio.to_thread(_forget, keeper, mark)  # its pipe closes, which it takes for our death
            raise
    except BaseException:
        os.close(status)
        raise
    finally:
        os.close(ours)
    stdin, stdout, stderr = _pipes(keeper)
    control = os.dup(stdin.fileno())
    stdin.close()
    os.set_blocking(control, False)
    leash.hold(control)
    told = bytearray()
    outputs = (
        _Pump(stdout, lambda chunk: output("stdout", chunk)),
        _Pump(stderr, lambda chunk: output("stderr", chunk)),
    )
    report = _Pump(os.fdopen(status, "rb", buffering=0), lambda chunk: _collect(told, chunk))
    pumps = [
        *(each.done for each in outputs),
        asyncio.ensure_future(_follow(report, told, mark, outputs)),
    ]
    try:
        await asyncio.shield(asyncio.gather(*pumps))
    except BaseException:  # cancelled, or whoever takes the output has had enough
        await _end(control, grace_s, pumps)
        raise
    finally:
        leash.release(control)
        await asyncio.to_thread(keeper.wait)
    return (
        Ended(**json.loads(told)) if told else Ended(signal=9)
    )  # its keeper was killed, and it with its keeper


async def _follow(report: _Pump, told: bytearray, mark: Mark, outputs: Sequence[_Pump]) -> None:
    """Hear the keeper out; where it was killed before it could tell, end what it kept."""
    await report.done
    if told:
        return
    await asyncio.to_thread(leftovers.end_marked, mark)
    await asyncio.wait([each.done for each in outputs], timeout=LAST_WORDS_S)
    for each in outputs:
        each.close()


async def _end(control: int, grace_s: float, pumps: Sequence[asyncio.Future[None]]) -> None:
    """Have the keeper end it, and wait until it is gone; whoever is cancelled meanwhile wants that at once."""
    while not all(pump.done() for pump in pumps):
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(control, f"end {grace_s:.3f}\n".encode())
        try:
            await asyncio.wait(pumps)
        except asyncio.CancelledError:
            grace_s = 0.0


def _start(line: bytes, status: int) -> subprocess.Popen[bytes]:
    keeper = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-I", "-S", str(KEEPER), str(status)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(status,),
        start_new_session=True,
        env={},
        bufsize=0,
    )
    with contextlib.suppress(BrokenPipeError):
        data = memoryview(line)
        while data:
            data = data[os.write(_pipes(keeper)[0].fileno(), data) :]
    return keeper


def _pipes(keeper: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    return keeper.stdin, keeper.stdout, keeper.stderr


def _forget(keeper: subprocess.Popen[bytes], mark: Mark) -> None:
    for stream in _pipes(keeper):
        stream.close()
    if keeper.wait() != 0:
        leftovers.end_marked(mark)


class _Pump:
    """Hands on what comes through a pipe, until nobody holds its other end any more or it is closed here."""

    def __init__(self, source: IO[bytes], sink: Callable[[bytes], Awaitable[None]]) -> None:
        self._source, self._sink = source, sink
        self._transport: asyncio.ReadTransport | None = None
        self.done = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Read no more; what has been read is still handed on."""
        if self._transport is not None:
            self._transport.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK)
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._source
        )
        try:
            while chunk := await reader.read(CHUNK):
                await self._sink(chunk)
        finally:
            self._transport.close()


async def _collect(told: bytearray, chunk: bytes) -> None:
    told += chunk
