"""What a person should know of a step that succeeded: rows that it rejected and why, columns that the source lacks.

Each is one sentence, in the run's log and in the metadata of its materialisation, which the commands print.
"""

from collections import Counter

import dagster as dg

from ledger_pipelines.assets.metadata import Metadata
from ledger_pipelines.loading.rejections import Reasons, first_month
from ledger_pipelines.resources import Databases
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_rows import BEFORE_FIRST
from ledger_pipelines.sources.billing_schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries import rejections_of_run
from ledger_pipelines.warehouse.report import Report

#: One in so many rows rejected is a warning.
_MANY = 10
#: The asset that says which columns a table of the source lacks: one of those that read it, so that a run says it once.
_SAID_BY = {tables.customers.name: users.name, tables.meter_readings.name: data_pencatatan.name}


def of_columns(context: dg.AssetExecutionContext, app: BillingApp) -> Metadata:
    """Say which columns that no amount needs are missing in the table that an asset is loaded from."""
    table = _SAID_BY.get(context.asset_key.path[-1])
    missing = "" if table is None else app.columns[table].in_words
    if not missing:
        return {}
    context.log.info(missing)
    return {"columns_missing": missing}


def of_rejections(context: dg.AssetExecutionContext, databases: Databases, report: Report) -> Metadata:
    """Say why a step rejected rows, and which first month to set for those that are dated before it."""
    if not any(report.rejected.values()):
        return {}
    asset, horizon, reasons = context.asset_key.path[-1], databases.horizon(), Reasons()
    with databases.warehouse.connect() as connection:
        for row in connection.execute(rejections_of_run(asset, context.run.run_id, apart=BEFORE_FIRST)):
            reasons.add(row.reason, row.source_row, row.rows)
    sentence = reasons.sentence(asset, report.read)
    first = first_month(reasons.before_first + Counter({horizon.first: report.loaded}))
    # A few odd rows are in any source, and a run every day: a warning is shown on the terminal of `ledger up`.
    many = sum(report.rejected.values()) * _MANY > report.read
    log = context.log.warning if many else context.log.info
    if first is None or first >= horizon.first:
        log(sentence)
        return {"rejected_because": sentence}
    log(f"{sentence} Set LEDGER_FIRST_MONTH={first}, and run all months again, to load them.")
    return {"rejected_because": sentence, "first_month_to_set": first}
