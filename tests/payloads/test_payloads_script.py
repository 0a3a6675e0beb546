"""Processes under their keeper: what they see, how they end, and that nothing of them is ever left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from payloads.conftest import Stage
from support.waiting import until, until_now
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.leash import Leash, moment
from watchfloor.payloads.script import Settings, run


def alive(marker: str) -> list[int]:
    """Processes that carry a marker on their command line, this one left out."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if marker in line and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def marker() -> str:
    return f"wf-{uuid4().hex}"


ESCAPE = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    os._exit(0)
print("escaped", flush=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(1000)
"""
"""A process that forks twice into a session of its own and hears no SIGTERM."""


def escaping(mark: str, **more: Any) -> Settings:
    return Settings.model_validate(
        {"run": [sys.executable, "-c", ESCAPE, mark], "kill_grace": "100ms", **more}
    )


async def test_it_sees_nothing_of_our_environment(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFLOOR_DATABASE", "postgresql://somebody:something@example/db")
    await run(
        Settings.model_validate({"run": ["/usr/bin/env"], "env": {"MINE": "yes"}}), stage.attempt(attempt=3)
    )
    shown = stage.printed["stdout"].decode()
    assert "WATCHFLOOR" not in shown
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert {"PATH", "HOME", "LANG", "TZ", "MINE", "JOB_NAME", "JOB_RUN_ID", "JOB_FENCE"} <= names
    assert "JOB_FENCE=42.3" in shown


async def test_arguments_are_never_read_by_a_shell(stage: Stage) -> None:
    await run(Settings.model_validate({"run": ["/bin/echo", "$(id) ; `id` && *"]}), stage.attempt())
    assert stage.printed["stdout"] == b"$(id) ; `id` && *\n"


async def test_a_script_is_given_to_its_interpreter_with_what_it_can_read(stage: Stage) -> None:
    settings = {"script": "print(input()[::-1])", "interpreter": [sys.executable], "stdin": "olleh\n"}
    await run(Settings.model_validate(settings), stage.attempt())
    assert stage.printed["stdout"] == b"hello\n"


@pytest.mark.parametrize(
    ("settings", "error_class"),
    [
        ({"run": ["/no/such/program"]}, "script.spawn"),
        ({"run": ["/bin/true"], "directory": "/no/such/place"}, "script.spawn"),
        ({"script": "kill -SEGV $$"}, "script.signal"),
        ({"script": "exit 7", "success_codes": [0, 3]}, "script.exit.7"),
        ({"script": "yes > big", "limits": {"file_size": 1}}, "script."),
        ({"run": [sys.executable, "-c", "b'x' * 10**9"], "limits": {"memory": 200}}, "script.exit.1"),
    ],
)
async def test_how_it_ended_is_told_by_class(
    settings: dict[str, Any], error_class: str, stage: Stage
) -> None:
    with pytest.raises(PayloadError) as caught:
        await run(Settings.model_validate(settings), stage.attempt())
    assert caught.value.error_class.startswith(error_class)


async def test_its_directories_are_gone_afterwards(stage: Stage) -> None:
    await run(Settings.model_validate({"script": "pwd; touch left"}), stage.attempt())
    assert not Path(stage.printed["stdout"].decode().strip()).exists()


async def test_cancelled_it_is_gone_with_everything_that_forked_away(stage: Stage) -> None:
    mark = marker()
    task = asyncio.create_task(run(escaping(mark), stage.attempt()))
    await until(lambda: stage.printed["stdout"])
    await until(lambda: len(alive(mark)) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert alive(mark) == []


async def test_many_cancels_leave_nothing(stage: Stage) -> None:
    mark = marker()
    for _ in range(10):
        tasks = [asyncio.create_task(run(escaping(mark, kill_grace="0s"), stage.attempt())) for _ in range(4)]
        await until(lambda: len(alive(mark)) >= 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert alive(mark) == []


async def test_what_it_leaves_running_ends_with_it(stage: Stage) -> None:
    mark = marker()
    script = f"{sys.executable} -c 'import time; time.sleep(1000)' {mark} >/dev/null 2>&1 &"
    await run(Settings.model_validate({"script": script}), stage.attempt())
    assert alive(mark) == []


async def test_where_trust_runs_out_it_is_killed_although_nobody_says_so(stage: Stage) -> None:
    mark, leash = marker(), Leash(moment() + 30)
    task = asyncio.create_task(run(escaping(mark), stage.attempt(leash=leash)))
    await until(lambda: stage.printed["stdout"])
    leash.extend(moment() + 0.2)
    with pytest.raises(PayloadError) as caught:
        await asyncio.wait_for(task, 10)
    assert caught.value.error_class == "worker.lost"
    assert alive(mark) == []


async def test_where_its_keeper_is_killed_it_dies_too(stage: Stage) -> None:
    mark = marker()
    script = f"exec {sys.executable} -c 'import time; print(1, flush=True); time.sleep(1000)' {mark}"
    task = asyncio.create_task(run(Settings.model_validate({"script": script}), stage.attempt()))
    await until(lambda: stage.printed["stdout"])
    child = psutil.Process(alive(mark)[0])
    keeper = child.parent()
    assert keeper is not None
    keeper.kill()
    with pytest.raises(PayloadError):
        await asyncio.wait_for(task, 10)
    await until(lambda: not alive(mark))


NODE = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import UUID
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.script import Settings, run

async def output(stream, chunk):
    print(chunk.decode(), end="", flush=True)

settings = Settings.model_validate({"run": sys.argv[1:], "kill_grace": "10s"})
attempt = Attempt(1, UUID(int=1), 1, "job", datetime.now(UTC), output)
asyncio.run(run(settings, attempt))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_where_the_node_is_killed_everything_is_gone_within_two_seconds(how: int) -> None:
    mark = marker()
    command = [sys.executable, "-c", textwrap.dedent(NODE), sys.executable, "-c", ESCAPE, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as node:
        assert node.stdout
        assert node.stdout.readline() == b"escaped\n"
        node.send_signal(how)
        node.wait()
        until_now(lambda: not alive(mark), timeout=10)
