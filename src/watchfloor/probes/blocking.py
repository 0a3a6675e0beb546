"""Calls that may block for ever, kept away from the event loop and from each other.

Asking a dead network file system for its size hangs inside the kernel; nothing can interrupt it. Such a call
runs on one of a few daemon threads, under a name. While it is out, whoever asks by the same name waits for
the same call, so a dead mount costs one thread however often it is checked, and the program can end while it
hangs. This module must never create more threads than its limit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Hands:
    """A few threads, started when needed and kept for the life of the process."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._threads = 0
        self._out: dict[str, Future[Any]] = {}
        self._work: queue.SimpleQueue[tuple[str, Callable[[], Any]]] = queue.SimpleQueue()

    async def call(self, name: str, function: Callable[[], Any]) -> Any:
        """Run ``function`` on a thread, or join the call of this name that is already out, and return its result.

        Raises what the function raises. Cancelling gives up waiting; the thread comes back when the call
        does.
        """
        with self._lock:
            result = self._out.get(name)
            if result is None:
                result = self._out[name] = Future()
                result.set_running_or_notify_cancel()  # so that one who gives up does not cancel it for others
                if self._threads < min(len(self._out), self._limit):
                    self._threads += 1
                    threading.Thread(target=self._serve, name=self._name, daemon=True).start()
                self._work.put((name, function))
        return await asyncio.wrap_future(result)

    def _serve(self) -> None:
        while True:
            name, function = self._work.get()
            try:
                value, error = function(), None
            except Exception as raised:
                value, error = None, raised
            with self._lock:
                result = self._out.pop(name)
            if error is None:
                result.set_result(value)
            else:
                result.set_exception(error)
