"""One session with a PostgreSQL server, through libpq alone.

The driver's connection, when cancelled, first asks the server to cancel and waits for it, and lets go of a
half-open socket only when it is collected. A check wants neither: here the socket is closed the moment
nobody waits any more. This module must never read without bound, and never block.
"""

from __future__ import annotations

from fcntl import ioctl
from sys import byteorder
from termios import FIONREAD

import psycopg
from psycopg import pq

from watchfloor.probes.answer import HELD_LIMIT, ROW_LIMIT, Answer
from watchfloor.probes.checking import Fault
from watchfloor.probes.net import ready

READ_LIMIT = 64
"""How many reads one answer may take; each is bounded by the socket's buffer."""
ROW_READ_LIMIT = 4 * HELD_LIMIT
"""How many bytes are read until a row of an answer is whole."""

_TOO_LONG = "sends a row that is far too long"

_YIELDS = (pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Session:
    """An open session; close it in any case."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, conninfo: str) -> Session:
        """Connect and sign in. ``conninfo`` must name addresses, not hosts. Raises `Fault`."""
        connection = pq.PGconn.connect_start(conninfo.encode())
        try:
            while (status := connection.connect_poll()) != pq.PollingStatus.OK:
                if status == pq.PollingStatus.FAILED:
                    raise Fault(_words(connection.get_error_message()))
                await ready(connection.socket, writing=status == pq.PollingStatus.WRITING)
            connection.nonblocking = 1
            return cls(connection)
        except psycopg.Error as error:
            connection.finish()
            raise Fault(_words(str(error))) from None
        except BaseException:
            connection.finish()
            raise

    async def ask(self, statement: str) -> list[str]:
        """Return the first row of what a query yields, as text. Raises `Fault` for anything else."""
        connection = self._connection
        try:
            connection.send_query(statement.encode())
            while connection.flush():
                await ready(connection.socket, writing=True)
            result = await self._result()
            if result is None or await self._result() is not None:
                raise Fault("did not give one answer to one question")
        except psycopg.Error as error:
            raise Fault(_words(str(error))) from None
        columns = [result.get_value(0, column) for column in range(result.nfields)]
        return [(column or b"").decode("utf-8", "replace") for column in columns]

    async def run(self, *statements: str) -> None:
        """Carry out statements that yield nothing. Raises `Fault`."""
        for statement in statements:
            await self.fetch(statement)

    async def fetch(self, statement: str) -> Answer:
        """Carry out one statement, and only one, and return what it yields, row by row up to the limits."""
        connection = self._connection
        answer = Answer()
        held = 0
        try:
            connection.send_query_params(statement.encode("utf-8", "replace"), None)
            connection.set_single_row_mode()
            while connection.flush():
                await ready(connection.socket, writing=True)
            while (result := await self._next()) is not None:
                if result.status not in _YIELDS:
                    raise Fault(_words(result.error_message.decode("utf-8", "replace")) or "is no query")
                if not answer.columns:
                    names = (result.fname(column) for column in range(result.nfields))
                    answer.columns = [(name or b"").decode("utf-8", "replace") for name in names]
                for row in range(result.ntuples):
                    values = [result.get_value(row, column) for column in range(result.nfields)]
                    held += sum(len(value or b"") for value in values)
                    if held > HELD_LIMIT and not answer.rows:
                        raise Fault(_TOO_LONG)
                    if len(answer.rows) == ROW_LIMIT or held > HELD_LIMIT:
                        answer.cut = True
                        return answer
                    answer.rows.append([None if v is None else v.decode("utf-8", "replace") for v in values])
                answer.affected = result.command_tuples or len(answer.rows)
        except psycopg.Error as error:
            raise Fault(_words(str(error))) from None
        return answer

    async def _next(self) -> pq.abc.PGresult | None:
        """Return the next result, whatever it is; None when there are no more. Raises `Fault` for one too long."""
        connection, read = self._connection, 0
        while connection.is_busy():
            if read > ROW_READ_LIMIT:
                raise Fault(_TOO_LONG)
            await ready(connection.socket)
            waiting = _unread(connection.socket)
            connection.consume_input()
            read += max(0, waiting - _unread(connection.socket))
        return connection.get_result()

    def close(self) -> None:
        """Say goodbye and close the socket."""
        self._connection.finish()

    async def _result(self) -> pq.abc.PGresult | None:
        """Return the next result if it holds a row, None when there are no more."""
        reads = 0
        while self._connection.is_busy():
            if reads == READ_LIMIT:
                raise Fault("sends far more than an answer could hold")
            await ready(self._connection.socket)
            self._connection.consume_input()
            reads += 1
        result = self._connection.get_result()
        if result is not None and (result.status != pq.ExecStatus.TUPLES_OK or not result.ntuples):
            said = result.error_message.decode("utf-8", "replace")
            raise Fault(_words(said) or "gave an answer without a row")
        return result


def _unread(descriptor: int) -> int:
    """How many bytes came in on a socket that nobody read yet."""
    return int.from_bytes(ioctl(descriptor, FIONREAD, bytes(4)), byteorder)


def _words(said: str) -> str:
    """Return what the server or the library said in one line, without the repetition of where."""
    line = said.strip().partition("\n")[0]
    return line.rpartition(" failed: ")[2].removeprefix("FATAL:").removeprefix("ERROR:").strip()
