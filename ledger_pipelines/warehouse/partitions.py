"""The partitions of the tables by month: made aside, indexed, attached.

`ATTACH PARTITION` lets readers of the table go on, which `CREATE TABLE … PARTITION OF` does not.
"""

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex


def partition_name(table: sa.Table, month: str) -> str:
    """The name of the partition that holds a month, without its schema."""
    return f"{table.name}_{month.replace('-', '_')}"


def has_partition(connection: sa.Connection, table: sa.Table, month: str) -> bool:
    """True if a month of a table has its partition."""
    name = f"{table.schema}.{partition_name(table, month)}"
    return connection.scalar(sa.select(sa.func.to_regclass(name))) is not None


def ensure_partition(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Create the partition of a month, empty, unless it is there."""
    if not has_partition(connection, table, month):
        create_aside(connection, table, month)
        attach(connection, table, month)


def create_aside(connection: sa.Connection, table: sa.Table, month: str) -> sa.Table:
    """Create the table that will become a partition: same columns, and a check that spares ATTACH its scan."""
    name = _aside_name(table, month)
    connection.execute(
        sa.text(
            f"CREATE TABLE {_quoted(table.schema, name)} "
            f"(LIKE {_quoted(table.schema, table.name)} INCLUDING DEFAULTS INCLUDING COMMENTS, "
            f"CONSTRAINT month CHECK (year_month IS NOT NULL AND year_month = '{month}'))"
        )
    )
    return table.to_metadata(sa.MetaData(), name=name)


def attach(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Index the table that stands aside and make it the partition of its month."""
    parent = _quoted(table.schema, table.name)
    aside = _quoted(table.schema, _aside_name(table, month))
    partition = partition_name(table, month)
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    run = connection.exec_driver_sql
    run(f"ALTER TABLE {aside} RENAME TO {partition}")
    aside = _quoted(table.schema, partition)
    run(f"ALTER TABLE {aside} ADD PRIMARY KEY ({key})")
    renamed = table.to_metadata(sa.MetaData(), name=partition)
    for index in table.indexes:
        columns = [renamed.c[column.name] for column in index.columns]
        run(str(CreateIndex(sa.Index(None, *columns)).compile(connection)))
    run(f"ALTER TABLE {parent} ATTACH PARTITION {aside} FOR VALUES IN ('{month}')")
    run(f"ALTER TABLE {aside} DROP CONSTRAINT month")
    run(f"ANALYZE {aside}")


def drop(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Drop the partition of a month, rows and all."""
    connection.execute(sa.text(f"DROP TABLE {_quoted(table.schema, partition_name(table, month))}"))


def _quoted(schema: str | None, name: str) -> str:
    return f'"{schema}"."{name}"'


def _aside_name(table: sa.Table, month: str) -> str:
    return f"{partition_name(table, month)}_new"
