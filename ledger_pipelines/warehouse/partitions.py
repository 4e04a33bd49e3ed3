"""The partitions of the tables by month: made aside, indexed, attached.

`ATTACH PARTITION` lets readers of the table go on, which `CREATE TABLE … PARTITION OF` does not.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, SetColumnComment


def partition_name(table: sa.Table, month: str) -> str:
    """The name of the partition that holds a month, without its schema."""
    return f"{table.name}_{month.replace('-', '_')}"


def has_partition(connection: sa.Connection, table: sa.Table, month: str) -> bool:
    """True if a month of a table has its partition."""
    name = f"{table.schema}.{partition_name(table, month)}"
    return connection.scalar(sa.select(sa.func.to_regclass(name))) is not None


def without_partition(connection: sa.Connection, table: sa.Table, months: Iterable[str]) -> list[str]:
    """Those of the months of a table that have no partition, in order."""
    names = {f"{table.schema}.{partition_name(table, month)}": month for month in months}
    name = sa.select(sa.func.unnest(sa.literal(list(names), sa.ARRAY(sa.Text))).label("name")).subquery()
    missing = connection.scalars(sa.select(name.c.name).where(sa.func.to_regclass(name.c.name).is_(None)))
    return sorted(names[found] for found in missing)


def ensure_partition(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Create the partition of a month, empty, unless it is there."""
    if not has_partition(connection, table, month):
        fill_aside(connection, table, month, sa.select(table).where(sa.false()))
        attach(connection, table, month)


def fill_aside(connection: sa.Connection, table: sa.Table, month: str, rows: sa.Select[Any]) -> int:
    """Create the table that will become a partition from its rows, and return how many there are.

    `CREATE TABLE … AS` writes faster than `INSERT`. The check on the month spares ATTACH its scan.

    Args:
        connection: Within the transaction that attaches it.
        table: The table by month.
        month: The month of all rows.
        rows: The columns of the table, in order.
    """
    found = rows.subquery("found")
    given = zip(table.columns, found.columns, strict=True)
    select = sa.select(*(_as_declared(value, column) for column, value in given))
    aside = sa.schema.CreateTableAs(select, _aside_name(table, month), schema=table.schema)
    count = connection.execute(aside, execution_options={"preserve_rowcount": True}).rowcount
    required = [f'ALTER COLUMN "{column.name}" SET NOT NULL' for column in table.columns if not column.nullable]
    check = f"ADD CONSTRAINT month CHECK (year_month = '{month}')"
    name = _quoted(table.schema, _aside_name(table, month))
    connection.exec_driver_sql(f"ALTER TABLE {name} {', '.join([*required, check])}")
    return count


def make_aside(connection: sa.Connection, table: sa.Table, months: Iterable[str]) -> sa.Table:
    """Create a table beside ``table``, with its columns and one empty partition a month, and return its declaration.

    What is copied into it finds its month by itself. A month is then compared with what the table has, or adopted
    as its partition (`adopt`); what is left is dropped (`drop_aside`).
    """
    parent, aside = _quoted(table.schema, table.name), _quoted(table.schema, f"{table.name}_new")
    run = connection.exec_driver_sql
    run(f"CREATE TABLE {aside} (LIKE {parent} INCLUDING DEFAULTS) PARTITION BY LIST (year_month)")
    for month in months:
        run(
            f"CREATE TABLE {_quoted(table.schema, _aside_name(table, month))} PARTITION OF {aside} "
            f"(CONSTRAINT month CHECK (year_month = '{month}')) FOR VALUES IN ('{month}')"
        )
    return table.to_metadata(sa.MetaData(), name=f"{table.name}_new")


def adopt(connection: sa.Connection, table: sa.Table, month: str) -> None:
    """Index the month that was filled aside and make it the table's partition."""
    aside = _quoted(table.schema, f"{table.name}_new")
    run = connection.exec_driver_sql
    run(f"ALTER TABLE {aside} DETACH PARTITION {_quoted(table.schema, _aside_name(table, month))}")
    attach(connection, table, month, every_column=False)


def drop_aside(connection: sa.Connection, table: sa.Table) -> None:
    """Drop what `make_aside` made, but for the months that were adopted."""
    connection.exec_driver_sql(f"DROP TABLE {_quoted(table.schema, f'{table.name}_new')}")


def _as_declared(value: sa.ColumnElement[Any], column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A value with the very type, and collation, of the column it is for."""
    declared = column.type
    if not isinstance(declared, sa.String) or declared.collation is None:
        return sa.cast(value, declared).label(column.name)
    return sa.collate(sa.cast(value, sa.String(declared.length)), declared.collation).label(column.name)


def attach(connection: sa.Connection, table: sa.Table, month: str, *, every_column: bool = True) -> None:
    """Index the table that stands aside and make it the partition of its month.

    Args:
        connection: Within the transaction that filled it.
        table: The table by month.
        month: The month.
        every_column: Whether all columns are sampled for the planner, which takes longer than all else if there are
            dozens, or only those with an index. The others are then left to autovacuum.
    """
    parent = _quoted(table.schema, table.name)
    aside = _quoted(table.schema, _aside_name(table, month))
    partition = partition_name(table, month)
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)  # of the ERP's tables, none
    run = connection.exec_driver_sql
    run(f"ALTER TABLE {aside} RENAME TO {partition}")
    aside = _quoted(table.schema, partition)
    if key:
        run(f"ALTER TABLE {aside} ADD PRIMARY KEY ({key})")
    renamed = table.to_metadata(sa.MetaData(), name=partition)
    for index in table.indexes:
        columns = [renamed.c[column.name] for column in index.columns]
        run(str(CreateIndex(sa.Index(None, *columns, **index.dialect_kwargs)).compile(connection)))
    comments = (str(SetColumnComment(column).compile(connection)) for column in renamed.columns)
    run(";".join(comments).replace("%%", "%"))
    run(f"ALTER TABLE {parent} ATTACH PARTITION {aside} FOR VALUES IN ('{month}')")
    run(f"ALTER TABLE {aside} DROP CONSTRAINT month")
    indexed = sorted({column.name for index in table.indexes for column in index.columns})
    run(f"ANALYZE {aside}" if every_column else f"ANALYZE {aside} ({', '.join(map(_name, indexed))})")


def _name(column: str) -> str:
    return f'"{column}"'


def _quoted(schema: str | None, name: str) -> str:
    return f'"{schema}"."{name}"'


def _aside_name(table: sa.Table, month: str) -> str:
    return f"{partition_name(table, month)}_new"
