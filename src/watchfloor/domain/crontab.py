"""Reads a crontab into jobs, and says what differs from cron's meaning. Pure: it looks nothing up.

What cron does is kept wherever it can be said: a shell as written, standard input after ``%``, a second start while
the first one still runs, nothing made up for. What cannot be kept is told line by line. The rules are those of
crontab(5) as Debian has them; what only other crons know is told as a mistake, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from watchfloor.domain.cron import SHORTCUTS, CronError, parse_cron
from watchfloor.domain.text import one_line

MAX_LINES = 10_000
CRON_PATH = "/usr/bin:/bin"
LONGEST = "7d"
"""Cron lets a job run for ever; this is the longest time-out there is."""

GENERAL = (
    "what a job prints is kept in the log of its run; nothing is mailed",
    f"a job ends after {LONGEST} at the latest; cron never ends one",
    "files are made with umask 077; cron uses that of the system, mostly 022: write umask 022 into the script "
    "where others must read them",
)
"""What differs for every line."""

NOTHING: Mapping[str, Mapping[str, object]] = MappingProxyType({})
_ENVIRONMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*?)\s*""")
_SECRET = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Imported:
    """One job: ``values`` as a config file would hold them, ``line`` where it stands, what differs from cron."""

    line: int
    values: Mapping[str, object]
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crontab:
    """What was read: the jobs, the lines that were left out with the reason, and what differs for all.

    ``there`` are the lines whose jobs exist already, with their names."""

    jobs: tuple[Imported, ...]
    there: tuple[tuple[int, str], ...]
    left_out: tuple[tuple[int, str], ...]
    differs: tuple[str, ...]


@dataclass
class _State:
    """What the lines read so far have set."""

    environment: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    names: set[str] = field(default_factory=set)
    there: dict[str, list[str]] = field(default_factory=dict)
    """Names of jobs that exist, by what `_work` says of them."""


def read_crontab(
    text: str,
    *,
    system: bool = False,
    time_zone: str = "UTC",
    user: str = "",
    home: Callable[[str], str | None] = lambda _: None,
    known: Mapping[str, Mapping[str, object]] = NOTHING,
) -> Crontab:
    """Read a crontab; ``system`` ones, such as /etc/crontab, name a user in each line.

    ``user`` is who runs jobs here, ``home`` gives a user's directory, ``known`` are the jobs that exist, as they are
    written, by name: one that does the same work at the same times is the job of one line, whatever else was changed.
    """
    state = _State(names=set(known))
    for name, values in known.items():
        state.there.setdefault(_work(values), []).append(name)
    jobs: list[Imported] = []
    there: list[tuple[int, str]] = []
    left_out: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines()[:MAX_LINES], 1):
        stripped = line.strip()
        if not stripped:
            state.comment = ""
        elif stripped.startswith("#"):
            state.comment = stripped.lstrip("#").strip()
        elif match := _ENVIRONMENT.fullmatch(line):
            state.environment[match[1] or match[2] or match[3]] = _unquoted(match[4])
        else:
            try:
                job = _job(number, stripped, state, system, time_zone, user, home)
                if names := state.there.get(_work(job.values)):
                    there.append((number, names.pop(0)))
                else:
                    jobs.append(_named(job, state.names))
            except CronError as error:
                left_out.append((number, f"{error}; {error.remedy}"))
            state.comment = ""
    if text.count("\n") > MAX_LINES:
        left_out.append((MAX_LINES + 1, f"only the first {MAX_LINES:,} lines are read"))
    return Crontab(tuple(jobs), tuple(there), tuple(left_out), GENERAL if jobs else ())


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value


def _job(
    number: int,
    line: str,
    state: _State,
    system: bool,
    time_zone: str,
    user: str,
    home: Callable[[str], str | None],
) -> Imported:
    when, rest = _when(line)
    runs_as = user
    if system:
        runs_as, rest = _word(rest)
        if not rest:
            raise CronError("the line names no command after its user", "read it without --system")
    command, stdin = _command(rest)
    if not command:
        raise CronError("the line names no command", "write one after the time")
    differs = list(_differs(when, state, runs_as, user))
    zone = state.environment.get("CRON_TZ") or time_zone
    schedule = {"cron": when, "time_zone": zone, "catch_up": "skip"}
    values: dict[str, object] = {
        "name": command,
        "kind": "script",
        "script": _literal(command),
        "interpreter": [state.environment.get("SHELL") or "/bin/sh"],
        "env": dict(_environment(state.environment, differs)),
        "directory": state.environment.get("HOME") or home(runs_as),
        "stdin": _literal(stdin),
        "schedules": [] if when == "@reboot" else [schedule],
        "overlap": "allow",
        "timeout": LONGEST,
        "contact": one_line(state.environment.get("MAILTO", ""), 100),
        "description": one_line(state.comment, 500),
        "paused": runs_as != user,
    }
    return Imported(number, {key: value for key, value in values.items() if value}, tuple(differs))


def _named(job: Imported, taken: set[str]) -> Imported:
    """The job with a name that nobody has, instead of its command."""
    return replace(job, values={**job.values, "name": _name(str(job.values["name"]), taken)})


def _work(values: Mapping[str, object]) -> str:
    """What a job does, where and when: by this it is known again."""
    written = values.get("schedules")
    schedules = [each for each in written if isinstance(each, Mapping)] if isinstance(written, list) else []
    times = [[each.get("cron"), each.get("time_zone", "UTC")] for each in schedules]
    return repr(
        [values.get("kind"), *(values.get(key) or "" for key in ("script", "stdin", "directory")), times]
    )


def _when(line: str) -> tuple[str, str]:
    """The time of a line, and the rest of it. Raises `CronError`."""
    if line.startswith("@"):
        word, rest = _word(line)
        word = word.lower()
        if word != "@reboot" and word not in SHORTCUTS:
            raise CronError(f"{one_line(word, 40)} is not known", "write @reboot, " + ", ".join(SHORTCUTS))
        return word, rest
    fields = line.split(None, 5)
    if len(fields) < 6:
        raise CronError("this is no line of a crontab", "write five fields and a command")
    when = " ".join(fields[:5])
    parse_cron(when)
    return when, fields[5]


def _word(line: str) -> tuple[str, str]:
    first, *rest = line.split(None, 1)
    return first, rest[0] if rest else ""


def _command(rest: str) -> tuple[str, str]:
    """The command and its standard input: an unescaped ``%`` ends the one, and is a line end in the other."""
    parts = re.split(r"(?<!\\)%", rest)
    parts = [part.replace("\\%", "%") for part in parts]
    stdin = "\n".join(parts[1:])
    return parts[0].strip(), f"{stdin}\n" if len(parts) > 1 else ""


def _literal(text: str) -> str:
    """Text in which ``${`` is the shell's own and no reference."""
    return text.replace("${", "$${")


def _environment(environment: Mapping[str, str], differs: list[str]) -> Iterator[tuple[str, str]]:
    if "PATH" not in environment:
        yield "PATH", CRON_PATH
    for name, value in environment.items():
        if name in ("SHELL", "MAILTO", "CRON_TZ", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"):
            continue
        if _SECRET.search(name):
            differs.append(f"{name} looks like a secret: set it where the engine runs, the job refers to it")
            yield name, f"${{{name}}}"
        else:
            yield name, _literal(value)


def _differs(when: str, state: _State, runs_as: str, user: str) -> Iterator[str]:
    if when == "@reboot":
        yield "cron runs it once after each boot; here it runs only when asked"
    if runs_as != user:
        yield f"cron runs it as {one_line(runs_as, 60)}, this engine as {one_line(user, 60)}: it is paused"
    if state.environment.get("MAILTO"):
        yield "cron mails what it prints to MAILTO; here that is its contact, and no mail is sent"
    if "CRON_TZ" in state.environment:
        yield "CRON_TZ is obeyed, which not every cron does"
    if not when.startswith("@") and parse_cron(when).either_day:
        yield "it runs where either the day of the month or the day of the week fits, exactly as under cron"


def _name(command: str, taken: set[str]) -> str:
    """A name that nobody has: that of the program, with what follows it where it is only a shell."""
    words = [word for word in command.split() if "=" not in word] or [command]
    first = words[0].rsplit("/", 1)[-1]
    if first in ("sh", "bash", "python", "python3", "perl", "env", "nice", "sudo", "test", "cd", "["):
        last = next((word for word in words[1:] if not word.startswith("-")), "")
        first = f"{first} {last.rsplit('/', 1)[-1]}".strip()
    base = one_line(first, 80).strip() or "job"
    name, number = base, 2
    while name in taken:
        name, number = f"{base} {number}", number + 1
    taken.add(name)
    return name
