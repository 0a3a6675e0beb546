"""One peer at the work of `jobs_drain.py`: a program of its own, run by the interpreter that has the peers installed.

Arguments: the peer, the address of a database of its own, the number of jobs. Prints JSON: seconds of the drain and
milliseconds from request to start of single jobs at 100 a second. Each peer as its documentation suggests, with the
same durability as ours: Celery has a Redis of its own that writes to the disk before it answers.
"""

import asyncio
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time

SINGLE = 2_000
GAP_S = 0.01
WORKERS = 30
done: list[float] = []
"""When each job was asked for that has ended (0: it is one of the many), and when it started, of peers that only call
what a module has."""


async def procrastinate(dsn: str, count: int) -> dict[str, object]:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn))
    ended = 0

    @app.task(name="nothing")
    async def nothing() -> None:
        nonlocal ended
        ended += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for first in range(0, count, 1000):
            await nothing.batch_defer_async(*({} for _ in range(min(1000, count - first))))
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=WORKERS, fetch_job_polling_interval=0.05, install_signal_handlers=False
            )
        )
        began = time.perf_counter()
        while ended < count:
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began
        for _ in range(SINGLE):
            await nothing.defer_async()
            await asyncio.sleep(GAP_S)
        while ended < count + SINGLE:
            await asyncio.sleep(0.01)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    return {"drain_s": took, "start_ms": await _by_the_database(dsn)}


async def _by_the_database(dsn: str) -> list[float]:
    """Milliseconds from request to start of the last jobs of procrastinate, as its own history has them."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        rows = await connection.execute(
            "SELECT extract(epoch FROM max(at) FILTER (WHERE type = 'started') - min(at))::float8 * 1000 "
            "FROM procrastinate_events GROUP BY job_id ORDER BY job_id DESC LIMIT %s",
            [SINGLE],
        )
        return [row[0] for row in await rows.fetchall()]


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


async def note(at: float = 0.0) -> None:
    """The job of APScheduler, which finds it by its name."""
    done.append(time.time() - at if at else 0.0)


async def apscheduler(dsn: str, count: int) -> dict[str, object]:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    store = SQLAlchemyJobStore(url=dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    scheduler = AsyncIOScheduler(jobstores={"default": store})
    scheduler.start(paused=True)
    for _ in range(count):
        scheduler.add_job(note, misfire_grace_time=None)
    began = time.perf_counter()
    scheduler.resume()
    while len(done) < count:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    for _ in range(SINGLE):
        scheduler.add_job(note, args=[time.time()], misfire_grace_time=None)
        await asyncio.sleep(GAP_S)
    while len(done) < count + SINGLE:
        await asyncio.sleep(0.01)
    scheduler.shutdown()
    return {"drain_s": took, "start_ms": [1000 * lag for lag in done if lag]}


async def celery(dsn: str, count: int) -> dict[str, object]:
    from celery import Celery
    from redis import Redis

    if shutil.which("redis-server") is None:
        raise SystemExit("there is no redis-server for it")
    with tempfile.TemporaryDirectory() as ground:
        socket = f"{ground}/redis.sock"
        server = subprocess.Popen(
            [
                "redis-server",
                "--port",
                "0",
                "--unixsocket",
                socket,
                "--dir",
                ground,
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
        )
        while not os.path.exists(socket):
            await asyncio.sleep(0.01)
        url, redis = f"redis+socket://{socket}", Redis(unix_socket_path=socket)
        app = Celery("peer", broker=url, backend=url)
        app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

        @app.task(name="nothing")
        def nothing(at: float = 0.0) -> None:
            redis.rpush("done", time.time() - at if at else 0.0)

        for _ in range(count):
            nothing.delay()
        arguments = ["worker", "--loglevel", "error", "--without-mingle", "--without-gossip"]
        worker = multiprocessing.get_context("fork").Process(target=app.worker_main, args=(arguments,))
        worker.start()
        try:
            return await _drained(redis, nothing.delay, count)
        finally:
            worker.terminate()
            worker.join(30)
            server.terminate()
            server.wait(30)


async def _drained(redis: object, ask: object, count: int) -> dict[str, object]:
    """Seconds from the first to the last of the many, then the single ones."""
    while not redis.llen("done"):
        await asyncio.sleep(0.001)
    began = time.perf_counter()
    while redis.llen("done") < count:
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    for _ in range(SINGLE):
        ask(time.time())
        await asyncio.sleep(GAP_S)
    while redis.llen("done") < count + SINGLE:
        await asyncio.sleep(0.01)
    lags = [float(each) for each in redis.lrange("done", 0, -1)]
    return {"drain_s": took, "start_ms": [1000 * lag for lag in lags if lag]}


PEERS = {"procrastinate": procrastinate, "pgqueuer": pgqueuer, "apscheduler": apscheduler, "celery": celery}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(PEERS[sys.argv[1]](sys.argv[2], int(sys.argv[3])))))
