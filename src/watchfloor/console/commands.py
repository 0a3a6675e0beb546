"""The commands of the ``:`` line: every action of the table by its name, and a few that take words after it. Pure.

A command that is mistyped says what is allowed. It must never do anything: that is the business of `screens.orders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from watchfloor.config.problems import quoted, suggest
from watchfloor.console.action import Action
from watchfloor.console.actions import ACTIONS
from watchfloor.console.keymap import TYPED

KEPT = 50
"""How many commands an operator's history holds."""
LONGEST = 200
"""Longer ones are not kept."""
LISTED = 8
"""More names than this are not listed in a sentence."""

Value = tuple[str, str]
"""A word that may stand after a command, and what it means."""


class Mistake(Exception):
    """What is wrong with a command, as a sentence for the person who typed it, with the remedy."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What may stand after a command. `order` names the method that carries it out, without its ``plan_``.

    `values` names the list of words that are suggested (empty: none). Where it is `needed` the command does
    nothing alone.
    """

    usage: str
    order: str
    values: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A word that can be typed. With an `action` it runs that; with an `argument` it takes words after it."""

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    action: Action | None = None
    argument: Argument | None = None

    @property
    def usage(self) -> str:
        """How it is written, as in ``:ack ID [NOTE]``."""
        return f":{self.name} {self.argument.usage}".rstrip() if self.argument else f":{self.name}"


@dataclass(frozen=True, slots=True)
class Order:
    """A command as somebody typed it: with what stood after it."""

    command: Command
    words: str = ""


_FILTERED = Argument("[FILTER]", "room", "fields")
_ALERT = Argument("[ID [NOTE]]", "alert", "alerts")

ARGUMENTS: Mapping[str, Argument] = {
    **dict.fromkeys(("health", "jobs", "alerts", "logs", "settings"), _FILTERED),
    "acknowledge": _ALERT,
    "resolve": _ALERT,
    "check_now": Argument("[SERVICE]", "service", "services"),
    "pause": Argument("[SERVICE]", "service", "services"),
    "filter": Argument("[FILTER]", "filter", "fields"),
    "incident": Argument("[ID]", "incident"),
    "help": Argument("[WORDS]", "help"),
    "travel": Argument("[MOMENT]", "moment"),
}
"""What may stand after the name of an action, by the id of the action."""


SECTIONS: Mapping[str, tuple[str, str]] = {
    "nodes": ("health", "Nodes"),
    "components": ("health", "Components"),
    "databases": ("health", "Databases"),
    "dead-letters": ("jobs", "Dead letters"),
    "queues": ("jobs", "Queues"),
    "tasks": ("jobs", "Tasks"),
    "rules": ("alerts", "Rules"),
    "silences": ("alerts", "Silences"),
    "deliveries": ("alerts", "Deliveries"),
    "on-call": ("alerts", "On call"),
    "analytics": ("alerts", "Analytics"),
    "files": ("settings", "Files"),
    "channels": ("settings", "Channels"),
}
"""Sections that a word leads to, each as its room and its name there."""

_SHORTER = {"dead-letters": ("dead",), "on-call": ("oncall",)}


def _section(word: str) -> Command:
    room, name = SECTIONS[word]
    where = f"Show the {name.casefold()} of {room.capitalize()}, all or what matches."
    return Command(word, where, _SHORTER.get(word, ()), argument=Argument("[FILTER]", "section"))


def _command(action: Action) -> Command:
    return Command(action.id.replace("_", "-"), action.help, action.aliases, action, ARGUMENTS.get(action.id))


COMMANDS: tuple[Command, ...] = (
    *(_command(action) for action in ACTIONS if not action.scopes & TYPED),
    *(_section(word) for word in SECTIONS),
    Command(
        "resume",
        "Watch a paused service again; undo takes it back.",
        argument=Argument("SERVICE", "service", "services", needed=True),
    ),
    Command(
        "service",
        "Open a service by its name.",
        argument=Argument("SERVICE", "service", "services", needed=True),
    ),
    Command("job", "Open a job by its name.", argument=Argument("JOB", "job", "jobs", needed=True)),
    Command("run", "Open a run by its number.", argument=Argument("ID", "run", needed=True)),
    Command("rule", "Open a rule by its name.", argument=Argument("RULE", "rule", "rules", needed=True)),
    Command("alert", "Open an alert by its number.", argument=Argument("ID", "alert", "alerts", needed=True)),
    Command(
        "set",
        "Change a setting; asks first.",
        argument=Argument("SETTING [VALUE]", "setting", "settings", needed=True),
    ),
    Command(
        "theme",
        "Use a theme and remember it.",
        ("colours", "skin"),
        argument=Argument("NAME", "theme", "themes", needed=True),
    ),
    Command(
        "keys",
        "Use a key map and remember it; alone: which there are, and what is wrong with them.",
        ("keymap",),
        argument=Argument("[NAME]", "keys", "keymaps"),
    ),
    Command("unlock", "Allow changes from this console again.", argument=Argument("", "unlock")),
)

_BY_WORD = {word: command for command in COMMANDS for word in (command.name, *command.aliases)}


def named(text: str) -> Command | None:
    """The command whose name or alias `text` begins with, if any."""
    word, *_ = text.split(maxsplit=1) or [""]
    return _BY_WORD.get(word.casefold())


def parse(text: str) -> Order:
    """What `text` asks for. Raises Mistake with what is allowed.

    >>> parse("ack 42 on it").words
    '42 on it'
    """
    word, _, words = text.strip().removeprefix(":").strip().partition(" ")
    command = named(word)
    if command is None:
        remedy = suggest(word, tuple(_BY_WORD)) or "An empty line lists the commands."
        raise Mistake(f"There is no command {quoted(word)}. {remedy}")
    words = words.strip()
    if words and (command.argument is None or not command.argument.usage):
        raise Mistake(f"{command.name} takes nothing after it.")
    if not words and command.argument is not None and command.argument.needed:
        raise Mistake(f"{command.name} needs more: {command.usage}")
    return Order(command, words)


def pick(word: str, names: Sequence[str], noun: str) -> str:
    """The one of `names` that `word` is, or begins. Raises Mistake with what is allowed."""
    folded = word.casefold()
    exact = [name for name in names if name.casefold() == folded]
    found = exact or [name for name in names if name.casefold().startswith(folded)]
    if len(found) == 1:
        return found[0]
    if exact:
        return exact[0]
    allowed = f"; allowed: {', '.join(names)}" if 0 < len(names) <= LISTED else ""
    if found:
        raise Mistake(f"Several a {noun} could be {quoted(word)}: {', '.join(found[:LISTED])}.")
    raise Mistake(f"There is no {noun} {quoted(word)}{allowed}. {suggest(word, names)}".rstrip())


def number(word: str, noun: str = "alert") -> int:
    """The id in `word`, with or without its ``#``, of a `noun`. Raises Mistake."""
    digits = word.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        article = "An" if noun[0] in "ai" else "A"
        raise Mistake(f"{article} {noun} has a number, as in 42; found {quoted(word)}.")
    return int(digits)


def matching(text: str) -> list[Command]:
    """The commands that `text` may mean, those that begin with it first."""
    words = text.casefold().split()

    def rank(command: Command) -> int:
        names = (command.name, *command.aliases)
        if not words or any(name.startswith(words[0]) for name in names):
            return 0
        return 1 if any(words[0] in name for name in names) else 2

    found = [command for command in COMMANDS if all(word in _haystack(command) for word in words)]
    return sorted(found, key=rank)


def _haystack(command: Command) -> str:
    label = command.action.label if command.action else ""
    return " ".join((command.name, *command.aliases, label, command.help)).casefold()


def completions(text: str, values: Callable[[Command], Iterable[Value]]) -> list[Value]:
    """Whole lines that `text`, a command and the beginning of its words, may become, each with what it means."""
    command = named(text)
    argument = command.argument if command else None
    if command is None or argument is None or not argument.values:
        return []
    head, _, last = text.lstrip().partition(" ")
    kept = ""
    if argument.values == "fields":  # a filter has many words: the last one is completed
        before, space, last = last.rpartition(" ")
        kept = f"{before}{space}"
    last = last.casefold()
    found = [
        (value, meaning) for value, meaning in values(command) if last in f"{value} {meaning}".casefold()
    ]
    found.sort(key=lambda each: not each[0].casefold().startswith(last))
    return [(f"{head} {kept}{value}", meaning) for value, meaning in found]


def remembered(history: Sequence[str], line: str) -> list[str]:
    """A history, the newest last, with one more line at its end; no line twice."""
    if not line or len(line) > LONGEST:
        return list(history)
    return [*(each for each in history if each != line), line][-KEPT:]
