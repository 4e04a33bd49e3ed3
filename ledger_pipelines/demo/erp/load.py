"""Seeding of a database with a demo of the ERP; the entry point is `seed_erp`."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import sqlalchemy as sa

from ledger_pipelines.demo.bulk_insert import TextRow, bulk_insert
from ledger_pipelines.demo.erp.declared_rows import declared_rows
from ledger_pipelines.demo.erp.entities import ErpEntities
from ledger_pipelines.demo.erp.faults import ERP_FAULTS, fault_numbers, inject_faults
from ledger_pipelines.demo.erp.plan import ErpDemoPlan, ErpDemoSummary
from ledger_pipelines.demo.erp.production import production_rows
from ledger_pipelines.demo.erp.purchases import purchase_rows
from ledger_pipelines.demo.erp.sales import sales_rows
from ledger_pipelines.demo.erp.schema import erp_source_tables
from ledger_pipelines.demo.erp.warehousing import order_line_rows, order_rows, stock_rows
from ledger_pipelines.demo.ownership_marker import OwnershipMarker, commit_unless_transactional_ddl
from ledger_pipelines.demo.plan import Month
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable

ERP_MARKER = OwnershipMarker("erp", tuple(erp_source_tables.values()))
"""Ownership marker of the demo's ERP."""

_GENERATORS: dict[str, Callable[..., Iterator[TextRow]]] = {
    "stockbywh": stock_rows,
    "view_warehouse_order": order_rows,
    "view_warehouse_order_line": order_line_rows,
    "so_invoice_line": sales_rows,
    "view_prod_header": production_rows,
    "data_receipt_purchase": purchase_rows,
}
"""Generators by table, called with the month unless the table is a snapshot; other tables use `declared_rows`."""
_AHEAD = ("view_prod_header",)
"""Tables with rows for the month after the current one."""

Progress = Callable[[int, int], None]


def seed_erp(engine: sa.Engine, plan: ErpDemoPlan, progress: Progress | None = None) -> ErpDemoSummary:
    """Fill a database with a demo of the ERP.

    In PostgreSQL the whole seeding is one transaction. Elsewhere an interrupted run leaves an incomplete demo, which
    the next run refuses unless the plan says `replace`. Memory use does not depend on the number of rows.

    Args:
        engine: the database, which may hold other tables, but none of these.
        plan: size and period of the demo.
        progress: called with the number of months written and the total, over all tables.

    Returns:
        Summary of the database; with `already_there` if an earlier run had made the same demo.

    Raises:
        LedgerError: if any of the tables exists and is no demo's, or is another demo's and the plan does not say
            `replace`. Nothing was changed.
    """
    with engine.connect() as connection:
        if (earlier := ERP_MARKER.clear_earlier_demo(connection, plan)) is not None:
            return dataclasses.replace(ErpDemoSummary(**json.loads(earlier)), already_there=True)
        ERP_MARKER.create(connection, plan)
        summary = _fill(connection, plan, progress or (lambda _done, _all: None))
        ERP_MARKER.finish(connection, json.dumps(dataclasses.asdict(summary)))
        connection.commit()
        return summary


def _fill(connection: sa.Connection, plan: ErpDemoPlan, progress: Progress) -> ErpDemoSummary:
    """Write all rows, table by table and month by month."""
    entities = ErpEntities(plan)
    dirt, written = Counter[str](), Counter[str]()
    parts = [(table, month) for table in ERP_TABLES for month in _months(table, entities)]
    for done, (table, month) in enumerate(parts):
        progress(done, len(parts))
        generator = _GENERATORS.get(table.name) or partial(declared_rows, table)
        clean = generator(entities) if month is None else generator(entities, month)
        numbers = fault_numbers(table, entities.timeline.months, month)
        rows = map(
            partial(_counted, written, table.name), inject_faults(table, clean, numbers, entities.timeline, dirt)
        )
        bulk_insert(connection, erp_source_tables[table.name], table.names, rows)
        commit_unless_transactional_ddl(connection)
    progress(len(parts), len(parts))
    return ErpDemoSummary(
        rows={table.name: written[table.name] for table in ERP_TABLES},
        first_month=plan.first_month,
        last_month=plan.current_month,
        dirt={name: dirt[name] for name in ERP_FAULTS},
    )


def _months(table: ErpTable, entities: ErpEntities) -> list[Month | None]:
    """Return the months of a table's rows; a single None for a table without months."""
    if table.is_snapshot:
        return [None]
    ahead = [entities.timeline.after] if table.name in _AHEAD else []
    return [*entities.timeline.months, *ahead]


def _counted(written: Counter[str], name: str, row: TextRow) -> TextRow:
    written[name] += 1
    return row
