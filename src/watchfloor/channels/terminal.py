"""Terminals of people who are logged in on the machine of the node: the bell, and a notification of the desktop.

The bell is BEL; notifications are OSC 9 and OSC 777, which iTerm2, Windows Terminal, ConEmu, Ghostty, urxvt, foot,
WezTerm and VTE show on the desktop of whoever sits there, also over SSH. What a terminal does not know it ignores. With
several nodes a message goes to the machine of the node that sends it.

Every terminal below ``/dev/pts`` that belongs to one of the users is written to. Who works in tmux or screen has at
least two: the one of the login, which takes the notification, and those of the panes, which take the bell and ignore
the rest; so nothing is wrapped for them, and a notification is shown once for each login. A terminal that is stopped or
whose connection is frozen holds nothing up, it is left out. A message is delivered as soon as one terminal took all of
it, whether or not anybody looks; while none is open it is tried again.

The terminals of other users may be written to by root and by the group ``tty`` (in the unit of systemd:
``SupplementaryGroups=tty``) unless they said ``mesg n``.

Sources: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (BEL, OSC),
https://iterm2.com/documentation-escape-codes.html (OSC 9), https://codeberg.org/dnkl/foot (OSC 777), wall(1), mesg(1).
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pwd
import select
import socket
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.sending import as_json
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords, Name
from watchfloor.domain.bell import BELL, LONGEST, notification
from watchfloor.domain.notice import TEST
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count, named
from watchfloor.probes.blocking import Hands

TERMINALS = "/dev/pts"
CLOSING = "\x1b\\"
"""Ends what a terminal that froze may have got only half of; where there is nothing to end it is ignored."""

REST_S = 0.5
"""So long a terminal that took a part of a message may take for the rest of it."""

NOTHING = "nothing was sent: the bell rings for what fires"
REFUSALS = {
    errno.EACCES: "may not be written to (it says mesg n, or this node is not in the group tty)",
    errno.ENOENT: "is not open",
    errno.EIO: "is not open any more",
}
_hands = Hands(1, "terminals")
"""One thread: what two messages write to a terminal must not mix, and looking up a user may hang."""

Terminal = Annotated[
    str,
    StringConstraints(pattern=r"^/dev/(pts/[0-9]{1,7}|tty[A-Za-z0-9]{1,20})$"),
    InWords("a terminal such as /dev/pts/3, /dev/tty1 or /dev/ttyS0"),
]


class Settings(Speaking):
    """Settings of a terminal channel."""

    how: Literal["bell", "desktop", "both"] = Field(
        default="both",
        description="How they are told: by the bell, by a notification of the desktop, or both.",
    )
    users: Annotated[tuple[Name, ...], Field(max_length=50)] = Field(
        default=(), description="Whose terminals; those of the user that the node runs as if left out."
    )
    terminals: Annotated[tuple[Terminal, ...], Field(max_length=50)] = Field(
        default=(), description="Only these of theirs; all below `/dev/pts` if left out."
    )
    rings_for: Literal["problems", "everything"] = Field(
        default="problems",
        description="What the bell rings for: what fires, or also what is acknowledged or over.",
    )
    text: bool = Field(
        default=False,
        description="Write the words as a line, too, as wall(1) does; programs that fill the screen are disturbed.",
    )
    timeout: float = Field(
        default=5.0, ge=1.0, le=30.0, description="Seconds until an attempt counts as failed."
    )


def render(settings: Settings, draft: Draft) -> bytes:
    """The words, and what is done with them."""
    said = speak(settings, draft)
    fires = said.notice.state == "firing" or said.notice.type == TEST
    return as_json(
        {
            "words": one_line(f"{said.title}. {said.body}" if said.body else said.title, LONGEST),
            "bell": settings.how != "desktop" and (fires or settings.rings_for == "everything"),
            "notification": settings.how != "bell",
            "line": settings.text,
        }
    )


async def deliver(settings: Settings, message: Message) -> str:
    """Tell the terminals. Raises `DeliveryError` where none took it.

    Returns which of them did not take it, empty as a rule: it is not sent again, because the others have it.
    """
    sent = _sequence(message.payload)
    if not sent:
        return NOTHING
    until = time.monotonic() + settings.timeout
    try:
        async with asyncio.timeout(settings.timeout):
            told, failures = await _hands.call(f"{message.id} {until}", partial(_tell, settings, sent, until))
    except TimeoutError:
        raise DeliveryError(f"the terminals could not be told within {settings.timeout:g} s") from None
    except OSError as error:
        raise DeliveryError(one_line(f"{type(error).__name__}: {error}")) from None
    if not told:
        raise DeliveryError(one_line("; ".join(named(failures)), 290))
    return f"{count(told, 'terminal')} took it, but {'; '.join(named(failures))}" if failures else ""


def _sequence(payload: bytes) -> bytes:
    """The bytes for a terminal."""
    said = json.loads(payload)
    shown = notification(said["words"]) if said["notification"] else ""
    line = f"\r\n{one_line(said['words'], LONGEST)}\r\n" if said["line"] else ""
    closing = CLOSING if shown or line else ""
    return f"{closing}{BELL if said['bell'] else ''}{shown}{line}".encode()


def _tell(settings: Settings, sent: bytes, until: float) -> tuple[int, list[str]]:
    """How many terminals took all of it, and why others did not. Nothing is written after ``until``."""
    uids, failures = _users(settings.users)
    found = settings.terminals or tuple(_belonging_to(uids))
    if uids and not found:
        whose = ", ".join(named(list(uids.values())))
        failures.append(f"no terminal of {whose} is open on {socket.gethostname()}")
    patience = min(until, time.monotonic() + REST_S)
    told = 0
    for path in found if time.monotonic() < until else ():
        if refusal := _refusal(path, uids, sent, patience):
            failures.append(f"{path} {refusal}")
        else:
            told += 1
    return told, failures


def _users(names: Sequence[str]) -> tuple[dict[int, str], list[str]]:
    """Who is wanted, by id, and whom of them this machine does not know."""
    if not names:
        return {os.geteuid(): "the user that this node runs as"}, []
    uids, failures = {}, []
    for name in names:
        try:
            uids[pwd.getpwnam(name).pw_uid] = name
        except KeyError:
            failures.append(f"there is no user {name} on {socket.gethostname()}")
    return uids, failures


def _belonging_to(uids: Collection[int]) -> Iterator[str]:
    """The terminals that are open and belong to these users."""
    for number in sorted(int(name) for name in os.listdir(TERMINALS) if name.isdigit()):
        path = f"{TERMINALS}/{number}"
        try:
            owner = os.lstat(path).st_uid
        except FileNotFoundError:  # it was closed just now
            continue
        if owner in uids:
            yield path


def _refusal(path: str, uids: Collection[int], sent: bytes, until: float) -> str:
    """Write to one terminal; why it did not take all of it, empty where it did."""
    try:
        if os.lstat(path).st_uid not in uids:  # before it is opened: that alone does things to some devices
            return "belongs to somebody else"
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        terminal = os.open(path, flags)
        try:
            status = os.fstat(terminal)
            if not stat.S_ISCHR(status.st_mode) or not os.isatty(terminal):
                return "is no terminal"
            if status.st_uid not in uids:  # by now it is another one of this name
                return "belongs to somebody else"
            return _write(terminal, sent, until)
        finally:
            os.close(terminal)
    except OSError as error:
        return REFUSALS.get(error.errno or 0) or f"fails: {error.strerror or type(error).__name__}"


def _write(terminal: int, sent: bytes, until: float) -> str:
    """Write without blocking; what is left when a part was taken is waited for until then, as half of it does harm."""
    ready = select.poll()
    ready.register(terminal, select.POLLOUT)
    left = sent
    while True:
        try:
            left = left[os.write(terminal, left) :]
        except BlockingIOError:
            if left is sent:
                return "takes nothing (it is stopped, or its connection is frozen)"
        if not left:
            return ""
        rest = until - time.monotonic()
        if rest <= 0 or not ready.poll(rest * 1000):
            return "took only a part (its connection is frozen)"
