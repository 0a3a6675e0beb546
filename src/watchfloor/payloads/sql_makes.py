"""The databases that jobs talk to: which one an address means, how a session begins, how a statement is cancelled.

Everything here but `make_of` runs in a child. Drivers are imported when a session needs them. What a driver says may
hold a part of an address, so nothing of it is passed on but the server's own words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from watchfloor.payloads.contract import PayloadError

if TYPE_CHECKING:
    import sqlalchemy

CONNECT_S = 10
LOST_S = 30
"""A peer that acknowledges nothing for so long is gone; MySQL's client can only wait for the whole statement."""


class Make(NamedTuple):
    """A make of database: its name, the dialect and driver, the extra that brings the driver, the usual port."""

    name: str
    product: str
    dialect: str
    driver: str
    extra: str
    port: int


POSTGRES = Make("postgresql", "PostgreSQL", "postgresql+psycopg", "psycopg", "", 5432)
MYSQL = Make("mysql", "MySQL", "mysql+pymysql", "pymysql", "mysql", 3306)
SQLSERVER = Make("sqlserver", "SQL Server", "mssql+pymssql", "pymssql", "sqlserver", 1433)
ORACLE = Make("oracle", "Oracle", "oracle+oracledb", "oracledb", "oracle", 1521)

_SCHEMES: Mapping[str, Make] = {
    "postgresql": POSTGRES, "postgres": POSTGRES, "mysql": MYSQL, "mariadb": MYSQL, "sqlserver": SQLSERVER,
    "oracle": ORACLE,
}  # fmt: skip

_OPTIONS = {"mysql": {"tls", "verify", "ca_file"}, "sqlserver": set[str](), "oracle": set[str]()}


def make_of(dsn: str) -> Make:
    """The make that an address means. Raises `ValueError`, which never quotes the address."""
    scheme = dsn.partition("://")[0].lower() if "://" in dsn[:20] else ""
    make = _SCHEMES.get(scheme)
    if make is None:
        raise ValueError("the address must begin with postgresql://, mysql://, sqlserver:// or oracle://")
    try:
        parts = urlsplit(dsn)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("the address is malformed") from None
    if make is not POSTGRES and not host:
        raise ValueError("the address names no host")
    if unknown := dict(parse_qsl(parts.query)).keys() - _OPTIONS.get(
        make.name, {*dict(parse_qsl(parts.query))}
    ):
        raise ValueError(f"the address has an option that is not known: {sorted(unknown)[0][:40]}")
    if port == 0:
        raise ValueError("the address is malformed")
    return make


class Session:
    """One connection, with what is needed to cancel what it does."""

    def __init__(self, dsn: str, statement_timeout_s: float) -> None:
        """Connects. Raises `PayloadError`."""
        self.make = make_of(dsn)
        self._dsn = dsn
        self._timeout_s = statement_timeout_s
        try:
            import sqlalchemy.exc

            self._engine = self._made()
        except ImportError:
            make = self.make
            remedy = f"; install watchfloor[{make.extra}]" if make.extra else ""
            raise PayloadError(
                "config.driver", f"{make.product} needs the driver {make.driver}{remedy}"
            ) from None
        try:
            self.connection: sqlalchemy.Connection = self._engine.connect()
        except sqlalchemy.exc.DBAPIError as error:
            raise failure(self.make, error) from None
        except Exception as error:  # drivers raise errors of their own kinds before there is a connection
            raise PayloadError("db.connection", f"no connection: {_words(error)}") from None

    @property
    def raw(self) -> Any:
        """The connection of the driver."""
        return self.connection.connection.dbapi_connection

    def close(self) -> None:
        """End the session; what is not committed is undone."""
        with contextlib.suppress(Exception):  # it may be gone already
            self.connection.close()
        self._engine.dispose()

    def prepare(self, read_only: bool, transaction: bool) -> None:
        """Set limits and begin. Raises `sqlalchemy.exc.DBAPIError`."""
        milliseconds = max(1, round(self._timeout_s * 1000))
        say = self.connection.exec_driver_sql
        if not transaction:
            self.connection = self.connection.execution_options(isolation_level="AUTOCOMMIT")
            say = self.connection.exec_driver_sql
        if self.make is POSTGRES:
            for setting in _postgres_settings(milliseconds):
                say(setting)
            if not transaction:
                return
            self.connection.commit()  # so that the limits outlive a rollback
            if read_only:
                say("SET TRANSACTION READ ONLY")
            say("SELECT 1")  # from its first query on nobody can make the transaction write again
        elif self.make is MYSQL:
            self._prepare_mysql(milliseconds, read_only, transaction)
        elif self.make is ORACLE:
            self.raw.call_timeout = milliseconds
            if read_only:
                say("SET TRANSACTION READ ONLY")
        else:
            say("SET XACT_ABORT ON")

    def _prepare_mysql(self, milliseconds: int, read_only: bool, transaction: bool) -> None:
        say = self.connection.exec_driver_sql
        maria = "mariadb" in str(self.raw.get_server_info()).lower()
        say(
            f"SET SESSION max_statement_time = {milliseconds / 1000:.3f}"
            if maria
            else f"SET SESSION max_execution_time = {milliseconds}"
        )
        if read_only:
            say("SET SESSION TRANSACTION READ ONLY")
        if transaction:
            self.connection.commit()
            if read_only:
                say("START TRANSACTION READ ONLY")

    def cancel(self) -> None:
        """Break off on the server what is going on; to be called from another thread."""
        if self.make is POSTGRES:
            self.raw.cancel_safe(timeout=3)
        elif self.make is MYSQL:
            with _mysql(self._dsn, CONNECT_S) as other, other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {int(self.raw.thread_id())}")
        elif self.make is ORACLE:
            self.raw.cancel()
        else:
            self.raw._conn.cancel()

    def _made(self) -> sqlalchemy.Engine:
        import sqlalchemy

        make, dsn = self.make, self._dsn
        creators: dict[str, Callable[[], Any]] = {
            "postgresql": lambda: _postgres(dsn),
            "mysql": lambda: _mysql(dsn, round(self._timeout_s) + LOST_S),
        }
        if make.name in creators:
            __import__(make.driver)
            return sqlalchemy.create_engine(
                f"{make.dialect}://", creator=creators[make.name], poolclass=sqlalchemy.NullPool
            )
        parts = urlsplit(dsn)
        oracle = make is ORACLE
        if oracle:
            import oracledb

            # Else every first connection waits until another has shown the mode, which a silent server never does.
            oracledb.enable_thin_mode()  # type: ignore[no-untyped-call]
        seconds = max(1, round(self._timeout_s))
        database = unquote(parts.path.removeprefix("/"))
        url = sqlalchemy.URL.create(
            make.dialect,
            unquote(parts.username or "") or None,
            unquote(parts.password or "") or None,
            parts.hostname,
            parts.port or make.port,
            None if oracle else database or None,
            {"service_name": database} if oracle else {},
        )
        options: dict[str, Any] = (
            {"tcp_connect_timeout": CONNECT_S}
            if oracle
            else {"login_timeout": CONNECT_S, "timeout": seconds, "appname": "watchfloor"}
        )
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, connect_args=options)


def _postgres_settings(milliseconds: int) -> list[str]:
    return [
        f"SET statement_timeout = {milliseconds}",
        "SET client_connection_check_interval = 2000",  # it ends what nobody waits for, also after a kill -9
        "SET idle_in_transaction_session_timeout = 600000",
    ]


def _postgres(dsn: str) -> Any:
    import psycopg

    return psycopg.connect(
        dsn,
        connect_timeout=CONNECT_S,
        application_name="watchfloor job",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=LOST_S * 1000,
    )


def _mysql(dsn: str, read_timeout_s: int) -> Any:
    import pymysql

    parts = urlsplit(dsn)
    options = dict(parse_qsl(parts.query))
    secure: dict[str, Any] = {}
    if options.get("tls") == "true":
        verify = options.get("verify") != "false"
        secure = {"ssl_verify_cert": verify, "ssl_verify_identity": verify, "ssl_ca": options.get("ca_file")}
        secure |= {} if verify else {"ssl": {"check_hostname": False}}
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or MYSQL.port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.removeprefix("/")) or None,
        connect_timeout=CONNECT_S,
        read_timeout=read_timeout_s,
        write_timeout=read_timeout_s,
        charset="utf8mb4",
        local_infile=False,
        **secure,
    )


_STATES = (
    ("40001 40P01", "db.serialization"), ("57014", "db.timeout"), ("55P03", "db.lock"), ("25006", "db.read_only"),
    ("42501 28 0L 0P", "db.permission"), ("23", "db.constraint"), ("22", "db.data"), ("08 57P 53", "db.connection"),
    ("42 3F 0A 26", "db.statement"),
)  # fmt: skip
_NUMBERS: Mapping[str, Mapping[str, frozenset[int]]] = {
    "mysql": {
        "db.connection": frozenset({1040, 1053, 1077, 1079, 1080, 1203, 1226, *range(2000, 2030)}),
        "db.permission": frozenset({1044, 1045, 1142, 1143, 1227, 1370, 1698}),
        "db.lock": frozenset({1205, 3572}),
        "db.serialization": frozenset({1213}),
        "db.constraint": frozenset({1048, 1062, 1169, 1216, 1217, 1451, 1452, 1557, 3819, 4025}),
        "db.read_only": frozenset({1290, 1792, 1836}),
        "db.timeout": frozenset({1969, 3024}),
        "db.data": frozenset({1264, 1265, 1292, 1365, 1366, 1406, 1690}),
        "db.statement": frozenset({1049, 1051, 1054, 1064, 1065, 1109, 1146, 1305}),
    },
    "sqlserver": {
        "db.connection": frozenset({20002, 20004, 20006, 20009, 20017, 40197, 40501, 40613}),
        "db.timeout": frozenset({20003}),
        "db.permission": frozenset({229, 230, 262, 4060, 18452, 18456}),
        "db.lock": frozenset({1222}),
        "db.serialization": frozenset({1205, 3960}),
        "db.constraint": frozenset({515, 547, 2601, 2627}),
        "db.read_only": frozenset({3906}),
        "db.data": frozenset({220, 232, 241, 245, 2628, 8114, 8115, 8134, 8152}),
        "db.statement": frozenset({102, 105, 156, 170, 201, 207, 208, 911, 2812}),
    },
    "oracle": {
        "db.connection": frozenset({3113, 3114, 3135, 12154, 12170, 12514, 12541, 12545}),
        "db.permission": frozenset({1017, 1031, 1045, 28000}),
        "db.lock": frozenset({54, 30006}),
        "db.serialization": frozenset({60, 8177}),
        "db.constraint": frozenset({1, 1400, 1407, 2290, 2291, 2292}),
        "db.read_only": frozenset({1456, 16000}),
        "db.timeout": frozenset({1013}),
        "db.data": frozenset({1401, 1438, 1476, 1722, 12899}),
        "db.statement": frozenset(range(900, 1000)),
    },
}


def failure(make: Make, error: sqlalchemy.exc.DBAPIError) -> PayloadError:
    """What an error of a driver means."""
    origin = error.orig
    words = f"{make.product}: {_words(origin)}"
    state = getattr(origin, "sqlstate", None)
    if make is POSTGRES:
        if not state:
            return PayloadError("db.connection", words)
        return PayloadError(_by_state(state), words)
    number = _number(origin)
    found = next((name for name, numbers in _NUMBERS[make.name].items() if number in numbers), "")
    if not found and "DPY-4024" in words:
        found = "db.timeout"
    elif not found and (error.connection_invalidated or not number or "DPY-6" in words):
        found = "db.connection"
    return PayloadError(found or "db.other", words)


def _by_state(state: str) -> str:
    for heads, name in _STATES:
        if any(state.startswith(head) for head in heads.split()):
            return name
    return "db.other"


def _number(origin: Any) -> int | None:
    first = origin.args[0] if getattr(origin, "args", ()) else None
    if isinstance(first, tuple) and first:  # pymssql wraps what happens before there is a connection
        first = first[0]
    number = getattr(first, "code", first)
    return number if isinstance(number, int) else None


def _words(error: object) -> str:
    args = getattr(error, "args", ())
    said = args[-1] if args else error
    if isinstance(said, tuple) and said:
        said = said[-1]
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:300]
