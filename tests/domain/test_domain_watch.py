"""The audit: each sign by itself is enough to fall silent, and nothing is wrong where nothing can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watchfloor.domain.watch import Loop, Signs, findings

WELL = Signs(
    every_s=30.0,
    timeout_s=10.0,
    newest_result_s=5.0,
    lag_p99_s=0.05,
    oldest_message_s=None,
    channels=2,
    failing=1,
    loops={name: Loop(name, "running", 100.0, 1.0) for name in ("courier", "prober")},
    wanted=("courier", "prober"),
)


def loops(**values: object) -> dict[str, Loop]:
    return {**WELL.loops, "courier": replace(WELL.loops["courier"], **values)}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"newest_result_s": 71.0}, "the newest result is 71 s old; at most 70 s are right"),
        ({"newest_result_s": None}, "the newest result is none"),
        ({"lag_p99_s": 31.0}, "checks start 31.0 s late"),
        ({"oldest_message_s": 121.0}, "waiting for delivery for 121 s"),
        ({"failing": 2}, "every channel is failing"),
        ({"loops": loops(silent_s=31.0)}, "the loop courier has given no sign of life for 31 s"),
        ({"loops": loops(state="restarting", for_s=16.0)}, "the loop courier is restarting"),
        ({"loops": loops(failing=True)}, "the loop courier is failing"),
        ({"wanted": ("courier", "prober", "ager")}, "the loop ager was never seen"),
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
