"""Whether the ERP can be read, looked at step by step, in words that an administrator can act on.

Everything is tried as a sync would do it. What is read are the names and types of columns, and fingerprints of the last
days (of a table without dates: of all of it), which the ERP computes. Nothing here prints.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.diagnosis import Finding, Level, login_of, server_of
from ledger_pipelines.sources.erp import STATEMENT_SECONDS, Erp, Reading, Span
from ledger_pipelines.sources.erp_engine import erp_engine
from ledger_pipelines.sources.erp_errors import explained, place
from ledger_pipelines.sources.erp_odbc import driver_of
from ledger_pipelines.sources.erp_session import Session
from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp_types import SQL_SERVER, Family, Shape
from ledger_pipelines.sources.errors import SourceError

RECENT_DAYS = 7
"""Of how many days fingerprints are computed: few, since a sync computes those of all days, and enough to find rows."""


@dataclass(frozen=True)
class ColumnFinding:
    """A column, and whether its type suits what the catalogue says its values are.

    Attributes:
        level: A warning if not every value of that type can be such a value.
        table: In which it is.
        column: Its name.
        kind: What its values must be, by the catalogue.
        type: The server's words for its type.
        advice: What the type means for the copy; empty if it suits.
    """

    level: Level
    table: str
    column: str
    kind: str
    type: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found, in the order in which it was looked at."""

    findings: tuple[Finding, ...]
    columns: tuple[ColumnFinding, ...]

    @property
    def works(self) -> bool:
        """Whether a sync can read the ERP."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


def diagnose(
    url: sa.URL,
    tables: Sequence[ErpTable] = ERP_TABLES,
    statement_seconds: int = STATEMENT_SECONDS,
    progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Look at the ERP of a URL: its driver, the server, the login, and each table and column.

    Args:
        url: As in the settings.
        tables: To be looked at.
        statement_seconds: How long one look may take.
        progress: Told what is being looked at.
    """
    progress("driver")
    try:
        engine = erp_engine(url)
    except SourceError as error:
        return Diagnosis((Finding(Level.ERROR, "driver", str(error)),), ())
    try:
        return _diagnosed(Erp(engine, statement_seconds), tables, progress)
    finally:
        engine.dispose()


def _diagnosed(erp: Erp, tables: Sequence[ErpTable], progress: Callable[[str], None]) -> Diagnosis:
    progress("connection")
    try:
        session = erp.session()
    except SourceError as error:
        driver = Finding(Level.OK, "driver", driver_of(erp.engine.url) or erp.engine.dialect.driver)
        return Diagnosis((driver, Finding(Level.ERROR, "connection", str(error))), ())
    try:
        findings = [*_of_connection(erp, session)]
    except erp.errors as error:
        return Diagnosis((Finding(Level.ERROR, "server", str(explained(error, erp.engine.url))),), ())
    finally:
        session.leave(usable=True)
    columns: list[ColumnFinding] = []
    for table in tables:
        progress(table.name)
        try:
            with erp.reading(table) as reading:
                shape = reading.shape
                of_columns = [_of_column(table, column, shape.types[column.name], shape) for column in table.columns]
                progress(f"{table.name}: fingerprints")
                findings.append(_of_table(table, reading, of_columns, _tried(reading)))
        except SourceError as error:
            findings.append(Finding(Level.ERROR, table.name, str(error)))
            continue
        columns += of_columns
    return Diagnosis(tuple(findings), tuple(columns))


def _of_connection(erp: Erp, session: Session) -> Iterable[Finding]:
    """What is known once there is a connection: driver, address, server, login, isolation."""
    dialect = erp.engine.dialect
    yield Finding(Level.OK, "driver", _driver(erp.engine, session))
    yield Finding(Level.OK, "connection", place(erp.engine.url))
    yield Finding(Level.OK, "server", server_of(dialect))
    if (login := login_of(session.connection)) is not None:
        yield Finding(Level.OK, "login", login)
    if session.consistent:
        yield Finding(Level.OK, "isolation", "a pass over a table sees one moment")
    else:
        yield Finding(
            Level.WARNING,
            "isolation",
            "a pass over a table sees what changes meanwhile",
            _SNAPSHOTS.format(database=erp.engine.url.database) if dialect.name == SQL_SERVER else "",
        )


_SNAPSHOTS = (
    "Let every database that the views read keep versions, so that a sync reads one moment and never waits for "
    "writers: ALTER DATABASE [{database}] SET ALLOW_SNAPSHOT_ISOLATION ON, and the same for the others"
)


def _tried(reading: Reading) -> str:
    """How long fingerprints took, the first thing that a sync asks for, and the only one with functions in it."""
    begun = time.monotonic()
    span = Span(datetime.now(UTC).date() - timedelta(RECENT_DAYS), None) if reading.dated else None
    rows = sum(found.rows for found in reading.fingerprints(span).values())
    of = f"of the last {RECENT_DAYS} days" if reading.dated else "of all of it"
    return f"fingerprints {of} ({rows:,} rows) in {time.monotonic() - begun:.1f} s"


def _driver(engine: sa.Engine, session: Session) -> str:
    """The driver and its version."""
    module: Any = engine.dialect.loaded_dbapi
    own = f"{module.__name__} {getattr(module, '__version__', getattr(module, 'version', ''))}".strip()
    if engine.dialect.driver != "pyodbc":
        return own
    dbapi: Any = session.connection.connection.dbapi_connection
    with suppress(module.Error):
        file, version = dbapi.getinfo(module.SQL_DRIVER_NAME), dbapi.getinfo(module.SQL_DRIVER_VER)
        return f"{driver_of(engine.url)} ({file} {version}) by {own}"
    return f"{driver_of(engine.url)} by {own}"


def _of_table(table: ErpTable, reading: Reading, columns: Sequence[ColumnFinding], tried: str) -> Finding:
    """What is to be said of a table that can be read, and was tried."""
    shape = reading.shape
    found, advice = [f"{len(columns)} columns", tried], list(reading.notes)
    if shape.extra:
        found.append(f"{len(shape.extra)} more at the ERP, not copied: {', '.join(shape.extra)}")
        advice.append("Declare them in the catalogue if they are wanted.")
    if not shape.dated and not table.is_snapshot:
        found.append(f"{', '.join(table.month_columns)} not all dates")
        advice.append("Each sync reads the whole table; a view that casts them to dates would spare that.")
    unsuitable = sum(column.level is not Level.OK for column in columns)
    if unsuitable:
        found.append(f"{unsuitable} of a type that may not suit")
    level = Level.WARNING if advice or unsuitable else Level.OK
    return Finding(level, table.name, "; ".join(found), " ".join(advice))


_JUDGED = "Each value is judged by itself; one that is no {kind} is listed in ops.rejected_rows."
_APPROXIMATE = (
    "Its values are approximate at the ERP already; they are copied as the server writes them, and their sums "
    "cannot be compared. The ERP should keep them as decimal."
)
#: The families whose every value can be such a value, and is copied exactly.
_SUITABLE: Mapping[Kind, frozenset[Family]] = {
    Kind.TEXT: frozenset((Family.TEXT, Family.WHOLE, Family.EXACT, Family.OTHER)),
    Kind.INTEGER: frozenset((Family.WHOLE,)),
    Kind.DECIMAL: frozenset((Family.EXACT, Family.WHOLE)),
    Kind.DATE: frozenset((Family.DATE,)),
    Kind.BOOLEAN: frozenset((Family.BOOLEAN, Family.TEXT, Family.WHOLE)),
}


def _of_column(table: ErpTable, column: ErpColumn, words: str, shape: Shape) -> ColumnFinding:
    """Whether a column's type suits its kind."""
    family = shape.family(column.name)
    level, advice = Level.OK, ""
    if family not in _SUITABLE[column.kind]:
        level = Level.WARNING
        approximate = column.kind is Kind.DECIMAL and family is Family.APPROXIMATE
        advice = _APPROXIMATE if approximate else _JUDGED.format(kind=column.kind.value)
    return ColumnFinding(level, table.name, column.name, column.kind.value, words, advice)
