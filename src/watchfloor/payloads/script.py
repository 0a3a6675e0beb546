"""Runs a program or a script in a process of its own, under a keeper.

It sees nothing of Watchfloor's own environment. Nothing is ever put together for a shell: a script is handed to its
interpreter as a file that only this user can read, arguments as they are. What it leaves running is ended with it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, Grants, PayloadError
from watchfloor.payloads.process import SCRATCH, Ended, ProcessSpec, RunAs, run_process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MIB = 2**20

ERRORS = {
    "script.exit.*": "it ended with that exit code",
    "script.signal": "it was killed by a signal that is not one of the limits'",
    "script.spawn": "it could not be started: no such program or directory, or no right to it",
    "script.limit.processes": "more processes came of it than it may have",
    "script.limit.cpu": "it used more CPU time than it may",
    "script.limit.file_size": "it wrote a larger file than it may",
    "script.limit.output": "it printed more than it may",
}
_LIMIT_SIGNALS = {signal.SIGXCPU: "cpu", signal.SIGXFSZ: "file_size"}

Text = Annotated[str, Field(min_length=1, max_length=100_000)]


class Limits(base.Settings):
    """What the job may use; memory, cpu, open_files and file_size are for each of its processes."""

    memory: Annotated[int, Field(ge=1)] | None = Field(None, description="Address space in MiB.")
    cpu: Annotated[int, Field(ge=1)] | None = Field(None, description="CPU time in seconds.")
    open_files: Annotated[int, Field(ge=16)] | None = Field(None, description="Files open at the same time.")
    file_size: Annotated[int, Field(ge=1)] | None = Field(None, description="The largest file in MiB.")
    processes: Annotated[int, Field(ge=1, le=100_000)] = Field(
        512, description="Processes at the same time, whoever forked them."
    )
    output: Annotated[int, Field(ge=1)] | None = Field(
        None, description="What it may print in MiB; of more than 1 MiB the log keeps head and tail anyway."
    )


class Settings(base.Settings):
    """Settings of a script job."""

    run: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="A program and its arguments; no shell. Everybody on the machine can see them."
    )
    script: Text | None = Field(
        None, description="The text of a script. Write $${NAME} for a variable of the script's own."
    )
    interpreter: Annotated[tuple[Text, ...], Field(min_length=1, max_length=50)] = Field(
        ("/bin/sh",), description="What the script is given to."
    )
    env: dict[str, SecretStr] = Field({}, description="Variables of its environment; may hold references.")
    directory: str | None = Field(
        None, description="Where it runs; an empty directory that is removed afterwards."
    )
    user: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="As whom it runs; the node must run as root and name the user in node.run_as."
    )
    stdin: Annotated[str, Field(max_length=1_000_000)] = Field("", description="What it can read.")
    success_codes: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        (0,), description="Exit codes that mean success."
    )
    kill_grace: Annotated[float, DurationField("0s", "60s")] = Field(
        Seconds(10), description="From SIGTERM to SIGKILL when it is cancelled or takes too long."
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(0, description="How far it gives way to others.")
    limits: Limits = Field(Limits(), description="What it may use.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Settings:
        if (self.run is None) == (self.script is None):
            raise ValueError("needs either run or script")
        return self


async def run(settings: Settings, attempt: Attempt) -> None:
    """Run it to its end. Raises `PayloadError` where it fails."""
    attempt.must_hold()
    spec = await asyncio.to_thread(_spec, settings, attempt)
    output = _counted(attempt, settings.limits.output)
    _judge(await run_process(spec, attempt.leash, output, float(settings.kill_grace)), settings)


def _counted(attempt: Attempt, most: int | None) -> Callable[[str, bytes], Awaitable[None]]:
    """Where the output goes; with a limit, what goes beyond it ends the process."""
    left = None if most is None else most * _MIB

    async def take(stream: str, chunk: bytes) -> None:
        nonlocal left
        if left is not None:
            await attempt.output(stream, chunk[:left])
            left -= len(chunk)
            if left < 0:
                raise PayloadError("script.limit.output", f"it printed more than {most} MiB")
        else:
            await attempt.output(stream, chunk)

    return take


def _spec(settings: Settings, attempt: Attempt) -> ProcessSpec:
    limits, user = settings.limits, None
    if settings.user is not None:
        user = run_as(settings.user, attempt.grants)
    chosen = {
        "memory": limits.memory and limits.memory * _MIB,
        "cpu": limits.cpu,
        "open_files": limits.open_files,
        "file_size": limits.file_size and limits.file_size * _MIB,
    }
    scripted = settings.script is not None
    return ProcessSpec(
        argv=(*settings.interpreter, f"{SCRATCH}/script") if scripted else settings.run or (),
        env=_environment(settings, attempt),
        directory=settings.directory or f"{SCRATCH}/work",
        stdin=settings.stdin,
        nice=settings.nice,
        limits={name: value for name, value in chosen.items() if value},
        processes=limits.processes,
        user=user,
        files={"script": settings.script} if settings.script is not None else {},
    )


def run_as(name: str, grants: Grants) -> RunAs:
    """Another user as whom a job may run. Raises `PayloadError` where this node does not let it."""
    if name not in grants.run_as:
        raise PayloadError("config.run_as", f"node.run_as of this node does not name the user {name!r}")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise PayloadError("config.run_as", f"this machine has no user {name!r}") from None
    if os.geteuid() != 0 and entry.pw_uid != os.geteuid():
        raise PayloadError("config.run_as", "only a node that runs as root can run jobs as another user")
    return RunAs(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))


def _environment(settings: Settings, attempt: Attempt) -> dict[str, str]:
    return {
        "PATH": PATH,
        "HOME": os.path.expanduser(f"~{settings.user or ''}"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TZ": os.environ.get("TZ", "UTC"),
        **{name: value.get_secret_value() for name, value in settings.env.items()},
        "JOB_NAME": attempt.job,
        "JOB_RUN_ID": str(attempt.run_id),
        "JOB_ATTEMPT": str(attempt.attempt),
        "JOB_FENCE": attempt.fence,
        "JOB_SCHEDULED_FOR": attempt.scheduled_for.isoformat(),
    }


def _judge(ended: Ended, settings: Settings) -> None:
    if ended.spawn:
        raise PayloadError("script.spawn", f"it cannot be started: {one_line(ended.spawn)}")
    if ended.cut:
        raise PayloadError("worker.lost", "ended because this node lost the database")
    if ended.limit:
        raise PayloadError(f"script.limit.{ended.limit}", f"it had more {ended.limit} than it may")
    if ended.signal in _LIMIT_SIGNALS:
        limit = _LIMIT_SIGNALS[signal.Signals(ended.signal)]
        raise PayloadError(f"script.limit.{limit}", f"it met its limit of {limit}", signal=ended.signal)
    if ended.signal is not None:
        raise PayloadError("script.signal", f"killed by signal {ended.signal}", signal=ended.signal)
    if ended.exit not in settings.success_codes:
        raise PayloadError(f"script.exit.{ended.exit}", f"exit code {ended.exit}", exit_code=ended.exit)
