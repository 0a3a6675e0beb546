"""The keeper: a small process of its own that is the parent of the postmaster and stops it with the last user.

It starts the server, reaps it, starts it again when it dies, for ever, and stops it (fast, then immediate, never
SIGKILL) when the last process holding a shared lock on the users' lock file is gone. A server that is already
running, because an earlier keeper was killed, is adopted. Being a subreaper, it inherits and reaps the backends of
a killed postmaster, so the next one does not find their shared memory in use.

Standard library only, and only what loads fast: it runs isolated, without site-packages and without the rest of
the product. It never holds a terminal, a user's lock or a password, and touches nothing inside the cluster but a
lock file proven stale.

What others see of it: its exclusive lock on the keeper's lock file, and the line in that file (see `report`).
"""

from __future__ import annotations

import _thread
import fcntl
import os
import select
import signal
import sys
import time
from contextlib import suppress

from watchfloor.store.embedded import postmaster
from watchfloor.store.embedded.locks import open_lock_file, try_lock
from watchfloor.store.embedded.serverlog import ServerLog

EXIT_ANOTHER_KEEPS = 3
"""Exit status of a keeper that found another one at work."""

_FAST_STOP_PATIENCE = 60.0  # seconds a fast stop may take before the immediate one
_FORGOTTEN_PATIENCE = 2.0  # the same where nothing is left but processes that were told nothing
_DRAIN = 15.0  # seconds the users get to leave after the keeper itself was told to go (SIGTERM)
_SHORT_LIFE = 1.0  # seconds; a server that lived longer is started again at once
_LONGEST_PAUSE = 5.0
_SHIELDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE)
_IDLE = 10.0  # seconds between looks at the size of the log


def report(keeper_lock: str) -> tuple[int, str, int]:
    """What the keeper last wrote: its process number, its state, and how often in a row the server failed to start.

    A server that was killed has not failed. States: "starting", "running", "failing", "stopping", "gone".
    (0, "gone", 0) when there never was a keeper.
    """
    try:
        with open(keeper_lock, encoding="ascii", errors="replace") as file:
            words = file.read(200).split()
    except FileNotFoundError:
        words = []
    if len(words) != 3 or not words[0].isdigit() or not words[2].isdigit():
        return 0, "gone", 0
    return int(words[0]), words[1], int(words[2])


def publish(lock_fd: int, state: str, failures: int) -> None:
    """Write the line that `report` reads: one write of a fixed length, so a reader never sees half of it."""
    os.pwrite(lock_fd, f"{os.getpid():>10} {state:<8} {failures:>8}\n".encode(), 0)


class _Server:
    """One life of a postmaster: ours, or an adopted one that somebody else has to reap."""

    def __init__(self, pid: int, cluster: str, *, child: bool) -> None:
        self.pid = pid
        self.child = child
        self.born = time.monotonic()
        self.ready = False
        self.status: int | None = None
        self._cluster = cluster
        self.pidfd: int | None = None
        if not child and hasattr(os, "pidfd_open"):
            try:
                self.pidfd = os.pidfd_open(pid)  # wakes us when it ends; a child does so by SIGCHLD
            except OSError:
                self.pidfd = None  # an old kernel, a sandbox, or already gone: looking now and then will do

    def gone(self) -> bool:
        if self.child:
            return self.status is not None
        return not postmaster.is_postmaster(self.pid, self._cluster)

    def was_killed(self) -> bool:
        """Whether somebody else ended it (kill -9, out of memory), which says nothing about its health."""
        return (
            self.status is not None
            and os.WIFSIGNALED(self.status)
            and os.WTERMSIG(self.status) == signal.SIGKILL
        )

    def kill(self, number: int) -> None:
        """Send a signal to this postmaster and to no later owner of its number."""
        if not self.gone():
            _kill(self.pid, number)

    def close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


class Keeper:
    """The loop of the keeper. `orders` names, as absolute paths unless said otherwise:

    binary (postgres), cluster, config (postgresql.conf), name (the cluster's, not a path), sockets, log, users
    (lock file), uid and gid (numbers, empty when the server runs as we do).
    """

    def __init__(self, lock_fd: int, orders: dict[str, str]) -> None:
        self._lock_fd = lock_fd
        self._orders = orders
        self._cluster = orders["cluster"]
        self._log = ServerLog(orders["log"])
        self._users_fd = open_lock_file(orders["users"])
        self._users_gone = False
        self._leave_by: float | None = None
        self._failures = 0  # starts in a row that did not lead to a ready server
        self._short_lives = 0
        self._server: _Server | None = None
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)

    def run(self) -> None:
        """Keep the server until nobody needs it any more, then stop it and let go of both locks."""
        publish(self._lock_fd, "starting", 0)
        self._listen()
        while not self._must_leave():
            self._server = self._adopt() or self._launch()
            self._attend(self._server)
            if self._server.gone():
                self._bury(self._server)
        if self._server is not None:
            self._stop(self._server)
        publish(self._lock_fd, "gone", 0)
        # In this order: whoever waits for the users' lock must find no keeper once it gets it.
        os.close(self._lock_fd)
        os.close(self._users_fd)

    # -- what wakes it -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._told_to_go)
        for number in _SHIELDED:
            signal.signal(number, signal.SIG_IGN)
        _thread.start_new_thread(self._await_last_user, ())

    def _await_last_user(self) -> None:
        # The one blocking lock: it costs nothing while users are there and returns the moment the last one is gone.
        fcntl.flock(self._users_fd, fcntl.LOCK_EX)
        self._users_gone = True
        os.write(self._waker, b"\0")

    def _told_to_go(self, *_: object) -> None:
        if self._leave_by is None:
            self._leave_by = time.monotonic() + _DRAIN

    def _must_leave(self) -> bool:
        if self._leave_by is None:
            return self._users_gone
        return self._users_gone or self._server is None or time.monotonic() >= self._leave_by

    def _wait(self, seconds: float) -> None:
        """Sleep until something happens: a child or the server died, the last user left, a signal, or the time."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        server = self._server
        if server is not None and not server.child:
            if server.pidfd is not None:
                poll.register(server.pidfd, select.POLLIN)
            else:
                seconds = min(seconds, 0.2)
        if self._leave_by is not None and (left := self._leave_by - time.monotonic()) > 0:
            seconds = min(seconds, left)
        poll.poll(seconds * 1000)
        with suppress(BlockingIOError):  # the time was up: nothing to drain
            os.read(self._wake, 4096)
        self._reap()

    def _reap(self) -> None:
        """Reap every child that has ended, orphaned backends included."""
        with suppress(ChildProcessError):  # there are none (left)
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                if self._server is not None and self._server.child and ended[0] == self._server.pid:
                    self._server.status = ended[1]

    # -- the life of the server ----------------------------------------------------------------------------------

    def _adopt(self) -> _Server | None:
        # A server that never became ready may be in the way of another one that has lost its lock file.
        pid = postmaster.find(self._cluster) if self._short_lives else postmaster.running(self._cluster)
        if pid is None:
            return None
        self._log.write(f"adopting the running server, process {pid}")
        return _Server(pid, self._cluster, child=False)

    def _launch(self) -> _Server:
        self._clear_the_way()
        argv = [self._orders["binary"], "-D", self._cluster, "-c", f"config_file={self._orders['config']}"]
        # A signal for the child that comes before it has its own dispositions must wait for them, not be ignored.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SHIELDED)
        pid = os.fork()
        if pid == 0:
            self._become_server(argv)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SHIELDED)
        _become_subreaper()
        return _Server(pid, self._cluster, child=True)

    def _become_server(self, argv: list[str]) -> None:
        """In the child: the server's account, default signals, the log as its output. Never returns."""
        try:
            signal.set_wakeup_fd(-1)
            for number in _SHIELDED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SHIELDED)
            os.dup2(self._log.fd, 1)
            os.dup2(self._log.fd, 2)
            if self._orders["uid"]:
                os.setgroups([])
                os.setgid(int(self._orders["gid"]))
                os.setuid(int(self._orders["uid"]))
            os.execv(argv[0], argv)  # noqa: S606 - no shell wanted
        except OSError as error:
            self._log.write(f"cannot run {argv[0]}: {error.strerror}")
        finally:
            os._exit(127)

    def _clear_the_way(self) -> None:
        """After a crash: end orphaned backends, and remove lock files that name no server of this cluster.

        PostgreSQL clears a lock file by itself when its process number is free. It refuses to start when the number
        belongs to a zombie or to somebody else, or the file is damaged, and only then is it removed here.
        """
        pid_file = f"{self._cluster}/postmaster.pid"
        if self._short_lives == 0 and not os.path.lexists(pid_file):
            return  # the usual case, after a clean shutdown
        self._end_orphans()
        found = postmaster.pid_file(self._cluster)
        if not os.path.lexists(pid_file) or (found is not None and not postmaster.exists(found.pid)):
            return
        if postmaster.find(self._cluster) is None:
            self._log.write(
                "removing the lock files of a dead server" + (f", process {found.pid}" if found else "")
            )
            for path in (f"{self._orders['sockets']}/.s.PGSQL.5432.lock", pid_file):
                if os.path.lexists(path):
                    os.unlink(path)

    def _end_orphans(self) -> None:
        """Backends of a killed postmaster may work on unnoticing; wait until none is left."""
        told: set[int] = set()
        while orphans := postmaster.children(self._cluster, self._orders["name"]):
            if self._must_leave() or postmaster.find(self._cluster) is not None:
                return
            for pid in set(orphans) - told:
                self._log.write(f"ending the orphaned server process {pid}")
                _kill(pid, signal.SIGQUIT)
            told.update(orphans)
            self._wait(0.005)

    def _attend(self, server: _Server) -> None:
        """Watch the server until it is gone or we must leave.

        Where the recovery from a crashed backend is killed as well, PostgreSQL 18 waits for its end for ever.
        """
        forgotten_at: float | None = None
        while not server.gone() and not self._must_leave():
            if not server.ready:
                found = postmaster.pid_file(self._cluster)
                if found is not None and found.pid == server.pid and found.status == "ready":
                    self._settle(server)
            self._log.bound()
            if not (server.ready and postmaster.only_idle_helpers(self._cluster, self._orders["name"])):
                forgotten_at = None
            elif forgotten_at is None:
                forgotten_at = time.monotonic()
            elif time.monotonic() - forgotten_at > _FORGOTTEN_PATIENCE:
                self._log.write("the server waits for a recovery that is gone: starting it again")
                server.kill(signal.SIGQUIT)
            self._wait((1.0 if forgotten_at else _IDLE) if server.ready else 0.02)

    def _settle(self, server: _Server) -> None:
        server.ready = True
        self._failures = 0
        publish(self._lock_fd, "running", 0)

    def _bury(self, server: _Server) -> None:
        """Take note of the server's end and wait as long as its failures in a row ask for."""
        server.close()
        ended = "ended" if server.status is None else _how_it_ended(server.status)
        self._short_lives = self._short_lives + 1 if time.monotonic() - server.born < _SHORT_LIFE else 1
        if server.child and not server.ready and not server.was_killed():
            self._failures += 1
        pause = min(_LONGEST_PAUSE, 0.05 * 2 ** (self._short_lives - 1)) if self._short_lives > 1 else 0.0
        self._log.write(f"the server {ended}; starting it again in {pause:g} s")
        publish(self._lock_fd, "failing" if self._failures else "starting", self._failures)
        self._server = None
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and not self._must_leave():
            self._wait(left)

    def _stop(self, server: _Server) -> None:
        """Stop the server: fast, after a long patience immediate. Waits for as long as it takes.

        A fast stop during the recovery from a crashed backend ends the recovery, but PostgreSQL 18 then waits for
        ever for a checkpointer that it did not tell to go.
        """
        publish(self._lock_fd, "stopping", 0)
        number, deadline = signal.SIGINT, time.monotonic() + _FAST_STOP_PATIENCE
        busy_at = time.monotonic()
        while not server.gone():
            server.kill(number)
            self._wait(1.0)
            now = time.monotonic()
            if not postmaster.only_idle_helpers(self._cluster, self._orders["name"]):
                busy_at = now
            if number == signal.SIGINT and (now > deadline or now - busy_at > _FORGOTTEN_PATIENCE):
                self._log.write("the fast stop takes too long: stopping at once, the next start will recover")
                number = signal.SIGQUIT
        server.close()


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself, which is what we wanted


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"ended with exit status {os.WEXITSTATUS(status)}"


def _become_subreaper() -> None:
    """Have orphans of our descendants reparented to us (Linux). Without it they are still found through /proc."""
    if sys.platform == "linux":
        import ctypes  # slow to load, and by now the server is starting

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def main() -> None:
    """Take the keeper's lock, leave our parent behind, and keep. Exits at once if another keeper is at work.

    The first process returns to whoever started it only when the lock is taken, so from then on there is a keeper.
    """
    orders = dict(argument.split("=", 1) for argument in sys.argv[1:])
    os.umask(0o077)
    lock_fd = open_lock_file(orders["lock"])
    patience = time.monotonic() + 0.05  # somebody may be looking whether a keeper is there, for a microsecond
    while not try_lock(lock_fd, exclusive=True):
        if time.monotonic() > patience:
            sys.exit(EXIT_ANOTHER_KEEPS)
        time.sleep(0.001)
    publish(lock_fd, "starting", 0)
    if os.fork():
        os._exit(0)
    Keeper(lock_fd, orders).run()
