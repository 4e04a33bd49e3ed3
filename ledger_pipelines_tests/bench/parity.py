"""Whether a copy of an ERP table has all of its rows, and every decimal column the sum that the source has."""

from decimal import Decimal, localcontext

import sqlalchemy as sa

from ledger_pipelines.sources.erp_tables import ErpTable, Kind

Totals = tuple[int | Decimal, ...]


def check_parity(erp: sa.URL, target: sa.URL, table: ErpTable) -> None:
    """See that the schema `erp` of a database, and its rejected rows if it has such, are the source's table.

    Raises:
        AssertionError: they are not.
    """
    there = _one(erp, _totals(table, table.name))
    here = _one(target, _totals(table, f"erp.{table.name}"))
    if _one(target, "SELECT to_regclass('ops.rejected_rows') IS NOT NULL")[0]:
        with localcontext(prec=1_000):  # Python would round to 28 digits
            here = tuple(map(sum, zip(here, _one(target, _rejected(table)), strict=True)))
    if here != there:
        raise AssertionError(f"the copy of {table.name} is not the source's: {here} instead of {there}")


def _totals(table: ErpTable, name: str) -> str:
    sums = (f'coalesce(sum("{column}"), 0)' for column in table.names_of(Kind.DECIMAL))
    return f"SELECT count(*), {', '.join(sums)} FROM {name}"


def _rejected(table: ErpTable) -> str:
    numbers = (f"CAST(raw_row AS json) ->> '{column}'" for column in table.names_of(Kind.DECIMAL))
    sums = (f"coalesce(sum(CAST({number} AS numeric)), 0)" for number in numbers)
    return f"SELECT count(*), {', '.join(sums)} FROM ops.rejected_rows WHERE source_table = '{table.name}'"


def _one(url: sa.URL, statement: str) -> Totals:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return tuple(connection.exec_driver_sql(statement).one())
    finally:
        engine.dispose()
