"""kill -9 of anything at any moment, under load: nothing confirmed is lost, nothing is doubled, no manual step.

Services of the outside go down and come back all the time, operators acknowledge, and a plan made from the seed kills
the program, the database, the keeper, the engine's loop, or all of them. An outage lasts until its alert was seen,
so every outage is known to need exactly one alert.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from chaos_audit import audit_health, audit_outbox, courses, undelivered
from chaos_ledger import OPEN, Ledger, Promise, Sight, look
from chaos_node import PATIENCE_S, ChaosNode, address, come_about
from chaos_outside import REFUSE_EVERY, Outside

from watchfloor.domain.alert import AlertState, EventKind
from watchfloor.domain.check_state import Policy
from watchfloor.domain.outcome import Status
from watchfloor.operations import alerts as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.settings import change
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.errors import is_away

SERVICES = [f"service-{number:02}" for number in range(32)]
POLICY = Policy(max_attempts=2, recover_attempts=1)
SHARES = {"process": 14, "postmaster": 10, "backend": 10, "keeper": 6, "everything": 8, "loop": 6}
"""How often each is killed in one round of the plan."""

LONG_ROUNDS = 19
"""A thousand kills."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One act of the plan. ``after`` and ``downtime`` are seconds; ``wait``: for everything to run again."""

    what: str
    after: float
    downtime: float
    wait: bool


def plan(seed: int, rounds: int) -> list[Kill]:
    """What is killed when; the same for the same seed."""
    chance = random.Random(seed)
    acts = []
    for _ in range(rounds):
        victims = [what for what, count in SHARES.items() for _ in range(count)]
        chance.shuffle(victims)
        acts += [
            Kill(
                what,
                chance.uniform(0, 1),
                chance.choice((0.0, 0.0, chance.uniform(0, 1))),
                chance.random() < 0.65,
            )
            for what in victims
        ]
    return acts


class Storm:
    """One run: the node, the outside, the operators, and what was seen and promised."""

    def __init__(self, node: ChaosNode, outside: Outside, seed: int) -> None:
        self.node = node
        self.outside = outside
        self.seed = seed
        self.ledger = Ledger()
        self.outages: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.sight: Sight | None = None
        self.ending = asyncio.Event()
        self.struck_at = 0.0
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The operators' and the observer's way in."""
        if self._database is None:
            self._database = Database(address(self.node.data_dir), name="chaos", size=3)
        return self._database

    async def close(self) -> None:
        """Let go of the database."""
        database, self._database = self._database, None
        if database is not None:
            await database.close()

    async def watch(self) -> None:
        """Look again and again; every look must stand by all that was known before it."""
        while True:
            promised = len(self.ledger.promises)
            try:
                sight = await look(self.database)
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(0.1)
                continue
            self.ledger.compare(sight, promised)
            self.sight = sight
            await asyncio.sleep(0.15)

    async def weather(self, service: str) -> None:
        """Let one service fail and recover; each time until that was noticed."""
        chance = random.Random(f"{self.seed}/{service}")
        while not self.ending.is_set():
            await asyncio.sleep(chance.uniform(1, 8))
            self.outside.fail(service)
            self.outages[service] += 1
            await self.until(
                lambda sight: sight.fired(service) >= self.outages[service], f"{service} is down: an alert"
            )
            await asyncio.sleep(chance.uniform(0.2, 3))
            self.outside.mend(service)
            await self.until(
                lambda sight: sight.services[service].hard is Status.OK, f"{service} is up: its recovery"
            )

    async def operate(self) -> None:
        """Acknowledge alerts, take that back, resolve by hand; remember what was confirmed."""
        chance = random.Random(f"{self.seed}/operators")
        while True:
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            sight = self.sight
            candidates = [] if sight is None else [a for a in sight.alerts.values() if a.alert.state in OPEN]
            if not candidates:
                continue
            target = chance.choice(candidates)
            number = len(self.ledger.promises)
            try:
                promise = await self._act(target.id, target.alert.state, number, chance.random())
            except Refused:
                continue  # the look is old: it has been resolved or acknowledged meanwhile
            except Exception as error:
                if not is_away(error):
                    raise
                continue  # nobody was promised anything
            self.ledger.promises.append(promise)

    async def _act(self, alert_id: int, state: AlertState, number: int, choice: float) -> Promise:
        actor, note = Actor(f"operator {self.seed}/{number}/{choice:.6f}"), f"note {number}"
        if state is AlertState.ACKNOWLEDGED:
            await operations.unacknowledge(self.database, actor, [alert_id])
            return Promise(alert_id, EventKind.UNACKNOWLEDGED, actor.name, "")
        if choice < 0.1:
            await operations.resolve(self.database, actor, [alert_id], note)
            return Promise(alert_id, EventKind.RESOLVED_BY_HAND, actor.name, note)
        await operations.acknowledge(self.database, actor, [alert_id], note, timedelta(hours=1))
        return Promise(alert_id, EventKind.ACKNOWLEDGED, actor.name, note)

    async def strike(self, acts: list[Kill]) -> None:
        """Carry out the plan."""
        chance = random.Random(f"{self.seed}/victims")
        for number, act in enumerate(acts):
            if act.what == "loop":
                await self.running_again(f"before kill {number}")
            await asyncio.sleep(act.after)
            await come_about(partial(self.node.kill, act.what, chance), f"a {act.what} to kill", self.node)
            self.kills[act.what] += 1
            if not self.node.alive:
                await asyncio.sleep(act.downtime)
                self.node.start()
            self.struck_at = asyncio.get_running_loop().time()
            if act.wait:
                await self.running_again(f"after kill {number}, {act.what}")

    async def running_again(self, when: str) -> None:
        """Wait until every service was checked after this moment."""
        since = datetime.now(UTC)

        def all_checked(now: Sight) -> bool:
            started = [service.last_started for service in now.services.values()]
            return len(started) == len(SERVICES) and all(s is not None and s > since for s in started)

        await self.until(all_checked, f"every service checked {when}")

    async def until(self, condition: Callable[[Sight], bool], what: str) -> None:
        """Wait for something to be seen, at the latest so long after the last kill: each begins everything anew."""
        began = asyncio.get_running_loop().time()
        while self.sight is None or not condition(self.sight):
            late = asyncio.get_running_loop().time() > max(began, self.struck_at) + PATIENCE_S
            assert not late, f"not within {PATIENCE_S:.0f} s: {what}\n{self.node.said()[-4000:]}"
            assert self.node.alive or self.node.killed, self.node.obituary()
            await asyncio.sleep(0.05)


def configuration(outside: Outside) -> str:
    """Every service checked each second by an attempt and another, everything told to the receiver."""
    services = "".join(
        f"  - {{name: {name}, kind: http, url: '{outside.url(name)}', timeout: 1s}}\n" for name in SERVICES
    )
    return (
        "node:\n  name: chaos\n"
        f"defaults:\n  every: 1s\n  retry_every: 1s\n  attempts: {POLICY.max_attempts}\n"
        f"services:\n{services}"
        "routes:\n  - storm: 0\n"
        f"channels:\n  - {{name: hook, kind: webhook, url: '{outside.url('hook')}'}}\n"
    )


@pytest.mark.chaos
async def test_nothing_promised_is_lost_whatever_is_killed(
    server_dir: Path, chaos_seed: int, chaos_long: bool
) -> None:
    print(f"seed {chaos_seed}")
    acts = plan(chaos_seed, LONG_ROUNDS if chaos_long else 1)
    with Outside() as outside:
        node = ChaosNode(server_dir, configuration(outside))
        storm = Storm(node, outside, chaos_seed)
        try:
            node.start()
            await come_about(lambda: "is running" in node.said(), "the first start", node)
            # The weather changes so often that every service would flap, and what flaps is told of in another way.
            await change(storm.database, Actor("chaos"), "flapping.start", 100.0)
            await _rage(storm, acts)
            await _delivered(storm)
            await storm.close()
            assert node.stop() == 0
            with Embedded.start(node.data_dir):
                await _judge(storm)
                await storm.close()
        finally:
            await storm.close()
            node.end()
    assert storm.kills.total() >= 50


async def _rage(storm: Storm, acts: list[Kill]) -> None:
    """Everything at once until the plan is carried out and every outage has ended."""
    async with asyncio.TaskGroup() as group:
        observer = group.create_task(storm.watch())
        operators = group.create_task(storm.operate())
        weather = [group.create_task(storm.weather(service)) for service in SERVICES]
        await storm.strike(acts)
        storm.ending.set()
        await asyncio.gather(*weather)
        operators.cancel()
        await storm.running_again("in the end")
        observer.cancel()


async def _delivered(storm: Storm) -> None:
    """Wait until nothing is left in the outbox."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while await undelivered(storm.database):
        assert asyncio.get_running_loop().time() < deadline, "messages stay undelivered"
        await asyncio.sleep(0.2)


async def _judge(storm: Storm) -> None:
    """The storm is over and the node has left: everything must follow from everything."""
    promised = len(storm.ledger.promises)
    sight = await look(storm.database)
    storm.ledger.compare(sight, promised)
    found = await courses(storm.database, POLICY)
    await audit_health(storm.database, sight, found)
    duplicates = await audit_outbox(storm.database, sight, storm.outside.receipts)
    refused = len(storm.outside.receipts) // REFUSE_EVERY
    assert duplicates <= refused + storm.kills.total(), "more copies than kills can explain"
    clear = [name for name in SERVICES if not found[name].strange]
    for name in clear:
        assert len(found[name].incidents) == storm.outages[name], f"{name}: {found[name].incidents}"
    results = sum(course.results for course in found.values())
    print(
        f"{storm.kills.total()} kills: {dict(storm.kills)}; {results} results, "
        f"{storm.outages.total()} outages, {promised} confirmed operations, {len(storm.outside.receipts)} webhooks "
        f"of which {duplicates} repeated; {len(SERVICES) - len(clear)} services with results nobody asked for: "
        f"{sorted(set().union(*(course.strange for course in found.values())))}"
    )
