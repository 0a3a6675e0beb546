"""The configuration is taken without a mistake, and real checks find what the script tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import yaml

from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.config.model import ServiceConfig
from watchfloor.config.settings import build_settings
from watchfloor.demo.script import STORIES, troubled
from watchfloor.demo.services import config_text
from watchfloor.demo.world import World
from watchfloor.domain.outcome import Outcome, Status

SEED = 7
DSN = {"WATCHFLOOR_DEMO_DSN": "postgresql://nobody@127.0.0.1:1/demo"}
OWN = {"this-host", "watchfloor-database", "database-size", "unsettled-runs", "stock-sync"}
"""What no server of the world stands behind."""


class Clock:
    """The time of a world in the hands of its test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def watched(tmp_path: Path, clock: Clock) -> AsyncIterator[Mapping[str, ServiceConfig]]:
    """The services of a running world, as the engine would get them."""
    world = World(SEED, tmp_path, clock)
    await world.start()
    file = tmp_path / "config.yaml"
    file.write_text(world.config_text(), encoding="utf-8")
    kinds = probe_kinds().models, channel_kinds().models
    configuration = load(file, *kinds, DSN, payload_kinds=payload_kinds().models).required()
    assert [rota["name"] for rota in configuration.oncall["rotas"]] == ["operations", "databases"]
    assert {job.kind for job in configuration.jobs} == {"script", "dummy"}
    yield {service.name: service for service in configuration.services}
    await world.stop()


async def check(service: ServiceConfig) -> Outcome:
    kind = probe_kinds()[service.kind]
    outcome: Outcome = await kind.run(
        build_settings(kind.settings, service.raw, DSN, Path()), service.timeout_s
    )
    return outcome


async def test_a_team_of_twenty_one_services_in_four_groups(watched: Mapping[str, ServiceConfig]) -> None:
    assert len(watched) == 21
    assert {service.group for service in watched.values()} == {"shop", "accounts", "back office", "platform"}
    assert {service.kind for service in watched.values()} == {
        "http",
        "tcp",
        "tls",
        "host",
        "postgres",
        "query",
        "heartbeat",
    }
    assert set(STORIES) <= set(watched)


async def test_the_checks_of_the_first_alert_keep_the_promised_pace(
    watched: Mapping[str, ServiceConfig],
) -> None:
    checkout = watched["checkout-api"]
    assert (checkout.every_s, checkout.retry_every_s, checkout.attempts) == (2, 1, 3)


async def test_the_address_of_the_database_is_left_to_the_environment(
    watched: Mapping[str, ServiceConfig],
) -> None:
    assert watched["watchfloor-database"].raw == {"dsn": "${WATCHFLOOR_DEMO_DSN}"}


async def test_at_first_only_what_was_broken_before_is_broken(watched: Mapping[str, ServiceConfig]) -> None:
    found = {name: await check(service) for name, service in watched.items() if name not in OWN}
    bad = {name: outcome.status for name, outcome in found.items() if outcome.status is not Status.OK}
    assert bad == {
        "payment-certificate": Status.DEGRADED,
        "archive": Status.FAILING,
        "partner-feed": Status.FAILING,
    }
    assert "expires in 9 days" in found["payment-certificate"].summary
    assert "expired" in found["archive"].summary


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("checkout-api", Status.FAILING, "503 Service Unavailable"),
        ("sessions", Status.FAILING, "refused"),
        ("image-cdn", Status.DEGRADED, "limit 250 ms"),
        ("profile-api", Status.FAILING, "500 Internal Server Error"),
        ("status-api", Status.FAILING, 'status is "degraded", expected "ok"'),
        ("invoices", Status.FAILING, "502 Bad Gateway"),
        ("reports", Status.FAILING, "timed out"),
    ],
)
async def test_the_trouble_of_the_script_is_what_a_check_sees(
    watched: Mapping[str, ServiceConfig], clock: Clock, name: str, status: Status, words: str
) -> None:
    clock.now = next(t / 2 for t in range(600) if troubled(SEED, name, t / 2))
    async with asyncio.timeout(10):
        while words not in (outcome := await check(watched[name])).summary:
            continue  # The port of the sessions closes at the next look at the script, not at once.
    assert outcome.status is status


def test_a_directory_named_like_a_reference_is_no_reference() -> None:
    text = config_text(dict.fromkeys(STORIES, 1), Path("/tmp/${HOME}/ca.pem"))
    trusted = {service["ca_file"] for service in yaml.safe_load(text)["services"] if "ca_file" in service}
    assert trusted == {"/tmp/$${HOME}/ca.pem"}
