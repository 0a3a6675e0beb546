"""Work that blocks, in a process of its own under a keeper, so that it can be cancelled and never holds up the engine.

The module `watchfloor.payloads.child_side` runs there. What it is asked goes in by its standard input, where nobody
sees it; what it says comes back as lines of JSON. A node that is killed takes the process along, as with scripts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.process import SCRATCH, Ended, ProcessSpec, run_process

GRACE_S = 5.0
"""From the request to end to the kill: time to cancel a statement on its server, to take a half-made file away."""

MEMORY = 2 * 2**30
PATH = "/usr/local/bin:/usr/bin:/bin"

Take = Callable[[Any], Awaitable[None]]


def plain(value: Any) -> Any:
    """Settings as JSON takes them, with their secrets: for the standard input of a child and for nothing else."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


async def run_child(work: str, asked: Mapping[str, Any], attempt: Attempt, take: Take | None = None) -> None:
    """Let the module ``watchfloor.payloads.<work>`` do what it is asked. ``take`` is given what it gives, one value
    after the other, and holds it up for as long as it takes. Raises `PayloadError` where the work fails."""
    listener = _Listener(attempt, take)
    spec = ProcessSpec(
        argv=(sys.executable, "-I", "-m", "watchfloor.payloads.child_side", work),
        env={"PATH": PATH, "LANG": "C.UTF-8", "TZ": "UTC", "HOME": f"{SCRATCH}/work"},
        directory=f"{SCRATCH}/work",
        stdin=json.dumps(asked),
        limits={"memory": MEMORY},
    )
    ended = await run_process(spec, attempt.leash, listener.hear, GRACE_S)
    _judge(ended, listener)


class _Listener:
    """Reads the lines of a child."""

    def __init__(self, attempt: Attempt, take: Take | None) -> None:
        self.failure: PayloadError | None = None
        self._attempt = attempt
        self._take = take
        self._rest = bytearray()

    async def hear(self, stream: str, chunk: bytes) -> None:
        if stream == "stderr":
            await self._attempt.output(stream, chunk)
            return
        self._rest += chunk
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            await self._obey(json.loads(line))

    async def _obey(self, told: Mapping[str, Any]) -> None:
        if "say" in told:
            await self._attempt.say(told["say"], told.get("stream", "stdout"))
        elif "fail" in told:
            self.failure = PayloadError(told["fail"], told["reason"], wait_s=told.get("wait_s", 0.0))
        elif self._take is not None:
            await self._take(told["give"])


def _judge(ended: Ended, listener: _Listener) -> None:
    if ended.cut:
        raise PayloadError("worker.lost", "ended because this node lost the database")
    if listener.failure is not None:
        raise listener.failure
    if ended.spawn:
        raise PayloadError("internal", f"the process for it cannot be started: {ended.spawn}")
    if ended.signal is not None:
        raise PayloadError(
            "process.killed", f"its process was killed by signal {ended.signal}", signal=ended.signal
        )
    if ended.exit != 0:
        raise PayloadError("internal", f"its process ended with code {ended.exit}", exit_code=ended.exit)
