"""Writing a demo of the ERP into a database; `seed_erp` is the entrance."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import sqlalchemy as sa

from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpTable
from ledger_pipelines.sources.sample.claim import Claim, commit_unless_whole
from ledger_pipelines.sources.sample.erp.dirt import KINDS, spoil, turns_of
from ledger_pipelines.sources.sample.erp.erp_schema import erp_source_tables
from ledger_pipelines.sources.sample.erp.plan import ErpPlan, ErpSummary
from ledger_pipelines.sources.sample.erp.production import production_rows
from ledger_pipelines.sources.sample.erp.purchases import purchase_rows
from ledger_pipelines.sources.sample.erp.sales import sales_rows
from ledger_pipelines.sources.sample.erp.warehousing import order_line_rows, order_rows, stock_rows
from ledger_pipelines.sources.sample.erp.world import World
from ledger_pipelines.sources.sample.plan import Month
from ledger_pipelines.sources.sample.writing import Row, write

CLAIM = Claim("erp", tuple(erp_source_tables.values()))
"""What marks a database as the demo's ERP."""

_MONTHLY: dict[str, Callable[[World, Month], Iterator[Row]]] = {
    "view_warehouse_order": order_rows,
    "view_warehouse_order_line": order_line_rows,
    "so_invoice_line": sales_rows,
    "view_prod_header": production_rows,
    "data_receipt_purchase": purchase_rows,
}
_AHEAD = ("view_prod_header",)
"""The tables that look a month ahead."""

Progress = Callable[[int, int], None]


def seed_erp(engine: sa.Engine, plan: ErpPlan, progress: Progress | None = None) -> ErpSummary:
    """Fill a database with a demo of the ERP.

    In PostgreSQL all of it happens in one transaction. Elsewhere an interrupted run leaves a demo that the next run
    refuses to take for a whole one, and replaces if told to. Memory stays flat, whatever the number of rows.

    Args:
        engine: the database, which need not be empty but must not have any of the six tables.
        plan: what to make.
        progress: called with the number of months done and to do, over all tables.

    Returns:
        What the database holds; with `already_there` if it held just that before.

    Raises:
        SeedRefused: if any of the tables exists and is no demo's, or is another demo's and the plan does not say
            `replace`. Nothing was changed.
    """
    with engine.connect() as connection:
        if (earlier := CLAIM.make_room(connection, plan)) is not None:
            return dataclasses.replace(ErpSummary(**json.loads(earlier)), already_there=True)
        CLAIM.create(connection, plan)
        summary = _fill(connection, plan, progress or (lambda _done, _all: None))
        CLAIM.finish(connection, json.dumps(dataclasses.asdict(summary)))
        connection.commit()
        return summary


def _fill(connection: sa.Connection, plan: ErpPlan, progress: Progress) -> ErpSummary:
    """Write all rows, table by table and month by month."""
    world = World(plan)
    dirt, written = Counter[str](), Counter[str]()
    parts = [(table, month) for table in ERP_TABLES for month in _months(table, world)]
    for done, (table, month) in enumerate(parts):
        progress(done, len(parts))
        clean = stock_rows(world) if month is None else _MONTHLY[table.name](world, month)
        turns = turns_of(table, world.timeline.months, month)
        rows = map(partial(_counted, written, table.name), spoil(table, clean, turns, world.timeline, dirt))
        write(connection, erp_source_tables[table.name], table.names, rows)
        commit_unless_whole(connection)
    progress(len(parts), len(parts))
    return ErpSummary(
        rows={table.name: written[table.name] for table in ERP_TABLES},
        first_month=plan.first_month,
        last_month=plan.current_month,
        dirt={name: dirt[name] for name in KINDS},
    )


def _months(table: ErpTable, world: World) -> list[Month | None]:
    """The months that a table has rows for; one None for a table without months."""
    if table.is_snapshot:
        return [None]
    ahead = [world.timeline.after] if table.name in _AHEAD else []
    return [*world.timeline.months, *ahead]


def _counted(written: Counter[str], name: str, row: Row) -> Row:
    written[name] += 1
    return row
