"""Reader of the billing application's database: customers, prices, deposits and readings, in chunks.

Any SQLAlchemy URL works; production is MySQL or MariaDB. Each table is read by one statement.
An unreadable source raises an error; it is never returned as an empty table.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon, Scope, month_start, shift_month
from ledger_pipelines.settings import mask_url
from ledger_pipelines.sources.billing import columns as billing_columns
from ledger_pipelines.sources.billing.columns import ColumnsByTable
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.sources.errors import SourceError, driver_message
from ledger_pipelines.sources.prefetch import StatementTimeoutError

if TYPE_CHECKING:
    from ledger_pipelines.sources.billing.text_batches import TextBatch

CHUNK_ROWS = 20_000
#: Rows of `users` in a batch; each has histories of dozens of entries.
CHUNK_USERS = 2_000
IDS_PER_STATEMENT = 1_000
STATEMENT_SECONDS = 600
_ROLE_SAMPLE_ROWS = 100
_TIMESTAMPS = ("created_at", "updated_at")
Chunk = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class BillingSource:
    """The billing application's database, read for a horizon of months.

    Attributes:
        engine: Engine of the database.
        horizon: Months of the partitions.
        statement_seconds: Time limit for each batch of rows that is read as text.
    """

    engine: sa.Engine
    horizon: Horizon
    statement_seconds: int = STATEMENT_SECONDS

    def customers(self, scope: Scope) -> Generator[Chunk]:
        """Yield the rows of `users` that are customers and in the scope.

        Raises:
            SourceError: the database cannot be reached, or the table or one of its columns is missing.
        """
        statement = self._filter_customers(self.select_rows(users.name), users.c.id, scope)
        statement = statement.where(users.c.role.in_(CUSTOMER_ROLES))
        by_text = scope.covers_all_customers and self._can_read_batches()
        rows = self._rows_of_batches if by_text else self._stream
        for chunk in rows(statement.order_by(users.c.id)):
            # MySQL ignores case and trailing blanks when it compares text; the rule does not.
            yield [row for row in chunk if row["role"] in CUSTOMER_ROLES]

    def readings(self, scope: Scope) -> Generator[Chunk]:
        """Yield the rows of `data_pencatatan` that may belong to a scope.

        Each has its customer's `role` and `user_id` as well; both are NULL if `users` has no such row.

        A scope of all months yields every row. A scope of some months yields at least the readings of those months.
        If the current month is among them, it also yields the rows that name no month.

        Raises:
            SourceError: as `customers`.
        """
        return self._stream(self._select_readings(scope))

    def reading_batches(self, scope: Scope) -> "Generator[TextBatch] | None":
        """Yield the rows of `readings` in batches of text.

        Returns None if the driver, the type of a column or the time zone does not allow it.

        Raises:
            SourceError: as `customers`, or the database takes longer than the time limit.
        """
        from ledger_pipelines.sources.billing.reading_columns import fixed_offset  # Arrow: see `_can_read_batches`

        readings, owners = self.columns[data_pencatatan.name], self.columns[users.name]
        as_text = readings.has_text_types("id", "customer_id", "harga_final", "status_pembayaran", *_TIMESTAMPS)
        as_text = as_text and owners.has_text_types("id", "role") and fixed_offset(self.horizon.zone) is not None
        if not (self._can_read_batches() and as_text):
            return None
        return self._read_batches(self._select_readings(scope))

    def _can_read_batches(self) -> bool:
        # Imported only where needed: real-time changes read a handful of rows and must not wait for Arrow to load.
        from ledger_pipelines.sources.billing import text_batches

        return text_batches.can_read(self.engine) and not any(of.has_binary_type for of in self.columns.values())

    def _rows_of_batches(self, statement: sa.Select[Any]) -> Generator[Chunk]:
        with closing(self._read_batches(statement, CHUNK_USERS)) as batches:
            for batch in batches:
                yield batch.rows()

    def _read_batches(self, statement: sa.Select[Any], chunk_rows: int | None = None) -> "Generator[TextBatch]":
        from ledger_pipelines.sources.billing import text_batches

        try:
            yield from text_batches.read_batches(
                self.engine, statement, chunk_rows or CHUNK_ROWS, self.statement_seconds
            )
        except StatementTimeoutError:
            raise self._unreadable(
                f"It sent no rows for {self.statement_seconds} s. LEDGER_BILLING_STATEMENT_TIMEOUT_SECONDS "
                "sets the limit."
            ) from None
        except text_batches.DRIVER_ERRORS as error:
            raise self._unreadable(driver_message(error)) from error

    def _select_readings(self, scope: Scope) -> sa.Select[Any]:
        statement = self._filter_customers(self.select_rows(data_pencatatan.name), data_pencatatan.c.customer_id, scope)
        return statement.where(self._month_filter(scope)).order_by(data_pencatatan.c.id)

    def readings_by_id(self, reading_ids: Sequence[int]) -> Generator[Chunk]:
        """Yield the rows of `data_pencatatan` with these ids, of any month and customer."""
        rows = self.select_rows(data_pencatatan.name)
        for start in range(0, len(reading_ids), IDS_PER_STATEMENT):
            in_batch = data_pencatatan.c.id.in_(reading_ids[start : start + IDS_PER_STATEMENT])
            yield from self._stream(rows.where(in_batch).order_by(data_pencatatan.c.id))

    def refresh_columns(self) -> ColumnsByTable:
        """Ask the server for the available columns, cache them and return them.

        A missing column that no amount needs is read as NULL.

        Raises:
            SourceError: the database cannot be reached, or a table or a column that amounts need is missing.
        """
        with self.connect() as connection:
            columns = billing_columns.inspect_columns(connection)
        return billing_columns.cache_columns(self.engine, billing_columns.require_columns(columns, self.engine.url))

    @property
    def columns(self) -> ColumnsByTable:
        """Available columns, from a cache of a few seconds; raises as `refresh_columns`."""
        return billing_columns.cached_columns(self.engine) or self.refresh_columns()

    def has_customers(self) -> bool:
        """Return whether `users` holds at least one customer."""
        sample = sa.select(users.c.role).where(users.c.role.in_(CUSTOMER_ROLES)).limit(_ROLE_SAMPLE_ROWS)
        with self.connect() as connection:
            found = connection.scalars(sample).all()
            if len(found) == _ROLE_SAMPLE_ROWS and not any(role in CUSTOMER_ROLES for role in found):
                # MySQL ignores case when it compares text: all roles of the sample may be "Customer".
                found = connection.scalars(sa.select(users.c.role).distinct()).all()
        return any(role in CUSTOMER_ROLES for role in found)

    def has_readings(self) -> bool:
        """Return whether `data_pencatatan` holds at least one row."""
        with self.connect() as connection:
            return connection.execute(sa.select(data_pencatatan.c.id).limit(1)).first() is not None

    def existing_customers(self, customer_ids: Sequence[int]) -> frozenset[int]:
        """Return the ids that belong to customers and that the ledger computes with."""
        with self.connect() as connection:
            found = connection.execute(sa.select(users.c.id, users.c.role).where(users.c.id.in_(customer_ids)))
            return frozenset(row.id for row in found if row.role in CUSTOMER_ROLES and ids.is_usable_id(row.id))

    def select_rows(self, table: str) -> sa.Select[Any]:
        """Return the SELECT of all rows of `users` or `data_pencatatan`, with the columns that the methods yield.

        Raises:
            SourceError: as `refresh_columns`.
        """
        rows = sa.select(*self.columns[table].select_list())
        if table == users.name:
            return rows.select_from(users)
        is_owner = users.c.id == data_pencatatan.c.customer_id
        owner_columns = (users.c.role, users.c.id.label("user_id"))
        return rows.add_columns(*owner_columns).outerjoin_from(data_pencatatan, users, is_owner)

    def fetch_rows(self, statement: sa.Select[*tuple[Any, ...]]) -> list[Mapping[str, Any]]:
        """Return the rows of a statement that selects few rows.

        Raises:
            SourceError: the database cannot be read.
        """
        with self.connect() as connection:
            return [row._asdict() for row in connection.execute(statement)]

    def _filter_customers(self, statement: sa.Select[Any], column: sa.Column[Any], scope: Scope) -> sa.Select[Any]:
        if scope.customers is None:
            return statement
        named = column.in_(scope.customers)
        if ids.UNSTORABLE_ID not in scope.customers:
            return statement.where(named)
        return statement.where(sa.or_(named, column.is_(None), column < ids.SMALLEST, column > ids.LARGEST))

    def _month_filter(self, scope: Scope) -> sa.ColumnElement[bool]:
        """Return a coarse condition on `data_input` that every reading in scope meets, whatever its JSON format."""
        if set(self.horizon.months) <= set(scope.months):
            return sa.true()
        text = sa.cast(data_pencatatan.c.data_input, sa.Text)
        conditions: list[sa.ColumnElement[bool]] = [
            text.like(f"%{fragment}%") for fragment in self._date_fragments(scope.months)
        ]
        if self.horizon.current in scope.months:
            other_months = (month for month in self.horizon.months if month not in scope.months)
            conditions.append(sa.and_(*(text.not_like(f"%{month}%") for month in other_months)))
            conditions.append(text.is_(None))
        return sa.or_(*conditions)

    def _date_fragments(self, months: Sequence[str]) -> set[str]:
        """Return texts of which every moment in ``months`` contains at least one.

        That includes moments with another UTC offset and moments written with JSON escapes.
        """
        fragments = {*months, "u00"}
        for month in months:
            first, after = (month_start(key, self.horizon.zone) for key in (month, shift_month(month, 1)))
            days = (first - timedelta(days=2), first - timedelta(days=1), after)
            fragments |= {f"{day:%Y-%m-%d}" for day in days}
        return fragments

    def _stream(self, statement: sa.Select[Any]) -> Generator[Chunk]:
        with self.connect() as connection:
            streaming = connection.execution_options(yield_per=CHUNK_ROWS)
            with streaming.execute(statement) as result:
                for chunk in result.partitions():
                    yield [row._asdict() for row in chunk]

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Connect to the database.

        Raises:
            SourceError: the database cannot be reached, or a statement on the connection fails.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except exc.DBAPIError as error:
            raise self._unreadable(driver_message(error)) from error

    def _unreadable(self, reason: str) -> SourceError:
        """Return the error for a failed read; a column may have been dropped, so the cached ones are forgotten."""
        billing_columns.drop_cached_columns(self.engine)
        return SourceError(
            f"The billing database {mask_url(self.engine.url)} cannot be read: {reason} "
            "Check LEDGER_BILLING_URL, and that the server is running and accepts this user. Nothing was changed."
        )
