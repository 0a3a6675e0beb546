"""MESSAGE_QUEUE jobs on Kafka, through aiokafka: sent with all replicas' word, committed when it is in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.kafka_client import must_exist, options_of, started, topics_of

if TYPE_CHECKING:
    from watchfloor.payloads.message_queue import Settings


async def do(settings: Settings, attempt: Attempt) -> None:
    """Do what a job asks. Raises `PayloadError`."""
    options = options_of(settings.dsn)
    work = {"publish": _publish, "consume": _consume, "purge": _purge, "depth": _depth}[settings.operation]
    await work(settings, attempt, options)


async def _publish(settings: Settings, attempt: Attempt, options: dict[str, Any]) -> None:
    import aiokafka

    topic = settings.queue or ""
    headers = [(name, value.encode()) for name, value in settings.headers.items()]
    async with started(aiokafka.AIOKafkaProducer(acks="all", enable_idempotence=True, **options)) as producer:
        must_exist(await topics_of(producer), topic)
        for number, text in enumerate(settings.messages, 1):
            attempt.must_hold()
            mark = [*headers, ("message-id", f"{attempt.uuid}.{number}".encode())]
            key = None if settings.key is None else settings.key.encode()
            sent = await producer.send_and_wait(topic, text.encode(), key=key, headers=mark)
            await attempt.say(f"sent message {number} to partition {sent.partition}, offset {sent.offset}")


async def _consume(settings: Settings, attempt: Attempt, options: dict[str, Any]) -> None:
    from watchfloor.payloads.message_queue import SHOWN

    topic, taken = settings.queue or "", 0
    async with _consumer(settings, attempt, options) as consumer:
        must_exist(await consumer.topics(), topic)
        consumer.subscribe([topic])
        wait_ms = max(100, round(float(settings.wait) * 1000))
        while taken < settings.most:
            found = await consumer.getmany(timeout_ms=wait_ms, max_records=settings.most - taken)
            messages = [message for partition in found.values() for message in partition]
            if not messages:
                break
            for message in messages:
                text = (message.value or b"")[: SHOWN * 4].decode(errors="replace")[:SHOWN]
                await attempt.say(text, "message")
            taken += len(messages)
            if settings.acknowledge:
                attempt.must_hold()
                await consumer.commit()
    await attempt.say(f"{taken:,} messages {'taken' if settings.acknowledge else 'looked at'}")


def _consumer(settings: Settings, attempt: Attempt, options: dict[str, Any]) -> Any:
    import aiokafka

    return started(
        aiokafka.AIOKafkaConsumer(
            group_id=settings.group or f"watchfloor {attempt.job}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **options,
        )
    )


async def _purge(settings: Settings, attempt: Attempt, options: dict[str, Any]) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    async with _consumer(settings, attempt, options) as consumer:
        begins, ends = await _reach(consumer, settings.queue or "", options)
    async with started(AIOKafkaAdminClient(**options)) as admin:
        attempt.must_hold()
        await admin.delete_records({place: RecordsToDelete(before_offset=ends[place]) for place in ends})
    await attempt.say(f"{sum(ends.values()) - sum(begins.values()):,} messages deleted")


async def _reach(consumer: Any, topic: str, options: dict[str, Any]) -> tuple[dict[Any, int], dict[Any, int]]:
    """From where to where every partition goes. Raises `PayloadError` where there is no such topic."""
    import aiokafka
    from aiokafka.admin import AIOKafkaAdminClient

    must_exist(await consumer.topics(), topic)
    async with started(AIOKafkaAdminClient(**options)) as admin:
        (found,) = await admin.describe_topics([topic])
    numbers = sorted(each["partition"] for each in found["partitions"])
    places = [aiokafka.TopicPartition(topic, each) for each in numbers]
    begins: dict[Any, int] = await consumer.beginning_offsets(places)
    ends: dict[Any, int] = await consumer.end_offsets(places)
    return begins, ends


async def _depth(settings: Settings, attempt: Attempt, options: dict[str, Any]) -> None:
    async with _consumer(settings, attempt, options) as consumer:
        begins, ends = await _reach(consumer, settings.queue or "", options)
        if settings.group is not None:
            for place in begins:
                done = await consumer.committed(place)
                begins[place] = max(begins[place], done or 0)
    depth = sum(ends.values()) - sum(begins.values())
    await attempt.say(f"{depth:,} messages wait in {len(ends)} partitions")
    if settings.fail_above is not None and depth > settings.fail_above:
        raise PayloadError("mq.too_deep", f"{depth:,} messages wait, more than {settings.fail_above:,}")
