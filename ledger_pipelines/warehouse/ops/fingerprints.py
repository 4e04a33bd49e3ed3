"""`ops.source_fingerprints`: row count and digest of each day of an ERP table, as of its last read."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.tables import source_fingerprints as fingerprints


@dataclass(frozen=True)
class StoredFingerprint:
    """Stored fingerprint of one day.

    Attributes:
        day: Such as 2025-03-31; empty for rows without any date.
        year_month: The month in which its rows are stored; empty if they are outside the partitions.
        row_count: Number of the source's rows.
        digest: The source's digest of those rows.
    """

    day: str
    year_month: str
    row_count: int
    digest: str


def stored_fingerprints(connection: sa.Connection, table: str) -> dict[str, StoredFingerprint]:
    """Return the stored fingerprints of a table, by day."""
    columns = (fingerprints.c[name] for name in StoredFingerprint.__dataclass_fields__)
    rows = connection.execute(sa.select(*columns).where(fingerprints.c.table_name == table))
    return {row["day"]: StoredFingerprint(**row) for row in rows.mappings()}


def days_read_before(connection: sa.Connection, table: str, months: Collection[str], age: timedelta) -> frozenset[str]:
    """Return the days of some months whose rows were last read longer ago than ``age``."""
    is_old = fingerprints.c.taken_at < sa.func.now() - age
    of_months = sa.and_(fingerprints.c.table_name == table, fingerprints.c.year_month.in_(months))
    return frozenset(connection.scalars(sa.select(fingerprints.c.day).where(of_months, is_old)))


def store_fingerprints(
    connection: sa.Connection, table: str, days: Iterable[StoredFingerprint], removed: Collection[str], run_id: str
) -> None:
    """Store the fingerprints of days, and delete those of the days in ``removed``."""
    of_table = fingerprints.c.table_name == table
    if removed:
        connection.execute(
            sa.delete(fingerprints).where(
                of_table, fingerprints.c.day == sa.any_(sa.literal(list(removed), sa.ARRAY(sa.Text)))
            )
        )
    statement = insert(fingerprints)
    updated = {column.name: statement.excluded[column.name] for column in fingerprints.c if column.name != "taken_at"}
    rows = [{"table_name": table, "run_id": run_id, **asdict(day)} for day in days]
    if rows:
        connection.execute(
            statement.on_conflict_do_update(
                constraint=fingerprints.primary_key, set_=updated | {"taken_at": sa.func.now()}
            ),
            rows,
        )
