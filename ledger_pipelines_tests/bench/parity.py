"""Check that a copy of an ERP table has the source's number of rows and the same sum in every decimal column."""

from decimal import Decimal, localcontext

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ErpTable, Kind

Totals = tuple[int | Decimal, ...]


def check_parity(erp: sa.URL, target: sa.URL, table: ErpTable) -> None:
    """Check that the copy in the schema `erp`, plus rejected rows if any, matches the source's table.

    Raises:
        AssertionError: if the copy differs.
    """
    expected = _one(erp, _totals(table, table.name))
    copied = _one(target, _totals(table, f"erp.{table.name}"))
    if _one(target, "SELECT to_regclass('ops.rejected_rows') IS NOT NULL")[0]:
        with localcontext(prec=1_000):  # Python would round to 28 digits
            copied = tuple(map(sum, zip(copied, _one(target, _rejected(table)), strict=True)))
    if copied != expected:
        raise AssertionError(f"the copy of {table.name} differs from the source: {copied} instead of {expected}")


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
