"""What the demo's team runs: jobs for every section of the room, that touch nothing outside the demo.

They are scripts and dummies in their own scratch directories: one that follows another, one that is retried, one
that fails for good and leaves dead letters, one that always goes on, one at night, one that rests.
"""

from __future__ import annotations

from typing import Any

Job = dict[str, Any]

ORDERS = """\
for part in 1 2 3 4 5 6 7 8; do
  echo "part $part of 8: $((part * 137)) orders"
  sleep 0.7
done
"""

LEDGER = """\
echo "reading the ledger"
echo "account 4711 does not balance: 12.40 are missing" >&2
exit 3
"""


def jobs() -> list[Job]:
    """The jobs as they stand in the configuration."""
    return [
        _job("export orders", "30s", then=[{"job": "send invoices"}], **_script(ORDERS))
        | {"description": "Writes the orders of the last half minute for the accountants.", "owner": "shop"},
        _job("send invoices", kind="dummy", lasts="2s", says="12 invoices sent", owner="back office"),
        _job("balance ledger", "45s", on_queue="ledger", **_script(LEDGER))
        | {"retry": {"attempts": 2, "first": "3s"}, "owner": "back office"}
        | {"description": "Fails for good each time: its runs end as dead letters."},
        _job("refresh prices", "20s", kind="dummy", lasts="1s", fail_first=1, says="prices are fresh")
        | {"retry": {"attempts": 3, "first": "2s"}, "owner": "shop"},
        _job("watch the mailbox", "1m", kind="dummy", lasts="55s", says="listening", owner="platform"),
        _job("nightly backup", kind="dummy", lasts="3s", owner="platform")
        | {"schedules": [{"cron": "30 2 * * *", "time_zone": "Europe/Berlin"}]},
        _job("old cleaner", kind="dummy", owner="platform", paused=True)
        | {"schedules": [{"cron": "@hourly"}]},
    ]


def _job(name: str, every: str = "", **rest: Any) -> Job:
    return {"name": name} | ({"schedules": [{"every": every}]} if every else {}) | rest


def _script(text: str) -> Job:
    return {"kind": "script", "interpreter": ["/bin/sh", "-e"], "script": text.replace("${", "$${")}
