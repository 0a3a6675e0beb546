"""Commands: no shell, little environment, limits that hold, nothing left running."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.waiting import until
from watchfloor.channels.command import Settings, deliver, render
from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.domain.alert import raise_alert
from watchfloor.domain.message import About, compose
from watchfloor.domain.severity import Severity

ID = "0191d8f0-0000-7000-8000-000000000001"
NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)


def settings(*command: str, **values: Any) -> Settings:
    return Settings.model_validate({"command": list(command), **values})


def message(title: str = "shop; rm -rf / $(id) `id`") -> Message:
    alert, events = raise_alert(Severity.CRITICAL, NOW)
    payload = compose(events[-1], alert, About(42, "uuid", title, "refused", {"service": "shop"}))
    made = settings("true")
    return Message(ID, "alert.firing", render(made, Draft(ID, ID, payload)), 1)


async def run(code: str, *arguments: str, **values: Any) -> None:
    await deliver(settings(sys.executable, "-c", code, *arguments, **values), message())


async def test_no_shell_looks_at_anything(tmp_path: Path) -> None:
    code = "import json, os, sys; json.dump([sys.argv[1:], json.load(sys.stdin), dict(os.environ)], open('out', 'w'))"
    await run(code, "$HOME", "; touch x", "*", directory=str(tmp_path), environment={"KEY": "value"})
    arguments, read, environment = json.loads((tmp_path / "out").read_text())
    assert arguments == ["$HOME", "; touch x", "*"]
    assert read["title"] == environment["WATCHFLOOR_TITLE"]
    assert read["title"].startswith("CRITICAL shop; rm -rf / $(id) `id`")
    assert (read["message_id"], read["id"], environment["WATCHFLOOR_STATE"]) == (ID, 42, "firing")
    assert environment["KEY"] == "value"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


async def test_the_environment_of_the_engine_stays_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFLOOR_DB_PASSWORD", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    await run("import os; assert 'secret' not in os.environ.values()")


async def test_what_it_leaves_running_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys; child = subprocess.Popen(['sleep', '600']); "
        "open('pid', 'w').write(str(child.pid)); sys.stdout.flush()"
    )
    await run(code, directory=str(tmp_path))
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


async def test_output_without_end_meets_a_limit() -> None:
    with pytest.raises(DeliveryError, match=r"File too large|status|signal"):
        await run("import sys, time\ntime.sleep(0.1)\nwhile True: sys.stdout.write('x' * 65536)")


async def test_memory_has_a_limit() -> None:
    with pytest.raises(DeliveryError, match="MemoryError"):
        await run("import time; time.sleep(0.2); x = bytearray(900 * 2**20)", memory=256)


@pytest.mark.parametrize("command", ["/nowhere/at/all", "/etc/passwd", "/"])
async def test_what_cannot_be_run_says_why(command: str) -> None:
    with pytest.raises(DeliveryError, match="cannot be run") as caught:
        await deliver(settings(command), message())
    assert not caught.value.permanent


async def test_a_command_that_reads_nothing_is_fine() -> None:
    await deliver(settings("true"), message())
    with pytest.raises(DeliveryError, match="status 1"):
        await deliver(settings("false"), message())
    with pytest.raises(DeliveryError, match="signal 9"):
        await run("import os; os.kill(os.getpid(), 9)")


def test_it_works_on_the_loop_of_a_thread() -> None:
    import uvloop

    failures: list[BaseException] = []

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(deliver(settings("true"), message()))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert (failures, thread.is_alive()) == ([], False)
