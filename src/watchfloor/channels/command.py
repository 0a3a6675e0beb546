"""A command of this machine: an argument list, never a shell, with limits on time, memory and output.

The message is on standard input as JSON and, in short, in variables (``WATCHFLOOR_TITLE`` …). Of the engine's
environment the command sees nothing but ``PATH``, ``HOME`` and the language. Exit status 0 is success, 65 and 78
(``EX_DATAERR`` and ``EX_CONFIG`` of sysexits.h) are failures for good, everything else is tried again. Whatever the
command leaves running in its process group is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import tempfile
from typing import IO, Annotated

from pydantic import Field, SecretStr, StringConstraints

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.secrets import sayable, secrets_of
from watchfloor.channels.sending import as_json
from watchfloor.channels.words import Speaking, speak
from watchfloor.domain.notice import facts

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
FOR_GOOD = frozenset({65, 78})
FOR_PEOPLE = frozenset({"mark", "span", "at_local", "since_local"})
"""What is told only in the words, not among the fields for programs."""

SAID_BYTES = 4096
OPEN_FILES = 256
FILE_BYTES = 16 * 2**20
"""No file it writes grows beyond this, what it says included."""


Argument = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]


class Settings(Speaking):
    """Settings of a command channel."""

    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=100)] = Field(
        description="The program and its arguments, as a list; no shell looks at them."
    )
    environment: dict[Variable, SecretStr] = Field(
        default={}, max_length=50, description="Further variables for the command."
    )
    directory: Argument = Field(default="/", description="Where it runs.")
    memory: int = Field(default=512, ge=16, le=65536, description="MiB of memory it may use.")
    timeout: float = Field(default=10.0, ge=1.0, le=30.0, description="Seconds until it is killed.")


def render(settings: Settings, draft: Draft) -> bytes:
    """What the command reads: title, body and the notice as one JSON object."""
    said = speak(settings, draft)
    values = {key: value for key, value in facts(said.notice).items() if key not in FOR_PEOPLE}
    return as_json({**values, "title": said.title, "body": said.body, "message_id": draft.id})


async def deliver(settings: Settings, message: Message) -> None:
    """Run the command once. Raises `DeliveryError`."""
    # Files, not pipes: waiting for a process would also wait for whoever else holds the other end of a pipe.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(message.payload)
        given.seek(0)
        status = await _run(settings, message, given, said)
        said.seek(0)
        words = said.read(SAID_BYTES).decode(errors="replace")
    if status != 0:
        shown = sayable(words, secrets_of(settings))
        raise DeliveryError(_ended(status) + (f": {shown}" if shown else ""), permanent=status in FOR_GOOD)


async def _run(settings: Settings, message: Message, given: IO[bytes], said: IO[bytes]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(
            *settings.command,
            stdin=given,
            stdout=said,
            stderr=said,
            env=_environment(settings, message),
            cwd=settings.directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        words = sayable(str(error), secrets_of(settings))
        raise DeliveryError(f"the command cannot be run: {words}") from None
    try:
        _limit(process.pid, settings)
        async with asyncio.timeout(settings.timeout):
            return await process.wait()
    except TimeoutError:
        raise DeliveryError(f"the command took more than {settings.timeout:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _environment(settings: Settings, message: Message) -> dict[str, str]:
    notice = json.loads(message.payload)
    known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    ours = {
        f"WATCHFLOOR_{key.upper()}": str(notice[key]).replace("\0", "")
        for key in ("title", "body", "event", "state", "severity", "service", "id", "uuid", "message_id")
    }
    own = {name: value.get_secret_value() for name, value in settings.environment.items()}
    return {**known, **ours, **own}


def _limit(pid: int, settings: Settings) -> None:
    limits = {
        resource.RLIMIT_AS: settings.memory * 2**20,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(settings.timeout) + 1,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: FILE_BYTES,
    }
    with contextlib.suppress(ProcessLookupError):  # it is over already
        for which, most in limits.items():
            resource.prlimit(pid, which, (most, most))


def _ended(status: int) -> str:
    return (
        f"the command ended with status {status}"
        if status > 0
        else f"the command was killed by signal {-status}"
    )
