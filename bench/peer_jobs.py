"""One peer at the work of `jobs_drain.py`: a program of its own, run by the interpreter that has the peers installed.

Arguments: the peer, the address of a database of its own, the number of jobs. Prints JSON: seconds of the drain and
milliseconds from request to start of single jobs at 100 a second. Each peer as its documentation suggests, with the
same durability as ours.
"""

import asyncio
import json
import sys
import time

SINGLE = 300
GAP_S = 0.01


async def procrastinate(dsn: str, count: int) -> dict[str, object]:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn))
    ended, started = 0, {}

    @app.task(name="nothing")
    async def nothing(at: float = 0.0) -> None:
        nonlocal ended
        ended += 1
        if at:
            started[at] = time.time()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for first in range(0, count, 1000):
            await nothing.batch_defer_async(*({} for _ in range(min(1000, count - first))))
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=30, fetch_job_polling_interval=0.05, install_signal_handlers=False
            )
        )
        began = time.perf_counter()
        while ended < count:
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began
        for _ in range(SINGLE):
            await nothing.defer_async(at=time.time())
            await asyncio.sleep(GAP_S)
        while len(started) < SINGLE:
            await asyncio.sleep(0.01)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    return {"drain_s": took, "start_ms": [1000 * (end - at) for at, end in started.items()]}


async def pgqueuer(dsn: str, count: int) -> dict[str, object]:
    import psycopg
    from pgqueuer import PgQueuer
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.queries import Queries

    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    asking = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    driver, queries = PsycopgDriver(connection), Queries(PsycopgDriver(asking))
    await queries.install()
    ended, started = 0, {}
    pgq = PgQueuer(driver)

    @pgq.entrypoint("nothing")
    async def nothing(job: object) -> None:
        nonlocal ended
        ended += 1
        payload = getattr(job, "payload", None)
        if payload:
            started[float(payload)] = time.time()

    for first in range(0, count, 1000):
        many = min(1000, count - first)
        await queries.enqueue(["nothing"] * many, [None] * many, [0] * many)
    task = asyncio.create_task(pgq.run(batch_size=100))
    began = time.perf_counter()
    while ended < count:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    for _ in range(SINGLE):
        await queries.enqueue("nothing", repr(time.time()).encode(), 0)
        await asyncio.sleep(GAP_S)
    until = time.perf_counter() + 60
    while len(started) < SINGLE and time.perf_counter() < until:
        await asyncio.sleep(0.01)
    pgq.shutdown.set()
    await asyncio.wait({task}, timeout=20)
    return {"drain_s": took, "start_ms": [1000 * (end - at) for at, end in started.items()]}


PEERS = {"procrastinate": procrastinate, "pgqueuer": pgqueuer}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(PEERS[sys.argv[1]](sys.argv[2], int(sys.argv[3])))))
