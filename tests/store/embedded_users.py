"""Other processes that use an embedded server, driven line by line, and what the tests of it need to look around."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from watchfloor.store.embedded import EmbeddedStatus, status

_PROGRAM = """
import os, subprocess, sys, psycopg
from pathlib import Path
from watchfloor.store.embedded import Embedded
server = Embedded.start(Path(sys.argv[1]))
print("ready", flush=True)
connection = None
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    try:
        answer = ""
        if word == "sql":
            if connection is None or connection.broken:
                connection = psycopg.connect(server.dsn, autocommit=True)
            cursor = connection.execute(rest)
            answer = cursor.fetchone()[0] if cursor.description else ""
        elif word == "ensure":
            server.ensure()
        elif word == "fork":
            answer = os.fork()
            if answer == 0:
                os.close(0), os.close(1)
                os.read(os.pipe()[0], 1)
        elif word == "exec":
            quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            answer = subprocess.Popen(["sleep", "600"], close_fds=False, **quiet).pid
        elif word == "stop":
            server.stop(wait=True)
        print("ok", answer, flush=True)
    except Exception as error:
        print("failed", type(error).__name__, " ".join(str(error).split()), flush=True)
"""


class User:
    """A process that starts an `Embedded` and does what it is told: sql, ensure, fork, exec, stop."""

    def __init__(
        self, data_dir: Path, *, python: str = sys.executable, uid: int | None = None, path: str = ""
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", _PROGRAM, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            env={**os.environ, **({"PYTHONPATH": path} if path else {})},
        )

    def ready(self) -> User:
        """Wait until it has its server."""
        assert self._answer() == "ready"
        return self

    def tell(self, command: str) -> str:
        """Have it do one thing; what it answers, without the "ok"."""
        answer = self.try_to(command)
        assert answer.startswith("ok"), answer
        return answer[3:]

    def try_to(self, command: str) -> str:
        """Have it do one thing that may fail; its whole answer, empty if it is dead."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._answer()

    def kill(self) -> None:
        """kill -9, whatever it is doing."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> User:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # a command that nobody will read
            self.process.stdin.close()
        self.process.stdout.close()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition. Fails the test when it does not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def until_stopped(data_dir: Path) -> EmbeddedStatus:
    """Wait until neither server nor keeper is there any more."""
    until(lambda: status(data_dir).state == "stopped")
    return status(data_dir)


def kill(pid: int | None) -> None:
    """kill -9 of a process that must exist."""
    assert pid
    os.kill(pid, signal.SIGKILL)
