"""Whether the billing application can be read, looked at step by step, in words that an administrator can act on.

What is read are the names and types of columns, the number of rows, the newest `updated_at` and plans of statements:
no value of a customer's. Nothing here prints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.settings import masked
from ledger_pipelines.sources import billing_columns
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import POLL_EVERY_SECONDS, POLLERS
from ledger_pipelines.sources.billing_columns import NEEDED, TABLES, WITHOUT, TableColumns
from ledger_pipelines.sources.billing_zone import of_zone
from ledger_pipelines.sources.diagnosis import Finding, Level, login_of, server_of
from ledger_pipelines.sources.erp_types import MARIADB, MYSQL, POSTGRESQL, Family, family_of
from ledger_pipelines.sources.errors import SourceError


@dataclass(frozen=True)
class ColumnFinding:
    """A column that is read if it is there.

    Attributes:
        level: An error if it is missing and needed; a warning if it is missing, or of a type that may not suit.
        table: In which it is.
        column: Its name.
        needed: Whether amounts need it.
        type: The server's words for its type; empty if it is missing or may not be read.
        advice: What its absence or its type means.
    """

    level: Level
    table: str
    column: str
    needed: bool
    type: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found, in the order in which it was looked at.

    Attributes:
        findings: On the application as a whole.
        columns: On each column.
        statements: SQL for an administrator of the application's database: the rights and the indexes that are needed.
    """

    findings: tuple[Finding, ...]
    columns: tuple[ColumnFinding, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether the pipeline can work with the application."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


def diagnose(app: BillingApp, now: datetime) -> Diagnosis:
    """Look at the billing application: the server, the login, both tables, rights, indexes, the time zone.

    Args:
        app: The billing application.
        now: The time, in the company's zone.
    """
    try:
        with app.connected() as connection:
            return _diagnosed(connection, now)
    except SourceError as error:
        return Diagnosis((Finding(Level.ERROR, "connection", str(error)),))


def _diagnosed(connection: sa.Connection, now: datetime) -> Diagnosis:
    findings = [
        Finding(Level.OK, "connection", masked(connection.engine.url)),
        Finding(Level.OK, "server", server_of(connection.dialect)),
    ]
    login = login_of(connection)
    if login is not None:
        findings.append(Finding(Level.OK, "login", login))
    columns: dict[str, TableColumns] = {}
    for name, table in TABLES.items():
        try:
            columns[name] = billing_columns.look_at(connection, table)
            findings.append(_of_table(connection, columns[name]))
        except SourceError as error:
            findings.append(Finding(Level.ERROR, name, str(error)))
    findings.append(_of_rights(connection, columns))
    statements = [_grant(connection, login, name, columns.get(name)) for name in TABLES]
    dated = [of for of in columns.values() if of.has("id") and of.has("updated_at")]
    for of in dated if connection.dialect.name in _EXPLAINED else ():
        finding = _of_index(connection, of.table)
        findings.append(finding)
        if finding.level is not Level.OK:
            statements.append(_create_index(connection, of.table))
    findings += of_zone(connection, dated, now)
    of_columns = (each for of in columns.values() for each in _of_columns(connection, of))
    return Diagnosis(tuple(findings), tuple(of_columns), tuple(statements))


def _of_table(connection: sa.Connection, of: TableColumns) -> Finding:
    """What is to be said of a table that is there."""
    kind = "view" if _is_view(connection, of.table) else "table"
    if of.needed:
        lost = f"a {kind} without {', '.join(of.needed)}, which amounts need, or that may not be read"
        return Finding(Level.ERROR, of.table.name, lost, "Grant SELECT on them, or add them in a view.")
    found = f"a {kind} of {_count(connection, of.table):,} rows; {len(of.types)} columns are read"
    if not of.optional:
        return Finding(Level.OK, of.table.name, found)
    advice = "No amount needs them; what is lost without them is listed with the columns."
    return Finding(
        Level.WARNING, of.table.name, f"{found}; {', '.join(of.optional)} are missing, or may not be read", advice
    )


def _is_view(connection: sa.Connection, table: sa.Table) -> bool:
    return table.name in sa.inspect(connection).get_view_names()


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count(table.c.id))) or 0


#: What columns that we declare with a type may be at the server, to be read as that.
_SUITABLE: Mapping[type[sa.types.TypeEngine[Any]], frozenset[Family]] = {
    sa.BigInteger: frozenset((Family.WHOLE,)),
    sa.Numeric: frozenset((Family.EXACT, Family.WHOLE, Family.TEXT)),
    sa.TIMESTAMP: frozenset((Family.DATE,)),
    sa.Boolean: frozenset((Family.BOOLEAN, Family.WHOLE)),
}
_UNSUITABLE: Mapping[type[sa.types.TypeEngine[Any]], str] = {
    sa.BigInteger: "Ids must be whole numbers: rows with others are rejected.",
    sa.Numeric: "Binary numbers are no exact amounts: rows with one are rejected. Cast it to decimal, in a view.",
    sa.TIMESTAMP: "It must be a date and a time: others are read as NULL.",
    sa.Boolean: "It must be true or false, 1 or 0.",
}


def _of_columns(connection: sa.Connection, of: TableColumns) -> Iterator[ColumnFinding]:
    """Each column: whether it is there, and whether its type suits."""
    for name, lost in WITHOUT[of.table.name].items():
        needed = lost == NEEDED
        if not of.has(name):
            level, advice = (Level.ERROR, "no amount can be computed") if needed else (Level.WARNING, lost)
            yield ColumnFinding(level, of.table.name, name, needed, "", advice)
            continue
        declared = type(of.table.c[name].type)
        suits = declared not in _SUITABLE or family_of(of.types[name], connection.dialect.name) in _SUITABLE[declared]
        advice = "" if suits else _UNSUITABLE[declared]
        yield ColumnFinding(Level.OK if suits else Level.WARNING, of.table.name, name, needed, of.types[name], advice)


def _of_rights(connection: sa.Connection, columns: Mapping[str, TableColumns]) -> Finding:
    """Whether this login may read what is read, and whether it may read passwords."""
    refused = [name for name in TABLES if name not in columns or columns[name].needed]
    if refused:
        return Finding(Level.ERROR, "rights", f"{' and '.join(refused)} cannot be read", f"{_STATED}: GRANT SELECT.")
    which = "amounts need" if any(of.missing for of in columns.values()) else "is read"
    secret = [f"users.{name}" for name in ("password", "remember_token") if _may_read(connection, name)]
    also = f"; so may {', '.join(secret)}, which the pipeline never reads" if secret else ""
    advice = f"{_STATED}: GRANT SELECT for a login that may read no more." if secret else ""
    return Finding(Level.OK, "rights", f"every column that {which} may be read{also}", advice)


_STATED = "See the statements"


def _may_read(connection: sa.Connection, name: str) -> bool:
    try:
        connection.execute(sa.select(TABLES["users"].c[name]).where(sa.false())).close()
    except exc.DBAPIError:
        connection.rollback()
        return False
    return True


def _grant(connection: sa.Connection, login: str | None, table: str, of: TableColumns | None) -> str:
    """The statement that lets a login read the columns that are there, or that amounts need."""
    quote = connection.dialect.identifier_preparer.quote
    names = [name for name in WITHOUT[table] if of is None or name in {*of.types, *of.denied, *of.needed}]
    if connection.dialect.name in {MYSQL, MARIADB}:
        user, _, host = (login or "").rpartition("@")
        to, schema = f"'{user}'@'{host}'", connection.engine.url.database
    else:
        to = quote(login or "")
        is_postgresql = connection.dialect.name == POSTGRESQL
        schema = connection.scalar(sa.text("SELECT current_schema()")) if is_postgresql else None
    on = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
    return f"GRANT SELECT ({', '.join(map(quote, names))}) ON {on} TO {to};"


def _of_index(connection: sa.Connection, table: sa.Table) -> Finding:
    """Whether polls find an index on `updated_at`, and what they cost without one."""
    what = f"index of {table.name}"
    indexed = _EXPLAINED[connection.dialect.name](connection, table.name)
    if indexed:
        return Finding(Level.OK, what, "polls read along an index on updated_at")
    if indexed is None:
        unknown = "whether there is one on updated_at cannot be told: this login may not see the plan of a poll"
        return Finding(Level.WARNING, what, unknown, f"{_STATED}: CREATE INDEX, unless there is one.")
    rows, polls = _count(connection, table), round(POLLERS[table.name] / POLL_EVERY_SECONDS)
    cost = f"{rows:,} rows × {polls} polls a second = {rows * polls:,} rows a second, day and night"
    found = f"none on updated_at: each poll reads the whole table, {cost}"
    return Finding(Level.WARNING, what, found, f"{_STATED}: CREATE INDEX.")


def _create_index(connection: sa.Connection, table: sa.Table) -> str:
    """The statement that makes the index that polls need."""
    note = "  -- instead of the view, name the table beneath it" if _is_view(connection, table) else ""
    return f"CREATE INDEX {table.name}_updated_at_index ON {table.name} (updated_at);{note}"


_FAR = "2037-12-31 00:00:00"


def _indexed_in_mysql(connection: sa.Connection, table: str) -> bool | None:
    """Whether the condition of a poll adds a key to those that the server could use; None if it does not say."""
    rows, recent = f"SELECT id FROM {table}", f" WHERE updated_at > '{_FAR}'"  # noqa: S608 - of constants
    try:
        without, poll = (
            {
                key
                for row in connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}").mappings()
                for key in (row["possible_keys"] or "").split(",")
            }
            for statement in (rows, rows + recent)
        )
    except exc.DBAPIError:  # of a view, without rights to the tables beneath
        connection.rollback()
        return None
    return bool(poll - without)


def _indexed_in_postgresql(connection: sa.Connection, table: str) -> bool:
    """Whether the condition of a poll is one of an index, where the server would rather use one than not."""
    connection.rollback()
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    poll = f"SELECT id FROM {table} WHERE updated_at > '{_FAR}'"  # noqa: S608 - of constants
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {poll}").scalar()
    connection.rollback()
    return any(_FAR in condition for condition in _index_conditions(plan))


def _index_conditions(plan: Any) -> Iterator[str]:
    """The conditions by which a plan looks into indexes."""
    for part in plan if isinstance(plan, list) else [plan]:
        if "Index Cond" in part:
            yield part["Index Cond"]
        yield from _index_conditions(part.get("Plans", [])) if "Plan" not in part else _index_conditions(part["Plan"])


_EXPLAINED = {MYSQL: _indexed_in_mysql, MARIADB: _indexed_in_mysql, POSTGRESQL: _indexed_in_postgresql}
