"""`ops.source_fingerprints`: what each day of an ERP table looked like at the source when it was last read."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.tables import source_fingerprints as fingerprints


@dataclass(frozen=True)
class Known:
    """One day as it was.

    Attributes:
        day: As 2025-03-31; empty for rows without any date.
        year_month: The month in which its rows are stored; empty if they are outside the partitions.
        row_count: How many rows the source had.
        digest: The source's digest of them.
    """

    day: str
    year_month: str
    row_count: int
    digest: str


def known(connection: sa.Connection, table: str) -> dict[str, Known]:
    """The days of a table as they were when they were last read."""
    columns = (fingerprints.c[name] for name in Known.__dataclass_fields__)
    rows = connection.execute(sa.select(*columns).where(fingerprints.c.table_name == table))
    return {row["day"]: Known(**row) for row in rows.mappings()}


def remember(
    connection: sa.Connection, table: str, days: Iterable[Known], forgotten: Collection[str], run_id: str
) -> None:
    """Note days as they are now, and forget others."""
    of_table = fingerprints.c.table_name == table
    if forgotten:
        connection.execute(
            sa.delete(fingerprints).where(
                of_table, fingerprints.c.day == sa.any_(sa.literal(list(forgotten), sa.ARRAY(sa.Text)))
            )
        )
    statement = insert(fingerprints)
    renewed = {column.name: statement.excluded[column.name] for column in fingerprints.c if column.name != "taken_at"}
    noted = [{"table_name": table, "run_id": run_id, **asdict(day)} for day in days]
    if noted:
        connection.execute(
            statement.on_conflict_do_update(
                constraint=fingerprints.primary_key, set_=renewed | {"taken_at": sa.func.now()}
            ),
            noted,
        )
