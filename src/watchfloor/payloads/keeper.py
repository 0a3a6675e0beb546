"""The keeper: a small process between a node and one process that it runs for a job; a dead man's switch.

It starts the process in a session of its own and ends it, with everything that came of it, when it is told to, when
the node dies (its pipe closes) or when the node's trust runs out. Being a subreaper it inherits what double-forks,
so nothing stays behind when it leaves.

The scratch directory of the process is made and removed here, so that it goes even where the node is killed. A fork
bomb is found by counting, which holds for every user, and frozen before it is killed. Between two counts the kernel
bounds it: by a control group where one can be had, else by the number of processes of its user (which root has not).

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

HEARD_BY_IT = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGXFSZ,
)
"""Signals that this interpreter or the keeper ignores, which the process must not inherit."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
COUNT_EVERY_S = 0.1
"""How often the processes of the job are counted where their number is limited."""

ROOM = 64
"""The kernel's bound lies so far above four times the limit: it counts threads too, and tells nobody who met it."""

SCRATCH = "\0"
"""Stands for the scratch directory in arguments, the environment and the directory: nothing else can hold it."""

HARDER = {"cpu": 5}
"""So much later than the soft limit comes the hard one: first a signal that tells which limit it was."""

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
    spec["pen"] = _pen(4 * spec["processes"] + ROOM) if spec["processes"] else ""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    told = _keep(spec, prctl, wake, rest)
    if spec["scratch"]:
        _remove(spec["scratch"])
    if spec["pen"]:
        _raze(spec["pen"])
    os.write(status, json.dumps(told).encode())


def _keep(spec, prctl, wake: int, rest: bytes) -> dict[str, object]:  # type: ignore[no-untyped-def]
    try:
        spec = _furnished(spec)
        child, trouble = _start(spec, prctl)
    except OSError as error:
        return {"spawn": str(error)}
    if trouble:
        os.waitpid(child, 0)
        return {"spawn": trouble}
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)  # the ends of these pipes are the child's alone
    code, cut, limit = _watch(child, wake, rest, float(spec["trust"]), spec["processes"])
    _sweep()
    ended = os.waitstatus_to_exitcode(code)
    return {"cut": cut, "limit": limit, **({"exit": ended} if ended >= 0 else {"signal": -ended})}


def _furnished(spec) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Make the scratch directory with its files; returns what to start, with its place filled in."""
    place, user = spec["scratch"], spec["user"]
    if not place:
        return dict(spec)
    owner = (user["uid"], user["gid"]) if user else (-1, -1)
    os.mkdir(place, 0o700)
    os.mkdir(f"{place}/work", 0o700)
    for name, text in spec["files"].items():
        with open(os.open(f"{place}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode())
        os.chown(f"{place}/{name}", *owner)
    os.chown(f"{place}/work", *owner)
    os.chown(place, *owner)
    return {
        **spec,
        "argv": [each.replace(SCRATCH, place) for each in spec["argv"]],
        "env": {name: value.replace(SCRATCH, place) for name, value in spec["env"].items()},
        "directory": spec["directory"].replace(SCRATCH, place),
    }


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
    stdin = os.memfd_create("stdin")  # of any length, and there at once
    with open(os.dup(stdin), "wb") as file:
        file.write(spec["stdin"].encode())
    os.lseek(stdin, 0, os.SEEK_SET)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            _become(spec, stdin)
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of the user would have undone it
            if os.getppid() == keeper:
                os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - no shell unless asked for
        except BaseException as error:
            os.write(tell, str(error).encode()[:2000])
        finally:
            os._exit(127)
    os.close(tell)
    os.close(stdin)
    trouble = b""
    while chunk := os.read(told, 4096):
        trouble += chunk
    os.close(told)
    return child, trouble.decode(errors="replace")


def _become(spec, stdin: int) -> None:  # type: ignore[no-untyped-def]
    for each in HEARD_BY_IT:
        signal.signal(each, signal.SIG_DFL)
    os.dup2(stdin, 0)
    os.umask(spec["umask"])
    if spec["nice"]:
        os.nice(spec["nice"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in spec["limits"].items():
        resource.setrlimit(LIMITS[name], (value, value + HARDER.get(name, 0)))
    if spec["pen"]:
        with open(f"{spec['pen']}/cgroup.procs", "w") as file:
            file.write("0")
    user = spec["user"]
    if spec["processes"] and not spec["pen"]:
        _bound(user["uid"] if user else os.getuid(), 4 * spec["processes"] + ROOM)
    if user:
        os.setgroups(user["groups"])
        os.setresgid(user["gid"], user["gid"], user["gid"])
        os.setresuid(user["uid"], user["uid"], user["uid"])
    os.chdir(spec["directory"])  # as whom it runs: a directory that this user may not enter is refused


def _pen(most: int) -> str:
    """A control group of this keeper's that holds so many tasks at most; empty where none can be had.

    Both versions are known: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/pids.html.
    """
    for above in _groups():
        place = f"{above}/watchfloor-{os.getpid()}"
        try:
            for name in os.listdir(above):
                pid = name.removeprefix("watchfloor-")
                if pid != name and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                    _raze(f"{above}/{name}")  # its keeper was killed
            os.mkdir(place, 0o755)
            with open(os.open(f"{place}/pids.max", os.O_WRONLY), "w") as file:
                file.write(str(most))
        except OSError:  # not ours to divide, or without this controller
            _raze(place)
            continue
        return place
    return ""


def _groups() -> list[str]:
    """The control groups that this process is in and that may count processes."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split() for line in file]
    with open("/proc/self/cgroup") as file:
        mine = {names: path for _, names, path in (line.rstrip("\n").split(":", 2) for line in file)}
    found = []
    for fields in mounts:
        root, place, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        names = "" if kind == "cgroup2" else "pids"
        if kind == "cgroup2" or (kind == "cgroup" and "pids" in fields[-1].split(",")):
            path = mine.get(names, "")
            if path.startswith(root):
                found.append(os.path.normpath(f"{place}/{path[len(root) :]}"))
    return found


def _raze(place: str) -> None:
    with contextlib.suppress(OSError):  # it was never made, or somebody else put a process in it
        os.rmdir(place)


def _bound(uid: int, more: int) -> None:
    """Let the user of this process have so many more tasks than now; root is not held by it."""
    now = sum(_tasks(int(name), uid) for name in os.listdir("/proc") if name.isdigit())
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    value = now + more if hard == resource.RLIM_INFINITY else min(now + more, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (value, value))


def _tasks(pid: int, uid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task")) if os.stat(f"/proc/{pid}").st_uid == uid else 0
    except OSError:
        return 0  # it ended while it was looked at


def _watch(child: int, wake: int, heard: bytes, trust: float, most: int) -> tuple[int, bool, str]:
    """Wait for the end of the child, ending it when that is due; returns its wait status, whether trust ran out, and
    which limit it met. ``most``: so many processes may come of it; 0: any number."""
    kill_at, listening, cut, limit = None, True, False, ""
    while True:
        now = time.clock_gettime(CLOCK)
        due = trust if kill_at is None else kill_at
        longest = COUNT_EVERY_S if most else 3600.0
        patience = 0.0 if b"\n" in heard else max(0.0, min(due - now, longest))
        ready, _, _ = select.select([wake, 0] if listening else [wake], [], [], patience)
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        code = _reap(child)
        if code is not None:
            return code, cut, limit
        if most and len(_descendants(most)) > most:
            limit = "processes"
            _kill_all()
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
        _kill_all()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)  # the list of children may miss one while others end, so it is read again


def _kill_all() -> None:
    """Kill everything that came of the process: frozen first, since what is stopped makes nothing new."""
    frozen: set[int] = set()
    while new := [pid for pid in _descendants() if pid not in frozen]:
        for pid in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        frozen.update(new)
    for pid in frozen:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _descendants(most: int = 10**9) -> list[int]:
    """All processes that came of this one; a little more than ``most`` of them are enough."""
    found = _children(os.getpid())
    at = 0
    while at < len(found) <= most:
        found += _children(found[at])
        at += 1
    return found


def _children(parent: int) -> list[int]:
    try:
        with open(f"/proc/{parent}/task/{parent}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        return _children_by_search(parent) if os.path.exists(f"/proc/{parent}") else []
    except OSError:
        return []  # it ended while it was looked at


def _children_by_search(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{int(name)}/stat", "rb") as file:
            if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                found.append(int(name))
    return found


def _remove(place: str) -> None:
    """Remove a directory with everything in it, however deep: directories are lifted up, never descended into."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    with contextlib.suppress(OSError):  # what cannot be removed, such as a mount point, is left
        top = os.open(place, flags)
        lifted = 0
        while names := os.listdir(top):
            before = lifted
            for name in names:
                try:
                    os.unlink(name, dir_fd=top)
                    lifted += 1
                except IsADirectoryError:
                    os.chmod(name, 0o700, dir_fd=top)
                    below = os.open(name, flags, dir_fd=top)
                    for inner in os.listdir(below):
                        lifted += 1
                        os.rename(inner, f"{lifted}.{os.getpid()}", src_dir_fd=below, dst_dir_fd=top)
                    os.close(below)
                    os.rmdir(name, dir_fd=top)
                    lifted += 1
            if lifted == before:
                break
        os.close(top)
        os.rmdir(place)


if __name__ == "__main__":
    main()
