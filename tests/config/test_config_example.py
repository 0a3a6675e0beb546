"""The example that people copy is valid, also with everything in it switched on, and shows every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from watchfloor.config.base import Settings
from watchfloor.config.describe import describe
from watchfloor.config.jobs import CalendarKeys, JobKeys, LinkKeys, RetryKeys, ScheduleKeys
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import TOP_KEYS, load
from watchfloor.config.maintenance import MaintenanceKeys
from watchfloor.config.reactions import ReactionKeys
from watchfloor.config.rule_kinds import MODELS
from watchfloor.config.schema import (
    AnyOfKeys,
    ChannelKeys,
    CoverKeys,
    DefaultKeys,
    NodeKeys,
    ObjectiveKeys,
    RuleKeys,
    ServiceKeys,
    WhenKeys,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
PAYLOADS = payload_kinds().models
OWN_KINDS = {"http", "tcp", "tls", "host", "postgres"}


@pytest.fixture(scope="module")
def probes() -> Mapping[str, type[Settings]]:
    return probe_kinds().models


@pytest.fixture(scope="module")
def channels() -> Mapping[str, type[Settings]]:
    return channel_kinds().models


def test_the_example_is_valid_as_it_is(
    probes: Mapping[str, type[Settings]], channels: Mapping[str, type[Settings]]
) -> None:
    configuration = load(
        EXAMPLE, probes, channels, {"HOME": "/home/operator"}, payload_kinds=PAYLOADS
    ).required()
    assert {service.kind for service in configuration.services} == OWN_KINDS
    assert [channel.kind for channel in configuration.channels] == ["webhook"]
    assert configuration.rules
    assert {job.kind for job in configuration.jobs} == set(PAYLOADS)
    assert all(job.paused for job in configuration.jobs)


def test_the_example_is_valid_with_everything_switched_on(
    tmp_path: Path, probes: Mapping[str, type[Settings]], channels: Mapping[str, type[Settings]]
) -> None:
    text = re.sub(r"^(\s*)#(?=\S)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    assert "\nname: north-1" not in text
    assert "  name: north-1" in text
    path = tmp_path / "config.yaml"
    path.write_text(text)
    secret = tmp_path / "secrets" / "webhook"
    secret.parent.mkdir()
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    secret.chmod(0o600)
    names = re.findall(r"\$\{([A-Z_]+)\}", text)
    web = {name: "https://chat.example.com/x" for name in names if name.endswith("_URL")}
    environ = {**dict.fromkeys(names, "x"), **web, "HOME": "/home/operator"}
    configuration = load(path, probes, channels, environ, payload_kinds=PAYLOADS).required()
    assert configuration.database == "postgresql://watchfloor:x@db.example.com:5432/watchfloor"
    assert configuration.data_dir == Path("/home/operator/.local/share/watchfloor")
    assert configuration.node.name == "north-1"
    assert {channel.kind for channel in configuration.channels} == set(channels)
    assert {service.kind for service in configuration.services} == set(probes)


def test_the_example_shows_every_key(
    probes: Mapping[str, type[Settings]], channels: Mapping[str, type[Settings]]
) -> None:
    text = EXAMPLE.read_text()
    models = [
        DefaultKeys,
        NodeKeys,
        ServiceKeys,
        RuleKeys,
        WhenKeys,
        *MODELS.values(),
        ObjectiveKeys,
        CoverKeys,
        ChannelKeys,
        channels["webhook"],
    ]
    models += [probes[kind] for kind in OWN_KINDS]
    models += [
        JobKeys,
        ScheduleKeys,
        RetryKeys,
        LinkKeys,
        CalendarKeys,
        MaintenanceKeys,
        ReactionKeys,
        CoverKeys,
        AnyOfKeys,
        *(PAYLOADS[kind] for kind in ("script", "http", "dummy")),
    ]
    wanted = {*TOP_KEYS, *(row.name for model in models for row in describe(model))}
    assert not {key for key in wanted if not re.search(rf"(^|[\s#{{]){key}:", text, re.MULTILINE)}


def test_no_setting_of_a_kind_takes_the_name_of_a_common_key(
    probes: Mapping[str, type[Settings]], channels: Mapping[str, type[Settings]]
) -> None:
    for models, common in ((probes, ServiceKeys), (channels, ChannelKeys), (PAYLOADS, JobKeys)):
        taken = {row.name for row in describe(common)}
        for model in models.values():
            assert not taken & {row.name for row in describe(model)}
