"""Notices of a successful step: rejected rows with their reasons, and columns missing in the source.

Each notice is one sentence in the run's log and in the metadata of the materialisation, which the commands print.
"""

from collections import Counter

import dagster as dg

from ledger_pipelines.defs.assets.metadata import Metadata
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.loading.rejections import RejectionSummary, first_plausible_month
from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries.summaries import rejections_of_run
from ledger_pipelines.warehouse.table_report import TableReport

#: Rejected rows are logged as a warning if they exceed one in this number of rows.
_WARNING_RATIO = 10
#: Source table by the asset that reports its missing columns. Several assets read `users`; one reports, once per run.
_REPORTED_BY = {tables.customers.name: users.name, tables.meter_readings.name: data_pencatatan.name}


def log_missing_columns(context: dg.AssetExecutionContext, app: BillingSource) -> Metadata:
    """Log the optional columns that are missing in the asset's source table, and return them as metadata."""
    table = _REPORTED_BY.get(context.asset_key.path[-1])
    missing = "" if table is None else app.columns[table].missing_message
    if not missing:
        return {}
    context.log.info(missing)
    return {"columns_missing": missing}


def log_rejections(context: dg.AssetExecutionContext, databases: PipelineDatabases, report: TableReport) -> Metadata:
    """Log why a step rejected rows and which first month would load rows dated before it; return both as metadata."""
    if not any(report.rejected.values()):
        return {}
    asset, horizon, reasons = context.asset_key.path[-1], databases.horizon(), RejectionSummary()
    with databases.warehouse.connect() as connection:
        for row in connection.execute(rejections_of_run(asset, context.run.run_id)):
            reasons.add(RejectionReason.stored(row.reason_code, row.reason_params), row.source_row, row.rows)
    sentence = reasons.sentence(asset, report.read)
    first = first_plausible_month(reasons.before_first + Counter({horizon.first: report.loaded}))
    # Every source has a few bad rows. Only many are a warning: `ledger up` prints warnings, and a run is made daily.
    many = sum(report.rejected.values()) * _WARNING_RATIO > report.read
    log = context.log.warning if many else context.log.info
    if first is None or first >= horizon.first:
        log(sentence)
        return {"rejected_because": sentence}
    log(f"{sentence} To load them, set LEDGER_FIRST_MONTH={first} and run all months again.")
    return {"rejected_because": sentence, "first_month_to_set": first}
