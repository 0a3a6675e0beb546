"""Who is on call in the demo: roles of a small team, two rotas, and chains short enough to be watched.

Nobody outside is told: the channels hand each message to a program on this machine that takes it and says nothing.
"""

from __future__ import annotations

from typing import Any

SINK = ["/bin/sh", "-c", "cat >/dev/null"]


def on_call() -> dict[str, Any]:
    """Channels, people, rotas and escalations as they stand in the configuration."""
    return {
        "channels": [_channel("ops-chat"), _channel("ops-pager")],
        "people": [
            _person("ops-primary"),
            _person("ops-secondary"),
            _person("database-primary", skills=["databases"]),
            _person("shop-manager", quiet_hours=[{"from": "00:00", "to": "23:59", "below": "critical"}]),
        ],
        "contact_groups": [
            {"name": "everybody", "members": [{"person": "ops-primary"}, {"person": "ops-secondary"}]},
        ],
        "rotas": [
            _rota("operations", ["ops-primary", "ops-secondary"], turn="1d"),
            _rota("databases", ["database-primary", "ops-secondary"], turn="7d"),
        ],
        "escalations": [
            {
                "name": "page",
                "match": ["severity=~critical|emergency"],
                "steps": [
                    {"after": "0s", "tell": [{"rota": "operations"}]},
                    {"after": "1m", "tell": [{"person": "ops-secondary"}, {"skill": "databases"}]},
                    {"after": "2m", "tell": [{"group": "everybody"}, {"person": "shop-manager"}]},
                ],
                "repeat": 2,
                "pause": "5m",
            },
            {
                "name": "look when there is time",
                "match": ["severity=warning"],
                "steps": [{"after": "3m", "tell": [{"rota": "operations"}]}],
            },
        ],
    }


def _channel(name: str) -> dict[str, Any]:
    return {"name": name, "kind": "command", "command": SINK}


def _person(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "channels": [{"channel": "ops-chat"}, {"channel": "ops-pager", "from": "critical"}],
        **more,
    }


def _rota(name: str, members: list[str], turn: str) -> dict[str, Any]:
    return {
        "name": name,
        "layers": [{"members": members, "turn": turn, "at": "09:00", "starts": "2026-01-05"}],
    }
