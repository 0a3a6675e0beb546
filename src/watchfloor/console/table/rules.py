"""The part of the table of actions that has to do with rules."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_RULES = frozenset({Scope.RULES})

RULES: tuple[Action, ...] = (
    Action(
        "add_rule",
        ("+",),
        "new rule",
        "Write a new rule in a form, which says what the rule would have done in the last days.",
        "Rules",
        _RULES,
        "add_rule",
        rank=4,
        writes=True,
        aliases=("new-rule",),
    ),
    Action(
        "edit_rule",
        ("i",),
        "definition",
        "Look at the definition of this rule, and change it where the console owns it.",
        "Rules",
        _RULES,
        "edit_rule",
        rank=2,
        why=needs.written_rule,
    ),
    Action(
        "copy_rule",
        ("C",),
        "copy rule",
        "Write a new rule like this one.",
        "Rules",
        _RULES,
        "copy_rule",
        writes=True,
        why=needs.written_rule,
    ),
    Action(
        "switch_rule",
        ("P",),
        "switch off",
        "Switch this rule off or on, whoever wrote it; undo takes it back.",
        "Rules",
        _RULES,
        "switch_rule",
        rank=5,
        writes=True,
        why=needs.switched_rule,
        relabel=labels.switch_rule,
    ),
    Action(
        "test_rule",
        ("R",),
        "send a test",
        "Send a message marked as a test to whom an alert of this rule would be told now; asks first.",
        "Rules",
        _RULES,
        "test_rule",
        rank=3,
        writes=True,
        danger=True,
        why=needs.rule,
    ),
    Action(
        "delete_rule",
        ("D",),
        "delete",
        "Take this rule away, where the console owns it; names what is open by it, and asks.",
        "Rules",
        _RULES,
        "delete_rule",
        writes=True,
        danger=True,
        why=needs.owned_rule,
    ),
)
