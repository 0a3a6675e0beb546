"""MESSAGE_QUEUE jobs on RabbitMQ, through aio-pika: confirmed by the broker, acknowledged when it is in the log."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError

if TYPE_CHECKING:
    from watchfloor.payloads.message_queue import Settings

CONNECT_S = 10.0
CONFIRM_S = 60.0
LOOK_S = 0.2


async def do(settings: Settings, attempt: Attempt) -> None:
    """Do what a job asks. Raises `PayloadError`."""
    try:
        import aio_pika
        from aiormq import exceptions
    except ImportError:
        raise PayloadError(
            "config.driver", "RabbitMQ needs the driver aio-pika; install watchfloor[rabbitmq]"
        ) from None
    try:
        connection = await aio_pika.connect(settings.dsn.get_secret_value(), timeout=CONNECT_S)
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await _on(channel, settings, attempt)
    except (exceptions.ProbableAuthenticationError, exceptions.ChannelAccessRefused) as error:
        raise PayloadError("mq.permission", one_line(f"RabbitMQ: {error}", 300)) from None
    except exceptions.ChannelNotFoundEntity as error:
        raise PayloadError("mq.missing", one_line(f"RabbitMQ: {error}", 300)) from None
    except exceptions.PublishError:
        raise PayloadError("mq.unroutable", "no queue takes what was sent") from None
    except exceptions.DeliveryError:
        raise PayloadError("mq.refused", "RabbitMQ did not confirm what was sent") from None
    except (
        exceptions.AMQPConnectionError,
        exceptions.ChannelInvalidStateError,
        OSError,
        TimeoutError,
    ) as error:
        raise PayloadError("mq.connection", one_line(f"no connection: {error}", 300)) from None
    except exceptions.AMQPError as error:
        raise PayloadError("mq.other", one_line(f"RabbitMQ: {error}", 300)) from None


async def _on(channel: Any, settings: Settings, attempt: Attempt) -> None:
    if settings.operation == "publish":
        await _publish(channel, settings, attempt)
        return
    queue = await channel.declare_queue(settings.queue, passive=True)
    if settings.operation == "consume":
        await _consume(queue, settings, attempt)
    elif settings.operation == "purge":
        attempt.must_hold()
        purged = await queue.purge()
        await attempt.say(f"{purged.message_count or 0:,} messages deleted")
    else:
        found = queue.declaration_result
        depth = found.message_count or 0
        await attempt.say(f"{depth:,} messages wait, {found.consumer_count or 0:,} consumers")
        if settings.fail_above is not None and depth > settings.fail_above:
            raise PayloadError("mq.too_deep", f"{depth:,} messages wait, more than {settings.fail_above:,}")


async def _publish(channel: Any, settings: Settings, attempt: Attempt) -> None:
    import aio_pika

    if settings.queue is not None:
        await channel.declare_queue(settings.queue, passive=True)
        exchange, routing_key = channel.default_exchange, settings.queue
    else:
        exchange = await channel.get_exchange(settings.exchange, ensure=True)
        routing_key = settings.routing_key
    mode = aio_pika.DeliveryMode.PERSISTENT if settings.persistent else aio_pika.DeliveryMode.NOT_PERSISTENT
    for number, text in enumerate(settings.messages, 1):
        attempt.must_hold()
        message = aio_pika.Message(
            text.encode(),
            headers={**settings.headers, "x-attempt": attempt.attempt},
            content_type=settings.content_type,
            delivery_mode=mode,
            message_id=f"{attempt.uuid}.{number}",
            app_id="watchfloor",
        )
        await exchange.publish(message, routing_key, mandatory=True, timeout=CONFIRM_S)
        await attempt.say(f"sent message {number}, confirmed")


async def _consume(queue: Any, settings: Settings, attempt: Attempt) -> None:
    from watchfloor.payloads.message_queue import SHOWN

    taken, held = 0, None
    until = time.monotonic() + float(settings.wait)
    while taken < settings.most:
        message = await queue.get(no_ack=False, fail=False, timeout=CONFIRM_S)
        if message is None:
            if time.monotonic() >= until:
                break
            await asyncio.sleep(LOOK_S)
            continue
        await attempt.say(message.body[: SHOWN * 4].decode(errors="replace")[:SHOWN], "message")
        taken += 1
        until = time.monotonic() + float(settings.wait)
        if settings.acknowledge:
            attempt.must_hold()
            await message.ack()
        else:
            held = message
    if held is not None:
        await held.channel.basic_nack(held.delivery_tag, multiple=True, requeue=True)
    await attempt.say(f"{taken:,} messages {'taken' if settings.acknowledge else 'looked at'}")
