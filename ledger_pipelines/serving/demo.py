"""The demo's billing application and ERP: seed them, and change rows of the ERP at random."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.demo import BillingDemoPlan, BillingDemoSummary, seed_billing
from ledger_pipelines.demo.erp import ErpDemoPlan, ErpDemoSummary, erp_source_tables, seed_erp
from ledger_pipelines.demo.erp.mutate import ErpMutation, mutate_erp
from ledger_pipelines.demo.plan import WIB
from ledger_pipelines.horizon import month_of
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.settings import Settings, mask_url
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import source_engine


def default_plan() -> BillingDemoPlan:
    """Return the plan of the billing application at the first start: 36 customers, 24 months, up to last midnight."""
    midnight = _last_midnight()
    return BillingDemoPlan(current_month=month_of(midnight, WIB), until=midnight)


def default_erp_plan() -> ErpDemoPlan:
    """Return the plan of the ERP at the first start: thousands of rows over the same 24 months."""
    midnight = _last_midnight()
    return ErpDemoPlan(current_month=month_of(midnight, WIB), until=midnight)


def has_billing_tables(engine: sa.Engine) -> bool:
    """Return whether a database has the table `users` of a billing application, the demo's or another.

    Raises:
        ServingError: the database cannot be reached.
    """
    return _has_any(engine, [billing_schema.users.name])


def seed_demo(
    engine: sa.Engine, plan: BillingDemoPlan, progress: Callable[[int, int], None] | None = None
) -> BillingDemoSummary:
    """Fill a database with a demo of the billing application.

    Raises:
        LedgerError: seeding would destroy or contradict existing tables.
        ServingError: the database cannot be reached or written to.
    """
    try:
        return seed_billing(engine, plan, progress)
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def seed_demo_erp(
    engine: sa.Engine, plan: ErpDemoPlan, progress: Callable[[int, int], None] | None = None
) -> ErpDemoSummary:
    """Fill a database with a demo of the ERP.

    Raises:
        LedgerError: seeding would destroy or contradict existing tables.
        ServingError: the database cannot be reached or written to.
    """
    try:
        return seed_erp(engine, plan, progress)
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def seed_demo_erp_if_missing(settings: Settings) -> ErpDemoSummary | None:
    """Seed the demo's ERP at the first start; None if another ERP is configured or the demo's has tables already.

    Raises:
        ServingError: the embedded server cannot be reached or written to.
    """
    if not database_urls.uses_demo_erp(settings):
        return None
    engine = source_engine(database_urls.erp_url(settings))
    try:
        return None if _has_any(engine, list(erp_source_tables)) else seed_demo_erp(engine, default_erp_plan())
    finally:
        engine.dispose()


def mutate_demo_erp(engine: sa.Engine, changes: int, random_seed: int) -> list[ErpMutation]:
    """Change some rows of a demo's ERP at random, up to the month after the current one.

    Raises:
        LedgerError: the database contains no demo ERP, or another program changed the same row.
        ServingError: the database cannot be reached or written to.
    """
    try:
        return mutate_erp(engine, changes, random_seed, month_of(datetime.now(WIB), WIB))
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def _last_midnight() -> datetime:
    return datetime.now(WIB).replace(hour=0, minute=0, second=0, microsecond=0)


def _has_any(engine: sa.Engine, tables: list[str]) -> bool:
    try:
        inspector = sa.inspect(engine)
        return any(inspector.has_table(table) for table in tables)
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def _unreachable(engine: sa.Engine, error: exc.DBAPIError) -> ServingError:
    return ServingError(f"The database {mask_url(engine.url)} cannot be used: {error.orig}")
