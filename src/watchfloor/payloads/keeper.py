"""The keeper: a small process between a node and one process that it runs for a job; a dead man's switch.

It starts the process in a session of its own and ends it, with everything that came of it, when it is told to, when
the node dies (its pipe closes) or when the node's trust runs out. Being a subreaper it inherits what double-forks,
so nothing stays behind when it leaves.

Standard library only and isolated: it starts with every run. Its first line of input is a JSON object (see
`watchfloor.payloads.process`); then come ``trust <moment>`` and ``end <seconds of grace>``. What became of the
process goes, as JSON, to the descriptor that its first argument names.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
LAST_GRACE_S = 1.0
"""From SIGTERM to SIGKILL where the node is dead or no longer trusted: nobody else may begin before."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIMITS = {
    "memory": resource.RLIMIT_AS,
    "cpu": resource.RLIMIT_CPU,
    "open_files": resource.RLIMIT_NOFILE,
    "file_size": resource.RLIMIT_FSIZE,
}


def main() -> None:
    """Keep one process."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(each, signal.SIG_IGN)
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    line, rest = _first_line()
    if not line:
        return  # the node was gone before it said what to do
    spec = json.loads(line)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child, trouble = _start(spec, prctl)
    if trouble:
        os.waitpid(child, 0)
        os.write(status, json.dumps({"spawn": trouble}).encode())
        return
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)  # the ends of these pipes are the child's alone
    code, cut = _watch(child, wake, rest, float(spec["trust"]))
    _sweep()
    ended = os.waitstatus_to_exitcode(code)
    told = {"cut": cut, **({"exit": ended} if ended >= 0 else {"signal": -ended})}
    os.write(status, json.dumps(told).encode())


def _first_line() -> tuple[bytes, bytes]:
    found = b""
    while b"\n" not in found:
        chunk = os.read(0, 65536)
        if not chunk:
            return b"", b""
        found += chunk
    line, _, rest = found.partition(b"\n")
    return line, rest


def _start(spec, prctl) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    """Fork and execute; returns the child and why it could not be executed, if so."""
    told, tell = os.pipe()
    stdin, feed = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _become(spec, stdin)
        except BaseException as error:
            os.write(tell, str(error).encode()[:2000])
        finally:
            os._exit(127)
    os.close(tell)
    os.close(stdin)
    os.set_blocking(feed, False)
    with contextlib.suppress(OSError):
        os.write(feed, spec["stdin"].encode())
    os.close(feed)
    trouble = b""
    while chunk := os.read(told, 4096):
        trouble += chunk
    os.close(told)
    return child, trouble.decode(errors="replace")


def _become(spec, stdin: int) -> None:  # type: ignore[no-untyped-def]
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)
    os.dup2(stdin, 0)
    os.chdir(spec["directory"])
    os.umask(spec["umask"])
    if spec["nice"]:
        os.nice(spec["nice"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in spec["limits"].items():
        resource.setrlimit(LIMITS[name], (value, value))
    os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - a shell only where it is asked for


def _watch(child: int, wake: int, heard: bytes, trust: float) -> tuple[int, bool]:
    """Wait for the end of the child, ending it when that is due; returns its wait status, and whether trust ran out."""
    kill_at, listening, cut = None, True, False
    while True:
        now = time.clock_gettime(CLOCK)
        due = trust if kill_at is None else kill_at
        patience = 0.0 if b"\n" in heard else max(0.0, min(due - now, 3600.0))
        ready, _, _ = select.select([wake, 0] if listening else [wake], [], [], patience)
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        code = _reap(child)
        if code is not None:
            return code, cut
        grace = None
        if listening and 0 in ready:
            chunk = os.read(0, 65536)
            listening = bool(chunk)
            grace = None if listening else LAST_GRACE_S
            heard += chunk
        *lines, heard = heard.split(b"\n")
        for line in lines:
            word, _, value = line.partition(b" ")
            if word == b"trust":
                trust = float(value)
            elif word == b"end":
                grace = float(value)
        now = time.clock_gettime(CLOCK)
        if grace is None and now >= trust:
            grace, trust, cut = LAST_GRACE_S, float("inf"), True
        if grace is not None:
            _signal_group(child, signal.SIGTERM)
            kill_at = now + grace if kill_at is None else min(kill_at, now + grace)
        if kill_at is not None and now >= kill_at:
            _signal_group(child, signal.SIGKILL)
            kill_at = now + 1.0


def _signal_group(child: int, which: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, which)


def _reap(child: int) -> int | None:
    """Reap whatever has ended; the wait status of the child where it has."""
    found = None
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = code


def _sweep() -> None:
    """Kill what the process left behind: its orphans are our children now, until there is none."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)  # the list of children may miss one while others end, so it is read again


def _children() -> list[int]:
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{int(name)}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == me:
                    found.append(int(name))
        return found


if __name__ == "__main__":
    main()
