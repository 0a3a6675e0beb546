"""The servers that payloads are tested against: those of this machine, and a Kafka cluster inside librdkafka."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import psycopg
import pymysql
import pytest

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
MARIADB = "mysql://root@127.0.0.1:3306/test"
REDIS = "redis://127.0.0.1:6379/9"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/"

_PORTS = {POSTGRES: 5432, MARIADB: 3306, REDIS: 6379, RABBITMQ: 5672}


@cache
def _trouble(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), 3).close()
    except OSError as error:
        return f"nothing answers at 127.0.0.1:{port} ({error})"
    return ""


def needed(address: str) -> str:
    """The address of a server of this machine; skips the test where there is none, fails it in CI."""
    if trouble := _trouble(_PORTS[address]):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(trouble)
    return address


@contextmanager
def table(address: str, columns: str, *rows: tuple[Any, ...]) -> Iterator[str]:
    """A table of a name of its own in one of the databases; gone afterwards."""
    needed(address)
    name = f"wf_test_{uuid4().hex[:12]}"
    with connected(address) as cursor:
        cursor.execute(f"CREATE TABLE {name} ({columns})")
        for row in rows:
            cursor.execute(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", row)
    try:
        yield name
    finally:
        with connected(address) as cursor:
            cursor.execute(f"DROP TABLE {name}")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A cursor of one of the databases, each statement by itself."""
    if address == POSTGRES:
        with psycopg.connect(address, autocommit=True) as postgres, postgres.cursor() as cursor:
            yield cursor
    else:
        mysql = pymysql.connect(host="127.0.0.1", user="root", database="test", autocommit=True)
        with mysql, mysql.cursor() as cursor:
            yield cursor


def running(address: str, mark: str) -> list[Any]:
    """The statements that go on in a database and hold a text."""
    sql = {
        POSTGRES: "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
        "AND pid <> pg_backend_pid()",
        MARIADB: "SELECT id FROM information_schema.processlist WHERE info LIKE %s AND id <> connection_id()",
    }[address]
    with connected(address) as cursor:
        cursor.execute(sql, (f"%{mark}%",))
        return list(cursor.fetchall())


@contextmanager
def kafka(*topics: str) -> Iterator[str]:
    """A Kafka cluster of librdkafka's own with some topics of four partitions, for as long as its client lives."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    found = producer.list_topics(timeout=10).brokers.values()
    for topic in topics:
        producer.list_topics(topic, timeout=10)  # whoever asks for one makes it
    yield "kafka://" + ",".join(f"{each.host}:{each.port}" for each in found)
    producer.flush(0)


@dataclass(frozen=True)
class Arrived:
    """A message of a topic."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


async def everything(brokers: str, topic: str, least: int) -> list[Arrived]:
    """Messages of a topic that are committed, at least so many."""
    return await asyncio.to_thread(_everything, brokers, topic, least)


def _everything(brokers: str, topic: str, least: int) -> list[Arrived]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": brokers.removeprefix("kafka://"),
            "group.id": uuid4().hex,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    found: list[Arrived] = []
    while (each := consumer.poll(0.5 if len(found) >= least else 20.0)) is not None:
        if each.error() is None:
            found.append(Arrived(each.key(), each.value() or b"", each.headers() or []))
    consumer.close()
    return found
