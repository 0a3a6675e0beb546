"""Processes under their keeper: what they see, how they end, and that nothing of them is ever left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from payloads.conftest import Stage
from support.processes import ESCAPE, NODE, alive, keeper_of, killed_with_its_keeper, marker
from support.waiting import until, until_now
from watchfloor.payloads import leftovers
from watchfloor.payloads.contract import Grants, PayloadError
from watchfloor.payloads.leash import Leash, moment
from watchfloor.payloads.script import Settings, run


def escaping(mark: str, **more: Any) -> Settings:
    return Settings.model_validate(
        {"run": [sys.executable, "-c", ESCAPE, mark], "kill_grace": "100ms", **more}
    )


async def test_it_sees_nothing_of_our_environment(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFLOOR_DATABASE", "postgresql://somebody:something@example/db")
    await run(
        Settings.model_validate({"run": ["/usr/bin/env"], "env": {"MINE": "yes", "JOB_MARK": "mine"}}),
        stage.attempt(attempt=3),
    )
    shown = stage.printed["stdout"].decode()
    assert "WATCHFLOOR" not in shown
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert {"PATH", "HOME", "LANG", "TZ", "MINE", "JOB_NAME", "JOB_RUN_ID", "JOB_FENCE"} <= names
    assert "JOB_FENCE=42.3" in shown
    assert "JOB_MARK=mine" not in shown


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
        ({"script": "exec yes > big", "limits": {"file_size": 1}}, "script.limit.file_size"),
        ({"script": "while :; do :; done", "limits": {"cpu": 1}}, "script.limit.cpu"),
        ({"script": "yes", "limits": {"output": 2}}, "script.limit.output"),
        ({"run": ["/bin/true"], "user": "nobody"}, "config.run_as"),
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
    assert not Path(stage.printed["stdout"].decode().strip()).parent.exists()


DEEP = """
import os
print(os.getcwd(), flush=True)
top = os.open(".", os.O_RDONLY)
for _ in range(1100):  # deeper than Python recurses, longer than a path may be
    os.mkdir("deep")
    os.chdir("deep")
os.symlink("/", "root")
os.mkfifo("pipe")
os.fchdir(top)
os.makedirs("a/b")
os.chmod("a", 0)
os.chmod(".", 0)
"""


async def test_a_directory_however_deep_and_whatever_its_rights_is_removed(stage: Stage) -> None:
    await run(
        Settings.model_validate({"script": DEEP, "interpreter": [sys.executable, "-I", "-S"]}),
        stage.attempt(),
    )
    assert not Path(stage.printed["stdout"].decode().strip()).parent.exists()


BOMB = """
import os
if os.fork():
    os.wait()
os.setsid()
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


@pytest.mark.parametrize("how", ["shell", "python"])
async def test_a_fork_bomb_is_stopped_by_its_number(how: str, stage: Stage) -> None:
    mark = marker()
    bombs: dict[str, dict[str, Any]] = {
        "shell": {"script": f": {mark}; b() {{ b | b & }}; b; sleep 1000", "interpreter": ["/bin/bash"]},
        "python": {"run": [sys.executable, "-c", BOMB, mark]},
    }
    with pytest.raises(PayloadError) as caught:
        await asyncio.wait_for(
            run(Settings.model_validate({**bombs[how], "limits": {"processes": 40}}), stage.attempt()), 60
        )
    assert caught.value.error_class == "script.limit.processes"
    assert alive(mark) == []


async def test_the_kernel_bounds_what_comes_of_a_script_between_two_counts(stage: Stage) -> None:
    settings = {"script": "cat /proc/self/cgroup; ulimit -u", "interpreter": ["/bin/bash"]}
    await run(Settings.model_validate({**settings, "limits": {"processes": 40}}), stage.attempt())
    *groups, most = stage.printed["stdout"].decode().split("\n")[:-1]
    pens = [line.rpartition("/")[2] for line in groups if "/watchfloor-" in line]
    assert pens or (most != "unlimited" and os.geteuid() != 0), f"nothing bounds it in {groups}"
    for pen in pens:
        assert not list(Path("/sys/fs/cgroup").glob(f"**/{pen}")), "it is removed when the script has ended"


async def test_processes_below_the_limit_are_left_alone(stage: Stage) -> None:
    script = "for i in 1 2 3 4 5; do sleep 0.3 & done; wait; echo fine"
    await run(Settings.model_validate({"script": script, "limits": {"processes": 10}}), stage.attempt())
    assert stage.printed["stdout"] == b"fine\n"


async def test_what_is_no_text_and_very_much_of_it_passes(stage: Stage) -> None:
    size = 50 * 2**20
    seen = 0

    async def count(_: str, chunk: bytes) -> None:
        nonlocal seen
        seen += len(chunk)

    await run(
        Settings.model_validate({"script": f"head -c {size} /dev/urandom"}), stage.attempt(output=count)
    )
    assert seen == size


async def test_a_long_input_arrives_whole(stage: Stage) -> None:
    text = "ä" * 500_000
    await run(Settings.model_validate({"run": ["/usr/bin/wc", "-m"], "stdin": text, "env": {"LC_ALL": "C.UTF-8"}}),
              stage.attempt())  # fmt: skip
    assert stage.printed["stdout"].strip() == b"500000"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run scripts as somebody else")
async def test_it_runs_as_another_user_where_the_node_lets_it(stage: Stage) -> None:
    settings = Settings.model_validate(
        {"script": "id -un; id -Gn; echo $HOME; touch mine; stat -c %U . mine $0", "user": "nobody"}
    )
    await run(settings, stage.attempt(grants=Grants(run_as=("nobody",))))
    who, groups, home, *owners = stage.printed["stdout"].decode().split()
    assert (who, groups) == ("nobody", "nogroup")
    assert home == os.path.expanduser("~nobody")
    assert owners == ["nobody"] * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run scripts as somebody else")
async def test_a_user_who_may_not_enter_the_directory_is_refused(stage: Stage, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings = Settings.model_validate({"run": ["/bin/pwd"], "user": "nobody", "directory": str(tmp_path)})
    with pytest.raises(PayloadError) as caught:
        await run(settings, stage.attempt(grants=Grants(run_as=("nobody",))))
    assert caught.value.error_class == "script.spawn"


async def test_a_user_whom_this_machine_has_not_is_named(stage: Stage) -> None:
    settings = Settings.model_validate({"run": ["/bin/pwd"], "user": "no-such-user"})
    with pytest.raises(PayloadError, match="no user 'no-such-user'"):
        await run(settings, stage.attempt(grants=Grants(run_as=("no-such-user",))))


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


async def test_cancelled_twice_it_is_killed_at_once_whatever_its_grace(stage: Stage) -> None:
    mark = marker()
    task = asyncio.create_task(run(escaping(mark, kill_grace="60s"), stage.attempt()))
    await until(lambda: stage.printed["stdout"])
    task.cancel()
    await until(lambda: task.cancelling() == 1)
    await asyncio.sleep(0)
    assert alive(mark)  # it was asked, and has a minute
    task.cancel()
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 20)
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


async def test_where_its_keeper_is_killed_what_forked_away_is_gone_before_it_counts_as_ended(
    stage: Stage,
) -> None:
    mark = marker()
    task = asyncio.create_task(run(escaping(mark), stage.attempt()))
    await until(lambda: stage.printed["stdout"] and len(alive(mark)) == 2)
    keeper_of(mark).kill()
    with pytest.raises(PayloadError) as caught:
        await asyncio.wait_for(task, 10)
    assert (caught.value.error_class, caught.value.signal) == ("script.signal", signal.SIGKILL)
    assert alive(mark) == []


async def test_where_its_keeper_is_killed_while_it_ends_it_nothing_is_left_either(stage: Stage) -> None:
    mark = marker()
    task = asyncio.create_task(run(escaping(mark, kill_grace="60s"), stage.attempt()))
    await until(lambda: stage.printed["stdout"] and len(alive(mark)) == 2)
    keeper = keeper_of(mark)
    task.cancel()
    await until(lambda: task.cancelling() == 1)
    keeper.kill()
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 20)
    assert alive(mark) == []


async def test_a_process_that_hides_cannot_hold_up_the_end_of_an_attempt_whose_keeper_is_killed(
    stage: Stage,
) -> None:
    mark = marker()
    waiting = "import time; print(1, flush=True); time.sleep(1000)"
    script = f"setsid env -i {sys.executable} -c '{waiting}' {mark} & wait"
    task = asyncio.create_task(run(Settings.model_validate({"script": script}), stage.attempt()))
    await until(lambda: stage.printed["stdout"])
    hidden = psutil.Process(alive(mark)[0])
    try:
        keeper_of(mark).kill()
        with pytest.raises(PayloadError):
            await asyncio.wait_for(task, 10)
    finally:
        hidden.kill()


async def test_another_attempt_and_other_processes_are_left_alone(stage: Stage) -> None:
    mark, other, stranger = marker(), marker(), marker()
    tasks = [asyncio.create_task(run(escaping(each), stage.attempt())) for each in (mark, other)]
    await until(lambda: len(alive(mark)) == len(alive(other)) == 2)
    found = psutil.Process(alive(other)[0]).environ()[leftovers.VARIABLE]
    near = {leftovers.VARIABLE: f"{found}0"}
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)", stranger], env=near
    ) as process:
        keeper_of(mark).kill()
        await asyncio.wait(tasks[:1], timeout=10)
        assert (len(alive(mark)), len(alive(other)), len(alive(stranger))) == (0, 2, 1)
        process.kill()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("held", [True, False], ids=["held", "known by its time of birth"])
def test_a_signal_never_reaches_another_process_of_the_same_number(
    held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not held:
        monkeypatch.delattr(os, "pidfd_open")
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        known = leftovers.Held(process.pid)
        monkeypatch.setattr(leftovers, "born", lambda _: "another")  # who has the number by now
        if held:
            process.kill()
            process.wait()
        known.send(signal.SIGKILL)
        known.close()
        assert process.poll() == (-signal.SIGKILL if held else None)
        process.kill()


async def test_where_its_keeper_is_killed_its_directory_is_gone_too(stage: Stage) -> None:
    mark = marker()
    script = f"pwd; exec {sys.executable} -c 'import time; time.sleep(1000)' {mark}"
    task = asyncio.create_task(run(Settings.model_validate({"script": script}), stage.attempt()))
    await until(lambda: stage.printed["stdout"].endswith(b"\n") and alive(mark))
    keeper = psutil.Process(alive(mark)[0]).parent()
    assert keeper is not None
    keeper.kill()
    with pytest.raises(PayloadError):
        await asyncio.wait_for(task, 10)
    assert not Path(stage.printed["stdout"].decode().strip()).parent.exists()


def test_where_the_node_is_killed_the_directory_of_the_script_goes() -> None:
    mark = marker()
    script = f"pwd; exec {sys.executable} -c 'import time; time.sleep(1000)' {mark}"
    command = [sys.executable, "-c", NODE, "/bin/sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as node:
        assert node.stdout
        place = Path(node.stdout.readline().decode().strip()).parent
        assert place.is_dir()
        node.kill()
        node.wait()
        until_now(lambda: not alive(mark) and not place.exists(), timeout=10)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_where_the_node_is_killed_everything_is_gone_within_two_seconds(how: int) -> None:
    mark = marker()
    command = [sys.executable, "-c", NODE, sys.executable, "-c", ESCAPE, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as node:
        assert node.stdout
        assert node.stdout.readline() == b"escaped\n"
        node.send_signal(how)
        node.wait()
        until_now(lambda: not alive(mark), timeout=10)


def test_where_node_and_keeper_are_killed_what_is_left_is_found_by_the_next_node() -> None:
    with killed_with_its_keeper() as (mark, pid, birth):
        leftovers.end_left_by({(pid, f"{birth}0")})
        leftovers.end_left_by({(os.getpid(), leftovers.born(os.getpid()))})
        assert (pid, birth) in leftovers.dead_nodes()
        leftovers.end_left_by({(pid, birth)})
        assert alive(mark) == []
        assert (pid, birth) not in leftovers.dead_nodes()


async def test_what_a_living_node_runs_is_never_taken_for_left(stage: Stage) -> None:
    mark = marker()
    task = asyncio.create_task(run(escaping(mark), stage.attempt()))
    await until(lambda: stage.printed["stdout"] and len(alive(mark)) == 2)
    me = (os.getpid(), leftovers.born(os.getpid()))
    assert me not in leftovers.dead_nodes()
    assert leftovers.end_left_by({me}) == 0
    assert len(alive(mark)) == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
