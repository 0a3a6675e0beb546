"""MESSAGE_QUEUE jobs against RabbitMQ and against the Kafka cluster of librdkafka."""

from __future__ import annotations

import sys
from typing import Any

import aio_pika
import pytest
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_cases import queue
from payloads.payload_services import RABBITMQ, everything, kafka, needed
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.message_queue import Settings, run


async def do(stage: Stage, dsn: str, operation: str, queue: str | None, **more: Any) -> list[str]:
    written = {"dsn": dsn, "operation": operation, **({"queue": queue} if queue else {}), **more}
    before = len(stage.printed["stdout"])
    await run(Settings.model_validate(written), stage.attempt())
    return stage.printed["stdout"][before:].decode().splitlines()


async def refused(error_class: str, stage: Stage, *asked: Any, **more: Any) -> str:
    with pytest.raises(PayloadError) as caught:
        await do(stage, *asked, **more)
    assert caught.value.error_class == error_class, str(caught.value)
    return str(caught.value)


async def test_what_is_sent_is_confirmed_counted_looked_at_and_taken(stage: Stage) -> None:
    async with queue() as name:
        texts = ["one", "zwei ü 💥", "three"]
        said = await do(stage, RABBITMQ, "publish", name, messages=texts, headers={"who": "me"})
        assert said == [f"sent message {number}, confirmed" for number in (1, 2, 3)]
        assert await do(stage, RABBITMQ, "depth", name) == ["3 messages wait, 0 consumers"]
        looked = await do(stage, RABBITMQ, "consume", name, acknowledge=False, wait="0s")
        assert looked == ["3 messages looked at"]
        assert await do(stage, RABBITMQ, "depth", name) == ["3 messages wait, 0 consumers"]
        stage.printed["message"] = b""
        assert await do(stage, RABBITMQ, "consume", name, most=2) == ["2 messages taken"]
        assert stage.printed["message"].decode().splitlines() == texts[:2]
        assert await do(stage, RABBITMQ, "purge", name) == ["1 messages deleted"]


async def test_a_message_carries_its_run_and_outlives_the_broker(stage: Stage) -> None:
    async with queue() as name:
        await do(stage, RABBITMQ, "publish", name, messages=["x"], content_type="application/json")
        connection = await aio_pika.connect(RABBITMQ)
        async with connection:
            channel = await connection.channel()
            message = await (await channel.declare_queue(name, passive=True)).get(no_ack=True)
    assert message.message_id == "00000000-0000-0000-0000-000000000007.1"
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.content_type == "application/json"


@pytest.mark.parametrize("operation", ["publish", "consume", "purge", "depth"])
async def test_a_queue_that_is_not_there_is_an_error_and_not_made(operation: str, stage: Stage) -> None:
    dsn = needed(RABBITMQ)
    more: dict[str, Any] = {"messages": ["x"]} if operation == "publish" else {}
    words = await refused("mq.missing", stage, dsn, operation, "wf-test-there-is-none", **more)
    assert "wf-test-there-is-none" in words
    await refused("mq.missing", stage, dsn, "depth", "wf-test-there-is-none")


async def test_what_no_queue_takes_is_an_error(stage: Stage) -> None:
    asked = {"exchange": "amq.direct", "routing_key": "wf-test-nobody", "messages": ["x"]}
    await refused("mq.unroutable", stage, needed(RABBITMQ), "publish", None, **asked)
    await refused("mq.missing", stage, RABBITMQ, "publish", None, **{**asked, "exchange": "wf-test-none"})


async def test_a_depth_above_the_limit_is_a_failure(stage: Stage) -> None:
    async with queue() as name:
        await do(stage, RABBITMQ, "publish", name, messages=["x", "y"])
        assert await do(stage, RABBITMQ, "depth", name, fail_above=2)
        await refused("mq.too_deep", stage, RABBITMQ, "depth", name, fail_above=1)


@pytest.mark.parametrize(
    ("dsn", "error_class"),
    [
        ("amqp://nobody:hunter2hunter2@127.0.0.1:5672/", "mq.permission"),
        ("amqp://nobody:hunter2hunter2@127.0.0.1:1/", "mq.connection"),
        ("kafka://nobody:hunter2hunter2@127.0.0.1:1", "mq.connection"),
    ],
)
async def test_no_way_in_is_told_without_the_password(dsn: str, error_class: str, stage: Stage) -> None:
    needed(RABBITMQ)
    words = await refused(error_class, stage, dsn, "depth", "x")
    assert "hunter2" not in words


async def test_kafka_takes_what_is_sent_and_hands_it_out_once(stage: Stage) -> None:
    with kafka("orders") as dsn:
        said = await do(
            stage, dsn, "publish", "orders", messages=["one", "zwei ü"], key="k", headers={"a": "b"}
        )
        assert len(said) == 2
        assert said[0].startswith("sent message 1 to partition")
        first, second = await everything(dsn, "orders", 2)
        assert (first.key, second.value.decode()) == (b"k", "zwei ü")
        assert dict(first.headers)["message-id"] == b"00000000-0000-0000-0000-000000000007.1"
        assert (await do(stage, dsn, "depth", "orders"))[0].startswith("2 messages wait")
        assert await do(stage, dsn, "consume", "orders", acknowledge=False) == ["2 messages looked at"]
        assert await do(stage, dsn, "consume", "orders", most=1, group="g") == ["1 messages taken"]
        assert (await do(stage, dsn, "depth", "orders", group="g"))[0].startswith("1 messages wait")
        assert await do(stage, dsn, "consume", "orders", group="g") == ["1 messages taken"]
        await refused("mq.too_deep", stage, dsn, "depth", "orders", fail_above=1)


@pytest.mark.parametrize("operation", ["publish", "consume", "purge", "depth"])
async def test_a_topic_that_is_not_there_is_an_error_and_not_made(operation: str, stage: Stage) -> None:
    more: dict[str, Any] = {"messages": ["x"]} if operation == "publish" else {}
    with kafka() as dsn:
        await refused("mq.missing", stage, dsn, operation, "there-is-none", **more)
        await refused("mq.missing", stage, dsn, "depth", "there-is-none")


async def test_a_cluster_that_cannot_delete_says_so(stage: Stage) -> None:
    with kafka("orders") as dsn:
        await do(stage, dsn, "publish", "orders", messages=["one"])
        await refused("mq.unsupported", stage, dsn, "purge", "orders")


@pytest.mark.parametrize(("dsn", "driver"), [(RABBITMQ, "aio-pika"), ("kafka://127.0.0.1:1", "aiokafka")])
async def test_a_driver_that_is_missing_is_named_with_the_remedy(
    dsn: str, driver: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, driver.replace("-", "_"), None)
    words = await refused("config.driver", stage, dsn, "depth", "x")
    assert f"needs the driver {driver}; install watchfloor[" in words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"dsn": "http://x", "operation": "depth", "queue": "x"}, "must be an amqp://"),
        ({"dsn": "kafka://", "operation": "depth", "queue": "x"}, "must be an address such as"),
        ({"dsn": "kafka://x?sasl=y", "operation": "depth", "queue": "x"}, "option that is not known"),
        (
            {"dsn": "kafka://x", "operation": "publish", "exchange": "x", "messages": ["x"]},
            "exchange works with",
        ),
        ({"dsn": "amqp://x", "operation": "depth"}, "needs a queue"),
        ({"dsn": "amqp://x", "operation": "publish", "queue": "x"}, "publish needs messages"),
        ({"dsn": "amqp://x", "operation": "depth", "queue": "x", "messages": ["x"]}, "nothing else has any"),
        ({"dsn": "amqp://x", "operation": "depth", "queue": "x", "key": "x"}, "key works with Kafka"),
        ({"dsn": "amqp://x", "operation": "purge", "queue": "x", "fail_above": 1}, "fail_above works with"),
    ],
)
def test_mistakes_are_found_when_they_are_written(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(written)
    assert words in str(caught.value)
