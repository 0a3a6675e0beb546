"""Checks of systemd units: is it active, did it fail, how often was it started again.

Asks ``systemctl show``, without a shell. This module must never start, stop or change a unit.
"""

from __future__ import annotations

from time import perf_counter
from typing import Annotated, Literal

from pydantic import Field

from watchfloor.config.fields import InWords
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import programs
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits, TimedSettings

_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "MainPID", "MemoryCurrent", "TasksCurrent",
    "Description",
)  # fmt: skip
_METRICS = {"restarts": "NRestarts", "memory_bytes": "MemoryCurrent", "tasks": "TasksCurrent"}
_MIB = 1024 * 1024
_UNSET = 2**64 - 1
"""What systemd says of a figure that it does not keep."""

State = Literal["active", "reloading", "inactive", "failed", "activating", "deactivating"]


class Settings(TimedSettings):
    """A unit of systemd on the machine Watchfloor runs on."""

    unit: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$", max_length=255),
        InWords("the name of a unit, such as nginx.service"),
    ] = Field(description="The unit, such as `nginx.service` or `backup.timer`.")
    user: bool = Field(False, description="Whether it is a unit of this user's own manager.")
    expect: list[State] = Field(
        ["active", "reloading"], min_length=1, description="The states that are well."
    )
    restarts: Limits = Field(Limits(), description="How often it was started again by itself.")
    memory_mib: Limits = Field(Limits(), description="Memory of all its processes, in MiB.")


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Ask for the unit once and judge within ``timeout`` seconds."""
    check = Check()
    check.doing = f"asking systemd for {settings.unit}"
    return await conduct(check, timeout, _ask(settings, check))


async def _ask(settings: Settings, check: Check) -> Outcome:
    began = perf_counter()
    manager = ["--user"] if settings.user else []
    command = ["systemctl", *manager, "show", f"--property={','.join(_PROPERTIES)}", "--", settings.unit]
    try:
        ended = await programs.run(command, check.left)
    except Fault as fault:
        raise Fault(f"this machine has no systemd to ask: {fault.summary}", Status.UNKNOWN) from None
    check.spent("transfer", began)
    if ended.code != 0:
        raise Fault(f"systemd does not answer: {check.clean(ended.errors, 120)}", Status.UNKNOWN)
    lines = (line.partition("=") for line in ended.output.decode("utf-8", "replace").splitlines())
    return _judge(settings, check, {name: value for name, sign, value in lines if sign})


def _judge(settings: Settings, check: Check, shown: dict[str, str]) -> Outcome:
    findings = Findings(check)
    state, sub = check.clean(shown.get("ActiveState", ""), 30), check.clean(shown.get("SubState", ""), 30)
    if shown.get("LoadState") == "not-found":
        raise Fault(f"there is no unit {settings.unit}")
    if not state:
        raise Fault("systemd answered, but did not tell the state of the unit", Status.UNKNOWN)
    metrics = {
        ours: value for ours, name in _METRICS.items() if (value := _number(shown.get(name))) is not None
    }
    if state not in settings.expect:
        # Units pass through activating and deactivating on their way; the others are where they stay.
        passing = state in ("activating", "deactivating", "reloading")
        findings.add(
            Status.DEGRADED if passing else Status.FAILING, f"expected {' or '.join(settings.expect)}"
        )
    if (result := shown.get("Result", "success")) not in ("", "success"):
        findings.add(Status.DEGRADED, f"its last result is {check.clean(result, 40)}")
    if "restarts" in metrics:
        findings.limit(settings.restarts, metrics["restarts"], "started again {:.0f} times (limit {:g})")
    if "memory_bytes" in metrics:
        findings.limit(
            settings.memory_mib, metrics["memory_bytes"] / _MIB, "uses {:.0f} MiB of memory (limit {:g})"
        )
    facts: dict[str, object] = {"state": state, "sub_state": sub}
    if description := check.clean(shown.get("Description", ""), 100):
        facts["description"] = description
    return findings.outcome(f"{settings.unit} is {state} ({sub})", metrics=metrics, facts=facts)


def _number(text: str | None) -> float | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) == _UNSET:
        return None
    return float(text)
