"""Description of a kind of server: what a reader must know of it beyond SQLAlchemy's dialect.

The class itself describes an unknown server, which is read by standard SQL. Each kind that is known has a subclass in
a module of its own, with every query, expression, type name and error number that only this kind has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import FAMILIES, Family, base_of
from ledger_pipelines.sources.dialects.causes import COMMON, Cause
from ledger_pipelines.sources.dialects.parts import (
    OdbcPackages,
    RowHash,
    SessionClock,
    SourceColumn,
    Span,
    cast_to,
    day_parameter,
    first_of,
    local_day,
    name_of,
)
from ledger_pipelines.sources.erp.catalogue import Kind

ColumnType = type[sa.types.TypeEngine[Any]]
Column = sa.ColumnElement[Any]
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True)
class Server:
    """Kind of server.

    Attributes:
        name: SQLAlchemy's name of it.
        title: Its name in messages.
    """

    name: str
    title: str

    quotes: ClassVar[tuple[str, str]] = ('"', '"')  # around a quoted name
    columns_query: ClassVar[str] = ""  # columns of a table, with the server's type name of each
    schemas_query: ClassVar[str] = ""  # schemas that hold a table or view of a name, and whether each is read
    url_names_schema: ClassVar[bool] = False  # whether the URL names the schema that is read
    describes_errors: ClassVar[bool] = True  # whether `column_types` raises the error of an unreadable table
    login_query: ClassVar[str] = ""  # user of the session; empty if there are no users
    clock_query: ClassVar[str] = ""  # zone of the session, its time and UTC; empty if sessions have no time zone
    hides_columns: ClassVar[bool] = False  # whether a missing column is refused like one that may not be read
    explains_plans: ClassVar[bool] = False  # whether `uses_index` can tell

    families: ClassVar[Mapping[str, Family]] = {}  # types that only it has, or that mean another thing elsewhere
    unknown_family: ClassVar[Family] = Family.OTHER
    family_of_bits: ClassVar[Family] = Family.OTHER  # of a type of several bits
    has_dates: ClassVar[bool] = True
    days: ClassVar[Mapping[str, tuple[date, date]]] = {}  # first and last day that a type can be compared with
    views_as_text: ClassVar[Mapping[str, str]] = {}  # types without an exact text: expression of one for a view
    view_as_text: ClassVar[str] = "{}"  # the same expression for unknown types without an exact text

    lock_timeout_seconds: ClassVar[int] = 60  # for a lock that another transaction of the source holds
    snapshot_advice: ClassVar[str] = ""  # how to allow snapshots of `{database}`
    causes: ClassVar[tuple[Cause, ...]] = COMMON  # of errors, in the order in which they are looked for
    usual_port: ClassVar[int | None] = None
    instance_advice: ClassVar[str] = ""  # if `{instance}` of a host does not answer; `{setting}` has the usual `{port}`
    finds_odbc_driver: ClassVar[bool] = False  # whether an installed ODBC driver is found that the URL does not name
    odbc_packages: ClassVar[OdbcPackages | None] = None

    hashed_since: ClassVar[tuple[int, ...] | None] = None  # oldest version that can hash a row
    digits_of_sums: ClassVar[int] = 0  # of the largest sum of decimals; 0 if no sum can exceed it
    count: ClassVar[Any] = sa.func.count
    measured_type: ClassVar[ColumnType | None] = None  # to which values are cast for minimum, maximum and length
    text_type: ClassVar[ColumnType | None] = None  # to which values are cast if a driver could change them
    reads_bytes: ClassVar[bool] = False  # whether texts can be read as bytes
    hint_for_spans: ClassVar[str] = ""  # in selections of rows by days
    hint_for_fingerprints: ClassVar[str] = ""  # in the statement that reads and hashes every row

    # The catalogue.

    def described(self, dialect: Dialect) -> str:
        """Return the kind and the version of a connected server."""
        return f"{self.title_of(dialect)} {'.'.join(map(str, dialect.server_version_info or ()))}".strip()

    def title_of(self, dialect: Dialect) -> str:  # noqa: ARG002 - for the subclasses
        """Return the name of a connected server."""
        return self.title

    def quoted(self, table: str, schema: str | None = None) -> str:
        """Return the name of a table in the server's quotes, with its schema if that is given."""
        return ".".join(map(self.quote, (table,) if schema is None else (schema, table)))

    def quote(self, name: str) -> str:
        """Return a name in the server's quotes, as text that no driver formats."""
        opening, closing = self.quotes
        return f"{opening}{name.replace(closing, closing * 2)}{closing}"

    def column_types(self, connection: sa.Connection, table: str, schema: str | None = None) -> Mapping[str, str]:
        """Return the server's type name of each column of a table or view; empty if the table does not exist.

        Args:
            connection: Connection to the source.
            table: Name of the table or view.
            schema: Schema of the table, in MySQL and MariaDB its database; None: the server resolves the name.

        Raises:
            Exception: any error of the driver.
        """
        if self.columns_query:
            found = connection.execute(sa.text(self.columns_query), self.placed(table, schema))
            return {name_of(column): name_of(type_name) for column, type_name in found}
        inspector = sa.inspect(connection)
        if not (inspector.has_table(table, schema) or table in inspector.get_view_names(schema)):
            return {}
        return {column["name"]: str(column["type"]).lower() for column in inspector.get_columns(table, schema)}

    def schemas_with(self, connection: sa.Connection, table: str, schema: str | None) -> Mapping[str, bool]:
        """Return the schemas that hold a table or view of a name, and whether the table is read from each.

        Raises:
            Exception: any error of the driver.
        """
        if not self.schemas_query:
            return {}
        found = connection.execute(sa.text(self.schemas_query), self.placed(table, schema))
        return {name_of(name): bool(is_read) for name, is_read in found}

    def placed(self, table: str, schema: str | None) -> dict[str, str | None]:
        """Return the parameters of a query of the server's catalogue for a table."""
        return {"name": table, "schema": schema, "path": self.quoted(table, schema)}

    # Rights and plans.

    def account(self, dialect: Dialect, login: str) -> str:
        """Return the user of a session as a GRANT names it."""
        return dialect.identifier_preparer.quote(login)

    def current_schema(self, connection: sa.Connection) -> str | None:  # noqa: ARG002 - for the subclasses
        """Return the schema of names without one; None if the server has none."""
        return None

    def uses_index(self, connection: sa.Connection, table: str, column: str, value: str) -> bool | None:
        """Return whether an index finds the rows of a table with a value above this one; None if no plan is readable.

        Args:
            connection: Connection to the source.
            table: Name of the table.
            column: Name of the column.
            value: Text of a value that no row exceeds.
        """
        raise NotImplementedError

    # Types.

    def family(self, type_name: str) -> Family:
        """Return the family of a type, given the server's name for it."""
        base, name = base_of(type_name), type_name.strip().lower()
        if name.endswith("[]"):
            return Family.OTHER
        if base in self.views_as_text:
            return Family.UNREADABLE
        if base == "bit" and name not in {"bit", "bit(1)"}:
            return self.family_of_bits
        if base == "timestamp" and name.endswith("with time zone"):
            return Family.ZONED
        return self.families.get(base) or FAMILIES.get(base, self.unknown_family)

    def text_in_view(self, column: str, type_name: str) -> str:
        """Return the expression for a view that replaces a column of an unreadable type, given its quoted name."""
        return self.views_as_text.get(base_of(type_name), self.view_as_text).format(column)

    # The session.

    def normalised(self, url: sa.URL) -> sa.URL:
        """Return a URL as the drivers read it."""
        return url

    def login(self, connection: sa.Connection) -> str | None:
        """Return the user of the session; None if servers of this kind have no users."""
        return str(connection.exec_driver_sql(self.login_query).scalar()) if self.login_query else None

    def clock(self, connection: sa.Connection) -> SessionClock | None:
        """Return the clock of a session; None if sessions at servers of this kind have no time zone."""
        return SessionClock(*connection.exec_driver_sql(self.clock_query).one()) if self.clock_query else None

    def zone_option(self, driver: str, zone: str, offset: str) -> str:
        """Return the option of a URL that sets the time zone of sessions.

        Args:
            driver: SQLAlchemy's name of the driver.
            zone: Name of the zone.
            offset: Offset of the zone from UTC, such as +07:00.
        """
        raise NotImplementedError

    def set_up(self, connection: sa.Connection, seconds: int) -> bool:  # noqa: ARG002 - for the subclasses
        """Set up a connection for reading; return whether all its statements read the same snapshot.

        Args:
            connection: Connection without an open transaction.
            seconds: Time limit of a statement.

        Raises:
            SourceError: the server is too old.
            Exception: any error of the driver.
        """
        return False

    # Statements.

    def row_hash(self, columns: Sequence[SourceColumn], version: tuple[int, ...]) -> RowHash:
        """Return the sum of the row hashes over some columns, at a server that can hash rows."""
        raise NotImplementedError

    def selected(self, column: Column, of: SourceColumn, kind: Kind) -> Column:
        """Return the expression of a column's value: the column itself, unless a driver could change its values.

        Drivers lack some types, and convert others differently: pyodbc fails on `datetimeoffset`, psycopg parses
        `json`.

        Args:
            column: The column at the source.
            of: Its description.
            kind: Its kind in the catalogue.
        """
        if self.text_type is None:
            return column
        if of.family is Family.ZONED and kind is Kind.DATE:
            return local_day(column)
        of_text = of.family in {Family.DATE, Family.BOOLEAN} and kind is Kind.TEXT
        if of.family in {Family.OTHER, Family.ZONED} or of_text:
            return self.as_text(column, of)
        return column

    def as_text(self, column: Column, of: SourceColumn) -> Column:  # noqa: ARG002 - for the subclasses
        """Return the text of a column of another type."""
        return cast_to(self.text_type, column)

    def as_bytes(self, column: Column) -> Column:
        """Return the bytes of a text column, for texts that a driver cannot read."""
        raise NotImplementedError

    def decoded(self, content: bytes) -> str:
        """Return the text of the bytes that `as_bytes` selects, including lone surrogates."""
        raise NotImplementedError

    def summable(self, column: Column, type_name: str) -> Column:  # noqa: ARG002 - for the subclasses
        """Return a column of exact numbers as its values are added."""
        return column

    def day(self, columns: Sequence[Column]) -> Column:
        """Return the expression of a row's day, of its month columns; NULL if it has none."""
        # Each column is cast separately: their common type may not hold the days of each.
        return first_of([sa.cast(column, sa.DATE) for column in columns])

    def bounds(self, column: Column, of: SourceColumn, span: Span) -> list[Condition] | None:
        """Return the conditions that a month column is within a span of days; None if no day is.

        There is no function around the column, which would prevent the use of an index.

        Args:
            column: The column.
            of: Its description.
            span: The days.
        """
        earliest, latest = self.days.get(base_of(of.type), (date.min, date.max))
        if span.first > latest or (span.after is not None and span.after <= earliest):
            return None
        bounds: list[Condition] = [column >= day_parameter(span.first)] if span.first > earliest else []
        if span.after is not None and span.after <= latest:
            bounds.append(column < day_parameter(span.after))
        return bounds

    def is_no_day(self, column: Column) -> Condition | None:  # noqa: ARG002 - for the subclasses
        """Return the condition that a value other than null is no day of the calendar; None if that is impossible."""
        return None
