"""Routes: who is told, and what a route has from the one around it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from watchfloor.domain.routes import GROUP_WAIT_S, REPEAT_S, STORM, Route, matching, targets, tree

TREE: list[dict[str, Any]] = [
    {
        "match": ["group=web"],
        "group_by": ["group"],
        "repeat_s": 60.0,
        "routes": [
            {"match": ["severity=critical"], "channels": ["pager"], "group_wait_s": 0.0},
            {"match": ["service=shop"], "continue": True, "channels": ["shop"]},
            {"match": ["service=~sh.*"], "channels": ["mail", "shop"]},
        ],
    },
    {"match": ["group=db"], "channels": ["dba"], "continue": True},
    {"match": ["group=db", "severity=emergency"], "channels": ["boss"]},
]


def told(**labels: str) -> list[tuple[str, str]]:
    return [(each.route.key, each.channel) for each in targets(tree(TREE), labels, ("ops",))]


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({}, [("", "ops")]),
        ({"group": "web"}, [("/0", "ops")]),
        ({"group": "web", "severity": "critical"}, [("/0/0", "pager")]),
        ({"group": "web", "service": "shop"}, [("/0/1", "shop"), ("/0/2", "mail")]),
        ({"group": "web", "service": "sheep"}, [("/0/2", "mail"), ("/0/2", "shop")]),
        ({"group": "db"}, [("/1", "dba")]),
        ({"group": "db", "severity": "emergency"}, [("/1", "dba"), ("/2", "boss")]),
    ],
)
def test_the_first_route_wins_unless_it_says_continue(
    labels: dict[str, str], wanted: list[tuple[str, str]]
) -> None:
    assert told(**labels) == wanted


def test_a_route_has_what_it_does_not_say_from_the_one_around_it() -> None:
    (inner,) = matching(tree(TREE), {"group": "web", "severity": "critical"})
    assert (inner.group_by, inner.repeat_s, inner.group_wait_s) == (("group",), 60.0, 0.0)
    assert (inner.storm, inner.send_resolved) == (STORM, True)
    (root,) = matching(tree([]), {})
    assert (root.gathers, root.channels, root.group_wait_s, root.repeat_s) == (
        False,
        None,
        GROUP_WAIT_S,
        REPEAT_S,
    )


def test_everything_in_one_group_is_not_the_same_as_each_by_itself() -> None:
    together, alone = tree([{"group_by": []}]).routes[0], tree([{}]).routes[0]
    assert (together.gathers, alone.gathers) == (True, False)
    assert together.group_labels({"a": "b"}) == {}
    assert tree(TREE).routes[0].group_labels({"service": "x"}) == {"group": ""}


NIGHT = {"days": ["mon"], "from": "22:00", "to": "06:00", "time_zone": "Europe/Berlin"}
NOON = {"from": "12:00", "to": "13:00"}


@pytest.mark.parametrize(
    ("spec", "moment", "muted"),
    [
        (NIGHT, "2031-03-03T20:59", False),  # a Monday, 21:59 in Berlin
        (NIGHT, "2031-03-03T21:00", True),
        (NIGHT, "2031-03-04T04:59", True),  # Tuesday morning belongs to Monday's night
        (NIGHT, "2031-03-04T05:00", False),
        (NIGHT, "2031-03-04T21:30", False),
        (NIGHT, "2031-03-03T02:00", False),  # Monday morning does not: that is Sunday's
        (NOON, "2031-03-02T12:00", True),
        (NOON, "2031-03-02T13:00", False),
    ],
)
def test_mute_times_are_as_clocks_show_them(spec: dict[str, Any], moment: str, muted: bool) -> None:
    route: Route = tree([{"mute_times": [spec]}]).routes[0]
    assert route.muted(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is muted
