"""Partitions of the tables by month: built as staging partitions, indexed, then attached.

`ATTACH PARTITION` does not block readers of the table; `CREATE TABLE … PARTITION OF` does.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, SetColumnComment


def partition_name(table: sa.Table, month: str) -> str:
    """Return the name of a month's partition, without its schema."""
    return f"{table.name}_{month.replace('-', '_')}"


def has_partition(connection: sa.Connection, table: sa.Table, month: str) -> bool:
    """Return whether a month of a table has a partition."""
    name = f"{table.schema}.{partition_name(table, month)}"
    return connection.scalar(sa.select(sa.func.to_regclass(name))) is not None


def months_without_partition(connection: sa.Connection, table: sa.Table, months: Iterable[str]) -> list[str]:
    """Return those of the months that have no partition, in order."""
    names = {f"{table.schema}.{partition_name(table, month)}": month for month in months}
    name = sa.select(sa.func.unnest(sa.literal(list(names), sa.ARRAY(sa.Text))).label("name")).subquery()
    missing = connection.scalars(sa.select(name.c.name).where(sa.func.to_regclass(name.c.name).is_(None)))
    return sorted(names[found] for found in missing)


def ensure_partition(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Create an empty partition for a month unless it exists."""
    if not has_partition(connection, table, month):
        build_staging_partition(connection, table, month, sa.select(table).where(sa.false()))
        index_and_attach(connection, table, month)


def build_staging_partition(connection: sa.Connection, table: sa.Table, month: str, rows: sa.Select[Any]) -> int:
    """Create a staging partition from rows and return their number.

    `CREATE TABLE … AS` writes faster than `INSERT`. The CHECK constraint on the month saves ATTACH a scan.

    Args:
        connection: Within the transaction that attaches the partition.
        table: The partitioned table.
        month: The month of all rows.
        rows: The rows, with the columns of the table in order.
    """
    found = rows.subquery("found")
    pairs = zip(table.columns, found.columns, strict=True)
    select = sa.select(*(_as_declared(value, column) for column, value in pairs))
    creation = sa.schema.CreateTableAs(select, _staging_name(table, month), schema=table.schema)
    count = connection.execute(creation, execution_options={"preserve_rowcount": True}).rowcount
    required = [f'ALTER COLUMN "{column.name}" SET NOT NULL' for column in table.columns if not column.nullable]
    check = f"ADD CONSTRAINT month CHECK (year_month = '{month}')"
    name = _quoted(table.schema, _staging_name(table, month))
    connection.exec_driver_sql(f"ALTER TABLE {name} {', '.join([*required, check])}")
    return count


def create_staging_table(connection: sa.Connection, table: sa.Table, months: Iterable[str]) -> sa.Table:
    """Create a staging table with the columns of ``table`` and one empty partition per month; return its declaration.

    PostgreSQL routes each copied row to the partition of its month. A staged month is then merged into the table or
    attached to it as a partition (`attach_staging_partition`). `drop_staging_table` drops the rest.
    """
    parent, staging = _quoted(table.schema, table.name), _quoted(table.schema, f"{table.name}_new")
    run = connection.exec_driver_sql
    run(f"CREATE TABLE {staging} (LIKE {parent} INCLUDING DEFAULTS) PARTITION BY LIST (year_month)")
    for month in months:
        run(
            f"CREATE TABLE {_quoted(table.schema, _staging_name(table, month))} PARTITION OF {staging} "
            f"(CONSTRAINT month CHECK (year_month = '{month}')) FOR VALUES IN ('{month}')"
        )
    return table.to_metadata(sa.MetaData(), name=f"{table.name}_new")


def attach_staging_partition(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Detach a month from the staging table, index it, and attach it to the table."""
    staging = _quoted(table.schema, f"{table.name}_new")
    run = connection.exec_driver_sql
    run(f"ALTER TABLE {staging} DETACH PARTITION {_quoted(table.schema, _staging_name(table, month))}")
    index_and_attach(connection, table, month, every_column=False)


def drop_staging_table(connection: sa.Connection, table: sa.Table) -> None:
    """Drop the staging table of `create_staging_table` with the months that were not attached."""
    connection.exec_driver_sql(f"DROP TABLE {_quoted(table.schema, f'{table.name}_new')}")


def _as_declared(value: sa.ColumnElement[Any], column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return a value cast to the exact type and collation of a column."""
    declared = column.type
    if not isinstance(declared, sa.String) or declared.collation is None:
        return sa.cast(value, declared).label(column.name)
    return sa.collate(sa.cast(value, sa.String(declared.length)), declared.collation).label(column.name)


def index_and_attach(connection: sa.Connection, table: sa.Table, month: str, *, every_column: bool = True) -> None:
    """Index a staging partition and attach it to its table.

    Args:
        connection: Within the transaction that filled the partition.
        table: The partitioned table.
        month: The month.
        every_column: Whether ANALYZE samples all columns or only those with an index, if any. With dozens of columns,
            sampling takes longer than all other steps; autovacuum samples the rest later.
    """
    parent = _quoted(table.schema, table.name)
    staged = _quoted(table.schema, _staging_name(table, month))
    name = partition_name(table, month)
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)  # empty for the ERP's tables
    run = connection.exec_driver_sql
    run(f"ALTER TABLE {staged} RENAME TO {name}")
    partition = _quoted(table.schema, name)
    if key:
        run(f"ALTER TABLE {partition} ADD PRIMARY KEY ({key})")
    renamed = table.to_metadata(sa.MetaData(), name=name)
    for index in table.indexes:
        columns = [renamed.c[column.name] for column in index.columns]
        run(str(CreateIndex(sa.Index(None, *columns, **index.dialect_kwargs)).compile(connection)))
    comments = (str(SetColumnComment(column).compile(connection)) for column in renamed.columns)
    run(";".join(comments).replace("%%", "%"))
    run(f"ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES IN ('{month}')")
    run(f"ALTER TABLE {partition} DROP CONSTRAINT month")
    indexed = sorted({column.name for index in table.indexes for column in index.columns})
    sampled = "" if every_column or not indexed else f" ({', '.join(map(_quoted_name, indexed))})"
    run(f"ANALYZE {partition}{sampled}")


def _quoted_name(column: str) -> str:
    return f'"{column}"'


def _quoted(schema: str | None, name: str) -> str:
    return f'"{schema}"."{name}"'


def _staging_name(table: sa.Table, month: str) -> str:
    return f"{partition_name(table, month)}_new"
