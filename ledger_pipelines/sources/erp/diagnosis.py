"""Step-by-step check of the access to the ERP, with findings that an administrator can act on.

Each step works as in a sync. The check reads the names and types of columns, and fingerprints of the last days, which
the ERP computes (of a table without dates, of all rows). Nothing here prints.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.diagnosis import Finding, FindingLevel, option_advice
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.parts import SessionClock
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.connection.errors import explained
from ledger_pipelines.sources.erp.connection.odbc import driver_of
from ledger_pipelines.sources.erp.connection.source_connection import SourceConnection
from ledger_pipelines.sources.erp.reader import STATEMENT_SECONDS, ErpSource, Span, TableReader, Wanted
from ledger_pipelines.sources.erp.schemas import TableSchemas
from ledger_pipelines.sources.erp.shape import Shape
from ledger_pipelines.sources.errors import SourceError, place

RECENT_DAYS = 7
"""Number of days whose fingerprints are computed: enough to find rows, at a fraction of a sync's cost."""


@dataclass(frozen=True)
class ColumnFinding:
    """Finding on a column: whether its type suits its kind in the catalogue.

    Attributes:
        level: WARNING if some values of the type cannot be values of the kind.
        table: Table of the column.
        column: Name of the column.
        kind: Kind of the column in the catalogue.
        type: The server's name for the type.
        advice: Effect of the type on the copy; empty if the type suits.
    """

    level: FindingLevel
    table: str
    column: str
    kind: str
    type: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]
    columns: tuple[ColumnFinding, ...]

    @property
    def works(self) -> bool:
        """Whether a sync can read the ERP."""
        return all(finding.level is not FindingLevel.ERROR for finding in self.findings)


def diagnose(
    url: sa.URL,
    tables: Sequence[ErpTable] = ERP_TABLES,
    statement_seconds: int = STATEMENT_SECONDS,
    progress: Callable[[str], None] = lambda _: None,
    schemas: Mapping[str, str] | None = None,
    zone: tzinfo = UTC,
) -> Diagnosis:
    """Check the ERP of a URL: its driver, the server, the login, and each table and column.

    Args:
        url: URL of the ERP, as in the settings.
        tables: Tables to check.
        statement_seconds: Time limit of one statement.
        progress: Called with the name of each check before it starts.
        schemas: Schema of each table, as in the settings.
        zone: Company's time zone.
    """
    progress("driver")
    try:
        engine = erp_engine(url)
    except SourceError as error:
        return Diagnosis((Finding(FindingLevel.ERROR, "driver", str(error)),), ())
    try:
        return _diagnosed(ErpSource(engine, statement_seconds, schemas=schemas), tables, progress, datetime.now(zone))
    finally:
        engine.dispose()


def _diagnosed(erp: ErpSource, tables: Sequence[ErpTable], progress: Callable[[str], None], now: datetime) -> Diagnosis:
    progress("connection")
    try:
        session = erp.connect()
    except SourceError as error:
        driver = Finding(FindingLevel.OK, "driver", driver_of(erp.engine.url) or erp.engine.dialect.driver)
        return Diagnosis((driver, Finding(FindingLevel.ERROR, "connection", str(error))), ())
    try:
        findings = [*_of_connection(erp, session)]
        zone_advice = _of_zone(server_of(erp.engine.dialect.name).clock(session.connection), erp.engine, now)
    except session.errors as error:
        return Diagnosis((Finding(FindingLevel.ERROR, "server", str(explained(error, erp.engine.url))),), ())
    finally:
        session.leave(usable=True)
    columns: list[ColumnFinding] = []
    for table in tables:
        progress(table.name)
        try:
            with erp.reading(table) as reading:
                shape = reading.shape
                of_columns = [_of_column(table, column, shape, zone_advice) for column in table.columns]
                found_in = reading.find_schemas()
                progress(f"{table.name}: fingerprints")
                findings.append(_of_table(table, reading, of_columns, found_in, _tried(reading)))
        except SourceError as error:
            without_place = str(error).replace(f" {place(erp.engine.url)}", "")  # the finding "connection" has it
            findings.append(Finding(FindingLevel.ERROR, table.name, without_place))
            continue
        columns += of_columns
    return Diagnosis(tuple(findings), tuple(columns))


def _of_connection(erp: ErpSource, session: SourceConnection) -> Iterable[Finding]:
    """Yield the findings on an open connection: driver, address, server, login, isolation."""
    server = server_of(erp.engine.dialect.name)
    yield Finding(FindingLevel.OK, "driver", _driver(erp.engine, session))
    yield Finding(FindingLevel.OK, "connection", place(erp.engine.url))
    yield Finding(FindingLevel.OK, "server", server.described(erp.engine.dialect))
    if (login := server.login(session.connection)) is not None:
        yield Finding(FindingLevel.OK, "login", login)
    if session.consistent:
        yield Finding(FindingLevel.OK, "isolation", "each table is read from one snapshot")
    else:
        yield Finding(
            FindingLevel.WARNING,
            "isolation",
            "a table may change while it is read",
            server.snapshot_advice.format(database=erp.engine.url.database),
        )


def _tried(reading: TableReader) -> str:
    """Compute fingerprints, the first and most complex query of a sync, and return their duration as text."""
    begun = time.monotonic()
    recent = Wanted((Span(datetime.now(UTC).date() - timedelta(RECENT_DAYS), None),))
    rows = sum(found.rows for found in reading.fingerprints(recent).values())
    of = f"of the last {RECENT_DAYS} days" if reading.dated else "of the whole table"
    return f"fingerprints {of} ({rows:,} rows) in {time.monotonic() - begun:.1f} s"


def _driver(engine: sa.Engine, session: SourceConnection) -> str:
    """Return the driver and its version."""
    module: Any = engine.dialect.loaded_dbapi
    own = f"{module.__name__} {getattr(module, '__version__', getattr(module, 'version', ''))}".strip()
    if engine.dialect.driver != "pyodbc":
        return own
    dbapi: Any = session.connection.connection.dbapi_connection
    with suppress(module.Error):
        file, version = dbapi.getinfo(module.SQL_DRIVER_NAME), dbapi.getinfo(module.SQL_DRIVER_VER)
        return f"{driver_of(engine.url)} ({file} {version}) by {own}"
    return f"{driver_of(engine.url)} by {own}"


def _of_table(
    table: ErpTable, reading: TableReader, columns: Sequence[ColumnFinding], schemas: TableSchemas, tried: str
) -> Finding:
    """Return the finding on a table that can be read."""
    shape = reading.shape
    found, advice = [f"{len(columns)} columns", tried], list(reading.notes)
    if len(schemas.names) > 1:
        found.append(f"exists in {schemas.listed}: {schemas.read} is read")
        if not schemas.is_chosen:
            advice.append(f"Only the login decides which schema is read. {schemas.choices}")
    if shape.extra:
        found.append(f"not in the catalogue and not copied: {', '.join(shape.extra)}")
        advice.append("Declare a column in the catalogue to copy it.")
    if table.uncompared:
        found.append(f"copied but not compared: {', '.join(table.uncompared)}")
    if not shape.dated and not table.is_snapshot:
        found.append(f"not all of {', '.join(table.month_columns)} are dates")
        advice.append("Each sync reads the whole table; a view that casts them to dates would avoid that.")
    unsuitable = [column.column for column in columns if column.level is not FindingLevel.OK]
    if unsuitable:
        found.append(f"of a type that may not suit: {', '.join(unsuitable)}")
    level = FindingLevel.WARNING if advice or unsuitable else FindingLevel.OK
    return Finding(level, table.name, "; ".join(found), " ".join(advice))


_JUDGED = "Each value is converted on its own; a row whose value is not a valid {kind} is listed in ops.rejected_rows."
_APPROXIMATE = (
    "Its values are already approximate at the ERP. They are copied as the server writes them, and their sums "
    "cannot be compared. The ERP should keep them as decimal."
)
#: Families of types whose every value is a value of the kind and is copied exactly.
_SUITABLE: Mapping[Kind, frozenset[Family]] = {
    Kind.TEXT: frozenset(Family) - {Family.APPROXIMATE},
    Kind.INTEGER: frozenset((Family.WHOLE,)),
    Kind.DECIMAL: frozenset((Family.EXACT, Family.WHOLE)),
    Kind.DATE: frozenset((Family.DATE, Family.ZONED)),
    Kind.BOOLEAN: frozenset((Family.BOOLEAN, Family.TEXT, Family.WHOLE)),
}


def _of_column(table: ErpTable, column: ErpColumn, shape: Shape, zone_advice: str) -> ColumnFinding:
    """Return the finding on a column: whether its type suits its kind."""
    family = shape.family(column.name)
    advice = ""
    if family not in _SUITABLE[column.kind]:
        approximate = column.kind in {Kind.DECIMAL, Kind.TEXT} and family is Family.APPROXIMATE
        advice = _APPROXIMATE if approximate else _JUDGED.format(kind=column.kind.value)
    elif family is Family.ZONED:
        advice = zone_advice
    level = FindingLevel.WARNING if advice else FindingLevel.OK
    return ColumnFinding(level, table.name, column.name, column.kind.value, shape.columns[column.name].type, advice)


def _of_zone(clock: SessionClock | None, engine: sa.Engine, now: datetime) -> str:
    """Return the advice on columns whose values the server converts to a zone that is not the company's; else nothing.

    SQL Server converts no values: each has its own zone, whose day is copied.
    """
    if clock is None or clock.now - clock.utc == now.utcoffset():
        return ""
    dialect, offset = engine.dialect, now.isoformat()[-len("+00:00") :]
    option = server_of(dialect.name).zone_option(dialect.driver, str(now.tzinfo), offset)
    advice = option_advice(engine.url, option, "LEDGER_ERP_URL")
    return (
        f"The server converts each value to the session's time zone, {clock.zone}, so a copied day may differ from the "
        f"day in the company's, {now.tzinfo}. {advice}, or cast the column in a view."
    )
