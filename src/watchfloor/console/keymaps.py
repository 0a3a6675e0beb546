"""Key maps as files: found, read and judged, and followed while they are used.

A key map is a file of YAML that gives actions other keys than the table does. Key maps come with the program
and from ``keymaps/`` in the user's configuration directory, where a file may replace one of ours by its name.
A file with a mistake is reported with line and remedy and never half used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from watchfloor.config.document import Node, read_document
from watchfloor.config.problems import ConfigError, Mistakes, Problem, quoted, suggest
from watchfloor.config.watch import ConfigWatch
from watchfloor.console.action import Action, Scope
from watchfloor.console.actions import ACTIONS, BY_ID
from watchfloor.console.keymap import (
    BUILT_IN,
    MULTIPLEXED,
    TABLE,
    TYPED,
    Clash,
    Keymap,
    clashes,
    key_name,
    types_character,
    undelivered,
)

NEEDED = ("help", "quit", "confirm", "cancel", "run", "keep_filter", "drop_filter")
"""Without a key for one of these a console could not be asked, answered or left."""

Together = Iterable[frozenset[Scope]]


class Keymaps:
    """All key maps of the given directories; a later directory replaces maps of earlier ones by name."""

    def __init__(self, directories: Iterable[Path], together: Together) -> None:
        """`together` holds, for each place of the console, the scopes whose keys work there at the same time."""
        self._files = {path.stem: path for folder in directories for path in sorted(folder.glob("*.yaml"))}
        self._together = tuple(together)

    def names(self) -> tuple[str, ...]:
        """The names of the key maps, the table's own first."""
        return (TABLE, *(name for name in sorted(self._files) if name != TABLE))

    def get(self, name: str) -> Keymap:
        """The key map called `name`, as its file is now. Raises ConfigError where it is missing or has mistakes."""
        if name == TABLE:
            return BUILT_IN
        if name not in self._files:
            mistakes = Mistakes("keys")
            hint = suggest(name, self.names())
            mistakes.add(
                (0, 0),
                (),
                f"there is no key map {quoted(name)}",
                allowed=", ".join(self.names()),
                hint=hint,
            )
            raise ConfigError(mistakes.all())
        return read_keymap(self._files[name], self._together)

    def watch(self, name: str) -> ConfigWatch | None:
        """Tells when the file of this key map changes; None for the table's own."""
        return ConfigWatch(self._files[name]) if name in self._files and name != TABLE else None


def read_keymap(path: Path, together: Together) -> Keymap:
    """Read and judge one file. Raises ConfigError with every mistake in it."""
    mistakes = Mistakes(f"{path.parent.name}/{path.name}")
    try:
        data = path.read_bytes()
    except OSError as error:
        mistakes.add((0, 0), (), f"the file cannot be read ({error.strerror})", hint="Check its permissions.")
        raise ConfigError(mistakes.all()) from error
    node = read_document(data, mistakes)
    keymap = None if node is None else _keymap(path.stem, node, mistakes)
    if keymap is not None and node is not None and not mistakes:
        for clash in clashes(keymap, together):
            _report(clash, node.children["keys"], mistakes)
    if mistakes or keymap is None:
        raise ConfigError(mistakes.all())
    return keymap


def _keymap(name: str, node: Node, mistakes: Mistakes) -> Keymap | None:
    keys = node.children.get("keys") if isinstance(node.value, dict) else None
    if keys is None or not isinstance(keys.value, dict):
        mark = node.mark if keys is None else keys.mark
        mistakes.add(mark, ("keys",), "keys are missing", allowed="a key, or a list of keys, for each action")
        return None
    for key, mark in node.keys.items():
        if key not in ("label", "keys"):
            mistakes.add(mark, (key,), "unknown key", allowed="label, keys")
    own = {action.id: action.keys for action in ACTIONS}
    for action_id, child in keys.children.items():
        if action_id in BY_ID:
            own[str(action_id)] = tuple(_keys(BY_ID[str(action_id)], child, mistakes))
        else:
            hint = suggest(str(action_id), tuple(BY_ID)) or "docs/keys.md lists the actions by their ids."
            mistakes.add(
                keys.keys[str(action_id)], ("keys", str(action_id)), "there is no such action", hint=hint
            )
    return Keymap(name, str(node.value.get("label", name)), own)


def _keys(action: Action, node: Node, mistakes: Mistakes) -> list[str]:
    """The keys a file gives to an action, each of which can be pressed and is free to be one."""
    path = ("keys", action.id)
    written = list(node.children.values()) if isinstance(node.value, list) else [node]
    found: list[str] = []
    for child in written:
        if child.source is None or not child.source:
            mistakes.add(child.mark, path, "not a key", allowed="a key such as G, ctrl-d or f5, or a list")
            continue
        key = key_name(child.source)
        trouble = undelivered(key) or _out_of_place(action, key, first=not found)
        if trouble is not None:
            mistakes.add(child.mark, path, trouble[0], found=quoted(child.source), hint=trouble[1])
        elif key not in found:
            found.append(key)
    if not written and action.id in NEEDED:
        mistakes.add(node.mark, path, "this action needs a key", hint="Give it one, or leave it out.")
    return found


def _out_of_place(action: Action, key: str, *, first: bool) -> tuple[str, str] | None:
    """Why this action cannot have this key, and the remedy."""
    if action.scopes & TYPED and types_character(key):
        return "here this key types a character", "Use ctrl with a letter, or a key such as f5."
    if first and key in MULTIPLEXED:
        return "screen and tmux keep this key for themselves", "Write another key before it."
    if action.danger and key in BY_ID["confirm"].keys:
        return "held down, this key would also confirm what it asks", "Use another key."
    return None


def _report(clash: Clash, keys: Node, mistakes: Mistakes) -> None:
    """Say which two actions want a key, at the place of one that the file names."""
    ours = [action for action in (clash.other, clash.one) if action.id in keys.keys]
    place = ours[0]
    other = clash.one if place is clash.other else clash.other
    hint = "Give one of them another key."
    if len(ours) == 1:
        hint = f"By itself {other.id} has this key: give it another one in this file too."
    mistakes.add(keys.keys.get(place.id, keys.mark), ("keys", place.id), str(clash), hint=hint)


class KeysInUse:
    """The key map that the console obeys, chosen by name and followed in its file.

    One with mistakes is not used: what was in use stays, and `problem` says what is wrong with the other.
    """

    def __init__(self, keymaps: Keymaps) -> None:
        self.keymaps = keymaps
        self.keymap = BUILT_IN
        self.problem: Problem | None = None
        self._wanted = TABLE
        self._watch: ConfigWatch | None = None

    def choose(self, name: str) -> bool:
        """Use the key map called `name`; False where it cannot be used."""
        self._wanted, self._watch = name, self.keymaps.watch(name)
        return self._read()

    @property
    def files(self) -> tuple[Path, ...]:
        """The file that is followed, if any."""
        return () if self._watch is None else (self._watch.path,)

    def look(self) -> bool:
        """Read the file again if it changed; whether it did."""
        if self._watch is None or not self._watch.changed():
            return False
        self._read()
        return True

    def _read(self) -> bool:
        try:
            self.keymap, self.problem = self.keymaps.get(self._wanted), None
        except ConfigError as error:
            self.problem = error.problems[0]
        return self.problem is None
