"""Step-by-step check of the access to the billing application, with findings that an administrator can act on.

It reads the names and types of columns, the number of rows, the newest `updated_at` and plans of statements, but no
data of customers. Nothing here prints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.settings import mask_url
from ledger_pipelines.sources.billing import columns as billing_columns
from ledger_pipelines.sources.billing.changes import POLL_INTERVAL_SECONDS, POLLERS_PER_TABLE
from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING, REQUIRED, TABLES, ReadableColumns
from ledger_pipelines.sources.billing.grants import (
    grant_statements,
    grants_on_denied_database,
    may_select,
    qualified_name,
)
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.time_zone import time_zone_findings
from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.diagnosis import Finding, FindingLevel
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.errors import SourceError


@dataclass(frozen=True)
class BillingColumnFinding:
    """Finding on a column that is read if it exists.

    Attributes:
        level: ERROR if amounts need the column and it is missing; WARNING if it is missing or its type may not suit.
        table: Table of the column.
        column: Name of the column.
        needed: Whether amounts need the column.
        type: The server's name for the type; empty if the column is missing or may not be read.
        advice: Effect of the missing column, or of its type.
    """

    level: FindingLevel
    table: str
    column: str
    needed: bool
    type: str
    advice: str = ""


@dataclass(frozen=True)
class BillingDiagnosis:
    """All findings, in the order of the checks.

    Attributes:
        findings: Findings on the application as a whole.
        columns: Findings on each column.
        statements: SQL for an administrator of the application's database: the required grants and indexes.
    """

    findings: tuple[Finding, ...]
    columns: tuple[BillingColumnFinding, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the pipeline can work with the application."""
        return all(finding.level is not FindingLevel.ERROR for finding in self.findings)


def diagnose(app: BillingSource, now: datetime) -> BillingDiagnosis:
    """Check the billing application: the server, the login, both tables, rights, indexes and the time zone.

    Args:
        app: The billing application.
        now: The current time in the company's zone.
    """
    try:
        with app.connect() as connection:
            return _diagnose_connection(connection, now)
    except SourceError as error:
        grants = tuple(grants_on_denied_database(app.engine, error))
        return BillingDiagnosis((Finding(FindingLevel.ERROR, "connection", str(error)),), statements=grants)


def _diagnose_connection(connection: sa.Connection, now: datetime) -> BillingDiagnosis:
    server = server_of(connection.dialect.name)
    findings = [
        Finding(FindingLevel.OK, "connection", mask_url(connection.engine.url)),
        Finding(FindingLevel.OK, "server", server.described(connection.dialect)),
    ]
    login = server.login(connection)
    if login is not None:
        findings.append(Finding(FindingLevel.OK, "login", login))
    columns: dict[str, ReadableColumns] = {}
    for name, table in TABLES.items():
        try:
            columns[name] = billing_columns.inspect_table(connection, table)
            findings.append(_table_finding(connection, columns[name]))
        except SourceError as error:
            findings.append(Finding(FindingLevel.ERROR, name, str(error)))
    findings.append(_rights_finding(connection, columns))
    statements: list[str] = []
    for name, table in TABLES.items():
        statements += grant_statements(connection, login, table, columns.get(name))
    dated = [readable for readable in columns.values() if readable.has("id") and readable.has("updated_at")]
    for readable in dated if server.explains_plans else ():
        finding = _index_finding(connection, readable.table)
        findings.append(finding)
        if finding.level is not FindingLevel.OK:
            statements.append(_create_index_statement(connection, readable.table))
    findings += time_zone_findings(connection, dated, now)
    column_findings = (each for readable in columns.values() for each in _column_findings(connection, readable))
    return BillingDiagnosis(tuple(findings), tuple(column_findings), tuple(statements))


def _table_finding(connection: sa.Connection, readable: ReadableColumns) -> Finding:
    """Return the finding on a table that exists."""
    kind = "view" if _is_view(connection, readable.table) else "table"
    if missing := readable.missing_required:
        lost = f"a {kind} without {', '.join(missing)}: amounts need them, but they are missing or unreadable"
        return Finding(FindingLevel.ERROR, readable.table.name, lost, "Grant SELECT on them, or add them in a view.")
    found = f"a {kind} of {_count_rows(connection, readable.table):,} rows; {len(readable.types)} columns are read"
    if not readable.missing_optional:
        return Finding(FindingLevel.OK, readable.table.name, found)
    advice = "No amount needs them. The list of columns shows the effect of each missing one."
    return Finding(
        FindingLevel.WARNING,
        readable.table.name,
        f"{found}; {', '.join(readable.missing_optional)} are missing or unreadable",
        advice,
    )


def _is_view(connection: sa.Connection, table: sa.Table) -> bool:
    return table.name in sa.inspect(connection).get_view_names()


def _count_rows(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count(table.c.id))) or 0


#: Families of server types that can be read as a declared type.
_SUITABLE: Mapping[type[sa.types.TypeEngine[Any]], frozenset[Family]] = {
    sa.BigInteger: frozenset((Family.WHOLE,)),
    sa.Numeric: frozenset((Family.EXACT, Family.WHOLE, Family.TEXT)),
    sa.TIMESTAMP: frozenset((Family.DATE, Family.ZONED)),
    sa.Boolean: frozenset((Family.BOOLEAN, Family.WHOLE)),
}
_UNSUITABLE: Mapping[type[sa.types.TypeEngine[Any]], str] = {
    sa.BigInteger: "Ids must be whole numbers; rows with other ids are rejected.",
    sa.Numeric: "Binary floats are not exact; rows with such a value are rejected. Cast it to decimal in a view.",
    sa.TIMESTAMP: "The column must hold a date and a time; other values are read as NULL.",
    sa.Boolean: "The column must hold true or false, 1 or 0.",
}


def _column_findings(connection: sa.Connection, readable: ReadableColumns) -> Iterator[BillingColumnFinding]:
    """Yield a finding on each column: whether it can be read, and whether its type suits."""
    server = server_of(connection.dialect.name)
    for name, effect in EFFECT_IF_MISSING[readable.table.name].items():
        needed = effect == REQUIRED
        if not readable.has(name):
            level, advice = (
                (FindingLevel.ERROR, "amounts cannot be computed") if needed else (FindingLevel.WARNING, effect)
            )
            yield BillingColumnFinding(level, readable.table.name, name, needed, "", advice)
            continue
        declared = type(readable.table.c[name].type)
        suits = declared not in _SUITABLE or server.family(readable.types[name]) in _SUITABLE[declared]
        advice = "" if suits else _UNSUITABLE[declared]
        yield BillingColumnFinding(
            FindingLevel.OK if suits else FindingLevel.WARNING,
            readable.table.name,
            name,
            needed,
            readable.types[name],
            advice,
        )


def _rights_finding(connection: sa.Connection, columns: Mapping[str, ReadableColumns]) -> Finding:
    """Return the finding on the rights of this login, including rights to read passwords."""
    refused = [name for name in TABLES if name not in columns or columns[name].missing_required]
    if refused:
        return Finding(
            FindingLevel.ERROR, "rights", f"{' and '.join(refused)} cannot be read", f"{_SEE_SQL}: GRANT SELECT."
        )
    which = "amounts need" if any(readable.missing for readable in columns.values()) else "is read"
    users = TABLES["users"]
    secret = [
        str(column) for column in (users.c.password, users.c.remember_token) if may_select(connection, users, column)
    ]
    also = f"; this login may also read {', '.join(secret)}, which the pipeline never reads" if secret else ""
    advice = f"{_SEE_SQL}: GRANT SELECT for a login that may read nothing else." if secret else ""
    return Finding(FindingLevel.OK, "rights", f"every column that {which} is readable{also}", advice)


_SEE_SQL = "See the statements"


def _index_finding(connection: sa.Connection, table: sa.Table) -> Finding:
    """Return the finding on the index that polls need on `updated_at`, with the cost of polls without it."""
    subject = f"index of {table.name}"
    server = server_of(connection.dialect.name)
    indexed = server.uses_index(connection, table.name, "updated_at", _FAR_FUTURE)
    if indexed:
        return Finding(FindingLevel.OK, subject, "polls use an index on updated_at")
    if indexed is None:
        unknown = "not known whether updated_at is indexed: this login may not see the plan of a poll"
        return Finding(FindingLevel.WARNING, subject, unknown, f"{_SEE_SQL}: CREATE INDEX, unless there is one.")
    rows, polls = _count_rows(connection, table), round(POLLERS_PER_TABLE[table.name] / POLL_INTERVAL_SECONDS)
    cost = f"{rows:,} rows × {polls} polls a second = {rows * polls:,} rows a second, around the clock"
    found = f"no index on updated_at: each poll reads the whole table, {cost}"
    return Finding(FindingLevel.WARNING, subject, found, f"{_SEE_SQL}: CREATE INDEX.")


def _create_index_statement(connection: sa.Connection, table: sa.Table) -> str:
    """Return the statement that creates the index that polls need."""
    note = "  -- replace the view with its underlying table" if _is_view(connection, table) else ""
    return f"CREATE INDEX {table.name}_updated_at_index ON {qualified_name(connection, table)} (updated_at);{note}"


_FAR_FUTURE = "2037-12-31 00:00:00"
