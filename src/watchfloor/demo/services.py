"""What the demo's team watches and runs: a whole ``config.yaml``, as a team of that size would write it.

It names each server of the cast, this machine and the demo's own database. It must be a configuration that
the program takes as it is, without a mistake and without a secret in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from watchfloor.demo.jobs import jobs
from watchfloor.demo.people import on_call
from watchfloor.demo.reporter import NAME
from watchfloor.demo.servers import ADDRESS

_HEADING = """\
# The world of the demo. Its servers run in this very process, on ports the system chose, and end with it.
# This file was made for one run; config.example.yaml of the program explains every key.
"""

Service = dict[str, Any]


def config_text(ports: Mapping[str, int], authority: Path) -> str:
    """The configuration for servers at these ports, whose certificates the PEM file ``authority`` vouches for.

    The address of the database is left to the environment, as ``WATCHFLOOR_DEMO_DSN``. Raises KeyError when
    a server of the cast has no port.
    """
    trust = str(authority).replace("${", "$${")
    groups = {
        "shop": _shop(ports, trust),
        "accounts": _accounts(ports, trust),
        "back office": _back_office(ports, trust),
        "platform": _platform(ports),
    }
    configuration = {
        "node": {"name": "demo", "environment": "demo"},
        "defaults": {"every": "2s", "retry_every": "1s", "attempts": 3},
        "services": [
            {"name": service["name"], "group": group} | service
            for group, services in groups.items()
            for service in services
        ],
        "jobs": jobs(),
        **on_call(),
    }
    return _HEADING + yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True, width=110)


def _shop(ports: Mapping[str, int], trust: str) -> list[Service]:
    return [
        _http("storefront", ports, "/", body_contains="basket", degraded_after="300ms"),
        _http("checkout-api", ports, "/health", depends_on=["payment-gateway"], tags=["money"])
        | _json_ok("status")
        | {"description": "Takes the orders. When it is down, nobody buys."},
        _http("search", ports, "/search?q=lamp", degraded_after="400ms")
        | {"body_json": [{"path": "hits", "above": 0}]},
        _http("image-cdn", ports, "/pixel.gif", degraded_after="250ms"),
        _https("payment-gateway", ports, "/health", trust, tags=["money"], certificate_warn_days=0)
        | _json_ok("status")
        | {"description": "The way to the bank. Its certificate is watched on its own."},
        _certificate("payment-certificate", ports["payment-gateway"], trust, tags=["money"]),
    ]


def _accounts(ports: Mapping[str, int], trust: str) -> list[Service]:
    return [
        _https("login", ports, "/", trust, body_contains="Sign in", depends_on=["sessions"]),
        _certificate("login-certificate", ports["login"], trust),
        _http("profile-api", ports, "/health") | _json_ok("status"),
        _tcp("sessions", ports, send="PING\r\n", expect="+PONG")
        | {"description": "Keeps who is signed in. Without it, people are asked to sign in again."},
    ]


def _back_office(ports: Mapping[str, int], trust: str) -> list[Service]:
    return [
        _http("invoices", ports, "/health") | {"body_json": [{"path": "unsent", "below": 100}]},
        _http("reports", ports, "/", body_contains="Reports"),
        _https("archive", ports, "/", trust, every="10s"),
        {
            "name": NAME,
            "kind": "heartbeat",
            "period": "5s",
            "grace": "5s",
            "description": "Brings the stock up to date and reports itself. When it hangs, nobody hears of it.",
        },
        {
            "name": "partner-feed",
            "kind": "http",
            "url": "http://feed.partner.invalid/stock.json",
            "every": "10s",
            "description": "A partner's stock. The partner moved and told nobody.",
        },
    ]


def _platform(ports: Mapping[str, int]) -> list[Service]:
    return [
        _http("status-api", ports, "/status")
        | {
            "body_json": [
                {"path": "status", "equals": "ok"},
                {"path": "checks.queue.depth", "below": 1000},
                {"path": "checks.writable", "equals": True},
            ]
        },
        _tcp("mail-relay", ports, expect="220 "),
        {"name": "this-host", "kind": "host", "every": "5s"},
        {"name": "watchfloor-database", "kind": "postgres", "dsn": "${WATCHFLOOR_DEMO_DSN}", "every": "5s"},
        _query("database-size", "SELECT round(pg_database_size(current_database()) / 1e6)", gt=2000)
        | {"description": "How large the demo's database is, in megabytes."},
        _query("unsettled-runs", "SELECT count(*) FROM dead_letters WHERE settled_at IS NULL", gt=0)
        | {
            "description": "Runs that failed for good and that nobody settled. The ledger sees to it that there are."
        },
    ]


def _http(name: str, ports: Mapping[str, int], path: str, **keys: object) -> Service:
    return {"name": name, "kind": "http", "url": f"http://{ADDRESS}:{ports[name]}{path}", **keys}


def _https(name: str, ports: Mapping[str, int], path: str, trust: str, **keys: object) -> Service:
    url = f"https://{ADDRESS}:{ports[name]}{path}"
    return {"name": name, "kind": "http", "url": url, "ca_file": trust, **keys}


def _tcp(name: str, ports: Mapping[str, int], **keys: object) -> Service:
    return {"name": name, "kind": "tcp", "host": ADDRESS, "port": ports[name], **keys}


def _certificate(name: str, port: int, trust: str, **keys: object) -> Service:
    return {
        "name": name,
        "kind": "tls",
        "host": ADDRESS,
        "port": port,
        "ca_file": trust,
        "every": "10s",
        **keys,
    }


def _query(name: str, sql: str, **warning: float) -> Service:
    """A query to the demo's own database, degraded when ``warning`` holds."""
    return {
        "name": name,
        "kind": "query",
        "dsn": "${WATCHFLOOR_DEMO_DSN}",
        "sql": sql,
        "every": "5s",
        "warning": warning,
    }


def _json_ok(path: str) -> Service:
    return {"body_json": [{"path": path, "equals": "ok"}]}
