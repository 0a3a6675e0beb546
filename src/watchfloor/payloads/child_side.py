"""The inside of a child: does the work that a module of this package declares and tells its parent, line by line.

The work runs on a thread, so that a request to end is heard whatever a library does meanwhile. What libraries print
goes to the standard error; the standard output belongs to the lines.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from watchfloor.payloads.contract import PayloadError


class Ended(Exception):
    """The parent wants the work ended; it is raised where the work looks up from what it does."""


class Out:
    """The way to the parent. ``on_end`` is what work that waits for others sets to be woken when it is to end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self.ending = threading.Event()
        self.on_end: Callable[[], None] | None = None

    def say(self, text: str, stream: str = "stdout") -> None:
        """Put one line into the log of the run."""
        self._tell({"say": text} if stream == "stdout" else {"say": text, "stream": stream})

    def give(self, value: Any) -> None:
        """Hand over a value; waits while the parent is busy with earlier ones."""
        self._tell({"give": value})

    def fail(self, error: PayloadError) -> None:
        """Say why the work is not done."""
        self._tell({"fail": error.error_class, "reason": str(error), "wait_s": error.wait_s})

    def check(self) -> None:
        """To be called again and again. Raises `Ended` when it is time."""
        if self.ending.is_set():
            raise Ended

    def end(self) -> None:
        """The parent wants it ended."""
        self.ending.set()
        if self.on_end is not None:
            with contextlib.suppress(Exception):  # whatever comes of it, the keeper kills what does not end
                self.on_end()

    def _tell(self, told: dict[str, Any]) -> None:
        data = memoryview(json.dumps(told, default=str).encode(errors="replace") + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


Work = Callable[[dict[str, Any], Out], None]


def _do(work: Work, asked: dict[str, Any], out: Out, results: list[int]) -> None:
    try:
        work(asked, out)
        results.append(0)
    except Ended:
        results.append(128 + signal.SIGTERM)
    except PayloadError as error:
        out.fail(error)
        results.append(1)
    except MemoryError:
        out.fail(PayloadError("process.memory", "it needed more memory than such a job may have"))
        results.append(1)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        out.fail(PayloadError("internal", f"{type(error).__name__}: {reason}"))
        results.append(1)


def main() -> int:
    """Do the work that the first argument names with what the standard input asks."""
    out = Out(os.dup(1))
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.buffer.read())
    signal.signal(signal.SIGTERM, lambda *_: out.end())
    results: list[int] = []
    work: Work = importlib.import_module(f"watchfloor.payloads.{sys.argv[1]}").work
    thread = threading.Thread(target=_do, args=(work, asked, out, results), daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    return results[0] if results else 1


if __name__ == "__main__":
    os._exit(main())  # no thread of a library may keep it
