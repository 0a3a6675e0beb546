"""People, groups, rotas and escalations in the file: what could leave somebody uncalled is a mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.channels import webhook
from watchfloor.config.loader import load
from watchfloor.config.problems import render

HEAD = """\
channels: [{name: pager, kind: webhook, url: 'http://localhost/'}]
people: [{name: primary, channels: [{channel: pager}], skills: [databases]}]
"""


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            "rotas: [{name: r, layers: [{members: []}]}]",
            ":3:38: rotas[0].layers[0].members",
            "nobody is in it",
        ),
        ("rotas: [{name: r, layers: [{members: [primry]}]}]", "members[0]", 'Did you mean "primary"?'),
        ("rotas: [{name: r, layers: [{members: [primary], turn: 36h}]}]", "layers[0]", "whole days"),
        ("contact_groups: [{name: g, members: [{group: g}]}]", "contact_groups[0].members", "in a circle"),
        ("escalations: [{name: e, steps: [{tell: [{skill: knots}]}]}]", "tell[0].skill", "with the skill"),
        ("escalations: [{name: e, steps: [{tell: []}]}]", "steps[0].tell", "nobody is in it"),
        (
            "escalations: [{name: e, steps: [{tell: [{person: primary}], hours: [{from: '08:00', to: '18:00'}]}]}]",
            "escalations[0].steps",
            "ends nowhere",
        ),
        (
            "escalations: [{name: e, steps: [{tell: [{person: primary, group: g}]}]}]",
            "tell[0]",
            "exactly one",
        ),
    ],
)
def test_what_could_leave_somebody_uncalled_is_a_mistake_with_its_place(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(HEAD + text + "\n")
    (problem,) = render(load(path, {}, {"webhook": webhook.Settings}, {}).problems)
    assert place in problem
    assert words in problem


def test_a_person_whom_nothing_tells_of_critical_alerts_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(HEAD.replace("{channel: pager}", "{channel: pager, from: emergency}"))
    (problem,) = render(load(path, {}, {"webhook": webhook.Settings}, {}).problems)
    assert ":2:36: people[0].channels: none of them tells of critical alerts" in problem
