"""The part of the table of actions that has to do with channels."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_CHANNELS = frozenset({Scope.CHANNELS})
_WORDS = frozenset({Scope.WORDS})

CHANNEL_ACTIONS: tuple[Action, ...] = (
    Action(
        "test_channel",
        ("R",),
        "send a test",
        "Send a message marked as a test on this channel; asks first.",
        "Channels",
        _CHANNELS,
        "test_channel",
        rank=3,
        writes=True,
        danger=True,
        over=frozenset({"reset"}),
        why=needs.channel,
    ),
    Action(
        "switch_channel",
        ("P",),
        "switch off",
        "Switch this channel off, after asking, or on again; what waits is kept. Undo takes it back.",
        "Channels",
        _CHANNELS,
        "switch_channel",
        rank=4,
        writes=True,
        danger=True,
        why=needs.any_channel,
        relabel=labels.switch_channel,
    ),
    Action(
        "show_words",
        ("i",),
        "messages",
        "See how messages of every kind read on this channel, and what is wrong with its templates.",
        "Channels",
        _CHANNELS,
        "show_words",
        rank=5,
        why=needs.any_channel,
        aliases=("preview",),
    ),
    Action(
        "next_subject",
        ("tab",),
        "next alert",
        "Show the messages of the next open alert; before the first stands a sample.",
        "Channels",
        _WORDS,
        "next_subject",
        rank=1,
    ),
    Action(
        "previous_subject",
        ("shift+tab",),
        "alert before",
        "Show the messages of the alert before.",
        "Channels",
        _WORDS,
        "previous_subject",
        rank=2,
    ),
)
