"""Kinds of notification channels, one file each.

A kind is a module registered under the entry-point group ``watchfloor.channels``. It declares

* ``Settings``: a `watchfloor.config.base.Settings` model;
* ``async def deliver(settings, message: Message) -> None``: one attempt. It returns when the receiver has taken
  the message and raises `watchfloor.channels.message.DeliveryError` when it has not;
* where the neutral message of the outbox is not what its receiver reads, ``def render(settings, draft: Draft) ->
  bytes``: what is sent, made once and stored before the first attempt, so it must hold no secret.

Delivery is at least once: a receiver may see a message again, always with the same id and the same bytes.
"""
