"""THE table of actions: every key of the console, what it does, where, and why it may be unable to.

Bindings, footer, help, command palette and docs/keys.md are made from `ACTIONS`; there is no second list.
No key here destroys anything by itself: what is marked `danger` opens a dialog that says what and how many.
"""

from __future__ import annotations

from watchfloor.console import action
from watchfloor.console.action import Action, Scope

_ROOM = frozenset({Scope.ROOM})
_LIST = frozenset({Scope.LIST})
_MOVES = frozenset({Scope.LIST, Scope.TEXT})
_SERVICE = frozenset({Scope.SERVICE})
_ALERT = frozenset({Scope.ALERT})
_SETTINGS = frozenset({Scope.SETTINGS})
_LOGS = frozenset({Scope.LOGS})
_PICKER = frozenset({Scope.PICKER})
_DIALOG = frozenset({Scope.DIALOG})
_DIALOGS = frozenset({Scope.DIALOG, Scope.PICKER})
_FILTER = frozenset({Scope.FILTER})
_TYPING = frozenset({Scope.TYPING})

ACTIONS: tuple[Action, ...] = (
    # Rooms
    Action("health", ("1",), "health", "Services and their state.", "Rooms", _ROOM, "show_health"),
    Action("jobs", ("2",), "jobs", "What runs, ran and will run.", "Rooms", _ROOM, "show_jobs"),
    Action("alerts", ("3",), "alerts", "What needs somebody.", "Rooms", _ROOM, "show_alerts"),
    Action("logs", ("4",), "logs", "Records of the program, newest first.", "Rooms", _ROOM, "show_logs"),
    Action("settings", ("5",), "settings", "Configuration, nodes, themes.", "Rooms", _ROOM, "show_settings"),
    # Alerts
    Action(
        "acknowledge",
        ("a",),
        "acknowledge",
        "Say that you are on it, with a note and an end; enter takes what is suggested.",
        "Alerts",
        _ALERT,
        "acknowledge",
        rank=2,
        writes=True,
        why=action.needs_firing,
    ),
    Action(
        "undo",
        ("u",),
        "undo",
        "Take back the last acknowledgement, pause or resume, within 10 s.",
        "Alerts",
        _ROOM,
        "undo",
        rank=9,
        writes=True,
        fleeting=True,
        why=action.needs_undo,
        relabel=action.undo_label,
    ),
    Action(
        "resolve",
        ("r",),
        "resolve",
        "Close the alert by hand, with a note; asks first.",
        "Alerts",
        _ALERT,
        "resolve",
        rank=4,
        writes=True,
        danger=True,
        why=action.needs_open_alert,
    ),
    Action(
        "history",
        ("H",),
        "history",
        "Show resolved alerts too, or only those that are open.",
        "Alerts",
        frozenset({Scope.ALERTS}),
        "toggle_history",
        rank=11,
    ),
    # Services
    Action(
        "check_now",
        ("x",),
        "check now",
        "Check this service at once, out of turn.",
        "Services",
        _SERVICE,
        "check_now",
        rank=3,
        writes=True,
        why=action.needs_active_service,
    ),
    Action(
        "pause",
        ("P",),
        "pause",
        "Stop or resume watching this service; u takes it back.",
        "Services",
        _SERVICE,
        "pause",
        rank=5,
        writes=True,
        why=action.needs_service,
        relabel=action.pause_label,
    ),
    # Settings
    Action(
        "change",
        ("enter",),
        "change",
        "Change the setting, or choose the theme, under the cursor.",
        "Settings",
        _SETTINGS,
        "change",
        rank=1,
        why=action.needs_row,
        relabel=action.change_label,
    ),
    Action(
        "reset",
        ("R",),
        "reset",
        "Go back to the default of this setting; asks first.",
        "Settings",
        _SETTINGS,
        "reset",
        rank=4,
        writes=True,
        danger=True,
        fleeting=True,
        why=action.needs_changed_setting,
    ),
    Action(
        "next_section",
        ("tab", "right", "l"),
        "next section",
        "Go to the next section of the settings.",
        "Settings",
        _SETTINGS,
        "next_section",
        rank=2,
    ),
    Action(
        "previous_section",
        ("shift+tab", "left", "h"),
        "previous section",
        "Go to the previous section.",
        "Settings",
        _SETTINGS,
        "previous_section",
    ),
    # Logs
    Action(
        "level",
        ("l",),
        "level",
        "Show only records from the next severity up; after the last, all.",
        "Logs",
        _LOGS,
        "next_level",
        rank=6,
    ),
    Action(
        "follow",
        ("F",),
        "follow",
        "Go to the newest record and stay with what comes.",
        "Logs",
        _LOGS,
        "follow",
        rank=8,
    ),
    # Find
    Action(
        "filter",
        ("/",),
        "filter",
        "Show only what matches: words, !words that must not be there, key:value.",
        "Find",
        _MOVES,
        "filter",
        rank=6,
    ),
    Action("next_hit", ("n",), "next hit", "Go to the next hit.", "Find", _MOVES, "next_hit"),
    Action("previous_hit", ("N",), "previous hit", "Go to the hit before.", "Find", _MOVES, "previous_hit"),
    Action(
        "faults",
        ("z",),
        "faults",
        "Show only what is not in order, or all again.",
        "Find",
        _LIST,
        "toggle_faults",
        rank=7,
    ),
    Action(
        "sort", ("s",), "sort", "Sort by the next column; after the last, by urgency.", "Find", _LIST, "sort"
    ),
    Action("reverse", ("S",), "reverse", "Turn the order round.", "Find", _LIST, "reverse"),
    # Move
    Action(
        "open",
        ("enter",),
        "open",
        "Open what is under the cursor.",
        "Move",
        frozenset({Scope.OPENS}),
        "open",
        rank=1,
        why=action.needs_openable,
    ),
    Action(
        "back",
        ("escape",),
        "back",
        "Drop the filter, else go back to the screen before.",
        "Move",
        _ROOM,
        "back",
        rank=10,
        fleeting=True,
        why=action.needs_depth,
    ),
    Action("down", ("j", "down"), "down", "One line down.", "Move", _MOVES, "move_down"),
    Action("up", ("k", "up"), "up", "One line up.", "Move", _MOVES, "move_up"),
    Action("half_down", ("ctrl+d",), "half page down", "Half a page down.", "Move", _MOVES, "half_down"),
    Action("half_up", ("ctrl+u",), "half page up", "Half a page up.", "Move", _MOVES, "half_up"),
    Action("page_down", ("pagedown", "ctrl+f"), "page down", "One page down.", "Move", _MOVES, "page_down"),
    Action("page_up", ("pageup", "ctrl+b"), "page up", "One page up.", "Move", _MOVES, "page_up"),
    Action("top", ("g", "home"), "top", "To the first line.", "Move", _MOVES, "to_top"),
    Action("bottom", ("G", "end"), "bottom", "To the last line.", "Move", _MOVES, "to_bottom"),
    # Console
    Action(
        "help",
        ("?", "f1"),
        "help",
        "Every key of this screen; runs them too.",
        "Console",
        _ROOM,
        "help",
        rank=8,
    ),
    Action(
        "commands",
        (":", "ctrl+p"),
        "commands",
        "Find an action, a screen or a theme by name.",
        "Console",
        _ROOM,
        "commands",
        rank=12,
    ),
    Action(
        "times",
        ("t",),
        "ages or times",
        "Show ages, or the times themselves.",
        "Console",
        _ROOM,
        "toggle_times",
    ),
    Action("redraw", ("ctrl+l",), "redraw", "Draw the whole screen again.", "Console", _ROOM, "redraw"),
    Action("close", ("q",), "close", "Go back; on a first screen, quit.", "Console", _ROOM, "close", rank=13),
    Action("quit", ("ctrl+c", "ctrl+q"), "quit", "Leave the console.", "Console", _ROOM, "quit"),
    # Dialogs and pickers
    Action(
        "confirm", ("enter",), "confirm", "Do what the dialog says.", "Dialogs", _DIALOG, "confirm", rank=1
    ),
    Action("run", ("enter",), "run", "Run what is chosen.", "Dialogs", _PICKER, "run", rank=1),
    Action(
        "cancel",
        ("escape", "ctrl+c"),
        "cancel",
        "Close without doing it.",
        "Dialogs",
        _DIALOGS,
        "cancel",
        rank=3,
    ),
    Action(
        "next_choice",
        ("down", "tab"),
        "next choice",
        "The next of the choices.",
        "Dialogs",
        frozenset({Scope.CHOICE, Scope.PICKER}),
        "next_choice",
        rank=2,
    ),
    Action(
        "previous_choice",
        ("up", "shift+tab"),
        "previous choice",
        "The choice before.",
        "Dialogs",
        frozenset({Scope.CHOICE, Scope.PICKER}),
        "previous_choice",
    ),
    Action(
        "choices_down",
        ("pagedown",),
        "page down",
        "One page of choices down.",
        "Dialogs",
        _PICKER,
        "choices_down",
    ),
    Action("choices_up", ("pageup",), "page up", "One page of choices up.", "Dialogs", _PICKER, "choices_up"),
    # The filter line
    Action(
        "keep_filter",
        ("enter",),
        "keep",
        "Keep the filter and go back to the list.",
        "Filter line",
        _FILTER,
        "keep_filter",
        rank=1,
    ),
    Action(
        "drop_filter", ("escape",), "drop", "Drop the filter.", "Filter line", _FILTER, "drop_filter", rank=2
    ),
    # Typing
    Action("left", ("left",), "left", "One character left.", "Typing", _TYPING, "cursor_left"),
    Action("right", ("right",), "right", "One character right.", "Typing", _TYPING, "cursor_right"),
    Action("word_left", ("ctrl+left",), "word left", "One word left.", "Typing", _TYPING, "cursor_left_word"),
    Action(
        "word_right", ("ctrl+right",), "word right", "One word right.", "Typing", _TYPING, "cursor_right_word"
    ),
    Action("line_start", ("home", "ctrl+a"), "start", "To the start.", "Typing", _TYPING, "home"),
    Action("line_end", ("end", "ctrl+e"), "end", "To the end.", "Typing", _TYPING, "end"),
    Action("erase", ("backspace",), "erase", "Erase one character.", "Typing", _TYPING, "delete_left"),
    Action("delete", ("delete",), "delete", "Delete one character.", "Typing", _TYPING, "delete_right"),
    Action("erase_word", ("ctrl+w",), "erase word", "Erase a word.", "Typing", _TYPING, "delete_left_word"),
    Action(
        "erase_line", ("ctrl+u",), "erase line", "Erase to the start.", "Typing", _TYPING, "delete_left_all"
    ),
)

BY_ID = {each.id: each for each in ACTIONS}
