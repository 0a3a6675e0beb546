"""Reactions in the file: what is stored of them, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.config.loader import load
from watchfloor.config.model import Loaded
from watchfloor.config.problems import render
from watchfloor.domain.reactions import reactions_of
from watchfloor.payloads import http, script

JOBS = """\
jobs:
  - {name: restart, kind: script, script: "systemctl restart shop"}
  - {name: call, kind: http, url: 'http://localhost/'}
reactions:
"""


def read(tmp_path: Path, reaction: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(f"{JOBS}  - {reaction}\n")
    return load(path, {}, {}, {}, payload_kinds={"script": script.Settings, "http": http.Settings})


def test_a_reaction_is_stored_so_that_it_can_be_read_back(tmp_path: Path) -> None:
    text = "{name: r, match: [service=shop], job: call, parameters: {body: '{{ title|tojson }}'}, per: 5m}"
    (found,) = reactions_of(read(tmp_path, text).required().reactions)
    assert (found.name, found.on, found.job, found.at_most, found.per_s, found.again) == (
        "r", "firing", "call", 3, 300.0, False,
    )  # fmt: skip
    assert found.parameters == {"body": "{{ title|tojson }}"}


@pytest.mark.parametrize(
    ("reaction", "place", "words"),
    [
        (
            "{name: r, match: [service=shop], job: restrt}",
            ":5:43: reactions[0].job",
            'Did you mean "restart"?',
        ),
        ("{name: r, match: [service=shop]}", "reactions[0]", "job"),
        ("{name: r, match: [], job: call}", "reactions[0].match", "has too few entries"),
        ("{name: r, match: ['service=~.*'], job: call}", "reactions[0].match", "every alert there is"),
        (
            "{name: r, match: [a=b], job: restart, parameters: {script: 'echo {{ title }}'}}",
            "reactions[0].parameters",
            "the text of an alert may not stand in script, only in body, env, headers",
        ),
        (
            "{name: r, match: [a=b], job: restart, parameters: {env: {A: '{{ titel }}'}}}",
            "reactions[0].parameters",
            'there is no variable "titel". Did you mean "title"?',
        ),
        (
            "{name: r, match: [a=b], job: call, parameters: {bdy: x}}",
            "reactions[0].parameters.bdy",
            'Did you mean "body"?',
        ),
        ("{name: r, match: [a=b], job: call, at_most: 0}", "reactions[0].at_most", "1"),
        ("{name: r, match: [a=b], job: call, per: 1s}", "reactions[0].per", "1m"),
        ("{name: r, match: [a=b], job: call, on: acknowledged}", "reactions[0].on", "firing"),
    ],
)
def test_every_mistake_is_told_with_its_place(tmp_path: Path, reaction: str, place: str, words: str) -> None:
    (problem,) = render(read(tmp_path, reaction).problems)
    assert place in problem
    assert words in problem
