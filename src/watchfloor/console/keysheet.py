"""The tables of keys as a page of Markdown; docs/keys.md is this text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from watchfloor.console.actions import ACTIONS
from watchfloor.console.commands import COMMANDS
from watchfloor.console.keymap import BUILT_IN, Keymap, shown_key
from watchfloor.console.keymaps import Keymaps
from watchfloor.console.places import directories

HEAD = """# Keys

Made from the table of actions in `src/watchfloor/console/actions.py` and the files in `keymaps/`: do not edit, run
`python -m watchfloor.console.keysheet > docs/keys.md`.

`?` shows the keys of the present screen and runs them; `:` takes commands and finds an action by name. An action
that is not possible says why. *Asks* means that the key opens a dialog before anything happens."""

COMMANDS_HEAD = """
## Commands

`:` opens a line in which every action can be run by its id, written with dashes, as in `:next-hit`. `tab` completes,
`up` calls back what you typed before, on this machine or another. These take words after them or have other names:

| command | also | what it does |
|---|---|---|"""

MAPS = """
## Key maps

A key map gives actions other keys. Those below come with the program; your own are files of YAML in
`~/.config/watchfloor/keymaps/`, each named like the map. Choose one with `:keys NAME`, which is remembered, or with
`watchfloor --keys NAME`. A file is read again within a second of being saved. One with a mistake is not used, and
`:keys` says what is wrong: two actions on one key where both work, a key that terminals do not send or that tmux and
screen keep for themselves, an action that does not exist, a character as a key where people type.

```yaml
label: Mine
keys:
  check_now: c            # the id of an action, and a key
  down: [j, down, ctrl-n] # or several; the footer shows the first
  history: []             # no key: it is still run by name, as :history
```

An action that is not in the file keeps the keys of the tables above."""


def keys_page(keymaps: Iterable[Keymap]) -> str:
    """The page, with the differences of these key maps."""
    lines = [HEAD]
    for group, members in groupby(ACTIONS, key=lambda action: action.group):
        lines += [
            "",
            f"## {group}",
            "",
            "| key | action | id | where | what it does |",
            "|---|---|---|---|---|",
        ]
        for action in members:
            where = ", ".join(sorted(scope.value for scope in action.scopes))
            asks = " *Asks.*" if action.danger else ""
            keys = _keys(action.keys)
            lines.append(f"| {keys} | {action.label} | `{action.id}` | {where} | {action.help}{asks} |")
    lines += [COMMANDS_HEAD]
    for command in COMMANDS:
        if command.argument is not None or command.aliases:
            aliases = ", ".join(f"`:{alias}`" for alias in command.aliases)
            lines.append(f"| `{command.usage}` | {aliases} | {command.help} |")
    lines.append(MAPS)
    for keymap in keymaps:
        lines += ["", f"### {keymap.name}", "", "| action | keys | instead of |", "|---|---|---|"]
        for action in ACTIONS:
            changed = keymap.keys[action.id]
            if changed != action.keys:
                lines.append(f"| {action.label} | {_keys(changed)} | {_keys(action.keys)} |")
    return "\n".join(lines) + "\n"


def _keys(keys: Iterable[str]) -> str:
    return " ".join(f"`{shown_key(key)}`" for key in keys)


def shipped() -> list[Keymap]:
    """The key maps that come with the program."""
    from watchfloor.console.app import WatchfloorApp  # noqa: F401  (all screens must exist to be judged by)
    from watchfloor.console.screens.host import together

    keymaps = Keymaps(directories("keymaps")[:2], together())
    return [keymaps.get(name) for name in keymaps.names() if name != BUILT_IN.name]


if __name__ == "__main__":
    print(keys_page(shipped()), end="")
