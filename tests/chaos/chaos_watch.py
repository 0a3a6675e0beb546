"""A prober in a process of its own, which can be stopped, made to stall and cut off: prints what its checks find.

``argv[1]`` is JSON: services (kind, settings, timeout), sentinels, and a name server's port or null. Each line of the
input is a number of seconds for which the loop shall stand still.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.engines import lone_node, stored_service
from watchfloor.config.kinds import probe_kinds
from watchfloor.engine.finding import Findings
from watchfloor.engine.prober import Prober
from watchfloor.engine.sentry import Sentry
from watchfloor.engine.thread import new_loop
from watchfloor.engine.watches import make_watch
from watchfloor.probes.resolve import Resolver, use_resolver


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on the loop that the engine has."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(work)


async def main(plan: dict) -> None:  # type: ignore[type-arg]
    node, findings, kinds = lone_node(), Findings(), probe_kinds()
    prober = Prober(node, findings, lambda: 100)
    sentry = Sentry(node, plan["sentinels"])
    prober.cut_off = sentry.cut_off
    watches = []
    for number, each in enumerate(plan["services"], 1):
        kind = kinds[each["kind"]]
        service = stored_service(
            each["name"], number, kind=each["kind"], every_ms=100, timeout_ms=each["timeout_ms"]
        )
        watches.append(make_watch(service, kind.run, kind.settings.model_validate(each["settings"])))
    running = [asyncio.ensure_future(run(lambda: None)) for run in (prober.run, prober.stalls.run)]
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: time.sleep(float(sys.stdin.readline())))
    prober.assign(watches)
    while True:
        found = await findings.get()
        said = {"name": watches[found.service_id - 1].service.name, "status": found.outcome.status.word}
        print(json.dumps({**said, "summary": found.outcome.summary}), flush=True)
        if any(task.done() for task in running):
            raise RuntimeError("a loop ended")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["name_server"] is None:
        run(main(given))
    else:
        with use_resolver(Resolver(["127.0.0.1"], given["name_server"], hosts="/nonexistent")):
            run(main(given))
