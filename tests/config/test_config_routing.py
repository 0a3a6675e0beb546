"""Routes, inhibitions and the watchdog in the file: what is stored of them, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.channels import webhook
from watchfloor.config.loader import load
from watchfloor.config.model import Loaded
from watchfloor.config.problems import render
from watchfloor.domain.routes import tree

CHANNELS = "channels:\n  - {name: ops, kind: webhook, url: 'http://localhost/'}\n"


def read(tmp_path: Path, text: str, **environ: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(CHANNELS + text)
    return load(path, {}, {"webhook": webhook.Settings}, environ)


def test_a_tree_of_routes_is_stored_so_that_it_can_be_read_back(tmp_path: Path) -> None:
    text = """\
routes:
  - match: ["group=~web-.*", severity!=info]
    group_by: [group]
    group_wait: 10s
    routes:
      - {match: [service=shop], channels: [ops], continue: true, mute_times: [{from: "22:00", to: "06:00"}]}
  - {storm: 0, send_resolved: false, repeat_interval: 1d}
"""
    root = tree(read(tmp_path, text).required().routes)
    first, second = root.routes
    (inner,) = first.routes
    assert [str(each) for each in first.matchers] == ['group=~"web-.*"', 'severity!="info"']
    assert (inner.group_by, inner.group_wait_s, inner.channels, inner.goes_on) == (
        ("group",),
        10.0,
        ("ops",),
        True,
    )
    assert (second.storm, second.send_resolved, second.repeat_s) == (0, False, 86_400.0)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            "routes:\n  - {channels: [nobody]}\n",
            "routes[0].channels[0]",
            "there is no channel in this file called",
        ),
        ("routes:\n  - routes: [{channels: [opps]}]\n", "routes[0].routes[0].channels[0]", "opps"),
        ("routes:\n  - {match: [shop]}\n", "routes[0].match[0]", "label=value"),
        ("routes:\n  - {match: ['a=~(']}\n", "routes[0].match[0]", "not valid"),
        ("routes:\n  - {match: ['a=~(?=b)']}\n", "routes[0].match[0]", "not supported"),
        ("routes:\n  - {group_by: ['a b']}\n", "routes[0].group_by[0]", "name of a label"),
        (
            "routes:\n  - {mute_times: [{from: '25:00', to: '06:00'}]}\n",
            "routes[0].mute_times[0].from",
            "time of day",
        ),
        ("routes:\n  - {group_wait: soon}\n", "routes[0].group_wait", "duration"),
        ("routes:\n  - {wait: 1s}\n", "routes[0].wait", "unknown"),
        (
            "routes:\n  - {match: ['service=~.*'], channels: [ops]}\n  - {match: [group=web]}\n",
            ":4:13: routes[0].match",
            "matches every alert, so that no route after it is ever asked. Put it last",
        ),
        ("routes:\n  - {routes: [{storm: 0}, {storm: 1}]}\n", "routes[0].routes[0].match", "every alert"),
        (
            "inhibitions:\n  - {name: x, source: [a=b], target: ['c=~.*']}\n",
            "inhibitions[0]",
            "every other one quiet",
        ),
        ("inhibitions:\n  - {name: x, source: [], target: [a=b]}\n", "inhibitions[0].source", ""),
        ("watchdog: {url: nowhere}\n", "watchdog.url", "a secret is in plain text"),
        ("watchdog: {url: 'x${HOME}'}\n", "watchdog.url", "http"),
        ("watchdog: {}\n", "watchdog.url", "required"),
    ],
)
def test_mistakes_have_a_place_and_words(tmp_path: Path, text: str, place: str, words: str) -> None:
    loaded = read(tmp_path, text, HOME="nowhere")
    assert loaded.configuration is None
    said = " ".join(render(loaded.problems))
    assert place in said
    assert words in said


def test_no_channel_takes_the_name_of_the_switch(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CHANNELS.replace("name: ops", "name: watchdog"))
    said = " ".join(render(load(path, {}, {"webhook": webhook.Settings}, {}).problems))
    assert "belongs to the dead man's switch" in said


def test_the_address_of_the_switch_is_stored_as_it_is_written(tmp_path: Path) -> None:
    text = "watchdog: {url: 'https://hc.example.com/${PING_ID}', method: GET}\n"
    found = read(tmp_path, text, PING_ID="b5a1f7").required().watchdog
    assert found == {"url": "https://hc.example.com/${PING_ID}", "method": "GET"}
