"""Receivers that are no web servers are reached over whichever of their addresses takes a connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from test_channels_email import draft, settings

from support.mailboxes import mailbox
from watchfloor.channels import email, reach
from watchfloor.channels.email import render
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.channels.reach import reach_by_tcp

V6, V4, OTHER_V4 = "fd12::1", "10.0.0.1", "10.0.0.2"


@contextmanager
def _roads(*, dead: tuple[str, ...] = (), open_: tuple[str, ...] = ()) -> Iterator[list[socket.socket]]:
    """A name has these addresses: the dead ones swallow everything, the open ones lead to this machine."""
    loop = asyncio.get_running_loop()
    connect, tried = loop.sock_connect, list[socket.socket]()

    async def resolve(_host: object, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, port)) for address in (*dead, *open_)]

    async def go(made: socket.socket, where: tuple[str, int]) -> None:
        tried.append(made)
        if where[0] in dead:
            await asyncio.Event().wait()
        await connect(made, ("127.0.0.1", where[1]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "getaddrinfo", resolve)
        patch.setattr(loop, "sock_connect", go)
        patch.setattr(reach, "HEAD_START_S", 0.01)
        yield tried


async def test_a_mail_server_whose_ipv6_address_is_dead_gets_the_mail_over_ipv4() -> None:
    async with mailbox() as box:
        made = settings(box.port, host="mail.example.com")
        with _roads(dead=(V6,), open_=(V4,)) as tried:
            await email.deliver(made, Message("m1", "alert.firing", render(made, draft()), 1614265330))
    assert len(box.mails) == 1
    assert next((each.family, each.fileno()) for each in tried) == (socket.AF_INET6, -1), "it is closed"


async def test_an_address_that_refuses_makes_room_for_the_next() -> None:
    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with _roads(open_=(V4, OTHER_V4)) as tried:
        (await reach_by_tcp("both.example.com", port)).close()
    server.close()
    assert len(tried) == 1
    with _roads(open_=(V4, OTHER_V4)) as tried, pytest.raises(ConnectionRefusedError):
        await reach_by_tcp("both.example.com", port)
    assert [each.fileno() for each in tried] == [-1, -1]


async def test_a_mail_server_that_has_no_address_is_told_of() -> None:
    made = settings(host="nowhere.invalid")
    with pytest.raises(DeliveryError, match="name cannot be resolved"):
        await email.deliver(made, Message("m2", "alert.firing", render(made, draft()), 1614265330))
