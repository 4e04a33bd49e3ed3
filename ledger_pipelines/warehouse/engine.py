"""Engines: one way to make them, for the warehouse and for the sources."""

import json
from collections.abc import Iterator
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

from ledger_pipelines.settings import masked
from ledger_pipelines.warehouse.schema import WarehouseError

CONNECT_TIMEOUT_SECONDS = 10
#: Classes of SQLSTATE by which a server says that it is away, lets nobody in, or lacks the database.
_AWAY = ("08", "28", "3D", "57P")
_DISK_FULL = "53100"
_LONGEST_INTEGER = 18


def _whole(digits: str) -> int | Decimal:
    """A number without decimals; one that others could not take for a 64-bit integer as a decimal."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else Decimal(digits)


#: Numbers in JSON are decimals too: a price entry is what somebody was billed by.
_JSON = partial(json.loads, parse_float=Decimal, parse_int=_whole)


@dataclass(frozen=True)
class Pool:
    """How many connections an engine keeps, and how patient it is.

    Attributes:
        size: How many it keeps open.
        overflow: How many more it opens when those are taken.
        wait_seconds: How long one waits for a connection.
        statement_seconds: How long a statement may take; None: as long as it needs.
    """

    size: int = 2
    overflow: int = 10
    wait_seconds: int = 30
    statement_seconds: int | None = None


_FEW = Pool()


class WarehouseFullError(WarehouseError):
    """The disk of the warehouse is full; nothing was changed."""


def warehouse_engine(
    url: sa.URL, zone: ZoneInfo, application: str = "ledger_pipelines", pool: Pool = _FEW, *, read_only: bool = False
) -> sa.Engine:
    """An engine for the warehouse whose sessions show times in the company's zone.

    Args:
        url: The warehouse.
        zone: The company's.
        application: Under which name the sessions are known to the server; no blanks.
        pool: How many sessions, and how patient.
        read_only: Whether the server is to refuse whatever would change something.
    """
    # A role may be called as one of our schemas ("$user" in the default path); names of ours are always qualified.
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


def source_engine(url: sa.URL) -> sa.Engine:
    """An engine for a source database of any kind.

    A moment that Python's calendar does not have (infinity, a zero date) comes as text from any of them.
    """
    timeouts = {"postgresql": "connect_timeout", "mysql": "connect_timeout", "mariadb": "connect_timeout"}
    argument = timeouts.get(url.get_backend_name())
    connect_args = {argument: CONNECT_TIMEOUT_SECONDS} if argument else {}
    engine = sa.create_engine(url, connect_args=connect_args, pool_pre_ping=True, pool_size=2, hide_parameters=True)
    if engine.dialect.driver == "psycopg":
        sa.event.listen(engine, "connect", _read_any_moment)
    return engine


def _read_any_moment(connection: "psycopg.Connection[Any]", _: object) -> None:
    for name, loader in (("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        connection.adapters.register_loader(name, _or_text(loader))


def _or_text(loader: type[Loader]) -> type[Loader]:
    """A loader that gives the text of what another cannot load."""

    class OrText(loader):  # type: ignore[valid-type,misc]  # the class is the argument
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


@contextmanager
def reachable(engine: sa.Engine) -> Iterator[None]:
    """Turn the driver's word that the warehouse is away into one that says where and what to do.

    Raises:
        WarehouseError: the server refused, or went away.
        WarehouseFullError: its disk is full.
    """
    try:
        yield
    # COPY is the driver's own affair, and so are its errors.
    except (exc.OperationalError, exc.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError) as error:
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        state = getattr(original, "sqlstate", None)
        if state is not None and state != _DISK_FULL and not state.startswith(_AWAY):
            raise
        reason = str(original).strip().splitlines()[0] if str(original).strip() else "the connection broke"
        sentence = reason if reason.endswith(".") else f"{reason}."
        if state == _DISK_FULL:
            raise WarehouseFullError(
                f"The warehouse {masked(engine.url)} has no room left on its disk: {sentence} "
                "Nothing was changed. Make room there, then start again."
            ) from error
        raise WarehouseError(
            f"The warehouse {masked(engine.url)} cannot be used: {sentence} "
            "Check LEDGER_WAREHOUSE_URL, or start the embedded server with `ledger db start`."
        ) from error
