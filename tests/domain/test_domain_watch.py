"""The audit: each sign by itself is enough to fall silent, and nothing is wrong where nothing can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watchfloor.domain.watch import Late, Loop, Signs, findings

WELL = Signs(
    every_s=30.0,
    timeout_s=10.0,
    newest_result_s=5.0,
    lag_p99_s=0.05,
    oldest_message_s=None,
    channels=2,
    failing=1,
    late=None,
    loops=[
        Loop(node, name, "running", 100.0, 1.0) for node in ("one", "two") for name in ("courier", "prober")
    ],
    node="one",
    wanted=("courier", "prober"),
)


def loops(node: str = "one", names: str = "courier", **values: object) -> list[Loop]:
    """All is well, but for these loops of a node."""
    return [
        replace(each, **values) if each.node == node and each.name in names else each for each in WELL.loops
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"newest_result_s": 71.0}, "the newest result is 71 s old; at most 70 s are right"),
        ({"newest_result_s": None}, "the newest result is none"),
        ({"lag_p99_s": 31.0}, "checks start 31.0 s late"),
        ({"oldest_message_s": 121.0}, "waiting for delivery for 121 s"),
        ({"failing": 2}, "every channel is failing"),
        ({"late": Late(1, "shop", 214.0)}, "shop should have been checked: no result for 214 s"),
        ({"late": Late(3, "shop", 214.0)}, "shop and 2 other services should have been checked"),
        ({"loops": loops(silent_s=31.0)}, "the loop courier of node one has given no sign of life for 31 s"),
        ({"loops": loops(state="restarting", for_s=16.0)}, "the loop courier of node one is restarting"),
        ({"loops": loops(failing=True)}, "the loop courier of node one is failing"),
        ({"wanted": ("courier", "prober", "ager")}, "the loop ager of node one was never seen"),
        ({"loops": loops("two", silent_s=31.0)}, "the loop courier of node two has given no sign of life"),
        ({"loops": loops("two", failing=True)}, "the loop courier of node two is failing"),
        (
            {"loops": loops("two", "courier prober", silent_s=31.0)},
            "no loop of node two has given a sign of life",
        ),
        ({"further": ("a step of an escalation is late",)}, "a step of an escalation is late"),
    ],
)
def test_one_sign_is_enough(values: dict[str, object], words: str) -> None:
    (found,) = findings(replace(WELL, **values))
    assert words in found


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"every_s": None, "newest_result_s": None, "lag_p99_s": None},  # nothing is watched
        {"newest_result_s": 70.0, "lag_p99_s": 30.0, "oldest_message_s": 120.0},
        {"channels": 0, "failing": 0},
        {"loops": loops(state="restarting", for_s=1.0)},  # it comes back
    ],
)
def test_nothing_is_found_where_all_is_well(values: dict[str, object]) -> None:
    assert findings(replace(WELL, **values)) == []
