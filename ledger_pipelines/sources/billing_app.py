"""Reading the billing application's database: customers, prices, deposits and readings, in chunks.

Any SQLAlchemy URL will do; production is MySQL or MariaDB. Each table is read by one statement.
An unreadable source is an error, never an empty table.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.horizon import Horizon, Scope, shift, start_of
from ledger_pipelines.settings import masked
from ledger_pipelines.sources import billing_columns
from ledger_pipelines.sources.billing_columns import Columns
from ledger_pipelines.sources.billing_records import CUSTOMER_ROLES
from ledger_pipelines.sources.billing_schema import data_pencatatan, users
from ledger_pipelines.sources.errors import SourceError, first_line

CHUNK_ROWS = 20_000
IDS_AT_ONCE = 1_000
_SOME = 100
Chunk = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class BillingApp:
    """The billing application's database, read for a horizon of months."""

    engine: sa.Engine
    horizon: Horizon

    def customers(self, scope: Scope) -> Generator[Chunk]:
        """The rows of `users` that are customers, of the scope's customers.

        Raises:
            SourceError: the database cannot be reached, or lacks the table or one of its columns.
        """
        statement = self._of_customers(self.rows_of(users.name), users.c.id, scope)
        for chunk in self._read(users, statement.where(users.c.role.in_(CUSTOMER_ROLES))):
            # MySQL compares text without regard to case and blanks at the end; the rule does not.
            yield [row for row in chunk if row["role"] in CUSTOMER_ROLES]

    def readings(self, scope: Scope) -> Generator[Chunk]:
        """The rows of `data_pencatatan` that may belong to a scope, each with its customer's `role`.

        A scope of all months gets every row. One of some months gets at least the readings of those months and,
        if the current month is among them, the rows that name no month.

        Raises:
            SourceError: as `customers`.
        """
        statement = self._of_customers(self.rows_of(data_pencatatan.name), data_pencatatan.c.customer_id, scope)
        return self._read(data_pencatatan, statement.where(self._may_be_in(scope)))

    def by_id(self, ids: Sequence[int]) -> Generator[Chunk]:
        """The rows of `data_pencatatan` with these ids, whatever month or customer they belong to now."""
        rows = self.rows_of(data_pencatatan.name)
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = data_pencatatan.c.id.in_(ids[start : start + IDS_AT_ONCE])
            yield from self._read(data_pencatatan, rows.where(some))

    def check(self) -> Columns:
        """Look anew at which columns there are, and return them; missing ones that no amount needs are read as NULL.

        Raises:
            SourceError: the database cannot be reached, or lacks a table or a column that amounts need.
        """
        with self.connected() as connection:
            columns = billing_columns.look(connection)
        return billing_columns.keep(self.engine, billing_columns.demand(columns, self.engine.url))

    @property
    def columns(self) -> Columns:
        """The columns that there are, as of a few seconds ago; raises as `check`."""
        return billing_columns.known(self.engine) or self.check()

    def has_customers(self) -> bool:
        """True if `users` holds at least one customer."""
        some = sa.select(users.c.role).where(users.c.role.in_(CUSTOMER_ROLES)).limit(_SOME)
        with self.connected() as connection:
            found = connection.scalars(some).all()
            if len(found) == _SOME and not any(role in CUSTOMER_ROLES for role in found):
                # MySQL compares text without regard to case: all of these may be "Customer".
                found = connection.scalars(sa.select(users.c.role).distinct()).all()
        return any(role in CUSTOMER_ROLES for role in found)

    def has_readings(self) -> bool:
        """True if `data_pencatatan` holds at least one row."""
        with self.connected() as connection:
            return connection.execute(sa.select(data_pencatatan.c.id).limit(1)).first() is not None

    def known_customers(self, ids: Sequence[int]) -> frozenset[int]:
        """Those of the ids that are customers."""
        with self.connected() as connection:
            found = connection.execute(sa.select(users.c.id, users.c.role).where(users.c.id.in_(ids)))
            return frozenset(row.id for row in found if row.role in CUSTOMER_ROLES)

    def rows_of(self, table: str) -> sa.Select[Any]:
        """The statement that reads `users` or `data_pencatatan`, all rows of it, as the other methods give them.

        Raises:
            SourceError: as `check`.
        """
        rows = sa.select(*self.columns[table].selected())
        if table == users.name:
            return rows.select_from(users)
        of_customer = users.c.id == data_pencatatan.c.customer_id
        return rows.add_columns(users.c.role).outerjoin_from(data_pencatatan, users, of_customer)

    def fetch(self, statement: sa.Select[*tuple[Any, ...]]) -> list[Mapping[str, Any]]:
        """The rows that a statement of few rows gives.

        Raises:
            SourceError: the database cannot be read.
        """
        with self.connected() as connection:
            return [row._asdict() for row in connection.execute(statement)]

    def _of_customers(self, statement: sa.Select[Any], column: sa.Column[Any], scope: Scope) -> sa.Select[Any]:
        return statement if scope.customers is None else statement.where(column.in_(scope.customers))

    def _may_be_in(self, scope: Scope) -> sa.ColumnElement[bool]:
        """A condition on the text of `data_input`, so coarse that it holds however the JSON is written."""
        if set(self.horizon.months) <= set(scope.months):
            return sa.true()
        text = sa.cast(data_pencatatan.c.data_input, sa.Text)
        conditions: list[sa.ColumnElement[bool]] = [
            text.like(f"%{fragment}%") for fragment in self._fragments(scope.months)
        ]
        if self.horizon.current in scope.months:
            elsewhere = (month for month in self.horizon.months if month not in scope.months)
            conditions.append(sa.and_(*(text.not_like(f"%{month}%") for month in elsewhere)))
            conditions.append(text.is_(None))
        return sa.or_(*conditions)

    def _fragments(self, months: Sequence[str]) -> set[str]:
        """Texts of which a moment in ``months`` contains one, even if written with another offset or in escapes."""
        fragments = {*months, "u00"}
        for month in months:
            first, after = (start_of(key, self.horizon.zone) for key in (month, shift(month, 1)))
            days = (first - timedelta(days=2), first - timedelta(days=1), after)
            fragments |= {f"{day:%Y-%m-%d}" for day in days}
        return fragments

    def _read(self, table: sa.Table, statement: sa.Select[Any]) -> Generator[Chunk]:
        with self.connected() as connection:
            streaming = connection.execution_options(yield_per=CHUNK_ROWS)
            with streaming.execute(statement.order_by(table.c.id)) as result:
                for chunk in result.partitions():
                    yield [row._asdict() for row in chunk]

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """Connect to the database.

        Raises:
            SourceError: it cannot be reached, or a statement within fails.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except exc.DBAPIError as error:
            billing_columns.forget(self.engine)
            raise SourceError(
                f"The billing database {masked(self.engine.url)} cannot be read: {first_line(error)} "
                "Check LEDGER_BILLING_URL and that the server is up and lets this user in. Nothing was changed."
            ) from error
