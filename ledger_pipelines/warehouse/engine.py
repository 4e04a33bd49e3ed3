"""Creation of the SQLAlchemy engines for the warehouse and the sources."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import sqlalchemy as sa
from psycopg.abc import Loader
from psycopg.types.datetime import TimestampLoader, TimestamptzLoader
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPIConnection

from ledger_pipelines.settings import mask_url
from ledger_pipelines.warehouse.schema import WarehouseError

CONNECT_TIMEOUT_SECONDS = 10
#: SQLSTATE classes of a server that is unreachable, refuses the login, or lacks the database.
_UNAVAILABLE = ("08", "28", "3D", "57P")
_LONGEST_INTEGER = 18
_MYSQL = ("mysql", "mariadb")


def _integer(digits: str) -> int | Decimal:
    """Return an integer; a Decimal if other programs could not store it in 64 bits."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else Decimal(digits)


#: Numbers in JSON stay exact: customers were billed by the price entries that are stored as JSON.
_JSON = partial(json.loads, parse_float=Decimal, parse_int=_integer)


@dataclass(frozen=True)
class PoolOptions:
    """Size and timeouts of an engine's connection pool.

    Attributes:
        size: Number of connections that stay open.
        overflow: Number of additional connections when those are in use.
        wait_seconds: Timeout for a free connection.
        statement_seconds: Timeout of a statement; None: no timeout.
    """

    size: int = 2
    overflow: int = 10
    wait_seconds: int = 30
    statement_seconds: int | None = None


_DEFAULT_POOL = PoolOptions()


class WarehouseFullError(WarehouseError):
    """The disk of the warehouse is full; nothing was changed."""

    retryable = False


def warehouse_engine(
    url: sa.URL,
    zone: ZoneInfo,
    application: str = "ledger_pipelines",
    pool: PoolOptions = _DEFAULT_POOL,
    *,
    read_only: bool = False,
) -> sa.Engine:
    """Return an engine for the warehouse whose sessions show times in the company's zone.

    Args:
        url: The warehouse.
        zone: The company's time zone.
        application: The sessions' application_name, without blanks.
        pool: Size and timeouts of the connection pool.
        read_only: Whether the server refuses statements that write.
    """
    # The default search_path has "$user", and a role may have the name of a schema. All names in SQL are qualified.
    options = f"-c timezone={zone.key} -c application_name={application} -c search_path=public"
    if read_only:
        options += " -c default_transaction_read_only=on"
    if pool.statement_seconds is not None:
        options += f" -c statement_timeout={pool.statement_seconds}s"
    return sa.create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": options},
        json_deserializer=_JSON,
        pool_pre_ping=True,
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_timeout=pool.wait_seconds,
        hide_parameters=True,
    )


def source_engine(url: sa.URL, *, read_only: bool = False, statement_seconds: int | None = None) -> sa.Engine:
    """Return an engine for a source database of any kind.

    Timestamps that Python cannot represent (infinity, a zero date) are returned as text.

    Args:
        url: The source.
        read_only: Whether the server refuses statements that write.
        statement_seconds: Time limit for an answer of the server; None: no limit.
    """
    backend, connect_args = url.get_backend_name(), dict[str, Any]()
    settings: dict[str, str] = {}
    if backend in _MYSQL:
        connect_args["connect_timeout"] = CONNECT_TIMEOUT_SECONDS
        if statement_seconds is not None and url.get_driver_name() == "pymysql" and "read_timeout" not in url.query:
            connect_args["read_timeout"] = statement_seconds
    elif backend == "postgresql":
        connect_args["connect_timeout"] = CONNECT_TIMEOUT_SECONDS
        settings |= {"transaction_read_only": "on"} if read_only else {}
        settings |= {"statement_timeout": f"{statement_seconds}s"} if statement_seconds is not None else {}
    engine = sa.create_engine(url, connect_args=connect_args, pool_pre_ping=True, pool_size=2, hide_parameters=True)
    if engine.dialect.driver == "psycopg":
        sa.event.listen(engine, "connect", _load_any_timestamp)
    if settings:
        sa.event.listen(engine, "begin", partial(_set_local, settings))
    if read_only and backend in _MYSQL:
        sa.event.listen(engine, "connect", _set_read_only)
    return engine


def _set_local(settings: Mapping[str, str], connection: sa.Connection) -> None:
    """Apply settings to a transaction of PostgreSQL only: the session may be a pooler's, which others use next."""
    # By the driver: a statement of a connection that streams its rows would leave a cursor open at the server.
    cursor = connection.connection.cursor()
    cursor.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()))
    cursor.close()


def _set_read_only(connection: DBAPIConnection, _: object) -> None:
    """Make the transactions of a new session of MySQL read-only."""
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION READ ONLY")
    cursor.close()


def _load_any_timestamp(connection: "psycopg.Connection[Any]", _: object) -> None:
    for name, loader in (("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        connection.adapters.register_loader(name, _or_text(loader))


def _or_text(loader: type[Loader]) -> type[Loader]:
    """Return a loader that falls back to the text where the given loader fails."""

    class OrText(loader):  # type: ignore[valid-type,misc]  # the class is the argument
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


@contextmanager
def translate_connection_errors(engine: sa.Engine) -> Iterator[None]:
    """Turn driver errors about an unavailable warehouse into errors that say where it is and what to do.

    Raises:
        WarehouseError: the server refused the connection, or the connection broke.
        WarehouseFullError: the server's disk is full.
    """
    try:
        yield
    # COPY bypasses SQLAlchemy, so its errors are psycopg's own.
    except (exc.OperationalError, exc.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError) as error:
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        is_full = isinstance(original, psycopg.errors.DiskFull)
        state = getattr(original, "sqlstate", None)
        if state is not None and not is_full and not state.startswith(_UNAVAILABLE):
            raise
        reason = str(original).strip().splitlines()[0] if str(original).strip() else "the connection broke"
        sentence = reason if reason.endswith(".") else f"{reason}."
        if is_full:
            raise WarehouseFullError(
                f"The warehouse {mask_url(engine.url)} has no room left on its disk: {sentence} "
                "Nothing was changed. Free space on the disk, then start again."
            ) from error
        raise WarehouseError(
            f"The warehouse {mask_url(engine.url)} cannot be used: {sentence} "
            "Check LEDGER_WAREHOUSE_URL, or start the embedded server with `ledger db start`."
        ) from error
