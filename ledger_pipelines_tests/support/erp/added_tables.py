"""Program that declares two more ERP tables, then seeds the demo's ERP, syncs it, changes it and syncs it again.

It runs in a process of its own, because everything derives from the catalogue while modules are imported.

Usage: python -m ledger_pipelines_tests.support.erp.added_tables URL-OF-THE-EMBEDDED-SERVER FOLDER
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from ledger_pipelines.settings import parse_database_url
from ledger_pipelines.sources.erp import catalogue
from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind

if TYPE_CHECKING:
    from ledger_pipelines_tests.support.erp.erp_location import ErpLocation

INSPECTIONS = ErpTable(
    name="added_inspections",
    comment="Quality inspections: one row an inspection",
    columns=(
        ErpColumn("inspection_no", Kind.TEXT, "Inspection number"),
        ErpColumn("line_no", Kind.INTEGER, "Line of the inspection"),
        ErpColumn("planned_date", Kind.DATE, "Date planned"),
        ErpColumn("inspection_date", Kind.DATE, "Date of the inspection"),
        ErpColumn("item_desc", Kind.TEXT, "Item"),
        ErpColumn("batch", Kind.TEXT, "Batch"),
        ErpColumn("sample_qty", Kind.DECIMAL, "Quantity sampled, in units"),
        ErpColumn("price", Kind.DECIMAL, "Price of the inspection, in the currency"),
        ErpColumn("is_passed", Kind.BOOLEAN, "Whether it passed"),
        ErpColumn("release_date", Kind.DATE, "Date of release"),
    ),
    month_columns=("inspection_date", "planned_date"),
    key=("inspection_no", "line_no"),
)
LIMITS = ErpTable(
    name="added_limits",
    comment="Limits of the inspections, as they are now: no date, no key, no Unicode text",
    columns=tuple(column for column in INSPECTIONS.columns if column.name != "item_desc"),
    month_columns=(),
    key=(),
)
ADDED = (INSPECTIONS, LIMITS)


def main(embedded: str, home: str) -> None:
    """Print the seeded rows, the changes, and both syncs of the added tables, as JSON."""
    catalogue.ERP_TABLES += ADDED
    # These modules derive tables and assets from the catalogue when they are imported.
    from ledger_pipelines.demo.erp import ErpDemoPlan, seed_erp
    from ledger_pipelines.demo.erp.mutate import mutate_erp
    from ledger_pipelines.warehouse.tables import erp_tables
    from ledger_pipelines_tests.support.code_location import CURRENT, NOW
    from ledger_pipelines_tests.support.erp.erp_location import ErpLocation
    from ledger_pipelines_tests.support.servers import fresh_database, fresh_warehouse

    server = parse_database_url(embedded)
    with (
        fresh_database(server) as erp,
        fresh_warehouse(server) as warehouse,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        location = ErpLocation(erp, warehouse, Path(home), instance)
        for table in ADDED:
            erp_tables[table.name].create(location.databases.warehouse)  # in the product, a migration does this
        plan = ErpDemoPlan(current_month=CURRENT, until=NOW, months=6, rows_per_month=80)
        seeded = seed_erp(location.erp, plan).rows
        first = _sync(location)
        changes = [(done.table, done.operation) for done in mutate_erp(location.erp, 200, 1, CURRENT)]
        second = _sync(location, *(table.name for table in ADDED))
        location.dispose()
    json.dump({"seeded": seeded, "first": first, "changes": changes, "second": second}, sys.stdout, default=str)


def _sync(location: "ErpLocation", *only: str) -> dict[str, object]:
    """Sync all or some tables; return the sync's status and error, and what it did to each added table."""
    location.run(only=only or None)
    log = location.log()
    tables = location.tables(log)
    counts = {table.name: {"copied": location.rows(table.name)} | asdict(tables[table.name]) for table in ADDED}
    return {"status": log.status, "error": log.error_message, **counts}


if __name__ == "__main__":
    main(*sys.argv[1:])
