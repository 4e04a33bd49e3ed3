"""Fixtures of the analytics tests: the demo of both sources, copied, computed and reconciled."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo import BillingDemoPlan, seed_billing
from ledger_pipelines.demo.erp import ErpDemoPlan, seed_erp
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.reconciliation.comparison import compare_balances
from ledger_pipelines.ledger.reconciliation.invoices import reconcile_invoices
from ledger_pipelines.loading.erp.load import TableLoad, load_erp_table
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests.support.analysts import analyst_engine
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, new_warehouse
from ledger_pipelines_tests.support.servers import fresh_database

CURRENT, MONTHS = "2025-06", 14
UNTIL = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)


@pytest.fixture(scope="session")
def demo(embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline with the demo of both sources."""
    with ExitStack() as stack:
        source_url = stack.enter_context(fresh_database(embedded_url))
        source = source_engine(source_url)
        stack.callback(source.dispose)
        warehouse = stack.enter_context(new_warehouse(embedded_url))
        erp = ErpSource(erp_engine(source_url))
        stack.callback(erp.engine.dispose)
        plan = BillingDemoPlan(current_month=CURRENT, until=UNTIL, months=MONTHS)
        seed_billing(source, plan)
        seed_erp(source, ErpDemoPlan(current_month=CURRENT, until=UNTIL, months=MONTHS, rows_per_month=120))
        pipeline = Pipeline(source, warehouse, Horizon(plan.first_month, CURRENT, WIB))
        pipeline.run()
        for table in ERP_TABLES:
            load_erp_table(
                TableLoad(erp, warehouse, pipeline.horizon, pipeline.horizon.months, DeletionGuard(), "test"), table
            )
        with warehouse.begin() as connection:
            compare_balances(connection, "test")
            reconcile_invoices(connection, pipeline.horizon.months, "test")
        yield pipeline


@pytest.fixture(scope="session")
def analyst(demo: Pipeline) -> Iterator[sa.Engine]:
    """Yield an engine to the demo's warehouse with an analyst's role."""
    with analyst_engine(demo.warehouse.url) as engine:
        yield engine
