"""Runs a program or a script in a process of its own, under a keeper.

It sees nothing of Watchfloor's own environment. Nothing is ever put together for a shell: a script is handed to its
interpreter as a file that only this user can read, arguments as they are. What it leaves running is ended with it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.process import Ended, ProcessSpec, run_process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MIB = 2**20

Text = Annotated[str, Field(min_length=1, max_length=100_000)]


class Limits(base.Settings):
    """What one process of the job may use."""

    memory: Annotated[int, Field(ge=1)] | None = Field(None, description="Address space in MiB.")
    cpu: Annotated[int, Field(ge=1)] | None = Field(None, description="CPU time in seconds.")
    open_files: Annotated[int, Field(ge=16)] | None = Field(None, description="Files open at the same time.")
    file_size: Annotated[int, Field(ge=1)] | None = Field(None, description="The largest file in MiB.")


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
    stdin: Annotated[str, Field(max_length=60_000)] = Field("", description="What it can read.")
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
    scratch = Path(tempfile.mkdtemp(prefix="watchfloor-run-"))
    try:
        spec = await asyncio.to_thread(_spec, settings, attempt, scratch)
        ended = await run_process(spec, attempt.leash, attempt.output, float(settings.kill_grace))
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    _judge(ended, settings)


def _spec(settings: Settings, attempt: Attempt, scratch: Path) -> ProcessSpec:
    if settings.script is not None:
        file = scratch / "script"
        file.touch(mode=0o600)
        file.write_text(settings.script, encoding="utf-8")
        argv: tuple[str, ...] = (*settings.interpreter, str(file))
    else:
        argv = settings.run or ()
    directory = scratch / "work"
    directory.mkdir()
    limits = settings.limits
    chosen = {
        "memory": limits.memory and limits.memory * _MIB,
        "cpu": limits.cpu,
        "open_files": limits.open_files,
        "file_size": limits.file_size and limits.file_size * _MIB,
    }
    return ProcessSpec(
        argv=argv,
        env=_environment(settings, attempt),
        directory=settings.directory or str(directory),
        stdin=settings.stdin,
        nice=settings.nice,
        limits={name: value for name, value in chosen.items() if value},
    )


def _environment(settings: Settings, attempt: Attempt) -> dict[str, str]:
    return {
        "PATH": PATH,
        "HOME": os.path.expanduser("~"),
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
    if ended.signal is not None:
        raise PayloadError("script.signal", f"killed by signal {ended.signal}", signal=ended.signal)
    if ended.exit not in settings.success_codes:
        raise PayloadError(f"script.exit.{ended.exit}", f"exit code {ended.exit}", exit_code=ended.exit)
